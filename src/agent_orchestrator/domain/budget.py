"""How much may be spent, and what is left: dollars, tokens, minutes of agents at work.

Money is integer micro-dollars, time is whole seconds. Tokens are those that
were read and written, without those read from a cache, which cost a tenth or
less and would drown the rest.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from agent_orchestrator.domain.deadline import parse_span, worked
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.usage import Usage

MICRO = 1_000_000
NEAR = 0.8
"""Share of a budget at which one notice says that it is nearly used up."""

_TOKENS = re.compile(r"(\d+(?:\.\d+)?)\s*([km]?)\s*tok(?:en)?s?", re.I)
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_HINT = "write it like 5, 2.50, 2M tokens, 90m, or several: 5,8h"


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


class Used(NamedTuple):
    """What counts against a budget."""

    micro_usd: int = 0
    tokens: int = 0
    seconds: int = 0
    """From the start of each agent to its end, added up; agents at work now count until now."""

    @staticmethod
    def of(usage: Usage, seconds: int = 0) -> "Used":
        """Return what *usage* and *seconds* of work count."""
        return Used(usage.cost_micro_usd, usage.input_tokens + usage.output_tokens, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A ceiling on spend: of a run, a goal, a task or an attempt. None means no ceiling of that kind."""

    limit_micro_usd: int | None = None
    limit_tokens: int | None = None
    limit_seconds: int | None = None
    reserve_micro_usd: int = MICRO // 2
    """Set aside before each start, so that agents already running cannot carry the sum over the ceiling. Half a dollar
    is a middling coding task's price; an attempt that costs more can pass the ceiling by the difference."""
    reserve_tokens: int = 50_000
    """The same in tokens: about what half a dollar buys of a capable model's work."""
    reserve_seconds: int = 300
    reserve_is_guessed: bool = True
    """Whether the reserves are the middling ones above, not what each attempt is held to."""

    def __bool__(self) -> bool:
        """Say whether anything is limited."""
        return any(limit is not None for limit in (self.limit_micro_usd, self.limit_tokens, self.limit_seconds))

    @property
    def limits(self) -> tuple[int | None, int | None, int | None]:
        """Micro-dollars, tokens and seconds, as they are written down."""
        return self.limit_micro_usd, self.limit_tokens, self.limit_seconds

    def allows_start(self, spent_micro_usd: int, running: int, *, tokens: int = 0, seconds: int = 0) -> bool:
        """Say whether one more agent may start, given what is spent and how many are *running* on reserve."""
        return not self.short(Used(spent_micro_usd, tokens, seconds), running)

    def short(self, used: Used, running: int) -> str:
        """Say in words which ceiling forbids one more start; nothing when none does.

        A ceiling below a guessed reserve is its own reserve: it lets one agent start, or it would never let any.
        """
        return (self._kept_small() if self.reserve_is_guessed else self)._short(used, running)

    def _kept_small(self) -> "Budget":
        def least(reserve: int, limit: int | None) -> int:
            return reserve if limit is None else min(reserve, limit)

        return replace(
            self,
            reserve_micro_usd=least(self.reserve_micro_usd, self.limit_micro_usd),
            reserve_tokens=least(self.reserve_tokens, self.limit_tokens),
            reserve_seconds=least(self.reserve_seconds, self.limit_seconds),
        )

    def _short(self, used: Used, running: int) -> str:
        starts = running + 1
        if self.limit_micro_usd is not None and (
            used.micro_usd + starts * self.reserve_micro_usd > self.limit_micro_usd
        ):
            spent, limit, reserve = (
                f"${one / MICRO:,.2f}" for one in (used.micro_usd, self.limit_micro_usd, self.reserve_micro_usd)
            )
            return f"{spent} of {limit} is spent, and each start sets {reserve} aside"
        if self.limit_tokens is not None and used.tokens + starts * self.reserve_tokens > self.limit_tokens:
            return (
                f"{used.tokens:,} of {self.limit_tokens:,} tokens are used, and each start sets "
                f"{self.reserve_tokens:,} aside"
            )
        if self.limit_seconds is not None and used.seconds + starts * self.reserve_seconds > self.limit_seconds:
            return (
                f"agents worked {worked(used.seconds, of=self.limit_seconds)}, and each start sets "
                f"{worked(self.reserve_seconds)} aside"
            )
        return ""

    def passed(self, used: Used) -> str:
        """Say in words which ceiling is reached, nothing set aside; nothing when none is."""
        if self.limit_micro_usd is not None and used.micro_usd >= self.limit_micro_usd:
            return f"${used.micro_usd / MICRO:,.2f} of ${self.limit_micro_usd / MICRO:,.2f}"
        if self.limit_tokens is not None and used.tokens >= self.limit_tokens:
            return f"{used.tokens:,} of {self.limit_tokens:,} tokens"
        if self.limit_seconds is not None and used.seconds >= self.limit_seconds:
            return worked(used.seconds, of=self.limit_seconds)
        return ""

    def share(self, used: Used) -> float:
        """Return how much of it is used, as the largest share of its ceilings; 1.0 is all."""
        pairs = (
            (used.micro_usd, self.limit_micro_usd),
            (used.tokens, self.limit_tokens),
            (used.seconds, self.limit_seconds),
        )
        return max((spent / limit for spent, limit in pairs if limit), default=0.0)

    def setting_aside(self, each: "Budget | None") -> "Budget":
        """Return this budget with what *each* attempt may use as its reserves: then attempts that keep to it cannot
        pass it.
        """
        if each is None:
            return self
        return replace(
            self,
            reserve_micro_usd=each.limit_micro_usd or self.reserve_micro_usd,
            reserve_tokens=each.limit_tokens or self.reserve_tokens,
            reserve_seconds=each.limit_seconds or self.reserve_seconds,
            reserve_is_guessed=False,
        )

    def less(self, used: Used) -> "Budget":
        """Return what is left of it after *used*, nothing set aside."""

        def left(limit: int | None, spent: int) -> int | None:
            return None if limit is None else max(0, limit - spent)

        return replace(
            self,
            limit_micro_usd=left(self.limit_micro_usd, used.micro_usd),
            limit_tokens=left(self.limit_tokens, used.tokens),
            limit_seconds=left(self.limit_seconds, used.seconds),
        )

    def within(self, other: "Budget | None") -> "Budget":
        """Return the lower of both ceilings of each kind."""
        if other is None:
            return self

        def lower(one: int | None, two: int | None) -> int | None:
            return min((limit for limit in (one, two) if limit is not None), default=None)

        return replace(
            self,
            limit_micro_usd=lower(self.limit_micro_usd, other.limit_micro_usd),
            limit_tokens=lower(self.limit_tokens, other.limit_tokens),
            limit_seconds=lower(self.limit_seconds, other.limit_seconds),
        )


def parse_budget(text: str) -> Budget:
    """Return the budget in *text*: dollars (``5``), tokens (``2M tokens``), time (``90m``), or several (``5,8h``).

    Raises:
        BadInput: a part of it is none of these, is not finite, zero or negative, or a kind is named twice.
    """
    found: dict[str, int] = {}
    for part in text.split(","):
        words = part.strip()
        if tokens := _TOKENS.fullmatch(words):
            kind = "limit_tokens"
            value = round(float(tokens[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[tokens[2].lower()])
        elif _SPAN.fullmatch(words):
            kind, value = "limit_seconds", int(parse_span(words).total_seconds())
        else:
            try:
                kind, value = "limit_micro_usd", parse_usd(words.lower().removesuffix("usd"))
            except BadInput as error:
                raise BadInput(f"{words!r} is not an amount one can spend", hint=_HINT) from error
        if kind in found or value <= 0:
            raise BadInput(f"{text!r} is not a budget", hint=_HINT)
        found[kind] = value
    return Budget(
        limit_micro_usd=found.get("limit_micro_usd"),
        limit_tokens=found.get("limit_tokens"),
        limit_seconds=found.get("limit_seconds"),
    )
