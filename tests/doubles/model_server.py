"""A scripted stand-in for the model services, so that real agent CLIs run whole sessions on loopback.

    with ModelServer() as server:
        server.when("Add the parser", [
            Turn(actions=[Write(path="parser.py", content="..."), Shell(command="git commit -qam parser")]),
            Turn(text="Done."),
        ])
        ...run claude or codex against server.url...
        assert server.requests[-1].scenario == "Add the parser"

Which scenario answers is decided by the prompt: the newest user text with a marker `[[stub:NAME]]` or a matching rule.
Which of its turns: as many as the model has already had since that text. So nothing is kept between requests (but the
counts for `Failure.times`), any number of agents share one server, and a resumed session goes on where it was.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import struct
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import more_dialects as dialects
from .model_scripts import (
    Action,
    Answer,
    Asked,
    CallTool,
    Dialect,
    Failure,
    Json,
    Scenario,
    Shell,
    Turn,
    Usage,
    Write,
)

__all__ = [
    "Action",
    "Answer",
    "Asked",
    "CallTool",
    "Failure",
    "ModelServer",
    "Request",
    "Scenario",
    "Shell",
    "Turn",
    "Usage",
    "Write",
]

MARKER = re.compile(r"\[\[stub:([\w.-]+)\]\]")
NOT_SCRIPTED = Turn(text="The test has no scenario for this prompt.")
REMEMBERED_REQUESTS = 10_000
LARGEST_BODY_BYTES = 64 << 20
CLOSING_SECONDS = 10.0
"""How long close() waits for requests in flight; they are woken, so milliseconds are normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived, and what was decided about it."""

    method: str
    path: str
    """For CONNECT, the host and port that somebody wanted to reach through us."""
    asked: Asked | None = None
    """None for anything that does not ask the model (a list of models, a token count, a stray path)."""
    scenario: str | None = None
    """The name of the scenario that answered; None when no marker and no rule fitted."""
    turn: int = 0
    failure: Failure | None = None
    """The failure that was sent instead of the turn."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Json

    @property
    def prompt(self) -> str:
        """The newest user text, or nothing."""
        return self.asked.prompt if self.asked else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    name: str
    matches: Callable[[str], bool]
    answering: str | None
    scenario: Scenario


