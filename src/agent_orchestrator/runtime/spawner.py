"""Task -> briefing -> workspace -> provider command -> process.

Preparing is slow (git, set-up commands) and runs in a thread; it touches the
attempt's own folders and nothing of the run's state. Starting is quick and is
done by the supervisor's own thread, after the intent is in the database.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.domain.specialist import Specialist
from agent_orchestrator.domain.task import Task, Tier
from agent_orchestrator.providers import Briefing, Command, Provider
from agent_orchestrator.runtime import prompt, roles
from agent_orchestrator.runtime.clis import Installed
from agent_orchestrator.runtime.environment import allowed
from agent_orchestrator.runtime.nursery import Nursery
from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.trust import Trust
from agent_orchestrator.services.context import ContextManager
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Confined, Sandbox, Setup, Workspace, Workspaces

FRESH_START = frozenset({Outcome.CONFLICT})
"""Outcomes after which going on in the old checkout cannot help: its base is what no longer fits."""
PORTS_FIRST, PORTS_EACH = 20_000, 20
"""Each attempt gets its own block of ports, so that two test suites can listen at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """An attempt that is ready to start."""

    attempt: Attempt
    provider: Provider
    workspace: Workspace
    spawn: Spawn
    sandbox: str
    """What the agent is shut in, in a few words."""
    notes: tuple[str, ...] = ()
    """What the user must know of this start, such as a limit of the role that this agent cannot keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpawner:
    """Make attempts ready and start them."""

    store: Store
    context: ContextManager
    workspaces: Workspaces
    providers: Mapping[str, Provider]
    installed: Callable[[Provider], Installed]
    """Finds a provider's executable; raises NotReady when it is gone."""
    specialist: Callable[[str], Specialist | None]
    """Finds a role by name; None when its file has gone since the task was queued."""
    generalist: Callable[[], Specialist]
    """Who stands in then."""
    check_for: Callable[[Task, Goal], str | None]
    """The command that will judge a task, to be named in its prompt."""
    environ: Mapping[str, str]
    pass_env: tuple[str, ...]
    setup: Setup
    limits: Limits
    lock: Path
    """The supervisor's lock file; minders watch it to learn whether they are orphans."""
    cli: Path
    """The command by which an agent calls ``orchestrate`` for its project, wherever it stands."""
    sandbox: Sandbox
    """Where agents are shut in."""
    trust: Trust
    """Which settings of the repository's the user has agreed to."""
    nursery: Nursery
    """Makes the minders. Whoever runs us opens and closes it."""
    shared_files: Callable[[], tuple[Path, ...]] = field(default=tuple)
    """What agents write to by calling ``orchestrate``: the database and its like."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Provider to the model the user chose for all its tasks."""
    tier_models: Mapping[tuple[str, Tier], str] = field(default_factory=dict)
    """Provider and tier to the model; empty leaves it to the CLI."""

    def prepare(self, task: Task, goal: Goal, attempt: Attempt, budget: Budget | None = None) -> Launch:
        """Make the attempt's checkout, prompt and command. Slow; safe to run in a thread.

        *budget* is what the attempt may use: its time bounds the process, its dollars are told to CLIs that heed them.

        Raises:
            WorkspaceProblem, NotReady: it cannot be made ready; nothing was started.
        """
        provider = self.providers[attempt.provider]
        found = self.installed(provider)
        earlier = [one for one in self.store.attempts.of_task(task.id) if one.number < attempt.number]
        workspace, before = self._workspace(goal, attempt, earlier)
        run_dir = Path(attempt.run_dir)
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        view = self.context.write_view(goal, task)
        role = self.specialist(task.specialist) or self.generalist()
        model = roles.model_for(
            role, provider.name, task.tier, chosen=self.models.get(provider.name), by_tier=self.tier_models
        )
        # The project's tools, and imports that find the checkout: an agent that tests the user's own code by way of an
        # editable install would be told that its broken work passes.
        inherited = self.workspaces.check_environment(
            workspace.path, allowed(self.environ, (*provider.environment, *self.pass_env))
        )
        briefing = Briefing(
            prompt=self._prompt(task, goal, view, earlier, before),
            role=role.prompt,
            workspace=workspace.path,
            run_dir=run_dir,
            executable=found.path,
            tier=task.tier,
            model=model,
            tools=role.tools,
            denied_tools=role.denied_tools,
            max_turns=role.max_turns,
            max_micro_usd=budget.limit_micro_usd if budget else None,
            session=before.session if before else None,
            environment=inherited,
            distrusted=self.trust.asks(workspace.root),
        )
        command = provider.command(briefing)
        known = replace(
            attempt,
            cli_version=found.version,
            cli_path=found.path or None,
            model=model,
            workspace=str(workspace.path),
            base_commit=workspace.base,
            resumes=before.id if before else None,
            session=before.session if before else None,
            prompt_sha256=hashlib.sha256(command.stdin.encode("utf-8", "replace")).hexdigest(),
        )
        return Launch(
            attempt=known,
            provider=provider,
            workspace=workspace,
            spawn=self._spawn(known, briefing, command, workspace, view, self._limits(budget)),
            sandbox=self.sandbox.description,
            notes=_notes(task, role, provider, briefing, command),
        )

    def start(self, launch: Launch) -> Process:
        """Start the minder of a prepared attempt. Quick."""
        return Process.start(launch.spawn, self.nursery)

    def reopen(self, attempt: Attempt, goal: Goal) -> Workspace | None:
        """Return the checkout an attempt of an earlier supervisor worked in, or None when it is gone."""
        if attempt.workspace is None:
            return None
        return self.workspaces.reopen(Path(attempt.workspace), base=attempt.base_commit or goal.base_commit)

    def _workspace(self, goal: Goal, attempt: Attempt, earlier: list[Attempt]) -> tuple[Workspace, Attempt | None]:
        """Return the checkout, and the attempt whose session goes on in it, if one does."""
        last = earlier[-1] if earlier else None
        if last is not None and last.outcome not in FRESH_START and last.provider == attempt.provider and last.session:
            same = self.reopen(last, goal)
            if same is not None:
                return same, last
        tip = self.workspaces.tip(goal.result_branch) if goal.result_branch else None
        if last is not None and last.outcome is Outcome.SUCCEEDED and last.provider == attempt.provider:
            begun = _session_began(last, earlier)
            if begun is not None:
                return self.workspaces.open(begun.id, base=tip or goal.base_commit, setup=self.setup), last
        return self.workspaces.open(attempt.id, base=tip or goal.base_commit, setup=self.setup), None

    def _spawn(
        self, attempt: Attempt, briefing: Briefing, command: Command, workspace: Workspace, view: Path, limits: Limits
    ) -> Spawn:
        """Write the files that *command* needs, and return how its process is to be started."""
        prompt_file = _written(command, briefing.run_dir)
        confined = self._confined(command, workspace, briefing.run_dir, view)
        return Spawn(
            run_dir=briefing.run_dir,
            run_id=attempt.id,
            argv=confined.argv,
            has_watcher=confined.has_watcher,
            cwd=workspace.path,
            env={**self._environment(briefing.environment, command, attempt, view), **confined.environment},
            stdin=prompt_file,
            limits=limits,
            supervisor_lock=self.lock,
            watch=workspace.path,
        )

    def _limits(self, budget: Budget | None) -> Limits:
        if budget is None or budget.limit_seconds is None:
            return self.limits
        return replace(self.limits, wall_s=max(1, min(self.limits.wall_s, budget.limit_seconds)))

    def _confined(self, command: Command, workspace: Workspace, run_dir: Path, view: Path) -> Confined:
        """Return the command in the sandbox: it writes to its checkout, its view, its own state and our shared files.

        Its run folder it may only read: what it printed and how it ended is written there by its minder.
        """
        return self.sandbox.around(
            command.argv,
            write=(workspace.root, *workspace.git_writes, view, *command.writes, *self.shared_files()),
            read=(run_dir, self.cli, Path(command.argv[0]).resolve()),
            guard=(*command.guards, *workspace.git_guards),
        )

    def _prompt(self, task: Task, goal: Goal, view: Path, earlier: list[Attempt], before: Attempt | None) -> str:
        check = self.check_for(task, goal)
        messages = self.store.messages.of_goal(goal.id, task=task.id)
        told = self.context.told(task, since=before.started_at if before else None)
        if before is not None:
            return prompt.again(
                task, check=check, told=told, messages=messages, before=before, view=view, earlier=earlier
            )
        return prompt.first(task, goal, check=check, told=told, messages=messages, view=view, earlier=earlier)

    def _environment(
        self, inherited: Mapping[str, str], command: Command, attempt: Attempt, view: Path
    ) -> dict[str, str]:
        environment = {name: value for name, value in inherited.items() if name not in command.without}
        environment.update(command.environment)
        environment.update(
            ORCHESTRATE_GOAL=attempt.goal,
            ORCHESTRATE_TASK=attempt.task,
            ORCHESTRATE_ATTEMPT=attempt.id,
            ORCHESTRATE_CONTEXT=str(view),
            ORCHESTRATE_CLI=str(self.cli),
            ORCHESTRATE_PORT_BASE=str(PORTS_FIRST + PORTS_EACH * (attempt.token % 500)),
        )
        return environment


