"""What words of a task's title and description say of its specialist, learned from titles whose work is known.

``weights.json`` holds whole numbers made by ``benchmarks/routing_weights.py``:
for each word or pair of words, what it adds to each specialist, in sixteenths.
It is the linear part of a logistic regression; no title is in it.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import pairwise

from agent_orchestrator.planning.vocabulary import (
    BUILD_VERBS,
    COMMON_WORDS,
    DETERMINERS,
    ENGLISH_VERBS,
    NOUN_LIKE_VERBS,
    PRONOUNS,
    words_of,
)
from agent_orchestrator.planning.words import normal, normal_words

UNIT = 16
"""Weights are stored as whole numbers of one UNIT-th: finer ones route no better, and take more room."""

BODY_SHARE = 0.35
"""How much a word of the description counts beside one of the title, as in routing."""

LEAST_TELLING = 0.25
"""Share of what speaks for a specialist that words must have which name something, for it to be told and to decide."""

WORDS_LIMIT = 200
"""Words of a text that are looked at."""

LIKENESS = ("like other work with", "unlike the others' work")
"""How a reason begins that is of this module's making."""

_ASKS = re.compile(r"(?:build|create|write|develop|make|implement|design)\s+(?:me\s+)?(?:an?|the|our|my|some)\s", re.I)
"""How people ask for a thing. Titles of pull requests seldom begin so; there "build" is about builds, and "create"
about plans. Of a title that does, only words that name something are looked up."""
_EMPTY = frozenset(
    map(normal, COMMON_WORDS | DETERMINERS | PRONOUNS | BUILD_VERBS | words_of("me my in on of to by at an or as is"))
)

_ANYBODYS = (
    _EMPTY
    | frozenset(
        map(
            normal,
            (ENGLISH_VERBS - NOUN_LIKE_VERBS)
            | words_of("when if so not no only also is are be was has have do does up out it its"),
        )
    )
    | words_of(
        "de la el los las un una en con para por del al que se su le les des du une et est dans sur pour avec der die "
        "das den dem ein eine mit und von im am ist fur zu do na si o os da dos em com w z"
    )
)
"""Words that are in titles of every kind of work, and those in every sentence of other languages. Beside others they
tell; alone they do not."""

Features = Mapping[str, float]


def features(title: str, description: str) -> Features:
    """Return the words and the pairs of neighbouring words of a task, each with its weight before scaling."""
    found = dict.fromkeys(_grams(description), BODY_SHARE)
    return found | dict.fromkeys(_grams(title), 1.0)


def evidence(title: str, description: str) -> dict[str, tuple[float, str]]:
    """Return for each specialist how much speaks for it (against it when below 0), and the words that say most.

    What speaks for one speaks against the others. Nobody has evidence from how one asks alone, and no words are told
    where only anybody's speak for a specialist ("Fix … when …"): that is no reason to choose it. Empty when nothing of
    the task is known.
    """
    roles, weights = _weights()
    found = features(title, description)
    if _ASKS.match(title):
        found = {gram: share for gram, share in found.items() if not _EMPTY.issuperset(gram.split())}
    known = {gram: share for gram, share in found.items() if gram in weights}
    if not known:
        return {}
    scale = UNIT * math.sqrt(sum(share * share for share in known.values()))
    parts: list[list[tuple[float, str]]] = [[] for _ in roles]
    for gram, share in known.items():
        for at, weight in weights[gram].items():
            parts[at].append((share * weight / scale, gram))
    sums = [sum(weight for weight, _ in found) for found in parts]
    mean = sum(sums) / len(sums)
    as_written = {normal(word.lower()): word.lower() for word in re.findall(r"[^\W_]+", f"{description} {title}")}
    return {
        role: (
            sums[at] - mean if _says_what(parts[at]) else min(0.0, sums[at] - mean),
            _told(parts[at], as_written),
        )
        for at, role in enumerate(roles)
    }


def _says_what(parts: list[tuple[float, str]]) -> bool:
    """Say whether a word that names something speaks for a role, and not only how one asks: "create", "for"."""
    return any(weight > 0 and not _EMPTY.issuperset(gram.split()) for weight, gram in parts)


def _told(parts: list[tuple[float, str]], as_written: Mapping[str, str]) -> str:
    """Say what speaks for a role in the text's own words; nothing when it is only in words of every kind of work."""
    speaks = [(weight, gram) for weight, gram in sorted(parts, reverse=True) if weight > 0]
    if not speaks:
        return LIKENESS[1]
    telling = [(weight, gram) for weight, gram in speaks if not _ANYBODYS.issuperset(gram.split())]
    if sum(weight for weight, _ in telling) < LEAST_TELLING * sum(weight for weight, _ in speaks):
        return ""
    shown = [" ".join(as_written.get(word, word) for word in gram.split()) for _, gram in telling]
    return f"{LIKENESS[0]} {' and '.join(shown[:2])}"


def _grams(text: str) -> list[str]:
    words = [word for word in normal_words(text) if len(word) > 1 and not word.isdigit()][:WORDS_LIMIT]
    return list(dict.fromkeys([*words, *(f"{first} {second}" for first, second in pairwise(words))]))


@cache
def _weights() -> tuple[tuple[str, ...], dict[str, dict[int, int]]]:
    """Return the specialists and, for each word, the weight by a specialist's place; read on first use."""
    file = resources.files("agent_orchestrator.planning") / "weights.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    weights = {
        gram: {int(at): int(weight) for at, _, weight in (pair.partition(":") for pair in row.split())}
        for gram, row in stored["words"].items()
    }
    return tuple(stored["roles"]), weights
