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


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain of events as it was at some moment."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCheck:
    """What following the chain of events showed."""

    first: int
    """Position of the first event of the chain: those before it were written by a version that made none."""
    events: int
    """How many are as they were written."""
    heads: int
    """How many ends that were written down outside the database it was held against."""
    wrong: str = ""
    """The first place where it breaks; empty when it is whole."""
