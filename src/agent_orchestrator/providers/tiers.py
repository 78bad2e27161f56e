"""What work would cost before it is begun: the model that a provider uses for a tier, and its price."""

from collections.abc import Mapping

from agent_orchestrator.domain.task import Tier
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.providers import api
from agent_orchestrator.providers.prices import UNKNOWN_MODEL, Table

OWN_CHOICE: Mapping[str, str] = {"claude": "claude-opus-5-5", "codex": "gpt-6.1-sol"}
"""The model that a CLI asked for when it was told none: claude 2.1.329 and codex 0.169.0, both with a key and without
settings, seen by a model server on loopback in November 2026. Another login or version may choose another."""


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


def assumed(
    provider: str,
    usage: Usage,
    tier: Tier,
    *,
    chosen: str | None,
    by_tier: Mapping[tuple[str, Tier], str],
    table: Table,
) -> int | None:
    """Return the same where the CLI chooses the model itself, as if it chose what it was seen to choose.

    A model that *table* has no price for costs like the dearest in it. None where nobody knows what is chosen, and for
    a model of the user's without a price: what they chose is not guessed at.
    """
    known = priced(provider, usage, tier, chosen=chosen, by_tier=by_tier, table=table)
    if known is not None or chosen or by_tier.get((provider, tier)) or provider not in OWN_CHOICE:
        return known
    return table.estimated(usage, OWN_CHOICE[provider]).cost_micro_usd


def assumption(provider: str, table: Table) -> str:
    """Say what :func:`assumed` takes for granted of *provider*; empty where it assumes nothing."""
    model = OWN_CHOICE.get(provider)
    if model is None:
        return ""
    has_price = table.find(model) is not None or table.unknown is not UNKNOWN_MODEL
    return f"{model} by {provider}'s own choice" + ("" if has_price else ", at the price of the dearest model known")


def unpriced(provider: str, *, chosen: str | None, by_tier: Mapping[tuple[str, Tier], str], table: Table) -> str:
    """Say why no cost of *provider* is known or assumed, and what would tell it.

    gemini, opencode and commands of the user's choose among models of any price, by settings and logins of their own:
    nothing is assumed of them.
    """
    named = [chosen] if chosen else [by_tier[provider, tier] for tier in Tier if (provider, tier) in by_tier]
    without = [model for model in dict.fromkeys(named) if table.find(model) is None]
    if without:
        return f"no price of {', '.join(without)}; the setting prices takes one"
    if provider == "generic":
        return "your own command's price is not known here; set generic_model and prices"
    return f"{provider} chooses its model itself; set {provider}_model"
