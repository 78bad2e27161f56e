"""What became of files between two trees, and trees with files put back."""

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import Revision
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.repository import REVISION_LIMIT_BYTES
from workspaces.scenes import Repo, put


def test_every_file_that_differs_is_told_with_its_text_before_and_after(
    workspaces: CheckoutWorkspaces, repo: Repo
) -> None:
    base = repo.git("rev-parse", "HEAD")
    (repo.root / "b.txt").unlink()
    (repo.root / "a b\té.txt").write_text("odd\n")
    (repo.root / "binary").write_bytes(b"\0\1\2")
    (repo.root / "long").write_text("x" * (REVISION_LIMIT_BYTES + 1))
    (repo.root / "link").symlink_to("a.txt")
    repo.commit("second", a__txt="one\nTWO\n")

    found = {one.path: (one.before, one.after) for one in workspaces.revisions(base, "HEAD")}

    assert found == {
        "a.txt": ("one\ntwo\nthree\n", "one\nTWO\n"),
        "b.txt": ("bee\n", None),
        "a b\té.txt": (None, "odd\n"),
        "binary": (None, ""),
        "long": (None, ""),
        "link": (None, ""),
    }


def test_two_equal_trees_have_no_revisions(workspaces: CheckoutWorkspaces) -> None:
    assert workspaces.revisions("HEAD", "HEAD") == ()


def test_files_are_put_back_as_they_were_and_what_was_not_there_goes(
    workspaces: CheckoutWorkspaces, repo: Repo
) -> None:
    base = repo.git("rev-parse", "HEAD")
    (repo.root / "b.txt").unlink()
    repo.commit("second", a__txt="changed\n", new__txt="new\n", c__txt="stays\n")
    before = repo.everything()

    tree = workspaces.put_back("HEAD", ["a.txt", "b.txt", "new.txt"], like=base)

    assert workspaces.revisions(base, tree) == (Revision(path="c.txt", before=None, after="stays\n"),)
    assert repo.everything() == before


def test_what_cannot_be_put_back_is_said(workspaces: CheckoutWorkspaces) -> None:
    with pytest.raises(WorkspaceProblem):
        workspaces.put_back("no-such-commit", ["a.txt"], like="HEAD")


def test_names_of_any_form_and_many_questions_are_told_apart(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    for number, name in enumerate(("new\nline.txt", "end", "tab\there", "ünïcode", "d/" * 5 + "deep")):
        put(repo.root / name, f"{number}\n")
        second = repo.commit(str(number))
        told = workspaces.revisions(first, second)
        assert [(one.path, one.before, one.after) for one in told] == [(name, None, f"{number}\n")]
        first = second
    assert workspaces.revisions(first, first) == ()
