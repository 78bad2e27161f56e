"""Which model a role's task gets from a provider, and which of the role's limits that provider cannot keep."""

import re
from collections.abc import Mapping
from pathlib import Path

from agent_orchestrator.domain.specialist import Specialist
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.providers import Briefing, Command, Provider

KNOWS: Mapping[str, re.Pattern[str]] = {
    "claude": re.compile(r"(?:sonnet|opus|haiku|opusplan|best)(?:\[1m\])?|(?:.*[./])?claude-.+", re.I),
    "codex": re.compile(r"gpt-.+|o\d\b.*|codex-.+", re.I),
    "gemini": re.compile(r"gemini-.+", re.I),
    "opencode": re.compile(r"[\w-]+/.+"),
    "api": re.compile(r"sonnet|opus|haiku|claude-.+", re.I),
}
"""Names of models that each provider takes.

``claude``: its aliases (all but ``best`` were seen to be resolved by 2.1.329, 2026-11) and full names, also as Amazon
and Google spell them. A provider that is not listed is given only models that a role file says are its own.
"""

LIMITS = {
    "tools": "the list of tools",
    "denied_tools": "the list of forbidden tools",
    "max_turns": "the limit on turns",
}
"""The limits of a role, in words, by their name in a briefing."""


def model_for(
    role: Specialist, provider: str, tier: Tier, *, chosen: str | None, by_tier: Mapping[tuple[str, Tier], str]
) -> str | None:
    """Return the model for a task of *tier* done in *role* by *provider*; None leaves it to the CLI.

    What the user *chose* for all work of the provider beats the role's own model, which beats the tier's. A role's
    model counts only for a provider that knows it.
    """
    return chosen or (role.model if knows_model(role, provider) else None) or by_tier.get((provider, tier)) or None


def tier_above(
    provider: str, tier: Tier, *, chosen: str | None, by_tier: Mapping[tuple[str, Tier], str]
) -> Tier | None:
    """Return the next tier above *tier* in which *provider* would use another model; None when there is none.

    A model that the user *chose* for all work of the provider is used in every tier. The model of a role beats the
    tier's too, but roles change: a task that is raised in vain costs nothing.
    """
    if chosen:
        return None
    tiers = list(Tier)
    now = by_tier.get((provider, tier)) or None
    above = tiers[tiers.index(tier) + 1 :]
    return next((one for one in above if (by_tier.get((provider, one)) or None) != now), None)


def knows_model(role: Specialist, provider: str) -> bool:
    """Say whether *provider* can be asked for the role's model; True for a role that names none."""
    if role.model is None:
        return True
    if role.provider is not None:
        return role.provider == provider
    known = KNOWS.get(provider)
    return known is not None and known.fullmatch(role.model) is not None


def unkept(role: Specialist, provider: str, briefing: Briefing, command: Command) -> tuple[str, ...]:
    """Return in words what the role asks for and *command* of *provider* does not give."""
    found = [
        f"{provider} cannot keep {words} of the role {role.name}: it works without that limit"
        for limit, words in LIMITS.items()
        if getattr(briefing, limit) and limit not in command.keeps
    ]
    if not knows_model(role, provider):
        used = f"works with {briefing.model}" if briefing.model else "chooses a model of its own"
        found.append(f"{provider} does not know the model {role.model} of the role {role.name} and {used}")
    return (*found, *(f"{role.name}: {note}" for note in command.notes))


def asked_and_not_kept(role: Specialist, provider: Provider) -> tuple[str, ...]:
    """Return what *provider* would not give to *role*; nothing is prepared, for making a command is a pure function."""
    nowhere = Path("/")
    briefing = Briefing(
        prompt="",
        role=role.prompt,
        workspace=nowhere,
        run_dir=nowhere,
        executable=provider.binary or "",
        model=role.model if knows_model(role, provider.name) else None,
        tools=role.tools,
        denied_tools=role.denied_tools,
        max_turns=role.max_turns,
    )
    return unkept(role, provider.name, briefing, provider.command(briefing))
