"""Providers that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.stores.sql.columns import Database, Row

if TYPE_CHECKING:
    from agent_orchestrator.domain.hold import Hold, Pace


def _hold(row: Row) -> Hold:
    from agent_orchestrator.domain.hold import Hold, HoldKind

    return Hold(
        provider=row["provider"],
        kind=HoldKind(row["kind"]),
        until=from_ms(row["until"]),
        stated=bool(row["stated"]),
        reason=row["reason"],
        since=from_ms(row["since"]),
        refusals=row["refusals"],
    )


def _pace(row: Row) -> Pace:
    from agent_orchestrator.domain.hold import HoldKind, Pace

    return Pace(
        provider=row["provider"],
        kind=HoldKind(row["kind"]),
        refusals=row["refusals"],
        width=row["width"],
        stated=bool(row["stated"]),
        since=from_ms(row["since"]),
        until=from_ms(row["until"]),
    )


class Holds:
    """The rows of tables ``holds`` and ``paces``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, hold: Hold) -> None:
        """Set the provider's hold."""
        self._db.change(
            "INSERT OR REPLACE INTO holds (provider, kind, until, stated, reason, since, refusals) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                hold.provider,
                hold.kind,
                to_ms(hold.until),
                int(hold.stated),
                hold.reason,
                to_ms(hold.since),
                hold.refusals,
            ),
        )

    def drop(self, provider: str) -> bool:
        """Remove the provider's hold; say whether there was one."""
        return self._db.change("DELETE FROM holds WHERE provider = ?", (provider,)) > 0

    def pace(self, provider: str) -> Pace | None:
        """Return how carefully the provider is to be used, or None: as if it had never refused."""
        row = self._db.row("SELECT * FROM paces WHERE provider = ?", (provider,))
        return _pace(row) if row else None

    def paces(self) -> list[Pace]:
        """Return every pace there is."""
        return [_pace(row) for row in self._db.rows("SELECT * FROM paces ORDER BY provider")]

    def set_pace(self, pace: Pace) -> None:
        """Set how carefully the provider is to be used."""
        self._db.change(
            "INSERT OR REPLACE INTO paces (provider, kind, refusals, width, stated, since, until) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                pace.provider,
                pace.kind,
                pace.refusals,
                pace.width,
                int(pace.stated),
                to_ms(pace.since),
                to_ms(pace.until),
            ),
        )

    def drop_pace(self, provider: str) -> None:
        """Forget that the provider ever refused."""
        self._db.change("DELETE FROM paces WHERE provider = ?", (provider,))

    def list(self) -> list[Hold]:
        """Return all holds, the earliest end first."""
        return [_hold(row) for row in self._db.rows("SELECT * FROM holds ORDER BY until")]
