"""Words of a text in the one form in which routing compares them: small letters, no endings, no accents."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_RAW_WORD = re.compile(r"[^\W_]+")
_CAMEL_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_HAS_CAMEL = re.compile(r"[a-z][A-Z]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")

_APART = {
    "theme": "theme",
    "themes": "theme",
    "cors": "cors",
    "stripe": "stripe",
    "packaging": "packaging",
    "wording": "wording",
}
"""Words that without their ending would be another word: "them", "core", "strip", "package", "word"."""

Phrase = tuple[str, ...]
"""Normal words that stand side by side."""


def normal_words(text: str) -> list[str]:
    """Return the normal form of every word of *text*, in order."""
    return [word for raw in _RAW_WORD.findall(text) for word in _normal_forms(raw)]


def spellings(text: str) -> set[Phrase]:
    """Return the normal words of *text*: once as written, and once with ``camelCase`` taken apart."""
    raw = [word for word in _RAW_WORD.findall(text) if word]
    joined = tuple(normal for word in raw for normal in _normal_forms(word))
    if not any(_HAS_CAMEL.search(word) for word in raw):
        return {joined}
    apart = [part for word in raw for part in (_CAMEL_PARTS.findall(word) if _HAS_CAMEL.search(word) else [word])]
    return {joined, tuple(normal for word in apart for normal in _normal_forms(word))}


def _normal_forms(word: str) -> Iterator[str]:
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
    if word in _APART:
        return _APART[word]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            stem = word[: -len(ending)]
            if len(stem) >= 3 and re.search(r"[aeiouy]", stem):
                word = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
                break
    if word.endswith("i"):  # policies, policy
        word = word[:-1] + "y"
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
