"""How an attempt looks from outside once its process is gone: what all providers share."""

import re
import signal

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.providers import Ending, Finished, Limited

REASON_LIMIT = 500
"""Characters of a reason; the whole of standard error stays in the run folder."""

_FROM_OUTSIDE = {signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM}
"""Signals that somebody sends, as against those of a program that breaks."""

_NOISE = re.compile(
    r"^(?:Reading (?:additional input|prompt) from stdin|WARNING: proceeding, even though we could not create PATH"
    r"|npm warn|\(node:\d+\)|\(Use `node --trace)"
)
"""Lines that stand on standard error in runs that end well."""


def concluded(
    exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str, *, who: str
) -> Ending:
    """Return how an attempt of a CLI that prints a final line ended. *who* is its name in the reason.

    A good last word stands even when the process had to be killed after it: CLIs are known to print their result and
    stay. Whether the word is true is seen by looking at the work.
    """
    if last is not None and last.ok:
        return Ending(outcome=None)
    if limited is not None:
        return Ending(outcome=Outcome.LIMITED, reason=limited.text, limited=limited)
    if last is not None:
        return Ending(outcome=Outcome.FAILED, reason=last.error[:REASON_LIMIT] or f"{who} ended in an error")
    if exit_code == 0:
        return Ending(outcome=Outcome.FAILED, reason=f"{who} ended without a final word")
    return crashed(exit_code, stderr, who=who)


def crashed(exit_code: int | None, stderr: str, *, who: str) -> Ending:
    """Return how an attempt ended that has nothing to show but an exit code that is not 0."""
    words = tail(stderr)
    if exit_code is None:
        return Ending(outcome=Outcome.FAILED, reason=words or f"{who} could not be started")
    name = _signal(exit_code)
    if name in _FROM_OUTSIDE:
        return Ending(outcome=Outcome.LOST, reason=f"{who} was ended from outside by {name.name}")
    how = f"crashed with {name.name}" if name else f"ended with exit code {exit_code}"
    return Ending(outcome=Outcome.FAILED, reason=f"{who} {how}" + (f": {words}" if words else ""))


def tail(stderr: str, lines: int = 3) -> str:
    """Return the last *lines* lines of *stderr* that say something, as one short line."""
    telling = [line.strip() for line in stderr.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    return " ".join(telling[-lines:])[-REASON_LIMIT:].encode("utf-8", "replace").decode()


def _signal(exit_code: int) -> signal.Signals | None:
    """Return the signal behind *exit_code*: negative as the kernel says it, or 128 + n as node and shells do."""
    number = -exit_code if exit_code < 0 else exit_code - 128
    try:
        return signal.Signals(number)
    except ValueError:
        return None
