"""How one agent is run: the contract that every provider fulfils.

A provider never starts a process and never believes its agent. It turns a
briefing into a command, turns each printed line into what it means, and, when
the process has ended, says how the attempt looks from outside. Whether work
was done is decided elsewhere, by looking at the work.

Facts about the real command lines stand in the module of each provider with
the version they were measured on.

- The providers, listed in ``all``: ``claude``, ``codex``, ``gemini``, ``opencode``, ``generic`` for any other
  command, ``api`` (its agent is ``api_child``, with ``api_tools``) and ``demo`` (its agent is ``demo_child``).
- What they share: ``fields`` reads others' JSON, ``limits`` refusals, ``conclusion`` how a process ended; ``prices``
  and ``tiers`` say what tokens and models cost.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, assert_never, runtime_checkable

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.task import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """Everything one attempt's command is made from."""

    prompt: str
    """Goes to the agent's standard input: one argument is limited to 128 KiB on Linux, a file is not."""
    role: str
    """The specialist's text, for the system prompt where the CLI has one."""
    workspace: Path
    """Absolute; the process's working directory."""
    run_dir: Path
    """Absolute; private to the attempt. Extra files of the command are written there."""
    executable: str
    """Absolute path of the CLI that was found."""
    tier: Tier = Tier.STANDARD
    model: str | None = None
    """The model to use: chosen already from the user's settings, the role and the tier. None: the CLI's default."""
    tools: tuple[str, ...] = ()
    """The only tools the role may use, by the names that ``claude`` gives them. Empty means all."""
    denied_tools: tuple[str, ...] = ()
    max_turns: int | None = None
    """Turns of the model after which the attempt ends. None means no limit."""
    max_micro_usd: int | None = None
    """What the attempt may cost, for CLIs that end themselves at it; the supervisor watches too. None means no
    limit."""
    session: str | None = None
    """Id of a session to go on with, or None to begin one."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the allow-list let through; read it to decide, do not repeat it in the command."""
    distrusted: tuple[str, ...] = ()
    """Files of the checkout by which the CLI would run something that the user has not agreed to: to be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start. Argument lists only, never a shell."""

    argv: tuple[str, ...]
    stdin: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables to add to, or replace in, the allowed environment."""
    without: frozenset[str] = frozenset()
    """Variables to take out, such as a key that must not be billed."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Name within the run folder to content, written with mode 0600 before the start."""
    writes: tuple[str, ...] = ()
    """Where the program keeps its own state: it must write there in a sandbox too. As `Sandbox.around` takes them."""
    guards: tuple[str, ...] = ()
    """Below those, the settings by which the user's own later runs execute something: they stay as they are."""
    keeps: frozenset[str] = frozenset()
    """Which limits of the briefing the command makes hold: of ``tools``, ``denied_tools``, ``max_turns``.

    What a briefing asks and no command keeps is said to the user; a provider that knows no limits says nothing here.
    """
    notes: tuple[str, ...] = ()
    """What the user must know of how the limits are kept, such as a tool that could only be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The agent's session began."""

    session: str
    model: str | None = None
    cli_version: str | None = None
    cwd: str | None = None
    """Where the CLI itself says it works. A resumed session in the wrong place must be stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The agent spoke."""

    text: str
    is_part: bool = False
    """True for words as they are streamed: a part goes on where the part before it ended, if nothing came between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTool:
    """The agent acted: a command, an edit, a search."""

    tool: str
    detail: str = ""
    """What a person wants to see: the command, the path. Capped by the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Usage was reported."""

    usage: Usage
    whole_session: bool
    """True when the figures count from the session's beginning, over resumes: then the last one replaces, not adds.

    An attempt that resumes costs the difference to what the session had cost before, and never less than nothing.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The provider refuses for now. Not the agent's fault and not an attempt."""

    kind: HoldKind
    until: datetime | None
    """UTC, when the provider said so. None means it did not."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The agent's own last word. There may be several in one run; the last one counts."""

    ok: bool
    """False when the CLI says that it ended in an error. True proves nothing."""
    summary: str
    """Empty when the CLI's last line does not repeat its last words; then the last Said is the summary."""
    error: str = ""
    answer: str | None = None
    """Structured answer as JSON text, when one was asked for and given."""


Meaning = Started | Said | UsedTool | Spent | Limited | Finished


def joined(meanings: Iterable[Meaning | str]) -> Iterator[Meaning | str]:
    """Yield *meanings* with the parts of what was said put together; what is no part comes as it is."""
    said = ""
    for meaning in meanings:
        if isinstance(meaning, Said) and meaning.is_part:
            said += meaning.text
            continue
        if said.strip():
            yield Said(text=said.strip())
        said = ""
        yield meaning
    if said.strip():
        yield Said(text=said.strip())


