"""How much may be spent, and what is left. Money is integer micro-dollars."""

import math
from dataclasses import dataclass

from agent_orchestrator.domain.errors import BadInput

MICRO = 1_000_000


def parse_usd(text: str) -> int:
    """Return dollars such as ``5``, ``$2.50`` or ``0.30`` as micro-dollars.

    Raises:
        BadInput: not a number, not finite, zero or negative. (NaN compares false with everything: it would never stop.)
    """
    try:
        value = float(text.strip().removeprefix("$"))
    except ValueError as error:
        raise BadInput(f"{text!r} is not an amount in dollars", hint="write it like 5 or 2.50") from error
    if not math.isfinite(value) or value <= 0 or value > 1e9:
        raise BadInput(f"{text!r} is not an amount one can spend", hint="write it like 5 or 2.50")
    return round(value * MICRO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A ceiling on a run's spend."""

    limit_micro_usd: int
    reserve_micro_usd: int = MICRO // 2
    """Set aside before each start, so that agents already running cannot carry the sum over the ceiling. Half a dollar
    is a middling coding task's price; an attempt that costs more can pass the ceiling by the difference."""

    def allows_start(self, spent_micro_usd: int, running: int) -> bool:
        """Say whether one more agent may start, given what is spent and how many are *running* on reserve."""
        return spent_micro_usd + (running + 1) * self.reserve_micro_usd <= self.limit_micro_usd
