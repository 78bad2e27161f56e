"""The goals of one run, from the commit they begin at to the delivery of their result."""

from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, field

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import OrchestratorError, lacks_room
from agent_orchestrator.domain.goal import Goal, GoalState, Isolation
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import HELD, TaskState
from agent_orchestrator.runtime.happenings import GoalNotOpened, GoalOpened, Happening, NoRoom
from agent_orchestrator.runtime.merge_queue import MergeQueue
from agent_orchestrator.runtime.run_options import RunOptions
from agent_orchestrator.services.goals import Goals
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Workspaces

OPEN_AT_ONCE = 20
"""Goals whose tasks may be claimed at the same time, the first in turn."""


@dataclass(slots=True, kw_only=True)
class OpenGoals:
    """Opens goals when their turn comes, and ends those from which nothing more can come."""

    goals: Goals
    store: Store
    clock: Clock
    workspaces: Workspaces
    merge_queue: MergeQueue
    threads: Executor
    """Where goals are opened: that takes a few calls of git."""
    options: RunOptions
    is_demo: bool
    """Whether a provider of the run only demonstrates; its goals say so."""
    post: Callable[[Happening], None]
    log: Callable[[str], None]
    _opening: set[GoalId] = field(default_factory=set, init=False)
    _delivering: set[GoalId] = field(default_factory=set, init=False)

    @property
    def is_busy(self) -> bool:
        """Whether a goal is being opened or delivered."""
        return bool(self._opening or self._delivering)

    def claimable(self, *, may_open: bool) -> tuple[GoalId, ...]:
        """Return the goals whose tasks may be claimed; with *may_open*, begin to open those that are not open yet.

        A goal that is being opened keeps back those whose turn is after it: an urgent one must not lose its place
        because another opened faster.
        """
        ready, in_turn = [], True
        for goal in self.goals.open(self.options.goal)[:OPEN_AT_ONCE]:
            if goal.state is GoalState.EXECUTING and self._has_place(goal):
                if in_turn:
                    ready.append(goal.id)
                continue
            in_turn = False
            if may_open and goal.id not in self._opening:
                self._opening.add(goal.id)
                self.threads.submit(self._open, goal)
        return tuple(ready)

    def _has_place(self, goal: Goal) -> bool:
        """Say whether the goal was opened, and for places of this kind: a repository may have come since."""
        in_place = self.workspaces.isolation is Isolation.SHARED
        return goal.isolation is not None and (goal.base_commit is not None or in_place)

    def _open(self, goal: Goal) -> None:
        """Settle a goal's base and result branch, in a thread. The result branch begins with the first landing."""
        workspaces = self.workspaces
        try:
            project = workspaces.project()
            base = workspaces.base(goal.id, include_dirty=self.options.include_dirty)
            opened = goal._replace(
                base_commit=base,
                base_branch=project.branch,
                result_branch=workspaces.result_branch(goal.id) if base is not None else None,
                isolation=workspaces.isolation,
            )
            self.post(GoalOpened(opened))
        except OrchestratorError as error:
            self.post(NoRoom(error.message) if lacks_room(error) else GoalNotOpened(goal.id, error.message))

    def opened(self, goal: Goal) -> None:
        """Let the goal's tasks be claimed, and have the project's check run on its base."""
        self._opening.discard(goal.id)
        opened = self.goals.update(
            goal.id,
            state=GoalState.EXECUTING,
            base_commit=goal.base_commit,
            base_branch=goal.base_branch,
            result_branch=goal.result_branch,
            isolation=goal.isolation,
            demo=goal.demo or self.is_demo,
            started_at=goal.started_at or self.clock.now(),
        )
        self.log(f"goal {goal.id} begins: {goal.title}")
        self.merge_queue.check_base(opened)

    def not_opened(self, goal: GoalId, reason: str) -> None:
        """End a goal that has no commit to begin at."""
        self._opening.discard(goal)
        self.log(f"goal {goal} cannot start: {reason}")
        self.goals.update(goal, state=GoalState.FAILED, reason=reason, ended_at=self.clock.now())

    def close(self, busy: Collection[GoalId]) -> None:
        """End the goals from which nothing more can come, but for *busy* ones, and deliver those that are complete."""
        for goal in self.goals.open(self.options.goal):
            if goal.id in busy or goal.id in self._delivering or goal.id in self._opening:
                continue
            counts = self.store.tasks.counts(goal.id)
            if counts[TaskState.READY] or any(counts[state] for state in HELD):
                continue  # cheap, and true most of the time: something can still come
            over = self.goals.settle(goal.id)
            if over is None:
                continue
            self._delivering.add(goal.id)
            self.merge_queue.deliver(over)

    def delivered(self, goal: Goal) -> None:
        """Write down how a goal ended, unless something was added to it or retried meanwhile."""
        self._delivering.discard(goal.id)
        current = self.store.goals.get(goal.id)
        if self.goals.settle(goal.id) is None and current.state is not GoalState.CANCELLED:
            return
        self.goals.update(
            goal.id,
            state=goal.state,
            reason=goal.reason,
            verdict=goal.verdict,
            ended_at=goal.ended_at,
            delivery=goal.delivery,
            delivery_note=goal.delivery_note,
            delivered_from=goal.delivered_from,
            delivered_to=goal.delivered_to,
        )
        verdict = f" ({goal.verdict})" if goal.verdict else f": {goal.reason}"
        self.log(f"goal {goal.id} {goal.state}{verdict}. {goal.delivery_note}")

    def not_delivered(self, goal: GoalId) -> None:
        """Leave a goal open whose delivery was stopped: the next run delivers it."""
        self._delivering.discard(goal)
