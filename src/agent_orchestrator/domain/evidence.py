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


class ConcernKind(StrEnum):
    """What can be wrong with work whose check passes."""

    TEST_DELETED = "test_deleted"
    TEST_SKIPPED = "test_skipped"
    """A test is there and does not run: skipped, expected to fail, or another one alone is run."""
    TEST_WEAKENED = "test_weakened"
    """A test asserts less than before, or nothing that could fail."""
    TEST_CONTRADICTED = "test_contradicted"
    """With the tests put back as they were before, the check fails on the work."""
    FEWER_TESTS = "fewer_tests"
    """The check ran fewer tests than on the base, by its own count."""
    CHECK_CHANGED = "check_changed"
    """What the check command runs, or how, was changed by the work that it is to judge."""
    SPECIAL_CASED = "special_cased"
    """The program finds out that it is being tested."""
    PLACEHOLDER = "placeholder"
    """What was asked for is announced, not done."""
    CONFLICT_LEFT = "conflict_left"
    """A file holds both sides of a merge conflict between its markers."""
    UNPARSABLE = "unparsable"
    """A file cannot be read as what its name says, such as JSON that is cut off."""
    OUT_OF_SCOPE = "out_of_scope"
    """Files were changed that the plan did not give to the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One reason to doubt that a passing check proves the work."""

    kind: ConcernKind
    path: str
    """The file it was seen in, relative to the repository's root; empty when it is about the check as a whole."""
    detail: str
    """One line for a person: what was done to what."""
    excuse: str = ""
    """Why it does not count against the work, such as "the task asks for it". Empty: it lowers the verdict."""

    @property
    def lowers(self) -> bool:
        """Whether work with this concern is not called verified."""
        return not self.excuse


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
    """Things a reviewer should know, such as files that were left out."""
    concerns: tuple[Concern, ...] = ()
    """What speaks against relying on the checks. Those without an excuse lower the verdict."""
    advice: tuple[str, ...] = ()
    """What is worth knowing and decides nothing, such as new tests that pass without the work too."""
    diffstat: str = ""
    """Which files changed by how much, as ``git diff --stat`` says it, capped. Empty without git."""
    change: str = ""
    """Equal for attempts at a task that changed the same lines; see :func:`fingerprint`. Empty: not known."""


def fingerprint(patch: str) -> str:
    """Return what is equal for patches that change the same, whatever changed around it meanwhile.

    Context, line numbers and the names of blobs do not count, unless the patch is of binary files, of which it says no
    more. Empty for an empty patch.
    """
    from hashlib import sha256  # this module is in every command

    around = ("\\",) if "\nBinary files " in patch else (" ", "@@", "index ", "\\")
    changed = "\n".join(line for line in patch.splitlines() if not line.startswith(around))
    return sha256(changed.encode("utf-8", "surrogateescape")).hexdigest() if changed else ""
