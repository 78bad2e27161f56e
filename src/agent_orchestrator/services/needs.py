"""What waits for a person: failed tasks, changes of a plan, a branch that was not moved, a refused login."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from agent_orchestrator.domain.goal import GOAL_OPEN, Delivery, Goal
from agent_orchestrator.domain.hold import Hold, HoldKind
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.domain.task import HELD, Task, TaskState
from agent_orchestrator.services import plan_changes
from agent_orchestrator.services.alive import is_alive
from agent_orchestrator.services.json_values import Json
from agent_orchestrator.services.waiting import goal_short, option, until_when
from agent_orchestrator.stores import Leadership, Store

STOPPED_BY = {
    "budget": "ended at its budget",
    "deadline": "ended at its deadline",
    "limit": "ended without waiting for a limit",
    "user": "was stopped by you",
}
"""What `Outlook.stopped_by` is to a person."""


def needs_you(
    store: Store,
    goal: Goal,
    tasks: Sequence[Task],
    edges: Mapping[TaskId, Sequence[TaskId]],
    holds: Sequence[Hold],
    now: datetime,
) -> list[Json]:
    """Return what goes on only when a person does something, the most pressing first, each with its command."""
    awaited = {need for needs in edges.values() for need in needs}
    found: list[Json] = [
        {
            "what": "task_failed",
            "risk": "high" if task.id in awaited else "medium",
            "task": task.id,
            "key": task.key,
            "title": task.title,
            "why": task.reason,
            "command": f"orchestrate retry {task.id}",
        }
        for task in tasks
        if task.state is TaskState.FAILED
    ]
    if store.goals.asking().get(goal.id):
        found += plan_changes.needs(store, goal.id)
    if goal.delivery is Delivery.WAITING:
        command = f"git merge {goal.result_branch}" if goal.result_branch else None
        found.append({"what": "not_delivered", "risk": "medium", "why": goal.delivery_note, "command": command})
    if goal.state in GOAL_OPEN:
        for hold in holds:
            if hold.kind is HoldKind.LOGIN:
                why = f"{hold.provider}'s login is refused: {hold.reason}"
                command = f"orchestrate resume {hold.provider}"
                found.append(
                    {"what": "login", "risk": "high", "provider": hold.provider, "why": why, "command": command}
                )
        leadership = store.leadership.get()
        at_work = any(task.state in HELD for task in tasks)
        short = "" if at_work else goal_short(store, goal, leadership, now)
        if short:
            why, command = f"its budget lets nothing start: {short}", f"orchestrate retry {goal.id} --budget MORE"
            found.append({"what": "budget", "risk": "high", "why": why, "command": command})
        elif not is_alive(leadership):
            waits = [until_when(hold, now) for hold in holds if hold.kind is not HoldKind.LOGIN]
            why = f"it is not finished and no supervisor is running{_how_it_ended(leadership)}"
            why += f"; waiting for {' and '.join(waits)}" if waits else ""
            found.append({"what": "not_running", "risk": "high", "why": why, "command": "orchestrate run"})
    return sorted(found, key=lambda one: one["risk"] != "high")


def _how_it_ended(leadership: Leadership | None) -> str:
    """Say why the last run left work, where it is known."""
    if leadership is None:
        return ""
    if leadership.ended_at is None:
        return "; the last one died"
    by = STOPPED_BY.get(str(option(leadership, "stopped_by")))
    return f"; the last one {by} at {leadership.ended_at.astimezone():%H:%M}" if by else ""