class ModelServer:
    """The scripted model service: an HTTP server on 127.0.0.1 and a free port, running while its context is entered."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._scenarios: dict[str, Scenario] = {}
        self._rules: list[_Rule] = []
        self._asked_before: Counter[tuple[str, int]] = Counter()
        self._requests: deque[Request] = deque(maxlen=REMEMBERED_REQUESTS)
        self._http = _Http(self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, name="model-server"
        )

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Base address for Anthropic's API; OpenAI's is this and `/v1`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def script(self, name: str, scenario: Scenario) -> None:
        """Let prompts with the marker `[[stub:NAME]]` be answered by *scenario*; a marker goes before any rule."""
        with self._changed:
            self._scenarios[name] = scenario

    def when(
        self,
        prompt: str | re.Pattern[str] | Callable[[str], bool],
        scenario: Scenario,
        *,
        answering: str | None = None,
        name: str | None = None,
    ) -> None:
        """Let *scenario* answer prompts that hold a string, match a pattern (search), or satisfy a predicate.

        Rules are tried in the order they were added; the first that fits wins, so put the special before the general.

        Args:
            prompt: What the user text must be like. The empty string fits every prompt.
            scenario: The turns.
            answering: Only for requests that want structured output whose schema has this top-level property.
            name: What `Request.scenario` will say; the string or pattern unless given.
        """
        if isinstance(prompt, str):
            shown, matches = prompt, lambda text: prompt in text
        elif isinstance(prompt, re.Pattern):
            shown, matches = prompt.pattern, lambda text: prompt.search(text) is not None
        else:
            shown, matches = prompt.__name__, prompt
        with self._changed:
            rule = _Rule(name=name or shown, matches=matches, answering=answering, scenario=scenario)
            self._rules.append(rule)

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests that asked the model for an answer, oldest first (the last 10,000 of any kind are kept)."""
        return tuple(request for request in self.everything if request.asked)

    @property
    def unscripted(self) -> tuple[Request, ...]:
        """Requests for an answer that no marker and no rule fitted: usually a mistake in the test."""
        return tuple(request for request in self.requests if request.scenario is None)

    @property
    def everything(self) -> tuple[Request, ...]:
        """All requests of any kind, oldest first."""
        with self._changed:
            return tuple(self._requests)

    @property
    def outside(self) -> tuple[str, ...]:
        """Hosts that somebody tried to reach with us as their proxy. They are refused."""
        return tuple(
            request.path for request in self.everything if request.method == "CONNECT" or "://" in request.path
        )

    def wait_for(
        self, wanted: Callable[[Request], bool], *, count: int = 1, timeout_seconds: float = 60.0
    ) -> tuple[Request, ...]:
        """Return the requests that are *wanted* as soon as there are *count* of them.

        Raises:
            TimeoutError: they did not come.
        """

        def found() -> tuple[Request, ...]:
            return tuple(request for request in self._requests if wanted(request))

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count, timeout_seconds):
                raise TimeoutError(f"{len(found())} of {count} requests after {timeout_seconds} s")
            return found()

    def close(self) -> None:
        """Stop listening, wake and end everything in flight, and give all sockets back.

        Raises:
            TimeoutError: a request did not end.
        """
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
        self._http.end_connections(CLOSING_SECONDS)

    def decide(self, asked: Asked) -> tuple[str | None, int, Turn]:
        """Return the scenario's name, the index of the turn, and the turn that answers *asked*."""
        with self._changed:
            scenarios, rules = dict(self._scenarios), tuple(self._rules)
        properties = (asked.schema or {}).get("properties") or {}
        for text, index in asked.prompts():
            if marks := MARKER.findall(text):
                name = marks[-1]
                return (
                    (name, index, _turn(scenarios[name], asked, index))
                    if name in scenarios
                    else (None, 0, NOT_SCRIPTED)
                )
            for rule in rules:
                if (rule.answering is None or rule.answering in properties) and rule.matches(text):
                    return rule.name, index, _turn(rule.scenario, asked, index)
        return None, 0, NOT_SCRIPTED

    def due_failure(self, name: str | None, index: int, turn: Turn) -> Failure | None:
        """Count this request for the turn, and return its failure unless that has happened often enough."""
        with self._changed:
            self._asked_before[(name or "", index)] += 1
            nth = self._asked_before[(name or "", index)]
        failure = turn.failure
        return failure if failure and (failure.times is None or nth <= failure.times) else None

    def remember(self, request: Request) -> None:
        """Add to what the test can look at."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()


def _turn(scenario: Scenario, asked: Asked, index: int) -> Turn:
    turns: Sequence[Turn] = scenario(asked) if callable(scenario) else scenario
    return turns[min(index, len(turns) - 1)]


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = True  # a test that forgets close() must not keep the interpreter
    request_queue_size = 128

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self.to_reset: set[socket.socket] = set()
        self._none_open = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._none_open:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        if request in self.to_reset:
            self.close_request(request)  # no orderly goodbye first: with SO_LINGER 0 the other side sees a reset
        else:
            super().shutdown_request(request)
        with self._none_open:
            self._open.discard(request)
            self.to_reset.discard(request)
            self._none_open.notify_all()

    def end_connections(self, timeout_seconds: float) -> None:
        self.closing.set()
        with self._none_open:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            if not self._none_open.wait_for(lambda: not self._open, timeout_seconds):
                raise TimeoutError(f"{len(self._open)} requests did not end in {timeout_seconds} s")

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # agents that are killed leave broken connections behind
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 600  # of one read or write, in seconds
    server: _Http

    def log_message(self, *_: object) -> None:
        """Say nothing: stderr belongs to the test."""

    def do_HEAD(self) -> None:
        self._send_json(200, {})

    def do_CONNECT(self) -> None:
        self._remember(body={})
        self._send_json(403, _not_here("This test has no network."))

    def do_GET(self) -> None:
        self._remember(body={})
        if self.path.partition("?")[0].endswith("/models"):
            self._send_json(200, {"object": "list", "data": [], "models": []})
        else:
            self._send_json(404, _not_here("not found"))

    def do_POST(self) -> None:
        raw = self._read_body()
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = None
        path = self.path.partition("?")[0]
        if dialects.dialect(path) is None or not isinstance(body, dict):
            self._remember(body=body if isinstance(body, dict) else {})
            if path.endswith("/count_tokens"):
                self._send_json(200, {"input_tokens": max(1, len(raw) // 4)})
            else:
                self._send_json(404, _not_here("not found"))
            return
        asked = dialects.read(path, body)
        name, index, turn = self.server.model.decide(asked)
        failure = self.server.model.due_failure(name, index, turn)
        self._remember(body=body, asked=asked, scenario=name, turn=index, failure=failure)
        while turn.hold and not turn.hold.wait(0.05):
            if self.server.closing.is_set():
                self.close_connection = True
                return
        self._answer(asked, turn, failure)

    def _answer(self, asked: Asked, turn: Turn, failure: Failure | None) -> None:
        kind = failure.kind if failure else None
        if kind == "drop":
            self._reset()
        elif kind == "hang":
            self._wait_for_hangup()
        elif failure and kind not in ("drop_mid", "hang_mid", "overloaded_mid"):
            subscription = "authorization" in self.headers
            self._send_json(*dialects.error(asked.dialect, failure, subscription=subscription))
        elif not asked.stream:
            self._send_json(200, dialects.plain(asked, turn), turn.headers)
        else:
            self._stream(asked.dialect, dialects.events(asked, turn), turn.headers, kind)

    def _stream(
        self, dialect: Dialect, events: list[dialects.Event], headers: Mapping[str, str], kind: str | None
    ) -> None:
        self.send_response(200)
        for name, value in {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for event in events[: len(events) // 2] if kind else events:
            piece = dialects.wire(event)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if kind == "overloaded_mid":
            piece = dialects.wire(dialects.broken(dialect))
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(piece), piece))
        elif kind == "drop_mid":
            self._reset()
        elif kind == "hang_mid":
            self._wait_for_hangup()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _send_json(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _reset(self) -> None:
        """Close so that the other side sees a reset, as from a failing network."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.to_reset.add(self.connection)

    def _wait_for_hangup(self) -> None:
        self.close_connection = True
        self.connection.settimeout(0.05)
        while not self.server.closing.is_set():
            try:
                if not self.connection.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _read_body(self) -> bytes:
        if "chunked" not in (self.headers.get("transfer-encoding") or ""):
            return self.rfile.read(min(int(self.headers.get("content-length") or 0), LARGEST_BODY_BYTES))
        data = b""
        while (size := int(self.rfile.readline().split(b";")[0] or b"0", 16)) and len(data) < LARGEST_BODY_BYTES:
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _remember(self, *, body: Json, **decided: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=self.path, headers=headers, body=body, **decided)
        self.server.model.remember(request)


def _not_here(message: str) -> Json:
    return {"type": "error", "error": {"type": "not_found_error", "message": message}}
