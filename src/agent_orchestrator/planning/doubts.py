"""What looks doubtful about a plan beside its structure: big tasks, files that are not there, nothing to check with.

Where :mod:`.lint` mends and refuses, this only remarks. Paths are looked up by a function that is handed in.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent_orchestrator.domain.plan import Finding, Plan, PlannedTask, Severity
from agent_orchestrator.domain.task import Size
from agent_orchestrator.planning.globs import scopes_meet
from agent_orchestrator.planning.layers import Layer, layers_in

ITEMS_OF_ONE_SITTING = 6
"""Things to do that a task's own text may list before it looks like several tasks."""

LAYERS_OF_ONE_SITTING = 4
"""Kinds of work, such as tables, screens and tests, in one title."""

OWNED_OF_ONE_SITTING = 12
PATHS_LOOKED_AT = 200

_LISTED = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+\S", re.MULTILINE)
_PATH = re.compile(r"(?<![\w/.:-])((?:[\w.@-]+/)+[\w@-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,7})(?![\w/])")
_MADE = re.compile(
    r"\b(?:create|creates|add|adds|new|write|writes|generate|introduce|make|makes|produce|called|named)\b", re.I
)

RULES = frozenset({"oversize", "no-such-path", "no-verify"})


def with_doubts(plan: Plan, exists: Callable[[str], bool], *, has_check: bool) -> Plan:
    """Return *plan* with what is doubtful among its findings; what was found of these kinds before is looked at anew.

    *exists* says whether a path relative to the project's root is there. *has_check* says whether the project has a
    command that checks the work of tasks without one of their own.
    """
    kept = tuple(found for found in plan.findings if found.rule not in RULES)
    return replace(plan, findings=kept + doubts(plan, exists, has_check=has_check))


def doubts(plan: Plan, exists: Callable[[str], bool], *, has_check: bool) -> tuple[Finding, ...]:
    """Return what is doubtful about *plan*, in the order of its tasks."""
    found = [note for task in plan.tasks for note in _too_big(task, plan.goal)]
    found += _missing_paths(plan, exists)
    bare = [task.id for task in plan.tasks if task.verify is None and task.expects_change]
    if bare and not has_check:
        told = ", ".join(bare[:4]) + (" and others" if len(bare) > 4 else "")
        message = f"nothing checks the work of {told}: neither the plan nor the project names a command"
        found.append(Finding(rule="no-verify", severity=Severity.WARNING, message=message))
    return tuple(dict.fromkeys(found))


def _too_big(task: PlannedTask, goal: str) -> list[Finding]:
    own = task.description.replace(goal, "").replace(goal[:4_000], "") if goal != task.description else ""
    reasons = []
    items = len(_LISTED.findall(own))
    if items > ITEMS_OF_ONE_SITTING:
        reasons.append(f"its text lists {items} things to do")
    kinds = [layer for layer in layers_in(task.title) if layer is not Layer.SETUP]
    if len(kinds) >= LAYERS_OF_ONE_SITTING:
        reasons.append(f"its title names {len(kinds)} kinds of work")
    if len(task.owns) > OWNED_OF_ONE_SITTING:
        reasons.append(f"it may write {len(task.owns)} places")
    if not reasons and not (task.size is Size.L and len(task.acceptance) > ITEMS_OF_ONE_SITTING):
        return []
    why = ", ".join(reasons) or f"it is large and has {len(task.acceptance)} things to be true"
    message = f"{task.id} looks like more than one sitting: {why}; consider splitting it"
    return [Finding(rule="oversize", severity=Severity.WARNING, message=message, task=task.id)]


def _missing_paths(plan: Plan, exists: Callable[[str], bool]) -> list[Finding]:
    """Remark files that a task speaks of as if they were there, and that are not: a slip, or another project's.

    Each is named once, with the first task that speaks of it: parts of a plan often quote one text.
    """
    found: list[Finding] = []
    named: set[str] = set()
    looked = 0
    for task in plan.tasks:
        missing = []
        for sentence in re.split(r"(?<=[.!?])\s|\n", f"{task.title}\n{task.description}"):
            for path in _PATH.findall(sentence):
                looked += 1
                if looked > PATHS_LOOKED_AT:
                    return found
                made_here = _MADE.search(sentence) or any(
                    scopes_meet(other.owns, (path,)) is not None for other in plan.tasks
                )
                if not made_here and ".." not in path and path not in named and not exists(path):
                    missing.append(path)
                    named.add(path)
        if missing:
            told = ", ".join(missing)
            message = f"{task.id} speaks of {told[:160]}, which the project does not have"
            found.append(Finding(rule="no-such-path", severity=Severity.WARNING, message=message, task=task.id))
    return found


def told_together(findings: Sequence[Finding]) -> list[Finding]:
    """Return *findings* with one in the place of several that say the same of one task each."""
    vague = [one for one in findings if one.rule == "no-acceptance" and one.task]
    if len(vague) < 2:
        return list(findings)
    message = f"no acceptance is written down for {', '.join(one.task or '' for one in vague)}"
    first = replace(vague[0], message=message, task=None)
    return [first if one is vague[0] else one for one in findings if one is vague[0] or one not in vague]
