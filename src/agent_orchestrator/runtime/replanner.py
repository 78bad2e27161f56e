"""Decides on changes of plans during a run. A task may be divided by a model, which is asked beside the loop."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.plan import PlannedTask
from agent_orchestrator.domain.replan import Kind, Replan, State
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.services.replanning import Replanning

if TYPE_CHECKING:
    from agent_orchestrator.planning.splitting import Parts, Splitter

AT_WORK = (TaskState.CLAIMED, TaskState.RUNNING)
"""States of a task for whose agent something is set aside."""


@dataclass(slots=True, kw_only=True)
class Replanner:
    """Called by the supervisor's loop, in its thread."""

    replanning: Replanning
    splitter: "Callable[[Task, Callable[[], str]], Splitter]"
    """Returns who divides a task; asks no model while what it is given says which budget forbids that."""
    short: Callable[[GoalId, int, int], str]
    """Says which budget forbids one more question about a goal, with so many at work in the goal and in the run."""
    exhausted: Callable[[GoalId], bool]
    """Whether a goal's budget forbids one although nobody is at work: then parts would only wait for it too."""
    log: Callable[[str], None]
    _thinking: dict[int, GoalId] = field(default_factory=dict)
    """Changes that somebody thinks of, and whose goal pays. It is replaced, never changed: other threads read it."""
    _thought: "SimpleQueue[tuple[Replan, Parts]]" = field(default_factory=SimpleQueue)

    def look(self, *, may_ask: bool) -> None:
        """Decide on what is due. With *may_ask* false nobody is asked for parts; what is due stays due."""
        self._take_thoughts()
        for replan in self.replanning.due():
            if replan.kind is Kind.MORE:
                self._tell(self.replanning.decide(replan))
            elif replan.id not in self._thinking and may_ask and self._may_be_asked(replan):
                self._thinking = {**self._thinking, replan.id: replan.goal}
                task = self.replanning.store.tasks.get(replan.task)
                whole, told = self.replanning.whole(replan)
                # A daemon: a model that does not answer must not hold up the end of a run; the next one asks again.
                threading.Thread(
                    target=self._think, args=(replan, task, whole, told), name=f"split-{replan.id}", daemon=True
                ).start()

    @property
    def is_thinking(self) -> bool:
        """Whether parts are being thought of; the loop looks in every second or so until that is over."""
        return bool(self._thinking)

    @property
    def thinking(self) -> tuple[GoalId, ...]:
        """The goals on whose account somebody thinks of parts, each as often as somebody does."""
        return tuple(self._thinking.values())

    def _may_be_asked(self, replan: Replan) -> bool:
        """Say whether the budgets allow a question now. What a goal's never will again is given up.

        Else it waits: for those at work, who may use less than is set aside for them, or for the next run's budget.
        """
        if not self._short(replan):
            return True
        if self.exhausted(replan.goal):
            self._tell(self.replanning.give_up(replan, "it was not split: its goal's budget is used up"))
        return False

    def _short(self, replan: Replan) -> str:
        """Say which budget forbids a question, with what those set aside who are at work and who think already."""
        rows = self.replanning.store.tasks
        others = [goal for id, goal in self._thinking.items() if id != replan.id]
        in_goal, in_run = (
            sum(counts[state] for state in AT_WORK) for counts in (rows.counts(replan.goal), rows.counts())
        )
        return self.short(replan.goal, in_goal + others.count(replan.goal), in_run + len(others))

    def _think(self, replan: Replan, task: Task, whole: PlannedTask, told: str) -> None:
        try:
            parts = self.splitter(task, lambda: self._short(replan)).split(whole, told)
        except Exception as error:  # a bug of ours leaves the task to a person, not the goal open for ever
            from agent_orchestrator.planning.splitting import Parts

            parts = Parts(notice=f"{type(error).__name__}: {error}")
        self._thought.put((replan, parts))

    def _take_thoughts(self) -> None:
        while True:
            try:
                replan, parts = self._thought.get_nowait()
            except Empty:
                return
            self._thinking = {id: goal for id, goal in self._thinking.items() if id != replan.id}
            if self.replanning.store.replans.get(replan.id).state is State.DUE:  # nobody decided meanwhile
                self._tell(self.replanning.thought(replan, parts))

    def _tell(self, replan: Replan) -> None:
        task = self.replanning.store.tasks.get(replan.task)
        what = "the report of" if replan.kind is Kind.MORE else "the split of"
        count = f"{len(replan.tasks)} task{'s' if len(replan.tasks) != 1 else ''}"
        match replan.state:
            case State.APPLIED:
                self.log(f"the plan of goal {replan.goal} is changed: {what} {task.key} adds {count}")
            case State.WAITING:
                self.log(
                    f"needs you: {what} {task.key} would add {count}, {replan.reason}; "
                    f"look: orchestrate plan-continue {replan.goal}"
                )
            case State.DECLINED:
                why = replan.reason.removeprefix("it was not split: ")
                self.log(f"{what} {task.key} changes nothing: {why}")
            case _:
                pass
