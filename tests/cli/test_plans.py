"""plan, plan-list, plan-continue, execute-plan, called as a user's shell does."""

from pathlib import Path

import pytest

from calling import Caller

GOAL = "Add a login page, then write its tests, then document it"


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "project", ORCHESTRATE_PLANNER="rules")


def test_a_plan_is_saved_and_not_queued_without_consent(call: Caller) -> None:
    saved = call("plan", GOAL, "--json").json

    assert saved["state"] == "planning"
    assert (saved["goal"], saved["tasks"]) == (None, [])
    assert [plan["id"] for plan in call("plan-list", "--json").json["plans"]] == [saved["id"]]
    assert call("cancel", "last").code == 4


def test_without_a_terminal_nothing_is_asked_and_the_next_command_is_named(call: Caller) -> None:
    answer = call("plan", GOAL, stdin=b"y\n")

    id = answer.out.split("\t")[0]
    assert answer.code == 0
    assert f"orchestrate execute-plan {id}" in answer.err
    assert call("plan-list", "--json").json["plans"][0]["state"] == "planning"


@pytest.mark.parametrize(("typed", "state"), [(b"y\n", "executed"), (b"n\n", "planning"), (b"\n", "planning")])
def test_on_a_terminal_the_user_is_asked_and_the_answer_counts(call: Caller, typed: bytes, state: str) -> None:
    code, shown = call.on_terminal("plan", GOAL, typed=typed)

    assert code == 0
    assert "Queue this plan? [y/N]" in shown
    assert call("plan-list", "--json").json["plans"][0]["state"] == state


def test_yes_queues_the_plan_at_once(call: Caller) -> None:
    queued = call("plan", GOAL, "--yes", "--json").json

    assert queued["state"] == "executed"
    assert queued["goal"]["source"] == "rules"
    assert [task["key"] for task in queued["tasks"]] == [task["id"] for task in queued["plan"]["tasks"]]


def test_a_plan_is_queued_with_as_many_attempts_as_the_settings_say(call: Caller) -> None:
    queued = call("plan", GOAL, "--yes", "--json", ORCHESTRATE_MAX_ATTEMPTS="5").json

    assert {task["max_attempts"] for task in queued["tasks"]} == {5}


def test_a_plan_that_is_shown_again_is_the_plan_that_was_saved(call: Caller) -> None:
    saved = call("plan", GOAL, "--json").json

    again = call("plan-continue", saved["id"][:-1], "--json").json

    assert again["plan"] == saved["plan"]
    assert call("plan-continue", saved["id"], "--yes", "--json").json["state"] == "executed"


def test_a_plan_is_queued_once(call: Caller) -> None:
    id = call("plan", GOAL, "--json").json["id"]

    assert call("execute-plan", id, "--no-run", "--json").json["goal"]["state"] == "ready"
    for words in (["execute-plan", id, "--no-run"], ["execute-plan", id], ["plan-continue", id, "--yes"]):
        answer = call(*words)
        assert answer.code == 5
        assert "executed already" in answer.err


def test_a_plan_that_could_not_run_is_not_queued(call: Caller) -> None:
    id = call("plan", GOAL, "--json").json["id"]

    answer = call("execute-plan", id, PATH="/nonexistent")

    assert answer.code == 8
    assert call("plan-list", "--json").json["plans"][0]["state"] == "planning"


def test_unknown_and_ambiguous_plans_are_refused(call: Caller) -> None:
    ids = {call("plan", text, "--json").json["id"] for text in ("same words", "same words")}

    assert call("execute-plan", "nothing").code == 4
    ambiguous = call("plan-continue", "plan-same-words")
    assert ambiguous.code == 2
    assert all(id in ambiguous.err for id in ids)


def test_listing_plans_leaves_an_untouched_project_untouched(call: Caller) -> None:
    assert call("plan-list").code == 0
    assert not list(Path(call.environ["HOME"]).rglob("tasks.db"))
