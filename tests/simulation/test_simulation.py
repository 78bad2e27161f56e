"""Virtual nights of the real supervisor, and the proof that its rules would notice."""

from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.budget import MICRO, Budget
from simulation import world
from simulation.doubles import Agent
from simulation.mutants import MUTANTS, caught
from simulation.world import World, history, simulate

pytestmark = pytest.mark.timeout(900)
PARTS = 10
STEPS = 10_000
"""In each part; together a hundred thousand, which several processes live side by side."""


@pytest.mark.parametrize("seed", range(1, PARTS + 1))
def test_whatever_happens_in_virtual_nights_no_rule_is_broken(tmp_path: Path, seed: int) -> None:
    counts = simulate(STEPS, seed, tmp_path)

    assert counts.violations == []
    assert counts.steps >= STEPS and counts.happened["landed"] >= 150, counts.lines()
    assert counts.happened["supervisor died"] >= 60 and counts.happened["late writes refused"] >= 30, counts.lines()


def test_histories_that_are_lived_side_by_side_are_the_same(tmp_path: Path) -> None:
    both = [simulate(1_200, 5, tmp_path / str(n), events=80, processes=n) for n in (1, 2)]

    assert both[0].lines() == both[1].lines() and both[0].histories > 1


def test_one_seed_is_one_history_and_another_is_another(tmp_path: Path) -> None:
    digests = [simulate(1, seed, tmp_path / str(n), events=150).digest.hexdigest() for n, seed in enumerate((7, 7, 8))]

    assert digests[0] == digests[1] != digests[2]


def test_a_store_that_remembers_its_answers_gives_those_that_it_would_have_looked_for(tmp_path: Path) -> None:
    lived = [
        history(seed, 0, tmp_path / f"{seed}-{remembers}", 250, remembers=remembers)
        for seed in (11, 12, 13)
        for remembers in (True, False)
    ]

    for remembered, looked_for in zip(lived[::2], lived[1::2], strict=True):
        assert (remembered.digest, remembered.happened) == (looked_for.digest, looked_for.happened)
        assert remembered.violations == looked_for.violations == []


def test_what_a_failed_agent_used_counts_before_another_one_may_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given back by a thread, and the budget must not seem larger until that has its turn."""
    begins, options = World.begins, world.RunOptions

    def fails(self: World, attempt: Attempt) -> Agent:
        agent = begins(self, attempt)
        agent.work, agent.cost = "fails", 450_000
        return agent

    monkeypatch.setattr(World, "begins", fails)
    monkeypatch.setattr(world, "RunOptions", lambda **of: options(**of | {"budget": Budget(limit_micro_usd=MICRO)}))
    monkeypatch.setattr(world, "FAULTS", {"late_write": 1})
    monkeypatch.setattr(world, "DEEDS", {"submit": 1})

    counts = history(1, 0, tmp_path, 150)

    assert counts.violations == []
    assert counts.happened["agents began"] >= 20


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_program_is_caught(name: str, tmp_path: Path) -> None:
    assert caught(name, 20_000, 1, tmp_path).violations
