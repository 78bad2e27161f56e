"""A fault of ours is told like any other error, and can be looked into."""

import json

import pytest

from agent_orchestrator.app import App
from looking import orchestrate


@pytest.fixture
def broken(here: App) -> None:
    """A row that no version of ours writes."""
    import apsw

    orchestrate("submit", "Something")
    connection = apsw.Connection(str(here.database))
    connection.execute("UPDATE goals SET delivery = 'nonsense'")
    connection.close()


@pytest.mark.usefixtures("broken")
def test_a_fault_nobody_foresaw_is_one_line_with_a_next_step() -> None:
    said = orchestrate("status")

    assert said.code == 1
    assert "Traceback" not in said.err
    assert "an error in orchestrate itself: ValueError: 'nonsense'" in said.err
    assert "ORCHESTRATE_TRACE=1" in said.err


@pytest.mark.usefixtures("broken")
def test_a_program_is_told_the_fault_as_json() -> None:
    assert json.loads(orchestrate("status", "--json").out)["error"]["code"] == "internal"


@pytest.mark.usefixtures("broken")
def test_the_fault_can_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATE_TRACE", "1")

    with pytest.raises(ValueError, match="nonsense"):
        orchestrate("status")
