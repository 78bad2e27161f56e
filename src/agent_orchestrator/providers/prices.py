"""What tokens cost, for providers that do not say. Every figure from here is marked as an estimate.

The table, US dollars per million tokens:

=====================  =====  ======  ===========  ======
model                  input  cached  cache write  output
=====================  =====  ======  ===========  ======
gpt-5.5                 5.00    0.50     as input   30.00
gpt-5.4                 2.50    0.25     as input   15.00
gpt-5.4-mini            0.75   0.075     as input    4.52
gpt-5.3-codex           1.75   0.175     as input   14.00
gpt-5.2                 1.75   0.175     as input   14.00
claude-opus-5-5         4.00    0.20         5.00   20.00
claude-sonnet-5-5       2.00    0.10         2.50   10.00
claude-haiku-5-5        0.10    0.01        0.125    0.50
… beyond 100,000        0.50    0.05        0.625    2.50
=====================  =====  ======  ===========  ======

The last line is for a request of claude-haiku-5-5 with more than 100,000 tokens to read, cached ones included.

Sources: OpenAI models from the Codex rate card as published on 13 May 2026 (25 credits are 1 US dollar); Claude models
from what claude 2.1.329 itself charged per token in its ``total_cost_usd``, measured in November 2026 against a model
server that reported chosen counts of tokens. A model that is not in the table counts as the dearest of it, so that a
budget stops too early rather than too late. What is really paid is shown in the provider's own console. A user's own
prices, from the setting ``prices``, take the place of these.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_orchestrator.domain.attempt import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, which is micro-dollars per token."""

    input: float
    cached: float
    output: float
    cache_write: float | None = None
    """None means as input."""
    beyond: "Beyond | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What every token of a request costs that reads more than a number of tokens."""

    tokens: int
    price: Price


PRICES = {
    "gpt-5.5": Price(input=5.0, cached=0.5, output=30.0),
    "gpt-5.4": Price(input=2.5, cached=0.25, output=15.0),
    "gpt-5.4-mini": Price(input=0.75, cached=0.075, output=4.52),
    "gpt-5.3-codex": Price(input=1.75, cached=0.175, output=14.0),
    "gpt-5.2": Price(input=1.75, cached=0.175, output=14.0),
    "claude-opus-5-5": Price(input=4.0, cached=0.2, output=20.0, cache_write=5.0),
    "claude-sonnet-5-5": Price(input=2.0, cached=0.1, output=10.0, cache_write=2.5),
    "claude-haiku-5-5": Price(
        input=0.1,
        cached=0.01,
        output=0.5,
        cache_write=0.125,
        beyond=Beyond(tokens=100_000, price=Price(input=0.5, cached=0.05, output=2.5, cache_write=0.625)),
    ),
}

UNKNOWN_MODEL = PRICES["gpt-5.5"]
"""For a model not in the table, or not known: the dearest, so that a budget stops too early rather than too late."""

_DATED = re.compile(r"-20\d{6}$")
"""How the name of a model's snapshot ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Prices by model."""

    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES)
    unknown: Price = UNKNOWN_MODEL
    """For a model that is not in it."""

    def find(self, model: str) -> Price | None:
        """Return the price of *model*, or of the model that it is a dated snapshot of; None when it is not here."""
        return self.prices.get(model) or self.prices.get(_DATED.sub("", model))

    def estimated(self, usage: Usage, model: str | None, *, cache_write_tokens: int = 0) -> Usage:
        """Return *usage* with its cost estimated for *model*; never zero when a token was used that has a price.

        *cache_write_tokens* are those that were read and also put into a cache, which some are paid more for; they
        come on top of the input in *usage* and are input in what is returned.
        """
        price = self.find(model or "") or self.unknown
        whole = usage._replace(input_tokens=usage.input_tokens + cache_write_tokens)
        if price.beyond is not None and whole.input_tokens + whole.cached_tokens > price.beyond.tokens:
            price = price.beyond.price
        dollars_e6 = (
            usage.input_tokens * price.input
            + cache_write_tokens * (price.input if price.cache_write is None else price.cache_write)
            + usage.cached_tokens * price.cached
            + usage.output_tokens * price.output
        )
        return whole._replace(cost_micro_usd=math.ceil(dollars_e6), cost_is_estimate=True)


KNOWN = Table()
"""The table above."""
ANY_MODEL = "*"
"""Stands in a user's prices for every model that has none of its own there or here."""


def with_own(entries: Mapping[str, tuple[float, ...]]) -> Table:
    """Return the table with a user's *entries*: input, cached, output and, if it differs, cache write."""
    own = {
        name: Price(input=parts[0], cached=parts[1], output=parts[2], cache_write=parts[3] if len(parts) > 3 else None)
        for name, parts in entries.items()
    }
    unknown = own.pop(ANY_MODEL, UNKNOWN_MODEL)
    return Table(prices={**PRICES, **own}, unknown=unknown)


def estimated(usage: Usage, model: str | None, *, cache_write_tokens: int = 0) -> Usage:
    """Return *usage* with its cost estimated by the table above; see :meth:`Table.estimated`."""
    return KNOWN.estimated(usage, model, cache_write_tokens=cache_write_tokens)
