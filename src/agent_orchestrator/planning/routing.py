"""Which specialist a task goes to, and why.

Whole words and phrases of the roster are looked up in the task's title and
description, never parts of words: "build" does not say "ui", nor "html" "ml".
Paths, where there are any, beat words. The confidence is the margin by which
the first specialist leads; a low one is shown as a guess.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from weakref import WeakKeyDictionary

from agent_orchestrator.domain.plan import Routing
from agent_orchestrator.domain.specialist import GENERALIST
from agent_orchestrator.planning.roster import Roster

TITLE_WEIGHT = 1.0
BODY_WEIGHT = 0.35
"""A description speaks of much beside the task. On 329 labelled titles 0.1 to 0.7 did alike, within a point."""

HINT_WEIGHT = 0.4
"""Weight of a roster word that ends in ``?``: it points to a specialist, but other things too."""

PHRASE_WEIGHT = (1.0, 1.0, 1.7, 2.2)
"""By number of words: a phrase of two says more than a word. Index 0 is not used."""

OWNED_PATH_WEIGHT = 4.0
"""A path the task is given to write beats any few words."""

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
    for path, weight in [(p, NAMED_PATH_WEIGHT) for p in named] + [(p, OWNED_PATH_WEIGHT) for p in paths[:20]]:
        owners = index.owners(path)
        for name in owners:
            count(name, weight / len(owners), path)
    return _decided(scores, reasons)


def _decided(scores: dict[str, float], reasons: dict[str, list[tuple[float, str]]]) -> Routing:
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    if not ranked:
        return Routing(specialist=GENERALIST, confidence=0.0, reason="no word or path speaks for a specialist")
    name, best = ranked[0]
    second = ranked[1][1] if len(ranked) > 1 else 0.0
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
        self.shown: dict[_Phrase, str] = {}
        self.paths: list[tuple[str, str]] = []
        for member in roster:
            for entry in member.words:
                hint = entry.endswith("?")
                for phrase in _spellings(entry.rstrip("?")):
                    weight = (HINT_WEIGHT if hint else 1.0) * PHRASE_WEIGHT[min(len(phrase), LONGEST_PHRASE)]
                    claims[phrase][member.name] = max(weight, claims[phrase].get(member.name, 0.0))
                    self.shown.setdefault(phrase, entry.rstrip("?"))
            self.paths += [(glob.casefold(), member.name) for glob in member.paths]
        self.words = {
            phrase: [(name, weight / len(names)) for name, weight in names.items()] for phrase, names in claims.items()
        }

    def owners(self, path: str) -> list[str]:
        """Return the specialists whose most specific glob fits *path*; a glob may begin at any folder of it."""
        plain = "/" + re.sub(r"\*+", "x", path).casefold().strip("/")
        fits = [(len(glob.replace("*", "")), name) for glob, name in self.paths if fnmatchcase(plain, f"*/{glob}")]
        longest = max((length for length, _ in fits), default=0)
        return list(dict.fromkeys(name for length, name in fits if length == longest))


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
