"""A word to somebody who is not looking: one of the four things worth waking a person for."""

from dataclasses import dataclass
from enum import StrEnum

from agent_orchestrator.domain.ids import GoalId


class NoticeKind(StrEnum):
    """Why somebody is told."""

    FINISHED = "finished"
    """A goal is over, and nothing of it needs anybody, or that was told long before."""
    NEEDS_YOU = "needs_you"
    """A task or a goal failed, a result is not in the branch, a login is refused."""
    STUCK = "stuck"
    """There is work, nothing waits for a known time, and nothing has moved for long."""
    STOPPED = "stopped"
    """A usage limit, a budget or the deadline keeps all work from going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told. Its texts are cleaned, on one line each, and capped; strangers may still have written them."""

    kind: NoticeKind
    key: str
    """What it is about, with what makes it new: a notice with the same key is sent once, whatever crashes in
    between."""
    title: str
    text: str
    command: str
    """What to type to see more."""
    goal: GoalId | None = None
