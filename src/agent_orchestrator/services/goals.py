"""Goals: accept a plan into the queue, add to it, cancel it, and say when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import Clock, to_ms
from agent_orchestrator.domain.errors import Ambiguous, BadInput, InvalidPlan, NotFound, RefusedByState
from agent_orchestrator.domain.goal import (
    GOAL_NEXT,
    GOAL_OPEN,
    Goal,
    GoalState,
    goal_rank,
    title_of,
)
from agent_orchestrator.domain.ids import GoalId, TaskId, new_goal_id, new_task_id, slug, words_of
from agent_orchestrator.domain.plan import Plan, PlannedTask, order
from agent_orchestrator.domain.ranking import ranks
from agent_orchestrator.domain.task import HELD, MAX_ATTEMPTS_DEFAULT, OPEN, PRIORITY_DEFAULT, Task, TaskState, Verdict
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

TEXT_LIMIT = 256 * 1024
"""Bytes a goal may have. A long requirements document fits; a pasted binary does not."""


def checked_text(text: str) -> str:
    """Return the goal's text if it can be one.

    Raises:
        BadInput: it is empty, longer than 256 KiB, or has a NUL in it, which no program's argument can carry.
    """
    if not text.strip():
        raise BadInput("the goal is empty", hint='say what you want: orchestrate submit "Add a health check endpoint"')
    if "\0" in text:
        raise BadInput("the goal has a NUL character in it", hint="it looks like a binary file; give text")
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > TEXT_LIMIT:
        raise BadInput(
            f"the goal has {size:,} bytes; the limit is {TEXT_LIMIT:,}",
            hint="put the long part into a file of the project and name that file in the goal",
        )
    return text.encode("utf-8", "replace").decode("utf-8")


ALL_CANCELLED = "every task was cancelled by the user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How a goal is to be taken in, beside its plan."""

    text: str
    priority: int = PRIORITY_DEFAULT
    verify: str | None = None
    context: str = ""
    provider: str | None = None
    max_attempts: int = MAX_ATTEMPTS_DEFAULT
    budget: Budget | None = None
    """What the goal may use."""
    task_budget: Budget | None = None
    """What each of its tasks may use, over all attempts."""
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Goals:
    """What can be asked of goals."""

    store: Store
    clock: Clock
    events: Events
    notifier: Notifier

    def accept(self, plan: Plan, submission: Submission) -> tuple[Goal, list[Task]]:
        """Take *plan* into the queue as one new goal. Durable when this returns.

        Raises:
            BadInput: the text cannot be a goal.
            InvalidPlan: the plan is empty, has a cycle, or names a dependency that it does not have.
        """
        text = checked_text(submission.text)
        _check(plan)
        now = self.clock.now()
        goal = Goal(
            id=new_goal_id(),
            text=text,
            title=title_of(text),
            state=GoalState.READY,
            priority=submission.priority,
            budget_micro_usd=submission.budget.limit_micro_usd if submission.budget else None,
            budget_tokens=submission.budget.limit_tokens if submission.budget else None,
            budget_seconds=submission.budget.limit_seconds if submission.budget else None,
            source=plan.source,
            notice=plan.notice,
            verify=submission.verify,
            demo=submission.demo,
            created_at=now,
        )
        ids = self.fresh_ids([planned.id for planned in plan.tasks])
        tasks = [self.new_task(planned, goal, ids[planned.id], submission) for planned in plan.tasks]
        needs = {ids[planned.id]: [ids[need] for need in planned.depends_on] for planned in plan.tasks}
        ranked = ranks(tasks, needs)
        tasks = [task._replace(phase=ranked[task.id][0], task_rank=ranked[task.id][1]) for task in tasks]
        with self.store.transaction():
            self.store.goals.add(goal)
            self.store.tasks.add(tasks, needs)
            if submission.budget or submission.task_budget:
                self.store.budgets.put(goal.id, submission.budget, submission.task_budget)
            self.events.record("goal.accepted", goal=goal, title=goal.title, tasks=len(tasks), source=plan.source)
        self.notifier.wake()
        return goal, self.store.tasks.of_goal(goal.id)

    def extend(self, planned: PlannedTask, after: Sequence[Task], submission: Submission) -> tuple[Goal, Task]:
        """Put one more task into the goal of the tasks *after*, which it will wait for.

        Raises:
            BadInput: they belong to different goals.
            RefusedByState: the goal was cancelled.
        """
        owners = {task.goal for task in after}
        if len(owners) != 1:
            raise BadInput("the tasks to wait for belong to different goals", hint="depend on tasks of one goal")
        checked_text(submission.text)
        with self.store.transaction():
            goal = self.store.goals.get(owners.pop())
            if goal.state is GoalState.CANCELLED:
                raise RefusedByState(f"goal {goal.id} is {goal.state}", hint="submit a new goal")
            present = self.store.tasks.of_goal(goal.id)
            key = _free_key(planned.id, {task.key for task in present})
            task = self.new_task(replace(planned, id=key), goal, self.fresh_ids([key])[key], submission)
            self.store.tasks.add([task], {task.id: [need.id for need in after]})
            edges = self.store.tasks.edges(goal.id)
            self.store.tasks.set_ranks(ranks([*present, task], edges))
            if goal.state not in GOAL_OPEN:
                reopened = goal._replace(state=GoalState.EXECUTING, reason="", verdict=None, ended_at=None)
                self.store.goals.save(reopened, was=goal.state)
                goal = reopened
            self.events.record("task.added", task=task, title=task.title)
        self.notifier.wake()
        return goal, self.store.tasks.get(task.id)

    def fresh_ids(self, keys: Sequence[str]) -> dict[str, TaskId]:
        """Return a newly drawn id for each key, none of which names a task yet."""
        ids: dict[str, TaskId] = {}
        used: set[TaskId] = set()
        while missing := [key for key in keys if key not in ids]:
            drawn = {new_task_id() for _ in missing} - used
            for key, id in zip(missing, drawn - self.store.tasks.taken(sorted(drawn)), strict=False):
                ids[key] = id
            used.update(drawn)
        return ids

    def new_task(self, planned: PlannedTask, goal: Goal, id: TaskId, submission: Submission) -> Task:
        """Return *planned* as a task of *goal*, taken in as *submission* says. Nothing is stored."""
        assert goal.created_at is not None
        return Task(
            id=id,
            goal=goal.id,
            key=planned.id,
            title=planned.title,
            description=planned.description,
            specialist=planned.agent_type,
            state=TaskState.READY,
            priority=planned.priority if planned.priority != PRIORITY_DEFAULT else submission.priority,
            tier=planned.tier,
            size=planned.size,
            owns=planned.owns,
            acceptance=planned.acceptance,
            verify=planned.verify,
            expects_change=planned.expects_change,
            provider=submission.provider,
            context=submission.context,
            phase=planned.phase,
            goal_rank=goal_rank(to_ms(goal.created_at), goal.priority),
            max_attempts=submission.max_attempts,
            created_at=self.clock.now(),
            updated_at=self.clock.now(),
        )

    def resolve(self, text: str, *, loosely: bool = False) -> Goal:
        """Return the goal that *text* names: an id, an unambiguous start of one, its plan's name, or ``last``.

        *loosely* takes words of one recent goal's title too, in any order: for looking at a goal, not for changing one.

        Raises:
            NotFound, Ambiguous.
        """
        if text == "last":
            newest = self.store.goals.list(limit=1)
            if newest:
                return newest[0]
            raise NotFound("there is no goal yet", hint='submit one: orchestrate submit "…"')
        found = self.store.goals.find(text) if text else []
        exact = [goal for goal in found if goal.id == text]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if not found and text:
            found = self._planned_as(text)
        if not found:
            words = set(words_of(text))
            found = [goal for goal in self.recent() if words and words <= set(words_of(goal.title))]
            near = f"did you mean {found[0].id} ({found[0].title})?" if len(found) == 1 else ""
            if not loosely or not found:
                raise NotFound(f"no goal {text!r}", hint=near or "orchestrate status lists them")
        if len(found) == 1:
            return found[0]
        raise Ambiguous(f"{text!r} could be {', '.join(goal.id for goal in found[:5])}", hint="type more of the id")

    def _planned_as(self, name: str) -> list[Goal]:
        """Return the goal that the plan with id *name* became, if there is one."""
        if name not in self.store.plans.find(name):
            return []
        goal = self.store.plans.get(name)[2]
        return [self.store.goals.get(goal)] if goal else []

    def recent(self, *, limit: int = 200) -> list[Goal]:
        """Return goals, newest first."""
        return self.store.goals.list(limit=limit)

    def open(self, only: GoalId | None = None) -> list[Goal]:
        """Return the goals from which work may still come, the first 200 in the order in which they are worked on.

        With *only* that goal, if it is one of them.
        """
        if only is not None:
            return [goal for goal in (self.store.goals.get(only),) if goal.state in GOAL_OPEN]
        return self.store.goals.list(states=GOAL_OPEN, in_turn=True)

    def asking(self) -> dict[GoalId, int]:
        """Return for each goal of which a change of the plan waits for a person how many do."""
        return self.store.goals.asking()

    def update(self, id: GoalId, **changes: object) -> Goal:
        """Change fields of a goal, its state included.

        Raises:
            RefusedByState: the table GOAL_NEXT does not allow the new state.
        """
        with self.store.transaction():
            goal = self.store.goals.get(id)
            changed = goal._replace(**changes)  # type: ignore[arg-type] # the caller names fields of Goal
            if changed.state is not goal.state:
                if changed.state not in GOAL_NEXT[goal.state]:
                    raise RefusedByState(f"goal {id} is {goal.state} and cannot become {changed.state}")
                self.events.record(f"goal.{changed.state}", goal=id, reason=changed.reason)
                if changed.state is GoalState.CANCELLED:
                    self._ask_nobody(id)
            self.store.goals.save(changed, was=goal.state)
        return changed

    def _ask_nobody(self, id: GoalId) -> None:
        """Decline what of a cancelled goal's plan waits for a person: it cannot be made any more."""
        from agent_orchestrator.domain.replan import State  # few goals are cancelled: the other commands do without

        for one in self.store.replans.waiting(id):
            why = "its goal was cancelled"
            self.store.replans.move(
                one.id, State.DECLINED, was=State.WAITING, now=self.clock.now(), reason=why, by="user"
            )
            self.events.record(
                "replan.declined", task=self.store.tasks.get(one.task), kind=one.kind, reason=why, by="user"
            )

    def cancel(self, id: GoalId) -> Goal:
        """Cancel the goal and every task that is not over. Work in progress is asked to stop; what landed stays.

        Raises:
            RefusedByState: it is over already.
        """
        with self.store.transaction():
            goal = self.store.goals.get(id)
            if goal.state not in GOAL_OPEN and goal.state is not GoalState.FAILED:
                raise RefusedByState(f"goal {id} is {goal.state} already", hint=f"orchestrate report {id}")
            for task in self.store.tasks.of_goal(id):
                if task.state in HELD:
                    self.store.tasks.save(task._replace(cancel_wished=True), was=task)
                elif task.state in OPEN or task.state is TaskState.FAILED:
                    moved = task.moved(TaskState.CANCELLED, reason="its goal was cancelled")
                    self.store.tasks.save(moved._replace(updated_at=self.clock.now()), was=task)
            goal = self.update(id, state=GoalState.CANCELLED, ended_at=self.clock.now(), reason="cancelled by the user")
        self.notifier.wake()
        return goal

    def give_up(self, id: GoalId) -> None:
        """End the goal as cancelled when all its tasks are; otherwise change nothing."""
        with self.store.transaction():
            goal = self.store.goals.get(id)
            tasks = self.store.tasks.of_goal(id)
            wanted = [one for one in tasks if one.state is not TaskState.REPLACED]
            if goal.state is not GoalState.CANCELLED and all(one.state is TaskState.CANCELLED for one in wanted):
                self.update(id, state=GoalState.CANCELLED, ended_at=self.clock.now(), reason=ALL_CANCELLED)

    def undone(self, goal: Goal) -> Goal:
        """Write down that *goal*, as given, was taken back out of the user's branch."""
        with self.store.transaction():
            changed = self.update(goal.id, delivery=goal.delivery, delivery_note=goal.delivery_note)
            self.events.record("goal.undone", goal=changed, note=changed.delivery_note)
        return changed

    def taken_in(self, goal: Goal) -> Goal:
        """Write down that the user took the result of *goal*, as given, into their branch themselves."""
        with self.store.transaction():
            changed = self.update(
                goal.id,
                delivery=goal.delivery,
                delivery_note=goal.delivery_note,
                delivered_from=goal.delivered_from,
                delivered_to=goal.delivered_to,
            )
            self.events.record("goal.taken_in", goal=changed, note=changed.delivery_note)
        return changed

    def settle(self, id: GoalId) -> Goal | None:
        """Return the goal as it should end now, or None while work can still come from it. Changes nothing.

        A goal is completed when every task is done. It has failed when no task can move again by itself: one is in
        the dead letter or cancelled, and what is left waits for it. When the user cancelled every task, the goal is
        cancelled: nothing went wrong. Tasks that others replaced do not count, and while a change of its plan is to be
        decided on a goal does not end.
        """
        goal = self.store.goals.get(id)
        if goal.state not in GOAL_OPEN or self.store.replans.due(id):
            return None
        tasks = [task for task in self.store.tasks.of_goal(id) if task.state is not TaskState.REPLACED]
        over = {task.id for task in tasks if task.state in {TaskState.FAILED, TaskState.CANCELLED}}
        edges = self.store.tasks.edges(id)
        stuck = set(over)
        for task in sorted(tasks, key=lambda one: one.phase):
            if any(need in stuck for need in edges.get(task.id, ())):
                stuck.add(task.id)
        if any(task.state in OPEN and task.id not in stuck for task in tasks):
            return None
        if any(task.state in HELD for task in tasks):
            return None
        if not over:
            landed = [task for task in tasks if task.commit is not None]  # an answer is nothing that could break
            verdicts = {task.verdict for task in landed or tasks}
            verdict = Verdict.VERIFIED if verdicts == {Verdict.VERIFIED} else Verdict.UNVERIFIED
            return goal._replace(state=GoalState.COMPLETED, verdict=verdict, reason="", ended_at=self.clock.now())
        if all(task.state is TaskState.CANCELLED for task in tasks):
            state, reason = GoalState.CANCELLED, ALL_CANCELLED
        else:
            state, reason = GoalState.FAILED, _why_failed(tasks, stuck)
        return goal._replace(state=state, verdict=None, reason=reason, ended_at=self.clock.now())


