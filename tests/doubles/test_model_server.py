"""The scripted model server keeps its own promises, seen through plain HTTP and the anthropic SDK."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from doubles.model_server import Action, Answer, CallTool, Failure, ModelServer, Shell, Turn, Write


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def ask(server: ModelServer, *said: str, dialect: str = "anthropic", **more: Any) -> tuple[int, Any, dict[str, str]]:
    """Ask for an answer to a conversation in which user and assistant take turns."""
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]
    path, key = ("/v1/messages", "messages") if dialect == "anthropic" else ("/v1/responses", "input")
    body = {"model": "m", key: messages, **more}
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=90)
    try:
        connection.request("POST", path, json.dumps(body), {"x-api-key": "made-up"})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), {k.lower(): v for k, v in response.getheaders()}
    finally:
        connection.close()


def said(server: ModelServer, *conversation: str, **more: Any) -> str:
    return str(ask(server, *conversation, **more)[1]["content"][0]["text"])


def test_the_first_rule_that_fits_the_prompt_answers_and_a_marker_goes_before_rules(server: ModelServer) -> None:
    server.when(re.compile(r"task \d+ failed"), [Turn(text="again")], name="again")
    server.when(lambda prompt: prompt.endswith("!"), [Turn(text="loud")], name="loud")
    server.when("task", [Turn(text="task")])
    server.script("marked", [Turn(text="marked")])

    assert said(server, "task 12 failed!") == "again"
    assert said(server, "task!") == "loud"
    assert said(server, "a task") == "task"
    assert said(server, "a task [[stub:marked]]") == "marked"
    assert [request.scenario for request in server.requests] == ["again", "loud", "task", "marked"]


def test_the_turn_is_the_number_of_answers_since_the_prompt_and_the_last_one_repeats(server: ModelServer) -> None:
    server.when("go", [Turn(text="one"), Turn(text="two")])

    assert said(server, "go") == "one"
    assert said(server, "go", "one", "note") == "two"
    assert said(server, "go", "one", "note", "two", "note") == "two"
    assert said(server, "go", "one", "go") == "one"


def test_a_prompt_nobody_scripted_is_answered_and_remembered_as_such(server: ModelServer) -> None:
    assert "no scenario" in said(server, "what?")
    assert "no scenario" in said(server, "[[stub:unknown]]")
    assert [request.prompt for request in server.unscripted] == ["what?", "[[stub:unknown]]"]


def test_a_rule_can_want_a_schema_and_a_scenario_can_be_made_from_the_request(server: ModelServer) -> None:
    server.when("", lambda asked: [Turn(actions=[Answer(value={"tasks": [asked.prompt]})])], answering="tasks")
    schema = {"type": "object", "properties": {"tasks": {}}}

    _, by_text, _ = ask(server, "plan", output_config={"format": {"type": "json_schema", "schema": schema}})
    tool = {"name": "give_plan", "input_schema": schema}
    _, by_tool, _ = ask(server, "plan", tools=[tool], tool_choice={"type": "tool", "name": "give_plan"})

    assert json.loads(by_text["content"][0]["text"]) == {"tasks": ["plan"]}
    assert by_tool["content"][0]["input"] == {"tasks": ["plan"]}
    assert "no scenario" in said(server, "plan")


@pytest.mark.parametrize(
    ("dialect", "kind", "status"),
    [
        ("anthropic", "rate_limit", 429),
        ("anthropic", "overloaded", 529),
        ("anthropic", "server_error", 500),
        ("anthropic", "invalid_key", 401),
        ("responses", "rate_limit", 429),
        ("responses", "overloaded", 503),
        ("responses", "server_error", 500),
        ("responses", "invalid_key", 401),
    ],
)
def test_a_failure_happens_as_often_as_it_should(server: ModelServer, dialect: str, kind: Any, status: int) -> None:
    server.when("go", [Turn(text="fine", failure=Failure(kind=kind, times=2))])

    assert [ask(server, "go", dialect=dialect)[0] for _ in range(3)] == [status, status, 200]


def test_a_usage_limit_says_when_it_resets(server: ModelServer) -> None:
    server.when("go", [Turn(failure=Failure(kind="usage_limit", resets_in_seconds=77))])

    _, body, _ = ask(server, "go", dialect="responses")
    _, _, headers = ask(server, "go")

    assert body["error"]["resets_in_seconds"] == 77
    assert headers["retry-after"] == "77"
    assert not [name for name in headers if "unified" in name]  # only a login gets those


def test_a_dropped_connection_is_reset(server: ModelServer) -> None:
    server.when("go", [Turn(failure=Failure(kind="drop"))])

    with pytest.raises(ConnectionResetError) as dropped:
        ask(server, "go")
    assert dropped.type is ConnectionResetError  # http.client has a subclass for an orderly end


@pytest.mark.parametrize("turn", [Turn(failure=Failure(kind="hang")), Turn(hold=threading.Event())])
def test_closing_the_server_ends_requests_that_hang(turn: Turn) -> None:
    with ModelServer() as server:
        server.when("go", [turn])
        ended: list[str] = []

        def hang() -> None:
            try:
                ask(server, "go")
            except (OSError, http.client.HTTPException) as error:
                ended.append(type(error).__name__)

        asking = [threading.Thread(target=hang) for _ in range(3)]
        for thread in asking:
            thread.start()
        server.wait_for(lambda request: request.prompt == "go", count=3)

    for thread in asking:
        thread.join(timeout=120)
    assert len(ended) == 3


def test_many_may_ask_at_once(server: ModelServer) -> None:
    open_gate = threading.Event()
    server.when("go", lambda asked: [Turn(text=asked.prompt, hold=open_gate)])
    answers: dict[int, str] = {}
    asking = [threading.Thread(target=lambda at=at: answers.update({at: said(server, f"go {at}")})) for at in range(20)]
    for thread in asking:
        thread.start()

    server.wait_for(lambda request: request.prompt.startswith("go"), count=20)
    assert answers == {}
    open_gate.set()
    for thread in asking:
        thread.join(timeout=120)

    assert answers == {at: f"go {at}" for at in range(20)}


def test_the_way_out_is_refused_and_remembered(server: ModelServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=90)
    connection.set_tunnel("example.invalid", 443)
    with pytest.raises(OSError, match="403"):
        connection.connect()
    connection.close()

    assert server.outside == ("example.invalid:443",)


def test_an_agent_without_known_tools_gets_calls_by_their_own_name(server: ModelServer) -> None:
    actions: list[Action] = [
        Shell(command="true"),
        Write(path="/a b", content="it's\n"),
        CallTool(name="finish", input={"ok": True}),
    ]
    server.when("go", [Turn(actions=actions)])

    _, body, _ = ask(server, "go", tools=[{"name": "bash"}, {"name": "finish"}])

    calls = [(block["name"], block["input"]) for block in body["content"]]
    assert calls[0] == ("bash", {"command": "true"})
    assert calls[1] == ("bash", {"command": """printf %s 'it'"'"'s\n' > '/a b'"""})
    assert calls[2] == ("finish", {"ok": True})


def test_the_anthropic_sdk_understands_answers_streams_and_errors(server: ModelServer) -> None:
    import anthropic

    tool: Any = {"name": "bash", "input_schema": {"type": "object"}}
    question: Any = [{"role": "user", "content": "go"}]
    server.when("go", [Turn(text="Well. " * 20, actions=[Shell(command="ls")])])
    server.when("stop", [Turn(failure=Failure(kind="overloaded"))])

    with anthropic.Anthropic(base_url=server.url, api_key="made-up", max_retries=0, timeout=90) as client:
        plain = client.messages.create(model="m", max_tokens=9, messages=question, tools=[tool])
        with client.messages.stream(model="m", max_tokens=9, messages=question, tools=[tool]) as stream:
            streamed = stream.get_final_message()
        with pytest.raises(anthropic.APIStatusError) as overloaded:
            client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "stop"}])

    for message in (plain, streamed):
        text, call = message.content
        assert text.type == "text" and text.text == "Well. " * 20
        assert call.type == "tool_use" and call.input == {"command": "ls"}
        assert message.stop_reason == "tool_use"
    assert overloaded.value.status_code == 529
