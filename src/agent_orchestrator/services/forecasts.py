"""What to expect of a plan in this project, from what its finished tasks took."""

from collections.abc import Callable
from dataclasses import dataclass

from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.planning.forecast import Forecast, History, forecast
from agent_orchestrator.stores import Store

FINISHED_LIMIT = 200
"""Finished tasks that a forecast looks at, the newest: older ones tell of other models and other code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Say what a plan may take."""

    store: Store
    agents: int
    """How many agents run at once, by the settings."""
    provider: Callable[[], str | None]
    """Who would do the work; None when no provider could."""
    priced: Callable[[str, Usage, Tier], int | None]
    """What a usage costs with a provider's model of a tier, in micro-dollars; None where no price is known."""
    assumed: Callable[[str, Usage, Tier], int | None]
    """The same as if a CLI that chooses its model itself chose what it was seen to choose."""
    assumption: Callable[[str], str]
    """What is assumed of a provider's own choice, in words."""
    unpriced: Callable[[str], str]
    """Why no cost of a provider is known, and what would tell it."""

    def of(self, plan: Plan, agents: int | None = None) -> Forecast:
        """Return what to expect of *plan* with *agents* agents at work; None: as many as the settings allow.

        Raises:
            InvalidPlan: its dependencies form a cycle.
        """
        provider = self.provider()
        history = History(
            finished=self.store.attempts.finished(FINISHED_LIMIT),
            provider=provider,
            priced=lambda usage, tier: None if provider is None else self.priced(provider, usage, tier),
            assumed=lambda usage, tier: None if provider is None else self.assumed(provider, usage, tier),
            assumed_model="" if provider is None else self.assumption(provider),
            unpriced="no agent is here to do it" if provider is None else self.unpriced(provider),
        )
        return forecast(plan, agents or self.agents, history)
