"""Where notices go: a command of the user's, a webhook, the desktop.

Each is bounded in time and says why it failed. They run in a thread of their
own (``runtime/vigil.py``), so no run ever waits for one.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.notice import Notice
from agent_orchestrator.domain.text import clean

COMMAND_TAKES_S = 20.0
"""Seconds a command may take; then it is killed with all of its process group."""
WEBHOOK_TAKES_S = 10.0
"""Seconds each step of talking to a webhook may take."""
REASON_LIMIT = 200
"""Characters of why it failed."""
SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
"""What a program needs to reach the user's desktop."""
SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
"""For osascript; the texts are arguments, never part of the script."""


class Sink(Protocol):
    """One way to tell somebody."""

    @property
    def name(self) -> str:
        """What it is called in the log."""
        ...

    def send(self, notice: Notice) -> str:
        """Send *notice*; return why that failed, or nothing. Never raises for trouble outside of us."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSink:
    """The setting ``notify_command``: a shell command with the notice as JSON on its standard input."""

    command: str
    folder: Path
    environment: Mapping[str, str]
    takes_s: float = COMMAND_TAKES_S
    name: str = "notify_command"

    def send(self, notice: Notice) -> str:
        """Run the command; ORCHESTRATE_NOTICE_KIND, _TITLE, _TEXT, _COMMAND, _GOAL are in its environment too."""
        variables = {f"ORCHESTRATE_NOTICE_{key.upper()}": value for key, value in as_json(notice).items()}
        return _run(
            ("/bin/sh", "-c", self.command),
            environment={**self.environment, **variables},
            takes_s=self.takes_s,
            folder=self.folder,
            stdin=json.dumps(as_json(notice)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DesktopSink:
    """The setting ``notify_desktop``: notify-send, or osascript on a Mac."""

    environment: Mapping[str, str]
    takes_s: float = COMMAND_TAKES_S
    name: str = "notify_desktop"

    def send(self, notice: Notice) -> str:
        """Show a notification."""
        path = self.environment.get("PATH")
        if found := shutil.which("notify-send", path=path):
            argv = [found, "--app-name=Agent Orchestrator", "--", notice.title, notice.text]
        elif found := shutil.which("osascript", path=path):
            argv = [found, *(word for line in SCRIPT for word in ("-e", line)), notice.title, notice.text]
        else:
            return "neither notify-send nor osascript is on PATH"
        return _run(argv, environment=self.environment, takes_s=self.takes_s, folder=Path("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSink:
    """The setting ``notify_webhook``: the notice as JSON in a POST."""

    url: str
    takes_s: float = WEBHOOK_TAKES_S
    name: str = "notify_webhook"

    def send(self, notice: Notice) -> str:
        """Post it. An answer of 300 or more is a failure; nothing is posted twice."""
        from http.client import HTTPException
        from urllib.request import Request, urlopen

        body = json.dumps(as_json(notice)).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "agent-orchestrator"}
        request = Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310 # https and http only, see checked_url
        try:
            with urlopen(request, timeout=self.takes_s):  # noqa: S310
                return ""
        except (OSError, HTTPException, ValueError) as error:
            return _short(f"{type(error).__name__}: {error}")


def checked_url(url: str) -> str:
    """Return *url* if a webhook can be called there. Raises BadInput."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput("notify_webhook is not an http or https address", hint="see: orchestrate config notify_webhook")
    return url


def as_json(notice: Notice) -> dict[str, str]:
    """Return what commands and webhooks are told. ``text`` alone is enough to show: it names what it is about."""
    told = asdict(notice)
    told.pop("key")
    told["text"] = f"{notice.title}. {notice.text} ({notice.command})"
    return {name: str(value or "") for name, value in told.items()}


def _run(argv: Sequence[str], *, environment: Mapping[str, str], takes_s: float, folder: Path, stdin: str = "") -> str:
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return _short(str(error))
    with process:
        try:
            _, said = process.communicate(stdin.encode(), timeout=takes_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"it took longer than {takes_s:.0f} s and was killed"
        _kill(process)  # what it left in the background
    last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return _short(f"exit code {process.returncode}: {last}") if process.returncode else ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _short(text: str) -> str:
    return " ".join(clean(text).split())[:REASON_LIMIT]
