"""Questions to planners about tasks that are worked on: refused where a budget is used up, counted where it is not.

What a question used is written into the log, from where everything that adds up what a goal or a run spent reads it:
money that went to a planner in the middle of the night is spent like an agent's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import NotReady, OrchestratorError, RefusedByState
from agent_orchestrator.domain.replan import Kind, Replan, State
from agent_orchestrator.domain.task import Task
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

Tell = Callable[[Usage], None]
"""Is told once what a question used, also when no answer came of it."""
Ask = Callable[[str, Mapping[str, object], Tell], str]
"""Ask a model: the prompt, the JSON Schema of the answer, and who is told what it used; to the answer's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Asks planners on account of a goal."""

    store: Store
    clock: Clock
    events: Events

    def counted(
        self, task: Task, planner: str, ask: Ask, short: Callable[[], str]
    ) -> Callable[[str, Mapping[str, object]], str]:
        """Return *ask* so that each question is on account of *task*: its goal's, and that of the run that asks.

        *short* says in words which ceiling forbids one more question, and nothing when none does. It is asked before
        every single one: a second try may meet another budget than the first. What is returned raises RefusedByState
        then, and whatever *ask* raises. It may be called in any thread.
        """

        def complete(prompt: str, schema: Mapping[str, object]) -> str:
            if why := short():
                raise RefusedByState(f"not asked: {why}")
            began: float | None = self.clock.monotonic()
            used, trouble = Usage(), ""

            def tell(usage: Usage) -> None:
                nonlocal used
                used = usage

            try:
                return ask(prompt, schema, tell)
            except NotReady:
                began = None  # nobody was asked
                raise
            except OrchestratorError as error:
                trouble = error.message
                raise
            finally:
                if began is not None:
                    self._count(task, planner, used, self.clock.monotonic() - began, trouble)

        return complete

    def _count(self, task: Task, planner: str, used: Usage, seconds: float, trouble: str) -> None:
        with self.store.transaction():
            if not self.store.replans.of_task(task.id):  # by hand: sums look only at tasks that were to be divided
                by_hand = Replan(
                    goal=task.goal, task=task.id, kind=Kind.SPLIT, state=State.DECLINED, why="you asked for parts",
                    reason="asked by hand", by="user", at=self.clock.now(),
                )  # fmt: skip
                self.store.replans.put(by_hand)
            self.events.record(
                "replan.asked", task=task, planner=planner, seconds=round(seconds, 1), trouble=trouble or None,
                **used._asdict(),
            )  # fmt: skip
