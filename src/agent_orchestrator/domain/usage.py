"""What work used: tokens and money."""

from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens and money of one attempt. Zero means nothing was reported, which is not the same as free."""

    input_tokens: int = 0
    """Without cached ones, whatever the provider's own convention."""
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    """Millionths of a US dollar."""
    cost_is_estimate: bool = False
    cost_is_partial: bool = False
    """True of a sum to which an attempt belongs whose cost nobody reported: it is at least this."""

    def plus(self, other: "Usage") -> "Usage":
        """Return the sum of both."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_micro_usd=self.cost_micro_usd + other.cost_micro_usd,
            cost_is_estimate=self.cost_is_estimate or other.cost_is_estimate,
            cost_is_partial=self.cost_is_partial or other.cost_is_partial,
        )
