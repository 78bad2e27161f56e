"""The Python API: what it is called, that it does a whole goal, and that its pages' programs run."""

import json
import os
import re
import subprocess
import sys
import threading
from importlib import resources
from pathlib import Path

import pytest

import agent_orchestrator
from agent_orchestrator.app import App, build
from agent_orchestrator.domain.errors import NothingToDo, RefusedByState
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState
from agent_orchestrator.domain.task import Task

DOCS = Path(__file__).resolve().parent.parent / "docs"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", (DOCS / "python-api.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def demo(tmp_path: Path) -> App:
    """A repository with one commit, where scripted demo agents work without pauses."""
    folder = tmp_path / "project"
    folder.mkdir()
    app = build(folder, environ={**os.environ}, flags={"provider": "demo", "planner": "rules", "demo_pace": "0"})
    app.begin_repository()
    return app


def test_the_public_names_are_these_and_each_can_be_imported() -> None:
    assert sorted(agent_orchestrator.__all__) == [
        "AgentSpawner", "App", "ContextManager", "InteractivePlanner", "TaskDecomposer", "TaskQueue", "build",
    ]  # fmt: skip
    for name in agent_orchestrator.__all__:
        assert getattr(agent_orchestrator, name).__name__ == name
    with pytest.raises(AttributeError, match="Apps"):
        agent_orchestrator.Apps  # noqa: B018
    assert (resources.files("agent_orchestrator") / "py.typed").is_file()


def test_importing_the_package_imports_nothing_heavy_and_opening_a_project_little() -> None:
    program = (
        "import json, sys, tempfile\n"
        "import agent_orchestrator\n"
        "first = [name for name in sys.modules if name.startswith('agent_orchestrator.')]\n"
        "app = agent_orchestrator.build(tempfile.mkdtemp(), create=False)\n"
        "app.reports.snapshot()\n"
        "print(json.dumps([first, sorted({name.split('.')[0] for name in sys.modules})]))\n"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=120, check=True)

    first, later = json.loads(ran.stdout)
    assert first == []
    assert {"click", "anthropic", "rich", "pydantic", "asyncio", "prompt_toolkit"} & set(later) == set()


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_every_program_of_the_page_runs(number: int, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", PROGRAMS[number]],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert ran.returncode == 0, ran.stderr
    if number == 0:
        assert "True completed unverified" in ran.stdout


def test_every_call_that_the_page_names_exists(demo: App) -> None:
    calls = set(re.findall(r"`(?:[^`]*?\()?app\.([a-z_.]+)\(", (DOCS / "python-api.md").read_text()))

    assert len(calls) > 15
    for call in calls:
        found: object = demo
        for name in call.split("."):
            found = getattr(found, name)
        assert callable(found), call


def test_a_program_can_do_what_a_person_does_with_a_goal(demo: App) -> None:
    accepted = demo.submit("Describe the project", verify="true", agent="generalist")
    after = demo.submit("And translate it", depends_on=(accepted.tasks[0].id,))
    assert after.goal.id == accepted.goal.id

    ran = demo.run(max_agents=2)

    assert ran.ok and [goal.id for goal in ran.goals] == [accepted.goal.id]
    assert ran.goals[0].delivery is Delivery.DELIVERED
    assert demo.reports.snapshot()["counts"]["done"] == 2
    assert demo.reports.task(accepted.tasks[0].id)["state"] == "done"
    assert demo.undo("last").delivery is Delivery.UNDONE
    with pytest.raises(RefusedByState):
        demo.undo("last")
    with pytest.raises(NothingToDo):
        demo.run()


def test_a_plan_is_looked_at_saved_and_queued_and_a_goal_cancelled(demo: App) -> None:
    from agent_orchestrator.services.goals import Submission

    plan = demo.decompose("Build a REST API with login, tests and documentation")
    saved = demo.plans.save(plan)
    goal, tasks = demo.plans.execute(saved.id, Submission(text=plan.goal))
    assert len(tasks) == len(plan.tasks) > 1

    task = demo.cancel(tasks[0].id)
    assert isinstance(task, Task)
    assert demo.tasks.retry(task.id).id == task.id
    cancelled = demo.cancel(goal.id)
    assert isinstance(cancelled, Goal) and cancelled.state is GoalState.CANCELLED


def test_a_run_in_a_thread_ends_when_it_is_asked_to_stop(demo: App) -> None:
    from calling import wait_for

    results: list[object] = []

    def run() -> None:
        results.append(demo.run(watch=True))
        demo.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: demo.supervision.current() is not None)
    demo.supervision.stop()
    thread.join(timeout=120)

    assert not thread.is_alive()
    assert [getattr(one, "stopped_by", None) for one in results] == ["user"]
