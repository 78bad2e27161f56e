"""Repositories as people really have them: odd names, odd layouts, odd settings. Work comes home from each of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import NotReady, WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Collected, Setup
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.git import need_merging
from agent_orchestrator.workspaces.project import detect
from agent_orchestrator.workspaces.worktree import WorktreeWorkspaces
from workspaces.scenes import GOAL, Attempt, Repo, Start, put, sh

WITHOUT_LFS = pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
LONG = "long/" + "x" * 200


def begun(root: Path, **files: str) -> Repo:
    """Make a repository with a commit at *root*."""
    root.mkdir(parents=True)
    repo = Repo(root)
    repo.git("init", "-q", "-b", "main")
    identify(repo)
    repo.commit("first", a__txt="one\n", **files)
    return repo


def identify(repo: Repo) -> None:
    repo.git("config", "user.name", "Ada")
    repo.git("config", "user.email", "ada@example.org")


def opened(workspaces: CheckoutWorkspaces) -> Attempt:
    """Open a workspace as a run does."""
    id = AttemptId("t1.1")
    workspace = workspaces.open(id, base=workspaces.base(GOAL, include_dirty=False), setup=Setup())
    return Attempt(workspaces, workspace, id)


def delivered(attempt: Attempt) -> Collected:
    """Collect, land and deliver an attempt's work, and see that it arrived."""
    workspaces = attempt.workspaces
    collected = attempt.collect()
    assert collected.commit is not None and collected.branch is not None
    with workspaces.checked_out(collected.commit, setup=Setup()) as place:
        assert sh(place, "git", "status", "--porcelain") == ""
    into = workspaces.project().branch
    done = workspaces.deliver(branch=collected.branch, into=into, base=attempt.workspace.base)
    assert done.done, done.note
    return collected


@pytest.mark.parametrize("kind", [CheckoutWorkspaces, WorktreeWorkspaces])
@pytest.mark.parametrize(
    "name", ["two words", "line\nbreak", "ünï", "-dash", 'q"uo\\te', "#hash", "co:lon", "end\n", "*"]
)
def test_a_repository_at_any_path_can_be_worked_in(name: str, kind: type[CheckoutWorkspaces], tmp_path: Path) -> None:
    repo = begun(tmp_path / name)
    workspaces = kind(folder=repo.root, state=tmp_path / f"state of {name}")
    attempt = opened(workspaces)
    put(attempt.path / "a.txt", "two\n")

    delivered(attempt)

    assert (repo.root / "a.txt").read_text() == "two\n"
    assert attempt.git("status", "--porcelain") == " M a.txt"


@pytest.mark.parametrize("branch", ["ünï/côdé", "-x", "orchestrate", "v1", LONG, "heads/main"])
def test_a_branch_of_any_name_is_delivered_to_and_taken_back(branch: str, repo: Repo, tmp_path: Path) -> None:
    repo.git("tag", "v1")
    repo.git("update-ref", f"refs/heads/{branch}", "HEAD")
    repo.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    workspaces = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")
    before = repo.git("rev-parse", f"refs/heads/{branch}")

    assert workspaces.project().branch == branch
    attempt = opened(workspaces)
    put(attempt.path / "a.txt", "two\n")
    collected = delivered(attempt)

    assert (repo.root / "a.txt").read_text() == "two\n"
    assert workspaces.branches(GOAL) == (collected.branch,)
    undone = workspaces.undo(into=branch, moved_from=before, moved_to=collected.commit or "")
    assert undone.done, undone.note
    assert repo.git("rev-parse", f"refs/heads/{branch}") == before


def rename_by_case(attempt: Attempt) -> None:
    (attempt.path / "a.txt").rename(attempt.path / "A.TXT")


def make_executable(attempt: Attempt) -> None:
    (attempt.path / "a.txt").chmod(0o755)


def make_an_empty_folder(attempt: Attempt) -> None:
    (attempt.path / "empty").mkdir()
    put(attempt.path / "b.txt", "x\n")


def replace_a_folder_by_a_link_to_its_copy(attempt: Attempt) -> None:
    (attempt.path / "lib").rename(attempt.path / "lib2")
    put(attempt.path / "lib2" / "deep.txt", "deeper\n")
    (attempt.path / "lib").symlink_to("lib2")


def merge_a_branch_of_its_own(attempt: Attempt) -> None:
    attempt.git("checkout", "-q", "-b", "side")
    put(attempt.path / "side.txt", "x\n")
    attempt.git("add", "-A")
    attempt.git("commit", "-qm", "side")
    attempt.git("checkout", "-q", "-")
    put(attempt.path / "b.txt", "x\n")
    attempt.git("commit", "-qam", "here")
    attempt.git("merge", "-q", "--no-edit", "side")


