"""What a run is put together from: its supervisor, how agents are started, how work is checked and landed."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_orchestrator import places
from agent_orchestrator.domain.budget import parse_budget
from agent_orchestrator.domain.specialist import GENERALIST
from agent_orchestrator.runtime.environment import allowed
from agent_orchestrator.runtime.landing import Landing
from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.verification import Verification
from agent_orchestrator.workspaces import Confined, Setup

if TYPE_CHECKING:
    from agent_orchestrator.app import App
    from agent_orchestrator.domain.goal import Goal
    from agent_orchestrator.domain.task import Task
    from agent_orchestrator.runtime.leadership import Leader
    from agent_orchestrator.runtime.nursery import Nursery
    from agent_orchestrator.runtime.room import Room
    from agent_orchestrator.runtime.run_options import Outlook, RunOptions
    from agent_orchestrator.runtime.spawner import AgentSpawner
    from agent_orchestrator.runtime.supervisor import Supervisor
    from agent_orchestrator.runtime.tidying import Tidying


class Assembly:
    """Puts together the parts of a run in one project."""

    def __init__(self, app: "App") -> None:
        """Take from *app* what the parts share; nothing is made before it is asked for."""
        self.app = app

    def options(self, **more: Any) -> "RunOptions":
        """Return what a run is asked for: the settings, and *more* of the fields of RunOptions. Raises NotReady."""
        from agent_orchestrator.runtime.run_options import RunOptions

        app = self.app
        return RunOptions(
            **{
                "providers": app.run_providers(),
                "unusable": {name: error.message for name, error in app.lineup.unusable().items()},
                "max_agents": app.settings.max_agents,
                **more,
            }
        )

    def supervise(self, options: "RunOptions", *, log: Callable[[str], None]) -> "Outlook":
        """Lead one run to its end, through every time in which the disk is full.

        Raises:
            AlreadyRunning: another supervisor does.
        """
        from agent_orchestrator.runtime.room import run_while_there_is_room

        leader = self.leader()
        return run_while_there_is_room(
            lambda options: self.supervisor(options, log=log, leader=leader),
            options,
            leader=leader,
            room=self.room(),
            store=self.app.store,
            events=self.app.events,
            clock=self.app.clock,
            log=log,
        )

    def supervisor(
        self, options: "RunOptions", *, log: Callable[[str], None], leader: "Leader | None" = None
    ) -> "Supervisor":
        """Return a supervisor for one run, which leads by *leader* or else by one of its own."""
        from agent_orchestrator.runtime.nursery import Nursery
        from agent_orchestrator.runtime.pieces import Pieces
        from agent_orchestrator.runtime.supervisor import Supervisor
        from agent_orchestrator.runtime.vigil import vigil

        app = self.app
        places.remember_project(app.state, app.folder, app.database)
        abandon_checks = threading.Event()
        nursery = Nursery()
        pieces = Pieces(
            store=app.store,
            clock=app.clock,
            events=app.events,
            goals=app.goals,
            queue=app.tasks,
            holds=app.holds,
            budgets=app.budgets,
            attempt_budget=parse_budget(app.settings.attempt_budget) if app.settings.attempt_budget else None,
            notifier=app.notifier,
            spawner=self.spawner(nursery),
            landing=self.landing(abandon_checks.is_set, partial(Process.start, nursery=nursery)),
            abandon_checks=abandon_checks,
            leader=leader or self.leader(),
            providers=app.providers,
            available=app.lineup.available,
            state=app.state,
            saves=app.saves,
            checkpoint_every_s=app.settings.checkpoint_seconds,
            replanning=app.replanning,
            splitter=app.splitter,
            vigil=vigil(
                app.settings,
                store=app.store,
                clock=app.clock,
                events=app.events,
                folder=app.folder,
                environ=app.environ,
                log=log,
            ),
            room=self.room(),
            tidying=self.tidying(log),
            anchors=app.anchors,
            redact=app.redact,
        )
        return Supervisor(pieces, options, log=log)

    def leader(self) -> "Leader":
        """Return a candidate for leading the project; one at a time can."""
        from agent_orchestrator.runtime.leadership import Leader

        return Leader(self.app.store, self.app.clock, self.app.state / "supervisor.lock")

    def room(self) -> "Room":
        """Return the gauge of the disks that a run writes to."""
        from agent_orchestrator.runtime.room import Room

        return Room(folders=(self.app.state, self.app.folder))

    def tidying(self, log: Callable[[str], None]) -> "Tidying":
        """Return what cleans up beside a run, unless the settings say that nothing does."""
        from agent_orchestrator.runtime.tidying import Tidying

        app = self.app
        housekeeping = (lambda: app.housekeeping) if app.settings.auto_cleanup else None
        return Tidying(housekeeping, store=app.store, events=app.events, log=log)

    def spawner(self, nursery: "Nursery") -> "AgentSpawner":
        """Return what makes attempts ready and starts their agents, through *nursery*."""
        from agent_orchestrator.runtime.clis import Remembered
        from agent_orchestrator.runtime.launcher import write_launcher
        from agent_orchestrator.runtime.spawner import AgentSpawner

        app, settings = self.app, self.app.settings

        def check_text(task: "Task", goal: "Goal") -> str | None:
            check = app.check_for(task, goal)
            return check.command if check else None

        return AgentSpawner(
            store=app.store,
            context=app.context,
            workspaces=app.workspaces,
            providers=app.providers,
            installed=Remembered(app.environ).require,
            specialist=app.roster.find,
            generalist=lambda: app.roster.get(GENERALIST),
            check_for=check_text,
            environ=app.environ,
            pass_env=settings.pass_env,
            setup=self._setup(),
            limits=Limits(
                wall_s=settings.attempt_minutes * 60,
                silence_s=settings.silence_minutes * 60,
                grace_s=settings.stop_seconds,
                memory_bytes=settings.memory_mb * 1_000_000 or None,
            ),
            lock=app.state / "supervisor.lock",
            cli=write_launcher(app.state, app.folder, app.environ),
            sandbox=app.sandbox,
            trust=app.trust,
            nursery=nursery,
            shared_files=self._shared_files,
            models=app.lineup.chosen_models,
            tier_models=app.lineup.tier_models,
        )

    def landing(self, stop_wished: Callable[[], bool], start: Callable[[Spawn], Process]) -> Landing:
        """Return what lands, delivers and undoes; *start* starts checks, and *stop_wished* ends them early."""
        return Landing(
            store=self.app.store,
            queue=self.app.tasks,
            context=self.app.context,
            workspaces=self.app.workspaces,
            verification=self._verification(stop_wished, start),
            check_for=self.app.check_for,
        )

    def _verification(self, stop_wished: Callable[[], bool], start: Callable[[Spawn], Process]) -> Verification:
        workspaces, settings = self.app.workspaces, self.app.settings
        inherited = self._inherited()
        return Verification(
            clock=self.app.clock,
            folder=self.app.state / "checks",
            environment=inherited,
            checkouts=partial(workspaces.checked_out, setup=self._setup()),
            check_environment=lambda checkout: workspaces.check_environment(checkout, inherited),
            tree_of=workspaces.tree,
            confine=self._confined_check,
            redact=self.app.redact,
            limit_s=settings.check_minutes * 60,
            start=start,
            stop_wished=stop_wished,
            has_room=self.room().is_back,
        )

    def _inherited(self) -> dict[str, str]:
        inherited = allowed(self.app.environ, self.app.settings.pass_env)
        for name in ("VIRTUAL_ENV", "PYTHONHOME"):  # whose they are is decided per checkout
            inherited.pop(name, None)
        return inherited

    def check_environment(self) -> dict[str, str]:
        """Return what checks find in their environment in the project's own folder."""
        inherited = self._inherited()
        return {**inherited, **self.app.workspaces.check_environment(self.app.folder, inherited)}

    def _setup(self) -> Setup:
        settings = self.app.settings
        return Setup(
            command=settings.setup,
            copy=settings.copy,
            environment=allowed(self.app.environ, settings.pass_env),
            sandbox=self.app.sandbox if settings.setup else None,
        )

    def _confined_check(self, argv: tuple[str, ...], folder: Path) -> Confined:
        """Put a check into the sandbox: it writes to the checkout that it is in, whose top may lie above *folder*."""
        top = self.app.state.resolve() / "checks" / "files"
        return self.app.sandbox.around(argv, write=(top if folder.is_relative_to(top) else folder,))

    def _shared_files(self) -> tuple[Path, ...]:
        """Return what agents write to when they call ``orchestrate``: queue and artifacts are shared with them."""
        artifacts = self.app.state / "artifacts"
        artifacts.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = self.app.database
        files = [database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm")]
        return (*files, artifacts, self.app.state / "bell")
