"""cleanup: what ended work left goes, work that is nowhere else stays."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.runtime.leftovers import Leftover, Retention
from calling import Caller, wait_for


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    """A repository with one goal that was worked on and delivered."""
    caller = Caller(tmp_path / "project")
    caller.with_agent(tmp_path)
    (caller.folder / "README").write_text("hello\n")
    caller.begin_repository()
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


def of_branches(found: list[dict[str, Any]]) -> list[int]:
    return [one["count"] for one in found if one["kind"] == "branches"]


def own_branches(call: Caller) -> list[str]:
    return call.git("branch", "--list", "--format=%(refname:short)", "orchestrate/*").splitlines()


def test_branches_of_attempts_go_once_the_users_branch_has_what_landed_of_them(rejected: Caller) -> None:
    call = rejected
    before = own_branches(call)
    (landed,) = [name for name in before if f"Attempt: {name.rpartition('/')[2]}\n" in call.git("log", "main")]
    assert of_branches(call("cleanup", "--json").json["would_free"]) == [], "a month has not passed"
    wait_for(lambda: of_branches(call("cleanup", "--older-than", "1s", "--json").json["would_free"]) == [1])

    freed = call("cleanup", "--older-than", "1s", "--yes", "--json").json["freed"]

    assert of_branches(freed) == [1]
    assert own_branches(call) == [name for name in before if name != landed] != []
    assert of_branches(call("cleanup", "--older-than", "1s", "--json").json["would_free"]) == []


@pytest.mark.parametrize("why", ["moved on", "checked out", "undone"])
def test_a_branch_that_somebody_uses_or_that_the_users_branch_does_not_hold_stays(
    call: Caller, why: str, tmp_path: Path
) -> None:
    (attempts,) = [name for name in own_branches(call) if not name.endswith("result")]
    call("cleanup", "--yes")
    wait_for(lambda: of_branches(call("cleanup", "--older-than", "1s", "--json").json["would_free"]) == [1])
    match why:
        case "moved on":
            more = call.git("commit-tree", "-p", attempts, "-m", "More", f"{attempts}^{{tree}}").strip()
            call.git("update-ref", f"refs/heads/{attempts}", more)
        case "checked out":
            call.git("worktree", "add", "-q", str(tmp_path / "beside"), attempts)
        case _:
            call.git("reset", "-q", "--hard", "main~1")

    found = call("cleanup", "--older-than", "1s", "--yes", "--json").json

    assert of_branches(found["freed"]) == []
    assert attempts in own_branches(call)


def test_a_checkout_whose_branch_is_gone_stays(rejected: Caller) -> None:
    call = rejected
    call.git("branch", "-D", *(line.strip() for line in call.git("branch").splitlines() if line.strip()[-1:].isdigit()))

    found = call("cleanup", "--yes", "--json")

    assert found.code == 3
    assert found.json["freed"] == []
    assert Path(found.json["kept"][0]["path"]).exists()
    assert "no branch holds its work" in found.json["kept"][0]["about"]


@pytest.fixture
def unsaved(rejected: Caller) -> Caller:
    """A failed attempt's checkout whose branch somebody deleted: its work is nowhere in the repository."""
    rejected.drop_attempts_branches()
    return rejected


def test_work_that_is_on_no_branch_goes_when_it_is_old_and_comes_back_whole(unsaved: Caller, tmp_path: Path) -> None:
    call = unsaved
    put = Path(call("cleanup", "--json").json["kept"][0]["path"])
    (put / "late.txt").write_text("written after everything was collected")

    assert "checkout" not in kinds(call("cleanup", "--yes", "--json").json["freed"])
    wait_for(lambda: "checkout" in kinds(call("cleanup", "--older-than", "1s", "--json").json["would_free"]))
    found = call("cleanup", "--older-than", "1s", "--yes", "--json").json
    (gone,) = [one for one in found["freed"] if one["kind"] == "checkout"]

    assert not put.exists()
    assert "a checkpoint does" in gone["about"]
    assert call(*gone["command"].split()[1:], "--into", str(tmp_path / "back")).code == 0
    assert (tmp_path / "back" / "late.txt").read_text() == "written after everything was collected"
    assert (tmp_path / "back" / "work.txt").read_text() == "work\nwork\n"


