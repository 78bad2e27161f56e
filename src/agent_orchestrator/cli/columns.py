"""Rows for people and programs: aligned on a terminal, tab-separated elsewhere, cleaned in both."""

import sys
from collections.abc import Sequence

from agent_orchestrator.cli import render


def show(rows: Sequence[Sequence[object]]) -> None:
    """Print *rows* to standard output, one line each; nothing when there are none."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if not cells:
        return
    if sys.stdout is None or not sys.stdout.isatty():
        render.say(["\t".join(row) for row in cells])
    else:
        render.say(render.table(cells, indent=""))


def one_line(value: object) -> str:
    """Return *value* as text that fits on one line and steers no terminal; a missing value is a dash."""
    return render.line("-" if value is None or value == "" else str(value)) or "-"
