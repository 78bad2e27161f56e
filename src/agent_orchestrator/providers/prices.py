"""What tokens cost, for providers that do not say. Every figure from here is marked as an estimate.

Sources: OpenAI models from the Codex rate card as published on 13 May 2026 (25 credits are 1 US dollar); Claude models
from what claude 2.1.329 itself charged per token in its ``total_cost_usd``, measured on 20 November 2026.
"""

import math
from dataclasses import dataclass

from agent_orchestrator.domain.attempt import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, which is micro-dollars per token."""

    input: float
    cached: float
    output: float


PRICES = {
    "gpt-5.5": Price(input=5.0, cached=0.5, output=30.0),
    "gpt-5.4": Price(input=2.5, cached=0.25, output=15.0),
    "gpt-5.4-mini": Price(input=0.75, cached=0.075, output=4.52),
    "gpt-5.3-codex": Price(input=1.75, cached=0.175, output=14.0),
    "gpt-5.2": Price(input=1.75, cached=0.175, output=14.0),
    "claude-opus-5-5": Price(input=4.0, cached=0.2, output=20.0),
    "claude-sonnet-5-5": Price(input=2.0, cached=0.2, output=10.0),
}

UNKNOWN_MODEL = PRICES["gpt-5.5"]
"""For a model not in the table, or not known: the dearest, so that a budget stops too early rather than too late."""


def estimated(usage: Usage, model: str | None) -> Usage:
    """Return *usage* with its cost estimated for *model*; never zero when any token was used."""
    price = PRICES.get(model or "", UNKNOWN_MODEL)
    dollars_e6 = (
        usage.input_tokens * price.input + usage.cached_tokens * price.cached + usage.output_tokens * price.output
    )
    return usage._replace(cost_micro_usd=math.ceil(dollars_e6), cost_is_estimate=True)
