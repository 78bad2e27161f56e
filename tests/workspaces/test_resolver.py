"""One git that stays answers as a fresh one would, whatever happens to the repository or to itself."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces.resolver import Resolver
from workspaces.scenes import Repo, ends, own_gits


@pytest.fixture
def resolver(repo: Repo) -> Resolver:
    return Resolver(root=repo.root, config={})


def test_a_branch_that_moved_and_objects_that_were_packed_since_are_seen(repo: Repo, resolver: Resolver) -> None:
    assert resolver.resolve("refs/heads/new^{commit}") is None

    repo.git("branch", "new")
    first = resolver.resolve("refs/heads/new^{commit}")
    second = repo.commit("second", a__txt="2\n")
    repo.git("branch", "-f", "new", second)
    repo.git("pack-refs", "--all")
    repo.git("gc", "-q", "--prune=now")

    assert first == repo.git("rev-parse", "HEAD~")
    assert resolver.resolve("refs/heads/new^{commit}") == second
    assert resolver.resolve(f"{second}^{{tree}}") == repo.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("name", ["", "no such thing", "HEAD\nHEAD", "HEAD^{tree}^{blob}", "0" * 40, "-x", "a commit"])
def test_what_names_nothing_is_none_and_the_next_answer_is_its_own(name: str, repo: Repo, resolver: Resolver) -> None:
    assert resolver.resolve(name) is None
    assert resolver.resolve("HEAD^{commit}") == repo.git("rev-parse", "HEAD")


def test_many_threads_get_each_their_own_answer(repo: Repo, resolver: Resolver) -> None:
    commits = [repo.commit(str(number), a__txt=f"{number}\n") for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(resolver.resolve, [f"{commit}^{{commit}}" for commit in commits * 20]))

    assert answers == commits * 20


def test_a_git_that_was_ended_is_started_again(repo: Repo, resolver: Resolver) -> None:
    before = {child.pid for child in own_gits("--batch-command")}
    resolver.resolve("HEAD^{commit}")
    (pid,) = {child.pid for child in own_gits("--batch-command")} - before

    os.kill(pid, signal.SIGKILL)
    assert ends(pid)

    assert resolver.resolve("HEAD^{commit}") == repo.git("rev-parse", "HEAD")


def test_nothing_runs_on_when_nobody_asks_any_more(repo: Repo) -> None:
    before = {child.pid for child in own_gits("--batch-command")}
    resolver = Resolver(root=repo.root, config={})
    resolver.resolve("HEAD^{commit}")
    (pid,) = {child.pid for child in own_gits("--batch-command")} - before

    del resolver

    assert ends(pid)


def test_a_repository_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceProblem, match="cannot read the repository"):
        Resolver(root=tmp_path, config={}).resolve("HEAD^{commit}")
