"""Whole goals with the real ``gemini`` and the real ``opencode``, against a model server on loopback."""

import os
from pathlib import Path

import pytest

from calling import Caller
from doubles import real_clis
from doubles.model_scripts import Failure, Turn, Write
from doubles.model_server import ModelServer

from .test_real_agents import project, release

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

MODEL = {"gemini": "gemini-2.5-pro", "opencode": "scripted/scripted"}
REFUSALS = {"gemini": 2, "opencode": 6}
"""How often each asks before it gives up: gemini as its settings in these tests say, opencode 1.18.33 by itself."""


@pytest.fixture(params=["gemini", "opencode"])
def cli(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if real_clis.find_cli(name) is None:
        if os.environ.get(real_clis.REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{name} is required and not installed")
        pytest.skip(f"{name} is not installed; .ci/install-clis gets it")
    return name


def place(tmp_path: Path, server: ModelServer, cli: str) -> Caller:
    here = project(tmp_path, server, cli)
    here.timeout_s = 180
    here.environ |= {"ORCHESTRATE_PLANNER": "rules", f"ORCHESTRATE_{cli.upper()}_MODEL": MODEL[cli]}
    return here


def test_two_tasks_are_worked_on_mended_verified_and_delivered(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = place(tmp_path, server, cli)
        wrong = Write(path="mul.py", content="def mul(a, b):\n    return a +\n")
        right = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        mended = [Turn(text="I see.", actions=(right,)), Turn(text="It multiplies now.")]
        server.when(lambda text: "evidence from the last attempt" in text and "multiplication" in text, mended)
        notes = Write(path="notes.txt", content="It multiplies.\n")
        server.when("Write the notes", [Turn(text="Writing.", actions=(notes,)), Turn(text="Noted.")])
        server.when("Add multiplication", [Turn(text="Writing.", actions=(wrong,)), Turn(text="Done.")])
        first = here("submit", "Add multiplication", "--verify", "python3 -m py_compile mul.py", "--json")
        needed = first.json["tasks"][0]["id"]
        second = here("submit", "Write the notes", "--depends-on", needed, "--json")
        assert second.code == 0, second.err

        ran = here("run", "--json")

        assert ran.code == 0, ran.err
        assert {*server.outside} <= real_clis.WANTED_ANYWAY
    (goal,) = ran.json["goals"]
    assert (goal["state"], goal["verdict"], goal["delivery"]) == ("completed", "verified", "delivered")
    attempts = {task["title"]: task["attempts"] for task in goal["tasks"]}
    assert [one["outcome"] for one in attempts["Add multiplication"]] == ["rejected", "succeeded"]
    assert [one["outcome"] for one in attempts["Write the notes"]] == ["succeeded"]
    before, after = attempts["Add multiplication"]
    assert before["session"] == after["session"], "the retry went on in the same session"
    assert after["cli_version"] and after["cli_path"].endswith(cli)
    assert after["usage"]["cost_usd"] > 0 and after["usage"]["cost_is_estimate"]
    assert "a * b" in (here.folder / "mul.py").read_text()
    assert (here.folder / "notes.txt").exists()
    assert here.git("status", "--porcelain") == "", "nothing of the CLI's own lies about"
    assert len(here.git("log", "--format=%h", "main").splitlines()) == 3, "one commit a task, and the base"
    assert here.git("show", "--name-only", "--format=", "main", "main~1").split() == ["notes.txt", "mul.py"]


def test_an_agent_that_says_done_and_changed_nothing_is_never_done(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = place(tmp_path, server, cli)
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
        here = place(tmp_path, server, cli)
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        failure = Failure(kind="rate_limit", times=REFUSALS[cli], headers={"retry-after": "1"})
        server.when("Add multiplication", [Turn(actions=(mul,), failure=failure), Turn(text="Done.")])
        here("submit", "Add multiplication", "--max-attempts", "1")

        limited = here("run", "--no-wait", "--json")
        status = here("status", "--json").json

        assert limited.code == 7
        assert [hold["provider"] for hold in status["holds"]] == [cli]
        task = limited.json["goals"][0]["tasks"][0]
        assert (task["state"], task["attempts_used"], task["attempts"][0]["outcome"]) == ("ready", 0, "limited")

        release(here, cli)
        ran = here("run", "--json")

    assert ran.code == 0, ran.err
    assert [one["outcome"] for one in ran.json["goals"][0]["tasks"][0]["attempts"]] == ["limited", "succeeded"]
    assert (here.folder / "mul.py").exists()
