"""Which specialist a task goes to, and why.

Whole words and phrases of the roster are looked up in the task's title and
description, never parts of words: "build" does not say "ui", nor "html" "ml".
Paths that the task will write beat words. The confidence is the margin by which
the first specialist leads; a low one is shown as a guess.

A specialist of the user's or the project's that names no words of its own is
found by its name and description, which say less; see :func:`_own_words`.

Weights learned from the titles of pull requests settle what the words leave
open: with them 55 of 100 development titles go right instead of 49 (2026-11,
whole repositories left out). They speak for the specialists that come with us.
Where they alone decide, 5 of 22 such titles go right. That is better than
nothing, and worse than a look at the project: see :func:`route_in`.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from weakref import WeakKeyDictionary

from agent_orchestrator.domain.plan import Routing
from agent_orchestrator.domain.specialist import GENERALIST, Specialist
from agent_orchestrator.planning import learned
from agent_orchestrator.planning.learned import LIKENESS
from agent_orchestrator.planning.profile import Look, ending_of
from agent_orchestrator.planning.roster import ORIGINS, Roster
from agent_orchestrator.planning.vocabulary import (
    BUILD_VERBS,
    COMMON_WORDS,
    DETERMINERS,
    ENGLISH_VERBS,
    PRONOUNS,
    ROLE_WORDS,
    words_of,
)
from agent_orchestrator.planning.words import Phrase, normal, normal_words, spellings

TITLE_WEIGHT = 1.0
BODY_WEIGHT = 0.35
"""A description speaks of much beside the task. On 329 labelled titles 0.1 to 0.7 did alike, within a point."""

HINT_WEIGHT = 0.4
"""Weight of a roster word that ends in ``?``: it points to a specialist, but other things too."""

PHRASE_WEIGHT = (1.0, 1.0, 1.7, 2.2)
"""By number of words: a phrase of two says more than a word. Index 0 is not used."""

NAME_WEIGHT = 1.5
"""Weight of a word of the name of a user's or project's specialist: who adds a ``rust-expert`` wants Rust there."""

DESCRIPTION_WEIGHT = 0.4
"""Weight of a word of its description, like that of a hint."""

DESCRIPTION_WORDS_LIMIT = 30

OWNED_PATH_WEIGHT = 4.0
"""A path the task is given to write, in the figure for confidence. In the order it goes before all words."""

NAMED_PATH_WEIGHT = 2.0
"""A path that the title names. One that only the description names counts as much less as its words do."""

LEARNED_WEIGHT = 0.2
"""Weight of what was learned from labelled titles. Leaving out whole repositories, 0.15 to 0.4 did alike; from 0.3 on
goals in a person's own words, which are not like titles of pull requests, began to go wrong."""

LEAST_EVIDENCE = 0.3
"""Below it the generalist gets the task: of 329 labelled titles 24 had so little, and 2 of them would be right."""

DOUBT = 1.0
"""Evidence that every decision is measured against: one plain word without rival is confidence 0.5."""

BY_FILES = 0.2
"""Confidence in whoever has most of the project's files, where nothing else speaks: not measured, a guess."""

LONGEST_PHRASE = 3

PATHS_LIMIT = 20
"""Paths looked at of each kind; more of them say nothing new."""

TEXT_LIMIT_CHARS = 6_000
"""Read of a description; what a task is about stands at its beginning."""

_NOBODY = Routing(specialist=GENERALIST, confidence=0.0, reason="no word or path speaks for a specialist")

_BESIDES = re.compile(
    r"(?<=\w)\s*[,.]?\s+(?:with|including|plus|and|und|mit|et|avec|y|con|e|com)\s+"
    r"(?:(?:add|write|schreibe?|ajoute|ajouter|écris|écrire|escribe|"
    r"añade|escreva|napisz)\s+)?"
    r"(?:(?:its|an?|unit|regression|some|full|des|les)\s+){0,2}(?:tests?|docs|documentation)(?:\s+(?:dazu|for it))?"
    r"(?:\s*(?:,|,?\s+and)\s+(?:unit\s+)?(?:tests?|docs|documentation|a line in the docs))*\s*[.!]?$",
    re.I,
)
"""The end of a title that asks for what every change should have: "… with tests and docs" makes nobody its tester."""
_BESIDES_MORE = re.compile(
    r"\s+(?:with|including|plus)\s+(?:unit\s+)?(?:tests?|docs|documentation|examples)"
    r"(?:\s*,\s*(?:unit\s+)?(?:tests?|docs|documentation|examples))*(?=\s*,)",
    re.I,
)
"""The same at the head of a list: "… with docs, examples, and a release"."""

