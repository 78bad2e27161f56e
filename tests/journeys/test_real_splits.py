"""A task that real CLIs fail at twice, divided by the same CLI: proposed, agreed to, worked on in parts, paid for."""

from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.providers.tiers import OWN_CHOICE
from calling import Caller
from doubles.model_scripts import Answer, Turn, Usage, Write
from doubles.model_server import ModelServer
from schemas import wrong

from .real_places import project, wanted
from .test_real_agents import SUB_TEST, planned

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
Json = dict[str, Any]

GOAL = "Make the calculator complete"
PARTS = {
    "tasks": [planned("sub", "Add subtraction"), planned("neg", "Add negation", "sub")],
    "questions": [],
    "assumptions": [],
}
AT_FAULT = Write(path="sub.py", content="def sub(a, b):\n    return a + b\n")
RIGHT = Write(path="sub.py", content="def sub(a, b):\n    return a - b\n")
TEST = Write(path="test_sub.py", content=SUB_TEST)
NEG = Write(path="neg.py", content="def neg(a):\n    return -a\n")
WHOLE_CHECK = "python3 -m unittest && test -e neg.py"


@pytest.fixture(params=["claude", "codex"])
def cli(request: pytest.FixtureRequest) -> str:
    return wanted(request.param)


def script(server: ModelServer, question: Turn) -> None:
    """Let the planner answer with *question*, agents fail at the whole, and do its parts."""
    server.when("", [question, Turn(text="Divided.")], answering="tasks")
    server.when("(sub): Add subtraction", [Turn(text="Writing.", actions=(RIGHT, TEST)), Turn(text="It subtracts.")])
    server.when("(neg): Add negation", [Turn(text="Writing.", actions=(NEG,)), Turn(text="It negates.")])
    server.when("", [Turn(text="Writing.", actions=(AT_FAULT, TEST)), Turn(text="All of it is done.")])


def submit(here: Caller, *words: str) -> str:
    submitted = here("submit", GOAL, "--verify", WHOLE_CHECK, "--max-attempts", "2", "--json", *words)
    assert submitted.code == 0, submitted
    return str(submitted.json["goal"]["id"])


def tasks(here: Caller, goal: str) -> dict[str, Json]:
    return {one["title"]: one for one in here("report", goal, "--json").json["tasks"]}


def test_a_task_that_failed_twice_is_divided_by_the_cli_and_its_parts_land_once_agreed_to(
    tmp_path: Path, cli: str
) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        here.environ["ORCHESTRATE_REPLAN"] = "ask"
        script(server, Turn(actions=(Answer(value=PARTS),), usage=Usage(input_tokens=70_000, output_tokens=4_000)))
        goal = submit(here)

        first = here("run", "--json")

        assert first.code == 6, first.err
        assert wrong("run", first.json) == ""
        (whole,) = tasks(here, goal).values()
        assert [one["outcome"] for one in whole["attempts"]] == ["rejected", "rejected"]
        question = next(one for one in server.requests if "tried and failed at again and again" in one.prompt)
        assert "Ran 2 tests" in question.prompt, "it is told what the attempts showed"
        assert question.asked is not None and question.asked.model == OWN_CHOICE[cli], "what forecasts assume"
        (wished,) = here("plan-continue", goal, "--json").json["waiting"]
        assert (wished["kind"], [one["title"] for one in wished["tasks"]]) == (
            "split", ["Add subtraction", "Add negation"],
        )  # fmt: skip
        assert f"divided by {cli}" in wished["why"]
        (asked,) = first.json["goals"][0]["planners_asked"]
        assert (asked["planner"], asked["key"], asked["trouble"]) == (cli, whole["key"], None)
        assert asked["usage"]["input_tokens"] >= 70_000 and asked["usage"]["cost_usd"] > 0
        attempts = sum(one["usage"]["cost_usd"] for one in whole["attempts"])
        spent = first.json["goals"][0]["spend"]["cost_usd"]
        assert spent == pytest.approx(attempts + asked["usage"]["cost_usd"]), "what the goal spent has it in it"

        agreed = here("plan-continue", goal, "--agree", str(wished["number"]))
        second = here("run", "--json")

        assert (agreed.code, second.code) == (0, 0), (agreed, second.err)
        assert server.outside == ()
    found = tasks(here, goal)
    assert {title: one["state"] for title, one in found.items()} == {
        whole["title"]: "replaced", "Add subtraction": "done", "Add negation": "done",
    }  # fmt: skip
    assert found["Add negation"]["verify"] == WHOLE_CHECK and found["Add negation"]["verdict"] == "verified"
    (goal_now,) = second.json["goals"]
    assert (goal_now["state"], goal_now["delivery"]) == ("completed", "delivered")
    assert "return a - b" in (here.folder / "sub.py").read_text() and (here.folder / "neg.py").exists()
    assert len(here.git("log", "--format=%h", "main").splitlines()) == 3, "one commit a part, and the base"


def test_a_planner_that_spent_the_rest_of_the_budget_is_not_asked_a_second_time(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        empty = {"tasks": [], "questions": [], "assumptions": []}
        script(server, Turn(actions=(Answer(value=empty),), usage=Usage(input_tokens=980_000)))
        goal = submit(here, "--budget", "1M tokens")

        ran = here("run", "--json")

        assert ran.code == 6, ran.err
        asked = [one for one in server.requests if "tried and failed at again and again" in one.prompt]
    assert len([one for one in asked if "Your previous answer could not be used" in one.prompt]) == 0
    (whole,) = tasks(here, goal).values()
    assert whole["state"] == "failed"
    assert f"{cli}: not asked: of the goal's budget 98" in whole["reason"], whole["reason"]