SESSION_LOST = "session lost: "
"""How the reason of an Ending begins when the session to go on with is gone: start afresh, not again with that id."""


def still_limited(before: Limited | None, meaning: Meaning) -> Limited | None:
    """Return the limit that holds after *meaning*, given the one that held before it; what ``conclude`` is told.

    Work after a limit means that the CLI got over it. Of two limits in a row the stated and later time counts,
    because a structured field comes before a text that is rounded down to the minute.
    """
    match meaning:
        case Limited(kind=kind, until=until):
            if before is None or before.until is None or kind == HoldKind.LOGIN:
                return meaning
            return meaning if until is not None and until > before.until else before
        case Said() | UsedTool() | Finished(ok=True):
            return None
        case Started() | Spent() | Finished():
            return before
        case _:
            assert_never(meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt looks once its process is gone and all its lines are read."""

    outcome: Outcome | None
    """None: the agent ended by itself without an error, so look at the work. Otherwise what went wrong."""
    reason: str = ""
    limited: Limited | None = None
    """Set with the outcome ``limited``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a model that wants one JSON answer and no work."""

    prompt: str
    schema: Mapping[str, object]
    """JSON Schema of the answer."""
    run_dir: Path
    executable: str
    model: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Provider(Protocol):
    """One kind of agent. All methods are pure: same input, same output, nothing touched."""

    @property
    def name(self) -> str:
        """As typed after ``--provider``."""
        ...

    @property
    def title(self) -> str:
        """As shown to people."""
        ...

    @property
    def binary(self) -> str | None:
        """The executable looked for on PATH. None when it needs none (it is part of us)."""
        ...

    @property
    def install(self) -> str:
        """One line that installs it, shown when it is missing."""
        ...

    @property
    def environment(self) -> tuple[str, ...]:
        """Names and ``PREFIX_*`` patterns of the variables its agents may inherit, beyond the basics."""
        ...

    @property
    def version_argv(self) -> tuple[str, ...]:
        """Arguments that make the executable print its version."""
        ...

    @property
    def is_demo(self) -> bool:
        """True when its work is a scripted show."""
        ...

    @property
    def reports_usage(self) -> bool:
        """Whether its agents tell what they use: without that, budgets of dollars and tokens cannot be reached."""
        ...

    def command(self, briefing: Briefing) -> Command:
        """Return what to start for *briefing*."""
        ...

    def for_model(self, model: str) -> "Provider":
        """Return this provider as it reads the lines of an attempt with *model*, for CLIs that do not name it there."""
        ...

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Return what one line of standard output means. Unknown or broken lines mean nothing; never raises."""
        ...

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Say how the attempt ended.

        *exit_code* is negative for a signal and None when the process never started; *last* is the last Finished;
        *limited* the last Limited after which nothing but more trouble came; *stderr* the end of standard error.
        """
        ...

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """Say in a few words who pays: ``a claude.ai login``, ``ANTHROPIC_API_KEY``, ``nobody (not logged in)``.

        Looks only whether credential files exist, never into them.
        """
        ...


@runtime_checkable
class AnswersQuestions(Provider, Protocol):
    """A provider whose model can be asked for JSON of a given schema: it can plan. All methods are pure."""

    def ask(self, question: Question) -> Command:
        """Return the command that asks for one structured answer."""
        ...

    def answer(self, output: str, files: Mapping[str, str]) -> str | None:
        """Return the JSON text of the answer from standard output or from *files* the command wrote; None if absent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLog:
    """Where a CLI writes a session down for itself, while it works on it."""

    folders: tuple[Path, ...]
    """The file lies in one of these; they need not exist."""
    ending: str
    """How its name ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUsage:
    """What one request to the model used, told while the agent works, before it says what all of them did."""

    request: str
    """Its id: several lines may tell of one request, and it is paid once."""
    usage: Usage


@runtime_checkable
class CountsRequests(Provider, Protocol):
    """A provider whose CLI tells of each request what it used, and only at its end what that comes to.

    An attempt that is ended before its end is known by these; at the end its own sum takes their place.
    """

    def read_request(self, line: str) -> RequestUsage | None:
        """Return what one line of standard output says of a request, or None; never raises."""
        ...


@runtime_checkable
class LogsSessions(Provider, Protocol):
    """A provider whose CLI writes into a file of its own, as it works, what it prints only as it ends.

    Both methods are pure. Whoever runs the agent looks for the file; that there is none is no error.
    """

    def session_log(self, session: str) -> SessionLog | None:
        """Return where the session's log would lie, or None when its id does not tell."""
        ...

    def read_log(self, line: str) -> Spent | None:
        """Return what one line of the log says was used by the whole session so far, or None; never raises.

        The last such line counts, so that a long log may be read from its end.
        """
        ...
