"""The user's own branch: forward when nothing stands in the way, and back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Delivered
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.forwarding import UNDERWAY
from calling import wait_for
from chaos import small_disk
from workspaces.scenes import GOAL, Repo, Start, put, sh, write

BRANCH = f"orchestrate/{GOAL}/result"


@pytest.fixture
def base(repo: Repo) -> str:
    return repo.git("rev-parse", "HEAD")


@pytest.fixture
def result(repo: Repo, start: Start, base: str) -> str:
    """A result of two commits, on the result branch."""
    attempt = start("t1.1")
    write(attempt.path, a__txt="one\nTWO\nthree\n", new__txt="new\n")
    first = attempt.collect().commit
    assert first is not None
    second_attempt = start("t2.1", base=first)
    write(second_attempt.path, b__txt="BEE\n")
    second = second_attempt.collect().commit
    assert second is not None
    assert attempt.workspaces.advance(BRANCH, old=None, new=second)
    return second


def deliver(workspaces: CheckoutWorkspaces, base: str | None, into: str | None = "main") -> Delivered:
    return workspaces.deliver(branch=BRANCH, into=into, base=base)


def test_an_unmoved_clean_branch_is_fast_forwarded_with_its_files(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    write(repo.root, mine__txt="an untracked file that is in nobody's way\n")

    delivered = deliver(workspaces, base)

    assert (delivered.done, delivered.moved_from, delivered.moved_to) == (True, base, result)
    assert repo.git("symbolic-ref", "--short", "HEAD") == "main"
    assert repo.git("rev-parse", "main") == result
    assert (repo.root / "a.txt").read_text() == "one\nTWO\nthree\n"
    assert repo.git("status", "--porcelain") == "?? mine.txt"


def test_delivering_twice_changes_nothing(workspaces: CheckoutWorkspaces, base: str, result: str) -> None:
    deliver(workspaces, base)

    again = deliver(workspaces, base)

    assert again.done
    assert again.moved_from == again.moved_to == result


def test_a_dirty_tree_is_left_alone_and_the_command_is_named(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    write(repo.root, lib__txt="x\n")
    write(repo.root / "lib", deep__txt="my own change, in a file the result does not touch\n")
    before = repo.everything()

    delivered = deliver(workspaces, base)

    assert not delivered.done
    assert f"git merge {BRANCH}" in delivered.note and "uncommitted" in delivered.note
    assert repo.everything() == before


@pytest.mark.parametrize("ignored", [False, True])
def test_an_untracked_file_is_never_overwritten_even_an_ignored_one(
    ignored: bool, workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    if ignored:
        put(repo.root / ".git" / "info" / "exclude", "new.txt\n")
    write(repo.root, new__txt="the user's own\n")
    before = repo.everything()

    delivered = deliver(workspaces, base)

    assert not delivered.done
    assert "new.txt" in delivered.note
    assert repo.everything() == before


def test_a_branch_that_moved_is_left_alone(workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str) -> None:
    repo.commit("the user went on", c__txt="c\n")
    before = repo.everything()

    delivered = deliver(workspaces, base)

    assert not delivered.done
    assert "has moved" in delivered.note
    assert repo.everything() == before


def test_a_union_with_what_the_user_did_meanwhile_can_be_delivered(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    moved = repo.commit("the user went on", c__txt="c\n")
    union = workspaces.union(moved, result)
    assert union.tree is not None
    merged = workspaces.commit_tree(union.tree, parents=(moved, result), message="Both")
    assert workspaces.advance(BRANCH, old=result, new=merged)

    assert deliver(workspaces, base).done
    assert (repo.root / "c.txt").exists() and (repo.root / "new.txt").exists()


def test_a_detached_head_is_not_moved(workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str) -> None:
    repo.git("checkout", "-q", "--detach")

    delivered = deliver(workspaces, base, into=None)

    assert not delivered.done
    assert f"git merge {BRANCH}" in delivered.note
    assert repo.git("rev-parse", "HEAD") == base


def test_a_branch_that_is_not_checked_out_moves_without_touching_files(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    repo.git("checkout", "-q", "-b", "elsewhere")
    write(repo.root, a__txt="dirty, but on another branch\n")

    assert deliver(workspaces, base).done
    assert repo.git("rev-parse", "main") == result
    assert repo.git("rev-parse", "HEAD") == base
    assert (repo.root / "a.txt").read_text() == "dirty, but on another branch\n"


def test_a_branch_checked_out_in_another_worktree_moves_there_with_its_files(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str, tmp_path: Path
) -> None:
    repo.git("checkout", "-q", "-b", "elsewhere")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")

    assert deliver(workspaces, base).done
    assert (tmp_path / "linked" / "b.txt").read_text() == "BEE\n"
    assert sh(tmp_path / "linked", "git", "status", "--porcelain") == ""


@pytest.mark.parametrize("into", ["no-such-branch", "main"])
def test_a_missing_branch_is_said(into: str, workspaces: CheckoutWorkspaces, base: str) -> None:
    delivered = deliver(workspaces, base, into=into)

    assert not delivered.done
    assert BRANCH in delivered.note


def test_a_merge_under_way_is_left_alone(workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str) -> None:
    put(repo.root / ".git" / "MERGE_HEAD", f"{base}\n")

    delivered = deliver(workspaces, base)

    assert not delivered.done
    assert "under way" in delivered.note


def test_the_users_hooks_are_not_run_by_delivery(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str, tmp_path: Path
) -> None:
    for name in ("post-merge", "post-checkout", "reference-transaction", "pre-merge-commit", "post-index-change"):
        put(repo.root / ".git" / "hooks" / name, f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\n").chmod(0o755)

    assert deliver(workspaces, base).done
    assert list(tmp_path.glob("ran-*")) == []


def test_undo_resets_when_nothing_came_after(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    deliver(workspaces, base)
    write(repo.root, mine__txt="untracked\n")

    undone = workspaces.undo(into="main", moved_from=base, moved_to=result)

    assert (undone.done, undone.moved_from, undone.moved_to) == (True, result, base)
    assert "reset" in undone.note
    assert repo.git("rev-parse", "main") == base
    assert repo.git("status", "--porcelain") == "?? mine.txt"
    assert (repo.root / "b.txt").read_text() == "bee\n"
    repo.git("branch", "-D", BRANCH)
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    assert repo.show(result, "b.txt") == "BEE", "undone work must stay reachable"


def test_undo_reverts_when_something_came_after(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    deliver(workspaces, base)
    later = repo.commit("later", later__txt="later\n")

    undone = workspaces.undo(into="main", moved_from=base, moved_to=result)

    assert undone.done
    assert (undone.moved_from, undone.moved_to) == (later, repo.git("rev-parse", "main"))
    assert repo.git("rev-parse", "main^") == later
    assert repo.names("main") == [".gitignore", "a.txt", "b.txt", "later.txt", "lib/deep.txt"]
    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert repo.git("status", "--porcelain") == ""


def test_undo_of_a_result_that_holds_merges_reverts_all_of_it(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    moved = repo.commit("the user went on", c__txt="c\n")
    union = workspaces.union(moved, result)
    assert union.tree is not None
    merged = workspaces.commit_tree(union.tree, parents=(moved, result), message="Both")
    workspaces.advance(BRANCH, old=result, new=merged)
    delivered = deliver(workspaces, base)
    repo.commit("later", later__txt="later\n")

    undone = workspaces.undo(into="main", moved_from=delivered.moved_from or "", moved_to=delivered.moved_to or "")

    assert undone.done
    assert repo.names("main") == [".gitignore", "a.txt", "b.txt", "c.txt", "later.txt", "lib/deep.txt"]
    assert repo.show("main", "b.txt") == "bee"


def test_undo_leaves_later_work_that_builds_on_the_result(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    deliver(workspaces, base)
    repo.commit("later", b__txt="BEE and more\n")
    before = repo.everything()

    undone = workspaces.undo(into="main", moved_from=base, moved_to=result)

    assert not undone.done
    assert "b.txt" in undone.note and "git revert" in undone.note
    assert repo.everything() == before


@pytest.mark.parametrize("later", [False, True])
def test_undo_never_touches_a_dirty_tree(
    later: bool, workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    deliver(workspaces, base)
    if later:
        repo.commit("later", later__txt="later\n")
    write(repo.root / "lib", deep__txt="dirty\n")
    files = repo.everything()[1]
    tip = repo.git("rev-parse", "main")

    undone = workspaces.undo(into="main", moved_from=base, moved_to=result)

    assert not undone.done
    assert "uncommitted" in undone.note
    assert (repo.everything()[1], repo.git("rev-parse", "main")) == (files, tip)


def test_undo_of_what_is_not_there_says_so(workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str) -> None:
    assert not workspaces.undo(into="gone", moved_from=base, moved_to=result).done
    assert not workspaces.undo(into=None, moved_from=base, moved_to=result).done
    assert repo.git("rev-parse", "main") == base


def test_undo_of_what_an_undo_that_was_killed_took_out_is_done(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    again = workspaces.undo(into="main", moved_from=base, moved_to=result)

    assert again.done and "already" in again.note
    assert repo.git("rev-parse", "main") == base


def test_undo_works_in_a_project_whose_files_were_copied(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    repo.git("merge", "-q", "--ff-only", result)
    for file in repo.root.glob("*.txt"):
        file.write_bytes(file.read_bytes())

    undone = workspaces.undo(into="main", moved_from=base, moved_to=result)

    assert undone.done, undone.note
    assert repo.git("rev-parse", "main") == base


def test_a_file_under_the_users_own_filter_is_not_delivered_in_its_stored_form(
    repo: Repo, tmp_path: Path, start: Start
) -> None:
    repo.git("config", "filter.crypt.smudge", "rev")
    repo.git("config", "filter.crypt.clean", "rev")
    base = repo.commit("crypt", __gitattributes="*.key filter=crypt\n")
    workspaces = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "other-state")
    attempt = start(base=base)
    write(attempt.path, x__key="stored\n")
    commit = workspaces.collect(attempt.workspace, goal=GOAL, attempt=AttemptId("t1.1"), message="m").commit
    assert commit is not None
    workspaces.advance(BRANCH, old=None, new=commit)

    delivered = deliver(workspaces, base)

    assert not delivered.done
    assert "x.key" in delivered.note and "filter" in delivered.note


# A delivery that breaks off

HALF = {"a.txt": "one\nTWO\nthree\n", "b.txt": "BE", "new.txt": "", "deep/down/more.txt": "more"}
"""What git leaves: files that are whole, begun, or empty, and a branch that has not moved."""


@pytest.fixture
def broken_off(repo: Repo, start: Start, result: str) -> str:
    """The folder as git leaves it when it is killed while it writes the files of *result* and one more."""
    third = start("t3.1", base=result)
    put(third.path / "deep/down/more.txt", "more\n")
    more = third.collect().commit
    assert more is not None and third.workspaces.advance(BRANCH, old=result, new=more)
    repo.git("update-ref", f"{UNDERWAY}main", more)
    for path, text in HALF.items():
        (repo.root / path).parent.mkdir(parents=True, exist_ok=True)
        put(repo.root / path, text)
    return more


def test_a_delivery_that_was_broken_off_is_taken_back_and_done(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, broken_off: str
) -> None:
    delivered = deliver(workspaces, base)

    assert (delivered.done, delivered.moved_to) == (True, broken_off), delivered.note
    assert repo.git("status", "--porcelain") == ""
    assert (repo.root / "deep/down/more.txt").read_text() == "more\n"
    assert repo.git("for-each-ref", UNDERWAY) == ""


def test_what_the_user_wrote_into_a_delivery_that_was_broken_off_stays(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, broken_off: str
) -> None:
    write(repo.root, b__txt="mine\n", new__txt="mine too\n")

    delivered = deliver(workspaces, base)

    assert not delivered.done and "uncommitted changes" in delivered.why
    assert ((repo.root / "b.txt").read_text(), (repo.root / "new.txt").read_text()) == ("mine\n", "mine too\n")
    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n", "what was not theirs is as it was"
    assert repo.git("rev-parse", "main") == base


def test_an_empty_file_of_the_users_in_the_way_of_a_delivery_stays(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    write(repo.root, new__txt="")

    for _ in range(2):
        assert not deliver(workspaces, base).done
        assert (repo.root / "new.txt").read_text() == ""
        assert repo.git("status", "--porcelain") == "?? new.txt"


@pytest.mark.parametrize("how", ["forward", "back"])
def test_a_move_that_was_broken_off_before_its_branch_moved_is_taken_back_and_done(
    how: str, workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    """Git writes the index before it moves the branch: all files and the index are new, the branch is old."""
    old, new = (base, result) if how == "forward" else (result, base)
    repo.git("reset", "-q", "--hard", new)
    repo.git("update-ref", f"{UNDERWAY}main", new)
    repo.git("update-ref", "refs/heads/main", old)
    assert repo.git("status", "--porcelain", "--untracked-files=no") != ""

    moved = deliver(workspaces, base) if how == "forward" else undo(workspaces, base, result)

    assert (moved.done, moved.moved_to) == (True, new), moved.note
    assert repo.git("status", "--porcelain") == ""


# An undo that breaks off

HALF_UNDONE = {"a.txt": "one\ntwo\nthree\n", "b.txt": "be"}
"""What git leaves: what the result brought is gone, what it changed is back, in part, and the branch has not moved."""


def undo(workspaces: CheckoutWorkspaces, base: str, result: str) -> Delivered:
    return workspaces.undo(into="main", moved_from=base, moved_to=result)


@pytest.fixture
def half_undone(workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str) -> None:
    """The folder as git leaves it when it is killed while it undoes *result*."""
    assert deliver(workspaces, base).done
    repo.git("update-ref", f"{UNDERWAY}main", base)
    (repo.root / "new.txt").unlink()
    for path, text in HALF_UNDONE.items():
        put(repo.root / path, text)


@pytest.mark.usefixtures("half_undone")
def test_an_undo_that_was_broken_off_is_taken_back_and_done(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    undone = undo(workspaces, base, result)

    assert (undone.done, undone.moved_to) == (True, base), undone.note
    assert repo.git("status", "--porcelain") == ""
    assert (repo.root / "b.txt").read_text() == "bee\n"
    assert repo.git("for-each-ref", UNDERWAY) == ""


@pytest.mark.usefixtures("half_undone")
def test_a_delivery_after_an_undo_that_was_broken_off_finds_the_folder_whole(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    delivered = deliver(workspaces, base)

    assert (delivered.done, delivered.moved_to) == (True, result), delivered.note
    assert repo.git("status", "--porcelain") == ""
    assert (repo.root / "new.txt").read_text() == "new\n"


@pytest.mark.usefixtures("half_undone")
def test_what_the_user_wrote_into_an_undo_that_was_broken_off_stays(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str
) -> None:
    write(repo.root, b__txt="mine\n", own__txt="mine too\n")

    undone = undo(workspaces, base, result)

    assert not undone.done and "uncommitted changes" in undone.note
    assert ((repo.root / "b.txt").read_text(), (repo.root / "own.txt").read_text()) == ("mine\n", "mine too\n")
    assert (repo.root / "a.txt").read_text() == "one\nTWO\nthree\n", "what was not theirs is as it was"
    assert (repo.root / "new.txt").read_text() == "new\n"
    assert repo.git("rev-parse", "main") == result


def test_an_undo_that_was_broken_off_where_a_file_became_a_folder_is_taken_back_and_done(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, start: Start
) -> None:
    attempt = start("t1.1")
    (attempt.path / "a.txt").unlink()
    put(attempt.path / "a.txt" / "inside.txt", "inside\n")
    result = attempt.collect().commit
    assert result is not None and attempt.workspaces.advance(BRANCH, old=None, new=result)
    assert deliver(workspaces, base).done
    repo.git("update-ref", f"{UNDERWAY}main", base)
    (repo.root / "a.txt" / "inside.txt").unlink()
    (repo.root / "a.txt").rmdir()
    write(repo.root, a__txt="one\n")

    assert deliver(workspaces, base).done
    assert (repo.root / "a.txt" / "inside.txt").read_text() == "inside\n"
    assert repo.git("status", "--porcelain") == ""
    assert undo(workspaces, base, result).done
    assert (repo.root / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_an_ignored_file_of_the_users_in_the_way_of_an_undo_stays(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, start: Start
) -> None:
    attempt = start("t1.1")
    (attempt.path / "b.txt").unlink()
    result = attempt.collect().commit
    assert result is not None and attempt.workspaces.advance(BRANCH, old=None, new=result)
    assert deliver(workspaces, base).done
    put(repo.root / ".git" / "info" / "exclude", "b.txt\n")
    write(repo.root, b__txt="mine\n")

    for _ in range(2):
        undone = undo(workspaces, base, result)
        assert not undone.done and "b.txt" in undone.note and "in the way" in undone.note
        assert (repo.root / "b.txt").read_text() == "mine\n"
        assert repo.git("rev-parse", "main") == result


SLOW_FILTER = """#!/bin/sh
touch "{began}"
until [ -e "{go}" ]; do sleep 0.05; done
exec cat
"""


def test_an_undo_whose_git_outlives_it_is_waited_for_and_not_taken_back(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str, tmp_path: Path
) -> None:
    assert deliver(workspaces, base).done
    began, go = tmp_path / "began", tmp_path / "go"
    slow = put(tmp_path / "slow", SLOW_FILTER.format(began=began, go=go))
    slow.chmod(0o755)
    configuration = put(tmp_path / "gitconfig", f'[filter "slow"]\n\tclean = cat\n\tsmudge = {slow}\n')
    put(repo.root / ".git" / "info" / "attributes", "b.txt filter=slow\n")
    argv = [sys.executable, "-c", UNDO, str(repo.root), str(tmp_path / "state"), base, result]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": str(configuration)}

    first = subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE)
    with first:
        wait_for(began.exists)
        first.kill()
        first.wait()
        second = subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None and second.stdout.readline() == "begins\n"
        go.touch()
        out, _ = second.communicate(timeout=120)

    assert out == "True\n"
    assert (repo.root / "b.txt").read_text() == "bee\n"
    assert (repo.git("status", "--porcelain"), repo.git("rev-parse", "main")) == ("", base)


UNDO = """
import sys
from pathlib import Path
from agent_orchestrator.workspaces.delivery import undo
from agent_orchestrator.workspaces.repository import Repository

