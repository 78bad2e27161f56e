"""A result that could not be delivered, and that the user takes into their branch themselves."""

from typing import Any

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission
from calling import Caller
from journeys.conftest import Begin, job

Json = dict[str, Any]


@pytest.fixture
def waiting(begin: Begin) -> Caller:
    """A project whose only goal is done, and not in the branch: its README has an uncommitted change."""
    call = begin(**{"other.txt": "theirs\n"})
    (call.folder / "README.md").write_text("Being edited.\n")
    call("submit", job("one", "write work.txt done"))
    assert call("run").code == 6
    assert report(call)["delivery"] == "waiting"
    return call


def report(call: Caller) -> Json:
    return dict(call("report", "--json").json)


def merged(call: Caller, *how: str) -> None:
    """Type what the report says."""
    command = next(one["command"] for one in report(call)["needs_you"] if one["what"] == "not_delivered")
    call.git(*command.split()[1:], *how)


@pytest.mark.parametrize("verb", ["report", "status", "review", "run"])
def test_a_result_that_the_user_merged_is_no_longer_asked_for_whoever_looks(waiting: Caller, verb: str) -> None:
    merged(waiting)

    waiting(verb)

    snapshot = waiting("events", "--type", "goal.taken_in", "--json").json
    assert snapshot["data"]["note"].endswith("you took it in")
    found = report(waiting)
    assert found["delivery"] == "delivered" and found["needs_you"] == []
    assert "not in your branch" not in waiting("status").out


@pytest.mark.parametrize("gone_on", [False, True])
def test_a_result_that_the_user_squashed_is_known_by_what_is_in_it_and_undo_takes_it_out(
    waiting: Caller, gone_on: bool
) -> None:
    goal = report(waiting)["id"]
    waiting.git("commit", "-q", "-am", "mine")
    before = waiting.git("rev-parse", "main")
    merged(waiting, "--squash")
    waiting.git("commit", "-q", "-m", "All of it")
    if gone_on:
        (waiting.folder / "other.txt").write_text("later")
        waiting.git("commit", "-q", "-am", "mine too")

    found = report(waiting)

    assert found["delivery"] == "delivered" and found["needs_you"] == []
    assert waiting("undo", goal).code == 0
    assert not (waiting.folder / "work.txt").exists()
    assert (waiting.folder / "README.md").read_text() == "Being edited.\n"
    assert ((waiting.folder / "other.txt").read_text() == "later") is gone_on
    assert (waiting.git("rev-parse", "main") == before) is not gone_on


def test_a_result_of_which_all_was_rejected_was_not_taken_in(waiting: Caller) -> None:
    task = report(waiting)["tasks"][0]["id"]
    assert waiting("review", task, "--reject").code == 0
    waiting("cancel", task)
    waiting.git("commit", "-q", "-am", "mine")

    waiting("status")

    assert waiting("events", "--type", "goal.taken_in", "--json").out == ""


def test_half_of_a_result_is_not_all_of_it_and_picked_commits_are(begin: Begin) -> None:
    call = begin()
    tasks = tuple(
        PlannedTask(id=name, title=name, description=job(name, f"write {name}.txt done"), agent_type="generalist")
        for name in ("one", "two")
    )
    app = build(call.folder, environ=call.environ)
    app.goals.accept(Plan(goal="Both", source="file", tasks=tasks), Submission(text="Both"))
    app.store.close()
    (call.folder / "README.md").write_text("Being edited.\n")
    assert call("run").code == 6
    call.git("commit", "-q", "-am", "mine")
    one, two = call.git("rev-list", "--reverse", "--no-merges", f"main..{report(call)['result_branch']}").split()

    call.git("cherry-pick", one)
    assert report(call)["delivery"] == "waiting"
    call.git("cherry-pick", two)
    assert report(call)["delivery"] == "delivered"


def test_looking_at_a_result_that_was_not_merged_changes_nothing(waiting: Caller) -> None:
    for verb in "status", "review", "run", "report":
        waiting(verb)

    assert report(waiting)["delivery"] == "waiting"
    assert waiting("events", "--type", "goal.taken_in", "--json").out == ""


def test_accepting_merged_work_says_that_it_is_in_the_branch(waiting: Caller) -> None:
    merged(waiting)

    assert "accepted; it is in your branch" in waiting("review", report(waiting)["tasks"][0]["id"], "--accept").out


@pytest.mark.parametrize("how", ["--ff-only", "--no-ff"])
@pytest.mark.parametrize("gone_on", [False, True])
def test_undo_takes_out_what_the_user_merged_and_nothing_else(waiting: Caller, how: str, gone_on: bool) -> None:
    goal = report(waiting)["id"]
    before = waiting.git("rev-parse", "main")
    merged(waiting, how)
    waiting.git("checkout", "-q", "README.md")
    if gone_on:
        waiting.git("commit", "-q", "--allow-empty", "-m", "mine")
        (waiting.folder / "mine.txt").write_text("mine")
        waiting.git("add", "mine.txt")
        waiting.git("commit", "-q", "-m", "mine too")

    undone = waiting("undo", goal)

    assert undone.code == 0, undone
    assert not (waiting.folder / "work.txt").exists() and (waiting.folder / "other.txt").exists()
    assert (waiting.folder / "mine.txt").exists() is gone_on
    if gone_on:
        message = waiting.git("log", "-1", "--format=%B")
        assert message.startswith("Undo: one") and f"Goal: {goal}" in message
    else:
        assert waiting.git("rev-parse", "main") == before


def test_undo_keeps_what_the_user_committed_before_they_merged(begin: Begin) -> None:
    call = begin()
    goal = call("submit", job("one", "write work.txt done"), "--json").json["goal"]["id"]
    call("submit", job("two", "write second.txt done"), "--depends-on", report(call)["tasks"][0]["id"])
    (call.folder / "README.md").write_text("Being edited.\n")
    assert call("run", "--no-wait").code == 6
    call.git("commit", "-q", "-am", "mine")
    tip = call.git("rev-parse", "main")
    merged(call, "--no-edit")

    assert call("undo", goal).code == 0

    assert call.git("rev-parse", "main") == tip
    assert (call.folder / "README.md").read_text() == "Being edited.\n"
    assert not (call.folder / "work.txt").exists() and not (call.folder / "second.txt").exists()


def test_undo_keeps_the_users_commits_when_they_merged_their_branch_into_the_result_first(begin: Begin) -> None:
    call = begin()
    goal = call("submit", job("one", "write work.txt done"), "--json").json["goal"]["id"]
    (call.folder / "README.md").write_text("Being edited.\n")
    assert call("run").code == 6
    call.git("commit", "-q", "-am", "mine")
    result = report(call)["result_branch"]
    call.git("checkout", "-q", result)
    call.git("merge", "-q", "--no-edit", "main")
    call.git("checkout", "-q", "main")
    call.git("merge", "-q", "--ff-only", result)

    assert call("undo", goal).code == 0

    assert (call.folder / "README.md").read_text() == "Being edited.\n"
    assert not (call.folder / "work.txt").exists()


def test_a_merged_result_is_known_by_its_commits_when_its_branch_is_gone(waiting: Caller) -> None:
    branch = report(waiting)["result_branch"]
    merged(waiting, "--no-ff")
    waiting.git("branch", "-D", branch)

    assert report(waiting)["delivery"] == "delivered"
