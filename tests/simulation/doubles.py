"""What stands in for the world: a clock, threads, an inbox, git, agents. All of it belongs to one `World`."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.evidence import CheckResult, CheckRun
from agent_orchestrator.domain.goal import Goal, Isolation
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.task import Task
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.providers import Ending, Finished, Limited, Meaning, Spent, conclusion
from agent_orchestrator.runtime.run_dir import ExitRecord, State, Why
from agent_orchestrator.runtime.sweeping import Leftovers
from agent_orchestrator.runtime.transcript import Line
from agent_orchestrator.runtime.verification import CheckCommand
from agent_orchestrator.workspaces import Collected, Delivered, Union, Workspace

if TYPE_CHECKING:
    from simulation.world import World


class Died(BaseException):
    """The supervisor was killed at this very moment. No handler of its own may stop that."""


@dataclass
class Agent:
    """One agent's process tree and its minder."""

    attempt: Attempt
    work: str
    """What it will have done when it ends: ``good``, ``wrong``, ``nothing``, ``fails``, ``limited``."""
    cost: int
    minder_lives: bool = True
    tree_lives: bool = True
    asked_to_stop: bool = False
    record: ExitRecord | None = None
    lines: list[str] = field(default_factory=list)

    def ended(self, rc: int | None, why: Why = Why.EXITED) -> None:
        self.minder_lives = self.tree_lives = False
        self.record = ExitRecord(
            rc=rc,
            why=why,
            error=None,
            started_at=0,
            ended_at=0,
            duration_ms=0,
            kill_rounds=0,
            cpu_ms=0,
            max_rss_kb=0,
            unaccounted=(),
        )


class Handle:
    """A supervisor's hold on an agent: what `Process` is."""

    def __init__(self, world: World, agent: Agent) -> None:
        self.world, self._agent = world, agent
        self.agent = SimpleNamespace(pid=world.number("pid"), start_time=1)

    def exit(self) -> ExitRecord | None:
        return self._agent.record

    def stop(self) -> None:
        self._asked()
        self.world.at(self.world.random.uniform(0, 2), "stopped", self._agent)

    def kill(self) -> None:
        self._asked()
        self.world.at(0.01, "stopped", self._agent)

    def _asked(self) -> None:
        """Take note that however it ends, or has ended unseen, is put down to the stop: it may go on at once."""
        self._agent.asked_to_stop = True
        if not self._agent.minder_lives:
            self.world.rests_until.pop(self._agent.attempt.task, None)

    def close(self) -> None:
        pass

    @property
    def is_over(self) -> bool:
        return not self._agent.minder_lives


class Processes:
    """What the modules find when they ask about processes."""

    def __init__(self, world: World) -> None:
        self.world = world

    def adopt(self, run_dir: Path) -> Handle | None:
        agent = self.world.agents.get(run_dir.name)
        return Handle(self.world, agent) if agent is not None and agent.minder_lives else None

    def state(self, run_dir: Path) -> State:
        agent = self.world.agents.get(run_dir.name)
        if agent is None:
            return State.NEVER_STARTED
        if agent.record is not None:
            return State.ENDED
        return State.RUNNING if agent.minder_lives else State.VANISHED

    def sweep(self, run_dir: Path) -> Leftovers:
        self.world.agents[run_dir.name].tree_lives = False
        return Leftovers()

    def record(self, run_dir: Path) -> ExitRecord | None:
        agent = self.world.agents.get(run_dir.name)
        return agent.record if agent else None


class Tailer:
    """The transcript of an agent."""

    def __init__(self, world: World, path: Path, offset: int = 0) -> None:
        self.world, self.name, self.offset = world, path.parent.name, offset
        self.behind = False

    def read(self) -> list[Line]:
        agent = self.world.agents.get(self.name)
        new = agent.lines[self.offset :] if agent else []
        self.offset += len(new)
        for text in new:
            self.world.is_read(agent.attempt.provider, text) if agent else None
        return [Line(text=text, offset=self.offset) for text in new]

    def finish(self) -> Line | None:
        return None

    def close(self) -> None:
        pass


