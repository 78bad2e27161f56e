"""What was answered and assumed about a plan, written into the tasks that it touches."""

from dataclasses import replace

from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.quoting import DECIDED, TAKEN


def decided(plan: Plan) -> Plan:
    """Return *plan* with what was answered and assumed written into the descriptions of the tasks that it touches.

    This is what is queued: an agent sees its task alone. A question nobody answered is told with its default.
    """
    if plan.source == "single" and not plan.questions and not plan.assumptions:
        return plan
    tasks = []
    for task in plan.tasks:
        about = [one for one in plan.questions if not one.tasks or task.id in one.tasks]
        answered = [f"- {one.text} {one.answer}" for one in about if one.answer is not None]
        taken = [f"- {one.text} {one.default}" for one in about if one.answer is None and one.default]
        taken += [f"- {text}" for text in plan.assumptions]
        parts = [task.description]
        parts += [f"{DECIDED}\n" + "\n".join(answered)] if answered else []
        parts += [f"{TAKEN}\n" + "\n".join(taken)] if taken else []
        tasks.append(replace(task, description="\n\n".join(parts)) if len(parts) > 1 else task)
    return replace(plan, tasks=tuple(tasks))
