"""Goals on the command line: submit, cancel, undo."""

from dataclasses import replace
from typing import Any

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import completing, doors, showing, wording
from agent_orchestrator.domain.budget import parse_usd
from agent_orchestrator.domain.errors import BadInput, NotFound, RefusedByState
from agent_orchestrator.domain.goal import Delivery
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.specialist import GENERALIST
from agent_orchestrator.domain.task import PRIORITY_DEFAULT, Tier
from agent_orchestrator.services.goals import Submission


@click.command()
@click.argument("goal")
@click.option("-d", "--decompose", is_flag=True, help="Split the goal into several tasks.")
@click.option(
    "-a",
    "--agent",
    metavar="SPECIALIST",
    help="Who does it: a specialist, or an agent's name such as claude. Without it the goal's words decide.",
)
@click.option(
    "-p", "--priority", callback=wording.priority, metavar="high|normal|low|0-100", help="Low numbers go first."
)
@click.option("--tier", type=click.Choice([tier.value for tier in Tier]), help="How capable a model it needs.")
@click.option(
    "--depends-on",
    multiple=True,
    metavar="ID",
    shell_complete=completing.tasks,
    help="Add the task to the goal of this one and wait for it.",
)
@click.option("--verify", metavar="CMD", help="Shell command that accepts the work by exit code 0.")
@click.option("-c", "--context", default="", metavar="TEXT", help="Words (or JSON) for the agent beside the goal.")
@click.option("--provider", metavar="NAME", help="Insist on this kind of agent.")
@click.option("--planner", type=click.Choice(wording.PLANNERS), help="Who splits the goal, with --decompose.")
@click.option("--budget", metavar="USD", help="Ceiling on what the goal may cost.")
@click.option("--max-attempts", type=click.IntRange(1, 20), help="Attempts before a task goes to a person.")
@click.option("--no-change", is_flag=True, help="The result is an answer; no file needs to change.")
@click.option("--dry-run", is_flag=True, help="Show what would be queued, and queue nothing.")
@wording.as_json
def submit(goal: str, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Put a goal into the queue, as one task or (-d) split into several.

    GOAL is text, - for the standard input, or @FILE. What begins with a dash goes after --.
    """
    flags = wording.chosen(planner=given["planner"], max_attempts=given["max_attempts"])
    app = doors.app(create=not dry_run, flags=flags)
    given |= _meant(app, given)
    submission, plan = _proposed(app, wording.goal_text(goal), given)
    after = [app.tasks.resolve(text) for text in given["depends_on"]]
    if dry_run:
        if as_json:
            doors.answer(showing.accepted_json(app, None, [], plan))
        else:
            showing.plan(plan)
        return
    if after:
        accepted, task = app.goals.extend(plan.tasks[0], after, submission)
        tasks = [task]
    else:
        accepted, tasks = app.goals.accept(plan, submission)
    if as_json:
        doors.answer(showing.accepted_json(app, accepted, tasks, plan))
    else:
        showing.accepted(app, accepted, tasks, plan)


def _meant(app: App, given: dict[str, Any]) -> dict[str, str | None]:
    """Return whom ``--agent`` and ``--provider`` mean: an agent's name such as claude is the generalist, by it.

    A goal that is split has its specialists from the plan, all by that agent. A specialist of that name goes first:
    somebody made it on purpose.
    """
    agent, provider = given["agent"], given["provider"]
    name = (agent or "").strip().lower()
    if not name or app.roster.find(name) is not None or name not in app.providers:
        return {"agent": agent, "provider": provider}
    if provider not in {None, name}:
        raise BadInput(f"--agent {name} and --provider {provider} are two agents", hint="leave out one of them")
    return {"agent": None if given["decompose"] else GENERALIST, "provider": name}


def _proposed(app: App, text: str, given: dict[str, Any]) -> tuple[Submission, Plan]:
    """Return the submission and the plan that the command line asks for."""
    _refuse_contradictions(given)
    if given["provider"]:
        app.provider(given["provider"])
    priority = PRIORITY_DEFAULT if given["priority"] is None else given["priority"]
    tier = Tier(given["tier"]) if given["tier"] else None
    submission = Submission(
        text=text,
        priority=priority,
        # For one task the check is its acceptance, and a base that fails it too is no excuse.
        verify=given["verify"] if given["decompose"] else None,
        context=given["context"],
        provider=given["provider"],
        max_attempts=app.settings.max_attempts,
        budget_micro_usd=parse_usd(given["budget"]) if given["budget"] else None,
    )
    if given["decompose"]:
        plan = app.decompose(text)
        return submission, replace(plan, tasks=tuple(replace(one, tier=tier or one.tier) for one in plan.tasks))
    single = app.decomposer(None, look=False).single
    plan = single(text, agent_type=given["agent"], verify=given["verify"], priority=priority, tier=tier)
    task = replace(plan.tasks[0], expects_change=not given["no_change"])
    return submission, replace(plan, tasks=(task,))


def _refuse_contradictions(given: dict[str, Any]) -> None:
    if given["agent"] is not None and not given["agent"].strip():
        raise BadInput("--agent is empty", hint="orchestrate specialists lists them")
    if given["decompose"]:
        for name, option in {"agent": "--agent", "depends_on": "--depends-on", "no_change": "--no-change"}.items():
            if given[name]:
                raise BadInput(f"{option} is for one task, and --decompose makes several", hint="leave out one of them")
    elif given["planner"]:
        raise BadInput("--planner says who splits the goal, and it is not split", hint="add --decompose")
    if given["depends_on"] and given["budget"]:
        raise BadInput("--budget is for a goal, and --depends-on adds to one that exists", hint="leave out --budget")


@click.command()
@click.argument("name", metavar="TASK|GOAL", shell_complete=completing.goals_and_tasks)
@wording.as_json
def cancel(name: str, as_json: bool) -> None:
    """Cancel a task or a whole goal.

    What nobody works on is cancelled at once; an agent at work is asked to stop first. What landed stays.
    """
    app = doors.app(create=False)
    try:
        task = app.tasks.resolve(name)
    except NotFound:
        try:
            goal = app.goals.cancel(app.goals.resolve(name).id)
        except NotFound as error:
            raise NotFound(f"no task or goal {name!r}", hint=error.hint) from error
        if as_json:
            doors.answer({"goal": app.reports.goal(goal)})
        else:
            click.echo(f"{goal.id}\t{goal.state}")
        return
    task = app.tasks.cancel(task.id)
    if as_json:
        doors.answer({"task": app.reports.task(task.id)})
    else:
        click.echo(f"{task.id}\t{'cancelled as soon as its agent has stopped' if task.cancel_wished else task.state}")


@click.command()
@click.argument("goal", shell_complete=completing.goals)
@wording.as_json
def undo(goal: str, as_json: bool) -> None:
    """Take a delivered goal back out of your branch.

    A reset when nothing came after it and the tree is clean, else a revert. Its own branches stay.
    """
    app = doors.app(create=False)
    found = app.goals.resolve(goal)
    if found.delivered_to is None or found.delivery is not Delivery.DELIVERED:
        raise RefusedByState(
            f"goal {found.id} is not in your branch (delivery: {found.delivery})",
            hint=found.delivery_note or "only a delivered goal is taken back",
        )
    undone = app.goals.undone(app.landing.undo(found))
    if as_json:
        doors.answer({"goal": app.reports.goal(undone)})
    else:
        click.echo(f"{undone.id}\t{undone.delivery_note}")
