"""The agent of API mode: a process like every agent, with the model behind the Anthropic Messages API.

It reads its prompt on standard input and works in its current directory until the model ends its turn without asking
for a tool. It keeps the conversation in a file, so that a later attempt can go on in it. This module is the only one
that imports the ``anthropic`` SDK, whose import takes about a second.

Its standard output is JSON lines; ``api`` names the kind, ``read()`` in ``api.py`` says what each means to us:

    {"api": "session", "id": …, "model": …, "cwd": …, "version": …}       once, first
    {"api": "text", "text": …}                                            the model spoke
    {"api": "tool", "name": …, "detail": …}                               it uses a tool
    {"api": "tool_result", "ok": …, "text": …}                            what came of it, cut; for who reads the log
    {"api": "usage", "model": …, "input_tokens": …, "cache_read_tokens": …, "cache_write_tokens": …,
                     "output_tokens": …}                                  one request's tokens; they add up
    {"api": "retry", "text": …}                                           a broken stream is asked for again
    {"api": "limit", "kind": …, "until": …, "text": …}                    refused for now; epoch seconds or null
    {"api": "result", "ok": …, "summary": …, "error": …, "answer": …}     once, last

With ``--schema`` it does no work: it asks once for JSON of that schema and gives it as ``answer``.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from argparse import Namespace

    from anthropic import Anthropic

    from agent_orchestrator.providers.api_tools import Toolbox

KEY = "ANTHROPIC_API_KEY"
ENDPOINT = "ANTHROPIC_BASE_URL"
ENDPOINT_DEFAULT = "https://api.anthropic.com"
SHELL_SECONDS_VARIABLE = "BASH_TOOL_TIMEOUT_SECONDS"
CONTEXT_VARIABLE = "ORCHESTRATE_CONTEXT"
"""The goal's context view, which the prompt asks the agent to write results into."""

GONE = "its conversation is gone"
FULL = "its context is full"
"""How the errors begin after which the conversation cannot be continued."""

MAX_TURNS = 200
"""Requests of one attempt: a bound on a model that goes round in circles, far above a task's need."""
MAX_OUTPUT_TOKENS = 32_000
"""Of one request. A large file fits, and every model of the table allows it."""
RETRIES = 4
"""The SDK's own, for 5xx and lost connections. Its pauses double from half a second: some 8 seconds of trouble."""
LONGEST_PAUSE_S = 20.0
"""A service that asks for a longer pause than this is a limit: the orchestrator waits, not a process."""
STREAM_TRIES = 3
"""How often a request is begun whose stream broke off; the SDK does not repeat those."""
STREAM_SILENCE_S = 180.0
"""Without a byte for so long, pings included, a stream is dead. The same as for claude."""
LOGGED_CHARS = 2_000
CUT_OFF = "This call was cut off because your answer became too long. Do it in smaller pieces."


class Ended(Exception):
    """The attempt cannot go on; everything was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What an error of the API amounts to."""

    text: str
    kind: str | None = None
    """A HoldKind's value when waiting, or a person, mends it. None: this attempt failed."""
    until: float | None = None
    """Epoch seconds, when the service said so."""


class Conversation:
    """The messages so far, one JSON line each in a file that outlives the attempt."""

    def __init__(self, file: Path) -> None:
        """Keep the conversation in *file*."""
        self.file = file
        self.messages: list[dict[str, Any]] = []

    def load(self) -> bool:
        """Read what is kept; say whether it can be gone on with. A last line that was cut short never happened."""
        try:
            lines = self.file.read_text(encoding="utf-8").split("\n")
            self.messages = [json.loads(line) for line in lines[:-1]]
        except (OSError, ValueError):
            return False
        if lines[-1]:
            self.file.write_text("".join(line + "\n" for line in lines[:-1]), encoding="utf-8")
        return bool(self.messages) and all(isinstance(one, dict) for one in self.messages)

    def add(self, role: str, content: Sequence[Mapping[str, Any]]) -> None:
        """Append a message."""
        message = {"role": role, "content": list(content)}
        self.messages.append(message)
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(json.dumps(message) + "\n")

    def ask(self, prompt: str) -> None:
        """Append what we say; calls that a dead process left without an answer get one, as the API demands."""
        last: dict[str, Any] = self.messages[-1] if self.messages else {"role": "user", "content": []}
        calls = [block for block in last["content"] if block.get("type") == "tool_use"]
        broken = [
            _result(call["id"], "The process that ran this ended; look what came of it.", ok=False) for call in calls
        ]
        self.add("user", [*(broken if last["role"] == "assistant" else []), {"type": "text", "text": prompt}])

    def marked(self) -> list[dict[str, Any]]:
        """Return the messages with a cache mark on the last block, so that the next request pays a tenth for them."""
        *before, last = self.messages
        *blocks, block = last["content"]
        if block.get("type") in {"text", "tool_result"}:
            block = {**block, "cache_control": {"type": "ephemeral"}}
        return [*before, {**last, "content": [*blocks, block]}]


