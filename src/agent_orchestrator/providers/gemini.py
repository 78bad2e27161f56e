"""Gemini CLI, the CLI ``gemini``.

Facts about it were measured on version 0.61.0 on Linux in November 2026 against a local model server, with a made-up
API key; recorded lines stand in ``tests/providers/recordings``. A login with a Google account could not be tried: its
texts are those that users reported in the CLI's public tracker.

What a user should know of it, seen there:

- It retries an overloaded service and a rate limit itself, ten times with up to half a minute in between, so that a
  hold begins minutes late. ``"general": {"maxAttempts": 3}`` in ``~/.gemini/settings.json`` makes that shorter; no flag
  and no variable does, and defaults for all users are read from files of root only.
- Without a named model every turn is preceded by a question to a small model, which chooses the one that answers.
- With ``GOOGLE_GEMINI_BASE_URL`` it refuses to start (exit code 41) unless its settings choose a way to log in.
- It outlives SIGTERM and SIGINT while one of its tools runs, and what its tools started outlives it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.clock import Clock, SystemClock
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import (
    SESSION_LOST,
    Briefing,
    Command,
    Ending,
    Finished,
    Limited,
    Meaning,
    Provider,
    Said,
    Spent,
    Started,
    UsedTool,
    conclusion,
    fields,
    limits,
    prices,
)

ENVIRONMENT = (
    "GEMINI_*",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_*",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_*",
    "GOOGLE_VERTEX_BASE_URL",
)
"""What the CLI documents for its own set-up (``docs/reference/configuration.md`` of its package, 0.61.0)."""

_FOLDER = "${GEMINI_CLI_HOME:-~}/.gemini"
WRITES = (f"{_FOLDER}/",)
"""Sessions, the login's renewal, an installation id."""
GUARDS = tuple(
    f"{_FOLDER}/{name}"
    for name in (".env", "settings.json", "GEMINI.md", "commands", "extensions", "policies", "skills")
)

ENCLOSING = frozenset(
    {
        "GEMINI_CLI",
        "GEMINI_CLI_IDE_AUTH_TOKEN",
        "GEMINI_CLI_IDE_PID",
        "GEMINI_CLI_IDE_SERVER_PORT",
        "GEMINI_CLI_IDE_WORKSPACE_PATH",
    }
)
"""Marks of an agent run, or of an editor's terminal, that we may ourselves be inside of."""

NO_LOGIN = 41
"""The exit code when no way to log in is chosen, or none that works; standard error says why."""

