"""API mode, the provider ``api``: the Anthropic Messages API, worked with by a child process of ours.

The process is ``api_child``, whose docstring has its printed vocabulary; this module starts it and reads it. What a
request costs is computed from ``prices``, because the API reports tokens only.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.clock import Clock, SystemClock
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.providers import (
    SESSION_LOST,
    Briefing,
    Command,
    Ending,
    Finished,
    Limited,
    Meaning,
    Provider,
    Question,
    Said,
    Spent,
    Started,
    UsedTool,
    api_child,
    conclusion,
    fields,
    limits,
    prices,
)

KEY = api_child.KEY
"""The variable without which it cannot work. The key is billed by use."""

MODELS: Mapping[Tier, str] = {
    Tier.LIGHT: "claude-haiku-5-5",
    Tier.STANDARD: "claude-sonnet-5-5",
    Tier.HEAVY: "claude-opus-5-5",
}
"""The newest models that the anthropic SDK 2.11 of November 2026 lists, by what a task needs."""

ALIASES = {"haiku": MODELS[Tier.LIGHT], "sonnet": MODELS[Tier.STANDARD], "opus": MODELS[Tier.HEAVY]}
"""Short names that ``claude`` knows and specialists' files use; the API wants whole ones."""

TOOLS = {
    "bash": "bash",
    "read": "read",
    "write": "write",
    "edit": "edit",
    "multiedit": "edit",
    "glob": "list",
    "ls": "list",
    "grep": "search",
}
"""The tools of the child, by the names that role files use for those of ``claude``."""

KEEPS = frozenset({"tools", "denied_tools", "max_turns"})

ENVIRONMENT = (KEY, api_child.ENDPOINT, "ANTHROPIC_CUSTOM_HEADERS", api_child.SHELL_SECONDS_VARIABLE)
ROLE_FILE = "role.md"
SCHEMA_FILE = "schema.json"
CONVERSATION_FILE = "conversation.jsonl"

