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
"""No agent is started this short before the run winds down: it could not finish, and its tokens would be wasted."""
WIND_DOWN = timedelta(minutes=1)
"""How long before the deadline agents are asked to end: what they have is saved and landed work delivered by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortly:
    """How long before a run's deadline the last agent is started, and those at work are asked to end."""

    last_start: timedelta = LAST_START
    wind_down: timedelta = WIND_DOWN


def shortly_before(until: datetime | None, began: datetime) -> Shortly:
    """Return how the end of a run that *began* is prepared; of a short run no more than a quarter is given up."""
    if until is None:
        return Shortly()
    span = max(timedelta(0), until - began)
    return Shortly(last_start=min(LAST_START, span / 4), wind_down=min(WIND_DOWN, span / 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the decision depends on."""

    now: datetime
    providers: tuple[str, ...]
    """Providers of this run, the preferred first."""
    held: frozenset[str] = frozenset()
    """Providers that must wait."""
    room: Mapping[str, int] = field(default_factory=dict)
    """How many more agents may be started of each provider that refused lately; one that is not in it has no limit."""
    max_agents: int = 3
    busy: int = 0
    """Agents running or being started."""
    asking: int = 0
    """Planners that are being asked. They take no agent's place, and what they may use is set aside like an agent's."""
    one_at_a_time: bool = False
    """True when all work in one folder."""
    stopping: bool = False
    until: datetime | None = None
    last_start: timedelta = LAST_START
    """How long before ``until`` the last agent may be started."""
    budget: Budget | None = None
    spent_micro_usd: int = 0
    spent_tokens: int = 0
    worked_s: int = 0
    """Seconds that agents of this run were at work, added up."""
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
    stand_ins: tuple[str, ...] = ()
    """Those of them that are the run's, and may take a task that the first provider failed at again and again."""
    goals: tuple[GoalId, ...] = ()
    stopped_by: str = ""
    """``deadline`` or ``budget`` when that is why nothing starts any more."""


def decide(situation: Situation) -> Decision:
    """Return what may start in *situation*."""
    if situation.stopping:
        return Decision()
    if situation.until is not None and situation.now >= situation.until - situation.last_start:
        return Decision(stopped_by="deadline")
    at_work = situation.busy + situation.asking
    if situation.budget is not None and not situation.budget.allows_start(
        situation.spent_micro_usd, at_work, tokens=situation.spent_tokens, seconds=situation.worked_s
    ):
        return Decision(stopped_by="" if at_work else "budget")
    goals = tuple(goal for goal in situation.goals if goal not in situation.exhausted)
    limit = 1 if situation.one_at_a_time else situation.max_agents
    slots = max(0, limit - situation.busy)
    closed = situation.held | {name for name, room in situation.room.items() if room <= 0}
    free = [name for name in situation.providers if name not in closed]
    others = [name for name, ready in situation.task_providers.items() if ready and name not in closed]
    stopped = "budget" if situation.goals and not goals and not at_work else ""
    if not goals or not slots or not (free or others):
        return Decision(stopped_by=stopped)
    provider = free[0] if free else None
    # No more in one go than the narrowest of them may take; the next look goes on from there.
    slots = min([slots, *(situation.room[name] for name in (*free, *others) if name in situation.room)])
    return Decision(
        slots=slots,
        provider=provider,
        others=tuple(dict.fromkeys(free[1:] + others)),
        stand_ins=tuple(free[1:]),
        goals=goals,
    )