_BESIDES_SAID = re.compile(
    r"(?<=\w)(?:\s*[,;.]\s+(?:and\s+)?|\s+(?:and|und|et|y|e)\s+)(?:(?:then|finally|also)\s+)?"
    r"(?:(?:document|describe|mention|explain|test|cover)\s+(?:it|them|this|that|everything|both|all of (?:it|them))"
    r"|(?:dokumentiere|beschreibe|erkläre|teste)\s+(?:ihn|sie|es|das|alles|beides)"
    r"|(?:documente|décris|teste)[sz]?-l(?:e|a|es)|(?:documént|descríb|pruéb)[ae]l[oa]s?)\b"
    r"(?:\s+(?:in|with|by|dans|avec|en|con|mit)\s+[\w. -]{2,40})?\s*[.!]?$",
    re.I,
)
"""The same in a clause of its own: "…, then document it in the README"."""

_BUILT = re.compile(r"\s+(?:that|which|who|whose|where|for|so that|to)\s+", re.I)
"""Where the title of something to be built goes on to say what it is for. "Build a bot that reminds people of meetings"
asks for a bot: what it speaks of is its purpose, and weighs like a description."""

_EXPRESSIONS = (
    (re.compile(r"\b(?:percent|dollar|euro|pound|currency|plus|minus|equals?|hash|at)[ -]signs?\b", re.I), "character"),
    (re.compile(r"^\W*as an? [\w' -]{1,60}?,? i (?:want|would like|need)(?: to)?\b", re.I), ""),
    (re.compile(r"^\W*acceptance criteria\s*:", re.I | re.M), ""),
    (re.compile(r"\bsign(?:s|ed|ing)?[ -](?:in|on|up|out)\b", re.I), "login"),
)
"""A percent sign signs nothing, and neither does who signs in. A user story asks for what its user wants, not for a
user story."""
_ISSUE = re.compile(r"(?<![\w/])(?:\w+/\w+)?#\d+\b|\bGH-\d+\b")
_CODE_FILE = re.compile(
    r"(?:[\w.@-]+/)*[\w.@-]+\.(?:py|pyi|js|jsx|mjs|cjs|ts|tsx|go|rs|rb|java|kt|kts|scala|swift|c|cc|cpp|h|hpp|cs|php|ex|exs|"
    r"erl|hs|lua|pl|pm|r|jl|sh|bash|zig|dart|clj|ml|vue|svelte)\b"
)
"""A file of a program. What it is called is not what is to be done: ``docs_tool/model.py`` asks for no writer."""
_NO_CODE = re.compile(r"^What you do not do\s*\n(?:- .*\n)*?- (?:Change|Write|Touch|Edit) code\b", re.M)
"""What the role of somebody says who leaves programs alone."""
_CODE_VERBS = words_of(
    "rework refactor implement handle optimize optimise speed support port migrate cache parse compute validate build "
    "rebuild expose extract keep harden mend repair debug develop deprecate paginate normalize serve stream store "
    "convert rewrite replace encrypt compress deduplicate"
)
"""A title that begins so asks for a program's work, unless it says otherwise."""
_FIRST_WORD = re.compile(r"\w+")
_PATH = re.compile(r"(?:[\w.@-]+/)+[\w.@*-]+|\.?[\w-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,7}\b")


