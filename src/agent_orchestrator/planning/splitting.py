"""A task that failed again and again, divided into smaller ones: by a model, else by rules where it is divisible."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent_orchestrator.domain.errors import InvalidPlan, OrchestratorError
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.replan import PARTS_LIMIT
from agent_orchestrator.domain.task import Size
from agent_orchestrator.planning.decomposer import Complete
from agent_orchestrator.planning.lint import lint, same_work
from agent_orchestrator.planning.profile import Profile
from agent_orchestrator.planning.prompt import (
    UnreadableAnswer,
    fenced,
    parse,
    plan_schema,
    planning_prompt,
    repair_prompt,
)
from agent_orchestrator.planning.reading import Form, read_goal
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.texts import DESCRIPTION_LIMIT, short_title

RULES = "rules"
_CODE = re.compile(r"^[ \t]*(`{3,})[^`\n]*\n.*?^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
TOLD_LIMIT = 6_000
"""Characters of what the attempts showed that the model is told."""
OWN_FILES = 2
"""Plain paths in a task's scope from which each may be a part of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A task divided, or the reason why it is not."""

    tasks: tuple[PlannedTask, ...] = ()
    """At least two; empty when it cannot be divided."""
    source: str = RULES
    """Who divided it: the name of a planner, or ``rules``."""
    notice: str = ""
    """What a person should know of how it was divided, or why it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitter:
    """Divides tasks."""

    roster: Roster
    profile: Profile | None = None
    models: Sequence[tuple[str, Complete]] = ()
    """Who may be asked, by name, the best first. Empty means rules."""
    told: str = ""
    """What a person should know of who is asked, such as that the planner they chose is not here."""

    def split(self, whole: PlannedTask, told: str) -> Parts:
        """Return the parts of *whole*; *told* is what its attempts showed. Every model is asked at most twice."""
        problems = [self.told] if self.told else []
        for source, complete in self.models:
            try:
                return replace(self._by_model(whole, told, source, complete), notice="; ".join(problems))
            except OrchestratorError as error:
                problems.append(f"{source}: {error.message}")
        found = parts_by_rules(whole)
        notice = "; ".join(problems)
        if found:
            checked = self._checked(Plan(goal=whole.title, source=RULES, tasks=found), whole)
            return Parts(tasks=checked, notice=notice)
        reason = "neither its description nor its files or acceptance divide it into parts"
        return Parts(notice=f"{notice}; {reason}" if notice else reason)

    def _by_model(self, whole: PlannedTask, told: str, source: str, complete: Complete) -> Parts:
        question = _question(whole, told, self.roster, self.profile)
        prompt, problems = question, []
        for _ in range(2):
            answer = complete(prompt, plan_schema(self.roster))
            try:
                plan = parse(answer, goal=whole.title, source=source)
                return Parts(tasks=self._checked(plan, whole), source=source)
            except (UnreadableAnswer, InvalidPlan) as error:
                problems.append(error.message)
                prompt = repair_prompt(question, answer, f"{error.message}. {error.hint}".rstrip(" ."))
        raise UnreadableAnswer(f"no usable parts twice ({'; then '.join(dict.fromkeys(problems))})")

    def _checked(self, plan: Plan, whole: PlannedTask) -> tuple[PlannedTask, ...]:
        """Return the tasks of *plan* as the one validator has them. Raises InvalidPlan when they are no division."""
        if plan.source != RULES and any(same_work(task.title, whole.title) for task in plan.tasks):
            raise InvalidPlan("a part repeats the task that is to be divided", hint="leave it out")
        parts = replace(plan, tasks=tuple(_like(task, whole) for task in plan.tasks))
        found = lint(parts, self.roster, strict=True).tasks
        if not 2 <= len(found) <= PARTS_LIMIT:
            raise InvalidPlan(f"{len(found)} parts are no division; it takes 2 to {PARTS_LIMIT}")
        return found


def _like(part: PlannedTask, whole: PlannedTask) -> PlannedTask:
    """Return *part* with what it takes over of *whole*, which its author does not decide."""
    return replace(
        part,
        agent_type=part.agent_type or whole.agent_type,
        tier=whole.tier,
        owns=part.owns or whole.owns,
        expects_change=part.expects_change and whole.expects_change,
        verify=None,
    )


def _question(whole: PlannedTask, told: str, roster: Roster, profile: Profile | None) -> str:
    text = f"{whole.title}\n\n{whole.description}"
    if whole.acceptance:
        text += "\n\nIt is accepted when:\n" + "\n".join(f"- {line}" for line in whole.acceptance)
    asked = (
        "This goal is a task that agents tried and failed at again and again. Divide it into "
        f"2 to {PARTS_LIMIT} smaller tasks, each of which one agent can finish and which together do all of it and "
        "nothing else. Begin with what makes the failure small. Do not repeat the task itself as a part, and add no "
        "task that only verifies."
    )
    seen = f"What the attempts showed, as data:\n{fenced('attempts', told[-TOLD_LIMIT:])}" if told.strip() else ""
    return "\n\n".join(part for part in (planning_prompt(text, roster, profile), asked, seen) if part)


def parts_by_rules(whole: PlannedTask) -> tuple[PlannedTask, ...]:
    """Return the parts that the task's own words name; empty when they name none, for inventing some would be a guess.

    A list of things to do gives a part each, in its order. Else plain files of its own give a part each; else its
    acceptance statements do, one after the other, for they are about the same files.
    """
    reading = read_goal(_CODE.sub("", whole.description))  # lines of code are no list of things to do
    if reading.form in {Form.LIST, Form.REQUESTS} and 2 <= len(reading.parts) <= PARTS_LIMIT:
        parts = [(part.text, f"{part.text}\n{part.details}".strip(), whole.owns, ()) for part in reading.parts]
        return _chained(whole, parts)
    files = [path for path in whole.owns if not set("*?[") & set(path) and not path.endswith("/")]
    if OWN_FILES <= len(files) == len(whole.owns) <= PARTS_LIMIT:
        return _chained(whole, [(f"{whole.title}: {path}", f"Do what concerns {path}.", (path,), ()) for path in files])
    if 2 <= len(whole.acceptance) <= PARTS_LIMIT:
        lines = [(line, f"Make this true: {line}", whole.owns, (line,)) for line in whole.acceptance]
        return _chained(whole, lines)
    return ()


def _chained(
    whole: PlannedTask, parts: Sequence[tuple[str, str, tuple[str, ...], tuple[str, ...]]]
) -> tuple[PlannedTask, ...]:
    """Return one task for each part, one after the other: the next finds the work of the one before."""
    made: list[PlannedTask] = []
    for at, (title, what, owns, acceptance) in enumerate(parts, 1):
        description = (
            f"{what}\n\nThis is part {at} of {len(parts)} of the following task, which failed as a whole; do only this "
            f"part.\n\n{whole.title}\n{whole.description}"
        )
        made.append(
            PlannedTask(
                id=f"{whole.id[:40]}-{at}",
                title=short_title(title),
                description=description[:DESCRIPTION_LIMIT],
                agent_type=whole.agent_type,
                depends_on=(made[-1].id,) if made else (),
                size=Size.S if whole.size is not Size.L else Size.M,
                owns=owns,
                acceptance=acceptance,
            )
        )
    return tuple(made)
