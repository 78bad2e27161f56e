"""Changing a plan while it is worked on: who wants it, how far it may go by itself, when a person is asked.

An agent may report that more work is needed, and a task that failed again and
again may be split. Both add tasks that nobody saw before the night, so both are
bounded: in number, in depth, and by the goal's own budget and deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.ids import AttemptId, GoalId, TaskId

DEPTH_LIMIT = 2
"""How far from the plan that a person saw: a task added for an added task is the last. What is divided twice and still
fails is not too big, it is misunderstood."""
REPORT_TASKS = 10
"""Tasks of one report. More is another goal, and its own plan."""
PARTS_LIMIT = 6
"""Parts of one split task."""
DIVISIBLE = frozenset({Outcome.REJECTED, Outcome.NO_EVIDENCE, Outcome.TIMED_OUT})
"""How the last attempt must have ended for a task to be split: these tell that the work was too much for one sitting.
A crash, a conflict or a lost session tells of something else."""
POLICY = "policy"
"""Who decided on a change that nobody was asked about."""


class Policy(StrEnum):
    """Who decides on changes of a plan that is worked on."""

    AUTO = "auto"
    """What is bounded goes on by itself; the rest waits for a person."""
    ASK = "ask"
    """Every change waits for a person."""
    NEVER = "never"
    """No agent adds tasks and none is split."""


class Kind(StrEnum):
    """What a change is about."""

    MORE = "more"
    """The agent of a task found that more work is needed."""
    SPLIT = "split"
    """A task failed, and smaller ones may do its work."""


class State(StrEnum):
    """Where a wished change stands."""

    REPORTED = "reported"
    """An agent said it; its task is not done yet, and nothing is added for work that may still be thrown away."""
    DUE = "due"
    """The supervisor is to decide on it next."""
    WAITING = "waiting"
    """A person must agree."""
    APPLIED = "applied"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """One wished change of a goal's plan."""

    id: int = 0
    """Given by the store."""
    goal: GoalId
    task: TaskId
    """Who reported, or who is to be split."""
    attempt: AttemptId | None = None
    kind: Kind
    state: State
    why: str
    """In words: what an agent said, or how the task failed."""
    tasks: tuple[Mapping[str, object], ...] = ()
    """The new tasks as planned-task JSON. Empty for a split that nobody has thought through yet."""
    reason: str = ""
    """Why it stands where it stands, such as why a person is asked."""
    by: str = ""
    """Who decided: ``user`` or ``policy``. Empty while nobody has."""
    at: datetime
    decided_at: datetime | None = None


def why_ask(policy: Policy, *, added: int, adding: int, limit: int, depth: int, narrow: str = "") -> str:
    """Return why a person must agree to *adding* tasks where *added* were added unasked; empty when nobody must.

    *depth* is that of the new tasks; *narrow* names the limits of the role whose agent asks for them: what a role may
    not do itself, it must not have done by another unseen.
    """
    if policy is Policy.ASK:
        return "replan is ask"
    if depth > DEPTH_LIMIT:
        return f"they would be {depth} levels from the plan that was agreed to; {DEPTH_LIMIT} go on by themselves"
    if added + adding > limit:
        return f"with {added} added already, {adding} more pass the {limit} that go on by themselves (replan_tasks)"
    if narrow:
        return f"the agent that asks has a narrower role than those who would do it ({narrow})"
    return ""
