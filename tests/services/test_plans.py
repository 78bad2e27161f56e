"""Plans: saved, found again, queued once."""

from dataclasses import dataclass, replace

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import Ambiguous, BadInput, InvalidPlan, NotFound, RefusedByState
from agent_orchestrator.domain.plan import Finding, Plan, Severity
from agent_orchestrator.services.goals import Submission
from agent_orchestrator.services.plans import decompose
from steps import planned

PLAN = Plan(goal="Build it", source="rules", tasks=(planned("one"), planned("two", "one"))).with_phases()
SUBMISSION = Submission(text="Build it")


@dataclass(frozen=True)
class Planner:
    """Answers with a plan of its own, or falls back on the rules as a decomposer does."""

    source: str
    fails: bool = False

    def decompose(self, goal: str) -> Plan:
        notice = f"{self.source} is asleep; planned by rules" if self.fails else ""
        return replace(PLAN, source="rules" if self.fails else self.source, notice=notice)


def test_a_saved_plan_comes_back_as_it_was(app: App) -> None:
    saved = app.plans.save(PLAN)

    assert app.plans.resolve(saved.id).plan == PLAN
    assert saved.id.startswith("plan-build-it-")
    assert app.plans.recent()[0][:3] == (saved.id, "planning", "Build it")


def test_a_goal_without_a_latin_letter_still_gets_an_id_that_can_be_typed(app: App) -> None:
    id = app.plans.save(replace(PLAN, goal="登录页面")).id

    assert id.isascii() and len(id) == len("plan-") + 4


def test_a_plan_is_found_by_an_unambiguous_start(app: App, clock: HandClock) -> None:
    one, two = app.plans.save(PLAN).id, app.plans.save(replace(PLAN, goal="Other")).id

    assert app.plans.resolve(two[: len("plan-o")]).id == two
    assert app.plans.resolve("other").id == two
    with pytest.raises(Ambiguous, match=one):
        app.plans.resolve("plan-")
    for nothing in ("", "plan-x", one + "x"):
        with pytest.raises(NotFound):
            app.plans.resolve(nothing)


def test_a_plan_is_queued_once(app: App) -> None:
    id = app.plans.save(PLAN).id

    goal, tasks = app.plans.execute(id, SUBMISSION)

    assert [task.key for task in tasks] == ["one", "two"]
    assert (app.plans.resolve(id).state, app.plans.resolve(id).goal) == ("executed", goal.id)
    with pytest.raises(RefusedByState, match=goal.id):
        app.plans.execute(id, SUBMISSION)
    assert len(app.goals.recent()) == 1


def test_a_plan_that_cannot_be_queued_stays_as_it_was(app: App) -> None:
    cycle = app.plans.save(PLAN).id
    bad = Finding(rule="cycle", severity=Severity.ERROR, message="one waits for itself")
    wrong = app.plans.save(replace(PLAN, findings=(bad,))).id

    with pytest.raises(InvalidPlan, match="waits for itself"):
        app.plans.execute(wrong, SUBMISSION)
    with pytest.raises(BadInput):
        app.plans.execute(cycle, Submission(text=" "))

    assert {state for _, state, _, _ in app.plans.recent()} == {"planning"}
    assert app.goals.recent() == []


def test_the_first_model_that_plans_is_taken_and_the_sleepers_are_named() -> None:
    plan = decompose("Build it", [Planner("claude", fails=True), Planner("codex"), Planner("never asked")])

    assert plan.source == "codex"
    assert plan.notice == "claude is asleep; planned by rules"


def test_when_no_model_plans_the_rules_do_and_every_reason_is_told() -> None:
    plan = decompose("Build it", [Planner("claude", fails=True), Planner("codex", fails=True)])

    assert plan.source == "rules"
    assert "claude" in plan.notice and "codex" in plan.notice
