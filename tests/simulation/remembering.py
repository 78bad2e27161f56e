"""A store that remembers what it has answered, for as long as nothing it read was written.

A supervisor asks the same few questions at each turn of its loop, and in most turns nothing has changed. In a world of
one process and one connection every write is seen here, so an answer may be given again until one of its tables is
written, or a transaction is taken back. That it changes nothing is proven by histories that are lived without it: a
history's digest, and all that happened in it, are the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from agent_orchestrator.stores.sqlite import Connections, SqliteStore

READS = {
    "goals": ("asking", "find", "get", "list"),
    "tasks": ("counts", "edges", "find", "get", "in_states", "needed_by", "needs", "next_due", "of_goal", "providers"),
    "attempts": ("get", "of_task", "open", "spent"),
    "agents": ("get", "list"),
    "holds": ("list", "pace", "paces"),
    "budgets": ("get", "of_each_task"),
    "leadership": ("get",),
    "replans": ("depth", "due", "of_task", "parents", "unasked", "waiting"),
}
"""Of each noun the methods whose answers are immutable values, or lists, sets and mappings of those."""
COUNTS = "task_counts"
"""What triggers write, with each task that is added or whose state is set."""

_SETS_STATE = re.compile(r"INSERT INTO tasks\b|UPDATE tasks\b.*?\bSET\b(?:(?!\bWHERE\b).)*\bstate\b", re.I | re.S)
_READ = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.I)
_WRITTEN = re.compile(r"\b(?:INTO|UPDATE|DELETE FROM)\s+(\w+)", re.I)


class Remembering:
    """Watches the writes of one store, and answers its reads."""

    def __init__(self, store: SqliteStore) -> None:
        self._written: Counter[str] = Counter()
        """Of each table, how often it was written."""
        self._taken_back = 0
        self._reading: list[set[str]] = []
        """For each read that goes on, the tables that it has read."""
        self._tables: dict[str, tuple[bool, frozenset[str]]] = {}
        """Of each statement whether it writes, and which tables."""
        self._watch(store._connections)
        store.transaction = self._transaction(store.transaction)  # type: ignore[method-assign,assignment]
        for noun, names in READS.items():
            for name in names:
                rows = getattr(store, noun)
                setattr(rows, name, self._remembered(getattr(rows, name)))

    def stamp(self, tables: Sequence[str]) -> tuple[int, ...]:
        """Return what differs once any of *tables* may hold something else."""
        return (self._taken_back, *(self._written[table] for table in tables))

    def _watch(self, connections: Connections) -> None:
        def watched(run: Callable[..., Any]) -> Callable[..., Any]:
            def ran(sql: str, *parameters: Any) -> Any:
                writes, tables = self._known(sql)
                if not writes:
                    for reading in self._reading:
                        reading |= tables
                    return run(sql, *parameters)
                connection = connections._connection()
                before = connection.total_changes()
                answer = run(sql, *parameters)
                if connection.total_changes() != before:
                    self._written.update(tables)
                return answer

            return ran

        for name in ("rows", "change", "insert", "many"):
            setattr(connections, name, watched(getattr(connections, name)))

    def _known(self, sql: str) -> tuple[bool, frozenset[str]]:
        """Return whether a statement writes, and which tables it writes or else reads."""
        known = self._tables.get(sql)
        if known is None:
            writes = not sql.lstrip().upper().startswith("SELECT")
            tables = set((_WRITTEN if writes else _READ).findall(sql))
            assert tables, f"which tables? {sql}"
            if writes and _SETS_STATE.search(sql):
                tables.add(COUNTS)
            known = self._tables[sql] = writes, frozenset(tables)
        return known

    def _transaction(self, transaction: Any) -> Any:
        """Return *transaction* such that nothing that was read in one is believed once it was taken back."""

        @contextmanager
        def watched() -> Iterator[None]:
            try:
                with transaction():
                    yield
            except BaseException:
                self._taken_back += 1
                raise

        return watched

    def _remembered(self, read: Callable[..., Any]) -> Callable[..., Any]:
        answers: dict[Hashable, tuple[tuple[str, ...], tuple[int, ...], Any]] = {}

        def answered(*arguments: Any, **more: Any) -> Any:
            if not all(_is_plain(one) for one in (*arguments, *more.values())):
                return read(*arguments, **more)
            key = (arguments, *more.items())
            known = answers.get(key)
            if known is not None and known[1] == self.stamp(known[0]):
                for reading in self._reading:
                    reading.update(known[0])
                return _own(known[2])
            read_now: set[str] = set()
            self._reading.append(read_now)
            try:
                found = read(*arguments, **more)
            finally:
                self._reading.pop()
            tables = tuple(sorted(read_now))
            answers[key] = tables, self.stamp(tables), found
            return _own(found)

        return answered


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | tuple | frozenset | datetime)


def _own(answer: Any) -> Any:
    """Return an answer that its caller may change."""
    return answer.copy() if isinstance(answer, list | dict | set) else answer