def rebase_and_tidy_up(attempt: Attempt) -> None:
    merge_a_branch_of_its_own(attempt)
    attempt.git("rebase", "-q", "HEAD~1")
    attempt.git("gc", "-q", "--prune=now")


def add_a_worktree_inside(attempt: Attempt) -> None:
    attempt.git("worktree", "add", "-q", "inside")
    put(attempt.path / "inside" / "new.txt", "x\n")


ODDITIES: dict[Callable[[Attempt], None], tuple[str, ...]] = {
    rename_by_case: ("A.TXT", "a.txt"),
    make_executable: ("a.txt",),
    make_an_empty_folder: ("b.txt",),
    replace_a_folder_by_a_link_to_its_copy: ("lib", "lib/deep.txt", "lib2/deep.txt"),
    merge_a_branch_of_its_own: ("b.txt", "side.txt"),
    rebase_and_tidy_up: ("b.txt", "side.txt"),
}


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.__name__)
def test_what_files_and_agents_do_comes_home_as_it_lies(
    oddity: Callable[[Attempt], None], repo: Repo, start: Start
) -> None:
    attempt = start()
    before = repo.everything()
    oddity(attempt)

    collected = attempt.collect()

    assert repo.everything() == before
    assert collected.files == ODDITIES[oddity]
    assert collected.notes == ()
    delivered(attempt)
    assert repo.git("status", "--porcelain") == ""
    assert os.access(repo.root / "a.txt", os.X_OK) == (oddity is make_executable)


def test_a_worktree_an_agent_added_inside_comes_home_as_files(repo: Repo, start: Start) -> None:
    attempt = start()
    add_a_worktree_inside(attempt)

    assert "inside/new.txt" in attempt.collect().files


def test_outputs_that_are_ignored_are_no_work(start: Start) -> None:
    attempt = start()
    put(attempt.path / "build" / "out.o", "x")

    assert attempt.collect().commit is None


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_line_ends_are_kept_as_the_repository_wants_them(setting: str, repo: Repo, start: Start) -> None:
    repo.git("config", "core.autocrlf", setting)
    repo.commit("attributes", __gitattributes="*.bat text eol=crlf\n*.sh text eol=lf\n", run__bat="a\r\nb\r\n")
    attempt = start()
    assert attempt.git("status", "--porcelain") == ""
    assert attempt.collect().commit is None

    (attempt.path / "run.bat").write_bytes(b"a\r\nc\r\n")
    (attempt.path / "new.sh").write_bytes(b"x\n")
    collected = attempt.collect()

    assert collected.files == ("new.sh", "run.bat")
    assert (collected.insertions, collected.deletions) == (2, 1), "one line changed, not all of them"
    assert repo.git("cat-file", "-p", f"{collected.commit}:run.bat").splitlines() == ["a", "c"]


def test_a_sparse_checkout_of_the_users_loses_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.commit("more", other__txt="o\n")
    put(repo.root / "far" / "away.txt", "far\n")
    repo.commit("far")
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "lib")
    assert not (repo.root / "far").exists()
    workspaces = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")
    assert any("sparsely" in note for note in workspaces.project().notes)

    assert workspaces.base(GOAL, include_dirty=True) == repo.git("rev-parse", "HEAD"), "nothing counts as deleted"
    attempt = opened(workspaces)
    assert (attempt.path / "far" / "away.txt").exists(), "agents see all files"
    put(attempt.path / "far" / "away.txt", "changed\n")
    put(attempt.path / "lib" / "deep.txt", "deeper\n")
    collected = delivered(attempt)

    assert collected.files == ("far/away.txt", "lib/deep.txt")
    assert (repo.root / "lib" / "deep.txt").read_text() == "deeper\n"
    assert not (repo.root / "far").exists(), "still sparse"


