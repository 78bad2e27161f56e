"""Tables of the documentation whose last column names the tests that show what a row says, or a reason for none."""

import ast
import re
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def cells(table: Path, first: str) -> list[list[str]]:
    """Return the cells of the rows of *table* whose first cell begins with what the pattern *first* matches."""
    lines = [line for line in table.read_text().splitlines() if re.match(rf"\| {first}", line)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def assert_shown(cell: str, reasons: tuple[str, ...]) -> None:
    """Fail unless *cell* holds nothing but tests that exist, or one of *reasons* and a sentence."""
    if cell.startswith(reasons):
        assert len(cell.split(": ", 1)[1].split()) >= 3, "a reason is a sentence"
        return
    named = re.findall(r"`([^`]+)`", cell)
    assert named and not re.sub(r"`[^`]+`", "", cell).strip(), cell
    for one in named:
        file, _, test = one.partition("::")
        assert (CHECKOUT / file).is_file(), one
        assert test in _defined_in(CHECKOUT / file), one


@cache
def _defined_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
