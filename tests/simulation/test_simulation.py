"""Virtual nights of the real supervisor, and the proof that its rules would notice."""

from pathlib import Path

import pytest

from simulation.mutants import MUTANTS, caught
from simulation.world import simulate

pytestmark = pytest.mark.timeout(900)
STEPS = 4_000
"""Of the hundred thousand that `python -m tests.simulation` does: as many as a test run has time for."""

SLOW = {"early_ack", "ignores_the_budget", "dead_letter_at_once", "no_recovery"}
"""Caught too, but only after thousands of steps: `python -m tests.simulation --mutants` shows it."""


def test_whatever_happens_in_virtual_nights_no_rule_is_broken(tmp_path: Path) -> None:
    counts = simulate(STEPS, 1, tmp_path)

    assert counts.violations == []
    assert counts.steps >= STEPS and counts.happened["landed"] >= 50, counts.lines()
    assert counts.happened["supervisor died"] >= 20 and counts.happened["late writes refused"] >= 10, counts.lines()


def test_histories_that_are_lived_side_by_side_are_the_same(tmp_path: Path) -> None:
    both = [simulate(1_200, 5, tmp_path / str(n), events=80, processes=n) for n in (1, 2)]

    assert both[0].lines() == both[1].lines() and both[0].histories > 1


def test_one_seed_is_one_history_and_another_is_another(tmp_path: Path) -> None:
    digests = [simulate(1, seed, tmp_path / str(n), events=150).digest.hexdigest() for n, seed in enumerate((7, 7, 8))]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in SLOW])
def test_a_broken_program_is_caught(name: str, tmp_path: Path) -> None:
    assert caught(name, 20_000, 1, tmp_path).violations
