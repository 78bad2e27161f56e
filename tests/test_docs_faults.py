"""The table of faults names tests that are there."""

import pytest

from tables import CHECKOUT, assert_shown, cells

TABLE = CHECKOUT / "docs" / "faults.md"
REASONS = ("not: ", "later: ")


def rows() -> list[list[str]]:
    return cells(TABLE, r"F\d")


def test_every_fault_has_one_row() -> None:
    assert [row[0] for row in rows()] == [f"F{number}" for number in range(1, 47)]
    assert all(len(row) == 4 for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_fault_is_shown_by_tests_that_exist_or_says_why_not(row: list[str]) -> None:
    _, fault, happens, shown = row

    assert fault
    assert_shown(shown, REASONS)
    assert happens or shown.startswith(REASONS)
