"""API mode's child does what its provider relies on, against a scripted model that speaks the API's own form."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import SESSION_LOST, Briefing, Command, Question
from agent_orchestrator.providers.api import Api
from doubles import real_clis
from doubles.model_server import Answer, CallTool, Failure, ModelServer, Shell, Turn, Usage, Write
from providers.reading import read

API = Api()
SCHEMA = {"type": "object", "properties": {"tasks": {"type": "array"}}, "required": ["tasks"]}


class Child:
    """Runs attempts of one task in one checkout, one after the other, as the spawner would."""

    def __init__(self, folder: Path, server: ModelServer) -> None:
        self.folder = folder
        self.server = server
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        self.environ = real_clis.clean_env(folder / "home", server)
        self.lines: list[str] = []
        self.code = 0

    def __call__(self, prompt: str, *more: str, attempt: int = 1, **given: Any) -> list[dict[str, Any]]:
        run_dir = self.folder / "runs" / f"t1.{attempt}"
        return self.start(
            API.command(
                Briefing(
                    **{"prompt": prompt, "role": "", "workspace": self.checkout, "run_dir": run_dir, "executable": ""}
                    | given
                )
            ),
            run_dir,
            *more,
        )

    def start(self, command: Command, run_dir: Path, *more: str) -> list[dict[str, Any]]:
        run_dir.mkdir(parents=True, exist_ok=True)
        for name, content in command.files.items():
            (run_dir / name).write_text(content)
        ran = subprocess.run(
            [*command.argv, *more],
            cwd=self.checkout,
            env={**self.environ, **command.environment},
            input=command.stdin,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert not ran.stderr, ran.stderr
        self.lines, self.code = ran.stdout.splitlines(), ran.returncode
        return [json.loads(line) for line in self.lines]

    def ending(self) -> tuple[Outcome | None, str]:
        found = read(API, self.lines)
        ended = API.conclude(self.code, found.last, found.limited, "")
        return ended.outcome, ended.reason

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What the last request told of the conversation."""
        found: list[dict[str, Any]] = self.server.requests[-1].body["messages"]
        return found


@pytest.fixture
def child(tmp_path: Path, model_server: ModelServer) -> Child:
    return Child(tmp_path, model_server)


def told(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["api"] == kind]


def test_it_works_until_the_model_asks_for_nothing_more_and_counts_every_request(child: Child) -> None:
    write = Write(path="hello.txt", content="hi\n")
    usage = Usage(input_tokens=100, output_tokens=10, cache_read_tokens=1000, cache_write_tokens=50)
    turns = [Turn(text="First.", actions=[write, Shell(command="cat hello.txt")], usage=usage), Turn(text="Done.")]
    child.server.when("Say hi", turns)

    lines = child("Say hi", role="You are the greeter.")

    assert (child.checkout / "hello.txt").read_text() == "hi\n"
    assert [line["text"] for line in told(lines, "text")] == ["First.", "Done."]
    assert told(lines, "result") == [{"api": "result", "ok": True, "summary": "Done."}]
    assert len(told(lines, "usage")) == 2
    assert told(lines, "usage")[0]["cache_write_tokens"] == 50
    assert child.ending() == (None, "")
    asked = child.server.requests[0].body
    assert asked["system"][0]["text"].endswith("You are the greeter.")
    assert str(child.checkout) in asked["system"][0]["text"]
    assert child.server.requests[0].headers["authorization"] == f"Bearer {real_clis.MADE_UP_KEY}"


def test_what_was_said_before_is_marked_for_the_cache(child: Child) -> None:
    child.server.when("Go", [Turn(actions=[Shell(command="true")]), Turn(text="Done.")])

    child("Go")

    for request in child.server.requests:
        assert request.body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
        assert str(request.body["messages"]).count("cache_control") == 1
        assert "cache_control" in request.body["system"][0]


def test_a_tools_trouble_is_told_to_the_model_and_ends_nothing(child: Child) -> None:
    wrong = [
        CallTool(name="read", input={"path": "../secret"}),
        CallTool(name="fly", input={}),
        CallTool(name="edit", input={"path": 3}),
    ]
    child.server.when("Try", [Turn(actions=wrong), Turn(text="Never mind.")])

    child("Try")

    results = child.messages[-1]["content"]
    assert [one["is_error"] for one in results] == [True] * 3
    assert child.ending()[0] is None


def test_a_command_has_the_time_that_the_environment_says(child: Child) -> None:
    child.environ["BASH_TOOL_TIMEOUT_SECONDS"] = "0.5"
    child.server.when("Wait", [Turn(actions=[Shell(command="sleep 60")]), Turn(text="Too long.")])

    child("Wait")

    assert "longer than" in str(child.messages[-1]["content"])


