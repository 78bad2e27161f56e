"""How one run's budgets are watched: what is used, who may still start or go on, and the one notice at four fifths."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.budget import Budget, Used
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.services.budget import Budgets

LOOK_EVERY_S = 2.0
"""How often budgets are looked at for being used up, or nearly; what follows from that may come a moment late."""


@dataclass(slots=True, kw_only=True)
class Spending:
    """Watches the budgets of one run. Used by the supervisor's own thread only, but for what says otherwise."""

    budgets: Budgets
    run: Budget | None
    each_attempt: Budget | None
    """What one attempt may use, from the settings."""
    began: datetime
    """Attempts that began since then count against the run. It moves back when the wall clock is set back."""
    clock: Clock
    log: Callable[[str], None]
    _told: set[GoalId | None] = field(default_factory=set)
    _looked_at: float = 0.0
    _enforced_at: float = 0.0
    _made_at: float = 0.0

    def __post_init__(self) -> None:
        """Set aside for each start what an attempt may use, where that is limited."""
        self._made_at = self.clock.monotonic()
        self.run = self.run.setting_aside(self.each_attempt) if self.run else None

    def used(self) -> Used:
        """Return what this run has used so far; nothing is added up when it has no budget."""
        return self.budgets.used(since=self._since()) if self.run else Used()

    def _since(self) -> datetime:
        """Return when the run began, by a wall clock that may have been set back since.

        By that clock the next attempts begin before the run did. Some of an earlier run's may be counted with them:
        then this one ends too early, and never too late.
        """
        self.began = min(self.began, self.clock.now() - timedelta(seconds=self.clock.monotonic() - self._made_at))
        return self.began

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

    def passed(self, goals: Iterable[GoalId], now: float) -> dict[GoalId, str]:
        """Return those of *goals* whose agents must end, each with the ceiling that is reached in words.

        Empty also when they were looked at a moment ago. *now* is monotonic.
        """
        if now - self._enforced_at < LOOK_EVERY_S:
            return {}
        self._enforced_at = now
        if self.run and (why := self.run.passed(self.used())):
            return dict.fromkeys(goals, f"the run's budget is used up: {why}")
        found = ((goal, self.budgets.passed(goal)) for goal in goals)
        return {goal: f"the goal's budget is used up: {why}" for goal, why in found if why}

    def tell_nearly_used(self, goals: Sequence[GoalId], now: float) -> None:
        """Say once for each budget when four fifths of it are used. *now* is monotonic."""
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        if self.run and None not in self._told:
            self._tell(None, self.budgets.run_nearly_used(self.run, self._since()))
        for goal in goals:
            if goal not in self._told:
                self._tell(goal, self.budgets.nearly_used(goal))

    def _tell(self, goal: GoalId | None, share: float | None) -> None:
        if share is not None:
            self._told.add(goal)
            self.log(f"{share:.0%} of the budget of {f'goal {goal}' if goal else 'this run'} is used")
