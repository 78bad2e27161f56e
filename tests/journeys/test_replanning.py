"""Plans that change while they are worked on: agents that report more work, tasks that are split, people who agree."""

import json
from typing import Any

from calling import Caller

from .conftest import Begin, job

Json = dict[str, Any]
CHILD = "The agent of"
"""Stands in the prompt of a task that an agent reported."""


def reporting(name: str, *tasks: Json, why: str = "The goal needs it.", steps: str = "", child: str = "") -> str:
    """Return a goal whose agent reports *tasks* by the command; the agents of those do *child*."""
    report = json.dumps({"why": why, "tasks": list(tasks)})
    lines = [
        f"unless_prompt_contains {CHILD}: sh \"$ORCHESTRATE_CLI\" context more '{report}'",
        *(f"unless_prompt_contains {CHILD}: {line}" for line in (steps or "write first.txt one").splitlines()),
        *(f"if_prompt_contains {CHILD}: {line}" for line in (child or "append more.txt two").splitlines()),
    ]
    return job(name, "\n".join(lines))


def task(title: str, **more: Any) -> Json:
    return {"title": title, "description": f"{title}, as the goal needs it.", **more}


def goal_of(project: Caller, text: str, *words: str) -> str:
    submitted = project("submit", "--json", *words, "--", text)
    assert submitted.code == 0, submitted
    return str(submitted.json["goal"]["id"])


def events(project: Caller, goal: str, *types: str) -> list[Json]:
    listed = [json.loads(line) for line in project("events", "--json", "-n", "1000", "--goal", goal).out.splitlines()]
    return [one for one in listed if one["type"] in types]


def test_a_reported_task_is_added_after_its_reporter_and_done_in_the_same_run(begin: Begin) -> None:
    project = begin()
    goal = goal_of(project, reporting("parser", task("Describe the format", acceptance=["README names it"])))

    ran = project("run", "--json")

    assert ran.code == 0, ran
    report = project("report", goal, "--json").json
    assert [(one["title"], one["state"]) for one in report["tasks"]] == [
        ("parser", "done"), ("Describe the format", "done"),
    ]  # fmt: skip
    assert report["tasks"][1]["depends_on"] == [report["tasks"][0]["key"]]
    assert (project.folder / "more.txt").read_text() == "two\n", "the addition is delivered with the rest"
    assert len(events(project, goal, "task.added")) == 1
