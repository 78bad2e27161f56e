"""Records as the plain JSON values that programs get and views are drawn from: one shape for each, at every door."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from agent_orchestrator.domain.clock import spelt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agent_orchestrator.domain.agent import Agent
    from agent_orchestrator.domain.attempt import Attempt
    from agent_orchestrator.domain.evidence import CheckRun, Concern, Evidence
    from agent_orchestrator.domain.hold import Hold
    from agent_orchestrator.domain.task import Task
    from agent_orchestrator.domain.usage import Usage

Json = dict[str, Any]


def task_json(task: Task) -> Json:
    """Return a task without its description, its dependencies and its attempts."""
    return {
        "id": task.id,
        "goal": task.goal,
        "key": task.key,
        "title": task.title,
        "specialist": task.specialist,
        "state": task.state.value,
        "reason": task.reason,
        "phase": task.phase,
        "priority": task.priority,
        "tier": task.tier.value,
        "size": task.size.value,
        "provider": task.provider,
        "acceptance": list(task.acceptance),
        "owns": list(task.owns),
        "verify": task.verify,
        "attempts_used": task.attempts,
        "max_attempts": task.max_attempts,
        "not_before": time(task.not_before),
        "verdict": task.verdict.value if task.verdict else None,
        "summary": task.summary,
        "commit": task.commit,
    }


def agent_json(agent: Agent, task: Task | None, now: datetime) -> Json:
    """Return an agent and what it does now; *task* is its task, None when it has none."""
    ended = agent.ended_at or now
    silent = (now - agent.seen_at).total_seconds() if agent.seen_at and not agent.ended_at else None
    return {
        "id": agent.id,
        "provider": agent.provider,
        "specialist": agent.specialist,
        "state": agent.state.value,
        "task": agent.task,
        "task_key": task.key if task else None,
        "task_title": task.title if task else None,
        "attempt": agent.attempt,
        "pid": agent.pid,
        "doing": agent.doing,
        "elapsed_s": round((ended - agent.started_at).total_seconds(), 1) if agent.started_at else None,
        "silent_s": None if silent is None else round(silent, 1),
        "stop_wished": agent.stop_wished,
        "started_at": time(agent.started_at),
        "ended_at": time(agent.ended_at),
    }


def attempt_json(attempt: Attempt, evidence: Evidence | None) -> Json:
    """Return an attempt and what it was judged by."""
    return {
        "id": attempt.id,
        "number": attempt.number,
        "agent": attempt.agent,
        "provider": attempt.provider,
        "model": attempt.model,
        "cli_version": attempt.cli_version,
        "cli_path": attempt.cli_path,
        "outcome": attempt.outcome.value if attempt.outcome else None,
        "reason": attempt.reason,
        "doing": attempt.last_action,
        "summary": attempt.summary,
        "session": attempt.session,
        "workspace": attempt.workspace,
        "branch": attempt.branch,
        "base_commit": attempt.base_commit,
        "commit": attempt.commit,
        "prompt_sha256": attempt.prompt_sha256,
        "transcript": f"{attempt.run_dir}/stdout.log",
        "run_dir": attempt.run_dir,
        "usage": usage_json(attempt.usage),
        "started_at": time(attempt.started_at),
        "ended_at": time(attempt.ended_at),
        "evidence": evidence_json(evidence),
    }


def phases_json(tasks: Sequence[Task]) -> list[Json]:
    """Return per phase its tasks and how many are in which state."""
    found: dict[int, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.phase, []).append(task)
    return [
        {
            "phase": phase,
            "counts": dict(Counter(task.state.value for task in found[phase])),
            "tasks": [
                {
                    "id": task.id,
                    "key": task.key,
                    "title": task.title,
                    "specialist": task.specialist,
                    "state": task.state.value,
                    "verdict": task.verdict.value if task.verdict else None,
                }
                for task in found[phase]
            ],
        }
        for phase in sorted(found)
    ]


def evidence_json(evidence: Evidence | None) -> Json | None:
    """Return what an attempt was judged by."""
    if evidence is None:
        return None
    return {
        "files": list(evidence.files),
        "insertions": evidence.insertions,
        "deletions": evidence.deletions,
        "base_commit": evidence.base_commit,
        "commit": evidence.commit,
        "diffstat": evidence.diffstat,
        "notes": list(evidence.notes),
        "concerns": concerns_json(evidence.concerns),
        "advice": list(evidence.advice),
        "checks": checks_json(evidence.checks),
    }


def checks_json(checks: Sequence[CheckRun]) -> list[Json]:
    """Return runs of checks as plain JSON values."""
    return [
        {
            "command": check.command,
            "origin": check.origin,
            "result": check.result.value,
            "exit_code": check.exit_code,
            "duration_ms": check.duration_ms,
            "tail": check.tail,
            "failures": None if check.failures is None else list(check.failures),
            "tree": check.tree,
            "cached": check.cached,
        }
        for check in checks
    ]


def concerns_json(concerns: Sequence[Concern]) -> list[Json]:
    """Return concerns as plain JSON values."""
    return [
        {"kind": one.kind.value, "path": one.path, "detail": one.detail, "excuse": one.excuse, "lowers": one.lowers}
        for one in concerns
    ]


def hold_json(hold: Hold) -> Json:
    """Return why a provider waits."""
    return {
        "provider": hold.provider,
        "kind": hold.kind.value,
        "until": time(hold.until),
        "stated": hold.stated,
        "reason": hold.reason,
        "refusals": hold.refusals,
    }


def usd(micro_usd: int | None) -> float | None:
    """Return dollars."""
    return None if micro_usd is None else round(micro_usd / 1_000_000, 6)


def minutes(seconds: int | None) -> float | None:
    """Return minutes, to a tenth; to a thousandth below one, so that a budget of a second is not one of nothing."""
    return None if seconds is None else round(seconds / 60, 1 if seconds >= 60 else 3)


def usage_json(usage: Usage) -> Json:
    """Return what was used. A cost that nobody told is None."""
    return {
        "cost_usd": round(usage.cost_micro_usd / 1_000_000, 6) if usage.cost_micro_usd else None,
        "cost_is_estimate": usage.cost_is_estimate,
        "cost_is_partial": usage.cost_is_partial,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }


def usages_summed(usages: Sequence[Json]) -> Json:
    """Return the sum of *usages*, as ``usage_json`` has them. Where one names no cost it is a part of the whole."""
    costs = [one["cost_usd"] for one in usages if one["cost_usd"] is not None]
    tokens = {name: sum(one[name] for one in usages) for name in ("input_tokens", "cached_tokens", "output_tokens")}
    return {
        "cost_usd": sum(costs) if costs else None,
        "cost_is_estimate": any(one["cost_is_estimate"] for one in usages),
        "cost_is_partial": len(costs) < len(usages) or any(one["cost_is_partial"] for one in usages),
        **tokens,
    }


def time(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC."""
    return None if moment is None else spelt(moment)
