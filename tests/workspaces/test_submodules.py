"""Submodules are there in a checkout without the network, and what is done in them is kept and landed."""

import shutil
from pathlib import Path

import pytest

from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Setup
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.project import detect
from workspaces.scenes import GOAL, Attempt, Repo, Start, put, sh

LIB = "libs/shop lib"


@pytest.fixture
def library(repo: Repo, tmp_path: Path) -> Repo:
    """The user's copy of a submodule in a submodule-using project, whose origin is gone; it holds one itself."""
    upstream, inner = tmp_path / "upstream", tmp_path / "inner"
    for place in (inner, upstream):
        put(place / "code.txt", "code\n")
        sh(place, "git", "init", "-q", "-b", "main")
        for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
            sh(place, "git", "config", key, value)
        if place == upstream:
            sh(place, "git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "deep")
        sh(place, "git", "add", "-A")
        sh(place, "git", "commit", "-qm", "library")
    allowed = ("-c", "protocol.file.allow=always", "submodule", "--quiet")
    repo.git(*allowed, "add", str(upstream), LIB)
    repo.git(*allowed, "update", "--init", "--recursive")
    repo.commit("use the library")
    for place in (inner, upstream):
        shutil.rmtree(place)
    library = Repo(repo.root / LIB)
    library.git("config", "user.name", "Ada")
    library.git("config", "user.email", "ada@example.org")
    return library


def test_a_checkout_holds_the_submodules_at_the_commits_it_names(library: Repo, start: Start) -> None:
    before = library.everything()

    attempt = start()

    assert (attempt.path / LIB / "code.txt").read_text() == "code\n"
    assert (attempt.path / LIB / "deep" / "code.txt").read_text() == "code\n"
    assert attempt.git("status", "--porcelain") == ""
    assert attempt.workspace.notes == ()
    assert attempt.collect().commit is None
    assert library.everything() == before


@pytest.mark.parametrize("committed", [True, False])
def test_work_in_a_submodule_is_landed_and_reaches_the_user(
    committed: bool, library: Repo, repo: Repo, start: Start, workspaces: CheckoutWorkspaces
) -> None:
    base = repo.git("rev-parse", "HEAD")
    attempt = start()
    put(attempt.path / LIB / "code.txt", "better\n")
    put(attempt.path / LIB / "new.txt", "new\n")
    if committed:
        inside = Repo(attempt.path / LIB)
        inside.git("add", "-A")
        inside.git("commit", "-qm", "mine")
        attempt.git("commit", "-qam", "mine")

    collected = attempt.collect("Mend the library")
    attempt.close()

    assert collected.files == (LIB,)
    assert any(LIB in note for note in collected.notes)
    assert library.git("log", "-1", "--format=%s", f"orchestrate/{GOAL}/t4hw9ab.1") == "Mend the library"
    with workspaces.checked_out(collected.commit or "", setup=Setup()) as place:
        assert (place / LIB / "new.txt").read_text() == "new\n"
    delivered = workspaces.deliver(branch=collected.branch or "", into="main", base=base)
    assert delivered.done and "git submodule update" in delivered.note
    repo.git("submodule", "--quiet", "update")
    assert (repo.root / LIB / "code.txt").read_text() == "better\n"


def test_work_two_levels_down_is_landed_too(library: Repo, repo: Repo, start: Start) -> None:
    attempt = start()
    put(attempt.path / LIB / "deep" / "code.txt", "deeper\n")

    collected = attempt.collect()

    (commit,) = library.git("rev-parse", f"{collected.commit and collected.branch}").split()
    inner = Repo(repo.root / LIB / "deep")
    named = library.git("rev-parse", f"{commit}:deep")
    assert inner.show(named, "code.txt") == "deeper"


def test_a_submodule_moved_to_a_commit_the_user_has_stands_for_that_commit(
    library: Repo, repo: Repo, start: Start
) -> None:
    newer = library.commit("newer", code__txt="newer\n")
    library.git("checkout", "-q", "HEAD~")
    attempt = start()
    Repo(attempt.path / LIB).git("checkout", "-q", newer)

    collected = attempt.collect()

    assert repo.git("rev-parse", f"{collected.commit}:{LIB}") == newer


def test_a_submodule_that_moved_on_since_is_not_taken_back(
    library: Repo, repo: Repo, start: Start, workspaces: CheckoutWorkspaces
) -> None:
    attempt = start()
    newer = library.commit("newer", code__txt="newer\n")
    landed = repo.commit("the library moves on")
    put(attempt.path / "a.txt", "mine\n")
    attempt.git("commit", "-qam", "mine")
    attempt.git("merge", "-q", "--no-edit", landed)
    workspace = workspaces.reopen(attempt.path, base=landed)
    assert workspace is not None

    collected = Attempt(workspaces, workspace, attempt.id).collect()

    assert collected.files == ("a.txt",)
    assert repo.git("rev-parse", f"{collected.commit}:{LIB}") == newer


def test_a_submodule_that_was_removed_is_removed(library: Repo, repo: Repo, start: Start) -> None:
    attempt = start()
    attempt.git("rm", "-qf", LIB)

    assert attempt.collect().files == (".gitmodules", LIB)


def test_a_recycled_checkout_shows_nothing_of_the_last_agents_submodule(library: Repo, start: Start) -> None:
    first = start("t1.1")
    put(first.path / LIB / "left.txt", "left\n")
    put(first.path / LIB / ".git" / "hooks" / "post-checkout", "#!/bin/sh\n")
    first.collect()
    first.close()

    second = start("t1.2")

    assert not (second.path / LIB / "left.txt").exists()
    assert not (second.path / LIB / ".git" / "hooks").exists()
    assert second.collect().commit is None


def test_a_submodule_the_user_has_not_checked_out_is_empty_and_named(library: Repo, repo: Repo, tmp_path: Path) -> None:
    sh(tmp_path, "git", "clone", "-q", str(repo.root), "elsewhere")
    workspaces = CheckoutWorkspaces(folder=tmp_path / "elsewhere", state=tmp_path / "state")

    base = workspaces.base(GOAL, include_dirty=False)
    workspace = workspaces.open(AttemptId("t1.1"), base=base, setup=Setup())
    put(workspace.path / "a.txt", "x\n")
    collected = workspaces.collect(workspace, goal=GOAL, attempt=AttemptId("t1.1"), message="work")

    assert [LIB in note and "empty" in note for note in workspace.notes] == [True]
    assert collected.files == ("a.txt",)
    assert any("submodules" in note for note in detect(tmp_path / "elsewhere").notes)
