"""Tasks, their dependencies, and the queue."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent_orchestrator.domain.errors import NotFound, StaleLease
from agent_orchestrator.domain.ids import AgentId, GoalId, TaskId, Token
from agent_orchestrator.domain.task import Size, Task, TaskState, Tier, Verdict
from agent_orchestrator.stores.sql.columns import (
    Database,
    Row,
    Value,
    assignments,
    insertion,
    like_prefix,
    moment,
    placeholders,
    texts,
    texts_of,
    time_of,
    written,
)

_FIELDS = Task._fields
_WRITTEN: dict[str, Callable[..., Value]] = {
    "owns": texts,
    "acceptance": texts,
    "expects_change": int,
    "cancel_wished": int,
    "not_before": moment,
    "created_at": moment,
    "updated_at": moment,
}
"""How a field is written that does not stand in its column as it is."""


def _row(task: Task) -> dict[str, Value]:
    return {name: _value(name, getattr(task, name)) for name in _FIELDS}


def _changes(task: Task, was: Task) -> dict[str, Value]:
    """Return the columns that differ: naming a column in an UPDATE rewrites every index it is in."""
    pairs = ((name, getattr(task, name), getattr(was, name)) for name in _FIELDS)
    return {name: _value(name, now) for name, now, before in pairs if now != before}


def _value(name: str, value: Any) -> Value:
    how = _WRITTEN.get(name)
    written_so: Value = value if how is None else how(value)
    return written_so


def _task(row: Row) -> Task:
    del row["seq"]
    return Task(
        **{
            **row,
            "state": TaskState(row["state"]),
            "tier": Tier(row["tier"]),
            "size": Size(row["size"]),
            "owns": texts_of(row["owns"]),
            "acceptance": texts_of(row["acceptance"]),
            "expects_change": bool(row["expects_change"]),
            "cancel_wished": bool(row["cancel_wished"]),
            "verdict": Verdict(row["verdict"]) if row["verdict"] else None,
            "not_before": time_of(row["not_before"]),
            "created_at": time_of(row["created_at"]),
            "updated_at": time_of(row["updated_at"]),
        }
    )


class Tasks:
    """The rows of tables ``tasks``, ``dependencies`` and ``task_counts``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, tasks: Sequence[Task], needs: Mapping[TaskId, Sequence[TaskId]]) -> None:
        """Remember new tasks and what each needs. A need that is done already does not count as unmet."""
        if not tasks:
            return
        rows = [_row(task) for task in tasks]
        self._db.many(insertion("tasks", rows[0]), [written(row) for row in rows])
        pairs = [(task, need) for task, all_of_it in needs.items() for need in dict.fromkeys(all_of_it)]
        self._db.many("INSERT INTO dependencies (task, needs) VALUES (?, ?)", pairs)
        self._count_unmet(list(needs))
        self._db.many(
            "UPDATE tasks SET state = 'blocked' WHERE id = ? AND state = 'ready' AND unmet > 0",
            [(task.id,) for task in tasks],
        )

    def _count_unmet(self, ids: Sequence[TaskId]) -> None:
        self._db.many(
            """
            UPDATE tasks SET unmet = (
                SELECT count(*) FROM dependencies JOIN tasks AS need ON need.id = dependencies.needs
                WHERE dependencies.task = tasks.id AND need.state NOT IN ('done', 'replaced')
            ) WHERE id = ?
            """,
            [(task,) for task in ids],
        )

    def taken(self, ids: Sequence[TaskId]) -> set[TaskId]:
        """Return those of *ids* that name a task already."""
        found: set[TaskId] = set()
        for start in range(0, len(ids), 500):
            some = tuple(ids[start : start + 500])
            rows = self._db.rows(f"SELECT id FROM tasks WHERE id IN ({placeholders(some)})", some)
            found.update(TaskId(row["id"]) for row in rows)
        return found

    def get(self, id: TaskId) -> Task:
        """Return the task."""
        row = self._db.row("SELECT * FROM tasks WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"no task {id}")
        return _task(row)

    def find(self, text: str) -> list[Task]:
        """Return tasks whose id starts with *text* or whose key is, or starts with, *text*."""
        low, high = like_prefix(text)
        rows = self._db.rows(
            """
            SELECT * FROM tasks WHERE seq IN (
                SELECT seq FROM tasks WHERE id >= ? AND id < ? UNION SELECT seq FROM tasks WHERE key >= ? AND key < ?
            ) ORDER BY seq LIMIT 20
            """,
            (low, high, low, high),
        )
        return [_task(row) for row in rows]

    def with_words(self, words: Sequence[str]) -> list[Task]:
        """Return tasks whose key has every one of *words* between its dashes, the newest 20, oldest first."""
        if not words:
            return []
        where = " AND ".join(["instr('-' || key || '-', '-' || ? || '-')"] * len(words))
        rows = self._db.rows(
            f"SELECT * FROM tasks WHERE seq IN (SELECT seq FROM tasks WHERE {where}) ORDER BY seq DESC LIMIT 20",
            tuple(words),
        )
        return [_task(row) for row in reversed(rows)]

    def of_goal(self, goal: GoalId) -> list[Task]:
        """Return the goal's tasks in the order they were added."""
        return [_task(row) for row in self._db.rows("SELECT * FROM tasks WHERE goal = ? ORDER BY seq", (goal,))]

    def in_states(self, states: Iterable[TaskState], *, goal: GoalId | None = None, limit: int = 1000) -> list[Task]:
        """Return tasks in any of *states*, in scheduling order.

        One state at a time with the state spelled out, so that SQLite can use the partial index made for it.
        """
        found: list[Task] = []
        for state in states:
            where = f"state = '{state.value}'" + ("" if goal is None else " AND goal = ?")
            rows = self._db.rows(
                f"SELECT * FROM tasks WHERE {where} ORDER BY goal_rank, task_rank, seq LIMIT ?",
                (limit,) if goal is None else (goal, limit),
            )
            found.extend(_task(row) for row in rows)
        return found

    def claim(
        self,
        by: AgentId,
        token: Token,
        *,
        goals: Sequence[GoalId] | None,
        providers: Sequence[str],
        now: datetime,
        only_theirs: bool = False,
    ) -> Task | None:
        """Lease the first ready task in scheduling order to *by*, or return None."""
        anybody = "" if only_theirs else "provider IS NULL OR "
        only = "" if goals is None else f" AND goal IN ({placeholders(goals)})"
        row = self._db.row(
            f"""
            UPDATE tasks SET state = 'claimed', reason = '', token = ?, holder = ?, updated_at = ?
            WHERE seq = (
                SELECT seq FROM tasks INDEXED BY tasks_ready
                WHERE state = 'ready' AND ({anybody}provider IN ({placeholders(providers)})){only}
                ORDER BY goal_rank, task_rank, seq LIMIT 1
            ) RETURNING *
            """,
            (token, by, moment(now), *providers, *(goals or ())),
        )
        return None if row is None else _task(row)

    def save(self, task: Task, *, was: Task) -> None:
        """Write what differs from *was*, if state and token in the store are still those of *was*."""
        row = {**_changes(task, was), "updated_at": moment(task.updated_at)}
        changed = self._db.change(
            f"UPDATE tasks SET {assignments(row)} WHERE id = ? AND state = ? AND token = ?",
            (*written(row), task.id, was.state, was.token),
        )
        if not changed:
            raise StaleLease(f"task {task.id} was moved by somebody else; token {was.token} changes nothing")

    def release_dependents(self, id: TaskId, *, now: datetime) -> list[TaskId]:
        """Count *id* as met for all that need it; return those that became ready."""
        self._db.change(
            "UPDATE tasks SET unmet = unmet - 1 WHERE id IN (SELECT task FROM dependencies WHERE needs = ?)", (id,)
        )
        rows = self._db.rows(
            """
            UPDATE tasks SET state = 'ready', reason = '', updated_at = ?
            WHERE id IN (SELECT task FROM dependencies WHERE needs = ?)
              AND state = 'blocked' AND unmet = 0 AND not_before IS NULL
            RETURNING id
            """,
            (moment(now), id),
        )
        return [TaskId(row["id"]) for row in rows]

    def hold_dependents(self, id: TaskId, *, now: datetime) -> list[TaskId]:
        """Count *id* as unmet again for all that need it; return those that were ready and are blocked now."""
        self._db.change(
            "UPDATE tasks SET unmet = unmet + 1 WHERE id IN (SELECT task FROM dependencies WHERE needs = ?)", (id,)
        )
        rows = self._db.rows(
            """
            UPDATE tasks SET state = 'blocked', updated_at = ?
            WHERE id IN (SELECT task FROM dependencies WHERE needs = ?) AND state = 'ready'
            RETURNING id
            """,
            (moment(now), id),
        )
        return [TaskId(row["id"]) for row in rows]

    def release_due(self, *, now: datetime) -> list[TaskId]:
        """Make ready every blocked task whose pause is over and that misses nothing else; return them."""
        rows = self._db.rows(
            """
            UPDATE tasks SET state = 'ready', reason = '', not_before = NULL, updated_at = ?
            WHERE state = 'blocked' AND not_before IS NOT NULL AND not_before <= ? AND unmet = 0
            RETURNING id
            """,
            (moment(now), moment(now)),
        )
        return [TaskId(row["id"]) for row in rows]

    def next_due(self) -> datetime | None:
        """Return when the earliest pause ends, or None."""
        row = self._db.row(
            "SELECT min(not_before) AS at FROM tasks WHERE state = 'blocked' AND not_before IS NOT NULL AND unmet = 0"
        )
        return time_of(row["at"]) if row else None

    def needs(self, id: TaskId) -> list[TaskId]:
        """Return what *id* depends on."""
        return [TaskId(row["needs"]) for row in self._db.rows("SELECT needs FROM dependencies WHERE task = ?", (id,))]

    def unmet_needs(self, ids: Sequence[TaskId]) -> dict[TaskId, list[tuple[str, TaskState]]]:
        """Return key and state of what each of *ids* depends on and is not done, as far as there is any."""
        if not ids:
            return {}
        found: dict[TaskId, list[tuple[str, TaskState]]] = {}
        rows = self._db.rows(
            f"""
            SELECT dependencies.task, need.key, need.state
            FROM dependencies JOIN tasks AS need ON need.id = dependencies.needs
            WHERE dependencies.task IN ({placeholders(ids)}) AND need.state NOT IN ('done', 'replaced')
            ORDER BY need.seq
            """,
            tuple(ids),
        )
        for row in rows:
            found.setdefault(TaskId(row["task"]), []).append((row["key"], TaskState(row["state"])))
        return found

    def needed_by(self, id: TaskId) -> list[TaskId]:
        """Return what depends on *id*."""
        return [TaskId(row["task"]) for row in self._db.rows("SELECT task FROM dependencies WHERE needs = ?", (id,))]

    def edges(self, goal: GoalId) -> dict[TaskId, list[TaskId]]:
        """Return every dependency within *goal*: task to what it needs."""
        found: dict[TaskId, list[TaskId]] = {}
        rows = self._db.rows(
            "SELECT task, needs FROM dependencies JOIN tasks ON tasks.id = dependencies.task WHERE tasks.goal = ?",
            (goal,),
        )
        for row in rows:
            found.setdefault(TaskId(row["task"]), []).append(TaskId(row["needs"]))
        return found

    def set_needs(self, needs: Mapping[TaskId, Sequence[TaskId]], *, now: datetime) -> None:
        """Replace what each of some tasks needs, and count anew what it misses."""
        ids = [(task,) for task in needs]
        self._db.many("DELETE FROM dependencies WHERE task = ?", ids)
        pairs = [(task, need) for task, all_of_it in needs.items() for need in dict.fromkeys(all_of_it)]
        self._db.many("INSERT INTO dependencies (task, needs) VALUES (?, ?)", pairs)
        self._count_unmet(list(needs))
        at = moment(now)
        self._db.many(
            "UPDATE tasks SET state = 'blocked', updated_at = ? WHERE id = ? AND state = 'ready' AND unmet > 0",
            [(at, task) for task in needs],
        )
        self._db.many(
            "UPDATE tasks SET state = 'ready', reason = '', updated_at = ? "
            "WHERE id = ? AND state = 'blocked' AND unmet = 0 AND not_before IS NULL",
            [(at, task) for task in needs],
        )

    def set_ranks(self, ranks: Mapping[TaskId, tuple[int, int]]) -> None:
        """Store phase and scheduling rank per task, after the plan changed."""
        self._db.many(
            "UPDATE tasks SET phase = ?, task_rank = ? WHERE id = ?",
            [(phase, rank, id) for id, (phase, rank) in ranks.items()],
        )

    def providers(self) -> set[str]:
        """Return the providers that tasks insist on from which work may still come."""
        rows = self._db.rows(
            "SELECT DISTINCT provider FROM tasks INDEXED BY tasks_by_provider "
            "WHERE provider IS NOT NULL AND state NOT IN ('done', 'failed', 'cancelled', 'replaced')"
        )
        return {row["provider"] for row in rows}

    def counts(self, goal: GoalId | None = None) -> dict[TaskState, int]:
        """Return how many tasks are in each state, from maintained totals."""
        rows = self._db.rows("SELECT state, n FROM task_counts WHERE goal = ?", (goal or "",))
        found = {TaskState(row["state"]): row["n"] for row in rows}
        return {state: found.get(state, 0) for state in TaskState}
