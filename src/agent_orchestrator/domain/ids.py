"""The names of things: short, typeable, and safe in a path, a branch name and a command line.

An id is one letter that says what it names and a few characters of an alphabet without look-alikes. Ids are drawn at
random, so two machines may draw at the same time; whoever adds rows asks the store whether an id is taken, and then
draws again.
"""

import re
from typing import NewType

GoalId = NewType("GoalId", str)
TaskId = NewType("TaskId", str)
AttemptId = NewType("AttemptId", str)
AgentId = NewType("AgentId", str)
Token = NewType("Token", int)
"""A fencing token: drawn once per claim from one increasing sequence, carried by every later write of that claim."""

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""No 0/o, 1/l/i: an id read from a screen and typed must not be another id."""

_LENGTH = 6
"""31^6 is about 9e8 ids. Short enough to type; among 100,000 a handful of repeats is expected, and drawn again."""

SLUG_LIMIT = 48
"""Characters of a slug: readable in a branch name beside a goal's id."""
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Latin letters that are no letter with an accent."""


def _draw(letter: str, length: int = _LENGTH) -> str:
    import secrets  # brings hashlib and OpenSSL along: a tenth of a command that only looks

    return letter + "".join(secrets.choice(ALPHABET) for _ in range(length))


def new_goal_id() -> GoalId:
    """Draw an id for a goal, such as ``g7kq2mx``."""
    return GoalId(_draw("g"))


def new_task_id() -> TaskId:
    """Draw an id for a task, such as ``t4hw9ab``."""
    return TaskId(_draw("t"))


def new_agent_id(kind: str) -> AgentId:
    """Draw an id for one life of an agent, such as ``claude-x8f2``. A restarted agent gets another."""
    return AgentId(f"{slug(kind) or 'agent'}-{_draw('', 5)}")


def attempt_id(task: TaskId, number: int) -> AttemptId:
    """Return the id of the *number*-th attempt at *task*, such as ``t4hw9ab.2``. Numbers start at 1."""
    return AttemptId(f"{task}.{number}")


def words_of(text: str) -> list[str]:
    """Return the words of *text* as a slug would have them, in their order."""
    return [word for word in _NOT_SLUG.split(_unaccented(text)) if word]


def slug(text: str) -> str:
    """Reduce *text* to ``[a-z0-9-]``, at most 48 characters, cut at a word. Empty when no Latin letter is in it.

    Accents are dropped, so that a German or a Spanish title keeps its words.
    """
    words = _NOT_SLUG.sub("-", _unaccented(text)).strip("-")
    if len(words) <= SLUG_LIMIT:
        return words
    head = words[: SLUG_LIMIT + 1]
    return head[: head.rfind("-")] if "-" in head else head[:SLUG_LIMIT]


def _unaccented(text: str) -> str:
    """Return *text* in small letters without accents."""
    if text.isascii():
        return text.lower()
    import unicodedata

    parts = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))
