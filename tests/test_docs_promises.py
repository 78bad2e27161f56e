"""The table of promises names tests and commands that are there."""

import re
import shlex
from typing import NamedTuple

import click
import pytest

from agent_orchestrator.cli import orchestrate
from tables import CHECKOUT, assert_shown, cells

TABLE = CHECKOUT / "docs" / "promises.md"
NUMBERS = {*(f"E{number:02}" for number in range(1, 53))}
"""Every promise, whatever letter follows its number."""
REASONS = ("not: ", "later: ", "pending: ")
TO_COME: set[str] = set()
"""What only pending rows may name: it is not there yet."""


class Row(NamedTuple):
    """One promise."""

    name: str
    promise: str
    command: str
    kept_by: str


def rows() -> list[Row]:
    return [Row(*row) for row in cells(TABLE, r"E\d")]


def test_every_promise_has_a_row_and_each_row_a_name_of_its_own() -> None:
    names = [row.name for row in rows()]

    assert {name[:3] for name in names} == NUMBERS
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"E\d\d[a-z]?", name) for name in names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_promise_is_kept_by_tests_that_exist_or_says_why_not(row: Row) -> None:
    assert_shown(row.kept_by, REASONS)
    if row.kept_by.startswith("pending: "):
        pytest.xfail(f"{row.name} is {row.kept_by}")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_promise_names_a_command_that_exists_with_its_options(row: Row) -> None:
    (command,) = re.findall(r"`([^`]+)`", row.command)
    program, verb, *words = shlex.split(command)

    assert program == "orchestrate"
    if row.kept_by.startswith("pending: ") and any(one in command for one in TO_COME):
        pytest.xfail(f"{row.name}: {command} is to come")
    found = orchestrate.get_command(None, verb)  # type: ignore[arg-type] # the context is not looked at
    assert found is not None, command
    if isinstance(found, click.Group):
        verb, *words = words
        found = found.commands[verb]
    if "--help" not in words:
        with found.make_context(verb, list(words)) as context:
            assert context.params
