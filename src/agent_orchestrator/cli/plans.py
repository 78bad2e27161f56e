"""Plans on the command line: make one, look at it, decide on it."""

from typing import Any

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, completing, doors, showing, wording
from agent_orchestrator.services.goals import Submission
from agent_orchestrator.services.plans import SavedPlan


@click.command()
@click.argument("goal")
@click.option("-y", "--yes", is_flag=True, help="Queue the plan without asking.")
@click.option("--name", metavar="NAME", help="What to call the plan; without it a name is made of the goal.")
@click.option("--planner", type=click.Choice(wording.PLANNERS), help="Who splits the goal.")
@wording.as_json
def plan(goal: str, yes: bool, name: str | None, planner: str | None, as_json: bool) -> None:
    """Split a goal, show the plan, and queue it when you agree.

    The plan is saved either way. GOAL is text, - for the standard input, or @FILE.
    """
    app = doors.app(flags=wording.chosen(planner=planner))
    text = wording.goal_text(goal)
    if name is not None:
        app.plans.check_name(name)  # before a model is asked
    saved = app.plans.save(app.decompose(text), name=name)
    _decide(app, saved, yes=yes, as_json=as_json)


@click.command()
@wording.as_json
def plan_list(as_json: bool) -> None:
    """List saved plans."""
    found = doors.app(create=False).plans.recent()
    if as_json:
        keys = ("id", "state", "goal_text", "changed_at")
        plans: list[dict[str, Any]] = [dict(zip(keys, row, strict=True)) for row in found]
        doors.answer({"plans": [{**one, "changed_at": f"{one['changed_at']:%Y-%m-%dT%H:%M:%SZ}"} for one in plans]})
        return
    columns.show([(id, state, f"{at.astimezone():%Y-%m-%d %H:%M}", text[:80]) for id, state, text, at in found])
    if not found:
        doors.tell('no plans yet; make one: orchestrate plan "…"')


@click.command()
@click.argument("id", metavar="PLAN", shell_complete=completing.plans)
@click.option("-y", "--yes", is_flag=True, help="Queue the plan without asking.")
@wording.as_json
def plan_continue(id: str, yes: bool, as_json: bool) -> None:
    """Show a saved plan again and decide on it.

    PLAN is its name or id, an unambiguous start of one, or last.
    """
    app = doors.app(create=False)
    _decide(app, app.plans.resolve(id), yes=yes, as_json=as_json)


@click.command()
@click.argument("id", metavar="PLAN", shell_complete=completing.plans)
@click.option("--no-run", is_flag=True, help="Only queue it.")
@click.option("--max-agents", type=click.IntRange(1, 100), help="How many agents run at once.")
@wording.as_json
def execute_plan(id: str, no_run: bool, max_agents: int | None, as_json: bool) -> int:
    """Queue a saved plan and run it.

    PLAN is its name or id, an unambiguous start of one, or last. It is only queued when a supervisor runs already: that
    one picks it up. Exit codes are those of `run`.
    """
    app = doors.app(create=False, flags=wording.chosen(max_agents=max_agents))
    saved = app.plans.resolve(id)
    leads = app.supervision.current() is not None
    if no_run or leads or saved.state == "executed":  # executing it once more says what is wrong with that
        _queue(app, saved, as_json=as_json)
        if leads and not as_json:
            doors.tell("The running supervisor picks it up.")
        return 0
    from agent_orchestrator.cli import running

    running.make_ready(app, yes=False, ask=not as_json, include_dirty=False)
    goal, _ = app.plans.execute(saved.id, _submission(app, saved))
    ran = running.lead(app, app.run_options(goal=goal.id))
    if as_json:
        doors.answer({**_json(app, app.plans.resolve(saved.id)), "run": ran.as_json(app)})
    else:
        ran.tell(app)
    return ran.exit_code


def _decide(app: App, saved: SavedPlan, *, yes: bool, as_json: bool) -> None:
    """Show a plan and queue it when that is wished; otherwise say how to."""
    is_open = saved.state in {"planning", "approved"}
    if not as_json:
        columns.show([(saved.id, saved.state, columns.one_line(saved.plan.goal)[:80])])
        showing.plan(saved.plan)
        if is_open and not yes and doors.interactive():
            yes = click.confirm("Queue this plan?", default=False, err=True)
    if yes:
        _queue(app, saved, as_json=as_json, shown=not as_json)
    elif as_json:
        doors.answer(_json(app, saved))
    elif is_open:
        doors.tell(f"Saved. To queue and run it: orchestrate execute-plan {saved.id}")
    elif saved.goal:
        doors.tell(f"It became goal {saved.goal}: orchestrate report {saved.goal}")


def _queue(app: App, saved: SavedPlan, *, as_json: bool, shown: bool = False) -> None:
    """Queue a plan; *shown* says that it has just been printed, findings and all."""
    goal, tasks = app.plans.execute(saved.id, _submission(app, saved))
    if as_json:
        doors.answer(_json(app, app.plans.resolve(saved.id)))
    else:
        showing.accepted(app, goal, tasks, None if shown else saved.plan)


def _submission(app: App, saved: SavedPlan) -> Submission:
    return Submission(text=saved.plan.goal, max_attempts=app.settings.max_attempts)


def _json(app: App, saved: SavedPlan) -> dict[str, Any]:
    goal = app.goals.resolve(saved.goal) if saved.goal else None
    tasks = app.store.tasks.of_goal(goal.id) if goal else []
    return {"id": saved.id, "state": saved.state, **showing.accepted_json(app, goal, tasks, saved.plan)}
