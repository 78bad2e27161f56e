"""What programs are told is what docs/json-output.md and its schemas promise: every field, no more and no less."""

import ast
import importlib
import json
import pkgutil
import re
import signal
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import agent_orchestrator
import pages
from agent_orchestrator.cli import orchestrate
from agent_orchestrator.domain.agent import AgentState
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.evidence import CheckResult, ConcernKind
from agent_orchestrator.domain.goal import Delivery, GoalState, Isolation
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.plan import Severity
from agent_orchestrator.domain.task import Size, TaskState, Tier, Verdict
from calling import Answer, Caller, wait_for
from pages import CHECKOUT, DOCS
from schemas import SCHEMAS, wrong

VERBS = sorted(orchestrate.list_commands(None))  # type: ignore[arg-type] # it needs no context
STREAMS = {"logs", "events", "watch"}
PAGE = DOCS / "json-output.md"
CLOSED = ({"additionalProperties": False}, {"unevaluatedProperties": False})
ENUMS = [
    *(TaskState, GoalState, Outcome, Verdict, Tier, Size, CheckResult, Delivery, Isolation, HoldKind, AgentState),
    Severity,
    ConcernKind,
]

Json = Any


class Asking:
    """Calls commands with ``--json`` and holds each answer against the schema of its verb."""

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        environ = pages.lay_out(folder, home)
        self.call = Caller(home / "shop")
        self.call.environ = {**environ, "ORCHESTRATE_RETRY_SECONDS": "0", "ORCHESTRATE_STOP_SECONDS": "1"}
        self.seen: dict[str, list[Json]] = {}

    def __call__(self, verb: str, *words: str, code: int = 0) -> Json:
        """Return the answer; of a stream the list of its lines."""
        answer = self.call(verb, *words, "--json")
        assert answer.code == code, (verb, words, answer)
        return self.judged(verb, answer, lines=verb in STREAMS or "--route" in words)

    def judged(self, verb: str, answer: Answer, *, lines: bool = False) -> Json:
        documents = [json.loads(line) for line in answer.out.splitlines()] if lines else [answer.json]
        for document in documents:
            assert wrong(verb, document) == ""
        self.seen.setdefault(verb, []).extend(documents)
        return documents if lines else documents[0]

    def submit(self, title: str, script: str, *words: str) -> Json:
        """Queue a goal of one task whose agent does *script*; return the task."""
        text = f"{title}\n\n```script\n{script}\n```"
        return self("submit", text, *words)["tasks"][0]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Asking]:
    asking = Asking(tmp_path)
    yield asking
    asking.call("stop", "--now", "--wait")


@pytest.mark.timeout(600)  # some sixty commands, and runs in between
def test_every_answer_of_every_verb_is_as_its_schema_says(ask: Asking, tmp_path: Path) -> None:
    an_untouched_project(ask)
    delivered = a_plan_that_is_run(ask)
    failed = a_task_that_fails(ask)
    work_in_progress(ask)
    looking(ask)
    changing(ask, failed=failed, delivered=delivered)
    demo = ask("demo", "--pace", "0", "--keep", str(tmp_path / "demo"))

    assert demo["goals"][0]["demo"]
    assert sorted(ask.seen) == VERBS


def an_untouched_project(ask: Asking) -> None:
    assert ask("status")["goals"] == []
    assert ask("agents") == []
    ask("init")
    ask("doctor")
    ask("config")
    ask("config", "max_agents")
    ask("completion", "bash")
    ask("specialists")
    assert len(ask("specialists", "--route", "Write the upgrade notes")) == 1
    ask("cleanup", code=3)
    ask.call.git("add", "-A")
    ask.call.git("commit", "-q", "-m", "Configure")


def a_plan_that_is_run(ask: Asking) -> Json:
    """Return one of its tasks, which is delivered."""
    assert ask("submit", "Add a health check", "--decompose", "--dry-run")["goal"] is None
    saved = ask("plan", "Add a health check")
    assert (saved["state"], saved["goal"], saved["tasks"]) == ("planning", None, saved["plan"]["tasks"])
    assert ask("plan-list")["plans"][0]["id"] == saved["id"]
    ask("plan-continue", saved["id"])
    a_plan_in_files(ask, saved)
    executed = ask("execute-plan", saved["id"], "--max-agents", "2")
    assert executed["run"]["goals"][0]["delivery"] == "delivered"
    return executed["tasks"][0]


def a_plan_in_files(ask: Asking, saved: Json) -> None:
    file = ask.call.folder.parent / "plan.yaml"
    assert ask("plan-continue", saved["id"], "--export", str(file))["hash"] == saved["hash"]
    assert ask("plan", "--from", str(file), "--check")["state"] == "checked"
    changes = ask.call.folder.parent / "changes.json"
    changes.write_text('[{"op": "assume", "text": "It is Python."}]')
    assert ask("plan-continue", saved["id"], "--apply", str(changes))["version"] == 2
    assert ask("plan-continue", saved["id"], "--diff")["others"] == ["assumed: It is Python."]


