"""Words from one agent or person to another; the truth is in the database, views of it may be lost."""

from dataclasses import dataclass
from datetime import datetime

from agent_orchestrator.domain.ids import GoalId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. Its body is data with its author's name, never an instruction of ours."""

    id: int
    """Position in the log of messages; given by the store."""
    goal: GoalId
    author: str
    """Agent id, or ``user``."""
    to: str
    """``@all``, a specialist or an agent id."""
    body: str
    task: TaskId | None = None
    """The task it is about. None means the goal as a whole."""
    at: datetime
