"""One row of the append-only log; every other view is a projection of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent_orchestrator.domain.ids import AgentId, AttemptId, GoalId, TaskId, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Written in the transaction that made it true."""

    type: str
    """A noun and a past participle, such as ``task.claimed`` or ``hold.started``."""
    at: datetime
    seq: int = 0
    """Position in the log; given by the store."""
    goal: GoalId | None = None
    task: TaskId | None = None
    attempt: AttemptId | None = None
    agent: AgentId | None = None
    token: Token | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    """Details as JSON values. What an agent wrote in it is data with an author, never ours."""
