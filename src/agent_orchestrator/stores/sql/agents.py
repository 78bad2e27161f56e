"""Agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.stores.sql.columns import (
    Database,
    Row,
    Value,
    assignments,
    insertion,
    like_prefix,
    moment,
    time_of,
    written,
)

if TYPE_CHECKING:
    from agent_orchestrator.domain.agent import Agent
    from agent_orchestrator.domain.ids import AgentId

_CHANGING = frozenset({"state", "task", "attempt", "pid", "doing", "seen_at", "ended_at"})


def _row(agent: Agent) -> dict[str, Value]:
    return {
        "id": agent.id,
        "provider": agent.provider,
        "specialist": agent.specialist,
        "state": agent.state,
        "task": agent.task,
        "attempt": agent.attempt,
        "pid": agent.pid,
        "doing": agent.doing,
        "stop_wished": int(agent.stop_wished),
        "started_at": moment(agent.started_at),
        "seen_at": moment(agent.seen_at),
        "ended_at": moment(agent.ended_at),
    }


def _agent(row: Row) -> Agent:
    from agent_orchestrator.domain.agent import Agent, AgentState

    return Agent(
        **{
            **row,
            "state": AgentState(row["state"]),
            "stop_wished": bool(row["stop_wished"]),
            "started_at": time_of(row["started_at"]),
            "seen_at": time_of(row["seen_at"]),
            "ended_at": time_of(row["ended_at"]),
        }
    )


class Agents:
    """The rows of table ``agents``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, agent: Agent) -> None:
        """Remember a new life of an agent."""
        row = _row(agent)
        self._db.change(insertion("agents", row), written(row))

    def get(self, id: AgentId) -> Agent:
        """Return the agent."""
        row = self._db.row("SELECT * FROM agents WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"no agent {id}")
        return _agent(row)

    def save(self, agent: Agent) -> None:
        """Write what changes in its life, except the wish to stop, which somebody may be writing at this moment."""
        row = {column: value for column, value in _row(agent).items() if column in _CHANGING}
        self._db.change(f"UPDATE agents SET {assignments(row)} WHERE id = ?", (*written(row), agent.id))

    def wish_stop(self, id: AgentId) -> None:
        """Write down that somebody wants it stopped."""
        self._db.change("UPDATE agents SET stop_wished = 1 WHERE id = ?", (id,))

    def find(self, text: str) -> list[Agent]:
        """Return agents whose id starts with *text*, living ones first."""
        rows = self._db.rows(
            "SELECT * FROM agents WHERE id >= ? AND id < ? ORDER BY state = 'ended', started_at DESC LIMIT 20",
            like_prefix(text),
        )
        return [_agent(row) for row in rows]

    def list(self, *, living: bool = True, limit: int = 200) -> list[Agent]:
        """Return agents, newest first."""
        where = "WHERE state <> 'ended'" if living else ""
        rows = self._db.rows(f"SELECT * FROM agents {where} ORDER BY started_at DESC, id LIMIT ?", (limit,))
        return [_agent(row) for row in rows]
