import os
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Collected, Setup, Workspaces
from agent_orchestrator.workspaces.shared import SharedWorkspaces
from workspaces.scenes import GOAL, Repo, put, sh, write

FIRST, SECOND = AttemptId("t4hw9ab.1"), AttemptId("t4hw9ab.2")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder without git."""
    put(tmp_path / "plain" / "a.txt", "one\n")
    put(tmp_path / "plain" / "lib" / "b.txt", "two\n")
    return tmp_path / "plain"


def change(folder: Path) -> None:
    write(folder, a__txt="ONE\n", new__txt="new\n")


def collect(shared: SharedWorkspaces, attempt: AttemptId = FIRST) -> Collected:
    workspace = shared.reopen(shared.folder, base=None)
    assert workspace is not None
    return shared.collect(workspace, goal=GOAL, attempt=attempt, message="work")


def test_it_serves_the_contract(plain: Path, tmp_path: Path) -> None:
    serves: Workspaces = SharedWorkspaces(folder=plain, state=tmp_path / "state")

    assert serves.isolation == "shared"


@pytest.mark.parametrize("git", [True, False])
def test_without_git_what_an_attempt_changed_is_told(
    git: bool, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not git:
        monkeypatch.setenv("PATH", str(tmp_path))  # not even installed
    shared = SharedWorkspaces(folder=plain, state=tmp_path / "state")
    workspace = shared.open(FIRST, base=shared.base(GOAL, include_dirty=False), setup=Setup(command="exit 1"))
    assert (workspace.path, workspace.base, shared.project().root) == (plain, None, None)
    put(plain / "node_modules" / "x.js", "")
    os.utime(plain / "lib" / "b.txt")
    assert collect(shared).files == ()

    change(plain)
    (plain / "lib" / "b.txt").unlink()
    (plain / "link").symlink_to("/etc")

    collected = collect(shared)
    assert collected.files == ("a.txt", "lib/b.txt", "link", "new.txt")
    assert (collected.commit, collected.branch) == (None, None)


def test_in_a_repository_the_change_is_told_and_nothing_is_committed(repo: Repo, tmp_path: Path) -> None:
    write(repo.root, b__txt="dirty before\n", noise__log="ignored\n")
    shared = SharedWorkspaces(folder=repo.root, state=tmp_path / "state")
    shared.open(FIRST, base=None, setup=Setup())
    change(repo.root)
    before = repo.everything()

    collected = collect(shared)

    assert collected.files == ("a.txt", "new.txt")
    assert (collected.commit, collected.insertions, collected.deletions) == (None, 2, 3)
    assert "+ONE" in collected.diff
    assert repo.everything() == before


def test_a_repository_without_a_commit_will_do(tmp_path: Path) -> None:
    sh(tmp_path, "git", "init", "-q", "empty")
    shared = SharedWorkspaces(folder=tmp_path / "empty", state=tmp_path / "state")
    shared.open(FIRST, base=None, setup=Setup())
    change(shared.folder)

    assert collect(shared).files == ("a.txt", "new.txt")


def test_an_attempt_that_goes_on_counts_from_where_the_task_began(plain: Path, tmp_path: Path) -> None:
    shared = SharedWorkspaces(folder=plain, state=tmp_path / "state")
    shared.open(FIRST, base=None, setup=Setup())
    change(plain)

    assert collect(shared, SECOND).files == ("a.txt", "new.txt")
    with pytest.raises(WorkspaceProblem, match="not known"):
        collect(shared, AttemptId("other.1"))


def test_checks_run_in_the_folder_itself(plain: Path, tmp_path: Path) -> None:
    shared = SharedWorkspaces(folder=plain, state=tmp_path / "state")

    with shared.checked_out("", setup=Setup()) as place:
        assert place == plain
    environment = shared.check_environment(plain, {"PATH": "/usr/bin"})
    assert environment == {"PATH": "/usr/bin", "CI": "1"}


def test_there_is_nothing_to_merge_deliver_or_undo(plain: Path, tmp_path: Path) -> None:
    shared = SharedWorkspaces(folder=plain, state=tmp_path / "state")

    for refused in (
        lambda: shared.union("a", "b"),
        lambda: shared.commit_tree("a", parents=(), message=""),
        lambda: shared.advance("a", old=None, new="b"),
    ):
        with pytest.raises(WorkspaceProblem, match="folder itself"):
            refused()
    assert not shared.deliver(branch="x", into="main", base=None).done
    assert not shared.undo(into="main", moved_from="a", moved_to="b").done
    assert shared.tip(shared.result_branch(GOAL)) is None
    assert (shared.landed("x", None), shared.branches(GOAL), shared.contains("x", "y")) == ({}, (), False)
