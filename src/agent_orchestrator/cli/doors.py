"""What every command shares: the app of the current folder, and one way to answer a program or a person."""

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.errors import OrchestratorError

NARROW = 40
"""Columns that fit on every terminal."""


def app(*, create: bool = True, flags: Mapping[str, object] | None = None) -> App:
    """Return the app of the current folder. Looking commands pass ``create=False`` and leave no file behind."""
    return build(create=create, flags=flags)


def answer(document: object) -> None:
    """Print one JSON document, the whole answer to a program.

    In ASCII: control characters of untrusted text cannot reach a terminal, and any encoding can carry it. Indented for
    the eyes of a person only: without, it is written several times quicker.
    """
    indent = 2 if sys.stdout is not None and sys.stdout.isatty() else None
    click.echo(json.dumps(document, indent=indent, default=str))


def stream(document: object) -> None:
    """Print one line of NDJSON."""
    click.echo(json.dumps(document, default=str))


def tell(text: str) -> None:
    """Print a line for people to standard error, which never mixes with results; on a terminal broken between words."""
    if sys.stderr is not None and sys.stderr.isatty() and len(text) > NARROW:
        from shutil import get_terminal_size

        from agent_orchestrator.cli import render

        room = get_terminal_size().columns
        text = "\n".join(part for one in text.split("\n") for part in render.fold(one, room))
    click.echo(text, err=True)


def interactive() -> bool:
    """Say whether a person can be asked: standard input and output are terminals."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def fail(error: OrchestratorError, *, as_json: bool) -> NoReturn:
    """End with the error's exit code: one line for a person, one document for a program."""
    if as_json:
        details: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
        answer({"error": details})
    else:
        tell(f"orchestrate: {error.message}" + (f"\n  {error.hint}" if error.hint else ""))
    sys.exit(error.exit_code)
