"""What a checkout shows of the user's refs is what they are at that moment, though git is asked only when one moved."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from agent_orchestrator.workspaces.refs import KINDS, ShownRefs
from workspaces.scenes import Repo

OURS = "orchestrate"


@dataclass
class Asking:
    """The refs of a repository, and how often git was asked for them."""

    repo: Repo
    times: int = 0
    refs: ShownRefs = field(init=False)

    def __post_init__(self) -> None:
        self.refs = ShownRefs(self.repo.root / ".git", hidden=f"refs/heads/{OURS}", read=self._read)

    def _read(self) -> bytes:
        self.times += 1
        return self._asked().encode()

    def _asked(self) -> str:
        return self.repo.git("for-each-ref", "--format=%(objectname) %(refname)", *KINDS) + "\n"

    def are_right(self) -> bool:
        wanted = [line for line in self._asked().splitlines() if f" refs/heads/{OURS}/" not in line]
        return self.refs.lines().decode().splitlines() == wanted


@pytest.fixture
def asking(repo: Repo) -> Asking:
    repo.git("branch", "topic/deep")
    repo.git("tag", "-a", "-m", "first", "v1")
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return Asking(repo)


def test_git_is_asked_once_while_only_our_own_branches_move(repo: Repo, asking: Asking) -> None:
    assert asking.are_right()

    repo.git("branch", f"{OURS}/g7kq2mx/result")
    assert asking.are_right()
    repo.commit("more", a__txt="more\n")
    repo.git("branch", "-f", f"{OURS}/g7kq2mx/result", "HEAD")
    asking.refs.lines()
    asking.refs.lines()

    assert asking.times == 2, "once, and once more for the user's own commit"


@pytest.mark.parametrize(
    "moved",
    [
        lambda repo: repo.git("branch", "new"),
        lambda repo: repo.git("branch", "-D", "topic/deep"),
        lambda repo: repo.git("branch", "-f", "topic/deep", repo.git("commit-tree", "-m", "x", "HEAD^{tree}")),
        lambda repo: repo.git("branch", "-m", "topic/deep", "topic/deeper"),
        lambda repo: repo.git("tag", "v2"),
        lambda repo: repo.git("tag", "-d", "v1"),
        lambda repo: repo.git("update-ref", "refs/remotes/origin/next", "HEAD"),
        lambda repo: repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
        lambda repo: repo.git("pack-refs", "--all"),
        lambda repo: repo.git("pack-refs", "--all") + repo.git("branch", "-D", "topic/deep"),
    ],
)
def test_a_ref_of_the_users_that_came_moved_or_went_is_seen(
    moved: Callable[[Repo], str], repo: Repo, asking: Asking
) -> None:
    assert asking.are_right()

    moved(repo)

    assert asking.are_right()


def test_a_branch_that_moves_twice_in_a_moment_is_seen_each_time(repo: Repo, asking: Asking) -> None:
    for number in range(20):
        repo.git("branch", "-f", "topic/deep", repo.git("commit-tree", "-m", str(number), "HEAD^{tree}"))
        assert asking.are_right()
