"""What becomes of a task after a failure: tried again as it was, tried differently, or not tried again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.retries import Step, failure, is_charged, step
from agent_orchestrator.domain.task import Task, Tier
from agent_orchestrator.services.budget import Budgets
from agent_orchestrator.stores import Store


def _never(provider: str, tier: Tier) -> Tier | None:
    del provider, tier
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Decides, from all that was tried, what the next attempt should have that the last had not."""

    store: Store
    budgets: Budgets
    tier_above: Callable[[str, Tier], Tier | None] = field(default=_never)
    """Returns the next tier in which a provider would use another model, or None."""

    def after(self, task: Task, attempt: Attempt, outcome: Outcome, reason: str, evidence: Evidence | None) -> Step:
        """Return what to change after *attempt* ended with a charged *outcome*.

        It counts the attempts since the task was new or a person retried it, and what they used.
        """
        if found := self.budgets.of_task(task.id, task.goal):
            budget, used = found
            if passed := budget.passed(used):
                return Step(give_up=f"its budget is used up: {passed}")
        if outcome is Outcome.CONFLICT:
            return Step()  # others were quicker: no other model or agent would have been
        earlier = [
            one
            for one in self.store.attempts.of_task(task.id)
            if one.number < attempt.number and is_charged(one.outcome)
        ]
        earlier = earlier[len(earlier) - task.attempts :] if task.attempts else []
        failures = [
            failure(one, one.outcome, one.reason, self.store.attempts.evidence(one.id))
            for one in earlier
            if one.outcome is not None
        ]
        failures.append(failure(attempt, outcome, reason, evidence))
        return step(
            failures,
            tier_above=self.tier_above(attempt.provider, task.tier),
            provider=attempt.provider,
            another=task.provider is None and not task.avoid and self._another(attempt.provider),
        )

    def _another(self, provider: str) -> bool:
        """Say whether the run that goes on has a further provider."""
        leadership = self.store.leadership.get()
        named = (leadership.options or {}).get("providers") if leadership is not None else None
        return isinstance(named, list) and any(name != provider for name in named)
