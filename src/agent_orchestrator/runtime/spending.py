"""How one run's budgets are watched: what is used, who may still start, and the one notice at four fifths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.budget import Budget, Used
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.services.budget import Budgets

LOOK_EVERY_S = 2.0
"""How often budgets are looked at for being nearly used up; that notice may come a moment late."""


@dataclass(slots=True, kw_only=True)
class Spending:
    """Watches the budgets of one run. Used by the supervisor's own thread only, but for what says otherwise."""

    budgets: Budgets
    run: Budget | None
    each_attempt: Budget | None
    """What one attempt may use, from the settings."""
    began: datetime
    log: Callable[[str], None]
    _told: set[GoalId | None] = field(default_factory=set)
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        """Set aside for each start what an attempt may use, where that is limited."""
        self.run = self.run.setting_aside(self.each_attempt) if self.run else None

    def used(self) -> Used:
        """Return what this run has used so far; nothing is added up when it has no budget."""
        return self.budgets.used(since=self.began) if self.run else Used()

    def bounded(self, goals: Sequence[GoalId]) -> bool:
        """Say whether any budget may forbid a start: the run's, or that of one of *goals*."""
        return self.run is not None or any(self.budgets.of_goal(goal) is not None for goal in goals)

    def short(self, goal: GoalId, in_goal: int, in_run: int) -> str:
        """Say in words which ceiling, the goal's or the run's, forbids one more question; nothing when none does.

        *in_goal* and *in_run* are at work already, each with its own set aside. May be called in any thread.
        """
        if why := self.budgets.short(goal, in_goal, self.each_attempt):
            return f"of the goal's budget {why}"
        if self.run and (why := self.run.short(self.used(), in_run)):
            return f"of the run's budget {why}"
        return ""

    def of_attempt(self, attempt: Attempt) -> Budget | None:
        """Return what an attempt may use, of its own and of its task's budget; None without a ceiling."""
        return self.budgets.for_attempt(attempt, self.each_attempt) or None

    def tell_nearly_used(self, goals: Sequence[GoalId], now: float) -> None:
        """Say once for each budget when four fifths of it are used. *now* is monotonic."""
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        if self.run and None not in self._told:
            self._tell(None, self.budgets.run_nearly_used(self.run, self.began))
        for goal in goals:
            if goal not in self._told:
                self._tell(goal, self.budgets.nearly_used(goal))

    def _tell(self, goal: GoalId | None, share: float | None) -> None:
        if share is not None:
            self._told.add(goal)
            self.log(f"{share:.0%} of the budget of {f'goal {goal}' if goal else 'this run'} is used")
