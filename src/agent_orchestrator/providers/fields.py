"""Read fields of JSON that somebody else printed: every reader says what it wants and gets that or nothing.

What an agent prints may be broken, huge, nested nonsense, or of a type that changed between releases. None of it may
raise, because one bad line must not stop the reading of an attempt.
"""

import json
import math
from collections.abc import Iterable

LINE_LIMIT = 8 * 1024 * 1024
"""Characters of a line that are still parsed. The tailer caps lines below this; a longer one is not the CLI's own."""
SAID_LIMIT = 20_000
"""Characters kept of what an agent said; the transcript on disk has all of it."""
DETAIL_LIMIT = 300
"""Characters kept of a command or a path that is shown in one line."""


def parse(line: str) -> dict[str, object]:
    """Return the JSON object in *line*; empty when there is none."""
    if len(line) > LINE_LIMIT or not line.lstrip().startswith("{"):
        return {}
    try:
        value = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {}
    return mapping(value)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def mapping(value: object) -> dict[str, object]:
    """Return *value* if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[object]:
    """Return *value* if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object, limit: int = SAID_LIMIT) -> str:
    """Return *value* if it is a string, cut to *limit* characters. Lone surrogates become ?: nothing can store them."""
    if not isinstance(value, str):
        return ""
    return value[:limit].encode("utf-8", "replace").decode()


def one_line(value: object) -> str:
    """Return the string *value* as one short line for display."""
    return " ".join(text(value).split())[:DETAIL_LIMIT]


def first_line(value: object, names: Iterable[str]) -> str:
    """Return as one short line the first of *names* that the JSON object *value* has some text for; empty without one.

    Of a tool's input it is the one field that a person wants to see.
    """
    given = mapping(value)
    return next((shown for name in names if (shown := one_line(given.get(name)))), "")


def number(value: object) -> float:
    """Return *value* if it is a finite number of zero or more, else 0. (NaN would pass every budget.)"""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        as_float = float(value)
    except OverflowError:
        return 0.0
    return as_float if math.isfinite(as_float) and as_float >= 0 else 0.0


def count(value: object) -> int:
    """Return *value* as a whole number of zero or more that a database can hold, else 0."""
    as_float = number(value)
    return int(as_float) if as_float < 2**62 else 0
