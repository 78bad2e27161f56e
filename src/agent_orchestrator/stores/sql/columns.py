"""How single values are written into columns and read back."""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from agent_orchestrator.domain.clock import from_ms, to_ms

Row = dict[str, Any]
Value = None | int | float | str | bytes


class Database(Protocol):
    """What a file of queries needs of the connection."""

    def rows(self, sql: str, parameters: "tuple[Value, ...]" = ()) -> list[Row]:
        """Run one statement and return its rows."""
        ...

    def row(self, sql: str, parameters: "tuple[Value, ...]" = ()) -> Row | None:
        """Run one statement and return its first row."""
        ...

    def change(self, sql: str, parameters: "tuple[Value, ...]" = ()) -> int:
        """Run one writing statement and return how many rows it changed."""
        ...

    def insert(self, sql: str, parameters: "tuple[Value, ...]" = ()) -> int:
        """Run one INSERT and return the new row's integer key."""
        ...

    def kept(self, values: "tuple[Value, ...]") -> "tuple[Value, ...]":
        """Return *values* as they are written, without the secrets that were in them."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Make everything inside one change; nested uses join the outermost."""
        ...

    def many(self, sql: str, parameters: "Iterable[tuple[Value, ...]]") -> None:
        """Run one writing statement for each row of parameters."""
        ...


def moment(value: datetime | None) -> int | None:
    """Return a time as stored milliseconds."""
    return None if value is None else to_ms(value)


def time_of(value: int | None) -> datetime | None:
    """Return stored milliseconds as a time."""
    return None if value is None else from_ms(value)


def texts(value: Iterable[str]) -> str:
    """Return a list of texts as JSON."""
    return json.dumps(list(value), ensure_ascii=False)


def texts_of(value: str) -> tuple[str, ...]:
    """Return a JSON list of texts; the empty list, the common case, without parsing."""
    return () if value == "[]" else tuple(json.loads(value))


def assignments(columns: Iterable[str]) -> str:
    """Return ``a = ?, b = ?`` for an UPDATE of *columns*."""
    return ", ".join(f'"{column}" = ?' for column in columns)


def insertion(table: str, columns: Iterable[str]) -> str:
    """Return the INSERT statement for *columns* of *table*."""
    names = [f'"{column}"' for column in columns]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def like_prefix(text: str) -> tuple[str, str]:
    """Return the range of texts that start with *text*, for ``>= ?`` and ``< ?``: uses an index, unlike LIKE."""
    return text, text + "\U0010ffff"


def placeholders(values: Iterable[object]) -> str:
    """Return ``?, ?, ?`` for an IN list."""
    return ", ".join("?" for _ in values)


def written(row: Mapping[str, Value]) -> tuple[Value, ...]:
    """Return the row's values in its own order."""
    return tuple(row.values())
