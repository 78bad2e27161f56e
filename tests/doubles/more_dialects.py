"""Two more wire formats beside those of `model_dialects`, and the one door to all four.

OpenAI Chat Completions (streamed and plain), as opencode 1.18.33 and aider 0.86.2 use it, and the Gemini API's
generateContent (streamed and plain), as gemini 0.61.0 uses it. The error bodies are the vendors' shapes as known in
November 2026; the services themselves may word, shape or time their errors differently.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from . import model_dialects as others
from .model_dialects import Event
from .model_scripts import Asked, Dialect, Failure, Json, Turn

DONE: Json = {"[DONE]": True}
"""Stands for the line `[DONE]` that ends a stream of Chat Completions and is no JSON."""

_GEMINI_PATH = re.compile(r"/models/(?P<model>[^/:]+):(?P<verb>streamGenerateContent|generateContent)$")

_GEMINI_ERRORS: dict[str, tuple[int, str, str, list[Json]]] = {
    "rate_limit": (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", []),
    "usage_limit": (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
        [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": "generativelanguage.googleapis.com/generate_requests_per_model_per_day",
                        "quotaId": "GenerateRequestsPerDayPerProjectPerModel",
                    }
                ],
            }
        ],
    ),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", []),
    "server_error": (500, "INTERNAL", "An internal error has occurred.", []),
    "invalid_key": (
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
        [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    ),
    "forbidden": (403, "PERMISSION_DENIED", "The caller does not have permission", []),
    "no_credit": (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
        [],
    ),
    "spend_limit": (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
        [],
    ),
    "prompt_too_long": (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        [],
    ),
    "no_model": (404, "NOT_FOUND", "models/none is not found for API version v1beta.", []),
}


def dialect(path: str) -> Dialect | None:
    """Return the API whose question for an answer goes to *path* (without its query); None for anything else."""
    if path.endswith("/v1/messages"):
        return "anthropic"
    if path.endswith("/chat/completions"):
        return "chat"
    if path.endswith("/responses"):
        return "responses"
    return "gemini" if _GEMINI_PATH.search(path) else None


def read(path: str, body: Json) -> Asked:
    """Return what *body*, sent to *path*, asks for."""
    match dialect(path):
        case "chat":
            return _read_chat(body)
        case "gemini":
            return _read_gemini(path, body)
        case "anthropic":
            return others.read("anthropic", body)
        case _:
            return others.read("responses", body)


def events(asked: Asked, turn: Turn) -> list[Event]:
    """Return the streamed form of *turn*."""
    match asked.dialect:
        case "chat":
            return [("", data) for data in _chat_chunks(asked, turn)]
        case "gemini":
            return [("", data) for data in _gemini_chunks(asked, turn)]
        case _:
            return others.events(asked, turn)


def plain(asked: Asked, turn: Turn) -> Json:
    """Return the form of *turn* for a caller that did not ask for a stream."""
    match asked.dialect:
        case "chat":
            return _chat_completion(asked, turn)
        case "gemini":
            return _gemini_response(asked, turn)
        case _:
            return others.plain(asked, turn)


def error(dialect: Dialect, failure: Failure, *, subscription: bool) -> tuple[int, Json, dict[str, str]]:
    """Return status, body and headers of an HTTP *failure*; see `model_dialects.error`."""
    match dialect:
        case "chat":  # OpenAI words its errors alike in both of its APIs
            return others.error("responses", failure, subscription=subscription)
        case "gemini":
            status, name, message, details = _GEMINI_ERRORS[failure.kind]
            found = {"code": status, "message": message, "status": name} | ({"details": details} if details else {})
            return status, {"error": found}, dict(failure.headers)
        case _:
            return others.error(dialect, failure, subscription=subscription)


def broken(dialect: Dialect) -> Event:
    """Return the error that stands in the middle of a stream when the service is overloaded."""
    match dialect:
        case "chat":
            return "", {"error": {"message": "The server is overloaded", "type": "server_error"}}
        case "gemini":
            _, name, message, _ = _GEMINI_ERRORS["overloaded"]
            return "", {"error": {"code": 503, "message": message, "status": name}}
        case _:
            return "error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def wire(event: Event) -> bytes:
    """Return *event* as bytes of a stream of server-sent events."""
    name, data = event
    if data is DONE:
        return b"data: [DONE]\n\n"
    head = f"event: {name}\n" if name else ""
    end = "\r\n\r\n" if "usageMetadata" in data else "\n\n"  # the Gemini API ends its lines with CR LF
    return f"{head}data: {json.dumps(data)}{end}".encode()


# OpenAI Chat Completions


def _read_chat(body: Json) -> Asked:
    exchanges: list[tuple[Any, str]] = []
    for message in body.get("messages") or []:
        role = {"developer": "system"}.get(message.get("role", "user"), message.get("role", "user"))
        exchanges.append((role, others.text_in(message.get("content"))))
    tools = {}
    for tool in body.get("tools") or []:
        function = tool.get("function") or {}
        tools[function.get("name", "")] = {**function, "input_schema": function.get("parameters") or {"properties": {}}}
    wanted = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    return Asked(
        dialect="chat",
        model=body.get("model") or "",
        stream=bool(body.get("stream")),
        exchanges=exchanges,
        tools=tools,
        schema=wanted,
        answer_tool=None,
    )


def _chat_calls(asked: Asked, turn: Turn) -> tuple[str, list[Json]]:
    text, calls = others.tool_calls(asked, turn)
    made = [
        {
            "id": others.new_id("call_"),
            "type": "function",
            "function": {"name": name, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)},
        }
        for name, arguments in calls
    ]
    return text, made


def _chat_usage(turn: Turn) -> Json:
    use = turn.usage
    read_in = use.input_tokens + use.cache_read_tokens + use.cache_write_tokens  # OpenAI's input includes the cache
    return {
        "prompt_tokens": read_in,
        "completion_tokens": use.output_tokens,
        "total_tokens": read_in + use.output_tokens,
        "prompt_tokens_details": {"cached_tokens": use.cache_read_tokens},
    }


def _chat_completion(asked: Asked, turn: Turn) -> Json:
    text, calls = _chat_calls(asked, turn)
    message: Json = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    return {
        "id": others.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": _chat_usage(turn),
    }


def _chat_chunks(asked: Asked, turn: Turn) -> Iterator[Json]:
    text, calls = _chat_calls(asked, turn)
    opening = {
        "id": others.new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked.model,
    }

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**opening, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in others.pieces(text) if text else []:
        yield chunk({"content": piece})
    for index, call in enumerate(calls):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, "tool_calls" if calls else "stop")
    yield {**opening, "choices": [], "usage": _chat_usage(turn)}
    yield DONE


# Gemini


def _read_gemini(path: str, body: Json) -> Asked:
    found = _GEMINI_PATH.search(path)
    exchanges: list[tuple[Any, str]] = []
    if instruction := body.get("systemInstruction"):
        exchanges.append(("system", others.text_in(instruction.get("parts"))))
    for content in body.get("contents") or []:
        if content.get("role") == "model":
            exchanges.append(("assistant", others.text_in(content.get("parts"))))
            continue
        for part in content.get("parts") or []:
            exchanges.append(("tool" if "functionResponse" in part else "user", others.text_in(part)))
    tools = {}
    for group in body.get("tools") or []:
        for function in group.get("functionDeclarations") or []:
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {"properties": {}}
            tools[function.get("name", "")] = {**function, "input_schema": schema}
    wanted = body.get("generationConfig") or {}
    return Asked(
        dialect="gemini",
        model=found["model"] if found else "",
        stream=bool(found and found["verb"].startswith("stream")),
        exchanges=exchanges,
        tools=tools,
        schema=wanted.get("responseJsonSchema") or wanted.get("responseSchema"),
        answer_tool=None,
    )


def _gemini_parts(asked: Asked, turn: Turn) -> list[Json]:
    text, calls = others.tool_calls(asked, turn)
    parts: list[Json] = [{"text": piece} for piece in others.pieces(text)] if text or not calls else []
    return parts + [{"functionCall": {"name": name, "args": arguments}} for name, arguments in calls]


def _gemini_answer(asked: Asked, turn: Turn, parts: list[Json], finish: str | None) -> Json:
    use = turn.usage
    read_in = use.input_tokens + use.cache_read_tokens + use.cache_write_tokens  # Google's input includes the cache
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "usageMetadata": {
            "promptTokenCount": read_in,
            "candidatesTokenCount": use.output_tokens,
            "cachedContentTokenCount": use.cache_read_tokens,
            "totalTokenCount": read_in + use.output_tokens,
        },
        "modelVersion": asked.model,
    }


def _gemini_response(asked: Asked, turn: Turn) -> Json:
    return _gemini_answer(asked, turn, _gemini_parts(asked, turn), "STOP")


def _gemini_chunks(asked: Asked, turn: Turn) -> Iterator[Json]:
    for part in _gemini_parts(asked, turn):
        yield _gemini_answer(asked, turn, [part], None)
    yield _gemini_answer(asked, turn, [{"text": ""}], "STOP")