def _why_failed(tasks: Sequence[Task], stuck: set[TaskId]) -> str:
    failed = [task for task in tasks if task.state is TaskState.FAILED]
    cancelled = [task for task in tasks if task.state is TaskState.CANCELLED]
    waiting = sum(1 for task in tasks if task.id in stuck and task.state in OPEN)
    parts = []
    if failed:
        parts.append(f"{len(failed)} failed ({', '.join(task.key for task in failed[:3])})")
    if cancelled:
        parts.append(f"{len(cancelled)} cancelled")
    if waiting:
        parts.append(f"{waiting} wait for them")
    return ", ".join(parts)


def _check(plan: Plan) -> None:
    if not plan.tasks:
        raise InvalidPlan("the plan has no tasks")
    seen: dict[str, int] = {}
    for task in plan.tasks:
        seen[task.id] = seen.get(task.id, 0) + 1
    for id, count in seen.items():
        if count > 1:
            raise InvalidPlan(f"the plan has {count} tasks named {id}")
    for task in plan.tasks:
        for need in task.depends_on:
            if need not in seen:
                raise InvalidPlan(f"task {task.id} depends on {need}, which the plan does not have")
    order(plan.tasks)


def _free_key(wanted: str, taken: set[str]) -> str:
    key, number = slug(wanted) or "task", 2
    while key in taken:
        key, number = f"{slug(wanted) or 'task'}-{number}", number + 1
    return key
