"""What a task's text says itself, and what it quotes below so that it can be understood alone.

A quote is the goal, or the task that this one is a part of. Who reads a text for what is to be done (to divide it, to
join it with another) reads what it says itself: the quote is somebody else's work.
"""

import re
from collections.abc import Iterable

OF_GOAL = "This is one part of the following goal; do only this part."
OF_TASK = "This is one part of the following; do only this part."
OF_SEVERAL = "These are parts of the following; do only these parts."
THE_GOAL = "The goal:"
DECIDED = "The user decided:"
TAKEN = "Taken for granted, for nobody was asked:"

_QUOTE = re.compile(
    r"(?:^|\n\n)(?=(?:This is (?:one part|part \d+ of \d+)|These are parts) of the following\b[^\n]*\n"
    rf"|{DECIDED}\n|{TAKEN}\n|(?<=is not covered\.\n\n){THE_GOAL}\n)"
)


def of_failed(at: int, count: int) -> str:
    """Return the line above what a failed task said, for part *at* of *count*."""
    return f"This is part {at} of {count} of the following task, which failed as a whole; do only this part."


def own_text(description: str) -> str:
    """Return what *description* says itself, without the quote below it."""
    return halves(description)[0]


def halves(description: str) -> tuple[str, str]:
    """Return what *description* says itself, and what it quotes below; the second is empty when it quotes nothing."""
    found = _QUOTE.search(description)
    if found is None:
        return description, ""
    return description[: found.start()].rstrip(), description[found.end() :].strip()


def joined(tasks: Iterable[tuple[str, str]]) -> str:
    """Return one description of several tasks, each given as title and description; what they all quote comes once."""
    said: list[str] = []
    quotes: dict[str, list[str]] = {}
    for title, description in tasks:
        own, quote = halves(description)
        said.append(_said(title, own.strip()))
        first, _, rest = quote.partition("\n")
        if quote:
            quotes.setdefault(rest, []).append(first)
    below = [f"{OF_SEVERAL if len(firsts) > 1 else firsts[0]}\n{rest}" for rest, firsts in quotes.items()]
    return "\n\n".join(dict.fromkeys([*said, *below]))


def _said(title: str, own: str) -> str:
    """Return title and text as one, without saying twice what both say."""
    short, long = (text.rstrip(" .…").casefold() for text in (title, own))
    if short.endswith(long):
        return title
    return own if long.startswith(short) else f"{title}\n{own}"
