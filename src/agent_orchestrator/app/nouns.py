"""A project's nouns: where it lies, what is set, what is remembered of it, and who could work on it.

Each is made when it is first asked for, and asking for one plans nothing, runs nothing and touches no repository.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from agent_orchestrator import places
from agent_orchestrator.domain.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from agent_orchestrator.domain.redaction import Redactor
    from agent_orchestrator.notifiers import Notifier
    from agent_orchestrator.planning.profile import Languages, Profile
    from agent_orchestrator.planning.roster import Roster
    from agent_orchestrator.providers import Provider
    from agent_orchestrator.runtime.lineup import Lineup
    from agent_orchestrator.services.agents import Agents
    from agent_orchestrator.services.anchors import Anchors
    from agent_orchestrator.services.budget import Budgets
    from agent_orchestrator.services.context import ContextManager
    from agent_orchestrator.services.events import Events
    from agent_orchestrator.services.goals import Goals
    from agent_orchestrator.services.holds import Holds
    from agent_orchestrator.services.messages import Messages
    from agent_orchestrator.services.plans import Plans
    from agent_orchestrator.services.replanning import Replanning
    from agent_orchestrator.services.reports import Reports
    from agent_orchestrator.services.running_plans import RunningPlans
    from agent_orchestrator.services.supervision import Supervision
    from agent_orchestrator.services.tasks import TaskQueue
    from agent_orchestrator.settings import Settings
    from agent_orchestrator.stores import Store


class Nouns:
    """What can be asked of one project: ``app.<noun>.<verb>()``."""

    def __init__(
        self,
        folder: str,
        environ: Mapping[str, str],
        flags: Mapping[str, object],
        *,
        create: bool,
        clock: Clock,
        attempt: str | None = None,
    ) -> None:
        """Hold what everything else is made from; use :func:`build`."""
        self._folder = folder
        self.attempt = attempt
        """The attempt from whose checkout we are called; None when it is none: then a person or a program calls."""
        self.environ = environ
        self._flags = flags
        self.clock = clock
        self._create = create

    @cached_property
    def folder(self) -> "Path":
        """The project's folder, absolute."""
        from pathlib import Path

        return Path(self._folder)

    @cached_property
    def settings(self) -> "Settings":
        """The settings that hold here. Raises BadInput for a value that a setting cannot have."""
        from agent_orchestrator.settings import load

        return load(self.folder, self.environ, self._flags)

    @cached_property
    def home(self) -> "Path":
        """The user's home folder."""
        from pathlib import Path

        return Path(self.environ.get("HOME") or Path.home())

    @cached_property
    def database(self) -> "Path":
        """The project's database file."""
        return places.database_path(self.folder, self.environ)

    @cached_property
    def state(self) -> "Path":
        """The project's folder in the state directory: checkouts, transcripts, locks."""
        return places.project_state(self.folder, self.environ)

    @cached_property
    def store(self) -> "Store":
        """What is remembered."""
        from agent_orchestrator.stores.sqlite import SqliteStore

        # By a function of its own: looking at a project needs no secrets and loads nothing for them.
        database = places.database_at(self._folder, self.environ)
        return SqliteStore(database, create=self._create, redact=lambda text: self.redact(text))

    @cached_property
    def redact(self) -> "Redactor":
        """Takes secrets out of text: the values of this environment's keys, and what looks like a key."""
        from agent_orchestrator.domain.redaction import Redactor

        return Redactor(self.environ)

    @cached_property
    def notifier(self) -> "Notifier":
        """The project's bell."""
        from agent_orchestrator.notifiers.fifo import FifoNotifier

        return FifoNotifier(self.state / "bell")

    @cached_property
    def events(self) -> "Events":
        """The append-only log of what happened."""
        from agent_orchestrator.services.events import Events

        return Events(self.store, self.clock)

    @property
    def anchors(self) -> "Anchors":
        """Where the chain of events ended, kept outside the database."""
        from agent_orchestrator.services.anchors import Anchors

        return Anchors(self.store, self.state)

    @cached_property
    def goals(self) -> "Goals":
        """The goals: accepted into the queue, open, over."""
        from agent_orchestrator.services.goals import Goals

        return Goals(self.store, self.clock, self.events, self.notifier)

    @cached_property
    def plans(self) -> "Plans":
        """Plans before they are accepted."""
        from agent_orchestrator.services.plans import Plans

        return Plans(self.store, self.clock, self.events, self.goals)

    @cached_property
    def tasks(self) -> "TaskQueue":
        """The queue: tasks are claimed from it, and their results taken back."""
        from agent_orchestrator.services.retries import Retries
        from agent_orchestrator.services.tasks import TaskQueue

        pause = timedelta(seconds=self.settings.retry_seconds)
        retries = Retries(
            store=self.store,
            budgets=self.budgets,
            # Looked for when a failure asks: most verbs of the queue need no providers.
            tier_above=lambda provider, tier: self.lineup.tier_above(provider, tier),
        )
        return TaskQueue(self.store, self.clock, self.events, self.notifier, pause, retries, self.replanning)

    @cached_property
    def replanning(self) -> "Replanning":
        """Changes of plans that are worked on."""
        from agent_orchestrator.services.replanning import Replanning

        return Replanning(
            store=self.store,
            clock=self.clock,
            events=self.events,
            plans=lambda: self.running_plans,
            policy=self.settings.replan,
            limit=self.settings.replan_tasks,
        )

    @cached_property
    def running_plans(self) -> "RunningPlans":
        """The plans of goals in the queue."""
        from agent_orchestrator.services.running_plans import RunningPlans

        return RunningPlans(
            store=self.store,
            clock=self.clock,
            events=self.events,
            goals=self.goals,
            notifier=self.notifier,
            roster=lambda: self.roster,
        )

    @cached_property
    def agents(self) -> "Agents":
        """The agents at work, and the wish that one stops."""
        from agent_orchestrator.services.agents import Agents

        return Agents(self.store, self.clock, self.events, self.notifier)

    @cached_property
    def messages(self) -> "Messages":
        """Messages between the user and agents, and among agents."""
        from agent_orchestrator.services.messages import Messages

        return Messages(self.store, self.clock, self.events)

    @cached_property
    def holds(self) -> "Holds":
        """Providers that wait."""
        from agent_orchestrator.services.holds import Holds

        default = timedelta(minutes=self.settings.hold_minutes)
        return Holds(self.store, self.clock, self.events, self.notifier, default)

    @cached_property
    def budgets(self) -> "Budgets":
        """What was spent, and whether one more agent may start."""
        from agent_orchestrator.services.budget import Budgets

        return Budgets(self.store, self.clock, self.events, self.notifier)

    @cached_property
    def context(self) -> "ContextManager":
        """What agents are told and what they leave for each other."""
        from agent_orchestrator.services.context import ContextManager

        return ContextManager(self.store, self.clock, self.events, self.state, report=self.replanning.report)

    @cached_property
    def reports(self) -> "Reports":
        """One snapshot of everything, which all views are drawn from."""
        from agent_orchestrator.services.reports import Reports

        return Reports(self.store, self.clock, self._folder, places.database_at(self._folder, self.environ))

    @cached_property
    def supervision(self) -> "Supervision":
        """The running supervisor, seen from outside."""
        from agent_orchestrator.services.supervision import Supervision

        return Supervision(self.store, self.events, self.notifier)

    @cached_property
    def roster(self) -> "Roster":
        """The specialists: built in, the project's and the user's."""
        from pathlib import Path

        from agent_orchestrator.planning.roster import Roster

        claude = Path(self.environ.get("CLAUDE_CONFIG_DIR") or self.home / ".claude")
        return Roster(project=self.folder, user=places.config_home(self.environ), claude=claude)

    @cached_property
    def profile(self) -> "Profile":
        """What the project is: languages, layout, test command."""
        from agent_orchestrator.planning.profile import profile

        return profile(self.folder)

    @cached_property
    def languages(self) -> "Languages":
        """What the project's files are written in, at a glance: the profile has the same, and much that takes time."""
        from agent_orchestrator.planning.profile import languages

        return languages(self.folder)

    @cached_property
    def providers(self) -> "dict[str, Provider]":
        """Every provider that this version knows, by name."""
        from agent_orchestrator.providers.all import providers

        return providers(
            clock=self.clock,
            environ=self.environ,
            home=self.home,
            root=os.geteuid() == 0,
            claude_uses_key=self.settings.claude_uses_key,
            codex_model=self.settings.codex_model,
            opencode_model=self.settings.opencode_model,
            generic_command=self.settings.generic_command,
            demo_pace=self.settings.demo_pace,
            own_prices=self.settings.own_prices(),
        )

    @cached_property
    def lineup(self) -> "Lineup":
        """Which providers can work and plan here, by which models, and who pays them."""
        from agent_orchestrator.providers.all import AUTO
        from agent_orchestrator.providers.api import KEY
        from agent_orchestrator.runtime.lineup import Lineup

        return Lineup(
            providers=self.providers,
            environ=self.environ,
            home=self.home,
            settings=self.settings,
            auto=AUTO,
            keys={"api": KEY},
        )
