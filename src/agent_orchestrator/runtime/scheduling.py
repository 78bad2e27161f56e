"""What may start now, in which order, under which limits. Pure: values in, a decision out.

The order itself is stored with the tasks (see domain/ranking.py and
domain/goal.py) and applied by the claim; here it is decided whether anything
may be claimed at all, by which provider, and from which goals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.ids import GoalId

LAST_START = timedelta(minutes=2)
"""No agent is started this short before the deadline: it could not finish, and its tokens would be wasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the decision depends on."""

    now: datetime
    providers: tuple[str, ...]
    """Providers of this run, the preferred first."""
    held: frozenset[str] = frozenset()
    """Providers that must wait."""
    max_agents: int = 3
    busy: int = 0
    """Agents running or being started."""
    one_at_a_time: bool = False
    """True when all work in one folder."""
    stopping: bool = False
    until: datetime | None = None
    budget: Budget | None = None
    spent_micro_usd: int = 0
    goals: tuple[GoalId, ...] = ()
    """Goals from which tasks may be taken."""
    exhausted: frozenset[GoalId] = frozenset()
    """Goals whose own budget is used up."""
    task_providers: Mapping[str, bool] = field(default_factory=dict)
    """Further providers that single tasks insist on, and whether each is ready to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What may start."""

    slots: int = 0
    """How many more agents may be started."""
    provider: str | None = None
    """Who takes tasks that do not insist on somebody. None: those wait, all providers of the run are on hold."""
    others: tuple[str, ...] = ()
    """Providers whose own tasks may be taken too."""
    goals: tuple[GoalId, ...] = ()
    stopped_by: str = ""
    """``deadline`` or ``budget`` when that is why nothing starts any more."""


def decide(situation: Situation) -> Decision:
    """Return what may start in *situation*."""
    if situation.stopping:
        return Decision()
    if situation.until is not None and situation.now >= situation.until - LAST_START:
        return Decision(stopped_by="deadline")
    if situation.budget is not None and not situation.budget.allows_start(situation.spent_micro_usd, situation.busy):
        return Decision(stopped_by="" if situation.busy else "budget")
    goals = tuple(goal for goal in situation.goals if goal not in situation.exhausted)
    limit = 1 if situation.one_at_a_time else situation.max_agents
    slots = max(0, limit - situation.busy)
    free = [name for name in situation.providers if name not in situation.held]
    others = [name for name, ready in situation.task_providers.items() if ready and name not in situation.held]
    stopped = "budget" if situation.goals and not goals and not situation.busy else ""
    if not goals or not slots or not (free or others):
        return Decision(stopped_by=stopped)
    provider = free[0] if free else None
    return Decision(slots=slots, provider=provider, others=tuple(dict.fromkeys(free[1:] + others)), goals=goals)
