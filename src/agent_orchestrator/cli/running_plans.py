"""The plan of a goal that is in the queue, on the command line: looked at, compared, changed, and what agents wish."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, doors, render, showing
from agent_orchestrator.domain.errors import BadInput, NothingToDo
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import slug
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.domain.replan import Replan
    from agent_orchestrator.services.plans import SavedPlan
    from agent_orchestrator.services.running_plans import Scene


def show(app: App, goal: Goal, *, as_json: bool) -> None:
    """Print a goal's plan as it is now, what was changed in it, and what waits for the user."""
    scene = app.running_plans.scene(goal.id)
    if as_json:
        doors.answer(answer(app, scene.saved))
        return
    columns.show([(scene.saved.id, f"version {scene.saved.version}", goal.id, goal.state, goal.title)])
    rows = [
        (f"phase {one.phase}", scene.tasks[one.id].state, one.id, one.agent_type, _after(one.depends_on), one.title)
        for one in sorted(scene.plan.tasks, key=lambda one: one.phase)
    ]
    columns.show(rows)
    from agent_orchestrator.services import plan_changes

    for change in plan_changes.made(app.store, goal.id):
        told = f"version {change['version']} by {change['who']}: {change['what']} ({change['why']})"
        doors.tell(columns.one_line(told))
    _tell_waiting(app, goal)


def _tell_waiting(app: App, goal: Goal) -> None:
    from agent_orchestrator.services import plan_changes

    waiting = app.replanning.waiting(goal.id)
    for one in waiting:
        wished = plan_changes.waiting_json(app.store, one)
        how = "after" if wished["kind"] == "more" else "instead of"
        render.say([columns.one_line(f"To agree to, number {one.id}, {how} {wished['key']}: {wished['why']}")])
        for task in wished["tasks"]:
            render.say([f"  + {columns.one_line(task['title'])}"])
            render.say(render.block(task["description"], "      ", 12))
            proposed = f"its author's own check, which is not run by us: {task['verify']}" if task["verify"] else ""
            facts = [f"may write {', '.join(task['owns'])}" if task["owns"] else "", *task["acceptance"], proposed]
            render.say([f"      - {columns.one_line(fact)}" for fact in facts if fact])
        doors.tell(columns.one_line(f"you are asked because {wished['reason']}"))
    if waiting:
        doors.tell(f"agree: orchestrate plan-continue {goal.id} --agree    or: --refuse")
    if len(waiting) > 1:
        doors.tell(f"to one of them: --agree {waiting[0].id}    or: --refuse {waiting[0].id}")


def _after(needs: Sequence[str]) -> str:
    return f"after {', '.join(needs)}" if needs else ""


