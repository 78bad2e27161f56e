"""The wiring: this folder alone names concrete classes.

``App`` is one project. ``nouns`` has what can be asked of it, ``planning`` how its plans are made, ``assembly`` what a
run is put together from, ``upkeep`` what keeps it in order around runs, ``verbs`` what touches several nouns at once,
``demo`` the sample project. Everything is made when it is first asked for, so that a command pays for what it uses:
``status`` opens the store and nothing else.
"""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agent_orchestrator import places
from agent_orchestrator.app.nouns import Nouns
from agent_orchestrator.domain.clock import Clock, SystemClock
from agent_orchestrator.domain.errors import NothingToDo, NotReady

if TYPE_CHECKING:
    from pathlib import Path

    from agent_orchestrator.app.assembly import Assembly
    from agent_orchestrator.domain.goal import Goal
    from agent_orchestrator.domain.ids import GoalId
    from agent_orchestrator.domain.plan import Plan
    from agent_orchestrator.domain.task import Task
    from agent_orchestrator.planning.decomposer import Complete, TaskDecomposer
    from agent_orchestrator.planning.splitting import Splitter
    from agent_orchestrator.runtime.housekeeping import Housekeeping
    from agent_orchestrator.runtime.landing import Landing
    from agent_orchestrator.runtime.leadership import Leader
    from agent_orchestrator.runtime.readiness import Readiness
    from agent_orchestrator.runtime.restoring import Restoring
    from agent_orchestrator.runtime.reverifying import Reverified
    from agent_orchestrator.runtime.reviewing import Reviewing
    from agent_orchestrator.runtime.run_options import Outlook, RunOptions
    from agent_orchestrator.runtime.running import Ran
    from agent_orchestrator.runtime.supervisor import Supervisor
    from agent_orchestrator.runtime.trust import Trust
    from agent_orchestrator.runtime.verification import CheckCommand
    from agent_orchestrator.services.forecasts import Forecasts
    from agent_orchestrator.services.submissions import Accepted, Submissions
    from agent_orchestrator.workspaces import Checkpoints, Project, Sandbox, Workspaces


class App(Nouns):
    """One project: its nouns, and what is done with them by plans, runs and people."""

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
            single=lambda *words, **more: self.decomposer(None, profiled=False).single(*words, **more),
            providers=lambda: self.providers,
            check_provider=lambda name: self.lineup.provider(name),
            specialist=lambda name: self.roster.find(name),
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

    def run_providers(self) -> tuple[str, ...]:
        """Return the providers of a run, the preferred first.

        Raises:
            NotReady: none can be used, or one that a queued task insists on cannot; says what to do.
        """
        for name in self.store.tasks.providers():
            self.lineup.installed(name)
        return self.lineup.of_run()

    # Planning

    def decomposer(self, planner: str | None, *, profiled: bool = True) -> "TaskDecomposer":
        """Return what splits a goal, asking the model of *planner*, or the rules when it is None.

        One task needs no profile, and a submit must be quick: unless *profiled*, the project's files are only glanced
        at, and only where the task's words leave its specialist open.
        """
        from agent_orchestrator.app import planning

        return planning.decomposer(self, planner, profiled=profiled)

    def decompose(self, goal: str) -> "Plan":
        """Split *goal* by the first model that gives a plan, else by rules; the plan says which it was."""
        from agent_orchestrator.app import planning

        return planning.decompose(self, goal)

    def looked_over(self, plan: "Plan", *, new: bool = False) -> "Plan":
        """Return *plan* with remarks on what is doubtful about it in this project.

        A *new* plan that the rules made gets questions too, about what they guessed. One that a person changed or
        brought gets none: whatever they left in it, they decided.
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
        """How long plans may take and what they may cost."""
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
        return self.folder in {self.home.resolve(), self.folder.parent}  # only the root is its own parent

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
        """What lands, delivers and undoes, for a process that is no run: nothing stops its checks early."""
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
