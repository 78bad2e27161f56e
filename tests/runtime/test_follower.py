"""What is known of an attempt while it works: what it used so far, and when that is too much."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.providers.claude import Claude
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.transcript import Tailer
from steps import accept, claim, planned

RESULT = {"type": "result", "subtype": "success", "result": "Done."}


def request(name: str, tokens: int) -> dict[str, object]:
    usage = {"input_tokens": tokens, "output_tokens": 1, "cache_read_input_tokens": 7}
    part = {"type": "text", "text": "I look."}
    return {
        "type": "assistant",
        "message": {"id": name, "model": "claude-sonnet-5-5", "usage": usage, "content": [part]},
    }


@pytest.fixture
def follower(app: App, tmp_path: Path) -> Iterator[Follower]:
    accept(app, planned("one"))
    attempt = replace(claim(app), session="s")
    (tmp_path / "stdout.log").touch()
    tailer = Tailer(tmp_path / "stdout.log")
    made = Follower(attempt=attempt, provider=Claude(), process=None, workspace=None, tailer=tailer)
    yield made
    made.close()


def prints(tmp_path: Path, follower: Follower, *lines: dict[str, object]) -> Usage:
    with (tmp_path / "stdout.log").open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)
    follower.read(1.0)
    return follower.attempt.usage


def test_requests_count_once_while_it_works_and_their_sum_takes_their_place(tmp_path: Path, follower: Follower) -> None:
    used = prints(tmp_path, follower, request("a", 1000), request("a", 1000), request("b", 500))
    assert (used.input_tokens, used.cached_tokens, used.output_tokens) == (1500, 14, 2)
    assert used.cost_is_estimate and used.cost_micro_usd == 2 * 1500 + 10 * 2 + 2

    whole = {"claude-sonnet-5-5": {"inputTokens": 1500, "outputTokens": 90, "cacheReadInputTokens": 14}}
    used = prints(tmp_path, follower, {**RESULT, "total_cost_usd": 0.5, "modelUsage": whole})
    assert used == Usage(input_tokens=1500, cached_tokens=14, output_tokens=90, cost_micro_usd=500_000)


def test_a_session_that_goes_on_and_is_cut_has_used_what_its_requests_did(tmp_path: Path, follower: Follower) -> None:
    follower.continues(Usage(input_tokens=9000))

    assert prints(tmp_path, follower, request("a", 1000)).input_tokens == 1000


def test_tokens_of_requests_reach_a_ceiling_and_an_estimate_in_dollars_does_not(
    tmp_path: Path, follower: Follower
) -> None:
    follower.budget = Budget(limit_micro_usd=1000)
    assert prints(tmp_path, follower, request("a", 60_000)).cost_micro_usd > 1000
    assert not follower.over_budget, "the CLI was told its ceiling in dollars"

    follower.budget = Budget(limit_tokens=100_000)
    over = [follower.over_budget]
    prints(tmp_path, follower, request("b", 60_000))
    over.append(follower.over_budget)
    assert over == ["", "120,002 of 100,000 tokens"]