def answer(app: App, saved: "SavedPlan", decided: "Sequence[Replan]" = ()) -> Json:
    """Return what a program is told of a plan in the queue, with what waits for agreement and what was *decided*."""
    from agent_orchestrator.services import plan_changes

    assert saved.goal is not None
    waiting = [plan_changes.waiting_json(app.store, one) for one in app.replanning.waiting(saved.goal)]
    over = [plan_changes.waiting_json(app.store, one) for one in decided]
    return {**showing.saved_json(app, saved), "waiting": waiting, "decided": over}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the user says to changes of a plan that wait for them."""

    agree: bool
    numbers: tuple[int, ...] = ()
    """Of the changes that it is about; empty means all."""
    why: str = ""


def decide(app: App, goal: Goal, answered: Answered, *, as_json: bool) -> None:
    """Make what waits for the user, or leave the plan as it is."""
    if answered.agree:
        done = app.replanning.agree(goal.id, answered.numbers)
    else:
        done = app.replanning.refuse(goal.id, answered.why, answered.numbers)
    if as_json:
        doors.answer(answer(app, app.running_plans.scene(goal.id).saved, done))
        return
    if answered.agree:
        count = sum(len(one.tasks) for one in done)
        running = app.supervision.current() is not None
        then = "the running supervisor takes them up" if running else "start them: orchestrate run"
        doors.tell(f"{count} task{'s are' if count != 1 else ' is'} added to goal {goal.id}; {then}")
    else:
        named = ", ".join(str(one.id) for one in done)
        doors.tell(f"refused ({named}): the plan of goal {goal.id} stays as it is")
    left = app.replanning.waiting(goal.id)
    if left:
        named = ", ".join(str(one.id) for one in left)
        doors.tell(f"still waits for you: {named}; look: orchestrate plan-continue {goal.id}")


def apply(app: App, goal: Goal, wanted: "Wanted", *, as_json: bool) -> None:
    """Change a plan that is worked on as a file says."""
    from agent_orchestrator.planning.comparing import difference, in_words
    from agent_orchestrator.services.running_plans import USER, Cause

    scene = app.running_plans.scene(goal.id)
    new = wanted.of(app, scene)
    if not difference(scene.plan, new):
        doors.tell("nothing is different")
        saved = scene.saved
    else:
        after = scene.saved.version if wanted.after is None else wanted.after
        cause = Cause(who=USER, why=wanted.why)
        saved = app.running_plans.change(goal.id, lambda now: wanted.of(app, now), cause=cause, after=after)
    if as_json:
        doors.answer(answer(app, saved))
        return
    render.say([columns.one_line(line) for line in in_words(difference(scene.plan, saved.plan))])
    doors.tell(f"{saved.id} is at version {saved.version}")


class Wanted:
    """What a file says a plan in the queue shall become: a list of changes, or the whole plan."""

    def __init__(self, file: str, data: object, read: Any) -> None:
        """Take *data*, decoded from *file*; *read* reads a whole plan of text."""
        self.why = f"applied {file}"
        self.after: int | None = None
        self._read = read
        self._changes: list[Any] | None = None
        if not (isinstance(data, dict) and "tasks" in data):
            changes = data.get("changes") if isinstance(data, dict) else data
            version = data.get("version") if isinstance(data, dict) else None
            self.after = version if isinstance(version, int) else None
            if not isinstance(changes, list) or not changes:
                raise BadInput(f"{file} has no changes", hint='[{"op": "remove", "task": "docs"}], or a whole plan')
            self._changes = changes

    def of(self, app: App, scene: "Scene") -> Plan:
        """Return the plan that is wanted; what it does not speak of stays to the letter."""
        if self._changes is not None:
            from agent_orchestrator.planning.editing import edited

            return edited(scene.plan, [_apart(one, scene.plan) for one in self._changes], app.roster)
        from agent_orchestrator.planning.plan_file import read, write

        found = self._read()
        if found.name == scene.saved.id:
            self.after = found.version
        name, version = scene.saved.id, scene.saved.version
        same = read(write(scene.plan, "json", name=name, version=version), "json", app.roster).plan
        unchanged = {task.id: _plain(task) for task in same.tasks}
        now = {task.id: task for task in scene.plan.tasks}
        # A file says everything once more, as the validator has it: what it did not change is not taken from it.
        tasks = tuple(now[task.id] if unchanged.get(task.id) == _plain(task) else task for task in found.plan.tasks)
        return replace(scene.plan, tasks=tasks)


def _plain(task: PlannedTask) -> PlannedTask:
    return replace(task, phase=0, routing=None)


def _apart(change: Any, plan: Plan) -> Any:
    """Return *change* so that a part of a task in the queue does not take that task's own id."""
    if not isinstance(change, dict) or change.get("op") != "split" or not isinstance(change.get("into"), list):
        return change
    taken = {task.id for task in plan.tasks}
    parts = []
    for at, part in enumerate(change["into"], 1):
        fields = {"title": part} if isinstance(part, str) else part
        if isinstance(fields, dict):
            id = slug(str(fields.get("id") or fields.get("title") or ""))
            fields = {**fields, "id": f"{id[:44]}-{at}" if id in taken else id}
        parts.append(fields)
    return {**change, "into": parts}


def split(app: App, task: Task, *, as_json: bool) -> None:
    """Divide a task that nobody is at work on, and put the parts in its place.

    Raises:
        NothingToDo: it cannot be divided.
    """
    at_work = app.store.tasks.counts(task.goal)
    running = at_work[TaskState.CLAIMED] + at_work[TaskState.RUNNING]
    splitter = app.splitter(task, lambda: app.budgets.short(task.goal, running))
    parts = splitter.split(app.replanning.planned(task), app.replanning.told(task))
    if not parts.tasks:
        raise NothingToDo(
            f"task {task.id} cannot be split: {parts.notice}",
            hint=f'name the parts: plan-continue {task.goal} --apply with {{"op": "split", "task": "{task.key}", …}}',
        )
    how = "by rules" if parts.source == "rules" else f"by {parts.source}"
    app.replanning.split(task, parts.tasks, why=f"you asked for it; divided {how}")
    saved = app.running_plans.scene(task.goal).saved
    if as_json:
        doors.answer(answer(app, saved))
        return
    if parts.notice:
        doors.tell(parts.notice)
    doors.tell(f"{task.key} is split {how}: {', '.join(one.title for one in parts.tasks)}")
    doors.tell(f"see: orchestrate plan-continue {task.goal} --diff; start them: orchestrate run")
