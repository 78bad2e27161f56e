"""Going through finished work, on a terminal with single keys, elsewhere verb by verb."""

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import completing, doors, morning, render, shared_options
from agent_orchestrator.cli.render import line
from agent_orchestrator.domain.errors import BadInput, NotFound
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.services.json_values import Json

TASKS_NAMED = 8
"""Tasks of a goal that are named to choose one from."""


@click.command()
@click.argument("name", metavar="[GOAL|TASK]", required=False, shell_complete=completing.goals_and_tasks)
@click.option("--accept", is_flag=True, help="The task's work is wanted: no report asks you to look at it again.")
@click.option("--reject", is_flag=True, help="Take the task's work out again and put the task back into the queue.")
@click.option(
    "--comment", metavar="TEXT", help="Ask for more, in the same session where the agent keeps one; with --reject, why."
)
@shared_options.as_json
def review(name: str | None, accept: bool, reject: bool, comment: str | None, as_json: bool) -> None:
    """Go through what is done: accept it, reject it, or ask for more.

    On a terminal you decide with single keys, the riskiest work first. Elsewhere it lists what to look at, with the
    commands; --accept, --reject and --comment decide on one TASK. Without a name it is about the newest goal.
    """
    if accept and (reject or comment is not None):
        raise click.UsageError("--accept excludes --reject and --comment.")
    app = doors.app(create=False)
    app.notice_taken_in()
    if accept or reject or comment is not None:
        if name is None:
            raise click.UsageError("Name the task that is decided on.")
        _decide(app, _task_of(app, name), accept=accept, reject=reject, comment=comment or "", as_json=as_json)
        return
    goal, only = _named(app, name)
    found = to_look_at(app, goal, only)
    if as_json:
        doors.answer({"goal": goal.id, "decided": None, "items": [item_json(one) for one in found]})
    elif doors.interactive() and found:
        from agent_orchestrator.cli.walking import walk

        walk(app, found)
    else:
        render.say(_lines(goal, found), folded=True)
    if name is None and not as_json:
        for one in app.reports.others(goal):
            doors.tell(f"of the last day too: orchestrate review {one['id']}  {line(one['title'], 60)}")


def _named(app: App, name: str | None) -> tuple[Goal, Task | None]:
    """Return the goal, and the task if one was named."""
    if name is not None:
        try:
            task = app.tasks.resolve(name)
        except NotFound:
            pass
        else:
            return app.store.goals.get(task.goal), task
    return app.goals.resolve(name or "last", loosely=True), None


def _task_of(app: App, name: str) -> Task:
    """Return the task that is decided on; a goal stands for its only one.

    Raises:
        BadInput: *name* is a goal of several tasks.
    """
    try:
        return app.tasks.resolve(name)
    except NotFound as error:
        try:
            goal = app.goals.resolve(name)
        except NotFound:
            raise error from None
    tasks = app.store.tasks.of_goal(goal.id)
    if len(tasks) == 1:
        return tasks[0]
    names = ", ".join(f"{task.id} ({task.key})" for task in tasks[:TASKS_NAMED])
    more = f" and {len(tasks) - TASKS_NAMED} more" if len(tasks) > TASKS_NAMED else ""
    raise BadInput(f"{goal.id} is a goal, and one task is decided on at a time", hint=f"name one: {names}{more}")


def to_look_at(app: App, goal: Goal, only: Task | None = None) -> list[Json]:
    """Return the goal's tasks that wait for a decision: failed ones, then landed ones, the riskiest first.

    Each has its story and why it should be looked at. A task that was named is there whatever was decided.
    """
    document = app.reports.goal(goal)
    tasks = {task["id"]: task for task in document["tasks"]}
    failed = [
        {"task": one["task"], "risk": one["risk"], "why": [one["why"]], "decision": None}
        for one in document["needs_you"]
        if one["what"] == "task_failed"
    ]
    found = [
        {**one, "of": tasks[one["task"]], "story": morning.task_facts(document, tasks[one["task"]])}
        for one in [*failed, *document["look_first"]]
    ]
    if only is not None:
        return [one for one in found if one["task"] == only.id]
    return [one for one in found if one["decision"] != "accepted"]


def item_json(item: Json) -> Json:
    """Return one thing to look at as a program is told of it."""
    task = item["of"]
    return {
        "task": task["id"],
        "key": task["key"],
        "title": task["title"],
        "state": task["state"],
        "verdict": task["verdict"],
        "risk": item["risk"],
        "why": item["why"],
        "decision": item["decision"],
        "commands": commands(task),
    }


def commands(task: Json) -> list[str]:
    """Return what can be typed to look at the task and to decide on it."""
    id = task["id"]
    look = [f"orchestrate diff {id}", f"orchestrate logs {id}", f"orchestrate task {id}"]
    accept = [f"orchestrate review {id} --accept"] if task["state"] == TaskState.DONE else []
    return [*look, *accept, f"orchestrate review {id} --reject", f'orchestrate review {id} --comment "…"']


def _lines(goal: Goal, found: list[Json]) -> list[str]:
    lines = [render.heading(f"{goal.id}  {line(goal.title)}")]
    if not found:
        return [*lines, f"  Nothing waits for a decision. All of it: orchestrate report {goal.id}"]
    for item in found:
        first, *rest = item["story"]
        lines += ["", f"  {line(first, morning.LINE_LIMIT)}"]
        if item["why"]:
            lines.append(f"      {item['risk']} risk: {line('; '.join(item['why']), morning.LINE_LIMIT)}")
        lines += [f"      {line(one, morning.LINE_LIMIT)}" for one in rest]
        lines += [f"        {one}" for one in commands(item["of"])]
    return lines


def _decide(app: App, task: Task, *, accept: bool, reject: bool, comment: str, as_json: bool) -> None:
    if accept:
        decided = app.reviewing.accept(task.id)
    elif reject:
        decided = app.reviewing.reject(task.id, comment)
    else:
        decided = app.reviewing.comment(task.id, comment)
    goal = app.store.goals.get(task.goal)
    if as_json:
        told = {"task": task.id, "what": decided.what, "said": decided.said}
        left = [item_json(one) for one in to_look_at(app, goal)]
        doors.answer({"goal": goal.id, "decided": told, "items": left})
        return
    said = line(decided.said, morning.LINE_LIMIT)
    render.say(f"{task.id} ({line(task.key)}): {said}{then(app, decided.what)}", folded=True)


def then(app: App, what: str) -> str:
    """Return what comes next after a decision."""
    if what == "accepted":
        return ""
    running = app.supervision.current() is not None
    return "; the running supervisor takes it up" if running else "; start it: orchestrate run"
