"""One running attempt as the supervisor knows it: its process, its transcript, and what its lines said so far."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Usage
from agent_orchestrator.domain.budget import Budget, Used
from agent_orchestrator.domain.text import clean
from agent_orchestrator.providers import (
    Finished,
    Limited,
    LogsSessions,
    Provider,
    Said,
    Spent,
    Started,
    UsedTool,
    still_limited,
)
from agent_orchestrator.runtime.process import Process
from agent_orchestrator.runtime.run_dir import ExitRecord, exit_record
from agent_orchestrator.runtime.session_log import SessionLogReader
from agent_orchestrator.runtime.transcript import Line, Tailer
from agent_orchestrator.workspaces import Workspace

ACTION_LIMIT = 160
"""Characters of "what it does now": one line of a terminal."""
SUMMARY_LIMIT = 4_000
"""Characters kept of an agent's last words."""
SAID_LIMIT = 20_000
"""Characters kept of words that come in parts; the transcript has all of them."""
STDERR_LIMIT = 8_192
"""Bytes of standard error that are looked at when an attempt has ended."""


@dataclass(slots=True)
class Follower:
    """Reads one attempt's output and remembers what matters. Used by the supervisor's own thread only."""

    attempt: Attempt
    provider: Provider
    process: Process | None
    """None when it had ended before we took over: there is a transcript, and nothing to ask to stop."""
    workspace: Workspace | None
    tailer: Tailer
    redact: Callable[[str], str] = lambda text: text
    """Takes secrets out of what it prints, before anything is made of it."""
    last: Finished | None = None
    limited: Limited | None = None
    finished_at: float | None = None
    """Monotonic time of the agent's last word; it must end soon after, unless it goes on working."""
    asked_to_stop: str = ""
    """Why we asked it to stop; empty if we did not."""
    own_doing: bool = False
    """True when we asked it to stop for something that it did: then the attempt counts."""
    budget: Budget | None = None
    """What the attempt may use. None means no ceiling."""
    changed: bool = False
    """True when something was learned that is not in the database yet."""
    cwd_seen: str | None = None
    _before: Usage = field(default_factory=Usage)
    """What the attempts before this one had used in the same session."""
    _whole: Usage = field(default_factory=Usage)
    """The latest figures that were told of the whole session."""
    _added: Usage = field(default_factory=Usage)
    """The sum of the figures that were told piece by piece."""
    _last_said: str = ""
    _acted: bool = False
    _parts: str = ""
    """What was said in parts since the last that was anything else."""
    _log: SessionLogReader | None = None
    """Reads what the CLI writes down for itself, where there is more in that than in what it prints."""

    def __post_init__(self) -> None:
        """Count an attempt as one that did something if it was read before: what it did then is not remembered."""
        self._acted = self.attempt.stdout_offset > 0
        self._log = SessionLogReader(self.provider) if isinstance(self.provider, LogsSessions) else None

    @property
    def did_nothing(self) -> bool:
        """True when nothing was answered: it said nothing, used no tool and spent nothing."""
        return not self._acted

    def read(self, now: float, *, to_end: bool = False) -> None:
        """Read what is new. With *to_end* read everything, the unfinished last line too; the process is gone."""
        self._read_log(now, to_end=to_end)  # first: what is printed at last is the CLI's own sum
        lines = self.tailer.read()
        while lines or (to_end and self.tailer.behind):
            for line in lines:
                self._take(line, now)
            lines = self.tailer.read() if to_end else []
        if to_end:
            rest = self.tailer.finish()
            if rest is not None:
                self._take(rest, now)
        if self.tailer.offset != self.attempt.stdout_offset:
            self.attempt = replace(self.attempt, stdout_offset=self.tailer.offset)
            self.changed = True

    def _read_log(self, now: float, *, to_end: bool) -> None:
        """Learn from the session's log what was used so far, until the agent has said its last word."""
        if self._log is None or self.attempt.session is None or self.last is not None:
            return
        spent, before = self._log.read(self.attempt.session, now, to_end=to_end), self.attempt.usage
        if spent is not None:
            self._spent(spent)
            self.changed = self.changed or self.attempt.usage != before

    def stderr(self) -> str:
        """Return the end of what it wrote to standard error, cleaned."""
        return self.redact(tail(Path(self.attempt.run_dir) / "stderr.log", STDERR_LIMIT))

    def exit(self) -> ExitRecord | None:
        """Return its exit record, or None when it vanished without one."""
        return exit_record(Path(self.attempt.run_dir))

    def close(self) -> None:
        """Let go of its files."""
        self.tailer.close()
        if self._log is not None:
            self._log.close()
        if self.process is not None:
            self.process.close()

    @property
    def summary(self) -> str:
        """What the agent said it did, cleaned and capped."""
        said = self.last.summary if self.last is not None and self.last.summary else self._last_said
        return clean(said).strip()[:SUMMARY_LIMIT]

    def _take(self, line: Line, now: float) -> None:
        for meaning in self.provider.read(self.redact(line.text)):
            self.changed = True
            self.limited = still_limited(self.limited, meaning)
            self._acted = self._acted or isinstance(meaning, Said | UsedTool | Spent)
            self._parts = self._parts + meaning.text if isinstance(meaning, Said) and meaning.is_part else ""
            match meaning:
                case Started():
                    self.cwd_seen = meaning.cwd
                    self.attempt = replace(
                        self.attempt,
                        session=meaning.session,
                        model=meaning.model or self.attempt.model,
                        cli_version=meaning.cli_version or self.attempt.cli_version,
                    )
                case Said():
                    self._last_said = self._parts[:SAID_LIMIT] or meaning.text
                    self._doing(self._last_said)
                    self.finished_at = None
                case UsedTool():
                    self._doing(f"{meaning.tool} {meaning.detail}")
                    self.finished_at = None
                case Spent():
                    self._spent(meaning)
                case Limited():
                    self._doing(f"limited: {meaning.text}")
                case Finished():
                    self.last, self.finished_at = meaning, now

    @property
    def over_budget(self) -> str:
        """Say in words how it has used more than an attempt may; nothing when it has not. The minder bounds time."""
        return self.budget.passed(Used.of(self.attempt.usage)) if self.budget is not None else ""

    def _doing(self, text: str) -> None:
        words = " ".join(clean(text).split())[:ACTION_LIMIT]
        if words:
            self.attempt = replace(self.attempt, last_action=words)

    def _spent(self, spent: Spent) -> None:
        """Count usage of this attempt only: figures over a resumed session include what earlier attempts paid."""
        if spent.whole_session:
            self._whole = spent.usage
        else:
            self._added = self._added.plus(spent.usage)
        self.attempt = replace(self.attempt, usage=self._added.plus(_less(self._whole, self._before)))

    def continues(self, before: Usage) -> None:
        """Tell that this session's counters began with *before*, the sum of the attempts it goes on from."""
        self._before = before


def _less(whole: Usage, before: Usage) -> Usage:
    return Usage(
        input_tokens=max(0, whole.input_tokens - before.input_tokens),
        cached_tokens=max(0, whole.cached_tokens - before.cached_tokens),
        output_tokens=max(0, whole.output_tokens - before.output_tokens),
        cost_micro_usd=max(0, whole.cost_micro_usd - before.cost_micro_usd),
        cost_is_estimate=whole.cost_is_estimate,
    )


def tail(file: Path, limit: int) -> str:
    """Return the last *limit* bytes of *file* as cleaned text; empty if it cannot be read."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - limit))
            return clean(stream.read(limit).decode("utf-8", "replace"))
    except OSError:
        return ""
