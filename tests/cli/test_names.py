"""What a person may type for a goal, a task and a plan, and what they are told when it names nothing."""

from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.cli import reports as status_view
from agent_orchestrator.domain.task import TaskState
from agent_orchestrator.services import waiting
from calling import Caller
from looking import orchestrate
from steps import accept, planned

GOAL = "Build a customer churn prediction system"


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "project", ORCHESTRATE_PLANNER="rules")


def test_a_plan_has_the_name_that_its_user_gives_it_wherever_a_plan_or_its_goal_is_named(call: Caller) -> None:
    saved = call("plan", GOAL, "--name", "ml-project-001", "--json").json

    assert saved["id"] == "ml-project-001"
    assert call("plan-continue", "ml-pro", "--json").json["id"] == "ml-project-001"
    assert call("plan-continue", "last", "--json").json["id"] == "ml-project-001"
    goal = call("execute-plan", "ml-project-001", "--no-run", "--json").json["goal"]["id"]
    assert call("report", "ml-project-001", "--json").json["id"] == goal


@pytest.mark.parametrize("name", ["", "last", "-x", "a b", "../x", "x" * 65])
def test_what_cannot_be_a_name_is_refused_before_anything_is_planned(call: Caller, name: str) -> None:
    answer = call("plan", GOAL, f"--name={name}", "--planner", "claude", PATH="/nonexistent")

    assert (answer.code, "cannot be a plan's name" in answer.err) == (2, True)
    assert call("plan-list", "--json").json["plans"] == []


def test_a_name_is_given_once(call: Caller) -> None:
    call("plan", GOAL, "--name", "mine")

    again = call("plan", "Something else", "--name", "mine")

    assert (again.code, "choose another name" in again.err) == (5, True)
    assert len(call("plan-list", "--json").json["plans"]) == 1


def test_a_plan_that_is_not_there_is_answered_with_the_one_that_may_be_meant(call: Caller) -> None:
    assert "orchestrate plan" in call("execute-plan", "ml-project-001").err
    id = call("plan", GOAL, "--json").json["id"]

    near, far = call("execute-plan", "churn-prediction"), call("execute-plan", "dashboard")

    assert (near.code, f"did you mean {id}?" in near.err) == (4, True)
    assert (far.code, f"the last one is {id}" in far.err) == (4, True)
    assert call("plan-list", "--json").json["plans"][0]["state"] == "planning"


def test_a_task_is_looked_at_by_words_of_its_title_and_changed_by_its_name_only(here: App) -> None:
    text = "URGENT: Fix memory leak in payment processing service"
    plan = here.decomposer(None, profiled=False).single(text, agent_type=None, verify=None)
    _, tasks = accept(here, *plan.tasks, text=text)
    id = next(iter(tasks.values())).id

    looked, changed = orchestrate("task", "payment-leak-fix"), orchestrate("retry", "payment-leak-fix")

    assert (looked.code, looked.out.split()[0]) == (0, id)
    assert (changed.code, f"did you mean {id}" in changed.err) == (4, True)
    assert orchestrate("task", "payment-leak-fixes").code == 4


def test_words_that_fit_several_tasks_are_not_guessed_at(here: App) -> None:
    accept(here, planned("fix-login-form"), planned("fix-login-page"))

    said = orchestrate("task", "login-fix")

    assert said.code == 2 and "fix-login-form" in said.err and "fix-login-page" in said.err


def test_a_goal_is_looked_at_by_words_of_its_title_and_changed_by_its_name_only(here: App) -> None:
    goal, _ = accept(here, planned("a"), text="Implement the admin dashboard")

    assert goal.id in orchestrate("report", "dashboard-admin").out
    said = orchestrate("undo", "dashboard-admin")
    assert said.code == 4 and f"did you mean {goal.id}" in said.err


def test_the_short_options_of_other_systems_work(call: Caller) -> None:
    queued = call("submit", "Fix it", "-a", "backend-systems-engineer", "-p", "high", "-c", '{"a": 1}', "--json").json

    task = queued["tasks"][0]
    assert (task["specialist"], task["priority"]) == ("backend-systems-engineer", 10)
    assert call("submit", "Build a REST API", "-d", "--dry-run", "--json").json["plan"]["source"] == "rules"


@pytest.mark.parametrize(
    "name",
    [
        *("data-pipeline-engineer", "backend-systems-engineer", "frontend-ui-engineer", "data-science-analyst"),
        *("aws-cloud-architect", "ml-systems-architect", "project-delivery-manager", "data-architect-governance"),
        *("llm-architect", "specifications-engineer"),
    ],
)
def test_every_specialist_of_the_systems_we_follow_takes_a_task(here: App, name: str) -> None:
    said = orchestrate("submit", "Do it", "--agent", name, "--json")

    assert said.code == 0, said.err
    assert here.store.tasks.in_states([TaskState.READY])[0].specialist == name


def test_a_verb_of_another_system_gets_a_hint(call: Caller) -> None:
    answer = call("agents", "types")

    assert (answer.code, "orchestrate specialists" in answer.err) == (2, True)


def test_a_demo_that_has_no_place_says_so(call: Caller) -> None:
    (call.folder / "file").touch()

    answer = call("demo", "--keep", "file")

    assert (answer.code, "cannot make" in answer.err, "may write to" in answer.err) == (8, True, True)


def test_a_refusal_of_the_system_that_nobody_expected_is_told_in_a_line(here: App, tmp_path: Path) -> None:
    accept(here, planned("a"))
    claimed = here.tasks.claim("claude", run_dir=lambda task, number: tmp_path / "run")
    assert claimed is not None
    (tmp_path / "run" / "stdout.log").mkdir(parents=True)

    said = orchestrate("logs", "a", "--raw")

    assert (said.code, said.out) == (8, "")
    assert said.err.startswith(f"orchestrate: the system refused {tmp_path}/run/stdout.log: Is a directory\n")
    assert "orchestrate doctor" in said.err


def test_the_views_agree_on_how_much_is_listed() -> None:
    from agent_orchestrator.runtime import open_goals

    assert open_goals.OPEN_AT_ONCE == waiting.GOALS_AT_ONCE
    assert status_view.WAITING_SHOWN == waiting.WAITING_SHOWN
