"""The append-only log."""

import json
from collections.abc import Sequence

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.event import Event
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.stores.sql.columns import Database, Row


def _event(row: Row) -> Event:
    return Event(**{**row, "at": from_ms(row["at"]), "data": json.loads(row["data"])})


class Events:
    """The rows of table ``events``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def append(self, event: Event) -> int:
        """Write one event; return its position."""
        return self._db.insert(
            "INSERT INTO events (at, type, goal, task, attempt, agent, token, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                to_ms(event.at),
                event.type,
                event.goal,
                event.task,
                event.attempt,
                event.agent,
                event.token,
                json.dumps(dict(event.data), ensure_ascii=False) if event.data else "{}",
            ),
        )

    def after(
        self,
        seq: int = 0,
        *,
        goal: GoalId | None = None,
        task: TaskId | None = None,
        types: Sequence[str] = (),
        limit: int = 500,
    ) -> list[Event]:
        """Return events after position *seq*, oldest first; only of *types*, or of the kinds before their dot."""
        where, values = _narrowed(goal, task, types)
        rows = self._db.rows(f"SELECT * FROM events WHERE seq > ?{where} ORDER BY seq LIMIT ?", (seq, *values, limit))
        return [_event(row) for row in rows]

    def last(
        self, count: int, *, goal: GoalId | None = None, task: TaskId | None = None, types: Sequence[str] = ()
    ) -> list[Event]:
        """Return the last *count* events, oldest first."""
        where, values = _narrowed(goal, task, types)
        rows = self._db.rows(f"SELECT * FROM events WHERE 1{where} ORDER BY seq DESC LIMIT ?", (*values, count))
        return [_event(row) for row in reversed(rows)]


def _narrowed(goal: GoalId | None, task: TaskId | None, types: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    where, values = "", []
    for column, value in (("goal", goal), ("task", task)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(str(value))
    if types:
        where += " AND (" + " OR ".join(["type = ? OR substr(type, 1, length(?) + 1) = ? || '.'"] * len(types)) + ")"
        values += [value for one in types for value in (one, one, one)]
    return where, tuple(values)
