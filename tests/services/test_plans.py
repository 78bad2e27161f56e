"""Plans: saved, found again, queued once."""

from dataclasses import dataclass, replace

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import Ambiguous, BadInput, InvalidPlan, NotFound, RefusedByState
from agent_orchestrator.domain.plan import Finding, Plan, Question, Severity
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


def test_every_version_is_kept_and_a_change_that_comes_late_is_refused_and_changes_nothing(app: App) -> None:
    saved = app.plans.save(PLAN)
    more = replace(PLAN, assumptions=("Python.",))

    changed = app.plans.change(saved.id, more, after=1, what="assume Python.")

    assert (changed.version, app.plans.resolve(saved.id).plan.assumptions) == (2, ("Python.",))
    with pytest.raises(RefusedByState, match="was changed elsewhere: it is at version 2, and this is about 1"):
        app.plans.change(saved.id, replace(PLAN, assumptions=("Go.",)), after=1, what="late")
    assert [(one.version, one.what, one.plan.assumptions) for one in app.plans.versions(saved.id)] == [
        (1, "planned", ()),
        (2, "assume Python.", ("Python.",)),
    ]


def test_an_approval_is_of_one_plan_and_ends_with_the_next_change(app: App) -> None:
    saved = app.plans.save(PLAN)
    approved = app.plans.approve(saved.id, saved.fingerprint)
    assert (approved.state, app.plans.resolve(saved.id).approved) == ("approved", saved.fingerprint)

    app.plans.change(saved.id, replace(PLAN, assumptions=("x",)), after=1, what="assume x")

    now = app.plans.resolve(saved.id)
    assert (now.state, now.approved) == ("planning", None)
    with pytest.raises(RefusedByState, match="not the plan that was agreed to"):
        app.plans.approve(saved.id, saved.fingerprint)


def test_only_the_plan_that_was_meant_is_queued(app: App) -> None:
    saved = app.plans.save(PLAN)

    for other in ("0" * 64, saved.fingerprint[:4], ""):
        with pytest.raises(RefusedByState, match="not the plan"):
            app.plans.execute(saved.id, SUBMISSION, fingerprint=other)
    assert app.goals.recent() == []

    app.plans.execute(saved.id, SUBMISSION, fingerprint=saved.fingerprint[:12])
    assert len(app.goals.recent()) == 1


def test_an_approved_document_that_somebody_changed_behind_our_back_is_not_queued(app: App) -> None:
    saved = app.plans.save(PLAN)
    app.plans.approve(saved.id, saved.fingerprint)
    with app.store.transaction():
        app.store.plans.approve(saved.id, "f" * 64, now=app.clock.now())

    with pytest.raises(RefusedByState, match="not the plan that was agreed to"):
        app.plans.execute(saved.id, SUBMISSION)


def test_what_was_decided_is_told_to_the_tasks_that_are_queued(app: App) -> None:
    asked = Question(text="Which database?", default="SQLite.", tasks=("two",), answer="PostgreSQL")
    id = app.plans.save(replace(PLAN, questions=(asked,), assumptions=("Python.",))).id

    _, tasks = app.plans.execute(id, SUBMISSION)

    one, two = tasks
    assert "Python." in one.description and "PostgreSQL" not in one.description
    assert "The user decided:\n- Which database? PostgreSQL" in two.description


def test_a_plan_that_was_queued_is_not_changed_approved_renamed_or_removed(app: App) -> None:
    saved = app.plans.save(PLAN)
    app.plans.execute(saved.id, SUBMISSION)

    for change in (
        lambda: app.plans.change(saved.id, PLAN, after=1, what="x"),
        lambda: app.plans.approve(saved.id, saved.fingerprint),
        lambda: app.plans.rename(saved.id, "mine"),
        lambda: app.plans.remove(saved.id),
    ):
        with pytest.raises(RefusedByState, match="executed already"):
            change()


def test_a_plan_gets_a_name_later_and_keeps_its_versions_and_its_talk(app: App) -> None:
    id = app.plans.save(PLAN).id
    app.plans.save(PLAN, name="taken")
    app.plans.say(id, "you", "why?")

    app.plans.rename(id, "mine")

    assert app.plans.said("mine") == [("you", "why?")]
    assert len(app.plans.versions("mine")) == 1
    with pytest.raises(RefusedByState, match="a plan taken already"):
        app.plans.rename("mine", "taken")
    with pytest.raises(BadInput):
        app.plans.rename("mine", "a b")


def test_the_first_model_that_plans_is_taken_and_the_sleepers_are_named() -> None:
    plan = decompose("Build it", [Planner("claude", fails=True), Planner("codex"), Planner("never asked")])

    assert plan.source == "codex"
    assert plan.notice == "claude is asleep; planned by rules"


def test_when_no_model_plans_the_rules_do_and_every_reason_is_told() -> None:
    plan = decompose("Build it", [Planner("claude", fails=True), Planner("codex", fails=True)])

    assert plan.source == "rules"
    assert "claude" in plan.notice and "codex" in plan.notice
