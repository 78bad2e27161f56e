"""One unit of work, and the one table of what it may become.

A task is moved only through :func:`moved`, and the store applies the move by
compare-and-set on the state and the fencing token, with the event in the same
transaction. So a late writer changes nothing.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from agent_orchestrator.domain.errors import RefusedByState
from agent_orchestrator.domain.ids import AgentId, AttemptId, GoalId, TaskId, Token


class TaskState(StrEnum):
    """Where a task is on its way."""

    BLOCKED = "blocked"
    """A dependency, an approval, a hold or a pause after a failure is missing."""
    READY = "ready"
    """May be claimed now."""
    CLAIMED = "claimed"
    """Leased to an agent that has not started yet: its checkout is being made."""
    RUNNING = "running"
    VERIFYING = "verifying"
    """The agent has ended; we are running the checks."""
    LANDING = "landing"
    """The checks are through; its commit is being put on the goal's branch."""
    DONE = "done"
    FAILED = "failed"
    """The dead letter: every attempt is used, or a person must look."""
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    """The plan was changed: other tasks do its work, or nobody needs it any more. Nothing waits for it."""


NEXT: dict[TaskState, frozenset[TaskState]] = {
    TaskState.BLOCKED: frozenset({TaskState.READY, TaskState.FAILED, TaskState.CANCELLED, TaskState.REPLACED}),
    TaskState.READY: frozenset({TaskState.BLOCKED, TaskState.CLAIMED, TaskState.CANCELLED, TaskState.REPLACED}),
    TaskState.CLAIMED: frozenset(
        {TaskState.RUNNING, TaskState.READY, TaskState.BLOCKED, TaskState.FAILED, TaskState.CANCELLED}
    ),
    TaskState.RUNNING: frozenset(
        {TaskState.VERIFYING, TaskState.READY, TaskState.BLOCKED, TaskState.FAILED, TaskState.CANCELLED}
    ),
    TaskState.VERIFYING: frozenset(
        {TaskState.LANDING, TaskState.READY, TaskState.BLOCKED, TaskState.FAILED, TaskState.CANCELLED}
    ),
    TaskState.LANDING: frozenset(
        {TaskState.DONE, TaskState.READY, TaskState.BLOCKED, TaskState.FAILED, TaskState.CANCELLED}
    ),
    TaskState.DONE: frozenset({TaskState.READY, TaskState.BLOCKED}),
    TaskState.FAILED: frozenset({TaskState.READY, TaskState.BLOCKED, TaskState.CANCELLED, TaskState.REPLACED}),
    TaskState.CANCELLED: frozenset({TaskState.READY, TaskState.BLOCKED, TaskState.REPLACED}),
    TaskState.REPLACED: frozenset(),
}
"""What a task may become from each state. Nothing but a person's review takes ``done`` back into the queue."""

HELD = frozenset({TaskState.CLAIMED, TaskState.RUNNING, TaskState.VERIFYING, TaskState.LANDING})
"""States in which an attempt owns the task, so every write needs that attempt's token."""

OPEN = frozenset(set(TaskState) - {TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED, TaskState.REPLACED})
"""States from which work may still come."""


CHANGEABLE = frozenset({TaskState.BLOCKED, TaskState.READY, TaskState.FAILED, TaskState.CANCELLED})
"""States in which a task may still be planned otherwise: nobody is at work on it, and nothing of it is landed."""


class Verdict(StrEnum):
    """What we say of finished work. "Claimed done" and "verified" never look the same."""

    VERIFIED = "verified"
    """Its checks ran here, on the union with everything landed before, and passed; or failed only where the base had
    failed before."""
    UNVERIFIED = "unverified"
    """Work exists, and nothing vouches for it: no check was available, the base was red already, or the work tampered
    with what was to judge it."""
    REJECTED = "rejected"
    """Its checks ran here and failed."""


class Tier(StrEnum):
    """How capable a model the task wants; each provider maps it to a model."""

    LIGHT = "light"
    STANDARD = "standard"
    HEAVY = "heavy"


