"""Claude Code, the CLI ``claude``.

Facts about it were measured on version 2.1.329 on Linux in November 2026 against a local model server; recorded lines
stand in ``tests/providers/recordings``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
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
    Question,
    RequestUsage,
    Said,
    Spent,
    Started,
    UsedTool,
    conclusion,
    fields,
    limits,
    prices,
)

FIXED = {
    "DISABLE_AUTOUPDATER": "1",  # an update in the night replaces the executable under running agents
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # with a background job alive the CLI prints its result and stays
}
"""Variables that an unattended run needs, whatever the user's environment says."""

DEFAULTS = {
    "DISABLE_TELEMETRY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_MAX_RETRIES": "6",
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "180000",
}
"""Variables set unless the user did.

Six retries: delays were measured to double from half a second, so six ride over about half a minute of trouble. The
CLI's own ten take over three minutes, in which nobody sees that the service is down; we hold the account instead.
The watchdog bounds a stream that goes silent, which no other setting did; three minutes is below the CLI's own five.
"""

ENCLOSING = frozenset(
    {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_EXECPATH"}
)
"""Marks of an agent run that we may ourselves be inside of; an agent must not take itself for part of it."""

ENVIRONMENT = (
    "ANTHROPIC_*",
    "CLAUDE_CODE_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_ENABLE_BYTE_WATCHDOG",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS",
    "API_TIMEOUT_MS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_TIMEOUT_MS",
    "DISABLE_TELEMETRY",
    "MAX_THINKING_TOKENS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
)
"""What the CLI documents for its own set-up (code.claude.com, environment variables, November 2026)."""

CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": ("Amazon Bedrock", ("AWS_*",)),
    "CLAUDE_CODE_USE_VERTEX": ("Google Vertex AI", ("GOOGLE_*", "GCLOUD_*", "CLOUD_ML_REGION", "VERTEX_REGION_*")),
    "CLAUDE_CODE_USE_FOUNDRY": ("Microsoft Foundry", ("AZURE_*",)),
}
"""Switch of each cloud back end, its name for people, and the variables that agents get only when it is on."""

ROLE_FILE = "role.md"

_FOLDER = "${CLAUDE_CONFIG_DIR:-~/.claude}"
WRITES = (f"{_FOLDER}/", "~/.claude.json", "${CLAUDE_CODE_TMPDIR}/")
"""Sessions, the login's renewal, and a file of states in the home, which it also writes in place when it may not
replace it."""
GUARDS = tuple(
    f"{_FOLDER}/{name}"
    for name in (*("settings.json", "settings.local.json", "CLAUDE.md", "hooks"), *("agents", "commands", "skills"))
)

KEEPS = frozenset({"tools", "denied_tools", "max_turns"})
"""Limits of a role that the CLI itself makes hold, also with all permissions."""
_BARE_LIMIT = re.compile(
    r"\s*(?:Claude (?:AI )?usage limit reached\s*\|\s*\d{10,13}"
    r"|(?:You['’]ve (?:hit your (?:[\w'’-]+ ){0,2}limit|run out of extra usage)|[\w -]{0,20}limit reached) [·∙] resets"
    r" [^\n]{1,60})\s*"
)
"""A limit that the CLI itself gave out as a good result. The whole text must be it: a task may be about such texts."""
_TOOL_DETAILS = ("command", "file_path", "notebook_path", "path", "pattern", "url", "query", "description", "skill")


