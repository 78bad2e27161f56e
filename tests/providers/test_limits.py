"""Until when a service refuses, read from texts that the CLIs are known to print."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers.limits import JUST_PASSED, from_epoch, refusal, reset_time, trouble

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Claude AI usage limit reached|1795214550", "2026-11-20 22:42:30"),
        ("Claude AI usage limit reached|1795214550000", "2026-11-20 22:42:30"),
        ('{"type":"usage_limit_reached","resets_at":1795214550}', "2026-11-20 22:42:30"),
        ("You've hit your limit · resets 10:42pm (UTC)", "2026-11-20 22:42"),
        ("You've hit your limit · resets 1pm (Europe/Lisbon)", "2026-11-21 13:00"),
        ("5-hour limit reached. Your limit will reset at 9am (America/Chicago)", "2026-11-21 15:00"),
        ("You've hit your session limit · resets 12:50am (America/Los_Angeles)", "2026-11-21 08:50"),
        ("You're out of extra usage · resets 5pm (Asia/Tokyo)", "2026-11-21 08:00"),
        ("You've hit your weekly limit · resets Nov 24, 6pm (America/New_York)", "2026-11-24 23:00"),
        ("You've hit your weekly limit · resets Dec 2 at 10:30am (UTC)", "2026-12-02 10:30"),
        ("limit resets 22:15 (UTC)", "2026-11-20 22:15"),
        ("resets 11 PM PST", "2026-11-21 07:00"),
        ("Try again in 5 days 22 hours 11 minutes.", "2026-11-26 16:41"),
        ("try again in 2 days 17 hours 14 minutes", "2026-11-23 11:44"),
        ("Please try again in 1.5s", "2026-11-20 18:30:01.500000"),
        ("Please try again in 6m30s.", "2026-11-20 18:36:30"),
        ("Please try again in 35 seconds", "2026-11-20 18:30:35"),
        ("You’ve hit your usage limit. … or try again at Nov 23rd, 2026 4:15 AM.", "2026-11-23 03:15"),
        ("try again at 9:05 PM.", "2026-11-20 20:05"),
        ('{"error":{"type":"usage_limit_reached","resets_in_seconds":5400}}', "2026-11-20 20:00"),
        ("retry-after: 120", "2026-11-20 18:32"),
        ("You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.", "2026-11-21 03:14:07"),
        ("You have exhausted your capacity on this model. Your quota will reset after 53s.", "2026-11-20 18:30:53"),
        ("Quota exceeded for metric: requests.\nSuggested retry after 3600s.", "2026-11-20 19:30"),
        ("Please retry in 41.5s.", "2026-11-20 18:30:41.500000"),
        ("retry after 1h30m", "2026-11-20 20:00"),
        ("… API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01 00:00"),
        ("quota exceeded, resets at 2026-11-21T04:00:00Z", "2026-11-21 04:00"),
        ("usage limit reached, retry after 2026-11-21T04:00:00Z", "2026-11-21 04:00"),
        ("retry-after: Sat, 21 Nov 2026 04:00:00 GMT", "2026-11-21 04:00"),
        ("Weekly limit reached ∙ resets Tue, 6:00 AM", "2026-11-24 05:00"),
        ("You've hit your weekly limit · resets Monday at 9am (America/New_York)", "2026-11-23 14:00"),
        ("Try again on Friday 7:15 PM (UTC)", "2026-11-20 19:15"),
        ("Try again on Friday 5:15 PM (UTC)", "2026-11-27 17:15"),
        ("try again tomorrow at 8:30 am (UTC)", "2026-11-21 08:30"),
    ],
)
def test_a_known_text_gives_its_reset_time(text: str, expected: str) -> None:
    assert reset_time(text, NOW, BERLIN) == at(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You've hit your limit",
        "Rate limit reached for requests",
        "resets 5 times a day",
        "resets 25:99pm (UTC)",
        "resets 9am (Middle/Earth)",
        "resets 9am (../../../etc/passwd)",
        "try again at Feb 31st, 2027 4:15 AM",
        "try again in 99999999999999999999 days",
        "Réessayez le 23 juil. 2026 à 04:15",
        "usage limit reached|9999999999999",
        "usage limit reached|1000000000",
        "try again at Nov 19th, 2026 4:15 AM",
        "try again on Friday 6:15 PM",
        "resets Tue",
        "try again at Jan 1st, 2100 12:00 AM.",
    ],
)
def test_a_text_without_a_possible_future_time_gives_none(text: str) -> None:
    assert reset_time(text, NOW, UTC) is None


def test_a_time_of_day_that_is_over_means_tomorrow() -> None:
    assert reset_time("resets 9am (UTC)", NOW) == at("2026-11-21 09:00")


def test_a_time_of_day_that_has_only_just_passed_is_not_waited_for_until_tomorrow() -> None:
    passed = at("2026-11-20 18:00") + JUST_PASSED

    assert reset_time("resets 6pm (UTC)", passed) is None
    assert reset_time("resets 6pm (UTC)", passed + timedelta(seconds=1)) == at("2026-11-21 18:00")


def test_a_time_whose_seconds_are_cut_off_means_the_end_of_its_minute() -> None:
    in_that_minute = at("2026-11-20 18:00:40")

    assert reset_time("try again at 6:00 PM.", in_that_minute, UTC, cut_to_minute=True) == at("2026-11-20 18:01")
    assert reset_time("try again at 9:05 PM.", NOW, UTC, cut_to_minute=True) == at("2026-11-20 21:06")
    assert reset_time("try again at 6:00 PM.", at("2026-11-20 18:01"), UTC, cut_to_minute=True) is None, "late"
    assert reset_time("Please try again in 35 seconds", NOW, UTC, cut_to_minute=True) == at("2026-11-20 18:30:35")


def test_a_date_without_a_year_is_the_next_one() -> None:
    assert reset_time("resets Jan 2 at 10:30am (UTC)", at("2026-12-30 12:00")) == at("2027-01-02 10:30")


def test_tomorrow_keeps_the_time_on_the_wall_when_the_clocks_change() -> None:
    before_the_change = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)

    assert reset_time("resets 9am (Europe/Berlin)", before_the_change) == at("2026-10-25 08:00")


@pytest.mark.parametrize("seconds", [0, -5, 1e300, 1795000000])
def test_an_epoch_that_is_no_future_time_gives_none(seconds: float) -> None:
    assert from_epoch(seconds, NOW) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("You’ve hit your usage limit. Visit https://example.invalid", HoldKind.USAGE_LIMIT),
        ("You've hit your session limit · resets 12:50am (America/Los_Angeles)", HoldKind.USAGE_LIMIT),
        ("5-hour limit reached ∙ resets 3am", HoldKind.USAGE_LIMIT),
        ("Limit reached · resets Nov 25 at 9am (UTC)", HoldKind.USAGE_LIMIT),
        ("Opus weekly limit reached ∙ resets Tue, 6:00 AM", HoldKind.USAGE_LIMIT),
        ("You've reached your Opus limit", HoldKind.USAGE_LIMIT),
        ("Opus limit reached ∙ resets 3am", HoldKind.USAGE_LIMIT),
        ("You've hit your org's monthly limit", HoldKind.USAGE_LIMIT),
        ("Rate limit reached · resets in 20s", HoldKind.RATE_LIMIT),
        ("You have reached your rate limit, retry in 20s", HoldKind.RATE_LIMIT),
        ("Your credit balance is too low to access the API", HoldKind.USAGE_LIMIT),
        ("You exceeded your current quota, please check your plan (429)", HoldKind.USAGE_LIMIT),
        ("exceeded retry limit, last status: 429 Too Many Requests", HoldKind.RATE_LIMIT),
        ("litellm.RateLimitError: AnthropicException", HoldKind.RATE_LIMIT),
        ("API Error: 529 Overloaded", HoldKind.OVERLOADED),
        ("Selected model is at capacity. Please try a different model.", HoldKind.OVERLOADED),
        ("unexpected status 401 Unauthorized: Incorrect API key provided", HoldKind.LOGIN),
        ("Not logged in · Please run /login", HoldKind.LOGIN),
        ("[API Error: You have exhausted your daily quota on this model.]", HoldKind.USAGE_LIMIT),
        ("You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.", HoldKind.USAGE_LIMIT),
        ("[API Error: Resource has been exhausted (e.g. check quota).]", HoldKind.RATE_LIMIT),
        ("No capacity available for model gemini-3-flash-preview on the server", HoldKind.OVERLOADED),
        ("API key not valid. Please pass a valid API key.", HoldKind.LOGIN),
        ("Free usage exceeded, subscribe to Go", HoldKind.USAGE_LIMIT),
        ("the memory was exhausted", None),
        ("AssertionError: 429 != 200", None),
        ('File "limits.py", line 503, in test', None),
        ("The model does not exist", None),
        ("AssertionError: recursion limit reached, resets counter", None),
        ("the counter reached your upper limit of 10", None),
    ],
)
def test_a_refusal_is_told_by_its_text(text: str, kind: HoldKind | None) -> None:
    assert refusal(text) == kind


def test_a_broken_connection_is_trouble_and_a_failing_test_is_not() -> None:
    assert trouble("API Error: Connection dropped (ECONNRESET)")
    assert not trouble("FAILED (failures=1)")
