import shutil
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Setup, Workspaces
from agent_orchestrator.workspaces.worktree import WorktreeWorkspaces
from workspaces.scenes import GOAL, Attempt, Repo, put, write


@pytest.fixture
def worktrees(repo: Repo, tmp_path: Path) -> WorktreeWorkspaces:
    return WorktreeWorkspaces(folder=repo.root, state=tmp_path / "state")


@pytest.fixture
def attempt(worktrees: WorktreeWorkspaces, repo: Repo) -> Attempt:
    put(repo.root / ".env", "KEY=1\n")
    id = AttemptId("t4hw9ab.1")
    base = worktrees.base(GOAL, include_dirty=False)
    return Attempt(worktrees, worktrees.open(id, base=base, setup=Setup()), id)


def test_it_serves_the_contract(worktrees: WorktreeWorkspaces) -> None:
    serves: Workspaces = worktrees

    assert serves.isolation == "worktree"


def test_an_attempt_works_in_a_linked_worktree_and_its_work_comes_home(attempt: Attempt, repo: Repo) -> None:
    assert str(attempt.workspace.root) in repo.git("worktree", "list")
    write(attempt.path, a__txt="ONE\n", new__txt="new\n")
    attempt.git("add", "-A")
    attempt.git("commit", "-qm", "mine")
    put(attempt.path / "lib" / "deep.txt", "uncommitted\n")

    collected = attempt.collect()

    assert collected.files == ("a.txt", "lib/deep.txt", "new.txt")
    assert repo.git("rev-parse", f"{collected.commit}^") == attempt.workspace.base
    assert repo.git("status", "--porcelain") == "?? .env"
    assert (
        not (repo.root / ".git" / "info" / "exclude").exists()
        or ".env" not in (repo.root / ".git" / "info" / "exclude").read_text()
    )


def test_closing_removes_the_worktree_and_its_metadata(attempt: Attempt, repo: Repo) -> None:
    attempt.close()

    assert not attempt.path.exists()
    assert repo.git("worktree", "list").count("\n") == 0
    assert list((repo.root / ".git").glob("worktrees/*")) == []


def test_a_worktree_whose_git_file_is_gone_is_collected_all_the_same(attempt: Attempt) -> None:
    write(attempt.path, a__txt="ONE\n")
    (attempt.path / ".git").unlink()

    assert attempt.collect().files == ("a.txt",)


def test_a_worktree_that_was_deleted_can_be_opened_again(attempt: Attempt, worktrees: WorktreeWorkspaces) -> None:
    shutil.rmtree(attempt.path)
    with pytest.raises(WorkspaceProblem, match="gone"):
        attempt.collect()

    again = worktrees.open(attempt.id, base=attempt.workspace.base, setup=Setup())

    assert (again.path / "a.txt").exists()


def test_checks_run_in_a_private_clone(worktrees: WorktreeWorkspaces, attempt: Attempt, repo: Repo) -> None:
    with worktrees.checked_out(attempt.workspace.base or "", setup=Setup()) as place:
        assert (place / ".git").is_dir()
    assert repo.git("worktree", "list").count("\n") == 1


def test_a_newer_base_is_known_when_the_agent_merged_it(
    attempt: Attempt, worktrees: WorktreeWorkspaces, repo: Repo
) -> None:
    (repo.root / ".env").unlink()
    newer = repo.commit("landed meanwhile", other__txt="other\n")
    write(attempt.path, a__txt="ONE\n")
    attempt.git("commit", "-qam", "mine")
    attempt.git("merge", "-q", "--no-edit", newer)

    workspace = worktrees.reopen(attempt.path, base=newer)
    assert workspace is not None
    collected = Attempt(worktrees, workspace, attempt.id).collect()

    assert collected.files == ("a.txt",)
