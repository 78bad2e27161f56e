"""Whether a model's plan says what an unattended night needs: when a task is done, what checks it, what it writes."""

from agent_orchestrator.domain.plan import Plan, PlannedTask

SHARE = 0.95
"""Share of tasks that must say all of it. A plan with less is asked for once more."""

WORDS_ONLY = frozenset({"documentation-writer", "specifications-engineer", "project-delivery-manager"})
"""Whose work no command can check."""


def missing(plan: Plan, *, has_check: bool) -> str:
    """Return what the tasks of *plan* do not say, for the model that made it; empty when SHARE of them say all.

    With *has_check* the project has a test command, and a task needs none of its own.
    """
    lacks = {task.id: found for task in plan.tasks if (found := _lacks(task, has_check))}
    if len(lacks) <= len(plan.tasks) * (1 - SHARE):
        return ""
    return "; ".join(f"task {id} has no {' and no '.join(found)}" for id, found in lacks.items())


def _lacks(task: PlannedTask, has_check: bool) -> list[str]:
    found = [] if task.acceptance else ["acceptance"]
    if not task.expects_change:
        return found
    if task.verify is None and not has_check and task.agent_type not in WORDS_ONLY:
        found.append("verify (the project has no test command that null could mean)")
    return found if task.owns else [*found, "owns"]
