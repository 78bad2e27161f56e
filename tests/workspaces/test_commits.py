"""Commits that we put together ourselves are, byte for byte, those of ``git commit-tree``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.commits import CommitWriter, commit_text, moment
from agent_orchestrator.workspaces.git import git
from workspaces.scenes import Repo

WHEN = "1700000000 +0530"


def by_git(repo: Repo, tree: str, parents: tuple[str, ...], people: tuple[str, str, str, str], message: str) -> bytes:
    """Return the text of the commit that ``git commit-tree`` writes."""
    names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
    env = dict(zip(names, people, strict=True)) | {"GIT_AUTHOR_DATE": WHEN, "GIT_COMMITTER_DATE": WHEN}
    before = [word for parent in parents for word in ("-p", parent)]
    text = message.encode("utf-8", "replace")
    commit = git("commit-tree", tree, *before, "-F", "-", cwd=repo.root, env=env, input=text).text
    return git("cat-file", "commit", commit, cwd=repo.root).out


@pytest.mark.parametrize("message", ["One line", "A title\n\nA body.\n\nTask: t1\n", "", "no end\n\n\n", "Größe ✓\r\n"])
@pytest.mark.parametrize("name", ["Ada", "  Ada L. ", "<Ada>", "Ada \n King", "Åsa 'quoted'", '"Ada"', "a.b:c;d,"])
def test_the_text_is_that_of_git(name: str, message: str, repo: Repo) -> None:
    tree, head = repo.git("rev-parse", "HEAD^{tree}"), repo.git("rev-parse", "HEAD")
    email = f"{name.split()[0] if name.split() else ''}@example.org"

    for parents in ((), (head,), (head, repo.git("commit-tree", "-m", "other", tree))):
        ours = commit_text(
            tree, parents=parents, author=(name, email), committer=("Grace", ""), message=message, when=WHEN
        )
        assert ours == by_git(repo, tree, parents, (name, email, "Grace", ""), message)


@pytest.mark.parametrize(("tree", "author"), [("HEAD^{tree}", "Ada"), ("main", "Ada"), ("0" * 40, " <> ")])
def test_what_is_not_plain_is_left_to_git(tree: str, author: str) -> None:
    people = {"author": (author, "a@example.org"), "committer": ("Grace", "g@example.org")}
    assert commit_text(tree, parents=(), message="x", when=WHEN, **people) is None


def test_many_commits_are_written_by_one_git(repo: Repo, tmp_path: Path) -> None:
    writer = CommitWriter(root=repo.root, scratch=tmp_path / "scratch", config={})
    tree, people = repo.git("rev-parse", "HEAD^{tree}"), {"author": ("Ada", "a@x.org"), "committer": ("Ada", "a@x.org")}

    written = [writer.write(tree, parents=(), message=f"number {one}\n", **people) for one in range(5)]

    assert [repo.git("log", "-1", "--format=%s %an %ae", one or "") for one in written] == [
        f"number {one} Ada a@x.org" for one in range(5)
    ]
    assert not list((tmp_path / "scratch").iterdir())
    repo.git("fsck", "--strict", *filter(None, written))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Chatham"])
def test_the_present_is_written_in_the_local_offset(zone: str) -> None:
    code = "import time; from agent_orchestrator.workspaces.commits import moment; print(moment(), time.strftime('%z'))"
    asked = [sys.executable, "-c", code]
    ran = subprocess.run(asked, env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True, timeout=120)

    _, offset, wanted = ran.stdout.split()

    assert offset == wanted


def test_a_repository_with_another_encoding_names_it_in_its_commits(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "i18n.commitEncoding", "iso-8859-1")
    workspaces = CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")

    commit = workspaces.commit_tree(repo.git("rev-parse", "HEAD^{tree}"), parents=(), message="plain\n")

    assert "encoding iso-8859-1" in repo.git("cat-file", "commit", commit)


def test_commits_are_by_the_user_and_of_now(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    before = int(moment().split()[0])

    own = workspaces.commit_tree(tree, parents=(), message="own\n")
    other = workspaces.commit_tree(tree, parents=(own,), message="other\n", author="Agent Smith <smith@example.org>")

    assert repo.git("log", "-1", "--format=%an <%ae> %cn <%ce>", own) == "Ada <ada@example.org> Ada <ada@example.org>"
    shown = repo.git("log", "-1", "--format=%an <%ae> %cn %P", other)
    assert shown == f"Agent Smith <smith@example.org> Ada {own}"
    assert before <= int(repo.git("log", "-1", "--format=%ct", own)) <= int(moment().split()[0])
