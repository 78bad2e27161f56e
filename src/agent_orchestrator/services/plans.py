"""Plans before they are accepted: made, saved, looked at again, queued once."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import Ambiguous, BadInput, InvalidPlan, NotFound, RefusedByState
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import ALPHABET, GoalId, slug, words_of
from agent_orchestrator.domain.plan import Plan, Severity
from agent_orchestrator.domain.task import Task
from agent_orchestrator.domain.wishes import Wishes, wishes_from_json
from agent_orchestrator.planning.decisions import decided
from agent_orchestrator.planning.decomposer import TaskDecomposer
from agent_orchestrator.planning.document import plan_from_json, plan_hash, plan_to_json
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.goals import Goals, Submission, checked_text
from agent_orchestrator.stores import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a user may call a plan: easy to type, and safe wherever it is shown."""
FINGERPRINT_LEAST = 8
"""Digits of a fingerprint that must be given: enough that two versions of a plan do not share them by chance."""
_WISHES = "wishes"
"""Where a plan's wishes stand in its stored document, beside the plan."""
_WORDS_LIMIT = 24
"""Characters of the goal in a plan's id: enough to tell plans apart, short enough to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan that is remembered."""

    id: str
    state: str
    """``planning``, ``approved`` or ``executed``."""
    plan: Plan
    goal: GoalId | None = None
    """The goal it became. None until it is executed."""
    version: int = 1
    approved: str | None = None
    """The fingerprint of the plan that somebody approved. None when nobody did, or it was changed since."""
    wishes: Wishes = Wishes()
    """How it is to be queued. Not of the plan's fingerprint."""

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the plan as it is here."""
        return plan_hash(self.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """A plan as it once was."""

    version: int
    kind: str
    """``edit``, ``undo`` or ``redo``."""
    what: str
    plan: Plan
    at: datetime
    who: str = ""
    """Who made it, of a plan that was worked on already; empty before."""
    why: str = ""


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
        """Check, before any planning is done, that a plan can be saved under *name*.

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

    def save(self, plan: Plan, *, name: str | None = None, wishes: Wishes | None = None) -> SavedPlan:
        """Remember *plan* under *name*, else under a new id such as ``plan-health-check-x7k2``.

        With *wishes* it remembers how the plan is to be queued, whatever becomes of it.

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
            document = _document(plan, wishes or Wishes())
            self.store.plans.add(id, document, goal_text=text, now=self.clock.now())
            self.events.record("plan.saved", plan=id, tasks=len(plan.tasks), source=plan.source)
        return SavedPlan(id=id, state="planning", plan=plan, wishes=wishes or Wishes())

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

    def change(self, id: str, plan: Plan, *, after: int, what: str, kind: str = "edit") -> SavedPlan:
        """Remember *plan* as the version of plan *id* that follows version *after*. An approval does not outlive it.

        *what* says in words what was done; *kind* is ``edit``, ``undo`` or ``redo``. Durable when this returns.

        Raises:
            RefusedByState: the plan was changed, queued or rejected meanwhile, in another terminal perhaps.
            BadInput: its goal cannot be one.
        """
        text = checked_text(plan.goal)
        with self.store.transaction():
            row = self.store.plans.get(id)
            _need_open(id, row.state, row.goal)
            wishes = wishes_from_json(row.document.get(_WISHES))
            document = _document(plan, wishes)
            now = self.clock.now()
            if not self.store.plans.add_version(
                id, document, after=after, kind=kind, what=what, goal_text=text, now=now
            ):
                raise RefusedByState(
                    f"plan {id} was changed elsewhere: it is at version {row.version}, and this is about {after}",
                    hint=f"reload takes that in; elsewhere: orchestrate plan-continue {id} --diff {after} shows it",
                )
            self.events.record("plan.changed", plan=id, version=after + 1, what=what)
        return SavedPlan(id=id, state="planning", plan=plan.with_phases(), version=after + 1, wishes=wishes)

    def approve(self, id: str, fingerprint: str) -> SavedPlan:
        """Write down that somebody agrees with the plan *id* as *fingerprint* names it, and with nothing else.

        Raises:
            RefusedByState: it is another plan by now, or was queued or rejected.
            InvalidPlan: it has an error that nobody has mended.
        """
        with self.store.transaction():
            saved = self._get(id)
            _need_open(id, saved.state, saved.goal)
            _need_same(saved, fingerprint)
            _need_sound(saved)
            self.store.plans.approve(id, saved.fingerprint, now=self.clock.now())
            self.events.record("plan.approved", plan=id, version=saved.version, fingerprint=saved.fingerprint)
        return replace(saved, state="approved", approved=saved.fingerprint)

    def rename(self, id: str, name: str) -> SavedPlan:
        """Give the plan a name of the user's.

        Raises:
            BadInput: it is no name.
            RefusedByState: another plan has it, or this one was queued under its old name.
        """
        with self.store.transaction():
            saved = self._get(id)
            _need_open(id, saved.state, saved.goal)
            self.check_name(name)
            self.store.plans.rename(id, name)
            self.events.record("plan.renamed", plan=name, was=id)
        return replace(saved, id=name)

    def remove(self, id: str) -> None:
        """Forget a plan that was not queued, with its versions and what was said about it.

        Raises:
            RefusedByState: it was queued: its goal keeps it.
        """
        with self.store.transaction():
            saved = self._get(id)
            _need_open(id, saved.state, saved.goal)
            self.store.plans.remove(id)
            self.events.record("plan.removed", plan=id, version=saved.version)

    def versions(self, id: str) -> list[PlanVersion]:
        """Return every version of the plan, the first first."""
        return [
            PlanVersion(
                version=row.version,
                kind=row.kind,
                what=row.what,
                plan=_plan(row.document),
                at=row.at,
                who=row.who,
                why=row.why,
            )
            for row in self.store.plans.versions(id)
        ]

    def say(self, id: str, who: str, text: str) -> None:
        """Remember what *who* said about the plan."""
        with self.store.transaction():
            self.store.plans.say(id, who, text, now=self.clock.now())

    def said(self, id: str, *, limit: int = 20) -> list[tuple[str, str]]:
        """Return who said what about the plan, the last of it, oldest first."""
        return self.store.plans.said(id, limit)

    def execute(self, id: str, submission: Submission, *, fingerprint: str | None = None) -> tuple[Goal, list[Task]]:
        """Put the plan into the queue as a goal. Happens once, however many try at the same time.

        Each task is told the answers and assumptions that touch it. With *fingerprint* only the plan that it names.

        Raises:
            RefusedByState: it was queued or rejected before, or is not what was approved or meant.
            InvalidPlan: it has an error that nobody has mended.
        """
        with self.store.transaction():
            saved = self._get(id)
            _need_open(id, saved.state, saved.goal)
            for meant in (fingerprint, saved.approved):
                if meant is not None:
                    _need_same(saved, meant)
            _need_sound(saved)
            goal, tasks = self.goals.accept(decided(saved.plan), submission)
            self.store.plans.set_state(id, "executed", goal=goal.id, now=self.clock.now())
            self.events.record("plan.executed", goal=goal, plan=id)
        self.goals.notifier.wake()  # again: the ring inside came before the change could be seen
        return goal, tasks

    def _get(self, id: str) -> SavedPlan:
        row = self.store.plans.get(id)
        return SavedPlan(
            id=id,
            state=row.state,
            plan=_plan(row.document),
            goal=row.goal,
            version=row.version,
            approved=row.approved,
            wishes=wishes_from_json(row.document.get(_WISHES)),
        )


def _document(plan: Plan, wishes: Wishes) -> dict[str, object]:
    document = plan_to_json(plan)
    return document if wishes == Wishes() else {**document, _WISHES: wishes.as_json()}


def _plan(document: Mapping[str, object]) -> Plan:
    return plan_from_json({key: value for key, value in document.items() if key != _WISHES}).with_phases()


def _need_open(id: str, state: str, goal: GoalId | None) -> None:
    if state not in {"planning", "approved"}:
        became = f" as goal {goal}" if goal else ""
        raise RefusedByState(f"plan {id} is {state} already{became}", hint="orchestrate status shows it")


def _need_same(saved: SavedPlan, fingerprint: str) -> None:
    if len(fingerprint) < FINGERPRINT_LEAST or not saved.fingerprint.startswith(fingerprint.lower()):
        raise RefusedByState(
            f"plan {saved.id} is not the plan that was agreed to ({fingerprint[:12]}): it is {saved.fingerprint[:12]}",
            hint=f"look at it again: orchestrate plan-continue {saved.id}",
        )


def _need_sound(saved: SavedPlan) -> None:
    wrong = [found for found in saved.plan.findings if found.severity is Severity.ERROR]
    if wrong:
        raise InvalidPlan(f"plan {saved.id} cannot be queued: {wrong[0].message}", hint="plan the goal again")
