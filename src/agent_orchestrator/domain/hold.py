"""A provider account that must wait: a usage limit, an overload, an expired login."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One provider that waits."""

    provider: str
    kind: HoldKind
    until: datetime
    """UTC. The stated reset, else the default hold."""
    stated: bool
    """True when the provider itself said until when."""
    reason: str
    """Its own words, cleaned and capped."""
    since: datetime