class Inbox:
    """The supervisor sleeps here: while it does, the world goes on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posted: list[Any] = []
        self.watched: list[tuple[Handle, Any]] = []
        self.closed = False
        world.inbox = self

    def put(self, happening: Any) -> None:
        self.posted.append(happening)

    def watch(self, source: Any, happening: Any) -> None:
        if isinstance(source, Handle):
            self.watched.append((source, happening))

    def forget(self, source: Any) -> None:
        self.watched = [pair for pair in self.watched if pair[0] is not source]

    def ready(self) -> bool:
        return bool(self.posted) or any(source.is_over for source, _ in self.watched)

    def take(self, timeout_s: float) -> Iterator[Any]:
        self.world.turn(timeout_s)
        self.world.sleep(timeout_s, self.ready)
        found = [happening for source, happening in self.watched if source.is_over] + self.posted
        self.posted = []
        for happening in found:
            self.world.note("happens", happening)
        return iter(found)

    def close(self) -> None:
        self.closed = True


class Threads:
    """An executor whose pieces of work are done when the world comes to them."""

    def __init__(self, world: World, max_workers: int) -> None:
        self.world, self.workers = world, max_workers
        self.life = world.life
        self.free_at = [0.0] * max_workers
        self.pending = 0
        self.cancelled = False

    def submit(self, work: Callable[..., object], *arguments: object) -> None:
        if self.cancelled:
            raise RuntimeError("cannot schedule new futures after shutdown")
        world = self.world
        worker = self.free_at.index(min(self.free_at))
        start = max(self.free_at[worker], world.clock.elapsed)
        self.free_at[worker] = start + world.random.expovariate(1 / 1.5)
        self.pending += 1
        world.at(self.free_at[worker] - world.clock.elapsed, "work", self, work, arguments)

    def do(self, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.pending -= 1
        if self.life == self.world.life and not self.cancelled:
            work(*arguments)

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        if self.world.dead or self.life != self.world.life:
            return
        if cancel_futures:
            self.cancelled = True
        if wait:
            self.world.sleep(3600, lambda: self.pending == 0)
        self.cancelled = True


class MergeLine:
    """The line in front of the merge queue: one job at a time, the lowest rank of those that wait."""

    def __init__(self, world: World, failed: Callable[[Exception], None]) -> None:
        self.threads = Threads(world, 1)
        self.failed = failed
        self.jobs: list[tuple[tuple[int, ...], int, Callable[[], object]]] = []

    def put(self, rank: tuple[int, ...], job: Callable[[], object]) -> None:
        heapq.heappush(self.jobs, (rank, self.threads.world.number("job"), job))
        self.threads.submit(self._next)

    def _next(self) -> None:
        try:
            heapq.heappop(self.jobs)[2]()
        except Exception as error:
            self.failed(error)

    def close(self) -> None:
        self.threads.shutdown()


class Nothing:
    """A part of the supervisor that is left out: what it saves and sends goes beyond this world."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Bell:
    """The notifier. Some of its rings are lost."""

    def __init__(self, world: World) -> None:
        self.world = world

    def wake(self) -> None:
        self.world.ring()

    def listen(self) -> None:
        return None

    def drain(self) -> None:
        pass

    def close(self) -> None:
        pass


class Git:
    """Branches, commits and trees, in memory: enough of them to be merged, moved by compare-and-set, and judged."""

    isolation = Isolation.CHECKOUT

    def __init__(self, world: World) -> None:
        self.world = world
        self.trees: dict[str, frozenset[tuple[str, str]]] = {"base": frozenset()}
        self.tips: dict[str, str] = {"main": "base"}
        self.parents: dict[str, tuple[str, ...]] = {"base": ()}
        self.messages: dict[str, str] = {"base": ""}

    def project(self) -> Any:
        return SimpleNamespace(branch="main")

    def base(self, goal: str, *, include_dirty: bool) -> str:
        return self.tips["main"]

    def result_branch(self, goal: str) -> str:
        return f"orchestrate/{goal}/result"

    def tip(self, branch: str) -> str | None:
        return self.tips.get(branch)

    def tree(self, commit: str) -> str:
        return commit

    def reopen(self, path: Path, *, base: str | None) -> Workspace | None:
        return Workspace(path=path, root=path, isolation=self.isolation, base=base)

    def collect(self, workspace: Workspace, *, goal: str, attempt: str, message: str) -> Collected:
        agent = self.world.agents.get(attempt)
        branch = f"orchestrate/{goal}/{attempt}"
        if agent is not None and agent.tree_lives:
            self.world.violated(f"the work of {attempt} was collected while it was still working")
        if agent is None or agent.work in {"nothing", "limited", "fails"} or agent.record is None:
            return Collected(commit=None, branch=branch)
        file = (agent.attempt.task, agent.work)
        commit = self._commit(self.trees[workspace.base or "base"] | {file}, (workspace.base or "base",), message)
        self.tips[branch] = commit
        return Collected(commit=commit, branch=branch, files=(file[0],), insertions=1)

    def close(self, workspace: Workspace, *, is_safe: bool = False) -> None:
        pass

    def union(self, tip: str, commit: str) -> Union:
        (file,) = self.trees[commit] - self.trees[self.parents[commit][0]] or {("", "")}
        if self.world.random.random() < 0.03:
            return Union(tree=None, conflicts=(file[0],), detail="both changed it")
        return Union(tree=self._commit((self.trees[tip] | {file}) - {("", "")}, (tip,), "tree"))

    def commit_tree(self, tree: str, *, parents: tuple[str, ...], message: str, author: str | None = None) -> str:
        return self._commit(self.trees[tree], parents, message)

    def advance(self, branch: str, *, old: str | None, new: str) -> bool:
        if self.tips.get(branch) != old:
            return False
        self.tips[branch] = new
        self.world.landed(branch, self.messages[new], self.trees[new])
        return True

    def contains(self, branch: str, commit: str) -> bool:
        return commit in self._all_of(self.tips[branch])

    def landed(self, branch: str, base: str | None) -> Mapping[str, str]:
        if branch not in self.tips:
            return {}
        found = {}
        for commit in self._all_of(self.tips[branch]) - self._all_of(base or "base"):
            for line in self.messages[commit].splitlines():
                if line.startswith("Attempt: "):
                    found[line.removeprefix("Attempt: ")] = commit
        return found

    def deliver(self, *, branch: str, into: str | None, base: str | None) -> Delivered:
        before, self.tips["main"] = self.tips["main"], self.tips[branch]
        return Delivered(done=True, note="delivered", moved_from=before, moved_to=self.tips[branch])

    def revisions(self, old: str, new: str) -> tuple[()]:
        return ()

    def keep_result(self, goal: str, *, branch: str, base: str | None) -> None:
        pass

    def diff(self, old: str, new: str, *, stat: bool = False) -> str:
        return ""

    def _commit(self, tree: frozenset[tuple[str, str]], parents: tuple[str, ...], message: str) -> str:
        name = f"c{self.world.number('commit')}"
        self.trees[name], self.parents[name], self.messages[name] = tree, parents, message
        return name

    def _all_of(self, commit: str) -> set[str]:
        found, pending = set(), [commit]
        while pending:
            one = pending.pop()
            if one not in found:
                found.add(one)
                pending.extend(self.parents[one])
        return found


