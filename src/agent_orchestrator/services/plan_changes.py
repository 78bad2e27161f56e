"""How a goal's plan was changed while it was worked on, and what waits for a person, as plain JSON values."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent_orchestrator.domain.clock import spelt
from agent_orchestrator.domain.event import Event
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.replan import Kind, Replan
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.services.json_values import Json, usage_json
from agent_orchestrator.stores import Store


def needs(store: Store, goal: GoalId) -> list[Json]:
    """Return an entry of what needs a person for each change of the goal's plan that waits for one."""
    found = []
    for one in store.replans.waiting(goal):
        shown = waiting_json(store, one)
        count = len(one.tasks)
        what = f"{count} task{'s' if count != 1 else ''}: {', '.join(task['title'] for task in shown['tasks'])}"
        how = "would be added after" if one.kind is Kind.MORE else "would do the work of"
        found.append(
            {
                "what": "plan_change",
                "risk": "medium" if one.kind is Kind.MORE else "high",
                "task": shown["task"],
                "key": shown["key"],
                "title": shown["title"],
                "why": f"{what} {how} {shown['key']} ({one.reason}); it was asked for because: {one.why}",
                "command": f"orchestrate plan-continue {goal} --agree {one.id}",
            }
        )
    return found


def waiting_json(store: Store, one: Replan) -> Json:
    """Return a wished change as every door tells it."""
    task = store.tasks.get(one.task)
    return {
        "number": one.id,
        "kind": one.kind.value,
        "state": one.state.value,
        "task": task.id,
        "key": task.key,
        "title": task.title,
        "why": one.why,
        "reason": one.reason,
        "tasks": [
            {
                "id": wanted["id"],
                "title": wanted["title"],
                "description": wanted["description"],
                "agent_type": wanted["agent_type"] or None,
                "depends_on": wanted["depends_on"],
                "owns": wanted["owns"],
                "acceptance": wanted["acceptance"],
                "verify": wanted["verify"],
            }
            for wanted in one.tasks
        ],
        "at": spelt(one.at),
    }


def asked(events: Iterable[Event], keys: Mapping[TaskId, str]) -> list[Json]:
    """Return what planners were asked about tasks while they were worked on, and what that used of the goal's spend.

    *keys* names the tasks.
    """
    return [
        {
            "at": spelt(event.at),
            "task": event.task,
            "key": keys.get(event.task) if event.task else None,
            "planner": event.data["planner"],
            "seconds": event.data["seconds"],
            "trouble": event.data["trouble"],
            "usage": usage_json(_used(event.data)),
        }
        for event in events
    ]


def _used(data: Mapping[str, Any]) -> Usage:
    return Usage(**{name: data[name] for name in Usage._fields})


def made(store: Store, goal: GoalId) -> list[Json]:
    """Return the versions that the goal's plan got while it was worked on, the first first."""
    plan = store.plans.of_goal(goal)
    if plan is None:
        return []
    return [
        {"version": one.version, "what": one.what, "who": one.who, "why": one.why, "at": spelt(one.at)}
        for one in store.plans.versions(plan)
        if one.kind == "replan"
    ]
