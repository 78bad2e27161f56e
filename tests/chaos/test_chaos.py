"""Whatever is killed, whenever: and the proof that we would see it if something went wrong."""

from pathlib import Path

import pytest

from chaos.mutants import MUTANTS, Mutant, broken, storm_with
from chaos.storm import Plan, Storm

pytestmark = [
    pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the oracle reads /proc"),
    pytest.mark.timeout(900),
]
QUICK = ("no_dependencies", "free_without_proof", "no_sweep")
"""A few of the mutants; `python -m tests.chaos --mutants` shows all of them."""


def test_whatever_is_killed_nothing_is_lost_done_twice_or_left_behind(tmp_path: Path) -> None:
    figures = Storm(Plan(kills=30, seed=1), tmp_path / "storm").run()

    assert figures.violations == []
    assert sum(figures.kills.values()) == 30
    assert figures.acknowledged >= 10 and figures.looks >= 100, figures.lines()


def test_a_stopped_leader_is_not_replaced_and_a_temp_folder_is_not_missed(tmp_path: Path) -> None:
    plan = Plan(kills=6, seed=2, weights={"pause": 50, "temp": 50})

    figures = Storm(plan, tmp_path / "storm").run()

    assert figures.violations == []
    assert figures.refused_rivals == figures.kills["pause"] > 0 < figures.kills["temp"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_a_mutant_is_still_made_of_lines_that_are_there(mutant: Mutant, tmp_path: Path) -> None:
    assert broken(mutant, tmp_path / "source").is_dir()


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name in QUICK], ids=lambda one: one.name)
def test_the_oracle_sees_a_broken_program(mutant: Mutant, tmp_path: Path) -> None:
    figures = storm_with(mutant, tmp_path, seed=1)

    assert any(mutant.says in one for one in figures.violations), figures.lines()
