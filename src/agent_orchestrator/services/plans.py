"""Plans before they are accepted: made, saved, looked at again, queued once."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import Ambiguous, BadInput, InvalidPlan, NotFound, RefusedByState
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import ALPHABET, GoalId, slug, words_of
from agent_orchestrator.domain.plan import Plan, Severity
from agent_orchestrator.domain.task import Task
from agent_orchestrator.planning.decomposer import TaskDecomposer
from agent_orchestrator.planning.document import plan_from_json, plan_to_json
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.goals import Goals, Submission, checked_text
from agent_orchestrator.stores import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a user may call a plan: easy to type, and safe wherever it is shown."""
_WORDS_LIMIT = 24
"""Characters of the goal in a plan's id: enough to tell plans apart, short enough to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan that is remembered."""

    id: str
    state: str
    """``planning``, ``approved``, ``executed`` or ``rejected``."""
    plan: Plan
    goal: GoalId | None = None
    """The goal it became. None until it is executed."""


def decompose(goal: str, decomposers: Iterable[TaskDecomposer]) -> Plan:
    """Return the plan of the first of *decomposers* that plans itself instead of falling back on the rules.

    When none does, the last one's plan by rules is taken. The notice names every one that was asked in vain.
    """
    told: list[str] = []
    plan: Plan | None = None
    for decomposer in decomposers:
        plan = decomposer.decompose(goal)
        if plan.source == decomposer.source:
            return replace(plan, notice="; ".join([*told, plan.notice] if plan.notice else told))
        told.append(plan.notice)
    assert plan is not None, "there is always a decomposer: the rules"
    return replace(plan, notice="; ".join(told))


@dataclass(frozen=True, slots=True)
class Plans:
    """What can be asked of plans."""

    store: Store
    clock: Clock
    events: Events
    goals: Goals

    def check_name(self, name: str) -> None:
        """Say before the work of planning whether a plan can be saved under *name*.

        Raises:
            BadInput: it is no name.
            RefusedByState: another plan has it.
        """
        if not _NAME.fullmatch(name) or name == "last":
            fit = slug(name)
            hint = f"such as {fit}" if fit and fit != "last" else "letters, digits, dots, dashes and underscores"
            raise BadInput(f"{name!r} cannot be a plan's name", hint=hint)
        if name in self.store.plans.find(name):
            state = self.store.plans.get(name)[0]
            raise RefusedByState(f"there is a plan {name} already, {state}", hint="choose another name")

    def save(self, plan: Plan, *, name: str | None = None) -> SavedPlan:
        """Remember *plan* under *name*, else under a new id such as ``plan-health-check-x7k2``.

        Durable when this returns.

        Raises:
            BadInput: its goal cannot be one, or the name is none.
            RefusedByState: another plan has the name.
        """
        text = checked_text(plan.goal)
        words = slug(text)[:_WORDS_LIMIT].strip("-")
        drawn = "-".join(["plan", *([words] if words else []), "".join(secrets.choice(ALPHABET) for _ in range(4))])
        id = name if name is not None else drawn
        with self.store.transaction():
            if name is not None:
                self.check_name(name)
            self.store.plans.add(id, plan_to_json(plan), goal_text=text, now=self.clock.now())
            self.events.record("plan.saved", plan=id, tasks=len(plan.tasks), source=plan.source)
        return SavedPlan(id=id, state="planning", plan=plan)

    def resolve(self, text: str) -> SavedPlan:
        """Return the plan that *text* names: its name or id, an unambiguous start of one with or without ``plan-``.

        ``last`` is the plan that was changed last.

        Raises:
            NotFound, Ambiguous.
        """
        if text == "last":
            found = [id for id, *_ in self.store.plans.list(limit=1)]
        else:
            found = (self.store.plans.find(text) or self.store.plans.find(f"plan-{text}")) if text else []
        exact = [id for id in found if id == text]
        if not found:
            raise NotFound(f"no plan {text!r}", hint=self._nearest(text))
        if len(exact or found) > 1:
            raise Ambiguous(f"{text!r} could be {', '.join(found[:5])}", hint="type more of the id")
        return self._get((exact or found)[0])

    def _nearest(self, text: str) -> str:
        """Return what to type instead of *text*, which names no plan."""
        saved = self.store.plans.list()
        words = set(words_of(text))
        near = [id for id, _, goal, _ in saved if words and words <= set(words_of(f"{id} {goal}"))]
        if len(near) == 1:
            return f"did you mean {near[0]}?"
        if not saved:
            return 'make one: orchestrate plan "…" --name NAME'
        return f"orchestrate plan-list shows them; the last one is {saved[0][0]} (a name of yours: plan --name NAME)"

    def recent(self, *, limit: int = 100) -> list[tuple[str, str, str, datetime]]:
        """Return id, state, goal text and time of the last change, newest first."""
        return self.store.plans.list(limit)

    def execute(self, id: str, submission: Submission) -> tuple[Goal, list[Task]]:
        """Put the plan into the queue as a goal. Happens once, however many try at the same time.

        Raises:
            RefusedByState: it was queued or rejected before.
            InvalidPlan: it has an error that nobody has mended.
        """
        with self.store.transaction():
            saved = self._get(id)
            if saved.state not in {"planning", "approved"}:
                became = f" as goal {saved.goal}" if saved.goal else ""
                raise RefusedByState(f"plan {id} is {saved.state} already{became}", hint="orchestrate status shows it")
            wrong = [found for found in saved.plan.findings if found.severity is Severity.ERROR]
            if wrong:
                raise InvalidPlan(f"plan {id} cannot be queued: {wrong[0].message}", hint="plan the goal again")
            goal, tasks = self.goals.accept(saved.plan, submission)
            self.store.plans.set_state(id, "executed", goal=goal.id, now=self.clock.now())
            self.events.record("plan.executed", goal=goal, plan=id)
        self.goals.notifier.wake()  # again: the ring inside came before the change could be seen
        return goal, tasks

    def _get(self, id: str) -> SavedPlan:
        state, document, goal = self.store.plans.get(id)
        return SavedPlan(id=id, state=state, plan=plan_from_json(document).with_phases(), goal=goal)
