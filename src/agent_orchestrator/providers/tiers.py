"""What work would cost before it is begun: the model that a provider uses for a tier, and its price."""

from collections.abc import Mapping

from agent_orchestrator.domain.task import Tier
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.providers import api
from agent_orchestrator.providers.prices import UNKNOWN_MODEL, Table


def priced(
    provider: str,
    usage: Usage,
    tier: Tier,
    *,
    chosen: str | None,
    by_tier: Mapping[tuple[str, Tier], str],
    table: Table,
) -> int | None:
    """Return what *usage* costs by *provider*'s model of *tier*, in micro-dollars.

    None where the CLI chooses the model itself, or where *table* has no price for it: a guess at the dearest, which
    stops a budget in time, would only frighten here. *chosen* is the user's model for all work of the provider.
    """
    model = chosen or by_tier.get((provider, tier)) or (api.MODELS[tier] if provider == "api" else None)
    if model is None:
        return None
    if provider in {"claude", "api"}:
        model = api.ALIASES.get(model, model)
    if table.find(model) is None and table.unknown is UNKNOWN_MODEL:
        return None
    return table.estimated(usage, model).cost_micro_usd