def route(title: str, description: str, roster: Roster, paths: Sequence[str] = ()) -> Routing:
    """Return the specialist of *roster* for a task, with the words or paths that decided.

    *paths* are files or globs the task will write, as evidence. Without any evidence the generalist gets the task
    with confidence 0. Pure; the roster is turned into an index on its first use.
    """
    title, description = (_without_besides(text[:TEXT_LIMIT_CHARS]) for text in (title, description))
    named = dict.fromkeys(_PATH.findall(description)[:PATHS_LIMIT], BODY_WEIGHT)
    named |= dict.fromkeys(_PATH.findall(title)[:PATHS_LIMIT], TITLE_WEIGHT)
    index = _index(roster)
    thing, about = _head(_as_meant(title), _as_meant(description), index)

    evidence = _Evidence(index)
    evidence.take_words(thing, about)
    evidence.take_what_was_learned(_unnamed(title), about)
    evidence.take_named(named)
    evidence.take_owned(paths[:PATHS_LIMIT])
    decided = evidence.decided()
    if not decided.is_guess:
        return decided
    if not decided.reason:  # only what is in titles of every kind: "Fix … when …"
        return _NOBODY
    if _CODE_FILE.search(title):  # likeness to other titles is no reason to give a program's file to a role
        return evidence.decided(among=evidence.spoken_for - index.no_code)
    if decided.specialist in index.no_code - evidence.in_title and _first_word(title) in _CODE_VERBS:
        return evidence.decided(among=index.nearness.keys() - index.no_code)
    return decided


def route_in(look: Look, title: str, description: str, roster: Roster, paths: Sequence[str] = ()) -> Routing:
    """Return the specialist of *roster* for a task in a project, as :func:`route` does where words or paths decide.

    Where none does, likeness to other projects' titles is no reason in a project whose files are known: "Handle time
    zones in the report" is no tester's work. Then it is for whoever has most of the project's files, else for the
    generalist. *look* is called only then.
    """
    found = route(title, description, roster, paths)
    if not (found.confidence == 0 or found.reason.startswith(LIKENESS)):
        return found
    languages = look()
    if not languages:
        return found
    language, _ = languages[0]
    index = _index(roster)
    owners = sorted(index.owners(f"any{ending_of(language)}"), key=lambda name: (index.nearness[name], name))
    if not owners:
        return _NOBODY
    reason = f"no word or path decides; most of the project's files are {language}"
    return Routing(specialist=owners[0], confidence=BY_FILES, reason=reason)


class _Evidence:
    """What speaks for each specialist, added up kind by kind; words come before all the others."""

    def __init__(self, index: "_Index") -> None:
        self._index = index
        self._scores: defaultdict[str, float] = defaultdict(float)
        self._owned: defaultdict[str, float] = defaultdict(float)
        """Shares of the paths that the task is given to write."""
        self._reasons: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
        self.in_title: set[str] = set()
        """For whom a word of the title speaks."""
        self.spoken_for: set[str] = set()
        """The same, and those for whom a path does: for all others only likeness to other titles."""

    def take_words(self, title: str, description: str) -> None:
        """Count the roster's words and phrases; one that stands in both counts as the title's."""
        index = self._index
        in_title = _found(title, index)
        self.in_title = {name for phrase in in_title for name, _ in index.words[phrase]}
        self.spoken_for |= self.in_title
        for phrases, share in ((in_title, TITLE_WEIGHT), (_found(description, index) - in_title, BODY_WEIGHT)):
            for phrase in sorted(phrases):  # in an order of their own: the same reason every time
                for name, weight in index.words[phrase]:
                    self._count(name, weight * share, index.shown[phrase])

    def take_what_was_learned(self, title: str, description: str) -> None:
        """Count likeness to the titles of pull requests, if no word speaks for the user's or project's specialists.

        Nothing was learned of those: beside them only words are fair.
        """
        nearness = self._index.nearness
        if any(score > 0 and nearness[name] < 0 for name, score in self._scores.items()):
            return
        for name, (weight, told) in learned.evidence(title, description).items():
            if name in nearness:
                self._scores[name] += weight * LEARNED_WEIGHT
                if weight > 0 and told and not self._reasons[name]:
                    self._reasons[name].append((0.0, told))

    def take_named(self, paths: Mapping[str, float]) -> None:
        """Count paths that the text names, each with its share."""
        for path, share in paths.items():
            owners, is_hint = self._index.suggested(path, self.in_title)
            self.spoken_for.update(owners)
            for name in owners:
                weight = NAMED_PATH_WEIGHT * share * (HINT_WEIGHT if is_hint else 1.0)
                self._count(name, weight / len(owners), path)

    def take_owned(self, paths: Sequence[str]) -> None:
        """Count paths that the task is given to write."""
        for path in paths:
            owners = self._index.owners(path)
            self.spoken_for.update(owners)
            for name in owners:
                self._count(name, OWNED_PATH_WEIGHT / len(owners), path)
                self._owned[name] += 1 / len(owners)

    def _count(self, name: str, weight: float, reason: str) -> None:
        self._scores[name] += weight
        self._reasons[name].append((weight, reason))

    def decided(self, among: Collection[str] | None = None) -> Routing:
        """Return who has most of it, of those *among* whom it must be; the generalist, when nobody has enough."""
        nearness = self._index.nearness
        ranked = sorted(
            ((name, score) for name, score in self._scores.items() if among is None or name in among),
            key=lambda one: (-self._owned.get(one[0], 0.0), -one[1], nearness[one[0]], one[0]),
        )
        if not ranked or ranked[0][1] < LEAST_EVIDENCE:
            return _NOBODY
        name, best = ranked[0]
        second = max([0.0, *(score for _, score in ranked[1:])])
        by_weight = sorted(self._reasons[name], key=lambda reason: (-reason[0], reason[1]))
        strongest = list(dict.fromkeys(text for _, text in by_weight))
        return Routing(
            specialist=name,
            confidence=round(best / (best + second + DOUBT), 2),
            reason=", ".join(strongest[:4]),
            alternatives=tuple(other for other, score in ranked[1:3] if score >= best / 3),
        )


