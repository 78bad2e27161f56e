"""A provider account that must wait: a usage limit, an overload, an expired login.

A hold says until when. A pace says how carefully the provider is used after
it: how often in a row it has refused, which makes each pause longer than the
one before, and how many agents of it may work at once, which grows again with
time. So a limit per minute is met with fewer agents, not with none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class HoldKind(StrEnum):
    """Why a provider must wait."""

    USAGE_LIMIT = "usage_limit"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    LOGIN = "login"
    """The key or the login is refused; a person must act, so the time is only when we look again."""


DEFAULT_HOLD = timedelta(minutes=15)
"""How long a provider waits when it did not say until when. Long enough not to hammer, short enough to lose little."""
LONGEST_GUESS = timedelta(hours=1)
"""The longest wait that we choose ourselves: each look costs one agent's start."""
RESET_LATE = timedelta(minutes=5)
"""The first wait after a stated reset that did not happen; such resets were late by minutes, sometimes by hours."""
BRIEF = frozenset({HoldKind.RATE_LIMIT, HoldKind.OVERLOADED})
"""Refusals that pass within minutes: answered with a short pause and fewer agents."""
BRIEF_PAUSE = timedelta(seconds=15)
"""The first pause then. The CLIs have tried again by themselves for about half a minute before they give up."""
BRIEF_LONGEST = timedelta(minutes=10)
"""The longest pause then: a service that was down for hours is used again soon after it is back."""
GROW_EVERY = timedelta(minutes=1)
"""How often one more agent of a provider may work after such a refusal: the windows of these limits are minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One provider that waits."""

    provider: str
    kind: HoldKind
    until: datetime
    """UTC. The stated reset, else our own guess."""
    stated: bool
    """True when the provider itself said until when."""
    reason: str
    """Its own words, cleaned and capped."""
    since: datetime
    refusals: int = 1
    """How often in a row it has refused, no agent of it having got an answer in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How carefully a provider is used since it last refused."""

    provider: str
    kind: HoldKind
    refusals: int
    """In a row; 0 once an agent of it got an answer again."""
    width: int
    """Agents of it that may work at once when its hold ends."""
    stated: bool
    """Whether the last hold's end was the provider's own word."""
    since: datetime
    """When it last refused."""
    until: datetime
    """When its last hold ends, or ended."""

    def width_at(self, now: datetime) -> int:
        """Return how many agents of it may work at once: one more for each minute since the hold's end."""
        return self.width + max(0, (now - self.until) // GROW_EVERY)


def after_refusal(
    before: Pace | None,
    provider: str,
    kind: HoldKind,
    *,
    stated: datetime | None,
    now: datetime,
    running: int,
    default: timedelta = DEFAULT_HOLD,
) -> Pace:
    """Return how *provider* is to be used after one more refusal.

    *before* is its pace until now, *stated* the reset it named, *running* how many agents of it were at work, the
    refused one included. A stated reset is believed; from the second refusal in a row on no wait is shorter than the
    one before, whatever is stated, until an agent gets an answer.
    """
    reset_was_late = before is not None and before.stated and before.refusals > 0
    refusals = (before.refusals if before is not None else 0) + 1
    pause = _pause(kind, refusals, default, reset_was_late=reset_was_late)
    guess = now + pause
    if stated is None or stated <= now:
        until, is_stated = guess, False
    elif refusals == 1 or stated >= guess:
        until, is_stated = stated, True
    else:
        until, is_stated = guess, False
    width = max(1, running // 2) if kind in BRIEF else 1
    return Pace(
        provider=provider,
        kind=kind,
        refusals=refusals,
        width=width,
        stated=is_stated or reset_was_late,
        since=now,
        until=until,
    )


def _pause(kind: HoldKind, refusals: int, default: timedelta, *, reset_was_late: bool) -> timedelta:
    doublings = min(refusals - 1, 20)
    if kind in BRIEF:
        return min(BRIEF_PAUSE * (1 << doublings), BRIEF_LONGEST)
    if reset_was_late:
        return min(RESET_LATE * (1 << max(doublings - 1, 0)), LONGEST_GUESS)
    return min(default * (1 << doublings), max(default, LONGEST_GUESS))
