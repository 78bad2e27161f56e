"""What differs between two plans, for people and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.planning.document import task_to_json

_FIELDS = ("title", "description", "agent_type", "depends_on", "priority", "tier", "size", "owns", "acceptance",
           "verify", "expects_change")  # fmt: skip
_NAMES = {"agent_type": "specialist", "expects_change": "changes files", "verify": "check", "acceptance": "done-when"}
TEXT_SHOWN = 60
"""Characters of a text that a difference shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of one task that is different."""

    task: str
    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """From one plan to another."""

    added: tuple[PlannedTask, ...] = ()
    removed: tuple[PlannedTask, ...] = ()
    changed: tuple[FieldChange, ...] = ()
    reordered: bool = False
    """Whether the tasks that both have are listed in another order."""
    others: tuple[str, ...] = ()
    """What is different beside the tasks, a line each: answers, assumptions."""

    def __bool__(self) -> bool:
        """Say whether anything is different."""
        return bool(self.added or self.removed or self.changed or self.reordered or self.others)


def difference(before: Plan, after: Plan) -> Difference:
    """Return what leads from *before* to *after*. Tasks are the same by their id."""
    old = {task.id: task for task in before.tasks}
    new = {task.id: task for task in after.tasks}
    return Difference(
        added=tuple(task for task in after.tasks if task.id not in old),
        removed=tuple(task for task in before.tasks if task.id not in new),
        changed=tuple(change for id, task in new.items() if id in old for change in _fields(old[id], task)),
        reordered=[id for id in old if id in new] != [id for id in new if id in old],
        others=tuple(_others(before, after)),
    )


def _fields(old: PlannedTask, new: PlannedTask) -> Iterator[FieldChange]:
    mine, theirs = task_to_json(old), task_to_json(new)
    for field in _FIELDS:
        one, other = mine[field], theirs[field]
        same_needs = field == "depends_on" and set(old.depends_on) == set(new.depends_on)
        if one != other and not same_needs:
            yield FieldChange(task=new.id, field=field, before=one, after=other)


def _others(before: Plan, after: Plan) -> Iterator[str]:
    if before.goal != after.goal:
        yield "the goal has other words"
    asked = {one.text: one for one in before.questions}
    for question in after.questions:
        was = asked.pop(question.text, None)
        if was is None:
            yield f"asked: {question.text}"
        if question.answer is not None and (was is None or was.answer != question.answer):
            yield f"answered: {question.text} {_short(question.answer)}"
        elif was is not None and was.answer is not None and question.answer is None:
            yield f"not answered any more: {question.text}"
    for text in asked:
        yield f"not asked any more: {text}"
    for text in after.assumptions:
        if text not in before.assumptions:
            yield f"assumed: {text}"
    for text in before.assumptions:
        if text not in after.assumptions:
            yield f"not assumed any more: {text}"


def in_words(found: Difference) -> list[str]:
    """Return *found* in lines for a person: ``+`` added, ``-`` removed, ``~`` changed."""
    lines = [f"- {task.id}: {task.title}" for task in found.removed]
    for task in found.added:
        after = f", after {', '.join(task.depends_on)}" if task.depends_on else ""
        lines.append(f"+ {task.id}: {task.title} ({task.agent_type}, {task.size}{after})")
    lines += [f"~ {change.task}: {_told(change)}" for change in found.changed]
    if found.reordered:
        lines.append("~ the order of the list")
    return lines + [f"~ {text}" for text in found.others]


def _told(change: FieldChange) -> str:
    name = _NAMES.get(change.field, change.field)
    if isinstance(change.before, list) and isinstance(change.after, list):
        more = [str(one) for one in change.after if one not in change.before]
        less = [str(one) for one in change.before if one not in change.after]
        if change.field == "depends_on":
            parts = [f"waits for {', '.join(more)}"] if more else []
            parts += [f"no longer waits for {', '.join(less)}"] if less else []
            return "; ".join(parts)
        parts = [f"{name} + {_short('; '.join(more))}"] if more else []
        parts += [f"{name} - {_short('; '.join(less))}"] if less else []
        return "; ".join(parts) or f"{name} in another order"
    if change.field == "description":
        return f"{name} has other words ({len(str(change.before)):,} to {len(str(change.after)):,} characters)"
    return f"{name} {_short(change.before)} → {_short(change.after)}"


def to_json(found: Difference) -> dict[str, object]:
    """Return *found* as values that ``json.dumps`` takes."""
    return {
        "added": [task_to_json(task) for task in found.added],
        "removed": [task_to_json(task) for task in found.removed],
        "changed": [
            {"task": one.task, "field": one.field, "before": one.before, "after": one.after} for one in found.changed
        ],
        "reordered": found.reordered,
        "others": list(found.others),
    }


def _short(value: object) -> str:
    if value is None:
        return "none"
    text = " ".join(str(value).split())
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1].rstrip() + "…"
