"""Ceilings on spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_orchestrator.stores.sql.columns import Database

if TYPE_CHECKING:
    from agent_orchestrator.domain.budget import Budget
    from agent_orchestrator.domain.ids import GoalId


class Budgets:
    """The rows of table ``ceilings``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, goal: GoalId, budget: Budget | None, each_task: Budget | None = None) -> None:
        """Set a goal's ceiling and that of each of its tasks."""
        limits = [
            limit
            for one in (budget, each_task)
            for limit in ((one.limit_micro_usd, one.limit_tokens, one.limit_seconds) if one else (None, None, None))
        ]
        self._db.change(
            "INSERT OR REPLACE INTO ceilings "
            "(goal, micro_usd, tokens, seconds, task_micro_usd, task_tokens, task_seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (goal, *limits),
        )

    def get(self, goal: GoalId) -> Budget | None:
        """Return a goal's ceiling, or None."""
        return self._budget("micro_usd AS usd, tokens, seconds", goal)

    def of_each_task(self, goal: GoalId) -> Budget | None:
        """Return the ceiling of each of a goal's tasks, or None."""
        return self._budget("task_micro_usd AS usd, task_tokens AS tokens, task_seconds AS seconds", goal)

    def _budget(self, columns: str, goal: GoalId) -> Budget | None:
        from agent_orchestrator.domain.budget import Budget

        row = self._db.row(f"SELECT {columns} FROM ceilings WHERE goal = ?", (goal,))
        if row is None:
            return None
        found = Budget(limit_micro_usd=row["usd"], limit_tokens=row["tokens"], limit_seconds=row["seconds"])
        return found or None
