"""Deadlines as people write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from agent_orchestrator.domain.deadline import parse_moment, parse_span
from agent_orchestrator.domain.errors import BadInput

EVENING = datetime(2026, 3, 28, 19, 0, tzinfo=UTC)


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")  # Berlin's rule; a zone's name needs a data file
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_berlin")
def test_a_clock_time_is_the_next_one_also_over_the_change_to_summer_time() -> None:
    assert parse_moment("07:30", EVENING) == datetime(2026, 3, 29, 5, 30, tzinfo=UTC)
    assert parse_moment("21:00", EVENING) == datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
    assert parse_moment("20:00", EVENING) == datetime(2026, 3, 29, 18, 0, tzinfo=UTC)


@pytest.mark.usefixtures("_berlin")
def test_a_date_without_a_zone_is_local_and_one_with_a_zone_is_what_it_says() -> None:
    assert parse_moment("2026-03-29T07:30", EVENING) == datetime(2026, 3, 29, 5, 30, tzinfo=UTC)
    assert parse_moment("2026-03-29T07:30+00:00", EVENING) == datetime(2026, 3, 29, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "25:00", "07:60", "soon", "2020-01-01", "7", "9999999-01-01"])
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_moment(text, EVENING)


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28800), ("90m", 5400), ("1h30m", 5400), ("7d", 604800), ("1.5H", 5400), ("45s", 45)]
)
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert parse_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0h", "8", "-1h", "1h1h", "nan", "400d", "9999999h", "9" * 400 + "h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_span(text)
