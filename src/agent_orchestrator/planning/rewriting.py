"""Changes to a plan that is worked on: what has begun stays as it is, and the rest is arranged around it. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from agent_orchestrator.domain.errors import RefusedByState
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.planning.lint import checks_together, contest, lint
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.texts import ITEMS_LIMIT


def with_more(
    plan: Plan,
    after: str,
    added: Sequence[PlannedTask],
    *,
    before: Mapping[str, Collection[str]],
    changeable: Collection[str],
) -> Plan:
    """Return *plan* with tasks that come after the task *after*.

    Each id in *before* names an added task and the ids that shall wait for it, as far as they have not begun. A task
    that checks the parts together waits for all that is added, for it is to see the whole.
    """
    known = {task.id for task in plan.tasks} | {task.id for task in added}
    new = [
        replace(task, depends_on=tuple(dict.fromkeys((after, *(need for need in task.depends_on if need in known)))))
        for task in added
    ]
    waiting: dict[str, list[str]] = {id: [] for id in changeable}
    last = _last_check(plan)
    for task in new:
        for id in (*before.get(task.id, ()), *((last,) if last else ())):
            if id in waiting and id != after:
                waiting[id].append(task.id)
    tasks = [
        replace(task, depends_on=tuple(dict.fromkeys((*task.depends_on, *waiting.get(task.id, ())))))
        for task in plan.tasks
    ]
    return replace(plan, tasks=(*tasks, *new))


def _last_check(plan: Plan) -> str:
    """Return the id of the one task at the end that looks at the finished parts together; empty without one."""
    needed = {need for task in plan.tasks for need in task.depends_on}
    ends = [task for task in plan.tasks if task.id not in needed]
    return ends[0].id if len(ends) == 1 and len(plan.tasks) > 1 and checks_together(ends[0].title) else ""


def with_parts(plan: Plan, whole: str, parts: Sequence[PlannedTask]) -> Plan:
    """Return *plan* with *parts*, which may wait for each other, in the place of the task *whole*.

    Outer edges stay: the first parts wait for what the whole waited for, and what waited for it waits for the last
    ones. What the whole promised, and what checks that, goes to the last part; a check that needs all of them makes
    that one wait for all. A part has no check of its own choosing: it is judged as the whole was, or more strictly.
    """
    old = next(task for task in plan.tasks if task.id == whole)
    ids = {part.id for part in parts}
    inner = {part.id: tuple(need for need in part.depends_on if need in ids) for part in parts}
    ends = [part.id for part in parts if not any(part.id in needs for needs in inner.values())]
    last = ends[-1]
    if old.verify is not None and len(ends) > 1:
        inner[last] = tuple(dict.fromkeys((*inner[last], *ends[:-1])))
        ends = [last]
    new = [
        replace(
            part,
            depends_on=inner[part.id] or old.depends_on,
            priority=old.priority,
            verify=old.verify if part.id == last else None,
            acceptance=_joined(part.acceptance, old.acceptance) if part.id == last else part.acceptance,
        )
        for part in parts
    ]
    tasks: list[PlannedTask] = []
    for task in plan.tasks:
        if task.id == whole:
            tasks += new
        else:
            needs = (need for one in task.depends_on for need in (ends if one == whole else (one,)))
            tasks.append(replace(task, depends_on=tuple(dict.fromkeys(needs))))
    return replace(plan, tasks=tuple(tasks))


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))[:ITEMS_LIMIT]


def renamed(tasks: Sequence[PlannedTask], taken: Collection[str]) -> tuple[list[PlannedTask], dict[str, str]]:
    """Return *tasks* under ids that are not *taken*, with their edges among each other, and old id to new."""
    used, names = set(taken), {}
    for task in tasks:
        id, number = task.id, 2
        while id in used:
            id, number = f"{task.id[:44]}-{number}", number + 1
        used.add(id)
        names[task.id] = id
    return [
        replace(task, id=names[task.id], depends_on=tuple(names.get(need, need) for need in task.depends_on))
        for task in tasks
    ], names


def arranged(before: Plan, after: Plan, roster: Roster, *, begun: Collection[str], running: Collection[str]) -> Plan:
    """Return *after* as the one validator accepts it, without a change to what was not meant to be changed.

    What has *begun* stays to the letter; a new task that may write what a *running* one writes waits for it.

    Raises:
        RefusedByState: it changes or leaves out what has begun.
        InvalidPlan: it has a cycle, a dependency on nothing, or is no plan.
    """
    old = {task.id: task for task in before.tasks}
    new = {task.id: task for task in after.tasks}
    for id in begun:
        kept = new.get(id)
        if kept is None or replace(kept, phase=0, routing=None) != replace(old[id], phase=0, routing=None):
            raise RefusedByState(
                f"{id} has begun or is finished, and stays as it is",
                hint="orchestrate status says what has not begun; a finished task is taken back in review",
            )
    busy = [old[id] for id in running]
    tasks = [_after_busy(task, busy) if task.id not in old else task for task in after.tasks]
    stubs = [_stub(task, old) for task in tasks]
    checked = lint(replace(after, tasks=tuple(stubs), findings=()), roster, strict=True)
    result = []
    for task in checked.tasks:
        was = new.get(task.id)
        if was is not None and task.id in old and _same(was, old[task.id]):
            needs = old[task.id].depends_on if task.id in begun else task.depends_on
            task = replace(old[task.id], depends_on=needs)
        result.append(task)
    return replace(checked, tasks=tuple(result), notice=before.notice).with_phases()


def _after_busy(task: PlannedTask, busy: Iterable[PlannedTask]) -> PlannedTask:
    met = tuple(one.id for one in busy if contest(one.owns, task.owns) is not None)
    return replace(task, depends_on=tuple(dict.fromkeys((*task.depends_on, *met))))


def _same(one: PlannedTask, other: PlannedTask) -> bool:
    """Say whether only what they wait for differs."""
    return replace(one, depends_on=(), phase=0, routing=None) == replace(other, depends_on=(), phase=0, routing=None)


def _stub(task: PlannedTask, old: Mapping[str, PlannedTask]) -> PlannedTask:
    """Return a task that is not meant to change without its text: that may be as the user typed it, of any length."""
    return replace(task, description=task.title) if task.id in old and _same(task, old[task.id]) else task
