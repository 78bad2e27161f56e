from datetime import UTC, datetime, timedelta

from agent_orchestrator.domain.hold import (
    BRIEF_LONGEST,
    BRIEF_PAUSE,
    DEFAULT_HOLD,
    GROW_EVERY,
    LONGEST_GUESS,
    RESET_LATE,
    HoldKind,
    Pace,
    after_refusal,
)

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)


def refused(before: Pace | None, kind: HoldKind, stated: datetime | None, now: datetime, running: int = 1) -> Pace:
    return after_refusal(before, "claude", kind, stated=stated, now=now, running=running)


def waits(kind: HoldKind, *stated_for: timedelta | None) -> list[timedelta]:
    """Return how long each hold is when each refusal comes at the end of the hold before it."""
    now, pace, found = NOW, None, []
    for stated in stated_for:
        pace = refused(pace, kind, now + stated if stated is not None else None, now)
        found.append(pace.until - now)
        now = pace.until
    return found


def test_a_stated_reset_is_waited_for() -> None:
    assert waits(HoldKind.USAGE_LIMIT, timedelta(days=5, hours=22)) == [timedelta(days=5, hours=22)]


def test_a_reset_that_does_not_happen_backs_off() -> None:
    first = timedelta(hours=4)

    found = waits(HoldKind.USAGE_LIMIT, first, None, None, None, None, None)

    assert found == [first, RESET_LATE, 2 * RESET_LATE, 4 * RESET_LATE, 8 * RESET_LATE, LONGEST_GUESS]


def test_a_time_stated_too_near_again_and_again_is_not_believed_for_ever() -> None:
    near = timedelta(seconds=2)

    found = waits(HoldKind.USAGE_LIMIT, near, near, near)

    assert found == [near, RESET_LATE, 2 * RESET_LATE]


def test_a_limit_without_a_time_is_looked_at_ever_more_seldom_up_to_an_hour() -> None:
    found = waits(HoldKind.USAGE_LIMIT, None, None, None, None)

    assert found == [DEFAULT_HOLD, 2 * DEFAULT_HOLD, LONGEST_GUESS, LONGEST_GUESS]


def test_a_refusal_per_minute_is_a_short_pause_and_half_the_agents_which_grow_again() -> None:
    pace = refused(None, HoldKind.RATE_LIMIT, None, NOW, running=7)

    assert pace.until - NOW == BRIEF_PAUSE
    widths = [pace.width_at(pace.until + minutes * GROW_EVERY) for minutes in range(3)]
    assert widths == [3, 4, 5]
    assert refused(pace, HoldKind.OVERLOADED, None, NOW, running=1).width == 1, "one always may"


def test_an_outage_of_hours_is_looked_at_every_ten_minutes_at_most() -> None:
    found = waits(HoldKind.OVERLOADED, *[None] * 40)

    assert found[:3] == [BRIEF_PAUSE, 2 * BRIEF_PAUSE, 4 * BRIEF_PAUSE]
    assert max(found) == BRIEF_LONGEST


def test_after_a_usage_limit_one_agent_goes_first() -> None:
    pace = refused(None, HoldKind.USAGE_LIMIT, None, NOW, running=5)

    assert pace.width_at(pace.until) == 1