def _without_besides(text: str) -> str:
    """Return *text* without the tests and docs that every change should have."""
    return _BESIDES_MORE.sub(" with", _BESIDES.sub("", _BESIDES_SAID.sub("", text)))


def _as_meant(text: str) -> str:
    """Return *text* without names, and without expressions whose words mean something else by themselves."""
    text = _unnamed(text)
    for expression, meaning in _EXPRESSIONS:
        text = expression.sub(meaning, text)
    return text


def _head(title: str, description: str, index: "_Index") -> tuple[str, str]:
    """Return *title* without what the thing to be built is for, which stands before *description* then.

    A thing that says nothing of who builds it, such as a script, is told apart by its purpose only.
    """
    found = _BUILT.search(title)
    if found is None or _first_word(title) not in BUILD_VERBS:
        return title, description
    thing, purpose = title[: found.start()], title[found.end() :]
    return (thing, f"{purpose}\n{description}") if _found(thing, index) else (title, description)


def _unnamed(text: str) -> str:
    """Return *text* without names of programs' files and numbers of issues."""
    return _ISSUE.sub(" ", _CODE_FILE.sub(" ", text))


def _first_word(text: str) -> str:
    found = _FIRST_WORD.match(text)
    return found.group().casefold() if found else ""


class _Index:
    """A roster turned round: from a phrase to who it speaks for."""

    def __init__(self, roster: Roster) -> None:
        claims: defaultdict[Phrase, dict[str, float]] = defaultdict(dict)
        derived: defaultdict[Phrase, dict[str, float]] = defaultdict(dict)
        self.shown: dict[Phrase, str] = {}
        self.paths: list[tuple[str, str]] = []
        self.no_code = frozenset(member.name for member in roster if _NO_CODE.search(member.prompt))
        self.nearness = {member.name: -ORIGINS.index(member.origin) for member in roster}
        for member in roster:
            for entry in member.words:
                hint = entry.endswith("?")
                for phrase in spellings(entry.rstrip("?")):
                    weight = (HINT_WEIGHT if hint else 1.0) * PHRASE_WEIGHT[min(len(phrase), LONGEST_PHRASE)]
                    claims[phrase][member.name] = max(weight, claims[phrase].get(member.name, 0.0))
                    shown = self.shown.setdefault(phrase, entry.rstrip("?"))
                    if entry.isascii() and not shown.isascii():  # "model" is told in English, not as "modèle"
                        self.shown[phrase] = entry.rstrip("?")
            for word, weight in _own_words(member).items():
                derived[(word,)][member.name] = weight
                self.shown.setdefault((word,), word)
            self.paths += [(glob.casefold(), member.name) for glob in member.paths]
        self.words: dict[Phrase, list[tuple[str, float]]] = defaultdict(list)
        for kind in (claims, derived):  # apart: a hundred descriptions must not thin out what a list of words says
            for phrase, names in kind.items():
                self.words[phrase] += [(name, weight / len(names)) for name, weight in names.items()]

    def owners(self, path: str) -> list[str]:
        """Return the specialists whose most specific glob fits *path*; a glob may begin at any folder of it."""
        return _most_specific(self._fitting(path))

    def suggested(self, path: str, spoken: Collection[str]) -> tuple[list[str], bool]:
        """Return whom a *path* that a text names speaks for, and whether that is a hint only.

        The folder of a program's file says what the program is about, not what is to be done in it: a rounding error
        in ``security/rates.rs`` is nobody's attack. So the folder counts for who is *spoken* for by words too; else
        the kind of file decides, and where that is nobody's, the folder is a hint.
        """
        fits = self._fitting(path)
        if not _CODE_FILE.fullmatch(path):
            return _most_specific(fits), False
        fits = [(glob, name) for glob, name in fits if name not in self.no_code]
        by_name = [(glob, name) for glob, name in fits if not glob.endswith("/**") or name in spoken]
        return _most_specific(by_name or fits), not by_name

    def _fitting(self, path: str) -> list[tuple[str, str]]:
        plain = "/" + re.sub(r"\*+", "x", path).casefold().strip("/")
        last = plain.rpartition("/")[2]  # "README*" is the name of a file, not of a folder
        return [
            (glob, name)
            for glob, name in self.paths
            if (fnmatchcase(plain, f"*/{glob}") if "/" in glob else fnmatchcase(last, glob))
        ]


