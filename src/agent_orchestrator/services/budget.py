"""What was spent, and whether one more agent may start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent_orchestrator.domain.attempt import Attempt, Usage
from agent_orchestrator.domain.budget import NEAR, Budget, Used
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import BadInput, RefusedByState
from agent_orchestrator.domain.goal import GOAL_OPEN, Goal, GoalState
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True)
class Budgets:
    """What can be asked of money, tokens and time."""

    store: Store
    clock: Clock
    events: Events
    notifier: Notifier

    def spent(self, *, goal: GoalId | None = None, since: datetime | None = None) -> Usage:
        """Return what attempts used: of one goal, since a moment, or in all."""
        return self.store.attempts.spent(goal=goal, since=since)

    def used(self, *, goal: GoalId | None = None, task: TaskId | None = None, since: datetime | None = None) -> Used:
        """Return the same as what counts against a budget, with the time that agents were at work."""
        usage = self.store.attempts.spent(goal=goal, task=task, since=since)
        seconds = self.store.attempts.worked_s(now=self.clock.now(), goal=goal, task=task, since=since)
        return Used.of(usage, seconds)

    def of_goal(self, goal: GoalId) -> Budget | None:
        """Return a goal's own ceiling, or None."""
        return self.store.budgets.get(goal)

    def allow(self, id: GoalId, budget: Budget) -> Goal:
        """Let a goal use *budget* in all, what it has used counted in; the budget of each task stays as it was.

        Raises:
            BadInput: it has used that up already.
            RefusedByState: it is over.
        """
        with self.store.transaction():
            goal = self.store.goals.get(id)
            if goal.state not in GOAL_OPEN and goal.state is not GoalState.FAILED:
                raise RefusedByState(f"goal {id} is {goal.state} already", hint=f"orchestrate report {id}")
            if why := budget.passed(self.used(goal=id)):
                raise BadInput(f"goal {id} has used that up already: {why}", hint="what it has used is counted in")
            self.store.budgets.put(id, budget, self.store.budgets.of_each_task(id))
            usd, tokens, seconds = budget.limits
            self.events.record("goal.budget_set", goal=id, micro_usd=usd, tokens=tokens, seconds=seconds)
        self.notifier.wake()
        return self.store.goals.get(id)

    def of_task(self, task: TaskId, goal: GoalId) -> tuple[Budget, Used] | None:
        """Return a task's own ceiling and what counts against it since a person last sent it back; None without one."""
        budget = self.store.budgets.of_each_task(goal)
        if budget is None:
            return None
        retried = self.store.events.last(1, task=task, types=("task.retried", "review"))
        return budget, self.used(task=task, since=retried[0].at if retried else None)

    def exhausted(
        self, goals: Sequence[GoalId], running: Mapping[GoalId, int], each: Budget | None = None
    ) -> set[GoalId]:
        """Return the goals whose own ceiling does not allow one more start, given how many of each are running.

        *each* is what one attempt may use, which is set aside for those at work and the next.
        """
        return {goal for goal in goals if self.short(goal, running.get(goal, 0), each)}

    def short(self, goal: GoalId, running: int, each: Budget | None = None) -> str:
        """Say in words how a goal's own ceiling forbids one more start while *running* are at work; nothing if not."""
        budget = self.store.budgets.get(goal)
        return "" if budget is None else budget.setting_aside(each).short(self.used(goal=goal), running)

    def passed(self, goal: GoalId) -> str:
        """Say in words which of a goal's own ceilings is reached, nothing set aside; nothing when none is."""
        budget = self.store.budgets.get(goal)
        return "" if budget is None else budget.passed(self.used(goal=goal))

    def for_attempt(self, attempt: Attempt, each: Budget | None) -> Budget | None:
        """Return what an attempt may use: *each*, and no more than is left of its task's own ceiling."""
        found = self.of_task(attempt.task, attempt.goal)
        if found is None:
            return each
        budget, used = found
        left = budget.less(Used(*(max(0, all - own) for all, own in zip(used, Used.of(attempt.usage), strict=True))))
        return left.within(each)

    def nearly_used(self, goal: GoalId) -> float | None:
        """Return which share of a goal's budget is used, the first time that it is four fifths of it or more."""
        budget = self.store.budgets.get(goal)
        if budget is None or (share := budget.share(self.used(goal=goal))) < NEAR:
            return None
        told = self.store.events.last(1, goal=goal, types=("budget.near", "goal.budget_set"))
        if told and told[0].type == "budget.near":
            return None
        with self.store.transaction():
            self.events.record("budget.near", goal=goal, percent=round(share * 100))
        return share

    def run_nearly_used(self, budget: Budget, began: datetime) -> float | None:
        """Return which share of a run's budget is used when it is four fifths or more, and write it down."""
        if (share := budget.share(self.used(since=began))) < NEAR:
            return None
        with self.store.transaction():
            self.events.record("budget.near", percent=round(share * 100))
        return share
