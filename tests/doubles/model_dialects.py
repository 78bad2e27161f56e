"""The two wire formats: read a request of either into `Asked`, put a `Turn` into the words of either.

Anthropic Messages (streamed and plain) and OpenAI Responses (streamed and plain), as claude 2.1.329, codex 0.169.0 and
the anthropic SDK 2 use them. The error bodies are the vendors' shapes as known in November 2026; the services
themselves may word, shape or time their errors differently.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from .model_scripts import Action, Answer, Asked, CallTool, Failure, Json, Shell, Turn, Write

Event = tuple[str, Json]
"""Name and data of one server-sent event."""

WORKING_FOLDER = (
    re.compile(r"[Ww]orking directory:\s*`?(/[^\s`<]*)"),
    re.compile(r"<cwd>(/[^<]*)</cwd>"),
    re.compile(r"current working directory[^/\n]{0,40}(/[^\s`'\"<]*)", re.IGNORECASE),
)
"""How the CLIs tell the model where they work."""

_ANTHROPIC_ERRORS: dict[str, tuple[int, str, str]] = {
    "rate_limit": (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    "usage_limit": (
        429,
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
    ),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "server_error": (500, "api_error", "Internal server error"),
    "invalid_key": (401, "authentication_error", "invalid x-api-key"),
    "forbidden": (403, "permission_error", "Your API key does not have permission to use the specified resource."),
    "no_credit": (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
    ),
    "spend_limit": (
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on {until}.",
    ),
    "prompt_too_long": (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
    "no_model": (404, "not_found_error", "model: none"),
}
_RESPONSES_ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for requests"),
    "usage_limit": (429, "usage_limit_reached", None, "The usage limit has been reached"),
    "overloaded": (503, "server_error", "server_is_overloaded", "The server is overloaded"),
    "server_error": (500, "server_error", None, "Internal server error"),
    "invalid_key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "forbidden": (403, "invalid_request_error", "forbidden", "You are not allowed to use this model."),
    "no_credit": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "spend_limit": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "prompt_too_long": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "Your input exceeds the context window of this model.",
    ),
    "no_model": (404, "invalid_request_error", "model_not_found", "The model `none` does not exist"),
}


def read(dialect: Literal["anthropic", "responses"], body: Json) -> Asked:
    """Return what *body* asks for."""
    return _read_anthropic(body) if dialect == "anthropic" else _read_responses(body)


def events(asked: Asked, turn: Turn) -> list[Event]:
    """Return the streamed form of *turn*."""
    if asked.dialect == "anthropic":
        return list(_anthropic_events(asked, turn))
    return list(_responses_events(asked, turn))


def plain(asked: Asked, turn: Turn) -> Json:
    """Return the form of *turn* for a caller that did not ask for a stream."""
    if asked.dialect == "anthropic":
        return _anthropic_message(asked, turn)
    response: Json = events(asked, turn)[-1][1]["response"]
    return response


def error(
    dialect: Literal["anthropic", "responses"], failure: Failure, *, subscription: bool
) -> tuple[int, Json, dict[str, str]]:
    """Return status, body and headers of an HTTP *failure*.

    *subscription*: the caller came with a login, not a key. Only then does Anthropic's usage limit carry the
    `anthropic-ratelimit-unified-*` headers, from which claude makes its `rate_limit_event`.
    """
    resets_at = int(time.time()) + failure.resets_in_seconds
    headers: dict[str, str] = {}
    if dialect == "anthropic":
        status, kind, message = _ANTHROPIC_ERRORS[failure.kind]
        message = message.format(until=time.strftime("%Y-%m-%d at %H:%M UTC", time.gmtime(resets_at)))
        body: Json = {"type": "error", "error": {"type": kind, "message": message}}
        if failure.kind == "usage_limit":
            headers["retry-after"] = str(failure.resets_in_seconds)
        if failure.kind == "usage_limit" and subscription:
            unified = "anthropic-ratelimit-unified"
            headers |= {
                f"{unified}-status": "rejected",
                f"{unified}-reset": str(resets_at),
                f"{unified}-representative-claim": "five_hour",
                f"{unified}-overage-status": "rejected",
            }
    else:
        status, kind, code, message = _RESPONSES_ERRORS[failure.kind]
        body = {"error": {"message": message, "type": kind} | ({"code": code} if code else {})}
        if failure.kind == "usage_limit":
            body["error"] |= {
                "plan_type": "pro",
                "resets_at": resets_at,
                "resets_in_seconds": failure.resets_in_seconds,
            }
    return status, body, headers | dict(failure.headers)


# Reading


def _read_anthropic(body: Json) -> Asked:
    exchanges: list[tuple[Any, str]] = [("system", text_in(body.get("system")))]
    for message in body.get("messages") or []:
        content = message.get("content")
        if message.get("role") == "assistant" or isinstance(content, str):
            exchanges.append((message.get("role", "user"), text_in(content)))
            continue
        for block in content or []:
            result = block.get("type") == "tool_result"
            exchanges.append(("tool", text_in(block.get("content"))) if result else ("user", text_in(block)))
    tools = {tool.get("name", ""): tool for tool in body.get("tools") or []}
    forced = body.get("tool_choice") or {}
    answer_tool = forced.get("name") if forced.get("type") == "tool" else None
    if "StructuredOutput" in tools:  # claude --json-schema
        answer_tool = "StructuredOutput"
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    schema = tools[answer_tool].get("input_schema") if answer_tool in tools else wanted.get("schema")
    return Asked(
        dialect="anthropic",
        model=body.get("model") or "",
        stream=bool(body.get("stream")),
        exchanges=exchanges,
        tools=tools,
        schema=schema,
        answer_tool=answer_tool,
    )


def _read_responses(body: Json) -> Asked:
    exchanges: list[tuple[Any, str]] = [("system", body.get("instructions") or "")]
    tools = _offered(body.get("tools"))
    items = body.get("input") or []
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": items}]
    in_turn = False  # neighbouring assistant items are one turn
    for item in items:
        kind, role = item.get("type", "message"), item.get("role", "user")
        if kind == "additional_tools":  # codex sends its tools along with the input
            tools |= _offered(item.get("tools"))
        elif kind == "message" and role != "assistant":
            in_turn = False
            exchanges.append(("system" if role in ("developer", "system") else "user", text_in(item.get("content"))))
        elif kind.endswith("_output"):
            in_turn = False
            exchanges.append(("tool", text_in(item.get("output"))))
        elif not in_turn:
            in_turn = True
            exchanges.append(("assistant", text_in(item.get("content"))))
    return Asked(
        dialect="responses",
        model=body.get("model") or "",
        stream=bool(body.get("stream")),
        exchanges=exchanges,
        tools=tools,
        schema=((body.get("text") or {}).get("format") or {}).get("schema"),
        answer_tool=None,
    )


def _offered(tools: Sequence[Json] | None) -> dict[str, Json]:
    offered: dict[str, Json] = {}
    for tool in tools or []:
        if tool.get("type") == "namespace":
            offered |= {f"{tool['name']}/{inner['name']}": inner for inner in tool.get("tools") or []}
        else:
            offered[tool.get("name") or tool.get("type", "")] = tool
    return offered


def text_in(content: Any) -> str:
    """Return all text inside a content value of either API."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return str(content.get("text") or "") or text_in(content.get("content"))
    return "\n".join(filter(None, map(text_in, content or [])))


