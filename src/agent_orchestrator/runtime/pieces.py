"""What one run is built from: what the app hands to its supervisor, and the watchers made of that."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.redaction import Redactor
from agent_orchestrator.domain.task import Task
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.providers import Provider
from agent_orchestrator.runtime.checkpointing import Checkpointing
from agent_orchestrator.runtime.happenings import Happening
from agent_orchestrator.runtime.landing import Landing
from agent_orchestrator.runtime.leadership import Leader
from agent_orchestrator.runtime.merge_queue import MergeQueue
from agent_orchestrator.runtime.open_goals import OpenGoals
from agent_orchestrator.runtime.provider_watch import ProviderWatch
from agent_orchestrator.runtime.replanner import Replanner
from agent_orchestrator.runtime.room import Room
from agent_orchestrator.runtime.run_options import RunOptions
from agent_orchestrator.runtime.spawner import AgentSpawner
from agent_orchestrator.runtime.spending import Spending
from agent_orchestrator.runtime.tidying import Tidying
from agent_orchestrator.runtime.vigil import Vigil
from agent_orchestrator.services.anchors import Anchors
from agent_orchestrator.services.budget import Budgets
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.goals import Goals
from agent_orchestrator.services.holds import Holds
from agent_orchestrator.services.replanning import Replanning
from agent_orchestrator.services.tasks import TaskQueue
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Checkpoints

if TYPE_CHECKING:
    from agent_orchestrator.planning.splitting import Splitter  # a fifth of our start; most runs divide nothing

Log = Callable[[str], None]
"""Takes one plain line for a person."""
Post = Callable[[Happening], None]
"""Takes what happened to the supervisor's inbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """What a supervisor is built from."""

    store: Store
    clock: Clock
    events: Events
    goals: Goals
    queue: TaskQueue
    holds: Holds
    budgets: Budgets
    attempt_budget: Budget | None
    """What each attempt may use."""
    notifier: Notifier
    spawner: AgentSpawner
    landing: Landing
    abandon_checks: threading.Event
    """Set when running checks are to be ended at once; their tasks are verified by the next run."""
    leader: Leader
    providers: dict[str, Provider]
    available: frozenset[str]
    """Providers that are installed, for tasks that insist on one."""
    state: Path
    """The project's folder in the state directory."""
    saves: Checkpoints
    checkpoint_every_s: float
    """Seconds between two checkpoints of a running attempt's work; 0 takes one as it ends."""
    replanning: Replanning
    splitter: "Callable[[Task, Callable[[], str]], Splitter]"
    """Returns who divides a task that failed; asks no model while what it is given says which budget forbids that."""
    vigil: Vigil
    room: Room
    tidying: Tidying
    anchors: Anchors
    redact: Redactor

    def spending(self, options: RunOptions, log: Log) -> Spending:
        """Return what watches the run's budgets."""
        return Spending(
            budgets=self.budgets,
            run=options.budget,
            each_attempt=self.attempt_budget,
            began=options.began or self.clock.now(),
            clock=self.clock,
            log=log,
        )

    def replanner(self, spending: Spending, log: Log) -> Replanner:
        """Return what changes plans during the run, as far as *spending* allows."""
        return Replanner(
            replanning=self.replanning,
            splitter=self.splitter,
            short=spending.short,
            exhausted=lambda goal: bool(self.budgets.exhausted((goal,), {}, self.attempt_budget)),
            log=log,
        )

    def checkpointing(self, log: Log) -> Checkpointing:
        """Return what keeps the work of running attempts."""
        return Checkpointing(
            workspaces=self.spawner.workspaces,
            saves=self.saves,
            store=self.store,
            events=self.events,
            clock=self.clock,
            every_s=self.checkpoint_every_s,
            log=log,
        )

    def merge_queue(self, post: Post, log: Log) -> MergeQueue:
        """Return what takes in the work of ended attempts, lands and delivers it."""
        return MergeQueue(
            store=self.store,
            queue=self.queue,
            events=self.events,
            landing=self.landing,
            spawner=self.spawner,
            providers=self.providers,
            room=self.room,
            post=post,
            log=log,
        )

    def provider_watch(self, options: RunOptions, log: Log) -> ProviderWatch:
        """Return what takes note of how the run's providers do."""
        return ProviderWatch(options=options, store=self.store, holds=self.holds, events=self.events, log=log)

    def open_goals(
        self, options: RunOptions, merge_queue: MergeQueue, threads: Executor, post: Post, log: Log
    ) -> OpenGoals:
        """Return what opens the run's goals, in *threads*, and ends them."""
        return OpenGoals(
            goals=self.goals,
            store=self.store,
            clock=self.clock,
            workspaces=self.spawner.workspaces,
            merge_queue=merge_queue,
            threads=threads,
            options=options,
            is_demo=any(self.providers[name].is_demo for name in options.providers),
            post=post,
            log=log,
        )
