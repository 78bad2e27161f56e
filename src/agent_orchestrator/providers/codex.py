"""Codex, the CLI ``codex``.

Facts about it were measured on version 0.169.0 on Linux in November 2026 against a local model server; recorded lines
stand in ``tests/providers/recordings``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from uuid import RFC_4122, UUID

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
    Question,
    Said,
    SessionLog,
    Spent,
    Started,
    UsedTool,
    conclusion,
    fields,
    limits,
    prices,
)

ENVIRONMENT = (
    "CODEX_HOME",
    "CODEX_API_KEY",
    "CODEX_CA_CERTIFICATE",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "OPENAI_PROJECT",
    "AZURE_OPENAI_*",
)

_HOME = "${CODEX_HOME:-~/.codex}"
WRITES = (f"{_HOME}/",)
"""Sessions, the login's renewal, logs."""
GUARDS = tuple(
    f"{_HOME}/{name}" for name in ("config.toml", "AGENTS.md", "AGENTS.override.md", "prompts", "rules", "skills")
)

ENCLOSING = frozenset({"CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_THREAD_ID"})
"""Marks of an agent run that we may ourselves be inside of."""

ROLE_LIMIT = 32 * 1024
"""Bytes of a role that still travel as an argument. One argument may have 128 KiB on Linux; escaping can double it."""

TIME_ORDERED = 7
"""Version of the UUIDs that codex names its threads by: their first 48 bits are when it began, in milliseconds."""