# Tool calls


def tool_calls(asked: Asked, turn: Turn) -> tuple[str, list[tuple[str, Json | str]]]:
    """Return the turn's text and its tool calls, in terms of the tools the agent offers."""
    text = turn.text
    calls: list[tuple[str, Json | str]] = []
    for action in turn.actions:
        if isinstance(action, Answer) and asked.answer_tool is None:
            text = json.dumps(action.value)
        else:
            calls += _call(asked, action)
    return text, calls


def _call(asked: Asked, action: Action) -> list[tuple[str, Json | str]]:
    match action:
        case CallTool(name=name, input=arguments):
            return [(name, arguments)]
        case Answer(value=value):
            return [(str(asked.answer_tool), value)]
        case Shell(command=command):
            return [_shell_call(asked, command)]
        case Write(path=path, content=content):
            return _write_calls(asked, path, content)


def _shell_call(asked: Asked, command: str) -> tuple[str, Json | str]:
    if code := _code_tool(asked):
        return code, _nested("exec_command", {"cmd": command, "yield_time_ms": 30000})
    tool = _find(asked, "Bash", "bash", "exec_command", "shell_command", "run_shell_command", "shell") or "Bash"
    if tool.endswith("exec_command"):
        return tool, {"cmd": command}
    if tool == "shell":
        return tool, {"command": ["bash", "-lc", command]}
    schema = asked.tools.get(tool, {}).get("input_schema") or {}
    described = tool == "Bash" or "description" in (schema.get("required") or ())  # claude and opencode want one
    return tool, {"command": command} | ({"description": "scripted command"} if described else {})


def _write_calls(asked: Asked, path: str, content: str) -> list[tuple[str, Json | str]]:
    if not path.startswith("/") and (folder := _working_folder(asked)):
        path = f"{folder}/{path}"
    if tool := _find(
        asked, "write", "write_file"
    ):  # opencode, our API mode, gemini: each has its own name for the path
        properties = asked.tools[tool]["input_schema"]["properties"]
        place = next(name for name in ("path", "filePath", "file_path") if name in properties)
        return [(tool, {place: path, "content": content})]
    if _find(asked, "Write"):
        # claude refuses to replace a file it has not read; reading one that is not there yet is a harmless error
        return [("Read", {"file_path": path}), ("Write", {"file_path": path, "content": content})]
    added = "".join(f"+{line}\n" for line in content.splitlines())
    patch = f"*** Begin Patch\n*** Add File: {path}\n{added}*** End Patch\n"
    if code := _code_tool(asked):
        return [(code, _nested("apply_patch", patch))]
    if tool := _find(asked, "apply_patch"):
        return [(tool, patch if asked.tools[tool].get("type") == "custom" else {"input": patch})]
    return [_shell_call(asked, f"printf %s {shlex.quote(content)} > {shlex.quote(path)}")]


