"""A plan's forecast in words, and as programs get it."""

from typing import Any

from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.forecast import Forecast

DECIDING_SHOWN = 5
"""Tasks that decide the end, as shown; the rest decide it seldom."""


def parts(expected: Forecast) -> list[str]:
    """Return time, cost, number of agents and where the figures come from, each in a few words."""
    who = "1 agent" if expected.agents == 1 else f"{expected.agents} agents"
    enough = expected.at_once <= expected.agents
    room = f"up to {expected.at_once} at once" if enough else f"room for {expected.at_once}"
    return [time(expected), cost(expected), f"{who}, {room}", source(expected)]


def time(expected: Forecast) -> str:
    """Return how long it may take: half of the nights exceed the first figure, one in ten the second."""
    return f"likely {duration(expected.p50_s)}, longest {duration(expected.p90_s)} (P50, P90)"


def cost(expected: Forecast) -> str:
    """Return what it may cost, or why that is not known."""
    if expected.cost is None:
        return f"cost not known: {expected.cost_unknown}"
    likely, most = (amount / 1_000_000 for amount in (expected.cost.p50_micro_usd, expected.cost.p90_micro_usd))
    guessed = expected.cost.assumed
    if guessed:
        guessed = f" ({'mostly ' if expected.cost.from_tasks else ''}assumed: {guessed})"
    return f"cost likely ${likely:,.2f}, up to ${most:,.2f}{guessed}"


def source(expected: Forecast) -> str:
    """Return where the durations come from."""
    if not expected.from_tasks:
        return "assumed per size: no history yet"
    return f"from {expected.from_tasks} finished {'task' if expected.from_tasks == 1 else 'tasks'} of this project"


def deciding(plan: Plan, expected: Forecast) -> list[tuple[str, str, str]]:
    """Return how often the end waited for which task, the most frequent first: share, id, title."""
    titles = {task.id: task.title for task in plan.tasks}
    return [(f"{share * 100:.0f} %", id, titles[id]) for id, share in expected.decides[:DECIDING_SHOWN]]


def duration(seconds: int) -> str:
    """Return *seconds* as ``45 min`` or ``3 h 05``."""
    if seconds < 60:
        return "under 1 min"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02}"


def to_json(expected: Forecast) -> dict[str, Any]:
    """Return the forecast as it is documented for programs."""
    cost = expected.cost
    told = cost and {
        "p50_usd": cost.p50_micro_usd / 1_000_000,
        "p90_usd": cost.p90_micro_usd / 1_000_000,
        "from_tasks": cost.from_tasks,
        "assumed": cost.assumed or None,
    }
    return {
        "agents": expected.agents,
        "p50_s": expected.p50_s,
        "p90_s": expected.p90_s,
        "from_tasks": expected.from_tasks,
        "cost": told,
        "cost_unknown": expected.cost_unknown or None,
        "at_once": expected.at_once,
        "critical": list(expected.critical),
        "decides": [{"task": id, "share": share} for id, share in expected.decides],
    }
