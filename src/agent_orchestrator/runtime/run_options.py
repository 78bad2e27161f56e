"""What a run was asked for, and how it stands: values that every door and the supervisor share."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.ids import GoalId

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ask the run to stop; a second one makes it stop at once."""


@contextmanager
def heeding_signals(heed: Callable[[int, object], None]) -> Iterator[None]:
    """Let *heed* have the signals that end a program; afterwards whoever had them before has them again.

    Only the main thread may set handlers; in another one a Python program stops us by ``supervision.stop()``.
    """
    heeded = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, heed) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What one run was asked for."""

    providers: tuple[str, ...]
    """The preferred first; the next stands in while it is on hold."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Providers that were asked for too and cannot be used here, with the reason."""
    max_agents: int = 3
    goal: GoalId | None = None
    """Work on this goal only."""
    watch: bool = False
    """Stay and wait for new work instead of ending when there is none."""
    until: datetime | None = None
    budget: Budget | None = None
    include_dirty: bool = False
    wait_for_limits: bool = True
    """False ends the run when every provider is on hold, instead of waiting."""
    began: datetime | None = None
    """When the run began, where a full disk has interrupted it since; None: now."""

    def recorded(self) -> dict[str, object]:
        """Return what is written down of them for whoever asks how the project is led."""
        budget = self.budget or Budget()
        return {
            "providers": list(self.providers),
            "watch": self.watch,
            "until": self.until.isoformat() if self.until else None,
            "goal": self.goal,
            "budget_micro_usd": budget.limit_micro_usd,
            "budget_tokens": budget.limit_tokens,
            "budget_seconds": budget.limit_seconds,
        }


@dataclass(slots=True, kw_only=True)
class Outlook:
    """How the run stands, for the live view and the exit code."""

    stopping: int = 0
    """0 going on, 1 winding down, 2 at once."""
    stopped_by: str = ""
    """``user``, ``deadline``, ``budget``, ``limit`` or empty."""
    started: int = 0
    """Attempts that were started in this run."""