class Checks:
    """The verification: it sees what was done, whatever was said."""

    def __init__(self, world: World) -> None:
        self.world = world

    def check(self, command: CheckCommand | None, *, tree: str, base: str | None) -> CheckRun:
        del base
        qualities = {quality for _, quality in self.world.git.trees[tree]}
        result = CheckResult.FAILED if "wrong" in qualities else CheckResult.PASSED
        return CheckRun(
            command="check", origin="goal", result=result, exit_code=int("wrong" in qualities), duration_ms=1, tail=""
        )

    def passed_on(self, command: CheckCommand, tree: str) -> None:
        return None

    def base_health(self, command: CheckCommand, *, base: str) -> CheckRun:
        return self.check(command, tree=base, base=base)


class Context:
    """Nothing is shared here."""

    def take_in(self, task: Task, *, since: object) -> Any:
        return SimpleNamespace(refused=(), conflicts=())

    def drop_view(self, task: Task) -> None:
        pass


@dataclass(frozen=True)
class Virtual:
    """A provider whose lines say what they mean."""

    name: str
    title: str = "virtual"
    binary: str | None = None
    install: str = ""
    environment: tuple[str, ...] = ()
    version_argv: tuple[str, ...] = ()
    is_demo: bool = False
    reports_usage: bool = True

    def read(self, line: str) -> tuple[Meaning, ...]:
        word, _, rest = line.partition(" ")
        if word == "spent":
            return (Spent(usage=Usage(cost_micro_usd=int(rest)), whole_session=False),)
        if word == "limited":
            until = datetime.fromtimestamp(float(rest), UTC)
            return (Limited(kind=HoldKind.USAGE_LIMIT, until=until, text="a usage limit"),)
        return ()

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        if exit_code == 0:
            return Ending(outcome=None)
        if limited is not None:
            return Ending(outcome=Outcome.LIMITED, reason=limited.text, limited=limited)
        return conclusion.crashed(exit_code, stderr, who=self.name)


class Spawner:
    """Makes attempts ready and starts them, in the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.workspaces = world.git
        self.nursery = Nothing()

    def prepare(self, task: Task, goal: Goal, attempt: Attempt, *_: object) -> Any:
        self.world.may_fail("preparing", attempt)
        tip = self.workspaces.tip(goal.result_branch) if goal.result_branch else None
        base = tip or goal.base_commit
        place = Path("/checkouts") / attempt.id
        workspace = Workspace(path=place, root=place, isolation=Isolation.CHECKOUT, base=base)
        known = replace(attempt, workspace=str(place), base_commit=base)
        return SimpleNamespace(
            attempt=known,
            provider=self.world.providers[attempt.provider],
            workspace=workspace,
            spawn=None,
            sandbox="",
            notes=(),
        )

    def start(self, launch: Any) -> Handle:
        return Handle(self.world, self.world.begins(launch.attempt))

    def reopen(self, attempt: Attempt, goal: Goal) -> Workspace | None:
        if attempt.workspace is None:
            return None
        return self.workspaces.reopen(Path(attempt.workspace), base=attempt.base_commit or goal.base_commit)


@contextmanager
def instead(**modules: Mapping[str, object]) -> Iterator[None]:
    """Let names of the runtime's modules mean something else for a while."""
    import importlib

    before = []
    for module, names in modules.items():
        found = importlib.import_module(f"agent_orchestrator.{module.replace('__', '.')}")
        for name, value in names.items():
            before.append((found, name, getattr(found, name)))
            setattr(found, name, value)
    try:
        yield
    finally:
        for found, name, value in reversed(before):
            setattr(found, name, value)
