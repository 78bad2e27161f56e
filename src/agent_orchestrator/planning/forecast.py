"""How long a plan may take and what it may cost: many nights played through, each with durations drawn anew.

What tasks took in this project before goes into it, as far as there is any; the rest is assumed, and said to be. A
running queue starts the task with the longest way to the end first, and so does this. Two plans of the same tasks, with
the same history, have the same forecast: what is drawn begins at the same place.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, exp, log
from random import Random

from agent_orchestrator.domain.finished import Finished
from agent_orchestrator.domain.plan import Plan, PlannedTask, order
from agent_orchestrator.domain.task import SIZE_MINUTES, Size, Tier
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.planning.expecting import PROJECT_SPREAD, Expectation, Traits, expected

NIGHTS = 400
"""Times a plan is played through. More change P90 by less than what is not known of it."""
NIGHTS_OF_MANY = 100
MANY_TASKS = 60
"""From more tasks on NIGHTS_OF_MANY are played, so that nobody waits a second for it: their sums scatter less."""
SEED = 20260301
CENT = 10_000
"""Micro-dollars."""

USAGE_A_MINUTE = Usage(input_tokens=10_000, cached_tokens=200_000, output_tokens=1_500)
"""What an agent is assumed to use in a minute of work, where nothing was measured: some three requests, each reading
what was said so far from a cache. Costs are this times the minutes of the size times the price of the tier's model."""
COSTS_NEEDED = 3
"""Finished tasks with a cost from which a forecast of cost is the project's own, and no assumption any more."""
ASSUMED_MODEL_SPREAD = 0.9
"""How far costs may lie from the assumption when the model is assumed too: a factor of 2.5, either way. The models that
a CLI might choose instead cost half as much, or twice."""
UNPRICED_SPREAD = 3.0
"""How far costs may lie from the assumption when it is not of the model at work: hardly an assumption."""
SOME_COST_MICRO_USD = 60_000
"""A minute by an imagined model, where no price is known: only what was seen decides then."""

Priced = Callable[[Usage, Tier], int | None]
"""What a usage by the model of a tier costs in micro-dollars; None where no price is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known about the work that will be done."""

    finished: Sequence[Finished] = ()
    """Tasks of this project that are done, the newest first."""
    provider: str | None = None
    """Who will probably do the work. None: nobody who could is known."""
    priced: Priced = lambda usage, tier: None
    assumed: Priced = lambda usage, tier: None
    """The same where the model is only assumed, because the CLI chooses it."""
    assumed_model: str = ""
    """What ``assumed`` assumes, in words."""
    unpriced: str = "no price is known"
    """Why a cost cannot be told, in words, when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a plan may cost, in micro-dollars."""

    p50_micro_usd: int
    p90_micro_usd: int
    from_tasks: int
    """Finished tasks with a cost that it comes from."""
    assumed: str = ""
    """What it rests on as long as those are fewer than COSTS_NEEDED, in words: tokens, perhaps the model too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to be expected of a plan. "Nine of ten" counts the nights that were played through."""

    agents: int
    p50_s: int
    """Seconds until the last task is landed: half of the nights take longer. Usage limits are not in it."""
    p90_s: int
    """One of ten nights takes longer than this."""
    cost: Cost | None
    """None when it is not known; never a zero instead."""
    cost_unknown: str
    """Why not, in words. Empty when it is known."""
    from_tasks: int
    """Finished tasks of this project that the durations come from. 0: they are assumed per size."""
    at_once: int
    """How many tasks are at work at the same time when there are agents enough."""
    critical: tuple[str, ...]
    """Ids of the longest way through the plan, in order, by what is expected of each task."""
    decides: tuple[tuple[str, float], ...]
    """Ids of tasks that the end waited for, with the share of nights in which it did, the most frequent first. A task
    can decide the end without being critical: when agents are few, by keeping one busy."""


