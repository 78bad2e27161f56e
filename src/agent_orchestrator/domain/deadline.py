"""When a run must wind down, as people write it: ``07:30``, an ISO time, ``8h``, ``90m``."""

import re
from datetime import datetime, timedelta

from agent_orchestrator.domain.errors import BadInput

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+)s)?")
_LONGEST_S = 365 * 86_400


def parse_span(text: str) -> timedelta:
    """Return a span such as ``8h``, ``90m``, ``1h30m`` or ``7d``.

    Raises:
        BadInput: it is none, zero, or longer than a year.
    """
    found = _SPAN.fullmatch(text.strip().lower())
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0.0,) * 4
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if not 0 < total <= _LONGEST_S:
        raise BadInput(f"{text!r} is not a span of time", hint="write it like 8h, 90m, 1h30m or 7d")
    return timedelta(seconds=total)


def parse_moment(text: str, now: datetime) -> datetime:
    """Return the moment that *text* names in this machine's time zone: the next ``HH:MM``, or an ISO date and time.

    Raises:
        BadInput: it is no time, or it has passed.
    """
    words = text.strip()
    if clock := _CLOCK.fullmatch(words):
        # Without a zone, then with the one that will hold: the clocks may change this very night.
        today = now.astimezone().replace(tzinfo=None, hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        at = today.astimezone()
        return at if at > now else (today + timedelta(days=1)).astimezone()
    try:
        at = datetime.fromisoformat(words).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise BadInput(f"{text!r} is not a time", hint="write it like 07:30 or 2026-11-22T07:30") from error
    if at <= now:
        raise BadInput(f"{text} has passed", hint="give a time that is still to come")
    return at


def worked(seconds: float, *, of: float | None = None) -> str:
    """Return so much working time for people, such as ``90 minutes`` or ``7 of 6 seconds``.

    In minutes, with tenths below ten; in seconds where it, or the ceiling *of* which it is a part, is below a minute:
    ``0 of 0 minutes`` says nothing.
    """
    whole = seconds if of is None else of
    amounts = [seconds] if of is None else [seconds, of]
    if round(whole) < 60:
        unit, told = "second", [f"{one:,.0f}" for one in amounts]
    else:
        minutes = [one / 60 for one in amounts]
        unit, told = "minute", [f"{one:,.0f}" if one >= 10 else f"{one:.1f}".removesuffix(".0") for one in minutes]
    return f"{' of '.join(told)} {unit}{'' if told[-1] == '1' else 's'}"
