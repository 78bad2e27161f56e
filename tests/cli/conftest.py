"""A project as the looking commands meet it: the current folder, real times."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock


@pytest.fixture
def here(app: App, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The project, being the current folder. Its clock stands at now, because commands look at the machine's."""
    clock.at = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.chdir(app.folder)
    yield app