def test_a_retry_goes_on_in_the_same_conversation(child: Child) -> None:
    child.server.when("and again", [Turn(text="Better.")])
    child.server.when("Begin", [Turn(text="Good enough.")])
    session = told(child("Begin"), "session")[0]["id"]

    lines = child("and again", attempt=2, session=session)

    assert told(lines, "session")[0]["id"] == session
    assert [one["content"][0]["text"] for one in child.messages] == ["Begin", "Good enough.", "and again"]


def test_a_call_that_a_dead_process_left_open_is_answered_before_it_goes_on(child: Child) -> None:
    child.server.when("Go on", [Turn(text="I see.")])
    child.server.when("Begin", [Turn(actions=[Shell(command="kill -9 $PPID")])])
    session = told(child("Begin"), "session")[0]["id"]
    assert child.code == -9

    child("Go on", attempt=2, session=session)

    assert child.ending()[0] is None
    last = child.messages[-1]["content"]
    assert [one["type"] for one in last] == ["tool_result", "text"]
    assert last[0]["tool_use_id"] == child.messages[-2]["content"][-1]["id"]


def test_a_last_line_that_was_cut_short_is_left_out(child: Child) -> None:
    child.server.when("", [Turn(text="Yes.")])
    session = told(child("Begin"), "session")[0]["id"]
    file = child.folder / "runs" / session / "conversation.jsonl"
    with file.open("a") as out:
        out.write('{"role": "user", "conte')

    child("Go on", attempt=2, session=session)
    child("And on", attempt=3, session=session)

    assert child.ending()[0] is None
    assert [one["content"][0]["text"] for one in child.messages] == ["Begin", "Yes.", "Go on", "Yes.", "And on"]


@pytest.mark.parametrize("kept", [None, "", "no JSON\n"])
def test_a_conversation_that_is_gone_is_a_lost_session_and_asks_nothing(child: Child, kept: str | None) -> None:
    if kept is not None:
        (child.folder / "runs" / "t1.1").mkdir(parents=True)
        (child.folder / "runs" / "t1.1" / "conversation.jsonl").write_text(kept)

    child("Go on", attempt=2, session="t1.1")

    outcome, reason = child.ending()
    assert outcome is Outcome.FAILED
    assert reason.startswith(SESSION_LOST)
    assert child.server.requests == ()


@pytest.mark.parametrize(
    ("failure", "kind", "requests"),
    [
        (Failure(kind="rate_limit", headers={"retry-after": "3600"}), HoldKind.RATE_LIMIT, 1),
        (Failure(kind="rate_limit"), HoldKind.RATE_LIMIT, 1),
        (Failure(kind="overloaded", headers={"retry-after": "3600"}), HoldKind.OVERLOADED, 1),
        (Failure(kind="overloaded", headers={"x-should-retry": "false"}), HoldKind.OVERLOADED, 1),
        (Failure(kind="invalid_key"), HoldKind.LOGIN, 1),
        (Failure(kind="forbidden"), HoldKind.LOGIN, 1),
        (Failure(kind="no_credit"), HoldKind.LOGIN, 1),
        (Failure(kind="spend_limit", resets_in_seconds=7200), HoldKind.USAGE_LIMIT, 1),
        (Failure(kind="overloaded_mid"), HoldKind.OVERLOADED, 3),
    ],
    ids=lambda value: value.kind if isinstance(value, Failure) else str(value),
)
def test_a_refusal_for_now_ends_it_at_once_and_becomes_a_limit(
    child: Child, failure: Failure, kind: HoldKind, requests: int
) -> None:
    child.server.when("Go", [Turn(text="A text that is long enough to be cut in the middle.", failure=failure)])

    child("Go")

    limited = read(API, child.lines).limited
    assert limited is not None and limited.kind is kind
    assert child.ending()[0] is Outcome.LIMITED
    assert child.code == 1
    assert len(child.server.requests) == requests
    if "retry-after" in failure.headers:
        assert limited.until is not None
        assert 3500 < limited.until.timestamp() - time.time() <= 3600
    if failure.kind == "spend_limit":
        assert limited.until is not None


def test_trouble_that_passes_is_ridden_out(child: Child) -> None:
    work = [Turn(actions=[Write(path="a", content="1")], failure=Failure(kind="server_error", times=1))]
    rest = Turn(text="A text that is long enough to be cut in the middle.", failure=Failure(kind="drop_mid", times=1))
    child.server.when("Go", [*work, rest])

    lines = child("Go")

    assert child.ending()[0] is None
    assert (child.checkout / "a").exists()
    assert len(told(lines, "retry")) == 1


