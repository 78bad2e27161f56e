"""Merging in memory, and moving branches."""

import pytest

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from agent_orchestrator.workspaces.repository import DETAIL_LIMIT
from workspaces.scenes import GOAL, Repo, Start, ends, own_gits, write


def attempt_with(start: Start, id: str, **files: str) -> str:
    attempt = start(id)
    write(attempt.path, **files)
    commit = attempt.collect(f"Work of {id}\n\nAttempt: {id}\n").commit
    assert commit is not None
    return commit


def test_two_works_that_do_not_touch_make_one_tree_and_no_working_tree_moves(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    one = attempt_with(start, "t1.1", a__txt="ONE\ntwo\nthree\n")
    two = attempt_with(start, "t2.1", b__txt="BEE\n")
    before = repo.everything()

    union = workspaces.union(one, two)

    assert union.conflicts == ()
    assert union.tree is not None
    assert repo.show(union.tree, "a.txt") == "ONE\ntwo\nthree"
    assert repo.show(union.tree, "b.txt") == "BEE"
    assert repo.everything() == before


def test_a_conflict_names_the_paths_and_shows_the_lines_of_both_sides(
    workspaces: CheckoutWorkspaces, start: Start
) -> None:
    one = attempt_with(start, "t1.1", a__txt="one\nleft\nthree\n")
    two = attempt_with(start, "t2.1", a__txt="one\nright\nthree\n", c__txt="c\n")

    union = workspaces.union(one, two)

    assert union.tree is None
    assert union.conflicts == ("a.txt",)
    assert "CONFLICT (content)" in union.detail
    assert "left\n=======\nright" in union.detail


def test_a_deletion_against_a_change_is_a_conflict(workspaces: CheckoutWorkspaces, start: Start) -> None:
    one = attempt_with(start, "t1.1", a__txt="changed\n")
    gone = start("t2.1")
    (gone.path / "a.txt").unlink()
    two = gone.collect().commit
    assert two is not None

    union = workspaces.union(one, two)

    assert union.conflicts == ("a.txt",)
    assert "modify/delete" in union.detail


def test_the_account_of_a_huge_conflict_is_capped(workspaces: CheckoutWorkspaces, start: Start) -> None:
    one = attempt_with(start, "t1.1", big__txt="".join(f"left {n}\n" for n in range(5000)))
    two = attempt_with(start, "t2.1", big__txt="".join(f"right {n}\n" for n in range(5000)))

    detail = workspaces.union(one, two).detail

    assert len(detail) <= DETAIL_LIMIT
    assert detail.endswith("[cut here]")


def test_a_branch_moves_only_from_where_it_is_said_to_be(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    base = repo.git("rev-parse", "HEAD")
    one = attempt_with(start, "t1.1", a__txt="1\n")
    two = attempt_with(start, "t2.1", a__txt="2\n")
    branch = workspaces.result_branch(GOAL)

    assert workspaces.tip(branch) is None
    assert workspaces.advance(branch, old=None, new=base)
    assert not workspaces.advance(branch, old=None, new=one)
    assert workspaces.advance(branch, old=base, new=one)
    assert not workspaces.advance(branch, old=base, new=two)
    assert workspaces.tip(branch) == one
    assert workspaces.contains(branch, base) and workspaces.contains(branch, one)
    assert not workspaces.contains(branch, two)
    assert not workspaces.contains("no-such-branch", one)


def test_a_branch_that_cannot_be_is_an_error_and_not_a_lost_race(workspaces: CheckoutWorkspaces, repo: Repo) -> None:
    with pytest.raises(WorkspaceProblem, match="could not move"):
        workspaces.advance("bad..name", old=None, new=repo.git("rev-parse", "HEAD"))


def test_what_landed_is_found_by_its_trailer(workspaces: CheckoutWorkspaces, repo: Repo, start: Start) -> None:
    base = repo.git("rev-parse", "HEAD")
    branch = workspaces.result_branch(GOAL)
    one = attempt_with(start, "t1.1", a__txt="1\n")
    tree = repo.git("rev-parse", f"{one}^{{tree}}")
    message = "Parse dates\n\nBody: not a trailer\n\nTask: t1\nAttempt: t1.1\nVerified-by: pytest\n"
    landed = workspaces.commit_tree(tree, parents=(base,), message=message, author="claude <claude@agents.invalid>")
    workspaces.advance(branch, old=None, new=landed)

    assert workspaces.landed(branch, base) == {"t1.1": landed}
    assert workspaces.landed(branch, None) == {"t1.1": landed}
    assert workspaces.landed(branch, landed) == {}
    assert workspaces.landed("no-such-branch", base) == {}
    assert repo.git("log", "-1", "--format=%an <%ae>|%cn", landed) == "claude <claude@agents.invalid>|Ada"


def test_a_patch_is_given_whole_or_as_a_summary(workspaces: CheckoutWorkspaces, repo: Repo, start: Start) -> None:
    base = repo.git("rev-parse", "HEAD")
    one = attempt_with(start, "t1.1", a__txt="one\nTWO\nthree\n", big__txt="x\n" * 100_000)

    assert "a.txt" in workspaces.diff(base, one, stat=True)
    assert "-two\n+TWO\n" in workspaces.diff(base, one)
    assert len(workspaces.diff(base, one)) <= 64 * 1024


def test_work_on_the_tip_itself_needs_no_merging_and_has_the_same_tree(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    base = repo.git("rev-parse", "HEAD")
    one = attempt_with(start, "t1.1", a__txt="ONE\n")

    assert workspaces.union(base, one).tree == repo.git("merge-tree", "--write-tree", base, one)
    assert workspaces.union(base, one).tree == repo.git("rev-parse", f"{one}^{{tree}}")


def test_moves_go_on_after_one_that_was_refused(workspaces: CheckoutWorkspaces, repo: Repo, start: Start) -> None:
    base = repo.git("rev-parse", "HEAD")
    one = attempt_with(start, "t1.1", a__txt="1\n")
    branch = workspaces.result_branch(GOAL)

    for _ in range(3):
        assert workspaces.advance(branch, old=None, new=base)
        assert not workspaces.advance(branch, old=one, new=one)
        assert workspaces.advance(branch, old=base, new=one)
        assert repo.git("reflog", "show", "--format=%H", branch).splitlines()[0] == one
        repo.git("branch", "-D", branch)


def test_gits_that_stay_may_be_ended_by_anybody_at_any_time(
    workspaces: CheckoutWorkspaces, repo: Repo, start: Start
) -> None:
    base = repo.git("rev-parse", "HEAD")
    one = attempt_with(start, "t1.1", a__txt="1\n")
    branch = workspaces.result_branch(GOAL)
    for number in range(3):
        old = workspaces.tip(branch)
        commit = workspaces.commit_tree(workspaces.tree(one), parents=(old or base,), message=f"{number}\n")
        assert workspaces.advance(branch, old=old, new=commit)
        assert workspaces.tip(branch) == commit
        assert [revision.path for revision in workspaces.revisions(base, commit)] == ["a.txt"]
        assert not workspaces.advance(branch, old=base, new=one), "and a refused move is not lost in between"

        stay = own_gits()
        assert stay
        for child in stay:
            child.kill()
            assert ends(child.pid)
