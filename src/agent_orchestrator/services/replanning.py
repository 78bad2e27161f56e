"""Changes to a plan that is already worked on: taken in, decided on by policy or by a person, and made.

An agent's report lies here until its task is done; a task that failed for good
lies here until somebody has thought of parts. Each is decided once, in the
transaction that makes it true, so a crash in between loses none and adds
nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import NotFound, NothingToDo, OrchestratorError, RefusedByState
from agent_orchestrator.domain.replan import DEPTH_LIMIT, DIVISIBLE, POLICY, Kind, Policy, Replan, State, why_ask
from agent_orchestrator.domain.task import CHANGEABLE, Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent_orchestrator.domain.attempt import Attempt, Outcome
    from agent_orchestrator.domain.clock import Clock
    from agent_orchestrator.domain.ids import GoalId, TaskId
    from agent_orchestrator.domain.plan import Plan, PlannedTask
    from agent_orchestrator.planning.splitting import Parts
    from agent_orchestrator.services.events import Events
    from agent_orchestrator.services.running_plans import RunningPlans, Scene
    from agent_orchestrator.stores import Store

USER = "user"
ORCHESTRATE = "orchestrate"
"""Who changed a plan when neither a person nor an agent wished it."""
TOLD_LIMIT = 3_000
"""Characters of one attempt's evidence that whoever divides its task is shown, of the end."""
TOLD_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanning:
    """Take in wishes, decide on them, and make them true."""

    store: Store
    clock: Clock
    events: Events
    plans: Callable[[], RunningPlans]
    """Made when it is first needed: an attempt that wishes for nothing loads no planner."""
    policy: Policy
    limit: int
    """Tasks that may be added to one goal without asking anybody."""

    # Taking in

    def report(self, task: Task, value: object) -> Replan:
        """Take in what the agent of *task* reports: more work is needed. A later report replaces an earlier one.

        Nothing is added before the task is done.

        Raises:
            BadInput: it is no report; the message says all that is wrong with it.
            RefusedByState: plans stay as they are here, or the task is too far from the plan that was agreed to.
        """
        from agent_orchestrator.planning.more_work import read_report
        from agent_orchestrator.planning.rewriting import arranged

        if self.policy is Policy.NEVER:
            raise RefusedByState("plans are not changed while they are worked on here (replan is never)")
        plans = self.plans()
        with self.store.transaction():
            if self.store.replans.depth(task.id) >= DEPTH_LIMIT:
                raise RefusedByState(
                    f"{task.key} was added itself, as far from the first plan as it goes", hint="say it in your result"
                )
            scene = plans.scene(task.goal)
            report = read_report(
                value,
                scene.plan,
                reporter=task.key,
                goal=scene.goal.text,
                begun=frozenset(scene.begun),
                roster=plans.roster(),
            )
            known = [one for one in self.store.replans.of_task(task.id) if one.kind is Kind.MORE]
            if known and known[-1].tasks == report.tasks and known[-1].state is not State.DECLINED:
                return known[-1]  # by the command and in a file, or again by the next attempt
            wished = Replan(
                goal=task.goal,
                task=task.id,
                attempt=task.attempt,
                kind=Kind.MORE,
                state=State.REPORTED,
                why=report.why,
                tasks=report.tasks,
                at=self.clock.now(),
            )
            new = self._with_more(scene, wished, task)
            arranged(scene.plan, new, plans.roster(), begun=scene.begun, running=scene.running)
            wished = replace(wished, id=self.store.replans.put(wished))
            titles = [str(one["title"]) for one in report.tasks]
            self.events.record("replan.reported", task=task, titles=titles, why=report.why)
        return wished

    def done(self, task: Task) -> None:
        """Take note, inside the transaction of it, that *task* is done: what its agent reported is decided on next."""
        for one in self._undecided(task.id, Kind.MORE, State.REPORTED):
            self.store.replans.move(one.id, State.DUE, was=State.REPORTED, now=self.clock.now())

    def failed(self, task: Task, attempt: Attempt, outcome: Outcome) -> bool:
        """Say, inside the transaction of it, whether *task*, which failed for good, will be looked at to be split."""
        if self.policy is Policy.NEVER or outcome not in DIVISIBLE:
            return False
        if self.store.replans.depth(task.id) >= DEPTH_LIMIT:
            return False
        wished = Replan(
            goal=task.goal,
            task=task.id,
            attempt=attempt.id,
            kind=Kind.SPLIT,
            state=State.DUE,
            why=task.reason,
            at=self.clock.now(),
        )
        self.store.replans.put(wished)
        self.events.record("replan.due", attempt=attempt, title=task.title, why=task.reason)
        return True

    def retried(self, task: Task) -> None:
        """Take note, inside the transaction of it, that a person lets *task* be tried again as it is."""
        for state in (State.DUE, State.WAITING):
            for one in self._undecided(task.id, Kind.SPLIT, state):
                self._decline(one, "it is tried again instead", by=USER)

    # Deciding

    def due(self) -> list[Replan]:
        """Return what is to be decided on, the oldest first."""
        return self.store.replans.due()

    def waiting(self, goal: GoalId | None = None) -> list[Replan]:
        """Return what waits for a person, the oldest first."""
        return self.store.replans.waiting(goal)

    def decide(self, replan: Replan) -> Replan:
        """Decide on a report whose task is done: made, put to a person, or declined. Return it as it stands then."""
        task = self.store.tasks.get(replan.task)
        if task.state is not TaskState.DONE:  # rejected in review meanwhile: its next attempt may say otherwise
            with self.store.transaction():
                self.store.replans.move(replan.id, State.REPORTED, was=State.DUE, now=self.clock.now())
            return self.store.replans.get(replan.id)
        return self._by_policy(replan, task, narrow=self._narrow(replan, task))

    def whole(self, replan: Replan) -> tuple[PlannedTask, str]:
        """Return the task that *replan* is about as a planned one, and what its attempts showed."""
        task = self.store.tasks.get(replan.task)
        return self.planned(task), self.told(task)

    def planned(self, task: Task) -> PlannedTask:
        """Return *task* as it stands in its goal's plan."""
        plan = self.plans().scene(task.goal).plan
        return next(one for one in plan.tasks if one.id == task.key)

    def told(self, task: Task) -> str:
        """Return what the last attempts at *task* tried and what became of it."""
        parts = []
        for attempt in self.store.attempts.of_task(task.id)[-TOLD_ATTEMPTS:]:
            parts.append(f"Attempt {attempt.number} ended as {attempt.outcome}: {attempt.reason}")
            parts += [f"Its agent said: {attempt.summary}"] if attempt.summary else []
            parts += [attempt.feedback[-TOLD_LIMIT:]] if attempt.feedback else []
        for one in self._undecided(task.id, Kind.MORE, State.REPORTED):
            parts += [f"Its agent reported more work: {item['title']}" for item in one.tasks]
        return "\n".join(parts)

    def thought(self, replan: Replan, parts: Parts) -> Replan:
        """Decide on a split whose parts somebody has thought of, or has found that there are none."""
        task = self.store.tasks.get(replan.task)
        if not parts.tasks:
            return self.give_up(replan, f"it was not split: {parts.notice}")
        from agent_orchestrator.planning.document import task_to_json

        by = "by rules" if parts.source == "rules" else f"by {parts.source}"
        notice = f" ({parts.notice})" if parts.notice else ""
        why = f"{replan.why}; divided {by}{notice}"
        thought_of = replace(replan, tasks=tuple(task_to_json(one) for one in parts.tasks), why=why)
        return self._by_policy(thought_of, task)

    def give_up(self, replan: Replan, reason: str) -> Replan:
        """Leave a task that was to be split to a person."""
        with self.store.transaction():
            task = self.store.tasks.get(replan.task)
            if self._decline(replan, reason, by=POLICY) and task.state is TaskState.FAILED:
                after = task._replace(reason=f"{task.reason}; {reason}", updated_at=self.clock.now())
                self.store.tasks.save(after, was=task)
                self.events.record("task.failed", task=after, title=task.title, reason=after.reason)
        return self.store.replans.get(replan.id)

    def agree(self, goal: GoalId, numbers: Sequence[int] = ()) -> list[Replan]:
        """Make what waits for a person in *goal*: the changes with these *numbers*, without any number all of them.

        Each is made by itself: one that cannot be made any more stays as it is and does not hold up the others.

        Raises:
            NothingToDo: nothing waits.
            NotFound, RefusedByState: a number is none of this goal's, or was decided already; nothing was made.
            RefusedByState, InvalidPlan: it cannot be made any more. Of several the message says which were made.
        """
        found = self._asked(goal, numbers)
        failed: list[tuple[Replan, OrchestratorError]] = []
        for one in found:
            try:
                self._make(one, self.store.tasks.get(one.task), by=USER)
            except OrchestratorError as error:
                if len(found) == 1:
                    raise
                failed.append((one, error))
        if failed:
            left = {one.id for one, _ in failed}
            made = ", ".join(str(one.id) for one in found if one.id not in left)
            reasons = "; ".join(f"{one.id}: {error.message}" for one, error in failed)
            raise RefusedByState(
                f"{f'{made} made; ' if made else ''}cannot be made any more: {reasons}",
                hint=f"orchestrate plan-continue {goal} --refuse {','.join(str(one.id) for one, _ in failed)}",
            )
        return [self.store.replans.get(one.id) for one in found]

    def refuse(self, goal: GoalId, why: str = "", numbers: Sequence[int] = ()) -> list[Replan]:
        """Leave the plan of *goal* as it is, against what waits for a person: these *numbers*, without any all.

        Raises:
            NothingToDo: nothing waits.
            NotFound, RefusedByState: a number is none of this goal's, or was decided already; nothing was refused.
        """
        found = self._asked(goal, numbers)
        with self.store.transaction():
            for one in found:
                self._decline(one, why or "refused", by=USER)
        return [self.store.replans.get(one.id) for one in found]

    # By hand

    def split(self, task: Task, parts: Sequence[PlannedTask], *, why: str) -> Plan:
        """Put *parts* in the place of *task* because a person said so.

        Raises:
            RefusedByState: it has begun, or is finished.
        """
        replan = Replan(
            goal=task.goal, task=task.id, kind=Kind.SPLIT, state=State.DUE, why=why, at=self.clock.now(),
            tasks=_documents(parts),
        )  # fmt: skip
        with self.store.transaction():
            if task.state not in CHANGEABLE:
                raise RefusedByState(
                    f"task {task.id} is {task.state}, and stays as it is", hint="only what nobody works on is split"
                )
            put = replace(replan, id=self.store.replans.put(replan))
            return self._make(put, task, by=USER)

    # Inside

    def _undecided(self, task: TaskId, kind: Kind, state: State) -> list[Replan]:
        return [one for one in self.store.replans.of_task(task) if one.kind is kind and one.state is state]

    def _asked(self, goal: GoalId, numbers: Sequence[int]) -> list[Replan]:
        found = self.waiting(goal)
        if numbers:
            return [self._numbered(goal, number, found) for number in dict.fromkeys(numbers)]
        if not found:
            raise NothingToDo(f"no change of the plan of goal {goal} waits for you")
        return found

    def _numbered(self, goal: GoalId, number: int, waiting: Sequence[Replan]) -> Replan:
        for one in waiting:
            if one.id == number:
                return one
        listed = ", ".join(str(one.id) for one in waiting)
        hint = f"what waits: {listed}" if listed else f"orchestrate plan-continue {goal}"
        try:
            known = self.store.replans.get(number)
        except NotFound:
            known = None
        if known is None or known.goal != goal:
            raise NotFound(f"goal {goal} has no change {number}", hint=hint)
        raise RefusedByState(f"change {number} does not wait for you: it is {known.state}", hint=hint)

    def _by_policy(self, replan: Replan, task: Task, *, narrow: str = "") -> Replan:
        depth = self.store.replans.depth(task.id) + 1
        added = self.store.replans.unasked(task.goal)
        ask = why_ask(self.policy, added=added, adding=len(replan.tasks), limit=self.limit, depth=depth, narrow=narrow)
        try:
            if self.policy is Policy.NEVER:
                raise RefusedByState("plans are not changed while they are worked on here (replan is never)")
            if ask:
                self._ask(replan, task, ask)
            else:
                self._make(replan, task, by=POLICY)
        except OrchestratorError as error:  # the plan has moved on since: what was wished does not fit any more
            if replan.kind is Kind.SPLIT:
                return self.give_up(replan, f"it was not split: {error.message}")
            with self.store.transaction():
                self._decline(replan, error.message, by=POLICY)
        return self.store.replans.get(replan.id)

    def _ask(self, replan: Replan, task: Task, why: str) -> None:
        """Put a change to a person."""
        with self.store.transaction():
            now = self.clock.now()
            if not self.store.replans.move(
                replan.id, State.WAITING, was=replan.state, now=now, reason=why, tasks=replan.tasks, why=replan.why
            ):
                return
            titles = [str(one["title"]) for one in replan.tasks]
            self.events.record("replan.waiting", task=task, kind=replan.kind, titles=titles, why=replan.why, reason=why)
            if task.state is TaskState.FAILED:
                self.events.record("task.failed", task=task, title=task.title, reason=task.reason)

    def _make(self, replan: Replan, task: Task, *, by: str) -> Plan:
        """Change the plan, and write down that it was, in one transaction."""
        from agent_orchestrator.services.running_plans import Cause

        unasked = by == POLICY
        depth = self.store.replans.depth(task.id) + 1 if unasked else 0
        who = task.key if replan.kind is Kind.MORE else ORCHESTRATE if unasked else USER

        def also(scene: Scene, added: dict[str, Task]) -> None:
            now = self.clock.now()
            if not self.store.replans.move(
                replan.id, State.APPLIED, was=replan.state, now=now, by=by, tasks=replan.tasks
            ):
                raise RefusedByState(f"change {replan.id} was decided meanwhile")
            ids = [one.id for one in added.values()]
            self.store.replans.add_origins(task.goal, ids, parent=task.id, depth=depth, unasked=unasked)
            self.events.record("replan.applied", task=task, kind=replan.kind, added=list(added), by=by)
            if replan.kind is Kind.SPLIT:
                for one in self._undecided(task.id, Kind.MORE, State.REPORTED):
                    self._decline(one, "its task was split", by=POLICY)

        make = self._more(replan, task) if replan.kind is Kind.MORE else self._parts(replan, task)
        cause = Cause(who=who, why=replan.why, origin=task, unasked=unasked)
        return self.plans().change(task.goal, make, cause=cause, also=also).plan

    def _more(self, replan: Replan, task: Task) -> Callable[[Scene], Plan]:
        return lambda scene: self._with_more(scene, replan, task)

    def _with_more(self, scene: Scene, replan: Replan, task: Task) -> Plan:
        from agent_orchestrator.planning.rewriting import with_more

        added = self._planned(replan, task)
        before = {str(one["id"]): _texts(one["before"]) for one in replan.tasks}
        return with_more(scene.plan, task.key, added, before=before, changeable=scene.changeable)

    def _planned(self, replan: Replan, task: Task) -> list[PlannedTask]:
        """Return the tasks that the agent of *task* reported, as ones of the plan."""
        from agent_orchestrator.planning.more_work import planned

        roster = self.plans().roster()
        made = (
            planned(one, reporter=task.key, specialist=task.specialist, check=task.verify, roster=roster)
            for one in replan.tasks
        )
        return [replace(one, priority=task.priority) for one in made]

    def _parts(self, replan: Replan, task: Task) -> Callable[[Scene], Plan]:
        def make(scene: Scene) -> Plan:
            from agent_orchestrator.planning.document import task_from_json
            from agent_orchestrator.planning.rewriting import renamed, with_parts

            if scene.tasks[task.key].state is not task.state:
                raise RefusedByState(f"task {task.id} is {scene.tasks[task.key].state} by now")
            parts = [task_from_json(one, f"part {at}") for at, one in enumerate(replan.tasks, 1)]
            parts, _ = renamed(parts, scene.tasks)
            return with_parts(scene.plan, task.key, parts)

        return make

    def _narrow(self, replan: Replan, task: Task) -> str:
        """Return the limits of the role that asks, when another shall do what it may not; empty when none does."""
        roster = self.plans().roster()
        asks = roster.find(task.specialist)
        if asks is None or not (asks.tools or asks.denied_tools):
            return ""
        for one in self._planned(replan, task):
            does = roster.find(one.agent_type)
            if does is None or (does.tools, does.denied_tools) != (asks.tools, asks.denied_tools):
                return f"{asks.name}: {', '.join(asks.limits)}"
        return ""

    def _decline(self, replan: Replan, reason: str, *, by: str) -> bool:
        now = self.clock.now()
        if not self.store.replans.move(replan.id, State.DECLINED, was=replan.state, now=now, reason=reason, by=by):
            return False
        task = self.store.tasks.get(replan.task)
        self.events.record("replan.declined", task=task, kind=replan.kind, reason=reason, by=by)
        return True


def _documents(parts: Sequence[PlannedTask]) -> tuple[dict[str, object], ...]:
    from agent_orchestrator.planning.document import task_to_json

    return tuple(task_to_json(one) for one in parts)


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []
