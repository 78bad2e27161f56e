"""The texts of a plan: how long each may be, and how they are cleaned and shortened."""

import re
from collections.abc import Iterable

TITLE_LIMIT = 80
"""Characters of a title, as all limits here but ITEMS_LIMIT are in characters."""
DESCRIPTION_LIMIT = 64_000
LINE_LIMIT = 500
"""Of one line of acceptance, scope, assumption or question."""
ITEMS_LIMIT = 20
"""Lines of acceptance, of a scope, of assumptions."""
VERIFY_LIMIT = 2_000
ANSWER_LIMIT = 4_000

_UNSEEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def short_title(text: str, limit: int = TITLE_LIMIT) -> str:
    """Return the first sentence of *text*, white space folded, cut at a word to at most *limit* characters."""
    words = " ".join(text.split())
    if len(words) <= limit:
        return words
    sentence = re.split(r"(?<=[.;:!?。；])\s+|(?<=[。；])", words, maxsplit=1)[0].rstrip(".;:。；")
    if len(sentence) <= limit:
        return sentence
    head = sentence[: limit - 1]
    return (head[: head.rfind(" ")] if " " in head[limit // 2 :] else head).rstrip(" ,;:(-") + "…"


def visible(text: str) -> str:
    """Return *text* without control characters, escape sequences and invisible marks; tab and newline stay."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n"))


def lines(texts: Iterable[str]) -> tuple[str, ...]:
    """Return *texts* as bounded lines, without empty and repeated ones, ITEMS_LIMIT at most."""
    cleaned = (line(text) for text in texts)
    return tuple(dict.fromkeys(text for text in cleaned if text))[:ITEMS_LIMIT]


def line(text: str) -> str:
    """Return *text* as one bounded line, white space folded."""
    return " ".join(visible(text).split())[:LINE_LIMIT]
