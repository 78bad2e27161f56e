"""The wiring: this folder alone names concrete classes.

``App`` has every noun of a project; how plans are made is wired in ``planning.py``, what a run is put together from in
``assembly.py``. Everything is made when it is first asked for, so that a command pays for what it uses: ``status``
opens the store and nothing else.
"""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agent_orchestrator import places
from agent_orchestrator.domain.clock import Clock, SystemClock
from agent_orchestrator.domain.errors import NothingToDo, NotReady

if TYPE_CHECKING:
    from pathlib import Path

    from agent_orchestrator.app.assembly import Assembly
    from agent_orchestrator.domain.goal import Goal
    from agent_orchestrator.domain.ids import GoalId
    from agent_orchestrator.domain.plan import Plan
    from agent_orchestrator.domain.redaction import Redactor
    from agent_orchestrator.domain.task import Task
    from agent_orchestrator.notifiers import Notifier
    from agent_orchestrator.planning.decomposer import Complete, TaskDecomposer
    from agent_orchestrator.planning.profile import Profile
    from agent_orchestrator.planning.roster import Roster
    from agent_orchestrator.planning.splitting import Splitter
    from agent_orchestrator.providers import Provider
    from agent_orchestrator.runtime.housekeeping import Housekeeping
    from agent_orchestrator.runtime.landing import Landing
    from agent_orchestrator.runtime.leadership import Leader
    from agent_orchestrator.runtime.lineup import Lineup
    from agent_orchestrator.runtime.readiness import Readiness
    from agent_orchestrator.runtime.restoring import Restoring
    from agent_orchestrator.runtime.reverifying import Reverified
    from agent_orchestrator.runtime.reviewing import Reviewing
    from agent_orchestrator.runtime.run_options import Outlook, RunOptions
    from agent_orchestrator.runtime.running import Ran
    from agent_orchestrator.runtime.supervisor import Supervisor
    from agent_orchestrator.runtime.trust import Trust
    from agent_orchestrator.runtime.verification import CheckCommand
    from agent_orchestrator.services.agents import Agents
    from agent_orchestrator.services.anchors import Anchors
    from agent_orchestrator.services.budget import Budgets
    from agent_orchestrator.services.context import ContextManager
    from agent_orchestrator.services.events import Events
    from agent_orchestrator.services.forecasts import Forecasts
    from agent_orchestrator.services.goals import Goals
    from agent_orchestrator.services.holds import Holds
    from agent_orchestrator.services.messages import Messages
    from agent_orchestrator.services.plans import Plans
    from agent_orchestrator.services.replanning import Replanning
    from agent_orchestrator.services.reports import Reports
    from agent_orchestrator.services.running_plans import RunningPlans
    from agent_orchestrator.services.submissions import Accepted, Submissions
    from agent_orchestrator.services.supervision import Supervision
    from agent_orchestrator.services.tasks import TaskQueue
    from agent_orchestrator.settings import Settings
    from agent_orchestrator.stores import Store
    from agent_orchestrator.workspaces import Checkpoints, Project, Sandbox, Workspaces


