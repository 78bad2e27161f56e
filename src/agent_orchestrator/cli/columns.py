"""Rows for people and programs: aligned on a terminal, tab-separated elsewhere, cleaned in both."""

import sys
from collections.abc import Sequence

import click

from agent_orchestrator.domain.text import clean


def show(rows: Sequence[Sequence[object]]) -> None:
    """Print *rows* to standard output, one line each."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if sys.stdout is None or not sys.stdout.isatty():
        for row in cells:
            click.echo("\t".join(row))
        return
    widths = [max(len(row[at]) for row in cells if len(row) > at) for at in range(max(map(len, cells), default=0))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())


def one_line(value: object) -> str:
    """Return *value* as text that fits on one line and steers no terminal; a missing value is a dash."""
    return " ".join(clean("-" if value is None or value == "" else str(value)).split())
