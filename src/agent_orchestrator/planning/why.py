"""Why a plan is as it is: a specialist, a size, a dependency, in words for a person."""

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import SIZE_MINUTES, Size
from agent_orchestrator.planning.forecast import critical_path
from agent_orchestrator.planning.layers import layers_in
from agent_orchestrator.planning.lint import contest

LONGEST_MINUTES = {Size.S: 10, Size.M: 30, Size.L: 90}
"""The upper ends of what the sizes mean."""


def why_task(plan: Plan, task: PlannedTask) -> list[str]:
    """Return what speaks for the specialist, the size and the place of *task*."""
    lines = [f"{task.id}: {task.title}", f"  specialist {task.agent_type}: {_routing(task)}"]
    size = f"up to {LONGEST_MINUTES[task.size]} minutes, {SIZE_MINUTES[task.size]} assumed where nothing was measured"
    lines.append(f"  size {task.size}: {size}")
    needs = [need for need in plan.tasks if need.id in task.depends_on]
    lines += [f"  waits for {need.id}: {_edge(need, task)}" for need in needs]
    later = [one.id for one in plan.tasks if task.id in one.depends_on]
    lines.append(f"  waited for by {', '.join(later)}" if later else "  nothing waits for it")
    if task.id in critical_path(plan):
        lines.append("  on the critical path: what it takes longer, the whole takes longer")
    return lines


def why_edge(plan: Plan, task: PlannedTask, need: PlannedTask) -> list[str]:
    """Return why *task* waits for *need*, or that it does not."""
    if need.id in task.depends_on:
        return [f"{task.id} waits for {need.id}: {_edge(need, task)}"]
    if path := _path(plan, task.id, need.id):
        return [f"{task.id} waits for {need.id} by way of others: {' → '.join(reversed(path))}"]
    if _path(plan, need.id, task.id):
        return [f"{task.id} does not wait for {need.id}; it is the other way round"]
    return [f"neither waits for the other: {task.id} and {need.id} may run at the same time"]


def _routing(task: PlannedTask) -> str:
    if task.routing is None:
        return "named by who made the plan"
    routing = task.routing
    others = f"; next best: {', '.join(routing.alternatives)}" if routing.alternatives else ""
    sure = f"confidence {routing.confidence:.2f}" + (", a guess" if routing.is_guess else "")
    by = routing.reason if routing.specialist == task.agent_type else f"the words speak for {routing.specialist}"
    return f"{by} ({sure}{others})"


def _edge(need: PlannedTask, task: PlannedTask) -> str:
    both = contest(need.owns, task.owns)
    if both is not None:
        return f"both {both}"
    lower = list(layers_in(need.title).values())
    upper = list(layers_in(task.title).values())
    if lower and upper and lower[0] != upper[-1]:
        return f"{lower[0]!r} comes before {upper[-1]!r} ({need.title})"
    return f"it needs its result ({need.title})"


def _path(plan: Plan, start: str, end: str) -> list[str]:
    """Return the ids from *start* along what each waits for to *end*, or nothing."""
    needs = {task.id: task.depends_on for task in plan.tasks}
    ways, seen = [[start]], {start}
    for way in ways:  # grows while it is walked: the shortest way comes first
        if way[-1] == end:
            return way
        for need in needs[way[-1]]:
            if need not in seen:
                seen.add(need)
                ways.append([*way, need])
    return []
