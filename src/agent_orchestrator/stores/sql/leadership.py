"""The supervisor's terms."""

import json
from collections.abc import Mapping
from datetime import datetime

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.errors import StaleLease
from agent_orchestrator.stores import Leadership
from agent_orchestrator.stores.sql.columns import Database, Row, time_of

_LATEST = "SELECT * FROM leadership ORDER BY term DESC LIMIT 1"


def _leadership(row: Row) -> Leadership:
    return Leadership(
        **{
            **row,
            "started_at": from_ms(row["started_at"]),
            "seen_at": from_ms(row["seen_at"]),
            "ended_at": time_of(row["ended_at"]),
            "options": json.loads(row["options"]),
        }
    )


class LeadershipTerms:
    """The rows of table ``leadership``, one per term."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, *, pid: int, max_agents: int, options: Mapping[str, object], now: datetime) -> Leadership:
        """Start a new term."""
        row = self._db.row(
            """
            INSERT INTO leadership (term, pid, started_at, seen_at, max_agents, stop_wished, options)
            SELECT coalesce(max(term), 0) + 1, ?, ?, ?, ?, 0, ? FROM leadership RETURNING *
            """,
            (pid, to_ms(now), to_ms(now), max_agents, json.dumps(dict(options))),
        )
        assert row is not None
        return _leadership(row)

    def get(self) -> Leadership | None:
        """Return the latest term, or None when there never was one."""
        row = self._db.row(_LATEST)
        return None if row is None else _leadership(row)

    def renew(self, term: int, *, now: datetime, max_agents: int | None = None) -> Leadership:
        """Write a sign of life; return the row with its wishes."""
        row = self._db.row(
            "UPDATE leadership SET seen_at = ?, max_agents = coalesce(?, max_agents) "
            "WHERE term = ? AND term = (SELECT max(term) FROM leadership) RETURNING *",
            (to_ms(now), max_agents, term),
        )
        if row is None:
            raise StaleLease(f"supervisor term {term} is over; a later one has begun")
        return _leadership(row)

    def wish(self, *, stop: int | None = None, max_agents: int | None = None) -> None:
        """Write down what somebody wants of the running supervisor."""
        self._db.change(
            "UPDATE leadership SET stop_wished = max(stop_wished, coalesce(?, 0)), "
            "max_agents = coalesce(?, max_agents) "
            "WHERE term = (SELECT max(term) FROM leadership)",
            (stop, max_agents),
        )

    def end(self, term: int, *, now: datetime, stopped_by: str = "") -> None:
        """Mark the term as ended, if it is still the latest."""
        self._db.change(
            "UPDATE leadership SET ended_at = ?, seen_at = ?, options = json_set(options, '$.stopped_by', ?) "
            "WHERE term = ? AND term = (SELECT max(term) FROM leadership)",
            (to_ms(now), to_ms(now), stopped_by, term),
        )
