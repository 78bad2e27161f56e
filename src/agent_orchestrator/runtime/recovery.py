"""After a crash: take over what an earlier supervisor left.

Attempts are what the database calls open and files prove: an exit record, a
living minder, or a minder that is gone with nothing left of its tree.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.task import TaskState
from agent_orchestrator.providers import Provider
from agent_orchestrator.runtime.process import Process
from agent_orchestrator.runtime.run_dir import State, state
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.tasks import TaskQueue
from agent_orchestrator.stores import Store

STARTING_S = 10.0
"""Seconds a minder of an earlier supervisor may take from its lock to its first record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What is done before a run starts anything."""

    store: Store
    clock: Clock
    events: Events
    queue: TaskQueue
    providers: dict[str, Provider]
    give_back: Callable[[Attempt, Outcome, str], None]
    follow: Callable[[Attempt, Process | None], None]
    """Takes an attempt whose process goes on, or None where it has ended and is to be judged.

    What a vanished minder left behind is ended there too, by the merge queue, before anything of the attempt is saved
    and its task is freed: a look at every process of the machine must not keep the whole run from starting.
    """
    settle_again: Callable[[Attempt], None]
    """Takes an attempt whose work was being verified or landed."""
    log: Callable[[str], None]

    def recover(self) -> None:
        """Adopt the living, judge the ended, give back the rest.

        Only proof frees a task: an exit record, or a minder that is gone with nothing
        left of its tree.
        """
        for attempt in self.store.attempts.open():
            task = self.store.tasks.get(attempt.task)
            if task.token != attempt.token:
                self._forget(attempt)
            elif attempt.provider not in self.providers:
                self._let_go(attempt)
            elif task.state in {TaskState.VERIFYING, TaskState.LANDING}:
                self.settle_again(attempt)
            else:
                self._take_over(attempt)

    def _take_over(self, attempt: Attempt) -> None:
        run_dir = Path(attempt.run_dir)
        found = _settled_state(run_dir)
        if found is State.NEVER_STARTED:
            self.give_back(attempt, Outcome.CANCELLED, "it was never started: the supervisor died before")
            return
        process = Process.adopt(run_dir)
        if self.store.tasks.get(attempt.task).state is TaskState.CLAIMED:
            self.queue.started(attempt)
        self.follow(attempt, process)
        self.log(f"{attempt.agent} ({attempt.task}) is taken over: {'it goes on' if process else 'it has ended'}")

    def _let_go(self, attempt: Attempt) -> None:
        """End an attempt whose provider is not configured any more: nobody can read what it prints."""
        process = Process.adopt(Path(attempt.run_dir))
        if process is not None:
            process.stop()
            process.close()
        self.give_back(attempt, Outcome.CANCELLED, f"the provider {attempt.provider} is not configured any more")

    def _forget(self, attempt: Attempt) -> None:
        """Close an attempt whose task somebody else holds; its process, if any, is told to end."""
        process = Process.adopt(Path(attempt.run_dir))
        if process is not None:
            process.stop()
            process.close()
        with self.store.transaction():
            now = self.clock.now()
            ended = replace(attempt, outcome=Outcome.FENCED, reason="its task was given to another", ended_at=now)
            self.store.attempts.save(ended)
            self.events.record("attempt.fenced", attempt=ended)


def _settled_state(run_dir: Path) -> State:
    """Return what is proven about an attempt, waiting out the moment in which its minder is only just starting."""
    patience = time.monotonic() + STARTING_S
    found = state(run_dir)
    while found is State.STARTING and time.monotonic() < patience:
        time.sleep(0.02)
        found = state(run_dir)
    return found
