"""What the orchestrator itself saw of an attempt's work: commands it ran, exit codes, the diff, the commit."""

from dataclasses import dataclass
from enum import StrEnum


class CheckResult(StrEnum):
    """What one run of the checks showed."""

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"
    """It failed, was run again at once on the same tree, and passed."""
    NO_NEW_FAILURES = "no_new_failures"
    """It failed only where the base had failed before."""
    BASE_IS_RED = "base_is_red"
    """It failed, the base failed too, and the failures cannot be told apart."""
    TIMED_OUT = "timed_out"
    NOT_AVAILABLE = "not_available"
    """There is no command to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """One command that was run on one tree."""

    command: str
    origin: str
    """Who named it: ``task``, ``goal``, ``project`` (detected)."""
    result: CheckResult
    exit_code: int | None
    """None when it never ended by itself or never started."""
    duration_ms: int
    tail: str
    """The end of its output, cleaned, at most 8,000 characters: what a person needs to see."""
    failures: tuple[str, ...] | None = None
    """Names of the failing tests, new ones first. None when this runner's output does not tell."""
    tree: str | None = None
    """The git tree it ran on. None outside git."""
    cached: bool = False
    """True when the same command had already been run on the same tree in the same environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an attempt's verdict rests on."""

    checks: tuple[CheckRun, ...] = ()
    files: tuple[str, ...] = ()
    """Paths the work changed, relative to the repository's root, sorted."""
    insertions: int = 0
    deletions: int = 0
    base_commit: str | None = None
    commit: str | None = None
    """The landed commit."""
    notes: tuple[str, ...] = ()
    """Things a reviewer should know, such as files outside the task's scope."""
