"""Whatever an agent does to its checkout: its files come home, and the user's repository is as it was."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import snapshot
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from workspaces.scenes import GOAL, Attempt, Repo, Start, put, sh, write


def work(attempt: Attempt) -> None:
    """Change one file, add one, delete one."""
    write(attempt.path, a__txt="one\nTWO\nthree\n", new__txt="new\n")
    (attempt.path / "b.txt").unlink()


def committed(attempt: Attempt) -> None:
    work(attempt)
    attempt.git("add", "-A")
    attempt.git("commit", "-qm", "mine")


def amended(attempt: Attempt) -> None:
    work(attempt)
    attempt.git("add", "-A")
    attempt.git("commit", "-q", "--amend", "-m", "no base any more")


def on_another_branch(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "-b", "feature")
    committed(attempt)


def detached(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "--detach")
    committed(attempt)


def orphaned(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "--orphan", "fresh")
    committed(attempt)


def rebase_half_done(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "-b", "side")
    write(attempt.path, a__txt="one\nside\nthree\n")
    attempt.git("commit", "-qam", "side")
    attempt.git("checkout", "-q", "main")
    write(attempt.path, a__txt="one\nmain\nthree\n")
    attempt.git("commit", "-qam", "main")
    attempt.git("rebase", "side", check=False)
    assert (attempt.path / ".git" / "rebase-merge").exists()
    work(attempt)


def merge_half_done(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "-b", "side")
    write(attempt.path, a__txt="one\nside\nthree\n")
    attempt.git("commit", "-qam", "side")
    attempt.git("checkout", "-q", "main")
    write(attempt.path, a__txt="one\nmain\nthree\n")
    attempt.git("commit", "-qam", "main")
    attempt.git("merge", "side", check=False)
    assert (attempt.path / ".git" / "MERGE_HEAD").exists()
    work(attempt)


def index_locked(attempt: Attempt) -> None:
    work(attempt)
    put(attempt.path / ".git" / "index.lock", "")


def index_broken(attempt: Attempt) -> None:
    work(attempt)
    put(attempt.path / ".git" / "index", "rubbish")


def git_deleted(attempt: Attempt) -> None:
    committed(attempt)
    shutil.rmtree(attempt.path / ".git")


def git_made_anew(attempt: Attempt) -> None:
    shutil.rmtree(attempt.path / ".git")
    attempt.git("init", "-q")
    attempt.git("config", "user.name", "agent")
    attempt.git("config", "user.email", "agent@example.org")
    committed(attempt)


def git_is_a_link(attempt: Attempt) -> None:
    work(attempt)
    shutil.rmtree(attempt.path / ".git")
    (attempt.path / ".git").symlink_to("/nowhere")


def git_is_rubbish(attempt: Attempt) -> None:
    work(attempt)
    put(attempt.path / ".git" / "config", "[[[ not a config")
    put(attempt.path / ".git" / "HEAD", "rubbish")


def tracked_files_hidden(attempt: Attempt) -> None:
    attempt.git("update-index", "--assume-unchanged", "a.txt")
    attempt.git("update-index", "--skip-worktree", "b.txt")
    put(attempt.path / ".git" / "info" / "exclude", "*\n")
    work(attempt)


def times_set_back(attempt: Attempt) -> None:
    seen = (attempt.path / "a.txt").stat()
    work(attempt)
    put(attempt.path / "a.txt", "one\nTWO\nthree\n")
    os.utime(attempt.path / "a.txt", ns=(seen.st_atime_ns, seen.st_mtime_ns))


def stashed_and_popped(attempt: Attempt) -> None:
    work(attempt)
    attempt.git("stash", "-q", "--include-untracked")
    attempt.git("stash", "pop", "-q")


MISDEEDS = [
    work,
    committed,
    amended,
    on_another_branch,
    detached,
    orphaned,
    rebase_half_done,
    merge_half_done,
    index_locked,
    index_broken,
    git_deleted,
    git_made_anew,
    git_is_a_link,
    git_is_rubbish,
    tracked_files_hidden,
    times_set_back,
    stashed_and_popped,
]


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda misdeed: misdeed.__name__)
def test_the_files_as_they_lie_come_home_as_one_commit(
    misdeed: Callable[[Attempt], None], repo: Repo, start: Start
) -> None:
    attempt = start()
    before = repo.everything()

    misdeed(attempt)
    collected = attempt.collect("Do it\n\nAttempt: t4hw9ab.1\n")

    assert collected.files == ("a.txt", "b.txt", "new.txt")
    assert collected.branch == f"orchestrate/{GOAL}/t4hw9ab.1"
    assert collected.commit == repo.git("rev-parse", collected.branch)
    assert repo.git("rev-list", "--parents", "-1", collected.commit).split()[1:] == [attempt.workspace.base]
    assert repo.names(collected.commit) == [".gitignore", "a.txt", "lib/deep.txt", "new.txt"]
    assert repo.show(collected.commit, "a.txt") == "one\nTWO\nthree"
    assert (collected.insertions, collected.deletions) == (2, 2)
    assert "+TWO" in collected.diff
    assert repo.everything() == before
    assert attempt.collect("Do it\n\nAttempt: t4hw9ab.1\n").commit == collected.commit


@pytest.mark.parametrize("misdeed", MISDEEDS[1:], ids=lambda misdeed: misdeed.__name__)
def test_the_next_attempt_is_not_disturbed_by_what_the_last_one_did(
    misdeed: Callable[[Attempt], None], start: Start
) -> None:
    attempt = start("t1.1")
    misdeed(attempt)
    attempt.collect()
    attempt.close()

    following = start("t1.2")

    assert following.git("status", "--porcelain", "--ignored") == ""
    assert sorted(os.listdir(following.path)) == [".git", ".gitignore", "a.txt", "b.txt", "lib"]
    assert following.collect().commit is None


def test_an_agent_that_changed_nothing_leaves_no_commit(start: Start, workspaces: CheckoutWorkspaces) -> None:
    attempt = start()
    os.utime(attempt.path / "a.txt")
    write(attempt.path, noise__log="ignored\n")

    collected = attempt.collect()

    assert (collected.commit, collected.branch, collected.files) == (None, None, ())
    assert workspaces.branches(GOAL) == ()


def test_work_done_after_collecting_is_collected_again(repo: Repo, start: Start) -> None:
    attempt = start()
    write(attempt.path, a__txt="first\n")
    first = attempt.collect()
    write(attempt.path, a__txt="second\n")

    second = attempt.collect()

    assert first.commit != second.commit
    assert repo.show(second.branch or "", "a.txt") == "second"
    assert repo.git("rev-parse", f"{second.branch}@{{1}}") == first.commit


@pytest.mark.parametrize("way", ["branch", "stash"])
def test_work_the_agent_committed_and_then_walked_away_from_is_found(way: str, repo: Repo, start: Start) -> None:
    attempt = start()
    if way == "branch":
        attempt.git("checkout", "-q", "-b", "feature")
        committed(attempt)
        attempt.git("checkout", "-q", "main")
    else:
        work(attempt)
        attempt.git("add", "-A")
        attempt.git("stash", "-q")
    assert attempt.git("status", "--porcelain") == ""

    collected = attempt.collect()

    assert collected.files == ("a.txt", "b.txt", "new.txt")
    assert any(("feature" if way == "branch" else "stash") in note for note in collected.notes)
    shutil.rmtree(attempt.path)
    repo.git("fsck", "--strict", "--connectivity-only")
    assert repo.show(collected.commit or "", "new.txt") == "new"


def test_ignored_files_are_left_out_unless_the_agent_committed_them(repo: Repo, start: Start) -> None:
    attempt = start()
    write(attempt.path, a__txt="x\n", forced__log="wanted\n", noise__log="noise\n")
    attempt.git("add", "-f", "forced.log")
    attempt.git("commit", "-qm", "mine")

    assert attempt.collect().files == ("a.txt", "forced.log")


def test_a_file_above_the_limit_is_left_out_and_named(start: Start) -> None:
    attempt = start()
    write(attempt.path, a__txt="x\n")
    with (attempt.path / "core.dump").open("wb") as file:
        file.truncate(snapshot.FILE_LIMIT_BYTES + 1)

    collected = attempt.collect()

    assert collected.files == ("a.txt",)
    assert any("core.dump" in note for note in collected.notes)


def test_links_are_kept_as_links_and_never_followed(repo: Repo, start: Start, tmp_path: Path) -> None:
    put(tmp_path / "secret" / "key", "hunter2")
    attempt = start()
    (attempt.path / "link").symlink_to(tmp_path / "secret")
    shutil.rmtree(attempt.path / "lib")
    (attempt.path / "lib").symlink_to(tmp_path / "secret")
    (attempt.path / "loop").symlink_to("loop")

    collected = attempt.collect()

    assert collected.files == ("lib", "lib/deep.txt", "link", "loop")
    modes = repo.git("ls-tree", collected.commit or "").splitlines()
    assert sum(line.startswith("120000") for line in modes) == 3
    assert repo.git("grep", "hunter2", collected.commit or "", check=False) == ""
    assert (tmp_path / "secret" / "key").read_text() == "hunter2"


def test_the_files_of_a_repository_inside_come_home_without_its_history(repo: Repo, start: Start) -> None:
    attempt = start()
    put(attempt.path / "app" / "main.py", "print()\n")
    put(attempt.path / "app" / ".gitignore", "junk\n")
    put(attempt.path / "app" / "junk", "junk\n")
    sh(attempt.path / "app", "git", "init", "-q")
    sh(attempt.path / "lib", "git", "init", "-q")
    put(attempt.path / "lib" / "more.txt", "more\n")

    collected = attempt.collect()

    assert collected.files == ("app/.gitignore", "app/main.py", "lib/more.txt")
    assert "160000" not in repo.git("ls-tree", "-r", collected.commit or "")
    assert any("app/" in note for note in collected.notes)


def test_a_folder_may_become_a_file_and_a_file_a_folder(repo: Repo, start: Start) -> None:
    attempt = start()
    shutil.rmtree(attempt.path / "lib")
    write(attempt.path, lib="now a file\n")
    (attempt.path / "a.txt").unlink()
    put(attempt.path / "a.txt" / "inner", "x\n")

    assert attempt.collect().files == ("a.txt", "a.txt/inner", "lib", "lib/deep.txt")


def test_names_of_any_bytes_come_home(repo: Repo, start: Start) -> None:
    attempt = start()
    for name in ("ünï.txt", "with space", "new\nline", "-dash", ":colon", "*star", 'quo"te'):
        put(attempt.path / name, "x\n")
    (attempt.path / os.fsdecode(b"latin-\xe9")).write_text("x\n")

    collected = attempt.collect()

    assert len(collected.files) == 8
    assert "latin-\N{REPLACEMENT CHARACTER}" in collected.files
    "\n".join((*collected.files, collected.diff)).encode("utf-8")


def test_what_cannot_be_a_file_in_git_does_not_stop_the_rest(start: Start) -> None:
    attempt = start()
    write(attempt.path, b__txt="x\n")
    (attempt.path / "a.txt").unlink()
    os.mkfifo(attempt.path / "a.txt")
    os.mkfifo(attempt.path / "pipe")

    collected = attempt.collect()

    assert "b.txt" in collected.files
    assert "pipe" not in collected.files


def test_a_checkout_that_is_gone_is_said_to_be_gone(start: Start, tmp_path: Path) -> None:
    attempt = start()
    shutil.rmtree(attempt.path)

    with pytest.raises(WorkspaceProblem, match="is gone"):
        attempt.collect()

    (tmp_path / "elsewhere").mkdir()
    attempt.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceProblem, match="is gone"):
        attempt.collect()


def test_a_newer_base_counts_only_when_the_agent_took_it_in(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    attempt = start()
    write(attempt.path, a__txt="mine\n")
    newer = repo.commit("landed meanwhile", other__txt="other\n")

    workspace = workspaces.reopen(attempt.path, base=newer)
    assert workspace is not None
    again = Attempt(workspaces, workspace, attempt.id)

    assert again.collect().files == ("a.txt",), "not merged: against the new base it would delete other.txt"
    attempt.git("add", "-A")
    attempt.git("commit", "-qm", "mine")
    attempt.git("merge", "-q", "--no-edit", newer)
    collected = again.collect()
    assert collected.files == ("a.txt",)
    assert repo.git("rev-parse", f"{collected.commit}^") == newer


DESTRUCTION = (
    ("reset", "--hard", "HEAD"),
    ("clean", "-ffdx"),
    ("checkout", "-q", "--detach"),
    ("branch", "-D", "main"),
    ("tag", "-d", "v1"),
    ("stash", "clear"),
    ("push", "--force", "origin", "HEAD:main"),
    ("push", "--force", "--mirror", "origin"),
    ("push", "--mirror"),
    ("config", "user.name", "Mallory"),
    ("reflog", "expire", "--expire=now", "--all"),
    ("gc", "-q", "--prune=now"),
    ("repack", "-q", "-a", "-d"),
    ("prune", "--expire=now"),
    ("worktree", "prune"),
)


def test_nothing_git_can_destroy_in_a_checkout_reaches_the_users_repository(repo: Repo, start: Start) -> None:
    repo.git("tag", "v1")
    repo.git("branch", "keep")
    write(repo.root, a__txt="stashed\n")
    repo.git("stash", "-q")
    write(repo.root, a__txt="dirty\n", untracked__txt="u\n")
    repo.git("status")
    attempt = start()
    before, status = repo.everything(), repo.git("status", "--porcelain")

    for command in DESTRUCTION:
        attempt.git(*command, check=False)

    assert repo.everything() == before
    assert repo.git("status", "--porcelain") == status
    repo.git("fsck", "--strict")
