"""opencode, the CLI ``opencode``.

Facts about it were measured on version 1.18.33 on Linux in November 2026 against a local model server that speaks
OpenAI's Chat Completions; recorded lines stand in ``tests/providers/recordings``.

What a user should know of it, seen there:

- Which model works, and so who pays, is for its own configuration to say; ``-m provider/model`` beats it.
- It retries an overloaded service and a rate limit itself for about a minute and a half, and does not print anything
  meanwhile. Where the service names a time to wait (``retry-after``) it waits that long, be it hours; then our limit
  on silence ends it, and its log on standard error says why.
- With neither a login nor a key nor a configuration it asks opencode's own service for a model.
- It prints no last line: the end of its output and the exit code are the end.
- SIGTERM ends it at once; what its tools started outlives it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

KEYS = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "OPENROUTER_API_KEY",
)
"""Keys of model services that it takes from the environment, of the many that it can. ``pass_env`` adds others."""

ENVIRONMENT = ("OPENCODE_*", *KEYS)

FIXED = {"OPENCODE_DISABLE_AUTOUPDATE": "1"}  # an update in the night replaces the executable under running agents
CONFIG = "OPENCODE_CONFIG_CONTENT"
"""Configuration in a variable. It is merged with the user's files; lists, such as ``instructions``, are joined."""

_CONFIG_FOLDER = "${XDG_CONFIG_HOME:-~/.config}/opencode"
WRITES = (
    "${XDG_DATA_HOME:-~/.local/share}/opencode/",
    "${XDG_STATE_HOME:-~/.local/state}/opencode/",
    "${XDG_CACHE_HOME:-~/.cache}/opencode/",
    f"{_CONFIG_FOLDER}/",
)
"""Sessions and login, locks, programs it fetched; it also puts the types of its plug-ins beside its configuration."""
GUARDS = tuple(
    f"{_CONFIG_FOLDER}/{name}"
    for name in (
        *("opencode.json", "opencode.jsonc", "config.json", "AGENTS.md"),
        *("agent", "agents", "command", "commands", "plugin", "plugins", "tool", "tools", "skill", "skills"),
    )
)

ENCLOSING = frozenset({"OPENCODE", "OPENCODE_PID", "OPENCODE_CLIENT", "OPENCODE_SERVER_PASSWORD"})
"""Marks of an agent run that we may ourselves be inside of."""

