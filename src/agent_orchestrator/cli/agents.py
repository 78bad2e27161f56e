"""Who works, stopping one of them, and the specialists a task can go to."""

import sys
from typing import TYPE_CHECKING

import click

from agent_orchestrator.cli import completing, doors, render, shared_options
from agent_orchestrator.cli.render import line
from agent_orchestrator.domain.errors import BadInput, RefusedByState
from agent_orchestrator.domain.specialist import GENERALIST
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.app import App
    from agent_orchestrator.domain.specialist import Specialist

NOTES_SHOWN = 12
"""Remarks on specialists in the list for people; a collection of a hundred roles has two or three on each."""


@click.command()
@click.argument("types", required=False, metavar="")
@click.option("--all", "everyone", is_flag=True, help="Also those that have ended, the newest 200.")
@shared_options.as_json
def agents(types: str | None, everyone: bool, as_json: bool) -> None:
    """The agents at work: on what, and what each is doing."""
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
@shared_options.as_json
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
@click.option("--owns", multiple=True, metavar="GLOB", help="With --route: files the task will write; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --route one object a line.")
def specialists(text: str | None, owns: tuple[str, ...], as_json: bool) -> None:
    """The specialists and who would get a task.

    Lists each with where its file is, its tier, its model and the limits it sets itself. With --route it says who would
    get a task, how sure that is, why, and who else came close; files count more than words, and
    where neither decides, it goes by what the project's files are.
    """
    app = doors.app(create=False)
    if text is None:
        if owns:
            raise BadInput("--owns says which files a task will write", hint="give the task too: --route TEXT")
        _roster(app, as_json)
        return
    texts = (one.rstrip("\n") for one in sys.stdin) if text == "-" else iter([text])
    for one in texts:
        if one.strip():
            _route(app, one, owns, as_json)
        elif text != "-":
            raise BadInput("there is no text to route", hint='say what the task is: --route "Add a login form"')


def _roster(app: "App", as_json: bool) -> None:
    roster = app.roster
    notes = {one.name: _notes(app, one) for one in roster}
    if as_json:
        members = [
            {
                "name": one.name,
                "description": one.description,
                "origin": one.origin,
                "file": one.file,
                "tier": one.tier.value,
                "model": one.model,
                "provider": one.provider,
                "models": _models(app, one),
                "tools": list(one.tools) or None,
                "denied_tools": list(one.denied_tools),
                "max_turns": one.max_turns,
                "aliases": list(one.aliases),
                "paths": list(one.paths),
                "words": list(one.words),
                "notes": notes[one.name],
            }
            for one in roster
        ]
        providers = {name: one.title for name, one in app.providers.items()}
        doors.answer({"specialists": members, "providers": providers, "problems": list(roster.problems)})
        return
    rows = [
        (line(one.name), line(one.origin), one.tier.value, line(_model(app, one)), _limits(one), line(one.description))
        for one in roster
    ]
    render.say(render.table(rows, indent=""))
    told = [note for one in notes.values() for note in one]
    for note in told[:NOTES_SHOWN]:
        doors.tell(f"note: {line(note, 500)}")
    if len(told) > NOTES_SHOWN:
        doors.tell(f"note: {len(told) - NOTES_SHOWN} more: orchestrate specialists --json")
    for problem in roster.problems:
        doors.tell(f"not read: {line(problem, 500)}")
    agents = ", ".join(name for name, one in app.providers.items() if not one.is_demo)
    doors.tell(f"--agent also takes an agent's name ({agents}): the {GENERALIST}, done by that agent")


def _limits(role: "Specialist") -> str:
    return line("; ".join(role.limits), 32) or "-"


def _models(app: "App", role: "Specialist") -> dict[str, str | None]:
    """Return for each provider the model that a task in the role's own tier would get; None is the CLI's default."""
    from agent_orchestrator.runtime.roles import model_for

    by_tier, chosen = app.lineup.tier_models, app.lineup.chosen_models
    return {
        name: model_for(role, name, role.tier, chosen=chosen.get(name), by_tier=by_tier)
        for name, one in app.providers.items()
        if not one.is_demo
    }


def _model(app: "App", role: "Specialist") -> str:
    """Return the models in few words: ``claude opus, codex gpt-5``; a dash where every agent chooses its own."""
    return ", ".join(f"{name} {model}" for name, model in _models(app, role).items() if model) or "-"


def _notes(app: "App", role: "Specialist") -> list[str]:
    """Return what the role asks for and an agent of this machine would not give, and what is odd about it."""
    from agent_orchestrator.runtime.clis import on_path
    from agent_orchestrator.runtime.roles import asked_and_not_kept

    present = [one for one in app.providers.values() if not one.is_demo and on_path(one, app.environ)]
    found = [note for one in present for note in asked_and_not_kept(role, one)]
    if not role.can_write:
        found.append(f"{role.name} has no tool to change files with: give it tasks with --no-change")
    return found


def _route(app: "App", text: str, owns: tuple[str, ...], as_json: bool) -> None:
    from agent_orchestrator.planning.routing import route_in

    title, _, description = text.strip().partition("\n")
    found = route_in(lambda: app.languages, title, description, app.roster, owns)
    if as_json:
        doors.stream(
            {
                "text": text,
                "specialist": found.specialist,
                "confidence": found.confidence,
                "guess": found.is_guess,
                "reason": found.reason,
                "alternatives": list(found.alternatives),
            }
        )
        return
    sure = f"confidence {found.confidence:.2f}" + (", a guess" if found.is_guess else "")
    others = f"; else {', '.join(found.alternatives)}" if found.alternatives else ""
    render.say(f"{found.specialist}  ({sure}; because of: {line(found.reason)}{others})  {line(title, 80)}")
