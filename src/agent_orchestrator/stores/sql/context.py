"""What agents share, in versions."""

import json

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.context import LISTS, Entry, Kind
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.stores.sql.columns import Database, Row


def _entry(row: Row) -> Entry:
    row.pop("id")
    row.pop("newest")
    changed = {
        "kind": Kind(row["kind"]),
        "value": json.loads(row["value"]),
        "by_user": bool(row["by_user"]),
        "at": from_ms(row["at"]),
    }
    return Entry(**{**row, **changed})


class Context:
    """The rows of table ``context``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, entry: Entry, *, keep: int) -> int:
        """Remember one more version; return its number. Of a named thing the newest *keep* versions stay."""
        named = (entry.goal, entry.kind.value, entry.name)
        if entry.kind not in LISTS:
            self._db.change(
                "UPDATE context SET newest = 0 WHERE goal = ? AND kind = ? AND name = ? AND newest = 1", named
            )
        row = self._db.row(
            "SELECT COALESCE(MAX(version), 0) + 1 AS next FROM context WHERE goal = ? AND kind = ? AND name = ?", named
        )
        assert row is not None
        version: int = row["next"]
        self._db.insert(
            "INSERT INTO context (goal, kind, name, version, newest, author, by_user, value, bytes, sha256, beside, at)"
            " VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
            (
                *named,
                version,
                entry.author,
                entry.by_user,
                json.dumps(entry.value, ensure_ascii=False),
                entry.bytes,
                entry.sha256,
                entry.beside,
                to_ms(entry.at),
            ),
        )
        if entry.kind not in LISTS:
            self._db.change(
                "DELETE FROM context WHERE goal = ? AND kind = ? AND name = ? AND version <= ?",
                (*named, version - keep),
            )
        return version

    def newest(self, goal: GoalId, kind: Kind | None = None) -> list[Entry]:
        """Return the newest version of everything of the goal, in the order of writing."""
        rows = self._db.rows(
            "SELECT * FROM context WHERE goal = ?1 AND newest = 1 AND (?2 IS NULL OR kind = ?2) ORDER BY id",
            (goal, kind.value if kind else None),
        )
        return [_entry(row) for row in rows]

    def versions(self, goal: GoalId, kind: Kind, name: str) -> list[Entry]:
        """Return every version of one thing that is kept, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM context WHERE goal = ? AND kind = ? AND name = ? ORDER BY version", (goal, kind.value, name)
        )
        return [_entry(row) for row in rows]

    def totals(self, goal: GoalId, kind: Kind) -> tuple[int, int]:
        """Return how many things of a kind the goal has, and their bytes, newest versions only."""
        row = self._db.row(
            "SELECT COUNT(*) AS n, COALESCE(SUM(bytes), 0) AS total FROM context "
            "WHERE goal = ? AND kind = ? AND newest = 1",
            (goal, kind.value),
        )
        assert row is not None
        return row["n"], row["total"]