SCHEMA_FILE = "schema.json"
ANSWER_FILE = "answer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codex:
    """The provider ``codex``."""

    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo | None = None
    """Zone of stated times, which codex prints without one. None means the machine's."""
    model: str | None = None
    """The model to use where a briefing names none, and whose price estimates the cost: codex prints no dollars and
    does not say which model it used. None leaves the choice to codex and prices at the dearest known."""
    table: prices.Table = prices.KNOWN
    """What tokens cost where the CLI reports no dollars."""
    sessions: Path | None = None
    """The folder in which it writes its sessions down, ``$CODEX_HOME/sessions``. None: they are not looked at."""
    name: str = "codex"
    title: str = "Codex"
    binary: str | None = "codex"
    install: str = "npm install -g @openai/codex"
    environment: tuple[str, ...] = ENVIRONMENT
    version_argv: tuple[str, ...] = ("--version",)
    is_demo: bool = False
    reports_usage: bool = True

    def command(self, briefing: Briefing) -> Command:
        """Return ``codex exec``, or ``codex exec resume``, without a sandbox and with the prompt on standard input.

        The role is a developer message when short, else the head of the prompt. A session that goes on has it already
        (seen in the request body). ``resume`` knows no ``-C``; the process's working directory counts.
        """
        argv = [briefing.executable, "exec"]
        argv += ["resume"] if briefing.session else []
        argv += ["--json", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check"]
        argv += [] if briefing.session else ["-C", str(briefing.workspace)]
        model = briefing.model or self.model
        if model:
            argv += ["-m", model]
        prompt = briefing.prompt
        if briefing.role and not briefing.session:
            if len(briefing.role.encode("utf-8", "replace")) <= ROLE_LIMIT:
                argv += ["-c", "developer_instructions=" + toml_string(briefing.role)]
            else:
                prompt = f"{briefing.role}\n\n{prompt}"
        if briefing.session:
            argv.append(briefing.session)
        argv.append("-")
        return Command(argv=tuple(argv), stdin=prompt, without=ENCLOSING, writes=WRITES, guards=GUARDS)

    def for_model(self, model: str) -> Provider:
        """Return it with *model*, whose price its figures are to be estimated by."""
        return replace(self, model=model)

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one line of ``codex exec --json`` means.

        ``error`` is not the end: a run that prints "Reconnecting... 1/5" can end well. Only ``turn.completed`` and
        ``turn.failed`` are last words.
        """
        event = fields.parse(line)
        match event.get("type"):
            case "thread.started" if session := fields.text(event.get("thread_id"), 200):
                return (Started(session=session),)
            case "item.started" | "item.completed" as when:
                return _item(fields.mapping(event.get("item")), is_start=when == "item.started")
            case "turn.completed":
                spent = self._spent(fields.mapping(event.get("usage")))
                return (*((spent,) if spent else ()), Finished(ok=True, summary=""))
            case "turn.failed":
                return self._failed(fields.mapping(event.get("error")))
            case _:
                return ()

    def session_log(self, session: str) -> SessionLog | None:
        """Return where codex writes the thread down: ``YYYY/MM/DD/rollout-TIME-ID.jsonl``, of the day it began.

        The id tells when that was, and the folder has the date of the machine's zone. A thread that goes on stays in
        its file (measured).
        """
        try:
            id = UUID(session)
        except ValueError:
            return None
        if self.sessions is None or id.version != TIME_ORDERED or id.variant != RFC_4122:
            return None
        began = datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
        days = (began + timedelta(days=off) for off in (0, -1, 1))
        return SessionLog(folders=tuple(self.sessions / f"{day:%Y/%m/%d}" for day in days), ending=f"-{id}.jsonl")

    def read_log(self, line: str) -> Spent | None:
        """Return the tokens of the whole thread from a ``token_count``, which codex writes after each answer."""
        if '"token_count"' not in line:  # most lines are long and something else
            return None
        told = fields.mapping(fields.parse(line).get("payload"))
        if told.get("type") != "token_count":
            return None
        return self._spent(fields.mapping(fields.mapping(told.get("info")).get("total_token_usage")))

    def _spent(self, usage: dict[str, object]) -> Spent | None:
        """The figures count the whole thread, and ``input_tokens`` includes the cached ones."""
        cached = fields.count(usage.get("cached_input_tokens"))
        found = Usage(
            input_tokens=max(0, fields.count(usage.get("input_tokens")) - cached),
            cached_tokens=cached,
            output_tokens=fields.count(usage.get("output_tokens")),
        )
        if found == Usage():
            return None
        return Spent(usage=self.table.estimated(found, self.model), whole_session=True)

    def _failed(self, error: dict[str, object]) -> tuple[Meaning, ...]:
        """Codex gives text only, no status, so the text decides. Its times have no seconds: they are cut off."""
        words = fields.text(error.get("message")) or "codex gave no reason"
        finished = Finished(ok=False, summary="", error=words)
        kind = limits.refusal(words) or (HoldKind.OVERLOADED if limits.trouble(words) else None)
        if words.startswith("Missing environment variable"):  # of the key that its config names
            kind = HoldKind.LOGIN
        if kind is None:
            return (finished,)
        until = (
            None
            if kind == HoldKind.LOGIN
            else limits.reset_time(words, self.clock.now(), self.zone, cut_to_minute=True)
        )
        return (Limited(kind=kind, until=until, text=words[: fields.DETAIL_LIMIT]), finished)

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended. Signals end codex at once and without a last word."""
        error = last.error if last is not None else ""
        if last is None and ("no rollout found" in stderr or "thread/resume failed" in stderr):
            return Ending(outcome=Outcome.FAILED, reason=SESSION_LOST + conclusion.tail(stderr))
        if "ran out of room in the model's context window" in error:
            return Ending(outcome=Outcome.FAILED, reason=f"{SESSION_LOST}its context is full ({error})")
        return conclusion.concluded(exit_code, last, limited, stderr, who="codex")

    def ask(self, question: Question) -> Command:
        """Return ``codex exec`` in its read-only sandbox; schema and answer are files in the run folder."""
        argv = [question.executable, "exec", "--json", "--sandbox", "read-only", "--skip-git-repo-check"]
        argv += ["-C", str(question.run_dir)]
        model = question.model or self.model
        if model:
            argv += ["-m", model]
        argv += ["--output-schema", str(question.run_dir / SCHEMA_FILE), "-o", str(question.run_dir / ANSWER_FILE), "-"]
        return Command(
            argv=tuple(argv),
            stdin=question.prompt,
            without=ENCLOSING,
            files={SCHEMA_FILE: json.dumps(question.schema)},
        )

    def answer(self, output: str, files: Mapping[str, str]) -> str | None:
        """Return the answer file's text if it is a JSON object, else the last message's if that is one.

        Codex hands the schema to the service but does not check the answer: prose ends with exit 0 too. A turn that
        failed has no answer, whatever was said before.
        """
        candidate = files.get(ANSWER_FILE, "")
        for line in output.splitlines():
            for meaning in self.read(line):
                if isinstance(meaning, Finished) and not meaning.ok:
                    return None
                if isinstance(meaning, Said) and not files.get(ANSWER_FILE):
                    candidate = meaning.text
        return candidate.strip() if fields.parse(candidate) else None

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """Say who pays, as far as files and variables show it; what is in the files is codex's own business."""
        folder = Path(environment.get("CODEX_HOME") or home / ".codex")
        if environment.get("CODEX_API_KEY"):
            return "CODEX_API_KEY"
        if (folder / "auth.json").exists():
            return "a codex login"
        if (folder / "config.toml").exists():
            return "whoever its config.toml names"
        return "nobody (not logged in)"


def sessions_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the folder of codex's sessions for agents with this environment."""
    return Path(environ.get("CODEX_HOME") or home / ".codex") / "sessions"


def toml_string(value: str) -> str:
    """Return *value* as a TOML basic string. JSON's escapes are TOML's, but for DEL and characters beyond the BMP."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _item(item: dict[str, object], *, is_start: bool) -> tuple[Meaning, ...]:
    """Acts are told when they begin, so that a watcher sees what runs; words when they are complete."""
    match item.get("type"):
        case "agent_message" if not is_start and (words := fields.text(item.get("text")).strip()):
            return (Said(text=words),)
        case "command_execution" if is_start:
            return (UsedTool(tool="shell", detail=fields.one_line(item.get("command"))),)
        case "file_change" if is_start:
            paths = (fields.text(fields.mapping(change).get("path")) for change in fields.sequence(item.get("changes")))
            return (UsedTool(tool="edit", detail=fields.one_line(" ".join(paths))),)
        case "mcp_tool_call" if is_start:
            name = f"{fields.text(item.get('server'), 80)}.{fields.text(item.get('tool'), 80)}"
            return (UsedTool(tool=name, detail=""),)
        case "web_search" if not is_start:
            return (UsedTool(tool="search", detail=fields.one_line(item.get("query"))),)
        case _:
            return ()
