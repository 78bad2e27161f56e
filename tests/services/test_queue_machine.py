"""The queue against a model of it that knows nothing of databases: whatever is done in whatever order.

The model keeps for each task what a person would write on a board. After every
step the store must say the same, and what came too late must have changed
nothing.
"""

import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.attempt import FREE, Attempt, Outcome
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import RefusedByState, StaleLease
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.domain.task import HELD, TaskState, Verdict
from steps import accept, planned

STEPS = {TaskState.CLAIMED: "started", TaskState.RUNNING: "handed_in", TaskState.VERIFYING: "landing"}
"""What an attempt does next from each state on its way to the end."""


FEW = 4
"""Tasks on the board beyond which no goal is added."""


@dataclass
class Card:
    """One task on the board."""

    needs: tuple[TaskId, ...]
    state: TaskState
    holder: Attempt | None = None
    charged: int = 0
    paused: bool = False
    cancel_wished: bool = False
    landed: int = 0


class Queue(RuleBasedStateMachine):
    attempts: Bundle[Attempt] = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = HandClock()
        self.app = self.opened()
        self.board: dict[TaskId, Card] = {}
        self.tokens = [0]

    def opened(self) -> App:
        home = Path(self.folder.name)
        (home / "project").mkdir(exist_ok=True)
        return build(home / "project", environ={"HOME": str(home), "PATH": ""}, clock=self.clock)

    def teardown(self) -> None:
        self.app.store.close()
        self.folder.cleanup()

    # What people and agents do

    @precondition(lambda self: len(self.board) < FEW)  # few tasks, so that much happens to each
    @rule(shape=st.lists(st.sets(st.integers(0, 3), max_size=2), min_size=2, max_size=4))
    def submit(self, shape: list[set[int]]) -> None:
        tasks = [planned(f"t{n}", *(f"t{need}" for need in needs if need < n)) for n, needs in enumerate(shape)]
        _, added = accept(self.app, *tasks)
        for task in tasks:
            needs = tuple(added[need].id for need in task.depends_on)
            self.board[added[task.id].id] = Card(needs, TaskState.BLOCKED if needs else TaskState.READY)

    @rule(target=attempts)
    def claim(self) -> object:
        claimed = self.app.tasks.claim("claude", run_dir=lambda task, number: Path(f"/runs/{task.id}.{number}"))
        ready = {id for id, card in self.board.items() if card.state is TaskState.READY}
        if claimed is None:
            assert not ready, "a task that may start was not handed out"
            return multiple()
        task, attempt = claimed
        assert task.id in ready, "a task was handed out that may not start"
        assert attempt.token > self.tokens[-1], "a token was drawn twice, or out of order"
        self.tokens.append(attempt.token)
        card = self.board[task.id]
        card.state, card.holder = TaskState.CLAIMED, attempt
        return attempt

    @rule(attempt=attempts)
    def go_on(self, attempt: Attempt) -> None:
        """Take the attempt one step further, whoever holds its task now."""
        card = self.board[attempt.task]
        mine = card.holder == attempt
        if mine and card.state is TaskState.LANDING:
            self.app.tasks.finished(attempt, verdict=Verdict.VERIFIED, commit="abc", evidence=Evidence())
            self.finish(attempt.task)
        elif mine:
            step = STEPS[card.state]
            getattr(self.app.tasks, step)(attempt, *([Evidence()] if step == "landing" else []))
            card.state = {"started": TaskState.RUNNING, "handed_in": TaskState.VERIFYING}.get(step, TaskState.LANDING)
        else:
            self.too_late(attempt)

    def too_late(self, attempt: Attempt) -> None:
        for write in (
            lambda: self.app.tasks.started(attempt),
            lambda: self.app.tasks.handed_in(attempt),
            lambda: self.app.tasks.landing(attempt, Evidence()),
            lambda: self.app.tasks.finished(attempt, verdict=Verdict.VERIFIED, commit="late", evidence=Evidence()),
            lambda: self.app.tasks.ended(attempt, outcome=Outcome.FAILED, reason="late"),
        ):
            with pytest.raises(StaleLease):
                write()

    def finish(self, id: TaskId) -> None:
        card = self.board[id]
        card.state, card.holder, card.landed = TaskState.DONE, None, card.landed + 1
        for other in self.board.values():
            if id in other.needs and other.state is TaskState.BLOCKED and self.is_free(other):
                other.state = TaskState.READY

    def is_free(self, card: Card) -> bool:
        return not card.paused and all(self.board[need].state is TaskState.DONE for need in card.needs)

    @rule(attempt=attempts, outcome=st.sampled_from([o for o in Outcome if o is not Outcome.SUCCEEDED]))
    def fail(self, attempt: Attempt, outcome: Outcome) -> None:
        card = self.board[attempt.task]
        if card.holder != attempt:
            self.too_late(attempt)
            return
        self.app.tasks.ended(replace(attempt, feedback="it failed"), outcome=outcome, reason="it failed")
        card.holder = None
        card.charged += outcome not in FREE
        if card.cancel_wished:
            card.state, card.cancel_wished = TaskState.CANCELLED, False
        elif card.charged >= 3:
            card.state = TaskState.FAILED
        elif outcome in FREE:
            card.state = TaskState.READY
        else:
            card.state, card.paused = TaskState.BLOCKED, True

    @precondition(lambda self: self.board)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(list(self.board)))
        card = self.board[id]
        if card.state in {TaskState.DONE, TaskState.CANCELLED}:
            with pytest.raises(RefusedByState):
                self.app.tasks.cancel(id)
            return
        self.app.tasks.cancel(id)
        if card.state in HELD:
            card.cancel_wished = True
        else:
            card.state, card.paused = TaskState.CANCELLED, False

    @precondition(lambda self: self.board)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(list(self.board)))
        card = self.board[id]
        if card.state not in {TaskState.FAILED, TaskState.CANCELLED} and not card.paused:
            with pytest.raises(RefusedByState):
                self.app.tasks.retry(id)
            return
        self.app.tasks.retry(id, comment="try the other way")
        card.paused, card.charged, card.cancel_wished = False, 0, False
        card.state = TaskState.READY if self.is_free(card) else TaskState.BLOCKED

    @rule()
    def time_passes(self) -> None:
        self.clock.advance(timedelta(minutes=11))
        self.app.tasks.release_due()
        for card in self.board.values():
            if card.paused:
                card.paused = False
                card.state = TaskState.READY if self.is_free(card) else TaskState.BLOCKED

    @rule()
    def the_process_dies(self) -> None:
        """Only what was acknowledged is there afterwards, and all of it."""
        self.app.store.close()
        self.app = self.opened()

    # What must be true at any moment

    @invariant()
    def the_store_says_what_the_board_says(self) -> None:
        for id, card in self.board.items():
            task = self.app.store.tasks.get(id)
            assert (task.state, task.attempts, task.cancel_wished) == (card.state, card.charged, card.cancel_wished)
            assert task.unmet == sum(self.board[need].state is not TaskState.DONE for need in card.needs)
            assert task.holder == (card.holder.agent if card.holder else None)
            assert card.landed <= 1

    @invariant()
    def the_totals_are_the_sums(self) -> None:
        counts = self.app.store.tasks.counts()
        assert {state: count for state, count in counts.items() if count} == {
            state: number for state in TaskState if (number := sum(card.state is state for card in self.board.values()))
        }


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
