"""Which specialist a task goes to, and why.

Whole words and phrases of the roster are looked up in the task's title and
description, never parts of words: "build" does not say "ui", nor "html" "ml".
Paths that the task will write beat words. The confidence is the margin by which
the first specialist leads; a low one is shown as a guess.

A specialist of the user's or the project's that names no words of its own is
found by its name and description, which say less; see :func:`_own_words`.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from weakref import WeakKeyDictionary

from agent_orchestrator.domain.plan import Routing
from agent_orchestrator.domain.specialist import GENERALIST, Specialist
from agent_orchestrator.planning.roster import ORIGINS, Roster
from agent_orchestrator.planning.vocabulary import COMMON_WORDS, DETERMINERS, ENGLISH_VERBS, PRONOUNS, ROLE_WORDS

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

DOUBT = 1.0
"""Evidence that every decision is measured against: one plain word without rival is confidence 0.5."""

LONGEST_PHRASE = 3

TEXT_LIMIT_CHARS = 6_000
"""Read of a description; what a task is about stands at its beginning."""

_RAW_WORD = re.compile(r"[^\W_]+")
_CAMEL_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_HAS_CAMEL = re.compile(r"[a-z][A-Z]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_PATH = re.compile(r"(?:[\w.@-]+/)+[\w.@*-]+|\.?[\w-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,7}\b")

_Phrase = tuple[str, ...]


def route(title: str, description: str, roster: Roster, paths: Sequence[str] = ()) -> Routing:
    """Return the specialist of *roster* for a task, with the words or paths that decided.

    *paths* are files or globs the task will write, as evidence. Without any evidence the generalist gets the task
    with confidence 0. Pure; the roster is turned into an index on its first use.
    """
    index = _index(roster)
    scores: defaultdict[str, float] = defaultdict(float)
    owned: defaultdict[str, float] = defaultdict(float)
    reasons: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)

    def count(name: str, weight: float, evidence: str) -> None:
        scores[name] += weight
        reasons[name].append((weight, evidence))

    title, description = title[:TEXT_LIMIT_CHARS], description[:TEXT_LIMIT_CHARS]
    in_title = _found(title, index)
    for phrase in in_title:
        for name, weight in index.words[phrase]:
            count(name, weight * TITLE_WEIGHT, index.shown[phrase])
    for phrase in _found(description, index) - in_title:
        for name, weight in index.words[phrase]:
            count(name, weight * BODY_WEIGHT, index.shown[phrase])
    named = dict.fromkeys(_PATH.findall(f"{title}\n{description}")[:20])
    for path in named:
        owners = index.owners(path)
        for name in owners:
            count(name, NAMED_PATH_WEIGHT / len(owners), path)
    for path in paths[:20]:
        owners = index.owners(path)
        for name in owners:
            count(name, OWNED_PATH_WEIGHT / len(owners), path)
            owned[name] += 1 / len(owners)
    ranked = sorted(
        scores.items(), key=lambda item: (-owned.get(item[0], 0.0), -item[1], index.nearness[item[0]], item[0])
    )
    return _decided(ranked, reasons)


def _decided(ranked: list[tuple[str, float]], reasons: dict[str, list[tuple[float, str]]]) -> Routing:
    if not ranked:
        return Routing(specialist=GENERALIST, confidence=0.0, reason="no word or path speaks for a specialist")
    name, best = ranked[0]
    second = max((score for _, score in ranked[1:]), default=0.0)
    strongest = dict.fromkeys(text for _, text in sorted(reasons[name], key=lambda item: -item[0]))
    return Routing(
        specialist=name,
        confidence=round(best / (best + second + DOUBT), 2),
        reason=", ".join(list(strongest)[:4]),
        alternatives=tuple(other for other, score in ranked[1:3] if score >= best / 3),
    )


class _Index:
    """A roster turned round: from a phrase to who it speaks for."""

    def __init__(self, roster: Roster) -> None:
        claims: defaultdict[_Phrase, dict[str, float]] = defaultdict(dict)
        derived: defaultdict[_Phrase, dict[str, float]] = defaultdict(dict)
        self.shown: dict[_Phrase, str] = {}
        self.paths: list[tuple[str, str]] = []
        self.nearness = {member.name: -ORIGINS.index(member.origin) for member in roster}
        for member in roster:
            for entry in member.words:
                hint = entry.endswith("?")
                for phrase in _spellings(entry.rstrip("?")):
                    weight = (HINT_WEIGHT if hint else 1.0) * PHRASE_WEIGHT[min(len(phrase), LONGEST_PHRASE)]
                    claims[phrase][member.name] = max(weight, claims[phrase].get(member.name, 0.0))
                    self.shown.setdefault(phrase, entry.rstrip("?"))
            for word, weight in _own_words(member).items():
                derived[(word,)][member.name] = weight
                self.shown.setdefault((word,), word)
            self.paths += [(glob.casefold(), member.name) for glob in member.paths]
        self.words: dict[_Phrase, list[tuple[str, float]]] = defaultdict(list)
        for kind in (claims, derived):  # apart: a hundred descriptions must not thin out what a list of words says
            for phrase, names in kind.items():
                self.words[phrase] += [(name, weight / len(names)) for name, weight in names.items()]

    def owners(self, path: str) -> list[str]:
        """Return the specialists whose most specific glob fits *path*; a glob may begin at any folder of it."""
        plain = "/" + re.sub(r"\*+", "x", path).casefold().strip("/")
        fits = [(len(glob.replace("*", "")), name) for glob, name in self.paths if fnmatchcase(plain, f"*/{glob}")]
        longest = max((length for length, _ in fits), default=0)
        return list(dict.fromkeys(name for length, name in fits if length == longest))


def _own_words(member: Specialist) -> dict[str, float]:
    """Return the words of name and description that speak for a user's or project's specialist without a word list.

    Not for a role whose tools cannot change a file: it gets a task when somebody names it, or when its file says by
    ``words`` what should come to it.
    """
    if member.origin == ORIGINS[0] or member.words or not member.can_write:
        return {}
    told = [word for word in _normal(member.description) if word not in _NO_EVIDENCE and len(word) > 2]
    found = dict.fromkeys(list(dict.fromkeys(told))[:DESCRIPTION_WORDS_LIMIT], DESCRIPTION_WEIGHT)
    return found | dict.fromkeys((w for w in _normal(member.name) if w not in _NO_EVIDENCE), NAME_WEIGHT)


def _normal(text: str) -> list[str]:
    return [word for raw in _RAW_WORD.findall(text) for word in _normal_words(raw)]


_INDEXES: WeakKeyDictionary[Roster, _Index] = WeakKeyDictionary()
"""A cache: what is in it can always be made again from the roster."""


def _index(roster: Roster) -> _Index:
    index = _INDEXES.get(roster)
    if index is None:
        index = _INDEXES[roster] = _Index(roster)
    return index


def _found(text: str, index: _Index) -> set[_Phrase]:
    """Return the roster's phrases in *text*, the longest at each place, whether words are written joined or apart."""
    found: set[_Phrase] = set()
    for words in _spellings(text):
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