def forecast(plan: Plan, agents: int, history: History | None = None) -> Forecast:
    """Return what to expect of *plan* with *agents* agents at work.

    Raises:
        InvalidPlan: its dependencies form a cycle.
    """
    known = history or History()
    traits = {task.id: _traits(task.size, task.tier, task.agent_type, known.provider) for task in plan.tasks}
    seen = [
        (_traits(one.size, one.tier, one.specialist, one.provider), log(max(one.seconds, 1) / _assumed_s(one.size)))
        for one in known.finished
    ]
    durations = expected(seen, traits.values())
    typical = {task.id: _assumed_s(task.size) * exp(durations.typical(traits[task.id])) for task in plan.tasks}
    line = _Line(plan)
    ends: list[float] = []
    decided: Counter[str] = Counter()
    for multiples in _nights(plan.tasks, traits, durations):
        took = {task.id: _assumed_s(task.size) * multiples[task.id] for task in plan.tasks}
        played = line.played(took, agents)
        ends.append(played.end)
        decided.update(played.chain)
    cost, why_not = _cost(plan, traits, known)
    return Forecast(
        agents=agents,
        p50_s=round(_percentile(ends, 50)),
        p90_s=round(_percentile(ends, 90)),
        cost=cost,
        cost_unknown=why_not,
        from_tasks=len(known.finished),
        at_once=line.played(typical, len(plan.tasks)).most,
        critical=_longest_way(plan, typical),
        decides=tuple((id, round(count / len(ends), 2)) for id, count in _most(decided, plan)),
    )


def critical_path(plan: Plan) -> tuple[str, ...]:
    """Return the ids of the longest way through *plan*, by what is assumed of each size."""
    return _longest_way(plan, {task.id: SIZE_MINUTES[task.size] for task in plan.tasks})


def _traits(size: Size, tier: Tier, specialist: str, provider: str | None) -> Traits:
    told = (("size", size.value), ("specialist", specialist), ("tier", tier.value))
    return (*told, ("provider", provider)) if provider else told


def _assumed_s(size: Size) -> float:
    return SIZE_MINUTES[size] * 60.0


def _cost(plan: Plan, traits: Mapping[str, Traits], known: History) -> tuple[Cost | None, str]:
    """Return what *plan* may cost, or why that cannot be told."""

    def by(price: Priced, size: Size, tier: Tier) -> int | None:
        minutes = SIZE_MINUTES[size]
        used = Usage(
            input_tokens=USAGE_A_MINUTE.input_tokens * minutes,
            cached_tokens=USAGE_A_MINUTE.cached_tokens * minutes,
            output_tokens=USAGE_A_MINUTE.output_tokens * minutes,
        )
        return price(used, tier)

    with_cost = [(one, one.cost_micro_usd) for one in known.finished if one.cost_micro_usd]
    with_cost = [pair for pair in with_cost if pair[0].provider == known.provider]
    tiers = {task.tier for task in plan.tasks} | {one.tier for one, _ in with_cost}

    def knows(price: Priced) -> bool:
        return all(by(price, Size.M, tier) for tier in tiers)

    price, told, spread = known.priced, "tokens", PROJECT_SPREAD
    if not knows(price):
        if len(with_cost) >= COSTS_NEEDED:
            price, spread = _some_price, UNPRICED_SPREAD
        elif knows(known.assumed):
            price, told, spread = known.assumed, f"tokens, and {known.assumed_model}", ASSUMED_MODEL_SPREAD
        else:
            return None, known.unpriced

    def assumed(size: Size, tier: Tier) -> float:
        return float(by(price, size, tier) or CENT)

    seen = [
        (_traits(one.size, one.tier, one.specialist, one.provider), log(cost / assumed(one.size, one.tier)))
        for one, cost in with_cost
    ]
    learned = expected(seen, traits.values(), project_spread=spread)
    sums = [
        sum(assumed(task.size, task.tier) * multiples[task.id] for task in plan.tasks)
        for multiples in _nights(plan.tasks, traits, learned)
    ]
    p50, p90 = (max(CENT, round(_percentile(sums, percent))) for percent in (50, 90))
    told = told if len(seen) < COSTS_NEEDED else ""
    return Cost(p50_micro_usd=p50, p90_micro_usd=p90, from_tasks=len(seen), assumed=told), ""


def _some_price(usage: Usage, tier: Tier) -> int:
    """Return what *usage* costs by an imagined model: what was seen decides then."""
    del tier
    return SOME_COST_MICRO_USD * usage.input_tokens // USAGE_A_MINUTE.input_tokens


