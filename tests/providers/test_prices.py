"""What tokens are reckoned to cost."""

import pytest

from agent_orchestrator.domain.attempt import Usage
from agent_orchestrator.providers import prices

SMALL = Usage(input_tokens=1000, cached_tokens=2000, output_tokens=100)


@pytest.mark.parametrize(
    ("usage", "model", "written", "micro_usd"),
    [
        (SMALL, "claude-sonnet-5-5", 0, 2000 + 200 + 1000),
        (SMALL, "claude-sonnet-5-5-20261001", 0, 2000 + 200 + 1000),
        (SMALL, "claude-opus-5-5", 1000, 4000 + 400 + 2000 + 5000),
        (SMALL, "gpt-5.4", 1000, 2500 + 500 + 1500 + 2500),
        (Usage(input_tokens=60_000, cached_tokens=40_000), "claude-haiku-5-5", 0, 6000 + 400),
        (Usage(input_tokens=60_000, cached_tokens=60_000), "claude-haiku-5-5", 0, 30_000 + 3000),
    ],
)
def test_a_cost_is_the_sum_of_what_each_kind_of_token_costs(
    usage: Usage, model: str, written: int, micro_usd: int
) -> None:
    found = prices.estimated(usage, model, cache_write_tokens=written)

    assert (found.cost_micro_usd, found.cost_is_estimate) == (micro_usd, True)
    assert found.input_tokens == usage.input_tokens + written


@pytest.mark.parametrize("model", ["claude-next", "", None])
def test_a_model_that_is_not_known_costs_as_much_as_the_dearest(model: str | None) -> None:
    unknown = prices.estimated(SMALL, model).cost_micro_usd

    assert unknown == max(prices.estimated(SMALL, known).cost_micro_usd for known in prices.PRICES)


def test_a_users_own_prices_take_the_place_of_the_tables_and_stand_for_any_model() -> None:
    table = prices.with_own({"gpt-6": (1.0, 0.1, 2.0, 3.0), "*": (0.0, 0.0, 0.0)})
    used = Usage(input_tokens=1_000_000, output_tokens=1_000_000)

    costs = [table.estimated(used, model).cost_micro_usd for model in ("gpt-6", "gpt-5.4-mini", "mine-at-home", None)]

    assert costs == [3_000_000, 5_270_000, 0, 0]
    assert table.estimated(Usage(), "gpt-6", cache_write_tokens=1_000_000).cost_micro_usd == 3_000_000


def test_the_table_in_the_docstring_is_the_table() -> None:
    rows = {
        line.split()[0]: line.replace("as input", "-").split()[1:]
        for line in (prices.__doc__ or "").splitlines()
        if line.startswith(("gpt", "claude"))
    }

    for model, price in prices.PRICES.items():
        written = "-" if price.cache_write is None else price.cache_write
        shown = [one if one == "-" else float(one) for one in rows[model]]
        assert shown == [price.input, price.cached, written, price.output], model
    assert set(rows) == set(prices.PRICES)