def test_the_disk_budget_takes_the_oldest_saved_checkouts_first(unsaved: Caller) -> None:
    call = unsaved
    (first,) = call("cleanup", "--json").json["kept"]
    (Path(first["path"]) / "bulk").write_bytes(os.urandom(2**20))
    call("submit", "Too little again", "--verify", "false", "--max-attempts", "1")
    call("run")
    call.drop_attempts_branches()
    assert len(call("cleanup", "--json").json["kept"]) == 2

    size = sum(file.lstat().st_size for file in state(call).rglob("*") if file.is_file() and not file.is_symlink())
    within = housekeeping(call, disk_bytes=size - 1)

    assert next((one.path, one.free) for one in within if one.kind == "checkout") == (Path(first["path"]), True)
    assert [one.free for one in within if one.kind == "checkout"] == [True, False]
    assert not any(one.free for one in housekeeping(call, disk_bytes=size + 2**20) if one.kind == "checkout")


def housekeeping(call: Caller, *, disk_bytes: int) -> list[Leftover]:
    app = build(call.folder, environ=call.environ)
    week = timedelta(days=7)
    keep = replace(app.housekeeping, retention=Retention(checkouts=week, transcripts=week, disk_bytes=disk_bytes))
    try:
        return keep.leftovers()
    finally:
        app.close()


def test_a_checkout_with_a_file_that_no_checkpoint_holds_stays_however_old(unsaved: Caller) -> None:
    call = unsaved
    put = Path(call("cleanup", "--json").json["kept"][0]["path"])
    (put / "id_ed25519").write_text("made by the agent")

    wait_for(lambda: "transcripts" in kinds(call("cleanup", "--older-than", "1s", "--json").json["would_free"]))
    found = call("cleanup", "--older-than", "1s", "--yes", "--json").json

    (stays,) = found["kept"]
    assert "id_ed25519" in stays["about"]
    assert stays["command"] == f"cp -a {put} FOLDER"
    assert (put / "id_ed25519").exists()


def test_a_dry_run_says_what_would_go_and_frees_nothing_whatever_else_is_said(rejected: Caller) -> None:
    call = rejected
    before = call("cleanup", "--json").json["would_free"]

    said = call("cleanup", "--dry-run", "--yes")

    assert said.code == 0
    assert "would free" in said.err and "checkouts: 1" in said.err
    assert call("cleanup", "--json").json["would_free"] == before
    assert call("cleanup", "--dry-run", "--json").json["freed"] == []


def test_checkpoints_of_what_is_not_landed_are_thinned_and_never_all_gone(unsaved: Caller, tmp_path: Path) -> None:
    call = unsaved
    put = Path(call("cleanup", "--json").json["kept"][0]["path"])
    for number in range(3):
        (put / "more.txt").write_text("more" * number)
        call("cleanup")
    name = put.name
    assert len(call("restore", name, "--list", "--json").json["checkpoints"]) >= 3

    wait_for(lambda: "checkpoints" in kinds(call("cleanup", "--older-than", "1s", "--json").json["would_free"]))
    call("cleanup", "--older-than", "1s", "--yes")

    (left,) = call("restore", name, "--list", "--json").json["checkpoints"]
    assert call("restore", name, "--into", str(tmp_path / "back")).code == 0
    assert (tmp_path / "back" / "more.txt").read_text() == "moremore"
    assert left["is_default"]


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
    assert sorted(kinds(freed)) == ["branches", "checkpoints", "spare", "transcripts"]
    assert all(one["count"] == 1 for one in freed)
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