def a_task_that_fails(ask: Asking) -> Json:
    failed = ask.submit("Break the prices", "write shop/prices.py broken =", "--max-attempts", "1")
    ran = ask("run", code=6)
    assert [one["what"] for one in ran["goals"][0]["needs_you"]] == ["task_failed"]
    return failed


def work_in_progress(ask: Asking) -> None:
    """One task at work, one waiting for it, one held by a limit, a goal that is planned and one that is queued."""
    ask("plan", "Something for another day")
    ask("plan", "Something to be queued", "--yes")
    ask("cancel", "last")
    at_work = ask.submit("Think for long", "say I begin.\nhang")
    ask.submit("Wait for it", "say nothing", "--depends-on", at_work["id"])
    ask.submit("Ask too much", "limit You have hit your limit")
    ask("run", "--max-agents", "2", "--detach")
    wait_for(lambda: bool((now := ask("status"))["holds"]) and [one["doing"] for one in now["running"]] == ["I begin."])


def looking(ask: Asking) -> None:
    now = ask("status")
    assert now["supervisor"]["running"] and now["waiting"] and now["failed"] and now["holds"] and now["running"]
    assert {one["state"] for one in now["goals"]} >= {"executing", "completed", "failed", "cancelled"}
    waits = {one["waits_for"] for one in now["waiting"]}
    assert "think-for-long (running)" in waits
    assert any(re.fullmatch(r"claude until .*\d\d:\d\d \(usage limit\)", why) for why in waits), waits
    assert [one["state"] for one in ask("status", "--failed")["failed"]] == ["failed"]
    one_line_of_watch(ask)
    what_is_shared(ask, ask("task", now["running"][0]["task"])["goal"])
    ask("agents")
    for agent in ask("agents", "--all"):
        task = ask("task", agent["task"])
        for attempt in task["attempts"]:
            ask("logs", task["id"], "--attempt", str(attempt["number"]))
    assert {one["kind"] for one in ask.seen["logs"]} >= {"started", "said", "used_tool", "spent", "limited", "finished"}
    events = ask("events", "-n", "10000")
    assert [one["seq"] for one in events] == sorted({one["seq"] for one in events})
    assert {one["type"] for one in events} <= set(event_types())
    for goal in {one["goal"] for one in events if one["goal"]}:
        ask("report", goal)


def what_is_shared(ask: Asking, goal: str) -> None:
    ask("context", "put", "port", "8080", "--goal", goal)
    ask("context", "put", "--note", "Keep to the style of the house.", "--goal", goal)
    ask("context", "put", "--artifact", str(ask.call.folder / "shop" / "prices.py"), "--goal", goal)
    listed = ask("context", "list", "--goal", goal)["entries"]
    assert {one["kind"] for one in listed} == {"key", "note", "artifact"}
    for one in listed:
        ask("context", "get", one["name"], "--goal", goal)