def main() -> int:
    """Work as the arguments say; 0 when the model ended by itself."""
    import argparse

    parser = argparse.ArgumentParser(description="The agent of API mode; started by orchestrate.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--conversation", type=Path, metavar="FILE", help="where the conversation is kept")
    parser.add_argument("--session", default="", help="the conversation's name, as it is told")
    parser.add_argument("--resume", action="store_true", help="go on in the conversation")
    parser.add_argument("--role", type=Path, metavar="FILE", help="what the specialist is, for the system prompt")
    parser.add_argument("--max-turns", type=int, default=MAX_TURNS, metavar="N")
    parser.add_argument("--tools", metavar="NAME,…", help="offer these tools only; none when it is empty")
    parser.add_argument("--schema", type=Path, metavar="FILE", help="only answer, in JSON of this schema")
    given = parser.parse_args()
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        if given.schema is not None:
            return _answer(given.model, prompt, json.loads(given.schema.read_text(encoding="utf-8")))
        return _work(given, prompt)
    except Ended:
        return 1


def _work(given: "Namespace", prompt: str) -> int:
    from agent_orchestrator.providers.api_tools import Toolbox, definitions

    conversation = Conversation(given.conversation)
    if given.resume and not conversation.load():
        _fail(f"{GONE} ({given.conversation.name} of {given.session})")
    root = Path.cwd()
    _tell("session", id=given.session, model=given.model, cwd=str(root), version=_version())
    conversation.ask(prompt)
    view = os.environ.get(CONTEXT_VARIABLE)
    seconds = _shell_seconds(os.environ.get(SHELL_SECONDS_VARIABLE, ""))
    offered = [one for one in definitions(seconds) if given.tools is None or one["name"] in given.tools.split(",")]
    tools = Toolbox(
        root=root,
        also=(Path(view),) if view else (),
        shell_seconds=seconds,
        offered=frozenset(str(one["name"]) for one in offered),
    )
    role = given.role.read_text(encoding="utf-8", errors="replace") if given.role else ""
    request = {
        "model": given.model,
        "max_tokens": MAX_OUTPUT_TOKENS,
        "system": [{"type": "text", "text": _system(root, role), "cache_control": {"type": "ephemeral"}}],
        **({"tools": offered} if offered else {}),
    }
    client = _client()
    said, left = None, max(1, given.max_turns)
    while said is None and left:
        said, left = _take_turn(client, request, conversation, tools), left - 1
    if said is None:
        _fail(f"it was not done after {given.max_turns} turns")
    _tell("result", ok=True, summary=said)
    return 0


