"""Every setting, once: its name, unit, default and why, and where its value came from.

A value comes from the first of: a flag of the command, the environment, the
project's ``.orchestrate/config.toml``, the user's ``config.toml``, the default.
A project's ``.env`` counts as environment for an allow-list of names only, so
that a cloned repository cannot point us at another endpoint or another file.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.domain.replan import Policy
from agent_orchestrator.domain.sandbox import SandboxMode
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.places import CONFIG_FOLDER, config_home


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()) else None
        if number is None or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}")
        return number

    return parse


def _yes_no(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be true or false")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", text) if word)


def _isolation(text: str) -> Isolation | None:
    if text in {"auto", ""}:
        return None
    try:
        return Isolation(text)
    except ValueError as error:
        raise ValueError("must be auto, checkout, worktree or shared") from error


def _sandbox(text: str) -> SandboxMode:
    try:
        return SandboxMode(text or "auto")
    except ValueError as error:
        raise ValueError("must be auto, off or strict") from error


def _optional(text: str) -> str | None:
    return text or None


_TIER_MODEL = re.compile(rf"([a-z][a-z0-9-]*\.(?:{'|'.join(Tier)}))=([A-Za-z0-9][\w.:/@\[\]+-]{{0,199}})?")


def _tier_models(text: str) -> tuple[str, ...]:
    found = {}
    for entry in _words(text):
        parts = _TIER_MODEL.fullmatch(entry)
        if parts is None:
            raise ValueError(f"must be entries like claude.light=haiku, with a tier of {', '.join(Tier)}")
        found[parts[1]] = parts[2] or ""
    return tuple(f"{name}={model}" for name, model in found.items())


_PRICE = re.compile(r"(\*|[A-Za-z0-9][\w.:/@\[\]+-]{0,199})=(\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?){2,3})")


def _prices(text: str) -> tuple[str, ...]:
    for entry in _words(text):
        if _PRICE.fullmatch(entry) is None:
            raise ValueError("must be entries like gpt-6=5/0.5/30: dollars per million tokens in, cached, out")
    return _words(text)


def _budget(text: str) -> str | None:
    if text:
        from agent_orchestrator.domain.budget import parse_budget

        try:
            parse_budget(text)
        except BadInput as error:
            raise ValueError(f"is not a budget: {error.hint}") from error
    return text or None


def _policy(text: str) -> Policy:
    try:
        return Policy(text)
    except ValueError as error:
        raise ValueError(f"must be {', '.join(Policy)}") from error


def _setting(default: Any, parse: Callable[[str], Any], about: str, *variables: str) -> Any:
    """Describe one setting. *about* is a sentence with its unit; *variables* are names it has beside ORCHESTRATE_*."""
    return field(default=default, metadata={"parse": parse, "about": about, "variables": variables})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values that hold for this command, and where each came from."""

    max_agents: int = _setting(
        3, _whole(1, 100), "How many agents run at once. Three suits a laptop and one subscription.", "MAX_AGENTS"
    )
    provider: str = _setting(
        "auto",
        str,
        "Which agents do the work: claude, codex, gemini, opencode, api, generic, demo, or auto for the first one "
        "installed; the others stand in for it where they have a login or a key.",
    )
    use_api_mode: bool = _setting(
        False,
        _yes_no,
        "Let auto mean the Anthropic API for the work, billed to ANTHROPIC_API_KEY, instead of an installed CLI.",
        "USE_API_MODE",
    )
    planner: str = _setting(
        "auto", str, "Who splits a goal: api, claude, codex, rules, or auto for the first of them that is available."
    )
    planner_seconds: int = _setting(300, _whole(1, 3600), "Seconds the planner may take before the rules plan instead.")
    isolation: Isolation | None = _setting(
        None,
        _isolation,
        "Where attempts work: checkout, worktree or shared; auto takes a checkout where git allows it.",
    )
    sandbox: SandboxMode = _setting(
        SandboxMode.AUTO,
        _sandbox,
        "How agents, set-up and checks are shut in. auto: by bubblewrap, else Landlock, else not, and it says which; "
        "strict: the home folder is hidden too, and without a sandbox nothing starts; off.",
    )
    sandbox_write: tuple[str, ...] = _setting(
        (), _words, "Further folders that may be written to in the sandbox, such as ~/.cache-of-mine/."
    )
    verify: str | None = _setting(
        None,
        _optional,
        "Shell command that checks a task's work. Empty means the project's own test command, detected.",
    )
    setup: str | None = _setting(
        None, _optional, "Shell command run in a new checkout to make it usable, such as npm ci. Empty means none."
    )
    copy: tuple[str, ...] = _setting(
        (".env",), _words, "Untracked files copied into each checkout, separated by commas."
    )
    attempt_minutes: int = _setting(
        240,
        _whole(1, 10_000),
        "Minutes one attempt may run. Four hours: a limit against endless loops, not a schedule.",
    )
    silence_minutes: int = _setting(
        15,
        _whole(1, 10_000),
        "Minutes without output, CPU use and file changes after which an agent counts as stalled.",
    )
    memory_mb: int = _setting(
        0,
        _whole(0, 10_000_000),
        "Megabytes an agent and all it starts may use together before it is ended. 0, the default, sets no limit: a "
        "build may need most of the machine.",
    )
    check_minutes: int = _setting(
        30, _whole(1, 1000), "Minutes one run of the checks may take; a test command in watch mode ends here."
    )
    max_attempts: int = _setting(
        3, _whole(1, 20), "Attempts before a task goes to a person. Usage limits and our own stops do not count."
    )
    retry_seconds: int = _setting(
        5, _whole(0, 3600), "Seconds before a failed task's second attempt; doubles each time, with jitter."
    )
    replan: Policy = _setting(
        Policy.AUTO,
        _policy,
        "Who decides on changes of a plan while it is worked on, which agents report or failed tasks ask for. auto: "
        "what is bounded goes on, the rest waits for you; ask: all of it waits for you; never: plans stay.",
    )
    replan_tasks: int = _setting(
        8,
        _whole(0, 100),
        "Tasks that may be added to one goal without asking you. Eight is a third of a usual plan of twelve split in "
        "two, and a bound on what a night can grow by.",
    )
    task_budget: str | None = _setting(
        None,
        _budget,
        "What each task of a goal may use over all its attempts, such as 2, 500k tokens or 90m. Empty means no limit.",
    )
    attempt_budget: str | None = _setting(
        None, _budget, "What one attempt may use before it is ended, written in the same way. Empty means no limit."
    )
    prices: tuple[str, ...] = _setting(
        (),
        _prices,
        "Own prices where an agent reports no dollars, as model=input/cached/output, with a fourth for cache writes, "
        "in dollars per million tokens; * is any model that is not known.",
    )
    stop_seconds: int = _setting(
        10, _whole(0, 600), "Seconds an agent gets to end after we asked it to, before it is killed."
    )
    checkpoint_seconds: int = _setting(
        60,
        _whole(0, 3600),
        "Seconds between two checkpoints of a running agent's work, which orchestrate restore brings back. A minute is "
        "what an agent that destroys its work can lose; 0 takes one only as it ends.",
    )
    checkout_days: int = _setting(
        7,
        _whole(0, 3650),
        "Days a checkout with work on no branch stays where it is; then cleanup may take it, once a checkpoint holds "
        "all of it. A week: long enough to look at what a weekend left.",
    )
    transcript_days: int = _setting(
        30,
        _whole(0, 3650),
        "Days after which cleanup may take transcripts, and checkpoints that are not needed to bring back unlanded "
        "work. A month: by then a question about a change has been asked.",
    )
    disk_gib: int = _setting(
        20,
        _whole(1, 100_000),
        "GiB that all of a project's checkouts, transcripts and checkpoints may take before cleanup takes checkpointed "
        "checkouts that are not old, the oldest first. Twenty is forty checkouts of half a GiB.",
    )
    auto_cleanup: bool = _setting(
        True,
        _yes_no,
        "Let a run free what needs nobody's consent: what is older than the two times above, or beyond disk_gib, and "
        "never work that is on no branch. What stays is said with the command that takes it.",
    )
    hold_minutes: int = _setting(
        15,
        _whole(1, 1440),
        "Minutes a provider waits after a usage limit that did not say until when; doubles up to an hour.",
    )
    generic_command: str | None = _setting(
        None,
        _optional,
        "Command of the generic provider, such as: my-agent --prompt {prompt_file} (docs/writing-a-provider.md).",
    )
    claude_model: str | None = _setting(
        None, _optional, "Model for every claude task. Empty lets the task's tier decide."
    )
    codex_model: str | None = _setting(None, _optional, "Model for every codex task. Empty lets the CLI decide.")
    gemini_model: str | None = _setting(None, _optional, "Model for every gemini task. Empty lets the CLI decide.")
    opencode_model: str | None = _setting(
        None, _optional, "Model for every opencode task, as provider/model. Empty lets its configuration decide."
    )
    generic_model: str | None = _setting(
        None,
        _optional,
        "What stands for {model} in the generic command. Empty leaves it out, with the option before it.",
    )
    api_model: str | None = _setting(
        None, _optional, "Model for every task by the API, and for its plans. Empty lets the task's tier decide."
    )
    models: tuple[str, ...] = _setting(
        ("claude.light=haiku", "claude.heavy=opus"),
        _tier_models,
        "Model of each provider for each tier (light, standard, heavy); where none is named the CLI decides. In "
        "config.toml also as tables, such as [models.claude], at the end. Entries of several places add up.",
    )
    claude_uses_key: bool = _setting(
        False, _yes_no, "Let claude bill ANTHROPIC_API_KEY although it is logged in. It would do so silently otherwise."
    )
    pass_env: tuple[str, ...] = _setting(
        (), _words, "Names or PREFIX_* of further environment variables that agents and checks inherit."
    )
    keep_awake: bool = _setting(
        True, _yes_no, "Keep the machine awake while a run has work, by systemd-inhibit or caffeinate."
    )
    notify_command: str | None = _setting(
        None,
        _optional,
        "Shell command that is given each notice as JSON on its standard input (docs/night-run.md). Empty means none.",
    )
    notify_webhook: str | None = _setting(
        None, _optional, "Address, https or http, that each notice is posted to as JSON. Empty means none."
    )
    notify_desktop: bool = _setting(False, _yes_no, "Show notices on the desktop, by notify-send or osascript.")
    demo_pace: str = _setting("1", str, "Factor on the demo agents' pauses; 0 takes them out.")

    origins: Mapping[str, str] = field(default_factory=dict)
    """Setting to where its value came from: ``default``, a file's path, ``$NAME`` or a flag. Absent means default.

    Each model of a tier has its own, under a name such as ``models.claude.light``.
    """

    def tier_models(self) -> dict[tuple[str, Tier], str]:
        """Return the models of the setting ``models`` by provider and tier; an empty one leaves it to the CLI."""
        found = {}
        for entry in self.models:
            name, _, model = entry.partition("=")
            provider, _, tier = name.rpartition(".")
            found[provider, Tier(tier)] = model
        return found

    def own_prices(self) -> dict[str, tuple[float, ...]]:
        """Return the setting ``prices`` by model: input, cached, output and, if given, cache write."""
        found = {}
        for entry in self.prices:
            model, _, figures = entry.rpartition("=")
            found[model] = tuple(float(figure) for figure in figures.split("/"))
        return found