class App:
    """One project and everything that can be asked of it: ``app.<noun>.<verb>()``."""

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
        """The log."""
        from agent_orchestrator.services.events import Events

        return Events(self.store, self.clock)

    @cached_property
    def goals(self) -> "Goals":
        """Goals."""
        from agent_orchestrator.services.goals import Goals

        return Goals(self.store, self.clock, self.events, self.notifier)

    @cached_property
    def plans(self) -> "Plans":
        """Plans before they are accepted."""
        from agent_orchestrator.services.plans import Plans

        return Plans(self.store, self.clock, self.events, self.goals)

    @cached_property
    def submissions(self) -> "Submissions":
        """How a goal gets into the queue."""
        from agent_orchestrator.services.submissions import Submissions

        return Submissions(
            goals=self.goals,
            tasks=self.tasks,
            max_attempts=self.settings.max_attempts,
            task_budget=self.settings.task_budget,
            decompose=self.decompose,
            single=lambda *words, **more: self.decomposer(None, look=False).single(*words, **more),
            providers=lambda: self.providers,
            check_provider=lambda name: self.lineup.provider(name),
            specialist=lambda name: self.roster.find(name),
        )

    @cached_property
    def tasks(self) -> "TaskQueue":
        """The queue."""
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
    def reviewing(self) -> "Reviewing":
        """What a person decides on finished work."""
        from agent_orchestrator.runtime.reviewing import Reviewing
        from agent_orchestrator.services.reviews import Reviews

        return Reviewing(
            store=self.store,
            reviews=Reviews(self.store, self.clock, self.events, self.notifier),
            queue=self.tasks,
            goals=self.goals,
            workspaces=lambda: self.workspaces,
        )

    @cached_property
    def agents(self) -> "Agents":
        """Agents."""
        from agent_orchestrator.services.agents import Agents

        return Agents(self.store, self.clock, self.events, self.notifier)

    @cached_property
    def messages(self) -> "Messages":
        """Messages."""
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
        """Money."""
        from agent_orchestrator.services.budget import Budgets

        return Budgets(self.store, self.clock, self.events)

    @cached_property
    def context(self) -> "ContextManager":
        """What agents are told and what they leave for each other."""
        from agent_orchestrator.services.context import ContextManager

        return ContextManager(self.store, self.clock, self.events, self.state, report=self.replanning.report)

    @cached_property
    def reports(self) -> "Reports":
        """Views of everything."""
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

    def run_providers(self) -> tuple[str, ...]:
        """Return the providers of a run, the preferred first.

        Raises:
            NotReady: none can be used, or one that a queued task insists on cannot; says what to do.
        """
        for name in self.store.tasks.providers():
            self.lineup.installed(name)
        return self.lineup.of_run()

    # Planning

    def decomposer(self, planner: str | None, *, look: bool = True) -> "TaskDecomposer":
        """Return what splits a goal, asking the model of *planner*, or the rules when it is None.

        Without *look* the project's files are not walked: one task needs no profile, and a submit must be quick.
        """
        from agent_orchestrator.app import planning

        return planning.decomposer(self, planner, look=look)

    def decompose(self, goal: str) -> "Plan":
        """Split *goal* by the first model that gives a plan, else by rules; the plan says which it was."""
        from agent_orchestrator.app import planning

        return planning.decompose(self, goal)

    def looked_over(self, plan: "Plan", *, new: bool = False) -> "Plan":
        """Return *plan* with what is doubtful about it in this project; a *new* one by rules with what it guesses too.

        A plan that somebody changed or brought gets no question: who left none open wants none.
        """
        from agent_orchestrator.app import planning

        return planning.looked_over(self, plan, new=new)

    def asking(self, planner: str) -> "Complete":
        """Return how the model of *planner* is asked. What it needs is looked for when it is asked, not before."""
        from agent_orchestrator.app import planning

        return planning.asking(self, planner)

    def splitter(self, task: "Task", short: "Callable[[], str]") -> "Splitter":
        """Return what divides *task*: the models that may plan here, the best first, else the rules.

        Each question is on the task's account, and refused while *short* says which budget forbids it. Where the
        planner of the settings is not installed, those who work here anyway are asked instead, and that is told.
        """
        from agent_orchestrator.app import planning

        return planning.splitter(self, task, short)

    @cached_property
    def forecasts(self) -> "Forecasts":
        """What a plan may take."""
        from agent_orchestrator.app import planning

        return planning.forecasts(self)

    # Running

    @cached_property
    def assembly(self) -> "Assembly":
        """What a run is put together from."""
        from agent_orchestrator.app.assembly import Assembly

        return Assembly(self)

    def project(self) -> "Project":
        """Look at the project folder now: repository, branch, uncommitted work."""
        from agent_orchestrator.workspaces.project import detect

        return detect(self.folder)

    @property
    def is_whole_home(self) -> bool:
        """Whether the project folder is the user's home folder, or all there is: nobody means that."""
        return self.folder == self.home.resolve() or self._folder == "/"

    def begin_repository(self) -> None:
        """Make the project folder a git repository with a first commit of what is in it. Only with consent.

        Raises:
            NotReady: it is the home folder or the root of the file system, whose content nobody wants committed; or a
                bare repository.
        """
        from agent_orchestrator.workspaces.project import init

        if self.is_whole_home:
            raise NotReady(f"{self.folder} is not made a repository", hint="work in a folder of the project's own")
        init(self.folder)

    @cached_property
    def readiness(self) -> "Readiness":
        """What would spoil a night, before the night."""
        from agent_orchestrator.app import upkeep

        return upkeep.readiness(self)

    @cached_property
    def housekeeping(self) -> "Housekeeping":
        """What ended work left behind."""
        from agent_orchestrator.app import upkeep

        return upkeep.housekeeping(self)

    def notice_taken_in(self) -> None:
        """Write down as delivered every waiting result that the user has taken into their branch themselves.

        Costs one query where none waits.
        """
        if self.store.goals.undelivered():
            from agent_orchestrator.app import upkeep

            upkeep.notice_taken_in(self)

    @cached_property
    def saves(self) -> "Checkpoints":
        """Checkpoints of attempts' work. Needs neither the user's repository nor a setting."""
        from agent_orchestrator.workspaces.saves import Saves

        return Saves(folder=self.folder, state=self.state)

    @cached_property
    def restoring(self) -> "Restoring":
        """The way back out of checkpoints."""
        from agent_orchestrator.app import upkeep

        return upkeep.restoring(self)

    @cached_property
    def workspaces(self) -> "Workspaces":
        """Where attempts work. Raises NotReady when the setting ``isolation`` asks for what is impossible here."""
        from agent_orchestrator.workspaces.isolation import choose

        return choose(self.settings.isolation, folder=self.folder, state=self.state)

    @cached_property
    def landing(self) -> "Landing":
        """The merge queue, delivery and undo, for a process that is no run: nothing abandons its checks."""
        from agent_orchestrator.runtime.process import Process

        return self.assembly.landing(lambda: False, Process.start)

    @cached_property
    def sandbox(self) -> "Sandbox":
        """What agents, set-up and checks are shut in here. Raises NotReady when ``strict`` cannot be had."""
        import sys
        from pathlib import Path

        from agent_orchestrator.workspaces.reach import Reach
        from agent_orchestrator.workspaces.sandbox import choose

        project = self.project()
        reach = Reach(
            home=self.home,
            environ=self.environ,
            project=project.root or self.folder,
            state=self.state,
            strict=False,
            write=self.settings.sandbox_write,
            programs=(Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[1]),
        )
        return choose(self.settings.sandbox, reach)

    @cached_property
    def trust(self) -> "Trust":
        """What of the repository's settings the user has agreed to."""
        from agent_orchestrator.runtime.trust import Trust

        return Trust(record=self.state / "trust.json")

    def check_for(self, task: "Task", goal: "Goal") -> "CheckCommand | None":
        """Return the command that judges *task*: its own, its goal's, the setting's, or the project's detected one."""
        from agent_orchestrator.runtime.verification import choose

        detected = self.profile.test
        return choose(task, goal, self.settings.verify or (detected.command if detected else None))

    # The verbs that touch several nouns at once

    def submit(self, goal: str, **more: Any) -> "Accepted":
        """Put *goal* into the queue, as one task or (``decompose=True``) split into several. Durable on return.

        *more* are the fields of :class:`~agent_orchestrator.services.submissions.Request`.

        Raises:
            BadInput, InvalidPlan, NotFound, Ambiguous, RefusedByState: it cannot be queued as it was asked for.
        """
        from agent_orchestrator.services.submissions import Request

        return self.submissions.accept(self.submissions.propose(Request(goal=goal, **more)))

    def run_options(self, **more: Any) -> "RunOptions":
        """Return what a run is asked for: the settings, and *more* of the fields of RunOptions. Raises NotReady."""
        return self.assembly.options(**more)

    def run(self, *, log: Callable[[str], None] | None = None, **more: Any) -> "Ran":
        """Work on the queue in this thread until it is done, and say how that ended.

        *more* are fields of :class:`~agent_orchestrator.runtime.run_options.RunOptions`, such as ``max_agents``,
        ``goal``, ``until``, ``budget``; *log* gets a line for everything worth telling a person. In the main thread
        SIGINT and SIGTERM stop the run gently; from elsewhere ``app.supervision.stop()`` does.

        Raises:
            NothingToDo: no goal is open, and it was not asked to ``watch``.
            NotReady: no agent is installed, or the isolation that was asked for is impossible here.
            AlreadyRunning: another supervisor serves the project.
        """
        options = self.run_options(**more)
        self.notice_taken_in()
        if not self.goals_of_run(options.goal) and not options.watch:
            raise NothingToDo("no goal is open", hint='submit one: orchestrate submit "…"')
        return self.lead(options, lambda: self.supervise(options, log=log or (lambda _: None)))

    def goals_of_run(self, only: "GoalId | None" = None) -> "list[Goal]":
        """Return the goals a run would work on. Raises NothingToDo when *only* is over already."""
        from agent_orchestrator.runtime.running import goals_of_run

        return goals_of_run(self.goals, only)

    def lead(self, options: "RunOptions", run: "Callable[[], Outlook]") -> "Ran":
        """Say how the run that *run* leads ended."""
        from agent_orchestrator.runtime.running import lead

        return lead(self.goals, self.clock, options, run)

    def cancel(self, name: str) -> "Goal | Task":
        """Cancel the task or else the goal that *name* names; what landed stays.

        Raises:
            NotFound, Ambiguous: there is no such thing, or more than one.
            RefusedByState: it is over already.
        """
        from agent_orchestrator.app import verbs

        return verbs.cancel(self, name)

    def resume(self, provider: str | None = None) -> "list[dict[str, Any]]":
        """Release *provider*, or all that are on hold, by hand; return the holds as ``status`` tells them.

        Raises:
            BadInput: there is no such provider.
            NothingToDo: it is not on hold.
        """
        from agent_orchestrator.app import verbs

        return verbs.resume(self, provider)

    def undo(self, name: str) -> "Goal":
        """Take the delivered goal that *name* names back out of the user's branch; its own branches stay.

        Raises:
            RefusedByState: it is not in the branch.
            WorkspaceProblem: their tree is not clean, or git cannot take it out; nothing was changed.
        """
        from agent_orchestrator.app import verbs

        return verbs.undo(self, name)

    def verify(self, name: str) -> "Reverified":
        """Run the checks of the landed task or else the goal that *name* names again, in a clean checkout.

        Raises:
            NotFound, Ambiguous: there is no such thing, or more than one.
            RefusedByState, NothingToDo: nothing of it is landed, or no check accepted it.
        """
        from agent_orchestrator.app import verbs

        return verbs.verify(self, name)

    def close(self) -> None:
        """Close this thread's connection to the database. A process that ends does it too."""
        self.store.close()

    def supervisor(
        self, options: "RunOptions", *, log: Callable[[str], None], leader: "Leader | None" = None
    ) -> "Supervisor":
        """Return a supervisor for one run, which leads by *leader* or else by one of its own."""
        return self.assembly.supervisor(options, log=log, leader=leader)

    def supervise(self, options: "RunOptions", *, log: Callable[[str], None]) -> "Outlook":
        """Lead one run to its end, through every time in which the disk is full.

        Raises:
            AlreadyRunning: another supervisor does.
        """
        return self.assembly.supervise(options, log=log)

    @property
    def anchors(self) -> "Anchors":
        """Where the chain of events ended, kept outside the database."""
        from agent_orchestrator.services.anchors import Anchors

        return Anchors(self.store, self.state)


def build(
    start: "Path | str | None" = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    create: bool = True,
    clock: Clock | None = None,
) -> App:
    """Return the app of the project that *start* lies in: by default ``$ORCHESTRATE_PROJECT``, else the current folder.

    In a checkout of an agent's it is the project that the agent works for. *environ* stands in for the environment of
    this process; *flags* are settings by name, which beat every other source. With *create* false an untouched project
    stays untouched: an empty queue in memory stands in for the database that is not there.
    """
    given = os.environ if environ is None else environ
    if start is None and given.get("ORCHESTRATE_PROJECT"):
        start = os.path.expanduser(given["ORCHESTRATE_PROJECT"])  # noqa: PTH111
    place = os.getcwd() if start is None else os.fspath(start)  # noqa: PTH109  in text, as in places.py
    checkout = places.checkout(place, given)
    attempt = given.get("ORCHESTRATE_ATTEMPT")
    if checkout is not None:
        place, attempt = str(checkout.project), attempt or checkout.attempt
        given = {**given, "ORCHESTRATE_DB": str(checkout.database)}
    folder = places.project_at(place)
    variables = places.with_dot_env(folder, given)
    return App(folder, variables, flags or {}, create=create, clock=clock or SystemClock(), attempt=attempt)