def test_an_error_of_the_api_is_never_a_success(child: Child) -> None:
    failure = Failure(kind="server_error", headers={"x-should-retry": "false"})
    child.server.when("Go", [Turn(text="Writing.", actions=[Write(path="a", content="1")]), Turn(failure=failure)])

    lines = child("Go")

    outcome, reason = child.ending()
    assert outcome is Outcome.FAILED
    assert "500" in reason
    assert not any(line["ok"] for line in told(lines, "result"))


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (Turn(text="I cannot help with that.", stop="refusal"), "refused"),
        (Turn(text="…", stop="model_context_window_exceeded"), "its context is full"),
        (Turn(failure=Failure(kind="prompt_too_long")), "its context is full"),
    ],
)
def test_a_model_that_cannot_or_will_not_is_no_success(child: Child, turn: Turn, words: str) -> None:
    child.server.when("Go", [turn])

    child("Go")

    outcome, reason = child.ending()
    assert outcome is Outcome.FAILED
    assert words in reason


def test_an_answer_that_was_cut_off_goes_on_and_its_half_call_is_not_run(child: Child) -> None:
    cut = Turn(text="Writing.", actions=[Write(path="a", content="half")], stop="max_tokens")
    child.server.when("Tell", [Turn(text="Once upon", stop="max_tokens"), Turn(text="Done.")])
    child.server.when("Write", [cut, Turn(text="Done.")])

    child("Write")
    assert not (child.checkout / "a").exists()
    assert "smaller pieces" in str(child.messages[-1])

    child("Tell", attempt=2)
    assert "cut off" in str(child.messages[-1])
    assert child.ending()[0] is None


def test_a_model_that_goes_round_in_circles_is_ended(child: Child) -> None:
    child.server.when("Go", [Turn(actions=[Shell(command="true")])])

    child("Go", "--max-turns", "3")

    assert child.ending() == (Outcome.FAILED, "it was not done after 3 turns")
    assert len(child.server.requests) == 3


def test_a_roles_limits_on_tools_hold_also_for_a_model_that_asks_for_others(child: Child) -> None:
    child.server.when(
        "", [Turn(actions=[CallTool(name="bash", input={"command": "touch made"})]), Turn(text="So be it.")]
    )

    child("Look only.", tools=("Read", "Grep"), denied_tools=("Grep",))

    assert [tool["name"] for tool in child.server.requests[0].body["tools"]] == ["read"]
    assert "there is no tool 'bash'; there are read" in str(child.messages[-1])
    assert not (child.checkout / "made").exists()
    assert child.ending()[0] is None


def test_a_roles_limit_on_turns_ends_it(child: Child) -> None:
    child.server.when("", [Turn(actions=[Shell(command="true")])] * 9)

    child("Go round.", max_turns=2)

    assert child.ending() == (Outcome.FAILED, "it was not done after 2 turns")


def test_without_a_key_nothing_is_asked_whatever_other_login_there_is(child: Child) -> None:
    del child.environ["ANTHROPIC_API_KEY"]
    child.environ["ANTHROPIC_AUTH_TOKEN"] = "made-up-for-tests"

    child("Go")

    assert child.ending()[0] is Outcome.LIMITED
    assert child.server.requests == ()


@pytest.fixture
def question(child: Child) -> Callable[[str], str | None]:
    def ask(prompt: str) -> str | None:
        run_dir = child.folder / "question"
        command = API.ask(Question(prompt=prompt, schema=SCHEMA, run_dir=run_dir, executable=""))
        assert command is not None
        child.start(command, run_dir)
        return API.answer("\n".join(child.lines), {})

    return ask


def test_a_question_is_asked_by_structured_output_and_without_tools(
    child: Child, question: Callable[[str], str | None]
) -> None:
    child.server.when("Plan", [Turn(actions=[Answer(value={"tasks": []})])])

    assert json.loads(question("Plan") or "") == {"tasks": []}
    body = child.server.requests[0].body
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert "tools" not in body


def test_prose_is_handed_on_and_a_refusal_is_not(child: Child, question: Callable[[str], str | None]) -> None:
    child.server.when("Prose", [Turn(text="First the database.")])
    child.server.when("Refuse", [Turn(text="{}", stop="refusal")])

    assert question("Prose") == "First the database."
    assert question("Refuse") is None
    assert "refused" in child.ending()[1]


def test_it_starts_from_the_source_tree_too(tmp_path: Path) -> None:
    """Its Python is isolated: neither the folder it works in nor PYTHONPATH may give it modules."""
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    argv = API.command(Briefing(prompt="", role="", workspace=tmp_path, run_dir=tmp_path / "r", executable="")).argv
    environ = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}

    ran = subprocess.run([*argv], cwd=tmp_path, env=environ, input="", capture_output=True, text=True, timeout=120)

    assert argv[0] == sys.executable
    assert "ANTHROPIC_API_KEY is not set" in ran.stdout, ran.stderr
