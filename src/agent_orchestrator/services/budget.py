"""What was spent, and whether one more agent may start."""

from dataclasses import dataclass
from datetime import datetime

from agent_orchestrator.domain.attempt import Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True)
class Budgets:
    """What can be asked of money."""

    store: Store
    clock: Clock

    def spent(self, *, goal: GoalId | None = None, since: datetime | None = None) -> Usage:
        """Return what attempts used: of one goal, since a moment, or in all."""
        return self.store.attempts.spent(goal=goal, since=since)

    def exhausted(self, goals: list[GoalId], running: dict[GoalId, int]) -> set[GoalId]:
        """Return the goals whose own ceiling does not allow one more start, given how many of each are running."""
        stopped = set()
        for goal in goals:
            limit = self.store.budgets.get(goal)
            if limit is None:
                continue
            spent = self.spent(goal=goal).cost_micro_usd
            if not Budget(limit_micro_usd=limit).allows_start(spent, running.get(goal, 0)):
                stopped.add(goal)
        return stopped
