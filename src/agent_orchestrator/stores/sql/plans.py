"""Plans."""

import json
from collections.abc import Mapping
from datetime import datetime

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.stores import PlanRow, PlanVersionRow
from agent_orchestrator.stores.sql.columns import Database, like_prefix


class Plans:
    """The rows of table ``plans``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, id: str, document: Mapping[str, object], *, goal_text: str, now: datetime) -> None:
        """Remember a new plan as its JSON document, version 1, in state ``planning``."""
        self._db.change(
            "INSERT INTO plans (id, state, goal_text, document, goal, changed_at) "
            "VALUES (?, 'planning', ?, ?, NULL, ?)",
            (id, goal_text, json.dumps(document, ensure_ascii=False), to_ms(now)),
        )
        self._keep(id, 1, "edit", "planned", document, now)

    def get(self, id: str) -> PlanRow:
        """Return the plan."""
        row = self._db.row("SELECT state, document, goal, version, approved FROM plans WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"no plan {id}", hint="orchestrate plan-list shows them")
        return PlanRow(row["state"], json.loads(row["document"]), row["goal"], row["version"], row["approved"])

    def add_version(
        self,
        id: str,
        document: Mapping[str, object],
        *,
        after: int,
        kind: str,
        what: str,
        goal_text: str,
        now: datetime,
    ) -> bool:
        """Remember the version after version *after*, not approved, or return False when that is not the newest."""
        changed = self._db.change(
            "UPDATE plans SET document = ?, goal_text = ?, version = version + 1, state = 'planning', approved = NULL, "
            "changed_at = ? WHERE id = ? AND version = ? AND state IN ('planning', 'approved')",
            (json.dumps(document, ensure_ascii=False), goal_text, to_ms(now), id, after),
        )
        if changed:
            self._keep(id, after + 1, kind, what, document, now)
        return bool(changed)

    def add_running_version(
        self, id: str, document: Mapping[str, object], *, after: int, what: str, who: str, why: str, now: datetime
    ) -> bool:
        """Remember the version after version *after* of a plan that is worked on; False when that is not the newest."""
        changed = self._db.change(
            "UPDATE plans SET document = ?, version = version + 1, changed_at = ? "
            "WHERE id = ? AND version = ? AND state = 'executed'",
            (json.dumps(document, ensure_ascii=False), to_ms(now), id, after),
        )
        if changed:
            self._keep(id, after + 1, "replan", what, document, now, who, why)
        return bool(changed)

    def _keep(
        self,
        id: str,
        version: int,
        kind: str,
        what: str,
        document: Mapping[str, object],
        now: datetime,
        who: str = "",
        why: str = "",
    ) -> None:
        self._db.change(
            "INSERT INTO plan_versions (plan, version, kind, what, document, at, who, why) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (id, version, kind, what, json.dumps(document, ensure_ascii=False), to_ms(now), who, why),
        )

    def versions(self, id: str) -> list[PlanVersionRow]:
        """Return every version, the first first."""
        rows = self._db.rows(
            "SELECT version, kind, what, document, at, who, why FROM plan_versions WHERE plan = ? ORDER BY version",
            (id,),
        )
        return [
            PlanVersionRow(
                *(row["version"], row["kind"], row["what"], json.loads(row["document"]), from_ms(row["at"])),
                *(row["who"], row["why"]),
            )
            for row in rows
        ]

    def approve(self, id: str, fingerprint: str, *, now: datetime) -> None:
        """Move the plan to ``approved``, as what it is now."""
        self._db.change(
            "UPDATE plans SET state = 'approved', approved = ?, changed_at = ? WHERE id = ?",
            (fingerprint, to_ms(now), id),
        )

    def rename(self, id: str, name: str) -> None:
        """Give the plan the id *name*, which no plan has, its versions and talk with it."""
        self._db.change("UPDATE plans SET id = ? WHERE id = ?", (name, id))  # the foreign keys follow by themselves

    def remove(self, id: str) -> None:
        """Forget the plan, its versions and its talk."""
        for table, key in (("plan_talk", "plan"), ("plan_versions", "plan"), ("plans", "id")):
            self._db.change(f"DELETE FROM {table} WHERE {key} = ?", (id,))

    def say(self, id: str, who: str, text: str, *, now: datetime) -> None:
        """Remember that something was said about the plan."""
        self._db.change("INSERT INTO plan_talk (plan, who, text, at) VALUES (?, ?, ?, ?)", (id, who, text, to_ms(now)))

    def said(self, id: str, limit: int) -> list[tuple[str, str]]:
        """Return who said what about the plan, the last *limit* of it, oldest first."""
        rows = self._db.rows("SELECT who, text FROM plan_talk WHERE plan = ? ORDER BY seq DESC LIMIT ?", (id, limit))
        return [(row["who"], row["text"]) for row in reversed(rows)]

    def set_state(self, id: str, state: str, *, goal: GoalId | None, now: datetime) -> None:
        """Move the plan to ``approved`` or ``executed``."""
        self._db.change(
            "UPDATE plans SET state = ?, goal = coalesce(?, goal), changed_at = ? WHERE id = ?",
            (state, goal, to_ms(now), id),
        )

    def of_goal(self, goal: GoalId) -> str | None:
        """Return the id of the plan that became *goal*, or None."""
        row = self._db.row("SELECT id FROM plans WHERE goal = ? ORDER BY rowid LIMIT 1", (goal,))
        return None if row is None else row["id"]

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