root, state, base, result = sys.argv[1:]
repository = Repository.find(Path(root), Path(state))
print("begins", flush=True)
print(undo(repository, into="main", moved_from=base, moved_to=result).done)
"""


def test_an_undo_that_is_interrupted_leaves_the_folder_as_it_was(
    workspaces: CheckoutWorkspaces, repo: Repo, base: str, result: str, tmp_path: Path
) -> None:
    assert deliver(workspaces, base).done
    began = tmp_path / "began"
    slow = put(tmp_path / "slow", f'#!/bin/sh\nmkdir "{began}" 2>/dev/null && exec sleep 600\nexec cat\n')
    slow.chmod(0o755)
    configuration = put(tmp_path / "gitconfig", f'[filter "slow"]\n\tclean = cat\n\tsmudge = {slow}\n')
    put(repo.root / ".git" / "info" / "attributes", "b.txt filter=slow\n")
    argv = [sys.executable, "-c", UNDO, str(repo.root), str(tmp_path / "state"), base, result]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": str(configuration)}

    running = subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with running:
        wait_for(began.exists)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=120)

    put(repo.root / ".git" / "info" / "attributes", "")
    assert not (repo.root / ".git" / "index.lock").exists()
    assert (repo.git("status", "--porcelain"), repo.git("rev-parse", "main")) == ("", result)


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
@pytest.mark.parametrize("room_bytes", [0, 100_000])
def test_a_full_disk_ends_a_delivery_whole_or_not_at_all_and_is_told_as_that(room_bytes: int, tmp_path: Path) -> None:
    assert on_a_full_disk(tmp_path, DELIVERED.format(room_bytes=room_bytes)) == ["DiskFull", "", "True", ""]


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
@pytest.mark.parametrize("room_bytes", [0, 100_000])
def test_a_full_disk_ends_an_undo_whole_or_not_at_all_and_is_told_as_that(room_bytes: int, tmp_path: Path) -> None:
    assert on_a_full_disk(tmp_path, UNDONE.format(room_bytes=room_bytes)) == [
        "True",
        "DiskFull",
        "",
        "True",
        "",
        "True",
    ]


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
def test_two_sides_that_a_full_disk_keeps_from_being_merged_are_told_as_that(tmp_path: Path) -> None:
    assert on_a_full_disk(tmp_path, MERGED) == ["DiskFull", "None"]


def on_a_full_disk(tmp_path: Path, words: str) -> list[str]:
    """Return the lines that a script prints which has a repository on a disk of 3 MiB."""
    inside = [*small_disk.ENTER, sys.executable, "-c", ON_A_DISK + words, str(tmp_path)]
    ran = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=240)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


ON_A_DISK = """
import subprocess, sys
from pathlib import Path
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.workspaces.delivery import deliver, undo
from agent_orchestrator.workspaces.repository import Repository