def test_a_partial_clone_can_be_worked_in_and_what_it_lacks_is_said(repo: Repo, tmp_path: Path) -> None:
    repo.commit("second", a__txt="second\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    sh(tmp_path, "git", "clone", "-q", "--filter=blob:none", f"file://{repo.root}", "partial")
    identify(Repo(tmp_path / "partial"))
    repo.root.rename(tmp_path / "gone")
    workspaces = CheckoutWorkspaces(folder=tmp_path / "partial", state=tmp_path / "state")
    assert any("partial" in note for note in workspaces.project().notes)

    attempt = opened(workspaces)
    put(attempt.path / "a.txt", "third\n")
    delivered(attempt)

    assert (tmp_path / "partial" / "a.txt").read_text() == "third\n"
    first = sh(tmp_path / "partial", "git", "rev-parse", "HEAD~2")
    with pytest.raises(WorkspaceProblem, match="never fetched") as caught:
        workspaces.open(AttemptId("t2.1"), base=first, setup=Setup())
    assert "\n" not in caught.value.message


def test_a_repository_of_another_hash_can_be_worked_in(tmp_path: Path) -> None:
    (tmp_path / "sha256").mkdir()
    repo = Repo(tmp_path / "sha256")
    repo.git("init", "-q", "-b", "main", "--object-format=sha256")
    identify(repo)
    repo.commit("first", a__txt="one\n")
    attempt = opened(CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state"))
    put(attempt.path / "a.txt", "two\n")
    attempt.git("commit", "-qam", "mine")

    delivered(attempt)

    assert (repo.root / "a.txt").read_text() == "two\n"


def test_a_git_folder_that_lies_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    repo = Repo(tmp_path / "project")
    repo.git("init", "-q", "-b", "main", f"--separate-git-dir={tmp_path}/elsewhere.git")
    identify(repo)
    repo.git("config", "core.worktree", str(repo.root))
    repo.commit("first", a__txt="one\n")
    attempt = opened(CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state"))
    put(attempt.path / "a.txt", "two\n")
    assert attempt.git("rev-parse", "--show-toplevel") == str(attempt.workspace.root)

    delivered(attempt)

    assert (repo.root / "a.txt").read_text() == "two\n"


def test_an_agents_own_commits_run_no_hooks_of_the_users(repo: Repo, start: Start, tmp_path: Path) -> None:
    for place in (repo.root / ".git" / "hooks", tmp_path / "hooks"):
        for hook in ("pre-commit", "commit-msg", "post-commit", "post-checkout", "reference-transaction"):
            put(place / hook, f"#!/bin/sh\ntouch {tmp_path}/ran\n").chmod(0o755)
    repo.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    attempt = start()

    put(attempt.path / "a.txt", "two\n")
    attempt.git("commit", "-qam", "mine")
    attempt.git("checkout", "-q", "-b", "other")
    attempt.collect()

    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_of_another_user_is_refused_in_gits_words(tmp_path: Path) -> None:
    repo = begun(tmp_path / "theirs")
    for path in (repo.root, repo.root / ".git"):
        os.chown(path, 12345, 12345)

    with pytest.raises(WorkspaceProblem, match="dubious ownership") as caught:
        detect(repo.root)

    assert "\n" not in caught.value.message


@pytest.mark.parametrize("printed", ["", "--show-toplevel", "a\nb", "/nowhere\n/nowhere\n/nowhere"])
def test_a_git_that_answers_otherwise_than_asked_is_said_in_one_line(
    printed: str, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "bin" / "git", f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    with pytest.raises(NotReady, match="does not tell where"):
        detect(repo.root)


def test_a_git_too_old_to_merge_in_memory_is_refused_beforehand(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_merging(repo.root)
    put(tmp_path / "bin" / "git", "#!/bin/sh\necho git version 2.37.9\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    with pytest.raises(NotReady, match=r"git 2\.37"):
        need_merging(repo.root)


@WITHOUT_LFS
def test_large_files_come_from_the_local_store_and_go_there(repo: Repo, tmp_path: Path) -> None:
    repo.git("lfs", "install", "--local", "--skip-repo")
    repo.git("remote", "add", "origin", f"{tmp_path}/nowhere.git")
    repo.commit("large", __gitattributes="*.bin filter=lfs diff=lfs merge=lfs -text\n", big__bin="large content\n")
    put(repo.root / "lost.bin", "lost content\n")
    repo.commit("lost")
    lost = repo.show("HEAD", "lost.bin").split("sha256:")[1].split()[0]
    (repo.root / ".git" / "lfs" / "objects" / lost[:2] / lost[2:4] / lost).unlink()
    attempt = opened(CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state"))

    assert (attempt.path / "big.bin").read_text() == "large content\n"
    assert (attempt.path / "lost.bin").read_text().startswith("version https://git-lfs"), "a pointer, unspoiled"
    assert attempt.collect().commit is None
    put(attempt.path / "big.bin", "larger content\n")
    collected = delivered(attempt)

    assert collected.files == ("big.bin",)
    assert "larger" not in repo.show(collected.commit or "", "big.bin"), "in history it is a pointer"
    assert (repo.root / "big.bin").read_text() == "larger content\n"