def _most_specific(fits: Sequence[tuple[str, str]]) -> list[str]:
    """Return the specialists of the longest of the globs that fit."""
    lengths = [len(glob.replace("*", "")) for glob, _ in fits]
    return list(dict.fromkeys(name for length, (_, name) in zip(lengths, fits, strict=True) if length == max(lengths)))


def _own_words(member: Specialist) -> dict[str, float]:
    """Return the words of name and description that speak for a user's or project's specialist without a word list.

    Not for a role whose tools cannot change a file: it gets a task when somebody names it, or when its file says by
    ``words`` what should come to it.
    """
    if member.origin == ORIGINS[0] or member.words or not member.can_write:
        return {}
    told = [word for word in normal_words(member.description) if word not in _NO_EVIDENCE and len(word) > 2]
    found = dict.fromkeys(list(dict.fromkeys(told))[:DESCRIPTION_WORDS_LIMIT], DESCRIPTION_WEIGHT)
    return found | dict.fromkeys((w for w in normal_words(member.name) if w not in _NO_EVIDENCE), NAME_WEIGHT)


_INDEXES: WeakKeyDictionary[Roster, _Index] = WeakKeyDictionary()
"""A cache: what is in it can always be made again from the roster."""


def _index(roster: Roster) -> _Index:
    index = _INDEXES.get(roster)
    if index is None:
        index = _INDEXES[roster] = _Index(roster)
    return index


def _found(text: str, index: _Index) -> set[Phrase]:
    """Return the roster's phrases in *text*, the longest at each place, whether words are written joined or apart."""
    found: set[Phrase] = set()
    for words in spellings(text):
        at = 0
        while at < len(words):
            for length in range(min(LONGEST_PHRASE, len(words) - at), 0, -1):
                phrase = words[at : at + length]
                if phrase in index.words:
                    found.add(phrase)
                    at += length
                    break
            else:
                at += 1
    return found


_NO_EVIDENCE = frozenset(map(normal, COMMON_WORDS | DETERMINERS | PRONOUNS | ENGLISH_VERBS | ROLE_WORDS))
"""Words of a description that say nothing of its subject: everybody fixes, writes and tests."""