class Size(StrEnum):
    """How long an agent is expected to need: S up to 10 minutes, M up to 30, L up to 90."""

    S = "S"
    M = "M"
    L = "L"


SIZE_MINUTES = {Size.S: 6, Size.M: 18, Size.L: 50}
"""Expected minutes per size, used only to order work by its remaining critical path."""

PRIORITY_NAMES = {"high": 10, "normal": 50, "low": 90}
PRIORITY_DEFAULT = 50
MAX_ATTEMPTS_DEFAULT = 3
"""Attempts before a task goes to the dead letter. The third sees the evidence of two failures."""


class Task(NamedTuple):
    """One row of the queue, as a value. Methods return a new Task.

    Every command that looks makes this class, and a named tuple of so many fields is made six times as quickly as a
    frozen dataclass (0.7 against 4.6 ms). :class:`Goal`, :class:`Usage` and ``Leadership`` are named tuples for the
    same reason.
    """

    id: TaskId
    goal: GoalId
    key: str
    """Slug unique within the goal, taken from the plan; a person may type it instead of the id."""
    title: str
    description: str
    specialist: str
    state: TaskState = TaskState.BLOCKED
    reason: str = ""
    """Why it is in this state, in words for a person: what is missing, or why it failed."""
    priority: int = PRIORITY_DEFAULT
    """0 to 100, low first."""
    tier: Tier = Tier.STANDARD
    size: Size = Size.M
    owns: tuple[str, ...] = ()
    """Globs of the files it may write. Empty means not stated."""
    acceptance: tuple[str, ...] = ()
    """Observable statements that are true when it is done."""
    verify: str | None = None
    """Shell command whose exit code 0 accepts the work. None means the project's own test command."""
    expects_change: bool = True
    """False for work whose result is an answer, not files: then an empty diff is no ``no_evidence``."""
    provider: str | None = None
    """Provider it insists on. None means the run's."""
    context: str = ""
    """Words of the user that go into its prompt, beside the description."""
    phase: int = 1
    """Length of the longest dependency path to it. For display; never a barrier."""
    goal_rank: int = 0
    """Orders goals: created time in ms plus priority times 15 minutes, so waiting moves a goal up."""
    task_rank: int = 0
    """Orders tasks of one goal: the longest remaining critical path first, then priority."""
    unmet: int = 0
    """Dependencies that are not done yet. Maintained by the store; 0 lets it become ready."""
    attempts: int = 0
    """Attempts that were charged. A usage limit, an overload or our own stop is not."""
    max_attempts: int = MAX_ATTEMPTS_DEFAULT
    not_before: datetime | None = None
    """UTC. A pause after a failure, or the reset of a limit. None means at once."""
    token: Token = Token(0)
    """Fencing token of the latest claim. 0 means it was never claimed."""
    holder: AgentId | None = None
    attempt: AttemptId | None = None
    """The latest attempt. None means never started."""
    cancel_wished: bool = False
    avoid: str = ""
    """Provider that failed at it in the same way again and again: another takes it if one may. Empty means none."""
    verdict: Verdict | None = None
    summary: str = ""
    """What its agent said it did, cleaned and capped. Data, not evidence."""
    commit: str | None = None
    """The commit that landed it on the goal's branch."""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def moved(self, to: TaskState, *, reason: str = "") -> "Task":
        """Return this task in state *to*.

        Raises:
            RefusedByState: the table NEXT does not allow it.
        """
        if to not in NEXT[self.state]:
            raise RefusedByState(f"task {self.id} is {self.state} and cannot become {to}")
        return self._replace(state=to, reason=reason)


def parse_priority(text: str) -> int:
    """Return the priority that *text* names: a number from 0 to 100, or ``high``, ``normal``, ``low``.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() in PRIORITY_NAMES:
        return PRIORITY_NAMES[text.lower()]
    number = int(text)
    if not 0 <= number <= 100:
        raise ValueError(f"{number} is not between 0 and 100")
    return number