def _session_began(last: Attempt, earlier: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt in whose checkout the session of *last* began: it goes on only at that path; None: no session.

    Landed work's checkout was given back, so a follow-up gets a new one in the same place.
    """
    if last.session is None:
        return None
    by_id = {one.id: one for one in earlier}
    while last.resumes in by_id:
        last = by_id[last.resumes]
    return last


def run_folder(state: Path, goal: str, attempt: AttemptId) -> Path:
    """Return the private folder of an attempt: prompt, transcript, exit record."""
    return state / "runs" / goal / attempt


def _notes(task: Task, role: Specialist, provider: Provider, briefing: Briefing, command: Command) -> tuple[str, ...]:
    """Return what the user must know of this start: who stands in, which limits are not kept, what was left out."""
    notes: list[str] = []
    if role.name != task.specialist:
        notes.append(f"there is no specialist {task.specialist} any more; {role.name} stands in")
    if not provider.is_demo:
        notes += roles.unkept(role, provider.name, briefing, command)
        if briefing.distrusted:
            notes.append(f"left out because nobody has trusted it: {', '.join(briefing.distrusted[:5])}")
    return tuple(notes)


def _written(command: Command, run_dir: Path) -> Path:
    """Write the files that *command* needs and return the one that it reads as its standard input."""
    prompt_file = run_dir / "prompt.txt"
    _write_private(prompt_file, command.stdin)
    for name, content in command.files.items():
        _write_private(run_dir / name, content)
    return prompt_file


def _write_private(file: Path, content: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as out:
        out.write(content)