ROLE_FILE = "role.md"
_TOOL_DETAILS = ("command", "filePath", "path", "pattern", "url", "query", "description", "name")
_GOES_ON = "tool-calls"
"""How a step ends that another one follows."""
_REQUEST_FAILED = re.compile(
    r'message="stream error".* error\.error(?:\.message)?="(?:AI_APICallError: )?(?P<words>[^"]+)"'
)
"""How its log tells of a request to the service that failed and will be tried again."""
_BROKEN = frozenset({"error", "content-filter"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCode:
    """The provider ``opencode``."""

    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo | None = None
    """Zone of stated times that name none. None means the machine's."""
    model: str | None = None
    """The model whose price estimates the cost where opencode reports none; it does not say which one it used."""
    table: prices.Table = prices.KNOWN
    """What tokens cost where the CLI reports no dollars."""
    name: str = "opencode"
    title: str = "opencode"
    binary: str | None = "opencode"
    install: str = "npm install -g opencode-ai"
    environment: tuple[str, ...] = ENVIRONMENT
    version_argv: tuple[str, ...] = ("--version",)
    is_demo: bool = False
    reports_usage: bool = True

    def command(self, briefing: Briefing) -> Command:
        """Return ``opencode run`` with all permissions, its events on standard output and the prompt on standard input.

        The role is a file of instructions, which its system prompt takes in, after those of the user's configuration,
        and reads again when a session goes on. A title of ours, because it would ask a model for one. Sessions belong
        to a folder: a session that was continued in another one was seen to work and never to end. Errors are logged on
        standard error, for nothing else tells of a service that it waits for.
        """
        argv = [briefing.executable, "run", "--format", "json", "--auto", "--print-logs", "--log-level", "ERROR"]
        if briefing.model:
            argv += ["-m", briefing.model]
        argv += ["-s", briefing.session] if briefing.session else ["--title", briefing.run_dir.name or "orchestrate"]
        environment, files = dict(FIXED), {}
        if briefing.distrusted:  # else it starts the servers and loads the plug-ins that the repository names (seen)
            environment["OPENCODE_DISABLE_PROJECT_CONFIG"] = "1"
        if briefing.role:
            files[ROLE_FILE] = briefing.role
            environment[CONFIG] = _with_instructions(
                briefing.environment.get(CONFIG, ""), str(briefing.run_dir / ROLE_FILE)
            )
        return Command(
            argv=tuple(argv),
            stdin=briefing.prompt,
            environment=environment,
            without=ENCLOSING,
            files=files,
            writes=WRITES,
            guards=GUARDS,
        )

    def for_model(self, model: str) -> Provider:
        """Return it with *model*, whose price its figures are to be estimated by."""
        return replace(self, model=model)

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one line of ``--format json`` means.

        A tool is told of once, when it has ended. A step that ends without a call of a tool is the last word, until
        another step begins.
        """
        event = fields.parse(line)
        part = fields.mapping(event.get("part"))
        match event.get("type"):
            case "step_start" if session := fields.text(event.get("sessionID"), 200):
                return (Started(session=session),)
            case "text" if words := fields.text(part.get("text")).strip():
                return (Said(text=words),)
            case "tool_use" if tool := fields.text(part.get("tool"), 80):
                given = fields.mapping(part.get("state")).get("input")
                return (UsedTool(tool=tool, detail=fields.first_line(given, _TOOL_DETAILS)),)
            case "step_finish":
                return (*self._spent(part), *_step(fields.text(part.get("reason"), 80)))
            case "error":
                return self._failed(fields.mapping(event.get("error")))
            case _:
                return ()

    def _spent(self, part: dict[str, object]) -> tuple[Meaning, ...]:
        """Each step tells its own figures; ``input`` is without what the cache held, ``output`` without thoughts.

        Writing the cache is paid like input, so it counts as input. The cost is 0 for a model whose price opencode does
        not know and for one that a subscription pays; then it is estimated, as for every agent that reports none.
        """
        tokens = fields.mapping(part.get("tokens"))
        cache = fields.mapping(tokens.get("cache"))
        used = Usage(
            input_tokens=fields.count(tokens.get("input")) + fields.count(cache.get("write")),
            cached_tokens=fields.count(cache.get("read")),
            output_tokens=fields.count(tokens.get("output")) + fields.count(tokens.get("reasoning")),
            cost_micro_usd=fields.count(fields.number(part.get("cost")) * 1_000_000 + 0.5),
        )
        if used == Usage():
            return ()
        if not used.cost_micro_usd:
            used = self.table.estimated(used, (self.model or "").rpartition("/")[2] or None)
        return (Spent(usage=used, whole_session=False),)

    def _failed(self, error: dict[str, object]) -> tuple[Meaning, ...]:
        data = fields.mapping(error.get("data"))
        name = fields.text(error.get("name"), 80)
        words = fields.text(data.get("message")) or name or "opencode gave no reason"
        finished = Finished(ok=False, summary="", error=f"{name}: {words}" if name == _FULL else words)
        kind = _kind(name, data, words)
        if kind is None:
            return (finished,)
        until = None
        if kind != HoldKind.LOGIN:
            header = fields.text(fields.mapping(data.get("responseHeaders")).get("retry-after"), 40)
            said = "\n".join((words, fields.text(data.get("responseBody")), f"retry-after: {header}"))
            until = limits.reset_time(said, self.clock.now(), self.zone)
        return (Limited(kind=kind, until=until, text=words[: fields.DETAIL_LIMIT]), finished)

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended.

        When it was ended from outside while the last of its own log is a refusal, it was waiting for the service: that
        is the limit, whatever it was ended for.
        """
        if last is None and "Session not found" in stderr:
            return Ending(outcome=Outcome.FAILED, reason=SESSION_LOST + conclusion.tail(stderr))
        if last is not None and last.error.startswith(_FULL):
            return Ending(outcome=Outcome.FAILED, reason=f"{SESSION_LOST}its context is full ({last.error})")
        waiting = _waits_for(stderr) if last is None and limited is None and (exit_code or 0) < 0 else None
        return conclusion.concluded(exit_code, last, waiting or limited, stderr, who="opencode")

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """Say who may pay, as far as files and variables show it; the model it works with decides."""
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / "opencode"
        configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
        found = [name for name in KEYS if environment.get(name)]
        if (data / "auth.json").exists():
            found.insert(0, "an opencode login")
        files = (configuration / "opencode.json", configuration / "opencode.jsonc")
        if any(environment.get(name) for name in (CONFIG, "OPENCODE_CONFIG")) or any(file.exists() for file in files):
            found.append("whoever its configuration names")
        return " or ".join(found) or "nobody (not logged in; opencode's own service may give a free model)"


_FULL = "ContextOverflowError"


def _step(reason: str) -> tuple[Meaning, ...]:
    if not reason or reason == _GOES_ON:
        return ()
    if reason in _BROKEN:
        return (Finished(ok=False, summary="", error=f"opencode's last step ended with {reason}"),)
    return (Finished(ok=True, summary=""),)


def _waits_for(stderr: str) -> Limited | None:
    """Return the limit in the last line of its log, if that is a request to the service that failed."""
    found = _REQUEST_FAILED.search(conclusion.tail(stderr, 1))
    failed = found["words"] if found else ""
    kind = limits.refusal(failed) or (HoldKind.OVERLOADED if limits.trouble(failed) else None)
    return None if kind is None else Limited(kind=kind, until=None, text=failed[: fields.DETAIL_LIMIT])


def _kind(name: str, data: dict[str, object], words: str) -> HoldKind | None:
    """Return why the service refused. A status decides, but 429 has two reasons and only the text tells them apart."""
    status = fields.count(data.get("statusCode"))
    told = limits.refusal(f"{words}\n{fields.text(data.get('responseBody'))}")
    if name == "ProviderAuthError" or status in (401, 403):
        return HoldKind.LOGIN
    if told == HoldKind.USAGE_LIMIT:
        return told
    if status == 429:
        return HoldKind.RATE_LIMIT
    if status >= 500:
        return HoldKind.OVERLOADED
    if status or name == _FULL:
        return None  # 400, 404, 413: the request is at fault, and waiting mends nothing
    return told or (HoldKind.OVERLOADED if limits.trouble(words) else None)


def _with_instructions(configuration: str, file: str) -> str:
    """Return the user's *configuration* with *file* as one more file of instructions.

    A configuration that is no JSON object stays as it is, so that opencode itself says what is wrong with it.
    """
    found = fields.parse(configuration or "{}")
    if configuration and not found:
        return configuration
    return json.dumps({**found, "instructions": [*fields.sequence(found.get("instructions")), file]})
