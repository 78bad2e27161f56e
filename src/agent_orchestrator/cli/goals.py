"""Goals on the command line: submit, cancel, undo."""

from typing import Any

import click

from agent_orchestrator.cli import columns, completing, doors, shared_options, showing
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.services.submissions import Request


@click.command()
@click.argument("goal")
@click.option("-d", "--decompose", is_flag=True, help="Split the goal into several tasks.")
@click.option(
    "-a",
    "--agent",
    metavar="SPECIALIST",
    help="Who does it: a specialist, or an agent's name such as claude. Else the goal's words decide, or the files.",
)
@click.option(
    "-p", "--priority", callback=shared_options.priority, metavar="high|normal|low|0-100", help="Low numbers go first."
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
@click.option("--planner", type=click.Choice(shared_options.PLANNERS), help="Who splits the goal, with --decompose.")
@click.option("--budget", metavar="BUDGET", help="Ceiling for the goal: 5 (dollars), 2M tokens, 90m, or 5,8h.")
@click.option("--task-budget", metavar="BUDGET", help="The same for each task, over all its attempts.")
@click.option("--max-attempts", type=click.IntRange(1, 20), help="Attempts before a task goes to a person.")
@click.option("--no-change", is_flag=True, help="The result is an answer; no file needs to change.")
@click.option("--dry-run", is_flag=True, help="Show what would be queued, and queue nothing.")
@shared_options.as_json
def submit(goal: str, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Put a goal into the queue, as one task or (-d) split into several.

    GOAL is text, - for the standard input, or @FILE. Put -- before a goal that begins with a dash.
    """
    if given["planner"] and not given["decompose"]:
        raise BadInput("--planner says who splits the goal, and it is not split", hint="add --decompose")
    flags = shared_options.chosen(planner=given["planner"], max_attempts=given["max_attempts"])
    app = doors.app(create=not dry_run, flags=flags)
    proposed = app.submissions.propose(_request(shared_options.goal_text(goal), given))
    if dry_run:
        if as_json:
            doors.answer(showing.accepted_json(app, None, [], proposed.plan))
        else:
            showing.plan(app, proposed.plan)
        return
    accepted = app.submissions.accept(proposed)
    if as_json:
        doors.answer(showing.accepted_json(app, accepted.goal, accepted.tasks, accepted.plan))
    else:
        showing.accepted(app, accepted.goal, accepted.tasks, accepted.plan)


def _request(text: str, given: dict[str, Any]) -> Request:
    """Return what the command line asks for."""
    return Request(
        goal=text,
        decompose=given["decompose"],
        agent=given["agent"],
        priority=given["priority"],
        tier=Tier(given["tier"]) if given["tier"] else None,
        depends_on=given["depends_on"],
        verify=given["verify"],
        context=given["context"],
        provider=given["provider"],
        budget=given["budget"],
        task_budget=given["task_budget"],
        expects_change=not given["no_change"],
    )


@click.command()
@click.argument("name", metavar="TASK|GOAL", shell_complete=completing.goals_and_tasks)
@shared_options.as_json
def cancel(name: str, as_json: bool) -> None:
    """Cancel a task or a whole goal.

    What nobody works on is cancelled at once; an agent at work is asked to stop first. What landed stays.
    """
    app = doors.app(create=False)
    cancelled = app.cancel(name)
    if isinstance(cancelled, Goal):
        if as_json:
            doors.answer({"goal": app.reports.goal(cancelled)})
        else:
            columns.show([(cancelled.id, cancelled.state)])
    elif as_json:
        doors.answer({"task": app.reports.task(cancelled.id)})
    else:
        later = "cancelled as soon as its agent has stopped"
        columns.show([(cancelled.id, later if cancelled.cancel_wished else cancelled.state)])


@click.command()
@click.argument("goal", shell_complete=completing.goals)
@shared_options.as_json
def undo(goal: str, as_json: bool) -> None:
    """Take a delivered goal back out of your branch.

    Your branch is reset when nothing came after the goal and the tree is clean; otherwise the goal is reverted. Its own
    branches stay.
    """
    app = doors.app(create=False)
    undone = app.undo(goal)
    if as_json:
        doors.answer({"goal": app.reports.goal(undone)})
    else:
        columns.show([(undone.id, undone.delivery_note)])