def _take_turn(
    client: "Anthropic", request: Mapping[str, Any], conversation: Conversation, tools: "Toolbox"
) -> str | None:
    """Let the model speak once and do what it asks for; return its last words when it asks for nothing more."""
    message = _ask(client, {**request, "messages": conversation.marked()}, aloud=True)
    if message.stop_reason == "refusal":  # kept out of the conversation: a refused turn cannot be continued
        _fail(_refused(message))
    if message.stop_reason == "model_context_window_exceeded":
        _fail(f"{FULL} (model_context_window_exceeded)")
    blocks = list(_kept(message.content))
    if blocks:
        conversation.add("assistant", blocks)
    calls = [block for block in blocks if block["type"] == "tool_use"]
    too_long = message.stop_reason == "max_tokens"
    if calls:
        cut = calls[-1] if too_long and blocks[-1] is calls[-1] else None
        conversation.add("user", [_use(tools, call, cut=call is cut) for call in calls])
        return None
    if message.stop_reason == "pause_turn":
        return None
    if too_long:
        conversation.add("user", [{"type": "text", "text": "You were cut off. Go on from there, more briefly."}])
        return None
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def _use(tools: "Toolbox", call: Mapping[str, Any], *, cut: bool) -> dict[str, Any]:
    """Run one tool and return its result for the model. An error is told to it; it never ends the attempt."""
    from agent_orchestrator.providers.api_tools import ToolProblem

    given = call["input"] if isinstance(call["input"], dict) else {}
    shown = ("command", "path", "pattern")
    _tell("tool", name=call["name"], detail=next((given[key] for key in shown if isinstance(given.get(key), str)), ""))
    try:
        if cut:
            raise ToolProblem(CUT_OFF)
        text, ok = tools.use(call["name"], given), True
    except ToolProblem as problem:
        text, ok = str(problem), False
    _tell("tool_result", ok=ok, text=text[:LOGGED_CHARS])
    return _result(call["id"], text, ok=ok)


def _result(call: str, text: str, *, ok: bool) -> dict[str, Any]:
    # Lone surrogates come from file names that are no UTF-8; no request can carry them.
    words = text.encode("utf-8", "replace").decode() or "(nothing)"
    found: dict[str, Any] = {"type": "tool_result", "tool_use_id": call, "content": [{"type": "text", "text": words}]}
    return found if ok else {**found, "is_error": True}


