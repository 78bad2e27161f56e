"""The proposed tasks of a goal, before they are accepted into the queue.

Everything that makes a plan (a model, the rules, a person's file) ends in these
values, passes the same validator, and is shown with who made it and why.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.task import PRIORITY_DEFAULT, Size, Tier

GUESS = 0.5
"""Confidence below which a route is called a guess. On 329 labelled titles (2026-11) 74 of 100 routes from there
on went to the right specialist, and 27 of 100 below it."""

QUESTIONS_LIMIT = 5
"""More questions than this are not asked: with ten answers to give, a person might as well write the plan."""


class Severity(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"
    """The plan cannot be accepted as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something the validator saw or repaired in a plan."""

    rule: str
    """Short name of the rule, such as ``cycle`` or ``unknown-agent``."""
    severity: Severity
    message: str
    task: str | None = None
    """Id of the planned task it is about. None means the plan as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Why a task goes to its specialist."""

    specialist: str
    confidence: float
    """0 to 1. Below GUESS the plan shows it as a guess."""
    reason: str
    """The words or paths that decided."""
    alternatives: tuple[str, ...] = ()

    @property
    def is_guess(self) -> bool:
        """Whether too little speaks for the specialist, or nearly as much for another."""
        return self.confidence < GUESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something the plan had to guess, and that a person may decide."""

    text: str
    default: str
    """What holds while nobody answers: a plan never waits for an answer."""
    changes: str = ""
    """What another answer would change, so that a person can tell whether it is worth one."""
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that are told the answer. Empty means all of them."""
    sets: str = ""
    """``verify`` when the answer is a command that checks the tasks; empty when the answer is told in words only."""
    answer: str | None = None
    """None until somebody answers; then the default does not count any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One proposed task. Field meanings are those of :class:`~agent_orchestrator.domain.task.Task`."""

    id: str
    """Slug, unique within the plan; dependencies name it."""
    title: str
    description: str
    agent_type: str
    depends_on: tuple[str, ...] = ()
    phase: int = 1
    priority: int = PRIORITY_DEFAULT
    tier: Tier = Tier.STANDARD
    size: Size = Size.M
    owns: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    verify: str | None = None
    expects_change: bool = True
    routing: Routing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The proposed tasks of one goal, in listing order."""

    goal: str
    source: str
    """Who made it: a provider's name, ``api``, ``rules``, ``single``, ``file`` or ``demo``."""
    tasks: tuple[PlannedTask, ...]
    notice: str = ""
    """What the user must know, such as why a model's answer was not used."""
    findings: tuple[Finding, ...] = ()
    questions: tuple[Question, ...] = ()
    """At most QUESTIONS_LIMIT, the most consequential first."""
    assumptions: tuple[str, ...] = ()
    """What is taken for granted. Every task is told."""

    def with_phases(self) -> "Plan":
        """Return the plan with every task's phase set to the length of its longest dependency path, from 1.

        Raises:
            InvalidPlan: the dependencies form a cycle, which is named.
        """
        phases: dict[str, int] = {}
        needs = {task.id: task.depends_on for task in self.tasks}
        for id in order(self.tasks):
            phases[id] = 1 + max((phases[need] for need in needs[id] if need in phases), default=0)
        return replace(self, tasks=tuple(replace(task, phase=phases[task.id]) for task in self.tasks))


def order(tasks: tuple[PlannedTask, ...]) -> list[str]:
    """Return the ids so that each comes after what it depends on.

    Raises:
        InvalidPlan: the dependencies form a cycle; the message spells it out.
    """
    known = {task.id for task in tasks}
    graph = {task.id: [need for need in task.depends_on if need in known] for task in tasks}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise InvalidPlan("the dependencies form a cycle: " + " → ".join(error.args[1])) from error
