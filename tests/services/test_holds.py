"""Holds as the supervisor starts them and people release them."""

from datetime import timedelta

from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.hold import BRIEF_PAUSE, RESET_LATE, HoldKind

HOUR = timedelta(hours=1)


def test_agents_that_meet_one_limit_together_are_one_refusal(app: App, clock: HandClock) -> None:
    began, until = clock.now(), clock.now() + HOUR
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=until, reason="limit", began=began, running=3)
    later = app.holds.start("claude", HoldKind.USAGE_LIMIT, until=None, reason="limit", began=began, running=2)

    assert (later.until, later.stated, later.refusals) == (until, True, 1), "what is known is not forgotten"

    clock.advance(2 * HOUR)
    app.holds.current()
    straggler = app.holds.start("claude", HoldKind.USAGE_LIMIT, until=None, reason="limit", began=began)
    assert straggler.refusals == 1


def test_a_later_reset_replaces_an_earlier_one(app: App, clock: HandClock) -> None:
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=clock.now() + HOUR, reason="5 hours")
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=clock.now() + 9 * HOUR, reason="the week")

    assert [hold.until for hold in app.holds.current()] == [clock.now() + 9 * HOUR]


def test_a_reset_that_did_not_happen_is_looked_at_again_after_minutes(app: App, clock: HandClock) -> None:
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=clock.now() + HOUR, reason="limit", began=clock.now())
    clock.advance(HOUR)
    assert app.holds.current() == []
    began = clock.now()

    hold = app.holds.start("claude", HoldKind.USAGE_LIMIT, until=None, reason="limit", began=began)

    assert (hold.until - began, hold.stated, hold.refusals) == (RESET_LATE, False, 2)


def test_an_answer_ends_the_row_of_refusals(app: App, clock: HandClock) -> None:
    for _ in range(3):
        hold = app.holds.start("claude", HoldKind.OVERLOADED, until=None, reason="529", began=clock.now())
        clock.advance(hold.until - clock.now() + timedelta(seconds=1))
        app.holds.current()
    assert hold.refusals == 3

    app.holds.worked("claude")

    again = app.holds.start("claude", HoldKind.OVERLOADED, until=None, reason="529", began=clock.now())
    assert (again.refusals, again.until - clock.now()) == (1, BRIEF_PAUSE)


def test_fewer_agents_work_after_a_refusal_per_minute_until_it_is_forgotten(app: App, clock: HandClock) -> None:
    app.holds.start("claude", HoldKind.RATE_LIMIT, until=None, reason="429", running=4)
    assert app.holds.widths() == {"claude": 2}

    clock.advance(BRIEF_PAUSE + timedelta(minutes=3))
    assert app.holds.widths() == {"claude": 5}

    app.holds.release("claude")
    assert app.holds.widths() == {}


def test_a_release_by_hand_names_what_was_held(app: App, clock: HandClock) -> None:
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=clock.now() + HOUR, reason="limit")
    app.holds.start("codex", HoldKind.LOGIN, until=None, reason="401")

    assert [hold.provider for hold in app.holds.release("claude")] == ["claude"]
    assert [hold.provider for hold in app.holds.current()] == ["codex"]
    assert [hold.provider for hold in app.holds.release()] == ["codex"]
    assert app.holds.release() == []
