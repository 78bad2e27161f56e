"""What the user wants, in their words; it owns a plan, a base commit, a budget and a verdict."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import PRIORITY_DEFAULT, Verdict
from agent_orchestrator.domain.text import clean


class GoalState(StrEnum):
    """Where a goal is on its way. Before it is one, it is a plan, which has states of its own."""

    READY = "ready"
    """Its tasks are in the queue and nothing has started."""
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"
    """Nothing more can happen without a person: a task failed, or what depends on one waits for ever."""
    CANCELLED = "cancelled"


GOAL_NEXT: dict[GoalState, frozenset[GoalState]] = {
    GoalState.READY: frozenset({GoalState.EXECUTING, GoalState.CANCELLED, GoalState.COMPLETED, GoalState.FAILED}),
    GoalState.EXECUTING: frozenset({GoalState.COMPLETED, GoalState.FAILED, GoalState.CANCELLED}),
    GoalState.COMPLETED: frozenset({GoalState.EXECUTING}),
    GoalState.FAILED: frozenset({GoalState.EXECUTING, GoalState.CANCELLED, GoalState.COMPLETED}),
    GoalState.CANCELLED: frozenset({GoalState.EXECUTING}),
}
"""What a goal may become. A retried or added task takes an ended goal back to ``executing``."""

GOAL_OPEN = frozenset({GoalState.READY, GoalState.EXECUTING})
GOAL_ENDED = frozenset({GoalState.COMPLETED, GoalState.FAILED, GoalState.CANCELLED})


class Delivery(StrEnum):
    """What became of the goal's result in the user's own branch."""

    NOT_YET = "not_yet"
    DELIVERED = "delivered"
    """Their branch was moved to it: the results are in their project."""
    WAITING = "waiting"
    """It stays on the result branch; the report says the one command that takes it in."""
    NOTHING = "nothing"
    """There was nothing to deliver, or the agents worked in the folder itself."""
    UNDONE = "undone"


class Isolation(StrEnum):
    """Where attempts work."""

    CHECKOUT = "checkout"
    """A private clone that borrows the repository's objects. The default in a git repository with a commit."""
    WORKTREE = "worktree"
    SHARED = "shared"
    """The project folder itself, one agent at a time."""


class Goal(NamedTuple):
    """One goal, as a value."""

    id: GoalId
    text: str
    """What the user typed, to the letter."""
    title: str
    """Its first line, cleaned and capped, for lists."""
    state: GoalState = GoalState.READY
    reason: str = ""
    priority: int = PRIORITY_DEFAULT
    budget_micro_usd: int | None = None
    """Ceiling on what it may cost. None means none."""
    budget_tokens: int | None = None
    budget_seconds: int | None = None
    """Ceiling on how long its agents may work, added up."""
    source: str = "single"
    """Who made its plan: ``single`` (a plain submit), ``rules``, a provider's name, ``file``, ``demo``."""
    notice: str = ""
    """What the user must know about the plan, such as "planned by rules: no model was available"."""
    verify: str | None = None
    """Check for every task that has none of its own. None means the project's detected test command."""
    isolation: Isolation | None = None
    """None until its first attempt decides."""
    base_commit: str | None = None
    base_branch: str | None = None
    """The user's branch that the result is meant for. None on a detached HEAD."""
    result_branch: str | None = None
    delivery: Delivery = Delivery.NOT_YET
    delivery_note: str = ""
    delivered_from: str | None = None
    """Where the user's branch was before we moved it; ``undo`` needs it."""
    delivered_to: str | None = None
    verdict: Verdict | None = None
    demo: bool = False
    """True when any of its work came from the scripted demo agents. Every view says so."""
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


AGE_PER_POINT_MS = 15 * 60 * 1000
"""One point of priority is worth 15 minutes of waiting: a high goal (10) overtakes a normal one (50) that is
less than ten hours older. Stored once, so ageing costs nothing at claim time."""


def goal_rank(created_at_ms: int, priority: int) -> int:
    """Return the number that orders goals, low first."""
    return created_at_ms + priority * AGE_PER_POINT_MS


def title_of(text: str, limit: int = 80) -> str:
    """Return the first line of *text* that says something, cleaned, white space folded, at most *limit* characters."""
    first = next((line for line in clean(text).splitlines() if line.strip()), "")
    words = " ".join(first.split())
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