def _code_tool(asked: Asked) -> str | None:
    """Return codex's "code mode" tool: one freeform tool that takes JavaScript, with the others nested in it."""
    tool = _find(asked, "exec")
    return tool if tool and asked.tools[tool].get("type") == "custom" else None


def _nested(tool: str, arguments: Json | str) -> str:
    return f"const r = await tools.{tool}({json.dumps(arguments)}); text(r);\n"


def _find(asked: Asked, *names: str) -> str | None:
    offered = ((full, full.rpartition("/")[2]) for name in names for full in asked.tools if full.endswith(name))
    return next((full for full, last in offered if last in names), None)


def _working_folder(asked: Asked) -> str | None:
    for (_, text), hint in itertools.product(asked.exchanges, WORKING_FOLDER):
        if found := hint.search(text):
            return found.group(1).rstrip("/.,")
    return None


# Answering


def _anthropic_message(asked: Asked, turn: Turn) -> Json:
    text, calls = tool_calls(asked, turn)
    content: list[Json] = [{"type": "text", "text": text}] if text or not calls else []
    content += [{"type": "tool_use", "id": new_id("toolu_"), "name": name, "input": args} for name, args in calls]
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": turn.stop or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": turn.usage.input_tokens,
            "output_tokens": turn.usage.output_tokens,
            "cache_read_input_tokens": turn.usage.cache_read_tokens,
            "cache_creation_input_tokens": turn.usage.cache_write_tokens,
        },
    }


def _anthropic_events(asked: Asked, turn: Turn) -> Iterator[Event]:
    def event(kind: str, **fields: Any) -> Event:
        return kind, {"type": kind, **fields}

    message = _anthropic_message(asked, turn)
    opening = {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield event("message_start", message=message | opening)
    for index, block in enumerate(message["content"]):
        spoken = block["type"] == "text"
        empty: Json = {"text": ""} if spoken else {"input": {}}
        start = block | empty
        yield event("content_block_start", index=index, content_block=start)
        for piece in pieces(block["text"] if spoken else json.dumps(block["input"])):
            delta = (
                {"type": "text_delta", "text": piece} if spoken else {"type": "input_json_delta", "partial_json": piece}
            )
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=end, usage=message["usage"])
    yield event("message_stop")


def _responses_events(asked: Asked, turn: Turn) -> Iterator[Event]:
    sequence = itertools.count()

    def event(kind: str, **fields: Any) -> Event:
        return kind, {"type": kind, "sequence_number": next(sequence), **fields}

    text, calls = tool_calls(asked, turn)
    response: Json = {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "model": asked.model,
        "status": "in_progress",
        "output": [],
    }
    yield event("response.created", response=response)
    output: list[Json] = []
    if text or not calls:
        item: Json = {"type": "message", "id": new_id("msg_"), "role": "assistant"}
        yield event("response.output_item.added", output_index=0, item=item | {"status": "in_progress", "content": []})
        for piece in pieces(text):
            place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
            yield event("response.output_text.delta", **place, delta=piece)
        spoken = [{"type": "output_text", "text": text, "annotations": []}]
        output.append(item | {"status": "completed", "content": spoken})
        yield event("response.output_item.done", output_index=0, item=output[-1])
    for name, arguments in calls:
        item = _responses_call(asked, name, arguments)
        yield event("response.output_item.added", output_index=len(output), item=item)
        yield event("response.output_item.done", output_index=len(output), item=item)
        output.append(item)
    use = turn.usage
    read_in = use.input_tokens + use.cache_read_tokens + use.cache_write_tokens  # OpenAI's input includes the cache
    usage = {
        "input_tokens": read_in,
        "input_tokens_details": {"cached_tokens": use.cache_read_tokens},
        "output_tokens": use.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read_in + use.output_tokens,
    }
    yield event("response.completed", response=response | {"status": "completed", "output": output, "usage": usage})


def _responses_call(asked: Asked, name: str, arguments: Json | str) -> Json:
    namespace, _, short = name.rpartition("/")
    common = {"call_id": new_id("call_"), "status": "completed", "name": short}
    if namespace:
        common["namespace"] = namespace
    if isinstance(arguments, str) or asked.tools.get(name, {}).get("type") == "custom":
        return {"type": "custom_tool_call", "id": new_id("ctc_"), "input": arguments, **common}
    return {"type": "function_call", "id": new_id("fc_"), "arguments": json.dumps(arguments), **common}


def pieces(text: str, size: int = 40) -> list[str]:
    """Return *text* as it comes in a stream."""
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def new_id(prefix: str) -> str:
    """Return an id that nothing else has."""
    return prefix + uuid.uuid4().hex[:24]