YOURS = {
    "sandbox": "open the sandbox",
    "sandbox_write": "open the sandbox",
    "pass_env": "hand out what is in your environment",
    "claude_uses_key": "spend your key",
    "notify_command": "run a program outside of the sandbox",
    "notify_webhook": "send away what is told of the work",
}
"""What only the user may say, and why a project's file may not: a cloned repository could bring it along."""
_HARMLESS = (
    ("sandbox", SandboxMode.AUTO),
    ("sandbox", SandboxMode.STRICT),
    ("sandbox_write", ()),
    ("pass_env", ()),
    ("claude_uses_key", False),
    ("notify_command", None),
    ("notify_webhook", None),
)
"""What a project's file may say of these all the same: nothing is opened by it."""
FIELDS = tuple(one for one in fields(Settings) if one.name != "origins")


def variable(name: str) -> str:
    """Return the environment variable of setting *name*."""
    return f"ORCHESTRATE_{name.upper()}"


def load(folder: Path, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Settings:
    """Read the settings that hold in *folder*.

    *flags* are values given on the command line, by setting; None among them means not given.

    Raises:
        BadInput: a value that its setting cannot have, or an unknown name in a file, with the place it stands.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def take(name: str, value: Any, origin: str) -> None:
        if name == "models":  # its entries hold one by one, so that a project's do not hide the user's
            before = values.get(name, Settings.__dataclass_fields__[name].default)
            origins.update({f"models.{entry.partition('=')[0]}": origin for entry in value})
            value = _tier_models(",".join((*before, *value)))
        values[name], origins[name] = value, origin

    known = {one.name: one for one in FIELDS}
    for file in (config_home(environ) / "config.toml", folder / CONFIG_FOLDER / "config.toml"):
        for name, value in _read_toml(file).items():
            if name not in known:
                raise BadInput(
                    f"{file}: unknown setting {name!r}", hint=_nearest(name, known) or "see: orchestrate config"
                )
            place = f"{file}: {name}"
            flat = _entries(value, place) if name == "models" and isinstance(value, dict) else value
            parsed = _parsed(known[name].metadata["parse"], flat, place)
            if file.is_relative_to(folder) and (name, parsed) not in _HARMLESS and name in YOURS:
                raise BadInput(
                    f"{place}: a project's own file cannot {YOURS[name]}",
                    hint=f"say it in {config_home(environ) / 'config.toml'}, or with {variable(name)}",
                )
            take(name, parsed, str(file))
    for one in FIELDS:
        for name in (variable(one.name), *one.metadata["variables"]):
            if environ.get(name):
                take(one.name, _parsed(one.metadata["parse"], environ[name], f"${name}"), f"${name}")
                break
    for name, flag in (flags or {}).items():
        if flag is not None:
            values[name], origins[name] = flag, f"--{name.replace('_', '-')}"
    return Settings(**values, origins=origins)


def _read_toml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"{file}: {error}", hint="fix the file or move it aside") from error


def _entries(tables: Mapping[str, object], place: str) -> list[str]:
    """Return the tables of models, such as ``{"claude": {"light": "haiku"}}``, as entries ``claude.light=haiku``."""
    found = []
    for provider, tiers in tables.items():
        if not isinstance(tiers, dict):
            raise BadInput(f"{place}.{provider}: not a table", hint=f'write [models.{provider}] and light = "…" below')
        found += [f"{provider}.{tier}={model}" for tier, model in tiers.items()]
    return found


def _parsed(parse: Callable[[str], Any], value: object, place: str) -> Any:
    if isinstance(value, list):
        text = ",".join(str(part) for part in value)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = str(value)
    try:
        return parse(text)
    except ValueError as error:
        raise BadInput(
            f"{place}: {text!r} {error}", hint="docs/configuration.md says what each setting takes"
        ) from error


def _nearest(name: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else ""


def dot_env_example() -> str:
    """Return the text of ``.env.example``: every setting as a commented line with its meaning."""
    lines = [
        "# Settings of Agent Orchestrator as environment variables. Copy what you need to",
        "# ~/.config/orchestrate/.env, export it in your shell, or use config.toml (see: orchestrate config).",
        "# Generated from src/agent_orchestrator/settings.py; a test compares.",
        "",
        "# Pays for plans and, with use_api_mode, for the work. Handed to `claude` when it has no login of its own;",
        "# otherwise kept from it, unless claude_uses_key says so.",
        "# ANTHROPIC_API_KEY=",
    ]
    for one in FIELDS:
        default = one.default
        shown = ",".join(default) if isinstance(default, tuple) else "" if default is None else str(default)
        lines += ["", f"# {one.metadata['about']}", f"# {variable(one.name)}={shown}"]
    return "\n".join(lines) + "\n"


def config_example() -> str:
    """Return the text of a new ``config.toml``: every setting as a commented line with its meaning and default."""
    lines = [
        "# Settings of Agent Orchestrator for this project. Take away the # before a line to change it.",
        "# A flag of a command or an environment variable (ORCHESTRATE_*) beats this file. orchestrate config shows",
        "# what holds and where it came from.",
    ]
    for one in FIELDS:
        default = "auto" if one.name == "isolation" else one.default
        where = f" Not here, but in your own config.toml or with {variable(one.name)}." if one.name in YOURS else ""
        lines += ["", f"# {one.metadata['about']}{where}", f"# {one.name} = {_toml(default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    import json

    return json.dumps("" if value is None else list(value) if isinstance(value, tuple) else value)
