"""Whatever is killed, whenever: and the proof that we would see it if something went wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import small_disk
from chaos.mutants import MUTANTS, Mutant, broken, storm_with
from chaos.storm import Plan, Storm

pytestmark = [
    pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the oracle reads /proc"),
    pytest.mark.timeout(900),
]
ROOT = Path(__file__).parents[2]
QUICK = ("no_dependencies", "free_without_proof", "no_sweep")
"""A few of the mutants; `python -m tests.chaos --mutants` shows all of them."""


def test_whatever_is_killed_nothing_is_lost_done_twice_or_left_behind(tmp_path: Path) -> None:
    figures = Storm(Plan(kills=30, seed=1), tmp_path / "storm").run()

    assert figures.violations == []
    assert sum(figures.kills.values()) == 30
    assert figures.acknowledged >= 5 and figures.looks >= 30, figures.lines()


def test_a_stopped_leader_is_not_replaced_and_a_temp_folder_is_not_missed(tmp_path: Path) -> None:
    plan = Plan(kills=6, seed=2, weights={"pause": 50, "temp": 50})

    figures = Storm(plan, tmp_path / "storm").run()

    assert figures.violations == []
    assert figures.refused_rivals == figures.kills["pause"] > 0 < figures.kills["temp"]


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
def test_on_a_full_disk_nothing_is_lost_and_a_run_goes_on_by_itself_when_there_is_room() -> None:
    words = ("--kills", "6", "--seed", "4", "--only", "disk")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *words], cwd=ROOT, capture_output=True, text=True, timeout=600
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = re.search(r"full disks +6; (\d+) times a supervisor waited, (\d+) times one went on by itself", ran.stdout)
    assert told is not None and int(told[1]) >= int(told[2]) >= 2, ran.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_a_mutant_is_still_made_of_lines_that_are_there(mutant: Mutant, tmp_path: Path) -> None:
    assert broken(mutant, tmp_path / "source").is_dir()


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name in QUICK], ids=lambda one: one.name)
def test_the_oracle_sees_a_broken_program(mutant: Mutant, tmp_path: Path) -> None:
    figures = storm_with(mutant, tmp_path, seed=1)

    assert any(mutant.says in one for one in figures.violations), figures.lines()
