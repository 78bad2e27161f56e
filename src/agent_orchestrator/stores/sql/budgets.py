"""Ceilings on spend."""

from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.stores.sql.columns import Database


class Budgets:
    """The rows of table ``budgets``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, goal: GoalId, limit_micro_usd: int) -> None:
        """Set a goal's ceiling."""
        self._db.change("INSERT OR REPLACE INTO budgets (goal, limit_micro_usd) VALUES (?, ?)", (goal, limit_micro_usd))

    def get(self, goal: GoalId) -> int | None:
        """Return a goal's ceiling, or None."""
        row = self._db.row("SELECT limit_micro_usd AS n FROM budgets WHERE goal = ?", (goal,))
        return row["n"] if row else None
