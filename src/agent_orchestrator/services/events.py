"""The append-only log of what happened."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.event import Event
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.task import Task
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True)
class Events:
    """Write and read the log."""

    store: Store
    clock: Clock

    def record(
        self,
        type: str,
        *,
        goal: Goal | GoalId | None = None,
        task: Task | None = None,
        attempt: Attempt | None = None,
        **data: object,
    ) -> None:
        """Append one event, inside the transaction of the change it tells of."""
        goal_id = (
            goal.id if isinstance(goal, Goal) else goal or (task.goal if task else attempt.goal if attempt else None)
        )
        self.store.events.append(
            Event(
                type=type,
                at=self.clock.now(),
                goal=goal_id,
                task=task.id if task else attempt.task if attempt else None,
                attempt=attempt.id if attempt else task.attempt if task else None,
                agent=attempt.agent if attempt else task.holder if task else None,
                token=attempt.token if attempt else (task.token or None) if task else None,
                data=data,
            )
        )

    def after(
        self,
        seq: int = 0,
        *,
        goal: GoalId | None = None,
        task: TaskId | None = None,
        types: Sequence[str] = (),
        limit: int = 500,
    ) -> list[Event]:
        """Return events after position *seq*, oldest first; of *types* such as ``task.done``, or kinds: ``task``."""
        return self.store.events.after(seq, goal=goal, task=task, types=types, limit=limit)

    def last(
        self, count: int, *, goal: GoalId | None = None, task: TaskId | None = None, types: Sequence[str] = ()
    ) -> list[Event]:
        """Return the last *count* events, oldest first."""
        return self.store.events.last(count, goal=goal, task=task, types=types)
