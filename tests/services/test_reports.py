"""What the one snapshot promises to every view drawn from it."""

import os
from dataclasses import replace
from datetime import timedelta

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.goal import Delivery, GoalState
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.services.alive import process_identity
from steps import accept, claim, land, planned


def supervise(app: App, *providers: str) -> None:
    """Begin a supervisor's term in this very process, which surely lives."""
    with app.store.transaction():
        options = {"providers": list(providers), "identity": process_identity(os.getpid())}
        app.store.leadership.begin(pid=os.getpid(), max_agents=3, options=options, now=app.clock.now())


def waits(app: App) -> dict[str, str]:
    return {task["key"]: task["waits_for"] for task in app.reports.snapshot()["waiting"]}


def test_what_waits_says_for_what(app: App) -> None:
    accept(app, planned("a"), planned("b", "a"))
    assert waits(app) == {"a": "a supervisor: orchestrate run", "b": "a (ready)"}

    supervise(app, "claude")

    assert waits(app)["a"] == "a free agent"


def test_a_hold_is_named_only_when_no_other_provider_can_do_the_work(app: App) -> None:
    accept(app, planned("a"))
    supervise(app, "claude", "codex")

    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=None, reason="limit")
    assert waits(app)["a"] == "a free agent"

    app.holds.start("codex", HoldKind.USAGE_LIMIT, until=None, reason="limit")
    assert waits(app)["a"] == "claude, codex (on hold)"


def test_a_pause_after_a_failure_says_so(app: App) -> None:
    accept(app, planned("a"))
    app.tasks.ended(claim(app), outcome=Outcome.REJECTED, reason="red")

    assert waits(app)["a"] == "the pause after a failure (red)"


def test_a_supervisor_that_died_is_not_said_to_run(app: App) -> None:
    supervise(app)
    assert app.reports.snapshot()["supervisor"]["running"]

    with app.store.transaction():
        app.store.leadership.begin(
            pid=os.getpid(), max_agents=3, options={"identity": "other boot/1"}, now=app.clock.now()
        )

    assert not app.reports.snapshot()["supervisor"]["running"]


def test_phases_list_their_tasks_with_state_and_verdict(app: App) -> None:
    accept(app, planned("a"), planned("b"), planned("c", "a"))
    land(app, claim(app))

    first, second = app.reports.snapshot()["goals"][0]["phases"]

    assert first["counts"] == {"done": 1, "ready": 1}
    assert {task["verdict"] for task in first["tasks"]} == {"verified", None}
    assert [task["key"] for task in second["tasks"]] == ["c"]


def test_an_ended_hold_is_not_shown(app: App, clock: HandClock) -> None:
    app.holds.start("claude", HoldKind.OVERLOADED, until=None, reason="busy")
    assert len(app.reports.snapshot()["holds"]) == 1

    clock.advance(timedelta(hours=1))

    assert app.reports.snapshot()["holds"] == []


def test_a_goal_names_what_needs_a_person_and_the_command(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    failed = app.tasks.ended(claim(app), outcome=Outcome.CONFLICT, reason="clash", final=True)
    app.goals.update(goal.id, state=GoalState.EXECUTING, result_branch="orchestrate/x/result")
    ended = app.goals.update(goal.id, state=GoalState.FAILED, delivery=Delivery.WAITING, delivery_note="main moved")

    first, second = app.reports.goal(ended)["needs_you"]

    assert (first["why"], first["command"]) == ("clash", f"orchestrate retry {failed.id}")
    assert (second["why"], second["command"]) == ("main moved", "git merge orchestrate/x/result")


def test_open_work_without_a_supervisor_and_a_refused_login_need_a_person(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    app.holds.start("claude", HoldKind.LOGIN, until=None, reason="401")

    assert [one["what"] for one in app.reports.goal(goal)["needs_you"]] == ["login", "not_running"]

    supervise(app, "claude")
    app.holds.end("claude")
    assert app.reports.goal(goal)["needs_you"] == []


def test_a_red_base_is_part_of_the_goal(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    assert app.reports.goal(goal)["base"] is None

    with app.store.transaction():
        app.events.record("base.checked", goal=goal, result="failed", command="pytest", failures=["test_x"])

    base = app.reports.goal(goal)["base"]
    assert (base["red"], base["command"], base["failures"]) == (True, "pytest", ["test_x"])


def test_an_attempt_is_live_until_its_agent_has_ended(app: App) -> None:
    accept(app, planned("a"))
    attempt = app.tasks.started(claim(app))
    assert app.reports.is_live(attempt.id)

    app.tasks.handed_in(replace(attempt))

    assert not app.reports.is_live(attempt.id)
