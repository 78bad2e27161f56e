"""A night's whole load: a goal of two hundred tasks, and texts of a megabyte."""

from pathlib import Path

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission
from calling import wait_for
from journeys.conftest import Begin

pytestmark = pytest.mark.timeout(300)

MEGABYTE = 1_000_000


def step(number: int) -> PlannedTask:
    """Three tasks wait for one."""
    id = f"t{number}"
    return PlannedTask(
        id=id,
        title=f"Write file {number}",
        description="",
        agent_type="generalist",
        depends_on=(f"t{(number - 1) // 3}",) if number else (),
    )


def test_a_goal_of_two_hundred_tasks_lands_each_once_in_an_order_that_its_dependencies_allow(
    begin: Begin, tmp_path: Path
) -> None:
    project = begin()
    agent = tmp_path / "agent.sh"  # a quick one: two hundred starts of Python would be what is measured here
    number = "sed -n 's/.*Write file \\([0-9]*\\).*/\\1/p' | head -1"
    agent.write_text(f"#!/bin/sh\nmkdir -p files && {number} > files/$ORCHESTRATE_TASK\n")
    agent.chmod(0o755)
    project.environ["ORCHESTRATE_GENERIC_COMMAND"] = str(agent)
    app = build(project.folder, environ=project.environ)
    plan = Plan(goal="Write two hundred files", source="file", tasks=tuple(map(step, range(200))))
    app.goals.accept(plan, Submission(text=plan.goal))
    app.close()

    project("run", "--max-agents", "20", "--detach")
    wait_for(lambda: not project("status", "--json").json["supervisor"]["running"], timeout_s=240)

    assert project("report", "--json").json["delivery"] == "delivered"
    written = [file.read_text().strip() for file in (project.folder / "files").iterdir()]
    assert sorted(written, key=int) == [str(number) for number in range(200)]
    order = project.git("log", "--reverse", "--format=%s", "main").splitlines()[1:]
    place = {title: at for at, title in enumerate(order)}
    assert len(order) == len(place) == 200
    assert all(place[f"Write file {n}"] > place[f"Write file {(n - 1) // 3}"] for n in range(1, 200))


def test_an_agent_gets_a_prompt_of_a_megabyte(begin: Begin) -> None:
    project = begin()
    words = "w" * MEGABYTE
    app = build(project.folder, environ=project.environ)
    one = PlannedTask(
        id="one", title="Write", description=f"```script\nwrite a.txt a\n```\n{words}", agent_type="generalist"
    )
    app.goals.accept(Plan(goal="Write", source="file", tasks=(one,)), Submission(text="Write"))
    app.close()

    ran = project("run", "--json")

    assert ran.code == 0, ran.err
    (attempt,) = ran.json["goals"][0]["tasks"][0]["attempts"]

    assert words in (Path(attempt["run_dir"]) / "prompt.txt").read_text()
    assert attempt["outcome"] == "succeeded"
