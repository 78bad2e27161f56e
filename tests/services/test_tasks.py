"""The queue's promises, told through the app as every door uses it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.agent import AgentState
from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import Ambiguous, NotFound, RefusedByState, StaleLease
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.goal import GoalState
from agent_orchestrator.domain.ids import Token
from agent_orchestrator.domain.task import TaskState, Verdict
from steps import accept, claim, fail, land, planned


def state(app: App, attempt: Attempt) -> TaskState:
    return app.store.tasks.get(attempt.task).state


def test_a_task_goes_from_ready_to_done_and_releases_what_waited(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))
    assert tasks["b"].state is TaskState.BLOCKED
    first = claim(app)

    land(app, first)

    assert state(app, first) is TaskState.DONE
    assert app.store.tasks.get(tasks["b"].id).state is TaskState.READY
    assert app.store.attempts.get(first.id).outcome is Outcome.SUCCEEDED
    assert app.agents.resolve(first.agent).state is AgentState.ENDED
    kinds = [event.type for event in app.events.after(goal=goal.id)]
    assert kinds == ["goal.accepted", "task.claimed", "task.started", "task.handed_in", "task.done"]


def test_a_provider_that_only_stands_by_takes_no_task_that_did_not_ask_for_it(app: App) -> None:
    _, tasks = accept(app, planned("anybody"), planned("shown"))
    with app.store.transaction():
        app.store.tasks.save(tasks["shown"]._replace(provider="demo"), was=tasks["shown"])

    claimed = [app.tasks.claim(None, others=["demo"], run_dir=lambda *_: Path("/x")) for _ in range(2)]

    assert [one and (one[0].key, one[1].provider) for one in claimed] == [("shown", "demo"), None]


def test_a_failed_attempt_is_charged_and_tried_again_after_a_pause(app: App, clock: HandClock) -> None:
    accept(app, planned("a"))
    first = app.tasks.started(claim(app))

    after = app.tasks.ended(replace(first, feedback="test_x failed"), outcome=Outcome.REJECTED, reason="red")

    assert (after.state, after.attempts) == (TaskState.BLOCKED, 1)
    assert app.tasks.claim("claude", run_dir=lambda *_: Path("/x")) is None
    clock.advance(timedelta(seconds=10))
    assert app.tasks.release_due() == [after.id]
    second = claim(app)
    assert second.number == 2
    assert app.store.attempts.of_task(after.id)[0].feedback == "test_x failed"


def test_every_attempt_used_puts_the_task_to_the_dead_letter_with_its_reason(app: App, clock: HandClock) -> None:
    goal, _ = accept(app, planned("a"), planned("b", "a"))
    for number in range(3):
        clock.advance(timedelta(minutes=11))
        app.tasks.release_due()
        after = app.tasks.ended(claim(app), outcome=Outcome.FAILED, reason=f"reason {number}")

    assert (after.state, after.reason) == (TaskState.FAILED, "reason 2")
    over = app.goals.settle(goal.id)
    assert over is not None and over.state is GoalState.FAILED
    assert over.reason == "1 failed (a), 1 wait for them"


@pytest.mark.parametrize("outcome", [Outcome.LIMITED, Outcome.CANCELLED])
def test_a_limit_and_our_own_stop_cost_no_attempt(app: App, outcome: Outcome) -> None:
    accept(app, planned("a"))
    for _ in range(5):
        after = app.tasks.ended(claim(app), outcome=outcome, reason="not its fault")

    assert (after.state, after.attempts) == (TaskState.READY, 0)


def test_a_full_disk_costs_no_attempt_until_the_agent_may_be_what_fills_it(app: App) -> None:
    accept(app, planned("a"))
    charged = []
    for outcome in (*[Outcome.NO_ROOM] * 3, Outcome.CANCELLED, *[Outcome.NO_ROOM] * 4):
        charged.append(app.tasks.ended(claim(app), outcome=outcome, reason="the disk was full").attempts)

    assert charged == [0, 0, 0, 0, 0, 0, 0, 1]


def test_an_attempt_whose_task_was_given_to_another_can_write_nothing(app: App) -> None:
    accept(app, planned("a"))
    old = app.tasks.started(claim(app))
    app.tasks.ended(old, outcome=Outcome.CANCELLED, reason="stopped")
    new = app.tasks.started(claim(app))

    for write in (
        lambda: app.tasks.handed_in(old),
        lambda: app.tasks.finished(old, verdict=Verdict.VERIFIED, commit="x", evidence=Evidence()),
        lambda: app.tasks.ended(old, outcome=Outcome.FAILED, reason="late"),
    ):
        with pytest.raises(StaleLease, match="came too late"):
            write()

    assert state(app, new) is TaskState.RUNNING
    assert app.store.tasks.get(new.task).holder == new.agent


def test_nothing_is_done_that_was_not_verified_first(app: App) -> None:
    accept(app, planned("a"))
    attempt = app.tasks.started(claim(app))

    with pytest.raises(StaleLease):
        app.tasks.finished(attempt, verdict=Verdict.VERIFIED, commit="x", evidence=Evidence())

    assert state(app, attempt) is TaskState.RUNNING


def test_a_cancel_of_running_work_waits_for_its_agent(app: App) -> None:
    accept(app, planned("a"))
    attempt = app.tasks.started(claim(app))

    assert app.tasks.cancel(attempt.task).state is TaskState.RUNNING
    after = app.tasks.ended(attempt, outcome=Outcome.CANCELLED, reason="stopped")

    assert after.state is TaskState.CANCELLED


def test_a_retry_gives_new_attempts_and_carries_the_comment(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b"))
    land(app, claim(app))
    failed = fail(app, claim(app), outcome=Outcome.FAILED, reason="no")
    settled = app.goals.settle(goal.id)
    assert settled is not None
    app.goals.update(goal.id, state=GoalState.EXECUTING)
    app.goals.update(goal.id, state=GoalState.FAILED)

    again = app.tasks.retry(failed.id, comment="use the other library")

    assert (again.state, again.attempts) == (TaskState.READY, 0)
    assert app.store.goals.get(goal.id).state is GoalState.EXECUTING
    assert [message.body for message in app.messages.of_goal(goal.id, task=failed.id)] == ["use the other library"]
    done = next(task for task in tasks.values() if task.id != failed.id)
    with pytest.raises(RefusedByState, match="only failed or cancelled"):
        app.tasks.retry(done.id)


def test_tasks_are_named_by_id_key_or_an_unambiguous_start(app: App) -> None:
    _, tasks = accept(app, planned("write-parser"), planned("write-docs"))
    parser = tasks["write-parser"]

    assert app.tasks.resolve(parser.id).id == parser.id
    assert app.tasks.resolve("write-parser").id == parser.id
    assert app.tasks.resolve("write-p").id == parser.id
    with pytest.raises(Ambiguous, match="write-docs"):
        app.tasks.resolve("write")
    for nothing in ("", "nope", "%", "'; --"):
        with pytest.raises(NotFound):
            app.tasks.resolve(nothing)


def test_a_key_of_several_goals_means_the_newest(app: App) -> None:
    accept(app, planned("a"))
    _, newer = accept(app, planned("a"))

    assert app.tasks.resolve("a").id == newer["a"].id


def test_a_task_that_insists_on_nobody_is_not_taken_for_a_provider_nobody_chose(app: App) -> None:
    accept(app, planned("a"))

    assert app.tasks.claim(None, others=["codex"], run_dir=lambda *_: Path("/x")) is None


def test_a_landing_that_was_cut_short_is_begun_again_by_its_own_attempt_only(app: App) -> None:
    accept(app, planned("a"))
    attempt = app.tasks.started(claim(app))
    app.tasks.handed_in(attempt)
    app.tasks.landing(attempt, Evidence())

    app.tasks.landing(attempt, Evidence(notes=("after a crash",)))

    assert state(app, attempt) is TaskState.LANDING
    found = app.store.attempts.evidence(attempt.id)
    assert found is not None and found.notes == ("after a crash",)
    with pytest.raises(StaleLease):
        app.tasks.landing(replace(attempt, token=Token(attempt.token + 1)), Evidence())


def test_what_an_agent_said_it_did_is_kept_as_it_hands_in_and_not_of_one_that_came_too_late(app: App) -> None:
    accept(app, planned("a"))
    attempt = app.tasks.started(claim(app))

    with pytest.raises(StaleLease):
        app.tasks.handed_in(replace(attempt, token=Token(attempt.token + 1), summary="I was first"))
    assert app.store.tasks.get(attempt.task).summary == ""
    app.tasks.handed_in(replace(attempt, summary="It parses dates now"))

    assert app.store.tasks.get(attempt.task).summary == "It parses dates now"
    assert app.store.attempts.get(attempt.id).summary == "It parses dates now"


def test_an_answer_is_done_in_one_step_and_work_with_a_commit_only_after_its_landing(app: App) -> None:
    accept(app, planned("a"), planned("b", "a"))
    attempt = app.tasks.started(claim(app))
    with pytest.raises(StaleLease):
        app.tasks.finished(attempt, verdict=Verdict.UNVERIFIED, commit=None, evidence=Evidence())
    app.tasks.handed_in(attempt)

    with pytest.raises(StaleLease):
        app.tasks.finished(attempt, verdict=Verdict.VERIFIED, commit="abc", evidence=Evidence())
    assert state(app, attempt) is TaskState.VERIFYING
    app.tasks.finished(attempt, verdict=Verdict.UNVERIFIED, commit=None, evidence=Evidence(notes=("an answer",)))

    assert state(app, attempt) is TaskState.DONE
    found = app.store.attempts.evidence(attempt.id)
    assert found is not None and found.notes == ("an answer",)
    assert app.store.tasks.counts(attempt.goal)[TaskState.READY] == 1, "what waited for it may start"
    with pytest.raises(StaleLease):
        app.tasks.finished(attempt, verdict=Verdict.UNVERIFIED, commit=None, evidence=Evidence())


def test_where_an_attempt_will_work_is_known_before_it_starts(app: App) -> None:
    accept(app, planned("a"))
    attempt = replace(claim(app), workspace="/checkouts/a", base_commit="abc")

    app.tasks.prepared(attempt)

    known = app.store.attempts.get(attempt.id)
    assert (known.workspace, known.base_commit, state(app, attempt)) == ("/checkouts/a", "abc", TaskState.CLAIMED)
    with pytest.raises(StaleLease):
        app.tasks.prepared(replace(attempt, token=Token(attempt.token + 1)))
