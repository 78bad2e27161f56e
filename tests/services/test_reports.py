"""What the one snapshot promises to every view drawn from it."""

import os
import re
from dataclasses import replace
from datetime import timedelta, timezone

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.goal import Delivery, GoalState
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.services.alive import process_identity
from agent_orchestrator.services.goals import Submission
from agent_orchestrator.services.json_values import usage_json, usages_summed
from steps import accept, claim, fail, land, planned


def supervise(app: App, *providers: str, **more: object) -> None:
    """Begin a supervisor's term in this very process, which surely lives."""
    with app.store.transaction():
        options = {"providers": list(providers), "identity": process_identity(os.getpid()), **more}
        app.store.leadership.begin(pid=os.getpid(), max_agents=3, options=options, now=app.clock.now())


def spend(app: App, micro_usd: int) -> None:
    """Let one attempt at the first task have cost that much."""
    attempt = app.tasks.started(claim(app))
    fail(app, replace(attempt, usage=Usage(cost_micro_usd=micro_usd)), outcome=Outcome.REJECTED, reason="red")


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
    assert re.fullmatch(
        r"claude until \d\d:\d\d \(usage limit\) or codex until \d\d:\d\d \(usage limit\)", waits(app)["a"]
    )


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
    failed = fail(app, claim(app), outcome=Outcome.CONFLICT, reason="clash")
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


def test_open_work_without_a_supervisor_says_which_limit_it_would_wait_for(app: App, clock: HandClock) -> None:
    goal, _ = accept(app, planned("a"))
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=clock.now() + timedelta(hours=2), reason="limit")

    (needed,) = app.reports.goal(goal)["needs_you"]

    assert needed["what"] == "not_running"
    assert "; waiting for claude until " in needed["why"] and "(usage limit)" in needed["why"]


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


def test_a_goal_whose_budget_is_used_up_says_so_and_shows_the_budget(app: App) -> None:
    plan = Plan(goal="Build it", source="rules", tasks=(planned("a"), planned("b")))
    app.goals.accept(plan, Submission(text="Build it", budget=Budget(limit_micro_usd=2_000_000)))
    supervise(app, "claude")
    assert waits(app)["b"] == "a free agent"

    spend(app, 1_800_000)

    found = app.reports.snapshot()
    assert (found["goals"][0]["budget_usd"], found["goals"][0]["spend"]["cost_usd"]) == (2.0, 1.8)
    assert waits(app)["b"].startswith("its goal's budget: $1.80 of $2.00 is spent")


def test_what_a_dead_run_left_at_work_is_taken_up_before_a_goal_is_said_to_lack_budget(app: App) -> None:
    plan = Plan(goal="Build it", source="rules", tasks=(planned("a"), planned("b")))
    app.goals.accept(plan, Submission(text="Build it", budget=Budget(limit_micro_usd=600_000)))

    app.tasks.started(claim(app))

    assert waits(app)["b"] == "a supervisor: orchestrate run"


def test_a_run_that_is_near_its_budget_says_so_and_how_much_it_spent(app: App) -> None:
    accept(app, planned("a"), planned("b"))
    supervise(app, "claude", budget_micro_usd=1_000_000)
    spend(app, 700_000)

    supervisor = app.reports.snapshot()["supervisor"]

    assert (supervisor["budget_usd"], supervisor["spent_usd"]) == (1.0, 0.7)
    assert waits(app)["b"].startswith("the run's budget: $0.70 of $1.00 is spent")


def test_a_run_past_its_deadline_stopping_or_on_another_goal_says_why_nothing_starts(
    app: App, clock: HandClock
) -> None:
    goal, _ = accept(app, planned("a"))
    supervise(app, "claude", until=(clock.now() + timedelta(hours=1)).isoformat())
    assert waits(app)["a"] == "a free agent"
    clock.advance(timedelta(hours=2))
    assert waits(app)["a"] == "the next run: this one is past its deadline"

    supervise(app, "claude", goal="gother")
    assert waits(app)["a"] == "another run: this one works on gother only"

    supervise(app, "claude", goal=goal.id)
    assert waits(app)["a"] == "a free agent"
    app.supervision.stop()
    assert waits(app)["a"] == "the next run: this one is stopping"


def test_a_deadline_given_in_another_zone_is_told_in_utc(app: App, clock: HandClock) -> None:
    accept(app, planned("a"))
    dubai = timezone(timedelta(hours=4))
    supervise(app, "claude", until=(clock.now() + timedelta(hours=1)).astimezone(dubai).isoformat())

    assert app.reports.snapshot()["supervisor"]["until"] == "2026-01-01T01:00:00Z"
    clock.advance(timedelta(hours=1))
    assert waits(app)["a"] == "the next run: this one is past its deadline"


def test_goals_stand_in_the_order_in_which_they_are_worked_on_however_many_there_are(
    app: App, clock: HandClock
) -> None:
    for number in range(201):
        accept(app, planned(f"t{number}"), text=f"Goal {number}")
        clock.advance(timedelta(seconds=1))
    plan = Plan(goal="Urgent", source="single", tasks=(planned("urgent"),))
    app.goals.accept(plan, Submission(text="Urgent", priority=10))
    supervise(app, "claude")

    titles = [goal["title"] for goal in app.reports.snapshot()["goals"]]

    assert titles[:3] == ["Urgent", "Goal 0", "Goal 1"]
    assert [goal.title for goal in app.goals.open()][:2] == ["Urgent", "Goal 0"]
    assert waits(app)["urgent"] == waits(app)["t18"] == "a free agent"
    assert waits(app)["t19"] == "an earlier goal"


def test_a_report_names_the_other_goals_of_the_last_day_and_which_need_a_person(app: App, clock: HandClock) -> None:
    old, _ = accept(app, planned("a"), text="Old")
    app.goals.update(old.id, state=GoalState.FAILED, ended_at=clock.now())
    clock.advance(timedelta(days=2))
    failed, _ = accept(app, planned("b"), text="Failed")
    fail(app, claim(app), outcome=Outcome.CONFLICT, reason="clash")
    fail(app, claim(app), outcome=Outcome.CONFLICT, reason="clash")
    app.goals.update(failed.id, state=GoalState.FAILED, ended_at=clock.now())
    clock.advance(timedelta(seconds=1))
    still, _ = accept(app, planned("c"), text="Still open")
    newest, _ = accept(app, planned("d"), text="Newest")

    others = [(one["id"], one["needs_you"]) for one in app.reports.others(newest)]
    assert others == [(failed.id, True), (still.id, False)]


def test_a_sum_in_which_somebody_named_no_cost_is_told_as_a_part() -> None:
    named, unnamed = usage_json(Usage(cost_micro_usd=250_000, output_tokens=7)), usage_json(Usage(output_tokens=3))

    assert usages_summed([named, unnamed]) == {**named, "cost_is_partial": True, "output_tokens": 10}
    assert usages_summed([named, named]) == {**named, "cost_usd": 0.5, "output_tokens": 14}
    assert usages_summed([unnamed])["cost_usd"] is None
