import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_orchestrator.domain.budget import Budget, Used, parse_budget
from agent_orchestrator.domain.errors import BadInput


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("5", Budget(limit_micro_usd=5_000_000)),
        ("$2.50", Budget(limit_micro_usd=2_500_000)),
        ("3usd", Budget(limit_micro_usd=3_000_000)),
        ("500k tokens", Budget(limit_tokens=500_000)),
        ("2Mtok", Budget(limit_tokens=2_000_000)),
        ("90m", Budget(limit_seconds=5_400)),
        ("1h30m", Budget(limit_seconds=5_400)),
        ("5, 1M tokens, 8h", Budget(limit_micro_usd=5_000_000, limit_tokens=1_000_000, limit_seconds=28_800)),
    ],
)
def test_a_budget_is_dollars_tokens_time_or_several(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-1", "0", "5$", "1e309", "5,6", "0m", "0 tokens", "2M", "a,b", "5,"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_budget(text)


def test_each_kind_of_ceiling_sets_something_aside_for_each_start() -> None:
    assert Budget(limit_micro_usd=1_000_000).short(Used(micro_usd=400_000), 0) == ""
    assert "is spent" in Budget(limit_micro_usd=1_000_000).short(Used(micro_usd=400_000), 1)
    assert "tokens are used" in Budget(limit_tokens=120_000).short(Used(tokens=30_000), 1)
    assert "minutes" in Budget(limit_seconds=600).short(Used(seconds=1), 1)
    assert Budget(limit_seconds=6).passed(Used(seconds=7)) == "7 of 6 seconds"
    assert Budget(limit_seconds=1).short(Used(), 1).startswith("agents worked 0 of 1 second, and each start sets")
    assert Budget(limit_seconds=330).passed(Used(seconds=345)) == "5.8 of 5.5 minutes"
    assert Budget(limit_seconds=5400).passed(Used(seconds=5461)) == "91 of 90 minutes"


def test_what_is_left_is_never_less_than_nothing() -> None:
    left = Budget(limit_micro_usd=5, limit_tokens=100).less(Used(micro_usd=9, tokens=40, seconds=3))

    assert (left.limit_micro_usd, left.limit_tokens, left.limit_seconds) == (0, 60, None)


def test_the_lower_of_two_ceilings_holds() -> None:
    both = Budget(limit_micro_usd=5).within(Budget(limit_micro_usd=3, limit_seconds=60))

    assert (both.limit_micro_usd, both.limit_seconds) == (3, 60)


@given(
    cap=st.integers(1, 100),
    limit=st.integers(1, 1_000),
    steps=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=200),
)
def test_attempts_that_keep_to_their_own_ceiling_never_pass_that_of_the_run(
    cap: int, limit: int, steps: list[tuple[bool, float]]
) -> None:
    budget = Budget(limit_micro_usd=limit).setting_aside(Budget(limit_micro_usd=cap))
    spent, running = 0, 0
    for wants_start, share in steps:
        if wants_start:
            running += not budget.short(Used(micro_usd=spent), running)
        elif running:
            running, spent = running - 1, spent + round(cap * share)

    assert spent + running * cap <= limit


def test_a_ceiling_below_the_reserve_lets_one_agent_start_and_no_second_one() -> None:
    for small in (Budget(limit_micro_usd=300_000), Budget(limit_tokens=9_000), Budget(limit_seconds=60)):
        assert small.short(Used(), 0) == ""
        assert small.short(Used(micro_usd=1, tokens=1, seconds=1), 0)
    assert Budget(limit_micro_usd=300_000).short(Used(), 1)