def _nights(
    tasks: Sequence[PlannedTask], traits: Mapping[str, Traits], learned: Expectation
) -> Iterator[dict[str, float]]:
    """Yield, one night after the other, the multiple of what is assumed that each task takes in it.

    Every night comes with its opposite, which takes chance out of the middle.
    """
    random = Random(SEED)  # noqa: S311 - nothing here is secret; it must be the same every time
    effects = len(learned.effects)
    for _ in range((NIGHTS if len(tasks) <= MANY_TASKS else NIGHTS_OF_MANY) // 2):
        normals = [random.gauss(0, 1) for _ in range(effects + len(tasks))]
        for turned in (normals, [-one for one in normals]):
            drawn = learned.drawn(turned[:effects])
            yield {
                task.id: exp(drawn.of(traits[task.id]) + learned.spread * own)
                for task, own in zip(tasks, turned[effects:], strict=True)
            }


def _percentile(figures: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile."""
    return sorted(figures)[max(0, ceil(len(figures) * percent / 100) - 1)]


def _most(decided: Counter[str], plan: Plan) -> list[tuple[str, int]]:
    place = {task.id: at for at, task in enumerate(plan.tasks)}
    return sorted(decided.items(), key=lambda pair: (-pair[1], place[pair[0]]))


def _remaining(plan: Plan, lasts: Mapping[str, float]) -> dict[str, float]:
    """Return for each task how long it is from its start to the end, if nothing else is waited for."""
    needs = {task.id: task.depends_on for task in plan.tasks}
    left = dict(lasts)
    for id in reversed(order(plan.tasks)):
        for need in needs[id]:
            left[need] = max(left[need], lasts[need] + left[id])
    return left


def _longest_way(plan: Plan, lasts: Mapping[str, float]) -> tuple[str, ...]:
    left = _remaining(plan, lasts)
    path: list[str] = []
    heads = [task.id for task in plan.tasks if not task.depends_on]
    while heads:
        path.append(max(heads, key=left.__getitem__))
        heads = [task.id for task in plan.tasks if path[-1] in task.depends_on]
    return tuple(path)


@dataclass(frozen=True, slots=True)
class _Played:
    end: float
    most: int
    """How many were at work at once, at most."""
    chain: tuple[str, ...]
    """The last task to end, what its start waited for, and so on back to the beginning."""


class _Line:
    """The queue that a plan becomes: who starts first is decided before anybody knows how long it will take."""

    def __init__(self, plan: Plan) -> None:
        left = _remaining(plan, {task.id: SIZE_MINUTES[task.size] for task in plan.tasks})
        urgency = sorted(range(len(plan.tasks)), key=lambda at: (-left[plan.tasks[at].id], plan.tasks[at].priority, at))
        self.ids = [plan.tasks[at].id for at in urgency]
        turn = {id: at for at, id in enumerate(self.ids)}
        needs = {task.id: task.depends_on for task in plan.tasks}
        self.needs = [[turn[need] for need in needs[id]] for id in self.ids]
        self.after: list[list[int]] = [[] for _ in self.ids]
        for at, needed in enumerate(self.needs):
            for need in needed:
                self.after[need].append(at)

    def played(self, took: Mapping[str, float], agents: int) -> _Played:
        """Go through the ends in order, and start whatever may start at each, the most urgent first."""
        lasts = [took[id] for id in self.ids]
        unmet = [len(needed) for needed in self.needs]
        ready = [at for at, count in enumerate(unmet) if not count]  # in order, and so a heap
        because: list[int | None] = [None] * len(lasts)
        working: list[tuple[float, int]] = []
        now, most, ended = 0.0, 0, None
        while ready or working:
            while ready and len(working) < max(1, agents):
                at = heappop(ready)
                because[at] = ended
                heappush(working, (now + lasts[at], at))
            most = max(most, len(working))
            now, ended = heappop(working)
            for later in self.after[ended]:
                unmet[later] -= 1
                if not unmet[later]:
                    heappush(ready, later)
        chain: list[str] = []
        while ended is not None:
            chain.append(self.ids[ended])
            ended = because[ended]
        return _Played(now, most, tuple(chain))
