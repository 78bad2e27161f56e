"""Time as three different things, so that each is used where it is right.

Wall time is for people and for reset times that others state; it may jump.
Monotonic time is for limits on work; it stands still while a laptop sleeps, so
a closed lid costs nothing. Boot time goes on during sleep and is for leases.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where every reading of time comes from; injected, so that tests move it by hand."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, not counting suspend, never going back."""
        ...

    def boot(self) -> float:
        """Seconds since boot, counting suspend, never going back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def boot(self) -> float:
        """Return CLOCK_BOOTTIME (Linux) in seconds, or CLOCK_MONOTONIC (macOS), which goes on during sleep there.

        Elsewhere the monotonic clock. Source: clock_gettime(2) of Linux, clock_gettime(3) of macOS, read 2026-11.
        """
        boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC if sys.platform == "darwin" else None)
        return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class HandClock:
    """A clock that stands still until it is moved. For tests and simulations; only a suspend parts its readings."""

    def __init__(self, at: datetime | None = None) -> None:
        """Stand at *at*, by default the first moment of 2026."""
        self.at = at or datetime(2026, 1, 1, tzinfo=UTC)
        self.elapsed = 0.0
        self.asleep = 0.0

    def now(self) -> datetime:
        """Return the wall time it was moved to."""
        return self.at

    def monotonic(self) -> float:
        """Return the seconds it was moved by."""
        return self.elapsed

    def boot(self) -> float:
        """Return the seconds it was moved by, suspends included."""
        return self.elapsed + self.asleep

    def advance(self, by: timedelta) -> None:
        """Move every reading forward by *by*."""
        self.at += by
        self.elapsed += by.total_seconds()

    def suspend(self, by: timedelta) -> None:
        """Put the machine to sleep for *by*: wall time and boot time go on, monotonic time stands still."""
        self.at += by
        self.asleep += by.total_seconds()


def to_ms(moment: datetime) -> int:
    """Return *moment* as integer milliseconds since 1970 UTC, the form in which times are stored."""
    return round(moment.timestamp() * 1000)


def spelt(moment: datetime) -> str:
    """Return an aware time as every answer for programs spells it: ``2026-11-21T07:30:00Z``, in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_ms(milliseconds: int) -> datetime:
    """Return stored milliseconds as an aware UTC time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