def one_line_of_watch(ask: Asking) -> None:
    watching = subprocess.Popen(
        ask.call.argv("watch", "--json"),
        cwd=ask.call.folder,
        env=ask.call.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert watching.stdout is not None
    with watching, watching.stdout:
        line = watching.stdout.readline().decode()
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
    ask.judged("watch", Answer(watching.returncode, line, ""), lines=True)


def changing(ask: Asking, *, failed: Json, delivered: Json) -> None:
    (agent,) = ask("agents")
    ask("kill", agent["id"])
    ask("stop", "--wait")
    assert [one["provider"] for one in ask("resume")["released"]] == ["claude"]
    ask("retry", failed["id"])
    assert ask("retry", failed["goal"], "--budget", "90m")["goal"]["budget_minutes"] == 90
    ask("cancel", failed["id"])
    ask("cancel", "ask-too-much")
    assert "+" in ask("diff", delivered["id"])["diff"]
    assert ask("verify", delivered["id"])["holds"] and ask("verify", delivered["goal"])["holds"]
    assert len(ask("task", delivered["id"], "--evidence")["verified_again"]) == 1
    assert ask("review", delivered["goal"])["items"]
    assert ask("review", delivered["id"], "--accept")["decided"]["what"] == "accepted"
    assert ask("undo", delivered["goal"])["goal"]["delivery"] == "undone"
    put = ask("restore", failed["id"])
    assert put["restored"][0]["branch"].startswith("orchestrate/restored/") and put["checkpoints"][0]["is_default"]
    assert ask("restore", failed["id"], "--list")["restored"] == []
    assert ask("cleanup")["freed"] == []
    assert ask("cleanup", "--yes")["freed"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_schema_and_a_section_and_answers_wrong_usage_with_an_error(verb: str, tmp_path: Path) -> None:
    answer = Caller(tmp_path)(verb, "--nonsense", "--json")

    assert answer.code == 2
    assert wrong("error", answer.json) == ""
    assert verb in SCHEMAS
    assert f"](schemas/{verb}.json)" in section(PAGE.read_text(), verb)


def test_an_error_is_told_as_its_schema_says(tmp_path: Path) -> None:
    call = Caller(tmp_path)
    for words, code, name in [
        (("task", "nope"), 4, "not_found"),
        (("submit", " "), 2, "bad_input"),
        (("stop",), 3, "nothing_to_do"),
        (("submit", "Do it"), 0, None),
        (("retry", "do-it"), 5, "refused_by_state"),
    ]:
        answer = call(*words, "--json")
        assert answer.code == code, words
        if name is not None:
            assert answer.json["error"]["code"] == name
            assert wrong("error", answer.json) == ""


def section(text: str, verb: str) -> str:
    """Return the text below the heading that names *verb*."""
    found = re.search(rf"^### [^\n]*`{verb}`.*?\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_leaves_no_object_open(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    open_ones = [
        where for where, one in objects(SCHEMAS[name], name) if not any(c.items() <= one.items() for c in CLOSED)
    ]

    assert all(re.search(r"(Fields|\.counts|\.paths|\.data|\.models|\.providers)$", where) for where in open_ones), (
        open_ones
    )
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def objects(schema: Json, where: str) -> Iterator[tuple[str, Json]]:
    """Yield every schema of an object within *schema*, with the names that lead to it."""
    if isinstance(schema, list):
        for one in schema:
            yield from objects(one, where)
    elif isinstance(schema, dict):
        if schema.get("type") == "object":
            yield where, schema
        for key, one in schema.items():
            structure = key in {"properties", "$defs", "items", "allOf", "anyOf", "oneOf"}
            yield from objects(one, where if structure else f"{where}.{key}")


def test_what_is_not_documented_fails_and_what_is_missing_fails(tmp_path: Path) -> None:
    real = Caller(tmp_path)("status", "--json").json
    assert wrong("status", real) == ""

    for path in ((), ("supervisor",), ("spend",)):
        for change in ("more", "less"):
            changed = deepcopy(real)
            place = changed
            for key in path:
                place = place[key]
            if change == "more":
                place["mood"] = "good"
            else:
                place.popitem()
            assert wrong("status", changed), (path, change)


def test_an_answer_that_is_put_together_of_parts_is_closed_too(ask: Asking) -> None:
    id = ask.submit("Do it", "say nothing")["id"]
    task, report = ask("task", id), ask("report", "last")

    task["mood"] = report["tasks"][0]["mood"] = "good"

    assert "mood" in wrong("task", task)
    assert "mood" in wrong("report", report)


def test_every_schema_belongs_to_a_verb() -> None:
    assert sorted(SCHEMAS) == sorted([*VERBS, "parts", "error", "plan-file"])


def test_the_words_of_the_schemas_are_those_of_the_program() -> None:
    listed = {frozenset(one) - {None} for one in enums(SCHEMAS)}

    assert [enum.__name__ for enum in ENUMS if frozenset(one.value for one in enum) not in listed] == []


def enums(schema: Json) -> Iterator[list[str | None]]:
    if isinstance(schema, list):
        for one in schema:
            yield from enums(one)
    elif isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield schema["enum"]
        for one in schema.values():
            yield from enums(one)


def test_the_page_lists_every_error_code_with_its_exit_code() -> None:
    for module in pkgutil.walk_packages(agent_orchestrator.__path__, "agent_orchestrator."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)  # a class is known once its module is imported
    classes = [OrchestratorError]
    for one in classes:
        classes.extend(one.__subclasses__())
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.read_text(), re.MULTILINE)

    assert dict(rows) == {**{one.code: str(one.exit_code) for one in classes}, "usage": "2"}


def test_the_page_lists_every_type_of_event() -> None:
    told = PAGE.read_text().split("#### Types of events\n", 1)[1].split("\n#", 1)[0]

    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", told)) == set(event_types())


def event_types() -> set[str]:
    """Return every type of event that the program can write: the first words of its calls of ``record``."""
    found = set()
    families = {"attempt.{outcome}": ("attempt", Outcome), "goal.{changed.state}": ("goal", GoalState)}
    for module in (CHECKOUT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if not (
                isinstance(node, ast.Call)
                and re.search(r"(^|events\.|self\._)record$", ast.unparse(node.func))
                and node.args
            ):
                continue
            for text in [one for one in ast.walk(node.args[0]) if isinstance(one, ast.JoinedStr | ast.Constant)]:
                if isinstance(text, ast.JoinedStr):
                    noun, words = families[ast.unparse(text)[2:-1]]
                    found |= {f"{noun}.{one.value}" for one in words}
                elif isinstance(text.value, str) and re.fullmatch(r"[a-z]+\.[a-z_]+", text.value):
                    found.add(text.value)
    return found - NEVER


NEVER = {"attempt.succeeded", "goal.ready"}
"""Members of a family that no one writes: a success is ``task.done``; an accepted goal is ready from its start."""
