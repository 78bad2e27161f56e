"""What a person decides on finished work: accept it, reject it, ask for more.

A decision is an event. It holds until the task is landed again; see
``Reports.decisions``. What a rejection means for the branches is
``runtime/reviewing.py``'s to know; here the task goes back into the queue.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import BadInput, RefusedByState
from agent_orchestrator.domain.goal import GOAL_OPEN, GoalState
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.domain.message import Message
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.messages import BODY_LIMIT
from agent_orchestrator.stores import Store

REJECTED = "rejected in review"
"""Begins the reason of an attempt whose landed work a person rejected."""


@dataclass(frozen=True, slots=True)
class Reviews:
    """What can be decided on a task that is done. Each verb is one transaction."""

    store: Store
    clock: Clock
    events: Events
    notifier: Notifier

    def done(self, id: TaskId) -> Task:
        """Return the task, which must be done. Raises NotFound, RefusedByState."""
        task = self.store.tasks.get(id)
        if task.state is not TaskState.DONE:
            raise RefusedByState(
                f"task {id} is {task.state}: nothing of it is landed", hint=f"orchestrate task {id} says what it has"
            )
        return task

    def accept(self, id: TaskId) -> Task:
        """Write down that a person has looked at the work and wants it. Raises RefusedByState."""
        with self.store.transaction():
            task = self.done(id)
            self.events.record("review.accepted", task=task, commit=task.commit)
        return task

    def reject(self, id: TaskId, comment: str, *, take_out: Callable[[], None]) -> Task:
        """Put a task whose work is not wanted back into the queue, with *comment* for its next attempt.

        *take_out* moves the result branch, as the last step before all of it is durable; when it raises, nothing has
        changed. What depends on the task and is not done waits for it again.
        """
        told = " ".join(comment.split())
        reason = f"{REJECTED}: {told}" if told else REJECTED
        feedback = "The user looked at this work and rejected it. It was taken out of the result again: do it anew."
        with self.store.transaction():
            task = self._back(self.done(id), comment)
            for attempt in self.store.attempts.of_task(id):
                if attempt.outcome is Outcome.SUCCEEDED:
                    self.store.attempts.save(
                        replace(attempt, outcome=Outcome.REJECTED, reason=reason, feedback=feedback, session=None)
                    )
            self.events.record("review.rejected", task=task, commit=task.commit, comment=comment.strip())
            self.store.tasks.save(task._replace(commit=None), was=task)
            take_out()
        self.notifier.wake()
        return self.store.tasks.get(id)

    def follow_up(self, id: TaskId, comment: str) -> Task:
        """Ask for more: the task goes back into the queue, its landed work stays, and its agent's session goes on.

        Raises:
            BadInput: there is no comment.
            RefusedByState: the task is not done.
        """
        if not comment.strip():
            raise BadInput("the comment is empty")
        with self.store.transaction():
            task = self._back(self.done(id), comment)
            self.events.record("review.commented", task=task, commit=task.commit, comment=comment.strip())
        self.notifier.wake()
        return task

    def _back(self, task: Task, comment: str) -> Task:
        """Move a done task back into the queue and open its goal again."""
        if len(comment) > BODY_LIMIT:
            raise BadInput(f"the comment has {len(comment):,} characters; the limit is {BODY_LIMIT:,}")
        now = self.clock.now()
        after = task.moved(TaskState.BLOCKED if task.unmet else TaskState.READY)
        after = after._replace(attempts=0, verdict=None, not_before=None, cancel_wished=False, updated_at=now)
        self.store.tasks.save(after, was=task)
        self.store.tasks.hold_dependents(task.id, now=now)
        goal = self.store.goals.get(task.goal)
        if goal.state not in GOAL_OPEN:
            again = goal._replace(state=GoalState.EXECUTING, reason="", verdict=None, ended_at=None)
            self.store.goals.save(again, was=goal.state)
        if comment.strip():
            body = comment.strip()
            message = Message(id=0, goal=task.goal, task=task.id, author="user", to="@all", body=body, at=now)
            self.store.messages.add(message)
        return after
