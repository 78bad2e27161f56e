"""How specialists and providers did: how many tasks, how well, how long, at what cost. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil

from agent_orchestrator.services.json_values import Json

NOT_JUDGED = frozenset({None, "limited", "cancelled", "no_room", "fenced"})
"""Outcomes that say nothing of how well somebody works: they are not charged either. None: it still runs."""


def figures(tasks: Sequence[Json]) -> Json:
    """Return the figures of each specialist and each provider that had an attempt at one of a report's *tasks*."""
    pairs = [(task, attempt) for task in tasks for attempt in task["attempts"]]
    return {
        "specialists": _grouped(pairs, lambda task, _: str(task["specialist"])),
        "providers": _grouped(pairs, lambda _, attempt: str(attempt["provider"])),
    }


def _grouped(pairs: Sequence[tuple[Json, Json]], name_of: Callable[[Json, Json], str]) -> list[Json]:
    groups: dict[str, list[tuple[Json, Json]]] = {}
    for task, attempt in pairs:
        groups.setdefault(name_of(task, attempt), []).append((task, attempt))
    return [_figures(name, groups[name]) for name in sorted(groups)]


def _figures(name: str, pairs: Sequence[tuple[Json, Json]]) -> Json:
    judged = [(task["id"], attempt) for task, attempt in pairs if attempt["outcome"] not in NOT_JUDGED]
    over = {task for task, _ in judged}
    done = {task for task, attempt in judged if attempt["outcome"] == "succeeded"}
    seconds = sorted(_seconds(attempt) for _, attempt in judged if attempt["started_at"] and attempt["ended_at"])
    costs = [attempt["usage"] for _, attempt in pairs]
    known = [one["cost_usd"] for one in costs if one["cost_usd"] is not None]
    unpriced = any(attempt["usage"]["cost_usd"] is None for _, attempt in judged)
    return {
        "name": name,
        "tasks": len({task["id"] for task, _ in pairs}),
        "attempts": len(pairs),
        "done": len(done),
        "success_rate": round(len(done) / len(over), 3) if over else None,
        "p50_s": _percentile(seconds, 50),
        "p95_s": _percentile(seconds, 95),
        "cost_usd": round(sum(known), 6) if known else None,
        "cost_is_estimate": any(one["cost_is_estimate"] for one in costs),
        "cost_is_partial": bool(known) and unpriced,
    }


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the nearest-rank percentile: a duration that was seen, not one in between. None of nothing."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def _seconds(attempt: Json) -> float:
    started, ended = (datetime.fromisoformat(attempt[name]) for name in ("started_at", "ended_at"))
    return (ended - started).total_seconds()
