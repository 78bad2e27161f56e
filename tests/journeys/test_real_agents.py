"""Whole goals with the real ``claude`` and the real ``codex``, against a model server on loopback."""

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calling import wait_for
from doubles.model_scripts import Answer, Failure, Shell, Turn, Usage, Write
from doubles.model_server import ModelServer

from .real_places import project, wanted

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SUB_TEST = (
    "import unittest\nfrom sub import sub\n\n\n"
    "class Sub(unittest.TestCase):\n    def test_sub(self):\n        self.assertEqual(sub(3, 2), 1)\n"
)
AGAIN = "evidence from the last attempt"


def planned(id: str, title: str, *needs: str) -> dict[str, object]:
    return {
        "id": id, "title": title, "description": f"{title}.", "agent_type": "backend-systems-engineer",
        "depends_on": list(needs), "tier": "standard", "size": "S",
        "owns": ["notes.txt"] if id == "docs" else [f"{id}.py", f"test_{id}.py"], "acceptance": ["it is there"],
        "verify": None, "expects_change": True,
    }  # fmt: skip


PLAN = {
    "tasks": [
        planned("sub", "Add subtraction"),
        planned("mul", "Add multiplication"),
        planned("neg", "Add negation"),
        planned("docs", "Write the notes", "sub", "mul", "neg"),
    ],
    "questions": [],
    "assumptions": [],
}


@pytest.fixture(params=["claude", "codex"])
def cli(request: pytest.FixtureRequest) -> str:
    return wanted(request.param)


