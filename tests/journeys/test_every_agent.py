"""What holds of each of the four real CLIs alike, against a model server on loopback."""

import json
from pathlib import Path

import pytest

from calling import Caller
from doubles.model_scripts import Failure, Turn, Write
from doubles.model_server import ModelServer

from .real_places import project_by_rules, release, wanted

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SOON = {"retry-after": "1"}
REFUSALS = {"claude": (1, {}), "codex": (1, {}), "gemini": (2, SOON), "opencode": (6, SOON)}
"""How often each asks before it gives up: claude and gemini as they are told here, the others by themselves. Codex asks
again only when it is told when."""


def told(here: Caller, type: str) -> list[str]:
    """Return the events of one type: a short hold may be over before anybody looks at what stands."""
    return here("events", "--type", type, "--json").out.splitlines()


@pytest.fixture(params=REFUSALS)
def cli(request: pytest.FixtureRequest) -> str:
    return wanted(request.param)


def test_an_agent_that_says_done_and_changed_nothing_is_never_done(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project_by_rules(tmp_path, server, cli)
        server.when("", [Turn(text="All done, everything is implemented and tested.")])
        here("submit", "Add subtraction", "--max-attempts", "2")

        ran = here("run", "--json")

    assert ran.code == 6
    task = ran.json["goals"][0]["tasks"][0]
    assert task["state"] == "failed"
    assert [one["outcome"] for one in task["attempts"]] == ["no_evidence", "no_evidence"]
    assert len(here.git("log", "--format=%h", "main").splitlines()) == 1


def test_a_refusal_for_now_holds_the_provider_and_costs_no_attempt(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project_by_rules(tmp_path, server, cli)
        here.environ["CLAUDE_CODE_MAX_RETRIES"] = "0"
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        times, headers = REFUSALS[cli]
        failure = Failure(kind="rate_limit", times=times, headers=headers)
        server.when("Add multiplication", [Turn(actions=(mul,), failure=failure), Turn(text="Done.")])
        here("submit", "Add multiplication", "--max-attempts", "1")

        limited = here("run", "--no-wait", "--json")
        held = [json.loads(line)["data"]["provider"] for line in told(here, "hold.started")]

        assert limited.code == 7
        assert held == [cli]
        task = limited.json["goals"][0]["tasks"][0]
        assert (task["state"], task["attempts_used"], task["attempts"][0]["outcome"]) == ("ready", 0, "limited")

        release(here, cli)
        ran = here("run", "--json")

    assert ran.code == 0, ran.err
    assert [one["outcome"] for one in ran.json["goals"][0]["tasks"][0]["attempts"]] == ["limited", "succeeded"]
    assert (here.folder / "mul.py").exists()
