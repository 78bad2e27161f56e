"""One running attempt as the supervisor knows it: its process, its transcript, and what its lines said so far."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Usage
from agent_orchestrator.domain.budget import Budget, Used
from agent_orchestrator.domain.text import clean
from agent_orchestrator.providers import (
    SESSION_LOST,
    CountsRequests,
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
RESULT_GRACE_S = 20.0
"""Seconds a CLI may stay after its last word; a background job can keep it alive for ever."""


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
    """Where its CLI says that it works."""
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
    _requests: set[str] = field(default_factory=set)
    """Requests of this run that were told, while the sum of them was not."""
    _running: Usage = field(default_factory=Usage)
    """What they used, their cost an estimate."""
    _counts: CountsRequests | None = None
    _log: SessionLogReader | None = None
    """Reads what the CLI writes down for itself, where there is more in that than in what it prints."""

    def __post_init__(self) -> None:
        """Count an attempt as one that did something if it was read before: what it did then is not remembered."""
        self._acted = self.attempt.stdout_offset > 0
        self._counts = self.provider if isinstance(self.provider, CountsRequests) else None
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

    def stop_if_it_must(self, now: float) -> None:
        """Ask it to stop if it works elsewhere, has used more than it may, or stays long after its last word."""
        if self.has_strayed:
            self.own_doing = True
            self.ask_to_stop(f"{SESSION_LOST}its CLI works in {self.cwd_seen}, not in its checkout", hard=True)
        # What has said its last word is paid, and its work is looked at: many tell what they used only then.
        if not self.asked_to_stop and self.finished_at is None and (over := self.over_budget):
            self.own_doing = True
            self.ask_to_stop(f"it used more than an attempt may: {over}")
        if self.finished_at is not None and now - self.finished_at > RESULT_GRACE_S and self.process is not None:
            self.asked_to_stop = self.asked_to_stop or "finished"
            self.process.stop()
            self.finished_at = now  # it is asked again if it stays as long once more

    def ask_to_stop(self, why: str, *, hard: bool = False) -> None:
        """Ask its process to end, once; *hard* ends it at once, also after it was asked. The first reason counts."""
        if self.asked_to_stop and not hard:
            return
        self.asked_to_stop = self.asked_to_stop or why
        if self.process is None:
            return
        if hard:
            self.process.kill()
        else:
            self.process.stop()

    @property
    def has_strayed(self) -> bool:
        """Whether its CLI works in another place than its checkout; one that nothing is known of has not."""
        if not self.cwd_seen or self.workspace is None:
            return False
        try:
            return Path(self.cwd_seen).resolve() != self.workspace.path.resolve()
        except OSError:
            return False

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
        text = self.redact(line.text)
        told = self._counts.read_request(text) if self._counts is not None else None
        if told is not None and told.request not in self._requests:
            self._requests.add(told.request)
            self._running = self._running.plus(told.usage)
            self._count()
        for meaning in self.provider.read(text):
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
        """Say in words how it has used more than an attempt may; nothing when it has not. The minder bounds time.

        Dollars that we estimate of a CLI which will say its own do not end it: it was given the ceiling, and keeps it.
        """
        used = Used.of(self.attempt.usage)
        if self._requests and self.last is None:
            used = used._replace(micro_usd=0)
        return self.budget.passed(used) if self.budget is not None else ""

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
        self._count()

    def _count(self) -> None:
        own = max(_less(self._whole, self._before), self._running, key=_paid_tokens)
        self.attempt = replace(self.attempt, usage=self._added.plus(own))

    def continues(self, before: Usage) -> None:
        """Tell that this session's counters began with *before*, the sum of the attempts it goes on from."""
        self._before = before


def _paid_tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens


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