def test_a_goal_is_planned_worked_on_in_parallel_mended_verified_and_delivered(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        server.when("", [Turn(actions=(Answer(value=PLAN),)), Turn(text="Planned.")], answering="tasks")
        wrong = Write(path="sub.py", content="def sub(a, b):\n    return a + b\n")
        right = Write(path="sub.py", content="def sub(a, b):\n    return a - b\n")
        mended = [Turn(text="I see.", actions=(right,)), Turn(text="It subtracts now.")]
        server.when(lambda text: "(sub): Add subtraction" in text and AGAIN in text, mended)
        test = Write(path="test_sub.py", content=SUB_TEST)
        server.when("(sub): Add subtraction", [Turn(text="Writing.", actions=(wrong, test)), Turn(text="Done.")])
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        server.when("(mul): Add multiplication", [Turn(text="Writing.", actions=(mul,)), Turn(text="Done.")])
        neg = Write(path="neg.py", content="def neg(a):\n    return -a\n")
        server.when("(neg): Add negation", [Turn(text="Writing.", actions=(neg,)), Turn(text="Done.")])
        notes = Write(path="notes.txt", content="All four.\n")
        server.when("(docs): Write the notes", [Turn(text="Writing.", actions=(notes,)), Turn(text="Done.")])

        submitted = here("submit", "Make the calculator complete", "-d", "--json")
        assert submitted.code == 0, submitted.err
        assert submitted.json["plan"]["source"] == cli
        ran = here("run", "--max-agents", "3", "--json")

        assert ran.code == 0, ran.err
        goal = ran.json["goals"][0]
        assert (goal["state"], goal["verdict"], goal["delivery"]) == ("completed", "verified", "delivered")
        assert server.outside == ()
        docs = next(request for request in server.requests if "(docs): Write the notes" in request.prompt)
        assert "sub: Add subtraction (verified)" in docs.prompt, "a dependent is told what came before"
    outcomes = {task["key"]: [one["outcome"] for one in task["attempts"]] for task in goal["tasks"]}
    assert outcomes["sub"] == ["rejected", "succeeded"]
    assert outcomes["mul"] == outcomes["neg"] == outcomes["docs"] == ["succeeded"]
    first, second = next(task for task in goal["tasks"] if task["key"] == "sub")["attempts"]
    assert first["session"] == second["session"], "the retry went on in the same session"
    assert first["cli_version"] and first["cli_path"].endswith(cli)
    assert len(here.git("log", "--format=%h", "main").splitlines()) == 5, "one commit a task, and the base"
    assert "return a - b" in (here.folder / "sub.py").read_text()
    assert f"Agent: {cli}-" in here.git("log", "-1", "--format=%B")


def test_a_comment_on_landed_work_goes_on_in_the_same_session(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        wanted = Write(path="mul.txt", content="two factors, and three\n")
        server.when("And three factors", [Turn(text="More.", actions=(wanted,)), Turn(text="Three too.")])
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        server.when("Add multiplication", [Turn(text="Writing.", actions=(mul,)), Turn(text="Done.")])
        task = here("submit", "Add multiplication", "--json").json["tasks"][0]
        assert here("run").code == 0

        assert here("review", task["id"], "--comment", "And three factors").code == 0
        ran = here("run", "--json")

        assert ran.code == 0, ran.err
        asked = [request.prompt for request in server.requests if "And three factors" in request.prompt]
        assert asked and server.outside == ()
    first, second = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert (first["outcome"], second["outcome"]) == ("succeeded", "succeeded")
    assert second["session"] == first["session"] and second["workspace"] == first["workspace"]
    assert {"mul.py", "mul.txt"} <= set(here.git("ls-tree", "--name-only", "main").splitlines())


def test_a_usage_limit_is_waited_out_and_the_same_session_goes_on_within_a_minute_of_the_reset(
    tmp_path: Path, cli: str
) -> None:
    resets_in_s = 20
    with ModelServer() as server:
        here = project(tmp_path, server, cli, subscription=True)
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        limited = Turn(text="Done.", failure=Failure(kind="usage_limit", times=1, resets_in_seconds=resets_in_s))
        server.when("Add multiplication", [Turn(text="Writing.", actions=(mul,)), limited, Turn(text="Done.")])
        server.when(AGAIN, [Turn(text="Nothing is missing.")])
        here("submit", "Add multiplication", "--max-attempts", "1")

        ran = here("run", "--json", timeout_s=240)

        assert ran.code == 0, ran.err
        assert server.outside == ()
    first, second = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert (first["outcome"], second["outcome"]) == ("limited", "succeeded")
    assert (second["session"], second["workspace"]) == (first["session"], first["workspace"])
    assert ran.json["goals"][0]["tasks"][0]["attempts_used"] == 0
    hold = json.loads(here("events", "--type", "hold.started", "--json").out)
    assert (hold["data"]["kind"], hold["data"]["stated"]) == ("usage_limit", True)
    refused, again = (datetime.fromisoformat(one) for one in (first["ended_at"], second["started_at"]))
    assert again - refused < timedelta(seconds=resets_in_s + 60)
    assert (here.folder / "mul.py").exists()


def test_an_attempt_that_passes_its_own_budget_is_ended_and_counts(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        look = Shell(command="ls")
        dear = Turn(text="Once more.", actions=(look,), usage=Usage(input_tokens=500_000, output_tokens=10_000))
        server.when("Add multiplication", [dear])
        here.environ["ORCHESTRATE_ATTEMPT_BUDGET"] = "1"
        here("submit", "Add multiplication", "--max-attempts", "1")

        ran = here("run", "--json")

    task = ran.json["goals"][0]["tasks"][0]
    (attempt,) = task["attempts"]
    assert (ran.code, attempt["outcome"]) == (6, "failed")
    assert {"claude": "budget", "codex": "more than an attempt may"}[cli] in attempt["reason"]
    assert attempt["usage"]["cost_usd"] >= 1


def test_what_an_agent_has_used_is_seen_while_it_works_and_its_ceiling_of_tokens_ends_it(
    tmp_path: Path, cli: str
) -> None:
    """Both say what it comes to only as they end: codex writes it down before, claude tells of each request."""
    go_on = threading.Event()
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        look = Shell(command="ls")
        first = Turn(text="I look.", actions=(look,), usage=Usage(input_tokens=60_000, output_tokens=1_000))
        held = Turn(text="Again.", actions=(look,), usage=Usage(input_tokens=60_000), hold=go_on)
        server.when("Add multiplication", [first, held, Turn(text="And again.", actions=(look,))])
        here.environ["ORCHESTRATE_ATTEMPT_BUDGET"] = "100k tokens"
        here("submit", "Add multiplication", "--max-attempts", "1")
        here("run", "--detach")

        def used() -> int:
            return int(here("status", "--json").json["spend"]["input_tokens"])

        wait_for(lambda: used() == 60_000, timeout_s=90)
        go_on.set()
        wait_for(lambda: here("status", "--json").json["counts"]["failed"] == 1, timeout_s=90)
        (attempt,) = here("task", "add-multiplication", "--json").json["attempts"]
        asked = len(server.requests)

    assert attempt["outcome"] == "failed"
    assert attempt["reason"].endswith(" of 100,000 tokens"), attempt["reason"]
    assert attempt["usage"]["input_tokens"] >= 120_000
    assert asked < 100, "it would have gone on for ever"


def test_the_tokens_of_a_goal_end_the_agent_that_is_at_work_and_no_attempt_is_charged(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        look = Turn(
            text="I look.", actions=(Shell(command="ls"),), usage=Usage(input_tokens=60_000, output_tokens=1_000)
        )
        server.when("Add multiplication", [look])
        here("submit", "Add multiplication", "--budget", "100k tokens")

        ran = here("run", "--json")

    task = ran.json["goals"][0]["tasks"][0]
    (attempt,) = task["attempts"]
    assert (ran.code, attempt["outcome"], task["attempts_used"]) == (7, "cancelled", 0), ran.err
    assert attempt["reason"].startswith("the goal's budget is used up: ")
    assert attempt["usage"]["input_tokens"] >= 100_000


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Turn(text="First I would think about the database, then the API."), id="prose"),
        pytest.param(Turn(text='{"tasks": [{"id": "api", "title": "Build'), id="half a JSON document"),
        pytest.param(
            Turn(actions=[Answer(value={"tasks": [], "questions": [], "assumptions": []})]), id="an empty plan"
        ),
    ],
)
def test_a_planner_whose_answer_is_no_plan_is_told_and_the_rules_plan(tmp_path: Path, cli: str, answer: Turn) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        server.when("", [answer])

        submitted = here("submit", "Build a REST API for books with tests and docs", "-d", "--json")

    assert submitted.code == 0, submitted.err
    plan = submitted.json["plan"]
    assert plan["source"] == "rules"
    assert cli in plan["notice"] and "rules" in plan["notice"]
    assert len(submitted.json["tasks"]) >= 3


def test_a_planner_is_told_what_was_wrong_and_its_second_answer_is_taken(tmp_path: Path, cli: str) -> None:
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        server.when("Your previous answer could not be used", [Turn(actions=[Answer(value=PLAN)])])
        server.when("", [Turn(actions=[Answer(value={"tasks": [], "questions": [], "assumptions": []})])])

        submitted = here("submit", "Extend the calculator and write its notes", "-d", "--json")

    assert submitted.code == 0, submitted.err
    assert submitted.json["plan"]["source"] == cli
    assert {task["id"] for task in submitted.json["plan"]["tasks"]} >= {"sub", "mul", "neg", "docs"}


def answered(tmp_path: Path, cli: str, *tasks: dict[str, object]) -> dict[str, Any]:
    """Return the plan that comes of a model's answer with *tasks*."""
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        server.when("", [Turn(actions=[Answer(value={"tasks": list(tasks), "questions": [], "assumptions": []})])])
        submitted = here("submit", "Extend the calculator and write its notes", "-d", "--json")
    assert submitted.code == 0, submitted.err
    plan: dict[str, Any] = submitted.json["plan"]
    return plan


def test_a_cycle_in_a_planners_answer_is_broken_and_said(tmp_path: Path, cli: str) -> None:
    plan = answered(tmp_path, cli, planned("sub", "Add subtraction", "docs"), planned("docs", "Write notes", "sub"))

    assert plan["source"] == cli
    found = {finding["rule"]: finding["message"] for finding in plan["findings"]}
    assert "sub" in found["cycle"] and "docs" in found["cycle"]
    assert [task["depends_on"] for task in plan["tasks"][:2]] == [[], ["sub"]]


def test_no_task_goes_to_a_specialist_that_is_not_there(tmp_path: Path, cli: str) -> None:
    """The real claude refuses such an answer itself until its model gives up; codex hands it through."""
    wizard = {**planned("mul", "Add multiplication"), "agent_type": "wizard"}
    plan = answered(tmp_path, cli, planned("sub", "Add subtraction"), wizard)

    assert "wizard" not in {task["agent_type"] for task in plan["tasks"]}
    if plan["source"] == "rules":
        assert cli in plan["notice"]
    else:
        assert any("wizard" in finding["message"] for finding in plan["findings"])


def test_a_role_files_model_tools_and_turns_reach_the_cli_and_what_it_cannot_keep_is_said(
    tmp_path: Path, cli: str
) -> None:
    role = (
        "---\nname: multiplier\ndescription: Multiplies.\nmodel: sonnet\ntools: Read, Write\nmaxTurns: 20\n---\n"
        "You multiply, and you call yourself Napier.\n"
    )
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        (here.folder / ".claude" / "agents").mkdir(parents=True)
        (here.folder / ".claude" / "agents" / "multiplier.md").write_text(role)
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        server.when("Add multiplication", [Turn(text="Writing.", actions=(mul,)), Turn(text="Done.")])
        submitted = here("submit", "Add multiplication", "--agent", "multiplier", "--json")
        here("run", "--json")
        task = here("task", submitted.json["tasks"][0]["id"], "--json").json
        shown = here("task", submitted.json["tasks"][0]["id"]).out
        asked = [request for request in server.requests if "Add multiplication" in request.prompt]

    attempt = task["attempts"][-1]
    assert attempt["outcome"] == "succeeded"
    assert any("call yourself Napier" in str(request.body) for request in asked)
    assert asked[0].asked is not None
    if cli == "claude":
        assert asked[0].body["model"].startswith("claude-sonnet-")
        assert attempt["model"].startswith("claude-sonnet-") and attempt["model"] in shown
        assert {name for name in asked[0].asked.tools if "Placeholder" not in name} == {"Read", "Write"}
        assert attempt["notes"] == []
    else:
        told = " / ".join(attempt["notes"])
        assert "codex cannot keep the list of tools" in told and "the limit on turns" in told
        assert "does not know the model sonnet" in told
        assert "cannot keep the list of tools" in shown


def test_the_model_of_the_tasks_tier_reaches_the_cli_and_is_recorded(tmp_path: Path, cli: str) -> None:
    model = {"claude": "claude-haiku-4-5", "codex": "gpt-5.4-mini"}[cli]
    with ModelServer() as server:
        here = project(tmp_path, server, cli)
        here.environ["ORCHESTRATE_MODELS"] = f"{cli}.light={model}"
        mul = Write(path="mul.py", content="def mul(a, b):\n    return a * b\n")
        server.when("Add multiplication", [Turn(text="Writing.", actions=(mul,)), Turn(text="Done.")])
        submitted = here("submit", "Add multiplication", "--tier", "light", "--json")
        here("run", "--json")
        attempt = here("task", submitted.json["tasks"][0]["id"], "--json").json["attempts"][-1]
        asked = [request for request in server.requests if "Add multiplication" in request.prompt]

    assert {request.body["model"] for request in asked} == {model}
    assert attempt["model"] == model
    if cli == "codex":
        used = attempt["usage"]
        dollars = (used["input_tokens"] * 0.75 + used["cached_tokens"] * 0.075 + used["output_tokens"] * 4.52) / 1e6
        assert used["cost_usd"] == pytest.approx(dollars, abs=1e-6), "by the price of that model, not the dearest"
