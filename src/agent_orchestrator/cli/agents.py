"""Who works, stopping one of them, and the specialists a task can go to."""

import sys
from typing import TYPE_CHECKING, Any

import click

from agent_orchestrator.cli import completing, doors, render
from agent_orchestrator.cli.render import line
from agent_orchestrator.domain.errors import BadInput, RefusedByState

if TYPE_CHECKING:
    from agent_orchestrator.app import App

Json = dict[str, Any]

GUESS = 0.5
"""Confidence below which a route is called a guess."""


@click.command()
@click.argument("types", required=False, metavar="")
@click.option("--all", "everyone", is_flag=True, help="Also those that have ended, the newest 200.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def agents(types: str | None, everyone: bool, as_json: bool) -> None:
    """Who works, on what, and what each is doing."""
    if types is not None:
        raise BadInput(
            f"agents lists who works and takes no {line(types, 40)!r}",
            hint="orchestrate specialists lists the types of agents",
        )
    found = doors.app(create=False).reports.agents(living=not everyone)
    if as_json:
        doors.answer(found)
    elif not found:
        render.say("no agent is at work" if not everyone else "no agent has worked here yet")
    else:
        render.say(render.table([_row(agent) for agent in found], indent=""))


def _row(agent: Json) -> tuple[str, ...]:
    doing = line(agent["doing"])
    if agent["stop_wished"] and agent["state"] != "ended":
        doing = f"asked to stop; {doing}"
    return (
        render.paint(agent["id"], "cyan"),
        render.state("running") if agent["state"] == "working" else agent["state"],
        line(agent["specialist"], 30),
        line(agent["task_key"] or agent["task"] or "-", 40),
        render.age(agent["elapsed_s"]),
        doing,
    )


@click.command()
@click.argument("agent", shell_complete=completing.agents)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def kill(agent: str, as_json: bool) -> None:
    """Stop one agent; its task goes back to the queue.

    The attempt is not charged, and what the agent had written is kept on a branch.
    """
    app = doors.app(create=False)
    found = app.agents.resolve(agent)
    if found.state != "ended" and app.supervision.current() is None:
        raise RefusedByState(
            f"no supervisor is running that could stop {found.id}",
            hint="orchestrate run takes its agents over; then kill works",
        )
    stopped = app.agents.stop(found)
    if as_json:
        doors.answer({"agent": stopped.id, "task": stopped.task, "stop_wished": True})
        return
    then = f"; {stopped.task} goes back to the queue" if stopped.task else ""
    render.say(f"{stopped.id} is asked to stop{then} (to end the task for good: orchestrate cancel)")


@click.command()
@click.option("--route", "text", metavar="TEXT", help="Say who would get a task of this text; - reads one a line.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --route one object a line.")
def specialists(text: str | None, as_json: bool) -> None:
    """The specialists and who would get a task."""
    app = doors.app(create=False)
    if text is None:
        _roster(app, as_json)
        return
    texts = (one.rstrip("\n") for one in sys.stdin) if text == "-" else iter([text])
    for one in texts:
        if one.strip():
            _route(app, one, as_json)
        elif text != "-":
            raise BadInput("there is no text to route", hint='say what the task is: --route "Add a login form"')


def _roster(app: "App", as_json: bool) -> None:
    roster = app.roster
    if as_json:
        members = [
            {
                "name": one.name,
                "description": one.description,
                "origin": one.origin,
                "tier": one.tier.value,
                "provider": one.provider,
                "model": one.model,
                "aliases": list(one.aliases),
                "paths": list(one.paths),
                "words": list(one.words),
            }
            for one in roster
        ]
        doors.answer({"specialists": members, "problems": list(roster.problems)})
        return
    render.say(render.table([(line(one.name), line(one.origin), line(one.description)) for one in roster], indent=""))
    for problem in roster.problems:
        doors.tell(f"not read: {line(problem, 500)}")


def _route(app: "App", text: str, as_json: bool) -> None:
    from agent_orchestrator.planning.routing import route

    title, _, description = text.strip().partition("\n")
    found = route(title, description, app.roster)
    if as_json:
        doors.stream(
            {
                "text": text,
                "specialist": found.specialist,
                "confidence": found.confidence,
                "reason": found.reason,
                "alternatives": list(found.alternatives),
            }
        )
        return
    sure = f"confidence {found.confidence:.2f}" + (", a guess" if found.confidence < GUESS else "")
    others = f"; else {', '.join(found.alternatives)}" if found.alternatives else ""
    render.say(f"{found.specialist}  ({sure}; because of: {line(found.reason)}{others})  {line(title, 80)}")
