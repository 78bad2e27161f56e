"""How the end of an attempt is told."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from agent_orchestrator.domain.hold import Hold, HoldKind
from agent_orchestrator.runtime.endings import told_of_hold

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def hold(until: datetime, kind: HoldKind = HoldKind.USAGE_LIMIT) -> Hold:
    return Hold(provider="claude", kind=kind, until=until, stated=True, reason="the words of it", since=NOW)


@pytest.mark.usefixtures("new_york")
def test_a_hold_is_told_in_the_time_of_the_wall_like_every_line_of_the_log() -> None:
    assert told_of_hold(hold(NOW + timedelta(hours=2))) == "claude waits until 15:30 (usage limit): the words of it"
    assert "waits until 2026-11-22 13:30 (usage" in told_of_hold(hold(NOW + timedelta(days=2)))
    assert "looked at again at 13:45" in told_of_hold(hold(NOW + timedelta(minutes=15), HoldKind.LOGIN))
