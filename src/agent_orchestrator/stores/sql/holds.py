"""Providers that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.stores.sql.columns import Database, Row

if TYPE_CHECKING:
    from agent_orchestrator.domain.hold import Hold


def _hold(row: Row) -> Hold:
    from agent_orchestrator.domain.hold import Hold, HoldKind

    return Hold(
        provider=row["provider"],
        kind=HoldKind(row["kind"]),
        until=from_ms(row["until"]),
        stated=bool(row["stated"]),
        reason=row["reason"],
        since=from_ms(row["since"]),
    )


class Holds:
    """The rows of table ``holds``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, hold: Hold) -> None:
        """Set the provider's hold."""
        self._db.change(
            "INSERT OR REPLACE INTO holds (provider, kind, until, stated, reason, since) VALUES (?, ?, ?, ?, ?, ?)",
            (hold.provider, hold.kind, to_ms(hold.until), int(hold.stated), hold.reason, to_ms(hold.since)),
        )

    def drop(self, provider: str) -> bool:
        """Remove the provider's hold; say whether there was one."""
        return self._db.change("DELETE FROM holds WHERE provider = ?", (provider,)) > 0

    def list(self) -> list[Hold]:
        """Return all holds, the earliest end first."""
        return [_hold(row) for row in self._db.rows("SELECT * FROM holds ORDER BY until")]