def _answer(model: str, prompt: str, schema: Mapping[str, Any]) -> int:
    """Ask for JSON of *schema* by the API's structured output.

    What comes back is handed on as it is, prose or half an answer too: who asked says what is wrong with it.
    """
    message = _ask(
        _client(),
        {
            "model": model,
            "max_tokens": MAX_OUTPUT_TOKENS,
            "messages": [{"role": "user", "content": prompt}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
        },
        aloud=False,
    )
    if message.stop_reason == "refusal":
        _fail(_refused(message))
    _tell("result", ok=True, answer="".join(block.text for block in message.content if block.type == "text"))
    return 0


def _ask(client: "Anthropic", request: Mapping[str, Any], *, aloud: bool) -> Any:
    """Return the model's message, streamed. With *aloud* its texts are told as they come.

    Raises:
        Ended: the API refused or failed; it was told.
    """
    import anthropic
    import httpx2

    for left in reversed(range(STREAM_TRIES)):
        stream = None
        try:
            with client.messages.stream(**request) as stream:
                for event in stream:
                    if aloud:
                        _tell_text(event)
                message = stream.get_final_message()
            _tell_usage(message)
            if message.stop_reason is not None:
                return message
            refusal = Refusal(text="the API's answer broke off", kind="overloaded")
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            if stream is not None:
                with suppress(AssertionError):  # it broke before it began
                    _tell_usage(stream.current_message_snapshot)
            refusal = _refusal(error)
            if stream is None:
                left = 0  # the SDK has tried again where that helps
        if not left:
            _give_up(refusal)
        _tell("retry", text=refusal.text)
        time.sleep(STREAM_TRIES - left)
    raise AssertionError("the last try returns or gives up")


def _tell_text(event: Any) -> None:
    """Tell a text of the model's once it is whole."""
    if event.type == "content_block_stop" and event.content_block.type == "text":
        _tell("text", text=event.content_block.text)


def _client() -> "Anthropic":
    """Return a client that knows the key and the endpoint of the environment, and no other source of either."""
    import anthropic

    key = os.environ.get(KEY)
    if not key:
        _give_up(Refusal(text=f"{KEY} is not set", kind="login"))
    return anthropic.Anthropic(
        api_key=key,
        base_url=os.environ.get(ENDPOINT) or ENDPOINT_DEFAULT,
        max_retries=RETRIES,
        timeout=anthropic.Timeout(STREAM_SILENCE_S, connect=10.0),
        middleware=[_impatient],
    )


def _impatient(request: Any, call_next: Callable[[Any], Any]) -> Any:
    """Keep the SDK from sleeping through a limit: it would wait for however long the service says, silently."""
    response = call_next(request)
    asks_for = _seconds(response.headers)
    if response.status_code == 429 or (asks_for is not None and asks_for > LONGEST_PAUSE_S):
        response.headers["x-should-retry"] = "false"
    return response


def _refusal(error: Exception) -> Refusal:
    """Say what an error of the SDK amounts to.

    The type in the body counts before the status: an error in the middle of a stream comes with status 200.
    Limits that an account set itself, and a used-up balance, come as 400 with words (seen in the tracker of claude,
    issues 2127 of June 2025 and 38035 of March 2026), so there the words decide.
    """
    import anthropic

    if not isinstance(error, anthropic.APIStatusError):
        return Refusal(text=f"no connection to the API: {error.__cause__ or error}", kind="overloaded")
    status, type = error.status_code, error.type or ""
    words = error.api_message or error.message
    named = " ".join(filter(None, (str(status) if status >= 400 else "", type)))
    text = f"API error {named}: {words}"[:LOGGED_CHARS]
    until = _until(error.response.headers)
    if type in {"authentication_error", "permission_error", "billing_error"} or status in {401, 402, 403}:
        return Refusal(text=text, kind="login")
    if re.search(r"credit balance", words, re.I):
        return Refusal(text=text, kind="login")
    if re.search(r"usage limits?\b|spend(?:ing)?[ _]limit", f"{words} {error.error_code}", re.I):
        return Refusal(text=text, kind="usage_limit", until=until)
    if type == "rate_limit_error" or status == 429:
        return Refusal(text=text, kind="rate_limit", until=until)
    if type == "overloaded_error" or status in {503, 529} or (until and until > time.time() + LONGEST_PAUSE_S):
        return Refusal(text=text, kind="overloaded", until=until)
    if re.search(r"prompt is too long|context (?:window|length)", words, re.I):
        return Refusal(text=f"{FULL} ({text})")
    return Refusal(text=text)


def _until(headers: Mapping[str, str]) -> float | None:
    """Return when the service says that it may be asked again, in epoch seconds."""
    seconds = _seconds(headers)
    return None if seconds is None else time.time() + seconds


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``retry-after`` asks for, given as such or as a date."""
    from email.utils import parsedate_to_datetime

    text = headers.get("retry-after", "")
    with suppress(ValueError):
        return max(0.0, float(text))
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None


def _give_up(refusal: Refusal) -> NoReturn:
    if refusal.kind is not None:
        _tell("limit", kind=refusal.kind, until=refusal.until, text=refusal.text)
    _fail(refusal.text)


def _fail(error: str) -> NoReturn:
    _tell("result", ok=False, error=error)
    raise Ended


def _refused(message: Any) -> str:
    details = message.stop_details
    category = f" ({details.category})" if details is not None and details.category else ""
    return f"the model refused{category}" + (f": {details.explanation}" if details and details.explanation else "")


def _kept(content: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield the blocks of an answer as the API takes them back: thinking unchanged, no empty texts."""
    for block in content:
        if block.type == "text":
            if block.text.strip():
                yield {"type": "text", "text": block.text}
        elif block.type == "tool_use":
            yield {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}
        else:
            yield block.model_dump(mode="json", exclude_unset=True)


def _tell_usage(message: Any) -> None:
    usage = message.usage
    _tell(
        "usage",
        model=message.model,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or 0,
        output_tokens=usage.output_tokens,
    )


def _system(root: Path, role: str) -> str:
    return (
        "You are a software developer who works alone and unattended on one task in a checkout of a project. "
        f"Working directory: {root}\n"
        "Look at the project before you change it; if its root has an AGENTS.md or CLAUDE.md, read that first and "
        "heed it. Make the smallest change that does the task well, in the project's own style, and run its tests. "
        "Nobody reads along or answers: decide yourself, and end when the task is done.\n\n" + role
    ).strip()


def _shell_seconds(text: str) -> float:
    from agent_orchestrator.providers.api_tools import SHELL_SECONDS

    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds < 1e6:
            return seconds
    return SHELL_SECONDS


def _version() -> str:
    import anthropic

    return f"anthropic {anthropic.__version__}"


def _tell(kind: str, /, **what: object) -> None:
    sys.stdout.write(json.dumps({"api": kind} | what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2]))  # started with -I, which knows only what is installed
    raise SystemExit(main())
