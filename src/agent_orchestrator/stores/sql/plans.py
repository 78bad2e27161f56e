"""Plans."""

import json
from collections.abc import Mapping
from datetime import datetime

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.stores.sql.columns import Database, like_prefix


class Plans:
    """The rows of table ``plans``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, id: str, document: Mapping[str, object], *, goal_text: str, now: datetime) -> None:
        """Remember a new plan as its JSON document, in state ``planning``."""
        self._db.change(
            "INSERT INTO plans (id, state, goal_text, document, goal, changed_at) "
            "VALUES (?, 'planning', ?, ?, NULL, ?)",
            (id, goal_text, json.dumps(document, ensure_ascii=False), to_ms(now)),
        )

    def get(self, id: str) -> tuple[str, Mapping[str, object], GoalId | None]:
        """Return state, document and the goal it became."""
        row = self._db.row("SELECT state, document, goal FROM plans WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"no plan {id}", hint="orchestrate plan-list shows them")
        return row["state"], json.loads(row["document"]), row["goal"]

    def set_state(self, id: str, state: str, *, goal: GoalId | None, now: datetime) -> None:
        """Move the plan to ``approved``, ``executed`` or ``rejected``."""
        self._db.change(
            "UPDATE plans SET state = ?, goal = coalesce(?, goal), changed_at = ? WHERE id = ?",
            (state, goal, to_ms(now), id),
        )

    def find(self, text: str) -> list[str]:
        """Return ids that start with *text*."""
        rows = self._db.rows("SELECT id FROM plans WHERE id >= ? AND id < ? LIMIT 10", like_prefix(text))
        return [row["id"] for row in rows]

    def list(self, limit: int = 100) -> list[tuple[str, str, str, datetime]]:
        """Return id, state, goal text and time of change, newest first."""
        rows = self._db.rows(
            "SELECT id, state, goal_text, changed_at FROM plans ORDER BY changed_at DESC LIMIT ?", (limit,)
        )
        return [(row["id"], row["state"], row["goal_text"], from_ms(row["changed_at"])) for row in rows]
