"""Who works: one life of an agent, which is one child process of ours and has an id of its own."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent_orchestrator.domain.ids import AgentId, AttemptId, TaskId


class AgentState(StrEnum):
    """Whether an agent is at work."""

    STARTING = "starting"
    WORKING = "working"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One life of one agent, as a value."""

    id: AgentId
    provider: str
    specialist: str
    state: AgentState = AgentState.STARTING
    task: TaskId | None = None
    attempt: AttemptId | None = None
    pid: int | None = None
    doing: str = ""
    """Its latest visible action, cleaned and capped: what a person wants to see beside its name."""
    stop_wished: bool = False
    started_at: datetime | None = None
    seen_at: datetime | None = None
    """UTC, its last sign of life."""
    ended_at: datetime | None = None
