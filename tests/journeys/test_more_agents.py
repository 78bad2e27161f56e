"""Whole goals with the real ``gemini`` and the real ``opencode``, against a model server on loopback."""

from pathlib import Path

import pytest

from doubles import real_clis
from doubles.model_scripts import Turn, Write
from doubles.model_server import ModelServer

from .real_places import project_by_rules, wanted

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(params=["gemini", "opencode"])
def cli(request: pytest.FixtureRequest) -> str:
    return wanted(request.param)


def test_two_tasks_are_worked_on_mended_verified_and_delivered(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project_by_rules(tmp_path, server, cli)
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
