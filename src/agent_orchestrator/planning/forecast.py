"""How long a plan may take, for so many agents: expectations per size, put together along its dependencies.

The minutes per size are what is assumed of an agent before anything was measured; they are shown as such. A running
queue starts the task with the longest way to the end first, and so does this.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agent_orchestrator.domain.plan import Plan, order
from agent_orchestrator.domain.task import SIZE_MINUTES, Size

LONGEST_MINUTES = {Size.S: 10, Size.M: 30, Size.L: 90}
"""The upper ends of what the sizes mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to be expected of a plan."""

    agents: int
    likely_minutes: int
    """With the expected minutes of each size, nothing failing and no limit met."""
    longest_minutes: int
    """With the upper end of each size."""
    at_once: int
    """How many tasks are at work at the same time when there are agents enough."""
    critical: tuple[str, ...]
    """Ids of the tasks that decide the end: the longest way through the plan, in order."""


def forecast(plan: Plan, agents: int) -> Forecast:
    """Return what to expect of *plan* with *agents* agents at work.

    Raises:
        InvalidPlan: its dependencies form a cycle.
    """
    likely = {task.id: SIZE_MINUTES[task.size] for task in plan.tasks}
    longest = {task.id: LONGEST_MINUTES[task.size] for task in plan.tasks}
    return Forecast(
        agents=agents,
        likely_minutes=_makespan(plan, likely, agents)[0],
        longest_minutes=_makespan(plan, longest, agents)[0],
        at_once=_makespan(plan, likely, len(plan.tasks))[1],
        critical=_critical(plan, likely),
    )


def _remaining(plan: Plan, minutes: Mapping[str, int]) -> dict[str, int]:
    needs = {task.id: task.depends_on for task in plan.tasks}
    left = dict(minutes)
    for id in reversed(order(plan.tasks)):
        for need in needs[id]:
            left[need] = max(left[need], minutes[need] + left[id])
    return left


def _critical(plan: Plan, minutes: Mapping[str, int]) -> tuple[str, ...]:
    left = _remaining(plan, minutes)
    path: list[str] = []
    heads = [task.id for task in plan.tasks if not task.depends_on]
    while heads:
        path.append(max(heads, key=left.__getitem__))
        heads = [task.id for task in plan.tasks if path[-1] in task.depends_on]
    return tuple(path)


def _makespan(plan: Plan, minutes: Mapping[str, int], agents: int) -> tuple[int, int]:
    """Return when the last task ends and how many were at work at once at most, going through the ends in order."""
    left = _remaining(plan, minutes)
    unmet = {task.id: len(task.depends_on) for task in plan.tasks}
    after: dict[str, list[str]] = {task.id: [] for task in plan.tasks}
    for task in plan.tasks:
        for need in task.depends_on:
            after[need].append(task.id)
    ready = [id for id, count in unmet.items() if not count]
    working: list[tuple[int, str]] = []
    now = most = 0
    while ready or working:
        ready.sort(key=left.__getitem__, reverse=True)
        while ready and len(working) < max(1, agents):
            id = ready.pop(0)
            working.append((now + minutes[id], id))
        most = max(most, len(working))
        now = min(end for end, _ in working)
        for end, id in [one for one in working if one[0] == now]:
            working.remove((end, id))
            for later in after[id]:
                unmet[later] -= 1
                if not unmet[later]:
                    ready.append(later)
    return now, most
