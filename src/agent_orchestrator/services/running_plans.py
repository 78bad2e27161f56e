"""The plan of a goal that is worked on: as it is now, and changed in one transaction with all that depends on it.

The queue is the truth. A change is written as the plan's next version, as rows
of tasks and dependencies, and as events, together or not at all; finished and
running tasks are never changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import RefusedByState
from agent_orchestrator.domain.goal import GOAL_OPEN, Goal, GoalState
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.ranking import ranks
from agent_orchestrator.domain.task import CHANGEABLE, HELD, Task, TaskState
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.planning.decisions import decided
from agent_orchestrator.planning.document import plan_from_json, plan_to_json
from agent_orchestrator.planning.rewriting import arranged, renamed
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.goals import Goals, Submission
from agent_orchestrator.services.plans import SavedPlan
from agent_orchestrator.stores import Store

USER = "user"
_FIELDS = {
    **{name: name for name in ("title", "description", "priority", "tier", "size", "owns", "acceptance", "verify")},
    "expects_change": "expects_change",
    "agent_type": "specialist",
}
"""Field of a planned task to that of a task."""
REPLANNED_LIMIT = 500
"""Characters of a reason that a version and its event keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A goal's plan as it is now, with what may still be changed in it."""

    goal: Goal
    saved: SavedPlan
    tasks: dict[str, Task]
    """By key; those that others replaced among them."""

    @property
    def plan(self) -> Plan:
        """The tasks that count, as a plan."""
        return self.saved.plan

    @property
    def changeable(self) -> set[str]:
        """Keys of tasks that may be planned otherwise."""
        return {key for key, task in self.tasks.items() if task.state in CHANGEABLE}

    @property
    def running(self) -> set[str]:
        """Keys of tasks that somebody is at work on."""
        return {key for key, task in self.tasks.items() if task.state in HELD}

    @property
    def begun(self) -> set[str]:
        """Keys of running and finished tasks."""
        return {task.id for task in self.plan.tasks} - self.changeable


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a plan is changed, and on whose account."""

    who: str
    """``user``, ``orchestrate``, or the key of the task whose agent reported."""
    why: str
    origin: Task | None = None
    """The task that reported, or that is split: new ones take over whom it insists on and how often it is tried."""
    unasked: bool = False
    """Whether no person agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPlans:
    """Look at the plan of a goal in the queue, and change it."""

    store: Store
    clock: Clock
    events: Events
    goals: Goals
    notifier: Notifier
    roster: Callable[[], Roster]

    def scene(self, id: GoalId) -> Scene:
        """Return the goal's plan as the queue has it: planned tasks as they were planned, others as they stand."""
        goal = self.store.goals.get(id)
        tasks = {task.key: task for task in self.store.tasks.of_goal(id)}
        named = self.store.plans.of_goal(id)
        row = self.store.plans.get(named) if named is not None else None
        planned = plan_from_json(row.document) if row is not None else None
        known = {task.id: task for task in planned.tasks} if planned is not None else {}
        edges = self.store.tasks.edges(id)
        keys = {task.id: key for key, task in tasks.items()}
        there = {key for key, task in tasks.items() if task.state is not TaskState.REPLACED}
        shown = tuple(
            replace(
                known.get(key) or _planned(task),
                depends_on=tuple(keys[need] for need in edges.get(task.id, ()) if keys[need] in there),
                phase=task.phase,
            )
            for key, task in tasks.items()
            if key in there
        )
        plan = (
            replace(planned, tasks=shown)
            if planned is not None
            else Plan(goal=goal.text, source=goal.source, notice=goal.notice, tasks=shown)
        )
        saved = SavedPlan(
            id=named or f"plan-{id}", state="executed", plan=plan, goal=id, version=row.version if row else 1
        )
        return Scene(goal=goal, saved=saved, tasks=tasks)

    def change(
        self,
        id: GoalId,
        make: Callable[[Scene], Plan],
        *,
        cause: Cause,
        after: int | None = None,
        also: Callable[[Scene, dict[str, Task]], None] | None = None,
    ) -> SavedPlan:
        """Make the goal's plan what *make* returns of it, as the next version. Durable when this returns.

        *also* is called inside the same transaction, with the plan as it was and the added tasks by key.

        Raises:
            RefusedByState: it changes what has begun, the goal was cancelled, or *after* is not the newest version.
            InvalidPlan: it is no plan.
        """
        with self.store.transaction():
            scene = self.scene(id)
            if scene.goal.state is GoalState.CANCELLED:
                raise RefusedByState(f"goal {id} is {scene.goal.state}", hint="submit a new goal")
            if after is not None and after != scene.saved.version:
                raise RefusedByState(
                    f"the plan of goal {id} was changed meanwhile: it is at version {scene.saved.version}, "
                    f"and this is about {after}",
                    hint=f"orchestrate plan-continue {id} --diff {after} shows what was changed",
                )
            wanted = _under_free_ids(make(scene), scene)
            new = arranged(scene.plan, wanted, self.roster(), begun=scene.begun, running=scene.running)
            added = self._write(scene, new, cause)
            if also is not None:
                also(scene, added)
        self.notifier.wake()
        return self.scene(id).saved

    def _write(self, scene: Scene, new: Plan, cause: Cause) -> dict[str, Task]:
        now, goal = self.clock.now(), scene.goal
        old = {task.id: task for task in scene.plan.tasks}
        told = {task.id: task for task in decided(new).tasks}
        added = [told[task.id] for task in new.tasks if task.id not in old]
        gone = [key for key in old if key not in told]
        ids = {key: task.id for key, task in scene.tasks.items()}
        ids |= self.goals.fresh_ids([task.id for task in added])
        tasks = {task.id: self._new(task, goal, ids[task.id], cause, scene) for task in added}
        needs = {ids[task.id]: [ids[need] for need in task.depends_on] for task in added}
        for key in gone:
            self._replace(scene.tasks[key], added, cause)
        self.store.tasks.add(list(tasks.values()), needs)
        rewired: dict[TaskId, list[TaskId]] = {}
        for task in new.tasks:
            was = old.get(task.id)
            if was is None:
                continue
            current = scene.tasks[task.id]
            if was.depends_on != task.depends_on or set(gone) & self._needs(current, ids):
                kept = self.store.tasks.needs(current.id) if current.state not in CHANGEABLE else None
                rewired[current.id] = kept if kept is not None else [ids[need] for need in task.depends_on]
            self._modify(current, was, task, told[task.id])
        self.store.tasks.set_needs(rewired, now=now)
        present = self.store.tasks.of_goal(goal.id)
        self.store.tasks.set_ranks(ranks(present, self.store.tasks.edges(goal.id)))
        self._reopen(goal, present)
        self._version(scene, new, [task.id for task in added], gone, cause)
        return {key: self.store.tasks.get(task.id) for key, task in tasks.items()}

    def _needs(self, task: Task, ids: dict[str, TaskId]) -> set[str]:
        keys = {id: key for key, id in ids.items()}
        return {keys[need] for need in self.store.tasks.needs(task.id)}

    def _new(self, planned: PlannedTask, goal: Goal, id: TaskId, cause: Cause, scene: Scene) -> Task:
        like = cause.origin or next(iter(scene.tasks.values()))
        submission = Submission(
            text=goal.text,
            priority=goal.priority,
            context=like.context,
            provider=like.provider,
            max_attempts=like.max_attempts,
        )
        task = self.goals.new_task(planned, goal, id, submission)
        self.events.record(
            "task.added", task=task, title=task.title, who=cause.who, why=cause.why[:REPLANNED_LIMIT],
            after=cause.origin.key if cause.origin else None,
        )  # fmt: skip
        return task

    def _replace(self, task: Task, added: Sequence[PlannedTask], cause: Cause) -> None:
        is_split = cause.origin is not None and cause.origin.id == task.id
        instead = ", ".join(one.id for one in added)
        reason = f"split into {instead}" if is_split else "taken out of the plan"
        moved = task.moved(TaskState.REPLACED, reason=reason)
        self.store.tasks.save(moved._replace(not_before=None, updated_at=self.clock.now()), was=task)
        self.events.record("task.replaced", task=task, title=task.title, reason=reason)

    def _modify(self, task: Task, was: PlannedTask, new: PlannedTask, told: PlannedTask) -> None:
        """Write down what of a task that has not begun is planned otherwise."""
        same = replace(was, depends_on=(), phase=0, routing=None) == replace(new, depends_on=(), phase=0, routing=None)
        if same or task.state not in CHANGEABLE:
            return
        changes = {
            field: getattr(new, name) for name, field in _FIELDS.items() if getattr(new, name) != getattr(was, name)
        }
        if "description" in changes:
            changes["description"] = told.description
        after = task._replace(**changes, updated_at=self.clock.now())
        self.store.tasks.save(after, was=task)
        self.events.record("task.changed", task=after, title=after.title)

    def _reopen(self, goal: Goal, tasks: Sequence[Task]) -> None:
        if goal.state not in GOAL_OPEN and any(task.state is TaskState.READY for task in tasks):
            again = goal._replace(state=GoalState.EXECUTING, reason="", verdict=None, ended_at=None)
            self.store.goals.save(again, was=goal.state)

    def _version(self, scene: Scene, new: Plan, added: Sequence[str], gone: Sequence[str], cause: Cause) -> None:
        now, saved = self.clock.now(), scene.saved
        parts = [f"added {', '.join(added)}"] if added else []
        parts += [f"took out {', '.join(gone)}"] if gone else []
        what = "; ".join(parts) or "changed what has not begun"
        if self.store.plans.of_goal(scene.goal.id) is None:
            self.store.plans.add(saved.id, plan_to_json(saved.plan), goal_text=scene.goal.text, now=now)
            self.store.plans.set_state(saved.id, "executed", goal=scene.goal.id, now=now)
        why = cause.why[:REPLANNED_LIMIT]
        written = self.store.plans.add_running_version(
            saved.id, plan_to_json(new), after=saved.version, what=what, who=cause.who, why=why, now=now
        )
        assert written, "the version was read in this transaction"
        self.events.record(
            "plan.changed", goal=scene.goal, plan=saved.id, version=saved.version + 1, what=what, who=cause.who, why=why
        )


def _under_free_ids(plan: Plan, scene: Scene) -> Plan:
    """Return *plan* with other ids for new tasks where a task that others replaced has theirs."""
    there = {task.id for task in scene.plan.tasks}
    new = [task for task in plan.tasks if task.id not in there and task.id in scene.tasks]
    if not new:
        return plan
    _, names = renamed(new, {*scene.tasks, *(task.id for task in plan.tasks)})
    tasks = [
        replace(
            task, id=names.get(task.id, task.id), depends_on=tuple(names.get(need, need) for need in task.depends_on)
        )
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(tasks))


def _planned(task: Task) -> PlannedTask:
    """Return a task of the queue as it would stand in a plan."""
    return PlannedTask(
        id=task.key,
        title=task.title,
        description=task.description,
        agent_type=task.specialist,
        phase=task.phase,
        priority=task.priority,
        tier=task.tier,
        size=task.size,
        owns=task.owns,
        acceptance=task.acceptance,
        verify=task.verify,
        expects_change=task.expects_change,
    )
