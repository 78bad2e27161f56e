"""The queue: hand out tasks, take results back, and decide what becomes of what failed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from agent_orchestrator.domain.agent import Agent, AgentState
from agent_orchestrator.domain.attempt import FREE, NO_ROOM_FREE, Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import Ambiguous, NotFound, RefusedByState, StaleLease
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.goal import GOAL_OPEN, GoalState
from agent_orchestrator.domain.ids import GoalId, TaskId, attempt_id, new_agent_id, words_of
from agent_orchestrator.domain.message import Message
from agent_orchestrator.domain.retries import Step
from agent_orchestrator.domain.task import HELD, OPEN, Task, TaskState, Verdict
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.retries import Retries
from agent_orchestrator.stores import Store

if TYPE_CHECKING:
    from agent_orchestrator.services.replanning import Replanning

RETRY_LIMIT = timedelta(minutes=10)
"""The longest pause between two attempts of one task."""


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """Hand out tasks and take results back. Every door calls this, nothing else."""

    store: Store
    clock: Clock
    events: Events
    notifier: Notifier
    retry_pause: timedelta = timedelta(seconds=5)
    """Before the second attempt; doubles each time, with jitter."""
    retries: Retries | None = None
    """Decides what is changed before a task is tried again. None: nothing ever is."""
    replanning: "Replanning | None" = None
    """Is told of what may change the plan: a task that is done, and one that failed for good. None: plans stay."""

    def claim(
        self,
        provider: str | None,
        *,
        run_dir: Callable[[Task, int], Path],
        others: Sequence[str] = (),
        stand_ins: Sequence[str] = (),
        goals: Sequence[GoalId] | None = None,
    ) -> tuple[Task, Attempt] | None:
        """Lease the first task that may start, and write down the intent to start an attempt at it.

        The attempt is by *provider*, unless the task insists on one of *others*; with no *provider* only such tasks
        are taken. A task that *provider* failed at again and again goes to the first of *stand_ins*. *run_dir* names
        the attempt's private folder from the task and the attempt's number.
        """
        now = self.clock.now()
        with self.store.transaction():
            token = self.store.draw_token()
            agent = new_agent_id(provider or "agent")
            names = [*([provider] if provider else []), *others]
            task = self.store.tasks.claim(
                agent, token, goals=goals, providers=names, now=now, only_theirs=provider is None
            )
            if task is None:
                return None
            by = _taker(task, provider, stand_ins)
            if by != provider:
                agent = new_agent_id(by)
            number = len(self.store.attempts.of_task(task.id)) + 1
            attempt = Attempt(
                id=attempt_id(task.id, number),
                task=task.id,
                goal=task.goal,
                number=number,
                token=token,
                agent=agent,
                provider=by,
                run_dir=str(run_dir(task, number)),
                started_at=now,
            )
            held = task._replace(attempt=attempt.id, holder=agent)
            self.store.tasks.save(held, was=task)
            self._intend(attempt, task)
        return held, attempt

    def _intend(self, attempt: Attempt, task: Task) -> None:
        """Write down that *attempt* is about to be started, and whose it will be."""
        self.store.attempts.add(attempt)
        self.store.agents.add(
            Agent(
                id=attempt.agent,
                provider=attempt.provider,
                specialist=task.specialist,
                task=task.id,
                attempt=attempt.id,
                started_at=attempt.started_at,
                seen_at=attempt.started_at,
            )
        )
        self.events.record("task.claimed", attempt=attempt, title=task.title, provider=attempt.provider)

    def prepared(self, attempt: Attempt) -> None:
        """Record where the attempt will work, before it starts: who takes over after a crash must find its work.

        Raises StaleLease.
        """
        with self.store.transaction():
            self._held(attempt, {TaskState.CLAIMED})
            self.store.attempts.save(attempt)

    def started(self, attempt: Attempt, *, sandbox: str = "", notes: Sequence[str] = ()) -> Attempt:
        """Record the start of the attempt's process, in which *sandbox*, and *notes* on it. Raises StaleLease."""
        with self.store.transaction():
            task = self._held(attempt, {TaskState.CLAIMED})
            self._save(task.moved(TaskState.RUNNING), was=task)
            self.store.attempts.save(attempt)
            agent = self.store.agents.get(attempt.agent)
            self.store.agents.save(replace(agent, state=AgentState.WORKING, pid=attempt.pid, seen_at=self.clock.now()))
            self.events.record(
                "task.started",
                attempt=attempt,
                pid=attempt.pid,
                cli_version=attempt.cli_version,
                title=task.title,
                sandbox=sandbox or None,
            )
            for note in notes:
                self.events.record("attempt.note", attempt=attempt, note=note)
        return attempt

    def progressed(self, attempt: Attempt, *, alive: bool = True) -> None:
        """Remember how far the attempt is: session, offset, spend, what its agent does. Not an event."""
        with self.store.transaction():
            self.store.attempts.save(attempt)
            if alive:
                agent = self.store.agents.get(attempt.agent)
                self.store.agents.save(
                    replace(agent, doing=attempt.last_action, seen_at=self.clock.now(), pid=attempt.pid)
                )

    def handed_in(self, attempt: Attempt) -> None:
        """Record that the agent has ended, with what it said it did, and its work is being looked at.

        Raises StaleLease.
        """
        with self.store.transaction():
            task = self._held(attempt, {TaskState.RUNNING, TaskState.CLAIMED})
            if task.state is TaskState.CLAIMED:  # its end was seen before its start was written, after a crash of ours
                self._save(task.moved(TaskState.RUNNING), was=task)
                task = self.store.tasks.get(task.id)
            self._save(task.moved(TaskState.VERIFYING)._replace(summary=attempt.summary or task.summary), was=task)
            self.store.attempts.save(attempt)
            self._agent_ended(attempt)
            self.events.record("task.handed_in", attempt=attempt, title=task.title)

    def landing(self, attempt: Attempt, evidence: Evidence) -> None:
        """Record that the checks are through and the work is being put on the goal's branch. Raises StaleLease.

        A landing that a crash cut short is begun again by the same attempt.
        """
        with self.store.transaction():
            task = self._held(attempt, {TaskState.VERIFYING, TaskState.LANDING})
            if task.state is TaskState.VERIFYING:
                self._save(task.moved(TaskState.LANDING), was=task)
            self.store.attempts.save(attempt)
            self.store.attempts.add_evidence(attempt.id, evidence)

    def finished(self, attempt: Attempt, *, verdict: Verdict, commit: str | None, evidence: Evidence) -> list[TaskId]:
        """Record that the work is landed: the task is done, what waited for it may start. Returns the released.

        Without a *commit* no branch was moved, and nothing had to be written down before that: then the task may come
        here straight from its checks.

        Raises:
            StaleLease: the attempt no longer holds the task.
        """
        now = self.clock.now()
        with self.store.transaction():
            task = self._held(attempt, {TaskState.LANDING} if commit else {TaskState.LANDING, TaskState.VERIFYING})
            landing = task.moved(TaskState.LANDING) if task.state is TaskState.VERIFYING else task
            done = landing.moved(TaskState.DONE)._replace(verdict=verdict, commit=commit, holder=None)
            self._save(done, was=task)
            self.store.attempts.save(replace(attempt, outcome=Outcome.SUCCEEDED, ended_at=now))
            self.store.attempts.add_evidence(attempt.id, evidence)
            released = self.store.tasks.release_dependents(task.id, now=now)
            self.events.record("task.done", attempt=attempt, title=task.title, verdict=verdict, commit=commit)
            if self.replanning is not None:
                self.replanning.done(task)
        self.notifier.wake()
        return released

    def advised(self, attempt: Attempt, evidence: Evidence) -> None:
        """Keep what was found out about landed work after it had landed. It moves nothing."""
        with self.store.transaction():
            self.store.attempts.add_evidence(attempt.id, evidence)

    def noted(self, task: TaskId, summary: str) -> None:
        """Keep what the task's agent said it did."""
        with self.store.transaction():
            found = self.store.tasks.get(task)
            self.store.tasks.save(found._replace(summary=summary), was=found)

    def ended(
        self,
        attempt: Attempt,
        *,
        outcome: Outcome,
        reason: str,
        evidence: Evidence | None = None,
    ) -> Task:
        """Record that the attempt ended without landing; give the task back, pause it, or put it to the dead letter.

        A usage limit, a full disk or our own stop is not charged. The prompt of the next attempt will carry
        ``attempt.feedback``.

        Raises:
            StaleLease: the attempt no longer holds the task; nothing was changed.
        """
        now = self.clock.now()
        with self.store.transaction():
            task = self._held(attempt, HELD)
            self.store.attempts.save(replace(attempt, outcome=outcome, reason=reason, ended_at=now))
            if evidence is not None:
                self.store.attempts.add_evidence(attempt.id, evidence)
            self._agent_ended(attempt)
            is_free = outcome in FREE and not self._fills_disks(attempt, outcome)
            charged = task.attempts + (0 if is_free else 1)
            step = Step()
            if self.retries is not None and outcome not in FREE and not task.cancel_wished:
                step = self.retries.after(task, attempt, outcome, reason, evidence)
                reason = f"{reason} ({step.give_up})" if step.give_up else reason
            if task.cancel_wished:
                after = task.moved(TaskState.CANCELLED, reason="cancelled by the user")
            elif step.give_up or charged >= task.max_attempts:
                after = task.moved(TaskState.FAILED, reason=reason)
            else:
                pause = timedelta(0) if is_free else self._pause(charged)
                after = _to_be_tried_again(task, reason, now + pause if pause else None)
                after = self._changed(after, attempt, step)
            after = after._replace(attempts=charged, holder=None, cancel_wished=False)
            self._save(after, was=task)
            self.events.record(
                f"attempt.{outcome}",
                attempt=attempt,
                title=task.title,
                reason=reason,
                then=after.state,
                charged=charged,
            )
            if after.state is TaskState.FAILED:
                replanning = self.replanning if step.may_split else None
                if replanning is None or not replanning.failed(after, attempt, outcome):
                    self.events.record("task.failed", attempt=attempt, title=task.title, reason=reason)
        self.notifier.wake()
        return after

    def _changed(self, task: Task, attempt: Attempt, step: Step) -> Task:
        """Return the task with what its next attempt should do differently, and write that down."""
        if step.tier is not None:
            self.events.record("task.escalated", attempt=attempt, title=task.title, tier=step.tier)
            return task._replace(tier=step.tier)
        if step.avoid:
            self.events.record("task.escalated", attempt=attempt, title=task.title, instead_of=step.avoid)
            return task._replace(avoid=step.avoid)
        return task

    def _fills_disks(self, attempt: Attempt, outcome: Outcome) -> bool:
        """Say whether the task's attempts have ended for want of room so often that they may be the reason for it."""
        if outcome is not Outcome.NO_ROOM:
            return False
        before = [one.outcome for one in self.store.attempts.of_task(attempt.task) if one.number < attempt.number]
        return before[-NO_ROOM_FREE:] == [Outcome.NO_ROOM] * NO_ROOM_FREE

    def _pause(self, charged: int) -> timedelta:
        seconds = self.retry_pause.total_seconds() * 2 ** max(charged - 1, 0)
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 # spreads retries, guards nothing
        return min(timedelta(seconds=seconds * jitter), RETRY_LIMIT)

    def release_due(self) -> list[TaskId]:
        """Let every task start whose pause is over."""
        with self.store.transaction():
            return self.store.tasks.release_due(now=self.clock.now())

    def resolve(self, text: str, *, loosely: bool = False) -> Task:
        """Return the task that *text* names: an id, its key, or an unambiguous start of either.

        A key that several goals have means the newest goal's task. *loosely* takes words of one key too, in any order,
        as in ``payment-leak-fix``: for looking at a task, not for changing one.

        Raises:
            NotFound, Ambiguous.
        """
        found = self.store.tasks.find(text) if text else []
        for match in (
            [task for task in found if task.id == text],
            [task for task in found if task.key == text][-1:],
            found,
        ):
            if len(match) == 1:
                return match[0]
        if not found:
            found = self.store.tasks.with_words(words_of(text))
            keys = {task.key for task in found}
            if loosely and len(keys) == 1:
                return found[-1]
            near = f"did you mean {found[-1].id} ({found[-1].key})?" if len(keys) == 1 else ""
            if not loosely or not found:
                raise NotFound(f"no task {text!r}", hint=near or "orchestrate status lists them")
        shown = ", ".join(f"{task.id} ({task.key})" for task in found[:5])
        raise Ambiguous(f"{text!r} could be {shown}", hint="type more of it")

    def cancel(self, id: TaskId) -> Task:
        """Cancel the task: at once if nobody works on it, else as soon as its agent has been stopped.

        Raises:
            RefusedByState: it is over already.
        """
        with self.store.transaction():
            task = self.store.tasks.get(id)
            if task.state in HELD:
                after = task._replace(cancel_wished=True)
            elif task.state in OPEN or task.state is TaskState.FAILED:
                after = task.moved(TaskState.CANCELLED, reason="cancelled by the user")
            else:
                raise RefusedByState(f"task {id} is {task.state} already", hint=f"orchestrate task {id}")
            self._save(after, was=task)
            self.events.record("task.cancelled" if after.state not in HELD else "task.cancel_wished", task=after)
        self.notifier.wake()
        return after

    def retry(self, id: TaskId, *, comment: str = "") -> Task:
        """Give a failed or cancelled task a fresh set of attempts; *comment* goes into the next prompt.

        Raises:
            RefusedByState: it is not in the dead letter, cancelled, or pausing after a failure.
        """
        now = self.clock.now()
        with self.store.transaction():
            task = self.store.tasks.get(id)
            pausing = task.state is TaskState.BLOCKED and task.not_before is not None
            if task.state not in {TaskState.FAILED, TaskState.CANCELLED} and not pausing:
                hint = "its work is landed; orchestrate undo takes a goal back" if task.state is TaskState.DONE else ""
                raise RefusedByState(
                    f"task {id} is {task.state}; only failed or cancelled tasks are retried", hint=hint
                )
            to = TaskState.BLOCKED if task.unmet else TaskState.READY
            after = task._replace(state=to, reason="") if pausing else task.moved(to)
            after = after._replace(attempts=0, not_before=None, cancel_wished=False, avoid="")
            self._save(after, was=task)
            if self.replanning is not None:
                self.replanning.retried(task)
            goal = self.store.goals.get(task.goal)
            if goal.state not in GOAL_OPEN:
                again = goal._replace(state=GoalState.EXECUTING, reason="", verdict=None, ended_at=None)
                self.store.goals.save(again, was=goal.state)
            if comment.strip():
                self.store.messages.add(
                    Message(id=0, goal=task.goal, task=id, author="user", to="@all", body=comment.strip(), at=now)
                )
            self.events.record("task.retried", task=after, comment=bool(comment.strip()))
        self.notifier.wake()
        return after

    def _held(self, attempt: Attempt, states: frozenset[TaskState] | set[TaskState]) -> Task:
        """Return the attempt's task if the attempt still holds it in one of *states*; raise StaleLease otherwise."""
        task = self.store.tasks.get(attempt.task)
        if task.token != attempt.token or task.state not in states:
            raise StaleLease(
                f"attempt {attempt.id} with token {attempt.token} came too late: "
                f"task {task.id} is {task.state} under token {task.token}"
            )
        return task

    def _save(self, task: Task, *, was: Task) -> None:
        self.store.tasks.save(task._replace(updated_at=self.clock.now()), was=was)

    def _agent_ended(self, attempt: Attempt) -> None:
        agent = self.store.agents.get(attempt.agent)
        if agent.state is not AgentState.ENDED:
            now = self.clock.now()
            self.store.agents.save(replace(agent, state=AgentState.ENDED, ended_at=now, seen_at=now))


def _taker(task: Task, provider: str | None, stand_ins: Sequence[str]) -> str:
    """Return who attempts *task*: whom it insists on, else *provider*, or a stand-in when it failed at it too often."""
    by = task.provider or provider
    if task.provider is None and task.avoid == by:
        by = next((name for name in stand_ins if name != by), by)
    assert by is not None, "a task that insists on nobody is claimed only for a provider"
    return by


def _to_be_tried_again(task: Task, reason: str, not_before: datetime | None) -> Task:
    """Return *task* for another attempt: ready, or blocked until *not_before*, then with the *reason* why it waits."""
    blocked = not_before is not None or task.unmet  # a need of it may have been rejected in review meanwhile
    moved = task.moved(TaskState.BLOCKED if blocked else TaskState.READY, reason=reason if not_before else "")
    return moved._replace(not_before=not_before)
