"""Options and arguments that several commands take: a goal's text, a priority, wishes for a plan, --json."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.task import parse_priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent_orchestrator.domain.wishes import Wishes

PLANNERS = ("auto", "api", "claude", "codex", "rules")

as_json = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document on standard output.")
"""The option of every command that answers with one document."""


def priority(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Parse ``--priority``; None when it is not given."""
    if value is None:
        return None
    try:
        return parse_priority(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not high, normal, low or 0 to 100", ctx, parameter) from error


def with_wishes(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """Give *command* the options that say how a plan is to be queued."""
    for option in (
        click.option("-c", "--context", default="", metavar="TEXT", help="Words (or JSON) for every agent."),
        click.option("--verify", metavar="CMD", help="Shell command that checks each task that names none."),
        click.option("--budget", metavar="BUDGET", help="Ceiling for the goal: 5 (dollars), 2M tokens, 90m, or 5,8h."),
        click.option(
            "-p", "--priority", callback=priority, metavar="high|normal|low|0-100", help="Low numbers go first."
        ),
    ):
        command = option(command)
    return command


def wishes(given: dict[str, Any]) -> "Wishes":
    """Return what the options of :func:`with_wishes` say.

    Raises:
        BadInput: the budget is none; before anything is planned or queued.
    """
    from agent_orchestrator.domain.wishes import Wishes

    if given["budget"]:
        from agent_orchestrator.domain.budget import parse_budget

        parse_budget(given["budget"])
    return Wishes(**given)


def goal_text(argument: str) -> str:
    """Return the goal that *argument* gives: itself, the standard input (``-``), or a file's content (``@file``).

    Raises:
        BadInput: it is no text that can be a goal, or cannot be read.
    """
    from agent_orchestrator.services.goals import checked_text

    if argument == "-":
        if sys.stdin is None:
            raise BadInput("there is no standard input to read the goal from", hint="give the goal as an argument")
        return checked_text(_read(sys.stdin.buffer, "standard input"))
    if argument.startswith("@") and len(argument) > 1:
        try:
            with Path(argument[1:]).expanduser().open("rb") as stream:
                return checked_text(_read(stream, argument[1:]))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise BadInput(f"cannot read {argument[1:]}: {reason}", hint="@FILE takes the goal from a file") from error
    return checked_text(argument)


def _read(stream: BinaryIO, name: str) -> str:
    """Read one byte more than a goal may have and no further: the file may be endless."""
    from agent_orchestrator.services.goals import TEXT_LIMIT

    try:
        content = stream.read(TEXT_LIMIT + 1)
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror}", hint="give the goal as an argument") from error
    if len(content) > TEXT_LIMIT:
        raise BadInput(
            f"{name} has more than the {TEXT_LIMIT:,} bytes a goal may have",
            hint="keep it as a file of the project and name that file in the goal",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8 text", hint="give text") from error


def chosen(**flags: Any) -> dict[str, Any]:
    """Return the settings among *flags* that were given."""
    return {name: value for name, value in flags.items() if value is not None}