def _spellings(text: str) -> set[_Phrase]:
    """Return the normal words of *text*: once as written, and once with ``camelCase`` taken apart."""
    raw = [word for word in _RAW_WORD.findall(text) if word]
    joined = tuple(normal for word in raw for normal in _normal_words(word))
    if not any(_HAS_CAMEL.search(word) for word in raw):
        return {joined}
    apart = [part for word in raw for part in (_CAMEL_PARTS.findall(word) if _HAS_CAMEL.search(word) else [word])]
    return {joined, tuple(normal for word in apart for normal in _normal_words(word))}


def _normal_words(word: str) -> Iterator[str]:
    if word.isascii():
        yield normal(word.lower())
        return
    at = 0
    for run in _CJK.finditer(word):  # no spaces between words there: every pair of characters may be one
        if run.start() > at:
            yield normal(_folded(word[at : run.start()]))
        characters = run.group()
        yield from (characters[i : i + 2] for i in range(max(1, len(characters) - 1)))
        at = run.end()
    if at < len(word):
        yield normal(_folded(word[at:]))


def _folded(word: str) -> str:
    """Return *word* in small letters without accents."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in parts if not unicodedata.combining(character))


@lru_cache(maxsize=8192)
def normal(word: str) -> str:
    """Return one form for a small-letter English word's singular and plural, ``-ing`` and ``-ed``.

    It need not be a word, only the same for both: "caching", "cached" and "caches" all become "cach".
    """
    if len(word) < 4 or not word.isalpha():
        return word
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            stem = word[: -len(ending)]
            if len(stem) >= 3 and re.search(r"[aeiouy]", stem):
                word = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
                break
    if word.endswith("i"):  # policies, policy
        word = word[:-1] + "y"
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


_NO_EVIDENCE = frozenset(map(normal, COMMON_WORDS | DETERMINERS | PRONOUNS | ENGLISH_VERBS | ROLE_WORDS))
"""Words of a description that say nothing of its subject: everybody fixes, writes and tests."""