def cloud(environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the cloud back end that *environment* switches on: its name and the variables it needs."""
    for switch, found in CLOUDS.items():
        if environment.get(switch, "").lower() not in {"", "0", "false", "no", "off"}:
            return found
    return None


def logged_in(environment: Mapping[str, str], home: Path) -> bool:
    """Say whether a claude.ai login exists: its token's variable or its file. The file is never read.

    On macOS the login may be in the keychain only, which we do not ask; then this is False.
    """
    folder = Path(environment.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    return bool(environment.get("CLAUDE_CODE_OAUTH_TOKEN")) or (folder / ".credentials.json").exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claude:
    """The provider ``claude``."""

    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo | None = None
    """Zone of stated times that name none. None means the machine's."""
    root: bool = False
    """Whether agents run as root, which the CLI refuses unless it is told that it is in a sandbox."""
    has_login: bool = False
    """Whether a claude.ai login exists; see :func:`logged_in`."""
    uses_key: bool = False
    """The user's word that ANTHROPIC_API_KEY is to be billed although there is a login."""
    table: prices.Table = prices.KNOWN
    """What tokens cost where the CLI reports no dollars."""
    name: str = "claude"
    title: str = "Claude Code"
    binary: str | None = "claude"
    install: str = "npm install -g @anthropic-ai/claude-code"
    environment: tuple[str, ...] = ENVIRONMENT
    version_argv: tuple[str, ...] = ("--version",)
    is_demo: bool = False
    reports_usage: bool = True

    def command(self, briefing: Briefing) -> Command:
        """Return ``claude -p`` with all permissions, its events on standard output and the prompt on standard input.

        The role is given again when a session goes on: the CLI keeps the conversation, not the system prompt.
        """
        argv = [briefing.executable, "-p", "--output-format", "stream-json", "--verbose"]
        argv.append("--dangerously-skip-permissions")
        if briefing.model:
            argv += ["--model", briefing.model]
        if briefing.distrusted:  # else it runs the hooks and starts the servers that the repository names (seen)
            argv += ["--setting-sources", "user", "--strict-mcp-config"]
        limits_argv, notes = _limited(briefing)
        argv += limits_argv
        files = {}
        if briefing.role:
            files[ROLE_FILE] = briefing.role
            argv += ["--append-system-prompt-file", str(briefing.run_dir / ROLE_FILE)]
        if briefing.session:
            argv += ["--resume", briefing.session]
        return Command(
            argv=tuple(argv),
            stdin=briefing.prompt,
            environment=self._variables(briefing.environment),
            without=self._withheld(briefing.environment),
            files=files,
            writes=WRITES,
            guards=GUARDS,
            keeps=KEEPS,
            notes=notes,
        )

    def _variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        chosen = {name: value for name, value in DEFAULTS.items() if name not in environment} | FIXED
        return chosen | {"IS_SANDBOX": "1"} if self.root else chosen

    def _withheld(self, environment: Mapping[str, str]) -> frozenset[str]:
        """With a login and a key the CLI bills the key, so the key goes.

        It stays when the user points at an endpoint of their own: the key is that endpoint's, and without it the CLI
        would send the login there.
        """
        keeps = self.uses_key or not self.has_login or environment.get("ANTHROPIC_BASE_URL")
        return ENCLOSING if keeps else ENCLOSING | {"ANTHROPIC_API_KEY"}

    def for_model(self, model: str) -> Provider:
        """Return itself: its lines name the model, or no price depends on it."""
        del model
        return self

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one line of ``--output-format stream-json`` means.

        There can be several ``init`` and several ``result`` lines in one run, and lines before the first ``init``.
        A retry (``api_retry``) means nothing yet: the CLI is still at it.
        """
        event = fields.parse(line)
        match event.get("type"):
            case "system":
                return _system(event)
            case "assistant":
                return _assistant(event)
            case "rate_limit_event":
                return self._rate_limit(fields.mapping(event.get("rate_limit_info")))
            case "result":
                return self._result(event)
            case _:
                return ()

    def read_request(self, line: str) -> RequestUsage | None:
        """Return what an ``assistant`` line says of its request; a message of several parts has a line for each.

        What it reads is whole there, of what it writes only the beginning (claude 2.1.329, in November 2026).
        """
        if '"usage"' not in line:
            return None
        event = fields.parse(line)
        message = fields.mapping(event.get("message"))
        request, told = fields.text(message.get("id"), 100), fields.mapping(message.get("usage"))
        if event.get("type") != "assistant" or not request or message.get("model") == "<synthetic>":
            return None
        usage = Usage(
            input_tokens=fields.count(told.get("input_tokens")),
            cached_tokens=fields.count(told.get("cache_read_input_tokens")),
            output_tokens=fields.count(told.get("output_tokens")),
        )
        model = fields.text(message.get("model"), 100)
        written = fields.count(told.get("cache_creation_input_tokens"))
        if usage == Usage() and not written:
            return None
        return RequestUsage(request=request, usage=self.table.estimated(usage, model, cache_write_tokens=written))

    def _rate_limit(self, info: dict[str, object]) -> tuple[Meaning, ...]:
        """``allowed_warning`` comes with runs that go well, and ``rejected`` with paid overage goes on too."""
        if info.get("status") != "rejected" or info.get("isUsingOverage") is True:
            return ()
        window = fields.text(info.get("rateLimitType"), 40).replace("_", " ")
        until = limits.from_epoch(fields.number(info.get("resetsAt")), self.clock.now())
        return (Limited(kind=HoldKind.USAGE_LIMIT, until=until, text=f"usage limit reached ({window or 'no window'})"),)

    def _result(self, event: dict[str, object]) -> tuple[Meaning, ...]:
        """An API error says ``subtype: success`` with ``is_error: true``, so is_error decides, then the subtype."""
        subtype = fields.text(event.get("subtype"), 80)
        words = fields.text(event.get("result"))
        error = ""
        if event.get("is_error") is True or subtype != "success":
            error = _error(event, subtype, words)
        limited = _refused(event, error, words, self.clock.now(), self.zone)
        if limited and not error:
            error = limited.text
        answer = event.get("structured_output")
        finished = Finished(
            ok=not error,
            summary="" if error else words,
            error=error,
            answer=None if error or answer is None else json.dumps(answer),
        )
        return (*_spent(event, self.table), *((limited,) if limited else ()), finished)

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended. An interrupt (SIGINT) exits 0, so the last result counts before the exit code.

        A refused login is a limit of the kind ``login``: the account waits for a person and no attempt is charged.
        """
        error = last.error if last is not None and not last.ok else ""
        said = error or ("" if last else conclusion.tail(stderr))
        if "No conversation found" in said:
            return Ending(outcome=Outcome.FAILED, reason=SESSION_LOST + said)
        if error and re.search(r"prompt is too long|prompt_too_long", error, re.I):
            return Ending(outcome=Outcome.FAILED, reason=f"{SESSION_LOST}its context is full ({error})")
        if last is None and "cannot be used with root" in said:
            return Ending(
                outcome=Outcome.FAILED,
                reason="claude refuses to work as root with full permissions; run as a normal user",
            )
        if last is None and limited is None and exit_code and limits.refusal(said) == HoldKind.LOGIN:
            limited = Limited(kind=HoldKind.LOGIN, until=None, text=said)
        return conclusion.concluded(exit_code, last, limited, stderr, who="claude")

    def ask(self, question: Question) -> Command:
        """Return ``claude -p --json-schema`` without tools and without a stored session.

        The schema travels as an argument: above 128 KiB (Linux) it cannot be started.
        """
        argv = [question.executable, "-p", "--output-format", "json", "--no-session-persistence", "--tools", ""]
        argv += ["--json-schema", json.dumps(question.schema)]
        if question.model:
            argv += ["--model", question.model]
        return Command(
            argv=tuple(argv),
            stdin=question.prompt,
            environment=self._variables(question.environment),
            without=self._withheld(question.environment),
        )

    def answer(self, output: str, files: Mapping[str, str]) -> str | None:
        """Return the last result's structured answer.

        When the model only writes prose the CLI exits 0 with success and no structured answer: then None.
        """
        del files  # it writes none
        found = None
        for line in output.splitlines():
            for meaning in self.read(line):
                if isinstance(meaning, Finished):
                    found = meaning.answer
        return found

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """Say who pays for its work, in the order in which the CLI itself chooses."""
        if back_end := cloud(environment):
            return back_end[0]
        login = logged_in(environment, home)
        if environment.get("ANTHROPIC_AUTH_TOKEN"):
            return "ANTHROPIC_AUTH_TOKEN"
        if environment.get("ANTHROPIC_API_KEY") and (
            not login or self.uses_key or environment.get("ANTHROPIC_BASE_URL")
        ):
            return "ANTHROPIC_API_KEY"
        return "a claude.ai login" if login else "nobody (not logged in)"


def _limited(briefing: Briefing) -> tuple[list[str], tuple[str, ...]]:
    """Return the arguments that make the role's limits hold, and what must be said of them.

    Seen with all permissions: ``--tools`` takes every other built-in tool away, and a name with a pattern, such as
    ``Bash(git:*)``, is not narrowed but missing; tools of MCP servers stay, unless no server is started
    (``--strict-mcp-config``); ``--disallowedTools`` takes patterns. ``--max-turns``, which the help text does not name,
    ends the run with exit code 1 and the result ``error_max_turns``.
    """
    argv: list[str] = []
    notes: list[str] = []
    if briefing.tools:
        servers = [tool for tool in briefing.tools if tool.startswith("mcp__")]
        narrowed = [tool for tool in briefing.tools if "(" in tool]
        argv += ["--tools", ",".join(tool for tool in briefing.tools if tool not in (*servers, *narrowed))]
        argv += [] if servers else ["--strict-mcp-config"]
        notes += [f"claude cannot narrow {tool}, so the role works without that tool" for tool in narrowed]
        if servers:
            notes.append("claude cannot restrict the tools of MCP servers, so the role has all that are set up")
    if briefing.denied_tools:
        argv += ["--disallowedTools", ",".join(briefing.denied_tools)]
    if briefing.max_turns is not None:
        argv += ["--max-turns", str(briefing.max_turns)]
    if briefing.max_micro_usd is not None:
        argv += ["--max-budget-usd", f"{max(briefing.max_micro_usd, 10_000) / 1_000_000:.2f}"]
    return argv, tuple(notes)


def _system(event: dict[str, object]) -> tuple[Meaning, ...]:
    match event.get("subtype"):
        case "init" if session := fields.text(event.get("session_id"), 200):
            return (
                Started(
                    session=session,
                    model=fields.text(event.get("model"), 200) or None,
                    cli_version=fields.text(event.get("claude_code_version"), 80) or None,
                    cwd=fields.text(event.get("cwd"), 4096) or None,
                ),
            )
        case "permission_denied":
            tool = fields.text(event.get("tool_name"), 80) or "tool"
            return (UsedTool(tool=tool, detail="denied: " + fields.one_line(event.get("message"))),)
        case _:
            return ()


def _assistant(event: dict[str, object]) -> tuple[Meaning, ...]:
    """A subagent's acts count as acts, but its words are not the agent's.

    An API error in the shape of a message is neither, and the result line repeats it.
    """
    message = fields.mapping(event.get("message"))
    if event.get("is_api_error_message") is True or message.get("model") == "<synthetic>":
        return ()
    is_subagent = event.get("parent_tool_use_id") is not None
    found: list[Meaning] = []
    for part in map(fields.mapping, fields.sequence(message.get("content"))):
        words = fields.text(part.get("text")).strip()
        if part.get("type") == "text" and words and not is_subagent:
            found.append(Said(text=words))
        elif part.get("type") == "tool_use":
            detail = fields.first_line(part.get("input"), _TOOL_DETAILS)
            found.append(UsedTool(tool=fields.text(part.get("name"), 80) or "tool", detail=detail))
    return tuple(found)


def _error(event: dict[str, object], subtype: str, words: str) -> str:
    """Return the readable reason of a result that is an error. Turn and budget limits stand in ``errors`` only."""
    if event.get("terminal_reason") in ("aborted_tools", "aborted_streaming"):
        return "claude was interrupted"
    listed = "; ".join(filter(None, (fields.text(each, 500) for each in fields.sequence(event.get("errors")))))
    return listed or words or subtype or "an error without words"


def _refused(event: dict[str, object], error: str, words: str, now: datetime, zone: tzinfo | None) -> Limited | None:
    """Return the limit that a result tells of. Only the API's own errors count, never what the agent wrote."""
    if not error and not _BARE_LIMIT.fullmatch(words):
        return None
    if event.get("terminal_reason") not in (None, "", "api_error"):
        return None
    said = error or words
    kind = _kind(event, said)
    if kind is None:
        return None
    until = None if kind == HoldKind.LOGIN else limits.reset_time(said, now, zone)
    return Limited(kind=kind, until=until, text=said[: fields.DETAIL_LIMIT])


def _kind(event: dict[str, object], said: str) -> HoldKind | None:
    status = fields.count(event.get("api_error_status"))
    kind = limits.refusal(said)
    if event.get("api_error") == "usage_limit_reached" or kind == HoldKind.USAGE_LIMIT:
        return HoldKind.USAGE_LIMIT
    if status == 429:
        return HoldKind.RATE_LIMIT
    if status in (401, 403):
        return HoldKind.LOGIN
    if status >= 500:
        return HoldKind.OVERLOADED
    if status:
        return None  # 400, 404, 413: the request is at fault, and waiting mends nothing
    return kind or (HoldKind.OVERLOADED if limits.trouble(said) else None)


def _spent(event: dict[str, object], table: prices.Table) -> tuple[Meaning, ...]:
    """Read ``modelUsage`` and ``total_cost_usd``, which both count from the session's beginning and with subagents.

    ``usage`` counts this run and this result only, and leaves subagents out; it is used when the other is missing.
    Writing the cache is paid like input, so it counts as input.
    """
    models = [fields.mapping(each) for each in fields.mapping(event.get("modelUsage")).values()]
    if models:
        names = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens", "outputTokens")
    else:
        models = [fields.mapping(event.get("usage"))]
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    plain, written, cached, output = (sum(fields.count(model.get(name)) for model in models) for name in names)
    usage = Usage(
        input_tokens=plain + written,
        cached_tokens=cached,
        output_tokens=output,
        cost_micro_usd=fields.count(fields.number(event.get("total_cost_usd")) * 1_000_000 + 0.5),
    )
    if not (usage.input_tokens or cached or output or usage.cost_micro_usd):
        return ()
    if not usage.cost_micro_usd:
        usage = table.estimated(usage, next(iter(fields.mapping(event.get("modelUsage"))), None))
    return (Spent(usage=usage, whole_session=True),)
