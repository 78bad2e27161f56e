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

SENTENCE_WORDS = 3
"""A first sentence of fewer words, such as "Hi." or "Urgent!", does not name the work."""
LABEL_WORDS = 4
"""Words before a colon from which they name the work: "Add a --retry option" does, "Fix the crash" could be any."""

_SENTENCE_END = re.compile(r"(?<=[.;:!?])\s+|(?<=[。；：])\s*")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_UNSEEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def short_title(text: str, limit: int = TITLE_LIMIT) -> str:
    """Return *text* in one line of at most *limit* characters: its first sentence, else cut at a word.

    What stands before a colon is taken for the whole only when it says what is to be done: "Sessions" does not.
    """
    words = " ".join(text.split())
    if len(words) <= limit:
        return words
    for end in _SENTENCE_END.finditer(words):
        sentence = words[: end.start()].rstrip(".;:。；")
        if len(sentence) > limit:
            break
        enough = LABEL_WORDS if words[end.start() - 1] in ":：" else SENTENCE_WORDS
        if len(sentence.split()) >= enough or len(_WIDE.findall(sentence)) >= 2 * enough:
            return sentence
    head = words[: limit - 1]
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