disk = Path(sys.argv[1], "disk")
disk.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)], check=True)
root = disk / "project"
root.mkdir()
filler = disk / "filler"


def git(*words):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(message, **files):
    for name, text in files.items():
        (root / f"{name}.txt").write_text(text)
    git("add", "-A")
    git("commit", "-qm", message)
    return git("rev-parse", "HEAD")


def fill(leave_bytes):
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(file.tell() - leave_bytes)


def tried(act):
    try:
        print(act())
    except OrchestratorError as error:
        print(type(error).__name__)


git("init", "-q", "-b", "main")
base = commit("base", b="bee")
git("checkout", "-q", "-b", "result")
result = commit("result", b="BEE", **{f"f{number}": str(number) * 40_000 for number in range(8)})
git("checkout", "-q", "main")
repository = Repository.find(root, Path(sys.argv[1], "state"))
"""

DELIVERED = """
fill({room_bytes})  # perhaps room for what is written before the files, and for some of those
tried(lambda: deliver(repository, branch="result", into="main", base=base))
print(git("--no-optional-locks", "status", "--porcelain"))
filler.unlink()
tried(lambda: deliver(repository, branch="result", into="main", base=base).done)
print(git("--no-optional-locks", "status", "--porcelain"))
"""

UNDONE = """
git("checkout", "-q", "result")
small = commit("small", **{{f"f{{number}}": str(number) for number in range(8)}})
git("checkout", "-q", "main")
tried(lambda: deliver(repository, branch="result", into="main", base=base).done)
fill({room_bytes})
tried(lambda: undo(repository, into="main", moved_from=result, moved_to=small))
print(git("--no-optional-locks", "status", "--porcelain"))
filler.unlink()
tried(lambda: undo(repository, into="main", moved_from=result, moved_to=small).done)
print(git("--no-optional-locks", "status", "--porcelain"))
print(git("rev-parse", "HEAD") == result)
"""

MERGED = """
theirs = commit("theirs", c="sea")
fill(0)
tried(lambda: repository.union(theirs, result))
filler.unlink()
tried(lambda: repository.union(theirs, result).tree and None)
"""
