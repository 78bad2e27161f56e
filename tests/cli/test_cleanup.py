"""cleanup: what ended work left goes, work that is nowhere else stays."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from calling import Caller, wait_for


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    """A repository with one goal that was worked on and delivered."""
    caller = Caller(tmp_path / "project")
    caller.with_agent(tmp_path)
    (caller.folder / "README").write_text("hello\n")
    caller.git("init", "-q", "-b", "main")
    caller.git("add", "-A")
    caller.git("commit", "-q", "-m", "Begin")
    caller("submit", "Work")
    assert caller("run").code == 0
    return caller


@pytest.fixture
def rejected(call: Caller) -> Caller:
    """The same, and a goal whose work was saved and not accepted: its checkout is kept to go on in."""
    call("submit", "Too little", "--verify", "false", "--max-attempts", "1")
    assert call("run").code == 6
    return call


def state(call: Caller) -> Path:
    return Path(call("config", "--json").json["paths"]["state"])


def kinds(leftovers: list[dict[str, Any]]) -> list[str]:
    return [one["kind"] for one in leftovers]


def test_the_checkout_of_landed_work_is_kept_warm_for_the_next_attempt(call: Caller) -> None:
    (spare,) = call("cleanup", "--json").json["would_free"]
    assert spare["kind"] == "spare"
    inode = (Path(spare["path"]) / "files" / "README").stat().st_ino

    call("submit", "Too little", "--verify", "false", "--max-attempts", "1")
    call("run")

    (checkout,) = (state(call) / "checkouts").iterdir()
    assert (checkout / "README").stat().st_ino == inode, "the file was not written again"
    assert not list((state(call) / "spare").iterdir())


def test_without_consent_it_shows_what_would_go_and_frees_nothing(call: Caller) -> None:
    (checkout,) = call("cleanup", "--json").json["would_free"]

    answer = call("cleanup", stdin=b"y\n")

    assert answer.code == 0
    assert checkout["path"] in answer.out
    assert checkout["bytes"] > 0
    assert Path(checkout["path"]).exists()


def test_a_checkout_whose_work_stands_on_a_branch_goes_and_the_work_stays(rejected: Caller) -> None:
    call = rejected
    branches = call.git("branch", "--list", "orchestrate/*")

    freed = call("cleanup", "--yes", "--json").json["freed"]

    assert kinds(freed) == ["checkout"]
    assert not Path(freed[0]["path"]).exists()
    assert call.git("branch", "--list", "orchestrate/*") == branches != ""
    assert (call.folder / "work.txt").exists()
    assert call("cleanup", "--yes").code == 3
    assert not list((state(call) / "checkouts").iterdir())
    assert not list((state(call) / "spare").iterdir())


def test_a_checkout_whose_branch_is_gone_stays(rejected: Caller) -> None:
    call = rejected
    call.git("branch", "-D", *(line.strip() for line in call.git("branch").splitlines() if line.strip()[-1:].isdigit()))

    found = call("cleanup", "--yes", "--json")

    assert found.code == 3
    assert found.json["freed"] == []
    assert Path(found.json["kept"][0]["path"]).exists()
    assert "no branch holds its work" in found.json["kept"][0]["about"]


def test_what_a_task_may_go_on_in_stays(call: Caller) -> None:
    call("submit", "More")
    call("run", "--detach", AGENT_SLEEP="60")
    try:
        wait_for(lambda: bool(call("status", "--json").json["running"]))
        at_work = call("cleanup", "--yes", "--json").json
    finally:
        call("stop", "--now", "--wait")
    stopped = call("cleanup", "--yes", "--json").json

    assert at_work["freed"] == [], "what was a spare is in use"
    assert at_work["kept"][0]["about"].endswith("is still at work")
    assert stopped["freed"] == []
    assert stopped["kept"][0]["about"].endswith("its task may go on in it")
    assert call("run").code == 0


def test_transcripts_go_when_their_goal_ended_long_enough_ago(call: Caller) -> None:
    assert "transcripts" not in kinds(call("cleanup", "--json").json["would_free"])

    wait_for(lambda: "transcripts" in kinds(call("cleanup", "--older-than", "1s", "--json").json["would_free"]))
    freed = call("cleanup", "--older-than", "1s", "--yes", "--json").json["freed"]
    assert sorted(kinds(freed)) == ["spare", "transcripts"]
    assert call("report", "last").code == 0


def test_what_agents_kept_for_each_other_goes_with_the_transcripts_and_is_said_to_be_gone(call: Caller) -> None:
    (call.folder / "kept").write_text("kept")
    call("context", "put", "--goal", "last", "--artifact", "kept")
    shown = call("context", "get", "artifacts/user/kept", "--json").json
    assert Path(shown["path"]).is_file()

    wait_for(lambda: "artifacts" in kinds(call("cleanup", "--older-than", "1s", "--json").json["would_free"]))
    call("cleanup", "--older-than", "1s", "--yes")

    assert not Path(shown["path"]).exists()
    assert call("context", "get", "artifacts/user/kept").code == 4
    assert "artifacts/user/kept" in call("context", "list").out


def test_a_forgotten_question_goes_and_a_fresh_one_stays(call: Caller) -> None:
    old, fresh = (state(call) / "questions" / name for name in ("old", "fresh"))
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))

    call("cleanup", "--yes")

    assert not old.exists()
    assert fresh.exists()


def test_a_span_that_is_none_is_refused(call: Caller) -> None:
    assert call("cleanup", "--older-than", "soon").code == 2


def test_an_untouched_project_has_nothing_to_free(tmp_path: Path) -> None:
    assert Caller(tmp_path / "other")("cleanup", "--yes").code == 3