_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
"""What may name a folder beside the attempt's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The provider ``api``."""

    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo | None = None
    python: str = field(default_factory=lambda: sys.executable)
    models: Mapping[Tier, str] = field(default_factory=lambda: MODELS)
    table: prices.Table = prices.KNOWN
    """What tokens cost where the CLI reports no dollars."""
    name: str = "api"
    title: str = "Anthropic API"
    binary: str | None = None
    install: str = f"set {KEY}"
    environment: tuple[str, ...] = ENVIRONMENT
    version_argv: tuple[str, ...] = ()
    is_demo: bool = False
    reports_usage: bool = True

    def command(self, briefing: Briefing) -> Command:
        """Return our own Python with the child and the prompt on standard input.

        A session is named after the run folder of the attempt that began it, and its conversation lies there, beside
        the folders of the attempts that go on in it.
        """
        known = briefing.session if briefing.session and _SESSION.fullmatch(briefing.session) else None
        session = known or briefing.run_dir.name
        conversation = briefing.run_dir.parent / session / CONVERSATION_FILE
        argv = [*self._child(), "--model", self._model(briefing.model, briefing.tier)]
        argv += ["--session", session, "--conversation", str(conversation)]
        if briefing.session:
            argv.append("--resume")
        files = {}
        if briefing.role:
            files[ROLE_FILE] = briefing.role
            argv += ["--role", str(briefing.run_dir / ROLE_FILE)]
        if briefing.max_turns:
            argv += ["--max-turns", str(briefing.max_turns)]
        if briefing.tools or briefing.denied_tools:
            argv += ["--tools", ",".join(_offered(briefing))]
        conversations = (f"{conversation.parent}/",)
        return Command(argv=tuple(argv), stdin=briefing.prompt, files=files, keeps=KEEPS, writes=conversations)

    def _child(self) -> tuple[str, ...]:
        return (self.python, "-I", str(Path(api_child.__file__)))

    def _model(self, chosen: str | None, tier: Tier) -> str:
        return ALIASES.get(chosen, chosen) if chosen else self.models[tier]

    def for_model(self, model: str) -> Provider:
        """Return itself: its lines name the model, or no price depends on it."""
        del model
        return self

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one of the child's lines means. A retry and a tool's result mean nothing to us."""
        event = fields.parse(line)
        match event.get("api"):
            case "session" if session := fields.text(event.get("id"), 200):
                return (
                    Started(
                        session=session,
                        model=fields.text(event.get("model"), 200) or None,
                        cli_version=fields.text(event.get("version"), 80) or None,
                        cwd=fields.text(event.get("cwd"), 4096) or None,
                    ),
                )
            case "text" if words := fields.text(event.get("text")).strip():
                return (Said(text=words),)
            case "tool":
                tool = fields.text(event.get("name"), 80) or "tool"
                return (UsedTool(tool=tool, detail=fields.one_line(event.get("detail"))),)
            case "usage":
                return _spent(event, self.table)
            case "limit":
                return self._limit(event)
            case "result":
                return (_finished(event),)
            case _:
                return ()

    def _limit(self, event: dict[str, object]) -> tuple[Meaning, ...]:
        """The child states a moment, not a span: a transcript may be read long after it was written."""
        try:
            kind = HoldKind(fields.text(event.get("kind"), 40))
        except ValueError:
            return ()
        text, now = fields.text(event.get("text"), fields.DETAIL_LIMIT), self.clock.now()
        until = None
        if kind is not HoldKind.LOGIN:
            until = limits.from_epoch(fields.number(event.get("until")), now) or limits.reset_time(text, now, self.zone)
        return (Limited(kind=kind, until=until, text=text or str(kind)),)

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended. An error of the API is a failed attempt; a limit is none at all."""
        error = last.error if last is not None and not last.ok else ""
        if error.startswith((api_child.GONE, api_child.FULL)):
            return Ending(outcome=Outcome.FAILED, reason=SESSION_LOST + error[: conclusion.REASON_LIMIT])
        return conclusion.concluded(exit_code, last, limited, stderr, who="the API agent")

    def ask(self, question: Question) -> Command:
        """Return the child asking once for JSON of the schema, by the API's structured output."""
        argv = (
            *self._child(),
            *("--model", self._model(question.model, Tier.STANDARD)),
            *("--schema", str(question.run_dir / SCHEMA_FILE)),
        )
        return Command(argv=argv, stdin=question.prompt, files={SCHEMA_FILE: json.dumps(question.schema)})

    def answer(self, output: str, files: Mapping[str, str]) -> str | None:
        """Return what the model answered, JSON or not: a bad answer is told to it once more, a missing one is not."""
        del files  # the schema is the only one
        found = None
        for line in output.splitlines():
            for meaning in self.read(line):
                if isinstance(meaning, Finished):
                    found = meaning.answer
        return found

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """The key pays, by use; a login of ``claude`` does not count here."""
        del home
        if not environment.get(KEY):
            return f"nobody ({KEY} is not set)"
        endpoint = environment.get(api_child.ENDPOINT)
        return f"{KEY} at {endpoint}" if endpoint else KEY


def _offered(briefing: Briefing) -> list[str]:
    """Return the child's tools that a role's lists leave; one with a pattern, such as ``Bash(git:*)``, is left out."""
    everything = sorted(set(TOOLS.values()))
    wanted = {TOOLS.get(name.casefold()) for name in briefing.tools} if briefing.tools else set(everything)
    denied = {TOOLS.get(name.casefold().partition("(")[0]) for name in briefing.denied_tools}
    return [name for name in everything if name in wanted - denied]


def _spent(event: dict[str, object], table: prices.Table) -> tuple[Meaning, ...]:
    usage = Usage(
        input_tokens=fields.count(event.get("input_tokens")),
        cached_tokens=fields.count(event.get("cache_read_tokens")),
        output_tokens=fields.count(event.get("output_tokens")),
    )
    written = fields.count(event.get("cache_write_tokens"))
    if not (usage.input_tokens or usage.cached_tokens or usage.output_tokens or written):
        return ()
    priced = table.estimated(usage, fields.text(event.get("model"), 200), cache_write_tokens=written)
    return (Spent(usage=priced, whole_session=False),)


def _finished(event: dict[str, object]) -> Finished:
    ok = event.get("ok") is True
    error = "" if ok else fields.text(event.get("error")) or "an error without words"
    answer = event.get("answer")
    return Finished(
        ok=ok,
        summary=fields.text(event.get("summary")),
        error=error,
        answer=fields.text(answer, fields.LINE_LIMIT) if ok and isinstance(answer, str) else None,
    )
