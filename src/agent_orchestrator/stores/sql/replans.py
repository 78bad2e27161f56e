"""Wished changes of plans that are worked on, and the tasks that came of them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.replan import Kind, Replan, State
from agent_orchestrator.stores.sql.columns import Database, Row, time_of

_UNDECIDED = "state IN ('reported', 'due', 'waiting')"


def _replan(row: Row) -> Replan:
    return Replan(
        **{
            **row,
            "kind": Kind(row["kind"]),
            "state": State(row["state"]),
            "tasks": tuple(json.loads(row["tasks"])),
            "at": from_ms(row["at"]),
            "decided_at": time_of(row["decided_at"]),
        }
    )


class Replans:
    """The rows of tables ``replans`` and ``added_tasks``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, replan: Replan) -> int:
        """Remember a wished change; it replaces an undecided one of its kind and task. Return its number."""
        self._db.change(f"DELETE FROM replans WHERE task = ? AND kind = ? AND {_UNDECIDED}", (replan.task, replan.kind))
        return self._db.insert(
            'INSERT INTO replans (goal, task, attempt, kind, state, why, tasks, reason, "by", at) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(replan.goal, replan.task, replan.attempt, replan.kind, replan.state, replan.why),
                *(json.dumps(list(replan.tasks), ensure_ascii=False), replan.reason, replan.by, to_ms(replan.at)),
            ),
        )

    def get(self, id: int) -> Replan:
        """Return the wished change."""
        row = self._db.row("SELECT * FROM replans WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"no change {id}")
        return _replan(row)

    def move(
        self,
        id: int,
        state: State,
        *,
        was: State,
        now: datetime,
        reason: str = "",
        by: str = "",
        tasks: Sequence[Mapping[str, object]] | None = None,
        why: str | None = None,
    ) -> bool:
        """Move it from *was* to *state*; say whether it was still there. *tasks* and *why* stay when they are None."""
        decided = to_ms(now) if state in {State.APPLIED, State.DECLINED} else None
        document = None if tasks is None else json.dumps(list(tasks), ensure_ascii=False)
        return bool(
            self._db.change(
                'UPDATE replans SET state = ?, reason = ?, "by" = ?, decided_at = ?, tasks = coalesce(?, tasks), '
                "why = coalesce(?, why) WHERE id = ? AND state = ?",
                (state, reason, by, decided, document, why, id, was),
            )
        )

    def due(self, goal: GoalId | None = None) -> list[Replan]:
        """Return what the supervisor is to decide on, the oldest first."""
        where, given = ("", ()) if goal is None else (" AND goal = ?", (goal,))
        return [
            _replan(row)
            for row in self._db.rows(f"SELECT * FROM replans WHERE state = 'due'{where} ORDER BY id", given)
        ]

    def waiting(self, goal: GoalId | None = None) -> list[Replan]:
        """Return what waits for a person, the oldest first."""
        where, given = ("", ()) if goal is None else (" AND goal = ?", (goal,))
        rows = self._db.rows(f"SELECT * FROM replans WHERE state = 'waiting'{where} ORDER BY id", given)
        return [_replan(row) for row in rows]

    def of_task(self, task: TaskId) -> list[Replan]:
        """Return all that was ever wished by or for the task, the oldest first."""
        return [_replan(row) for row in self._db.rows("SELECT * FROM replans WHERE task = ? ORDER BY id", (task,))]

    def add_origins(self, goal: GoalId, tasks: Sequence[TaskId], *, parent: TaskId, depth: int, unasked: bool) -> None:
        """Remember from which task new ones came, at which depth, and whether nobody was asked."""
        self._db.many(
            "INSERT INTO added_tasks (task, goal, parent, depth, unasked) VALUES (?, ?, ?, ?, ?)",
            [(task, goal, parent, depth, int(unasked)) for task in tasks],
        )

    def depth(self, task: TaskId) -> int:
        """Return how far the task is from the plan that a person saw: 0 for one of that plan."""
        row = self._db.row("SELECT depth FROM added_tasks WHERE task = ?", (task,))
        return row["depth"] if row else 0

    def unasked(self, goal: GoalId) -> int:
        """Return how many tasks were added to the goal without asking anybody."""
        row = self._db.row("SELECT count(*) AS n FROM added_tasks WHERE goal = ? AND unasked = 1", (goal,))
        return row["n"] if row else 0

    def parents(self, goal: GoalId) -> dict[TaskId, TaskId]:
        """Return for each task that was added to the goal the one that it came from."""
        rows = self._db.rows("SELECT task, parent FROM added_tasks WHERE goal = ?", (goal,))
        return {TaskId(row["task"]): TaskId(row["parent"]) for row in rows}
