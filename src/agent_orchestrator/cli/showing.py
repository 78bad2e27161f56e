"""Plans and accepted goals, shown to people and programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, doors, render
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.services.plans import SavedPlan


QUESTION_COLUMNS = 1_000
"""Of a question or its default: a planner's answer may be as long."""


def plan_json(plan: Plan) -> Json:
    """Return *plan* as it is documented for programs."""
    from agent_orchestrator.planning.document import plan_to_json

    return plan_to_json(plan)


def saved_json(app: App, saved: "SavedPlan") -> Json:
    """Return what a program is told of a saved plan, and of the goal that it became."""
    goal = app.goals.resolve(saved.goal) if saved.goal else None
    tasks = app.store.tasks.of_goal(goal.id) if goal else []
    known = {"id": saved.id, "state": saved.state, "version": saved.version, "hash": saved.fingerprint}
    wishes = saved.wishes.as_json()
    told = accepted_json(app, goal, tasks, saved.plan)
    return {**known, "wishes": wishes, **told, "forecast": expected_json(app, saved.plan)}


def accepted_json(app: App, goal: Goal | None, tasks: Sequence[Task], plan: Plan) -> Json:
    """Return what a program is told of a goal that was queued; *goal* is None when it was not.

    Then the tasks are the plan's, so that a reader of ``tasks`` finds them in either case.
    """
    planned = plan_json(plan)
    if goal is None:
        return {"goal": None, "tasks": planned["tasks"], "plan": planned}
    found = app.reports.goal(goal)
    ids = {task.id for task in tasks}
    shown = [task for task in found.pop("tasks") if task["id"] in ids]
    return {"goal": found, "tasks": shown, "plan": planned}


def plan(app: App, plan: Plan) -> None:
    """Print a plan that is not queued: phase, key, specialist, what it waits for, title; its forecast; its maker."""
    columns.show(
        [
            (f"phase {task.phase}", task.id, task.agent_type, _after(task.depends_on), task.title)
            for task in sorted(plan.tasks, key=lambda one: one.phase)
        ]
    )
    expected(app, plan)
    _say_who_planned(plan)


def questions(plan: Plan, *, taken: bool) -> None:
    """Say what *plan* had to guess: what holds while nobody answers, or what was *taken* because nobody did."""
    asked = [(at, one) for at, one in enumerate(plan.questions, start=1) if one.answer is None]
    if not asked:
        return
    doors.tell("not asked; these defaults hold:" if taken else "open questions, and what holds while nobody answers:")
    for at, one in asked:
        told = [f"{at} {one.text}", f"  default: {one.default or 'nothing'}"]
        told += [f"  it decides: {one.changes}"] if one.changes and not taken else []
        for text in told:
            indent = text[: len(text) - len(text.lstrip())]
            doors.tell(f"  {indent}{render.line(text, QUESTION_COLUMNS)}")


def expected(app: App, plan: Plan) -> None:
    """Say how long the plan may take, what it may cost, and how that is known."""
    from agent_orchestrator.cli import expectations

    doors.tell("; ".join(expectations.parts(app.forecasts.of(plan))))


def expected_json(app: App, plan: Plan) -> Json:
    """Return the same as it is documented for programs."""
    from agent_orchestrator.cli import expectations

    return expectations.to_json(app.forecasts.of(plan))


def accepted(app: App, goal: Goal, tasks: Sequence[Task], plan: Plan | None) -> None:
    """Print a queued goal and its tasks, who planned it if *plan* is given, and on a terminal what to type next."""
    columns.show([(goal.id, goal.title)])
    keys = {task.id: task.key for task in app.store.tasks.of_goal(goal.id)}
    places = {id: place for place, id in enumerate(keys)}
    rows = []
    for task in sorted(tasks, key=lambda one: one.phase):
        needs = sorted(app.store.tasks.needs(task.id), key=lambda need: places.get(need, len(places)))
        after = _after([keys.get(need, need) for need in needs])
        rows.append((f"phase {task.phase}", task.id, task.key, task.specialist, after, task.title))
    columns.show(rows)
    if plan is not None:
        _say_who_planned(plan)
    if doors.interactive():
        running = app.supervision.current() is not None
        doors.tell("The running supervisor picks it up." if running else "Next: orchestrate run")


def _after(needs: Sequence[str]) -> str:
    return f"after {', '.join(needs)}" if needs else "-"


def _say_who_planned(plan: Plan) -> None:
    from agent_orchestrator.planning.doubts import told_together

    guesses = [task for task in plan.tasks if task.routing is not None and task.routing.is_guess]
    if guesses:
        told = ", ".join(f"{task.id} to {task.agent_type}" for task in guesses)
        change = " (--agent NAME changes it)" if plan.source == "single" else ""
        doors.tell(columns.one_line(f"assigned by a guess: {told}{change}"))
    if plan.source != "single":
        doors.tell(columns.one_line(plan.notice or f"planned by {plan.source}"))
    for found in told_together(plan.findings):
        where = f"{found.task}: " if found.task and found.task not in found.message else ""
        doors.tell(columns.one_line(f"{found.severity}: {where}{found.message}"))
