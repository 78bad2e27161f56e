"""The evidence of one task in one document: what was asked, what was seen, who did it, what was seen later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_orchestrator.domain.clock import spelt
from agent_orchestrator.domain.errors import NothingToDo
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.domain.ids import TaskId
    from agent_orchestrator.services.reports import Reports

AGAIN = "task.verified_again"
AGAIN_SHOWN = 10
"""Later verifications told of, the last ones."""


def proof(reports: Reports, id: TaskId) -> Json:
    """Return what the task's verdict rests on: of the attempt that landed, else of the last that was looked at.

    Raises:
        NothingToDo: nothing was seen of the task yet.
    """
    task = reports.task(id)
    attempt = _attempt(task)
    if attempt is None:
        hint = f"orchestrate task {id}" if task["attempts"] else "orchestrate status says what it waits for"
        raise NothingToDo(f"task {id} has no evidence yet: it is {task['state']}", hint=hint)
    evidence = attempt["evidence"]
    return {
        **{name: task[name] for name in ("id", "key", "title", "goal", "goal_title", "demo", "state", "verdict")},
        **{name: task[name] for name in ("acceptance", "owns", "verify", "summary")},
        **{
            name: attempt[name]
            for name in ("number", "outcome", "agent", "provider", "model", "cli_version", "cli_path")
        },
        **{name: attempt[name] for name in ("prompt_sha256", "session", "branch", "usage", "started_at", "ended_at")},
        "attempt": attempt["id"],
        "run_dir": attempt["run_dir"],
        "evidence": evidence,
        "verified_again": [
            {"at": spelt(event.at), **event.data}
            for event in reports.store.events.last(AGAIN_SHOWN, task=id, types=(AGAIN,))
        ],
    }


def _attempt(task: Json) -> Json | None:
    seen = [one for one in reversed(task["attempts"]) if one["evidence"] is not None]
    landed = [one for one in seen if task["commit"] and one["evidence"]["commit"] == task["commit"]]
    return next(iter(landed or seen), None)