_TOOL_DETAILS = ("command", "file_path", "path", "dir_path", "pattern", "url", "query", "prompt")
_TOO_LONG = "exceeds the maximum number of tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemini:
    """The provider ``gemini``."""

    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo | None = None
    """Zone of stated times that name none. None means the machine's."""
    table: prices.Table = prices.KNOWN
    """What tokens cost where the CLI reports no dollars."""
    name: str = "gemini"
    title: str = "Gemini CLI"
    binary: str | None = "gemini"
    install: str = "npm install -g @google/gemini-cli"
    environment: tuple[str, ...] = ENVIRONMENT
    version_argv: tuple[str, ...] = ("--version",)
    is_demo: bool = False
    reports_usage: bool = True

    def command(self, briefing: Briefing) -> Command:
        """Return ``gemini`` with all permissions, its events on standard output and the prompt on standard input.

        ``--skip-trust`` because in a folder that nobody has trusted yet it exits with 55 and ignores ``--yolo``. The
        CLI has no option that adds to its system prompt, so the role is the head of the first prompt; a session that
        goes on has it already. Sessions belong to a folder: elsewhere the same id is not found.
        """
        argv = [briefing.executable, "-o", "stream-json", "--yolo", "--skip-trust"]
        if briefing.model:
            argv += ["-m", briefing.model]
        prompt = briefing.prompt
        if briefing.session:
            argv += ["--resume", briefing.session]
        elif briefing.role:
            prompt = f"{briefing.role}\n\n{prompt}"
        return Command(argv=tuple(argv), stdin=prompt, without=ENCLOSING, writes=WRITES, guards=GUARDS)

    def for_model(self, model: str) -> Provider:
        """Return itself: its lines name the model, or no price depends on it."""
        del model
        return self

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one line of ``-o stream-json`` means.

        Words come in pieces as they are streamed. A stream that breaks tells its reason in an ``error`` line and ends
        with a ``result`` that has the status ``error``, no reason, and exit code 0.
        """
        event = fields.parse(line)
        match event.get("type"):
            case "init" if session := fields.text(event.get("session_id"), 200):
                return (Started(session=session, model=fields.text(event.get("model"), 200) or None),)
            case "message" if event.get("role") == "assistant" and (words := fields.text(event.get("content"))):
                return (Said(text=words, is_part=event.get("delta") is True),)
            case "tool_use" if tool := fields.text(event.get("tool_name"), 80):
                return (UsedTool(tool=tool, detail=fields.first_line(event.get("parameters"), _TOOL_DETAILS)),)
            case "error" if event.get("severity") == "error":
                return self._failed(fields.text(event.get("message")) or "gemini gave no reason")
            case "result":
                return (*_spent(fields.mapping(event.get("stats")), self.table), *self._result(event))
            case _:
                return ()

    def _result(self, event: dict[str, object]) -> tuple[Meaning, ...]:
        """A result without a status is none; one that failed without a reason leaves the ``error`` line standing."""
        if event.get("status") == "success":
            return (Finished(ok=True, summary=""),)
        words = fields.text(fields.mapping(event.get("error")).get("message"))
        return self._failed(words) if words else ()

    def _failed(self, words: str) -> tuple[Meaning, ...]:
        """Only the text is sure to be there; the exit code is the HTTP status modulo 256 where there was one."""
        finished = Finished(ok=False, summary="", error=words)
        kind = limits.refusal(words) or (HoldKind.OVERLOADED if limits.trouble(words) else None)
        if kind is None:
            return (finished,)
        until = None if kind == HoldKind.LOGIN else limits.reset_time(words, self.clock.now(), self.zone)
        return (Limited(kind=kind, until=until, text=words[: fields.DETAIL_LIMIT]), finished)

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended. Exit code 0 proves nothing: SIGTERM to its group ends it so in mid-work."""
        error = last.error if last is not None else ""
        if last is None and "Error resuming session" in stderr:
            return Ending(outcome=Outcome.FAILED, reason=SESSION_LOST + conclusion.tail(stderr))
        if _TOO_LONG in error:
            return Ending(outcome=Outcome.FAILED, reason=f"{SESSION_LOST}its context is full ({error})")
        if last is None and limited is None and exit_code == NO_LOGIN:
            limited = Limited(kind=HoldKind.LOGIN, until=None, text=conclusion.tail(stderr, 1) or "not logged in")
        return conclusion.concluded(exit_code, last, limited, stderr, who="gemini")

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """Say who pays, as far as files and variables show it; which of them counts is for its settings to say."""
        folder = Path(environment.get("GEMINI_CLI_HOME") or home) / ".gemini"
        found = [name for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY") if environment.get(name)]
        if (folder / "oauth_creds.json").exists():
            found.insert(0, "a Google login")
        if environment.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() == "true":
            found.insert(0, "Google Vertex AI")
        if not found and (folder / "settings.json").exists():
            return "whoever its settings.json names"
        return " or ".join(found) or "nobody (not logged in)"


def _spent(stats: dict[str, object], table: prices.Table) -> tuple[Meaning, ...]:
    """Read what this run used, model by model; a run that resumes starts at zero again.

    ``input_tokens`` includes the cached ones, ``input`` does not. What is in the total beyond input and output is what
    the model thought, which is paid like output.
    """
    models = {name: fields.mapping(model) for name, model in fields.mapping(stats.get("models")).items()}
    whole = Usage()
    for name, model in (models or {"": stats}).items():
        read, cached = fields.count(model.get("input_tokens")), fields.count(model.get("cached"))
        output = max(fields.count(model.get("output_tokens")), fields.count(model.get("total_tokens")) - read)
        used = Usage(input_tokens=max(0, read - cached), cached_tokens=cached, output_tokens=output)
        if used != Usage():
            whole = whole.plus(table.estimated(used, name))
    return () if whole == Usage() else (Spent(usage=whole, whole_session=False),)
