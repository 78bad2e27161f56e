"""What can happen to a supervisor. The set is closed: ``step`` handles each, and the type checker sees a new one."""

from dataclasses import dataclass

from agent_orchestrator.domain.evidence import CheckRun
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.runtime.spawner import Launch


@dataclass(frozen=True, slots=True)
class Rang:
    """Somebody asks us to look: new work, a wish, an answer."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The user pressed Ctrl-C or sent SIGTERM. The second time means at once."""


@dataclass(frozen=True, slots=True)
class GoalOpened:
    """A goal's base and result branch are settled; its tasks may be claimed."""

    goal: Goal


@dataclass(frozen=True, slots=True)
class GoalNotOpened:
    """A goal's base could not be settled."""

    goal: GoalId
    reason: str


@dataclass(frozen=True, slots=True)
class BaseChecked:
    """The check was run on a goal's base, and did not simply pass."""

    goal: GoalId
    check: CheckRun


@dataclass(frozen=True, slots=True)
class Prepared:
    """An attempt's checkout, prompt and command are ready."""

    launch: Launch


@dataclass(frozen=True, slots=True)
class NotPrepared:
    """An attempt could not be made ready; nothing was started."""

    attempt: AttemptId
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The minder of an attempt has ended, so its whole process tree is gone and its exit record is written."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Settled:
    """The merge queue is through with an attempt; the database says how it ended."""

    attempt: AttemptId
    trouble: str = ""
    """A line for the log when something of ours failed; the task was given back."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A goal has ended and its result was delivered, or waits for the user."""

    goal: Goal


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """A goal's delivery was broken off because the run stops at once; the next run delivers it."""

    goal: GoalId


@dataclass(frozen=True, slots=True)
class NoRoom:
    """Work could not be done because a disk is full. What it was about is open still, and taken up again later."""

    reason: str


Happening = (
    Rang
    | StopRequested
    | GoalOpened
    | GoalNotOpened
    | BaseChecked
    | Prepared
    | NotPrepared
    | Exited
    | Settled
    | Delivered
    | NotDelivered
    | NoRoom
)
