"""The world: what happens when, who dies, and the rules that must hold whatever happens.

The rules are judged by what the world itself saw - agents that began and ended, commits that landed, answers that were
given - and the records of the program are held against that.
"""

from __future__ import annotations

import gc
import hashlib
import heapq
import itertools
import os
import random
import re
import shutil
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.budget import MICRO, Budget
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import (
    AlreadyRunning,
    NotFound,
    NothingToDo,
    RefusedByState,
    StaleLease,
    WorkspaceProblem,
)
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.ids import ALPHABET
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import HELD, TaskState, Verdict
from agent_orchestrator.runtime import leadership
from agent_orchestrator.runtime.landing import Landing
from agent_orchestrator.runtime.run_dir import Why
from agent_orchestrator.runtime.run_options import RunOptions
from agent_orchestrator.runtime.scheduling import shortly_before
from agent_orchestrator.services.goals import Submission
from simulation.doubles import (
    Agent,
    Bell,
    Checks,
    Context,
    Died,
    Git,
    Inbox,
    MergeLine,
    Nothing,
    Processes,
    Spawner,
    Tailer,
    Threads,
    Virtual,
    instead,
)
from simulation.remembering import Remembering

MAX_AGENTS = 4
MAX_ATTEMPTS = 3
PAUSE_S = 5.0
EVENTS_OF_A_HISTORY = 700
"""Then the faults stop, and everything must come to an end: a history is short, so that its tables stay small."""
READ_EVERY_S = 4.0
"""Instead of four times a second: in most of those turns of the loop nothing has happened."""
SPINS = 200
"""Turns of the loop that wait for next to nothing, one after the other, with nothing happening."""
QUIET_TURNS = 2_000
"""Turns of the loop within which everything must have ended once the faults have stopped."""
ASLEEP_S = 31.0
"""The longest that ready work may wait while somebody leads and nothing is in its way: a lost ring is made up for."""
FAULTS = {
    "crash": 10,
    "crash_at_a_commit": 16,
    "reboot": 2,
    "pause": 4,
    "agent_killed": 10,
    "minder_killed": 8,
    "hangs": 4,
    "clock_jumps": 4,
    "limit": 4,
    "late_write": 14,
}
DEEDS = {"submit": 30, "extend": 8, "cancel": 5, "cancel_goal": 2, "retry": 8, "stop": 3, "stop_agent": 4, "release": 2}
"""What the user does."""


class SubmitterDied(BaseException):
    """The user's command was killed at this moment."""


class Over(BaseException):
    """A rule was broken; nothing after that counts."""


@dataclass
class Counts:
    """What happened in all histories together."""

    steps: int = 0
    histories: int = 0
    virtual_s: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def lines(self) -> list[str]:
        said = ", ".join(f"{count} {what}" for what, count in sorted(self.happened.items()))
        return [
            f"steps       {self.steps} in {self.histories} histories, {self.virtual_s / 86400:.1f} virtual days",
            f"happened    {said}",
            f"digest      {self.digest.hexdigest()[:16]}",
            f"violations  {len(self.violations)}",
            *(f"  {one}" for one in self.violations),
        ]

    def add(self, one: Counts) -> None:
        """Take in what happened in one history."""
        self.steps += one.steps
        self.histories += 1
        self.virtual_s += one.virtual_s
        self.happened += one.happened
        self.violations += one.violations
        self.digest.update(one.digest.digest() if hasattr(one.digest, "digest") else one.digest)


def simulate(steps: int, seed: int, folder: Path, *, events: int = EVENTS_OF_A_HISTORY, processes: int = 1) -> Counts:
    """Live histories of so many *events* until *steps* are done or a rule is broken.

    With more *processes* than one they are lived side by side and counted in their order: the digest is the same.
    """
    counts = Counts()
    histories = (history(seed, number, folder, events) for number in itertools.count())
    if processes > 1:
        pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
        histories = _side_by_side(pool, processes, seed, folder, events)
    with closing(histories):
        for one in histories:
            counts.add(one)
            if counts.steps >= steps or counts.violations:
                return counts
    raise AssertionError("there is always another history")


def _side_by_side(
    pool: ProcessPoolExecutor, processes: int, seed: int, folder: Path, events: int
) -> Generator[Counts, None, None]:
    numbers = itertools.count()
    try:
        begun = deque(pool.submit(history, seed, next(numbers), folder, events) for _ in range(processes))
        while True:
            begun.append(pool.submit(history, seed, next(numbers), folder, events))
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def history(seed: int, number: int, folder: Path, events: int, *, remembers: bool = True) -> Counts:
    """Live one history and return what happened in it, in a form that another process can be sent.

    The store *remembers* what it has answered, unless somebody wants to see that this changes nothing.
    """
    counts = Counts(histories=number)
    place = folder / f"history-{number}"
    place.mkdir(parents=True)
    # Nearly all that is made is gone at once; looking for what is not took a tenth of the time.
    before = gc.get_threshold()
    gc.set_threshold(100_000)
    try:
        World(seed * 1_000_003 + number, place, counts, events, remembers=remembers).live()
    finally:
        gc.set_threshold(*before)
    shutil.rmtree(place)
    counts.digest = counts.digest.digest()
    return counts


class World:
    """One history."""

    def __init__(self, seed: int, folder: Path, counts: Counts, events: int, *, remembers: bool = True) -> None:
        self.folder, self.counts, self.last_event, self.remembers = folder, counts, events, remembers
        self.random = random.Random(seed)
        self.clock = HandClock()
        self.steps = 0
        """Things that happened, and turns of the supervisor's loop."""
        self.events = self.events_before = self.spins = self.quiet_turns = 0
        self.quiet = False
        self.numbers: Counter[str] = Counter()
        self.names: dict[str, str] = {}
        self.heap: list[tuple[float, int, str, tuple[Any, ...]]] = []
        # The program under test
        self.life = 0
        self.leads = False
        self.dead = False
        self.stopped_s = 0.0
        """Less than nothing: the time in which a leader was stopped, and could not have done anything."""
        self.inbox: Inbox | None = None
        self.options: RunOptions | None = None
        self.last_start = timedelta(0)
        self.actor = "supervisor"
        self.strike_in = 0
        self.strikes_user = 0
        # What is true
        self.git = Git(self)
        self.agents: dict[str, Agent] = {}
        self.providers = {name: Virtual(name) for name in ("first", "second")}
        self.goals: dict[str, int] = {}
        """Goals that were acknowledged, and with how many tasks."""
        self.tasks: dict[str, list[str]] = {}
        """Tasks that were acknowledged, and what each needs."""
        self.landings: Counter[str] = Counter()
        self.charges: Counter[str] = Counter()
        """How often each task may have been charged at most."""
        self.cancelled: set[str] = set()
        self.cancelled_goals: set[str] = set()
        self.rests_until: dict[str, datetime] = {}
        self.attempts: list[Attempt] = []
        self.limits: dict[str, tuple[datetime, datetime]] = {}
        """Provider to when its limit was told and when it ends."""
        self.claimed_by_another_clock: set[str] = set()
        """Attempts claimed before the clock last jumped: what was told after that cannot be told from before."""
        self.spent: Counter[int] = Counter()
        self.life_of: dict[str, int] = {}
        self.last_ring_lost = -1e9
        self.app = self._app()

    def _app(self) -> App:
        environ = {"HOME": str(self.folder), "PATH": os.defpath, "XDG_STATE_HOME": str(self.folder / "state")}
        (self.folder / "project").mkdir()
        app = build(self.folder / "project", environ=environ, clock=self.clock, create=False)
        landing = Landing(
            store=app.store,
            queue=None,  # type: ignore[arg-type] # given below, when the app has its notifier
            context=Context(),  # type: ignore[arg-type]
            workspaces=self.git,  # type: ignore[arg-type]
            verification=Checks(self),  # type: ignore[arg-type]
            check_for=lambda task, goal: SimpleNamespace(command="check", origin="goal"),  # type: ignore[arg-type,return-value]
        )
        app.__dict__.update(
            notifier=Bell(self),
            providers={**app.providers, **self.providers},
            workspaces=self.git,
        )
        app.assembly.__dict__.update(
            spawner=lambda nursery: Spawner(self),
            landing=lambda stop_wished, start: landing,
            room=lambda: Nothing(),
            tidying=lambda log: Nothing(),
        )
        app.store._connections._redact = None  # type: ignore[attr-defined] # nobody has a secret here
        if self.remembers:
            Remembering(app.store)  # type: ignore[arg-type]
        object.__setattr__(landing, "queue", app.tasks)
        app.store.transaction = self._striking(app.store.transaction)  # type: ignore[method-assign,assignment]
        return app

    # One history

    def live(self) -> None:
        """Live through faults, then let everything end, and judge."""
        for deeds in ("user", "fault"):
            self.at(self.random.uniform(0, 20), deeds)
        processes = Processes(self)
        moments = iter(range(10**9))
        still = SimpleNamespace(monotonic=lambda: next(moments) * 0.3, sleep=lambda _: None)
        make_threads = lambda max_workers, thread_name_prefix="": Threads(self, max_workers)  # noqa: E731
        thread = lambda target, args, **_: SimpleNamespace(start=lambda: Threads(self, 1).submit(target, *args))  # noqa: E731
        tailer = lambda path, offset=0: Tailer(self, path, offset)  # noqa: E731
        found = {"state": processes.state, "sweep": processes.sweep}
        ids = random.Random(self.random.random())  # what is of the same age goes in the order of its ids
        draw = lambda letter, length=6: letter + "".join(ids.choices(ALPHABET, k=length))  # noqa: E731
        with (
            instead(
                domain__ids={"_draw": draw},
                runtime__supervisor={
                    "Inbox": lambda: Inbox(self),
                    "ThreadPoolExecutor": make_threads,
                    "Tailer": tailer,
                    "READ_EVERY_S": READ_EVERY_S,
                    "WISHES_EVERY_S": READ_EVERY_S,
                },
                runtime__pieces={"Checkpointing": lambda **_: Nothing()},
                runtime__merge_queue={
                    "ThreadPoolExecutor": make_threads,
                    "Line": lambda name, failed: MergeLine(self, failed),
                    "Tailer": tailer,
                    **found,
                },
                runtime__replanner={"threading": SimpleNamespace(Thread=thread)},
                runtime__recovery={"Process": processes, "state": processes.state},
                runtime__follower={"exit_record": processes.record},
                runtime__leadership={"time": still},
                runtime__vigil={"vigil": lambda *_, **__: Nothing()},
                services__tasks={"random": SimpleNamespace(uniform=self.random.uniform)},
            ),
            suppress(Over),
        ):
            while not self.quiet or self.app.goals.open():
                self._lead()
                if self.events > self.last_event:
                    self.quiet = True
                self.sleep(self.random.expovariate(1 / 15), lambda: False)
            self.judge()
        self.counts.steps += self.steps
        self.counts.virtual_s += self.clock.elapsed
        self.app.store.close()

    def _lead(self) -> None:
        """Let one supervisor live until it ends or is killed."""
        if not self.app.goals.open():
            return
        self.life += 1
        self.dead = False
        chance = self.random.random()
        self.options = RunOptions(
            providers=("first", "second") if self.random.random() < 0.5 else ("first",),
            max_agents=MAX_AGENTS,
            until=self.clock.now() + timedelta(minutes=self.random.uniform(0.5, 6)) if chance < 0.15 else None,
            budget=Budget(limit_micro_usd=MICRO) if 0.15 <= chance < 0.35 and not self.quiet else None,
        )
        self.last_start = shortly_before(self.options.until, self.clock.now()).last_start
        self.note("leads", self.options.until is not None, self.options.budget is not None)
        supervisor = self.app.supervisor(self.options, log=self._said)
        self.leads = True
        try:
            supervisor.run()
            self.happened("run ended")
        except Died:
            self.limits.clear()  # whether it had written down what it knew is not for us to say
            self.happened("supervisor died")
        except AlreadyRunning:
            self.violated("a supervisor was refused although nobody leads")
        finally:
            self.leads = False
            leader = supervisor.pieces.leader
            if leader._fd is not None:
                os.close(leader._fd)
                leader._fd = None
            self.life += 1  # what its threads had begun is gone with it
            self.dead = False

    def sleep(self, seconds: float, ready: Callable[[], bool]) -> None:
        """Let the world go on until somebody is *ready*, or for so long."""
        deadline, began = self.clock.elapsed + seconds, self.clock.elapsed + self.stopped_s
        idle = self.leads and seconds >= ASLEEP_S - 1.5 and self._could_start()
        while not ready():
            if not self.heap or self.heap[0][0] > deadline:
                self._advance(deadline)
                break
            self.step()
        if idle and self.clock.elapsed + self.stopped_s - began >= ASLEEP_S - 1.5:
            self.violated("the supervisor sleeps while a task is ready")

    def turn(self, patience_s: float) -> None:
        """The supervisor's loop comes round. It may not do so again and again while nothing happens."""
        self.steps += 1
        self.spins = self.spins + 1 if patience_s < 0.1 and self.events == self.events_before else 0
        self.events_before = self.events
        self.quiet_turns += self.quiet
        if self.quiet_turns > QUIET_TURNS:
            self.violated("it never came to an end")
            raise Over
        if self.spins > SPINS:
            self.violated("the supervisor's loop spins and nothing comes of it")
            raise Over

    def step(self) -> None:
        """Let the next thing happen."""
        when, _, kind, arguments = heapq.heappop(self.heap)
        self._advance(when)
        self.steps += 1
        self.events += 1
        if kind != "work":
            self.note(kind)
        getattr(self, f"_{kind}")(*arguments)
        self.look()
        if self.counts.violations:
            raise Over
        if self.dead:
            raise Died

    def at(self, seconds: float, kind: str, *arguments: Any) -> None:
        """Let *kind* happen after so long."""
        heapq.heappush(self.heap, (self.clock.elapsed + seconds, self.number("event"), kind, arguments))

    def _advance(self, to: float) -> None:
        if to > self.clock.elapsed:
            self.clock.advance(timedelta(seconds=to - self.clock.elapsed))
            self.clock.elapsed = to

    def number(self, of: str) -> int:
        self.numbers[of] += 1
        return self.numbers[of]

    def note(self, *what: object) -> None:
        """Take something into the digest, with ids by the order in which they came."""
        said = f"{self.clock.elapsed:.3f} {' '.join(self._named(one) for one in what)}\n"
        self.counts.digest.update(said.encode())

    def _named(self, one: object) -> str:
        for found in (one, getattr(one, "attempt", None), getattr(getattr(one, "launch", None), "attempt", None)):
            id = getattr(found, "id", found)
            if isinstance(id, str) and re.match(r"[tg][2-9a-z]{6}(\.|$)", id):
                task, _, number = id.partition(".")
                kind = "" if isinstance(one, str) else type(one).__name__
                return f"{kind}{self.names.setdefault(task, f'n{len(self.names)}')}.{number}"
        return one if isinstance(one, str) else str(one) if isinstance(one, bool) else type(one).__name__

    def happened(self, what: str) -> None:
        self.counts.happened[what] += 1

    def _said(self, line: str) -> None:
        """A run tells what a person should know. A fault of its own is never among that."""
        if "internal error" in line:
            self.violated(f"the run said: {line}")

    def violated(self, what: str) -> None:
        self.counts.violations.append(f"history {self.counts.histories}, step {self.steps}: {what}")

    def _striking(self, transaction: Any) -> Any:
        """Return *transaction* such that whoever writes can be killed right before or right after its commit."""
        depth = 0

        @contextmanager
        def struck() -> Iterator[None]:
            nonlocal depth
            if self.dead and self.actor == "supervisor":
                raise Died
            depth += 1
            try:
                with transaction():
                    yield
                    if depth == 1:
                        self._strike()
                if depth == 1:
                    self._strike()
            finally:
                depth -= 1

        return struck

    def _strike(self) -> None:
        if self.actor == "user":
            if self.strikes_user:
                self.strikes_user -= 1
                if self.strikes_user == 0:
                    raise SubmitterDied
        elif self.strike_in and self.leads:
            self.strike_in -= 1
            if self.strike_in == 0:
                self.dead = True
                raise Died

    @contextmanager
    def _as_user(self) -> Iterator[None]:
        before, self.actor = self.actor, "user"
        try:
            with suppress(RefusedByState, NothingToDo):
                yield
        finally:
            self.actor = before

    # What happens

    def _work(self, threads: Threads, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
        threads.do(work, arguments)

    def _ends(self, agent: Agent) -> None:
        """An agent comes to its end by itself."""
        if not agent.minder_lives:
            return
        self._spends(agent)
        task = agent.attempt.task
        if agent.work == "limited":
            until = self.clock.now() + timedelta(minutes=self.random.uniform(1, 90))
            agent.lines.append(f"limited {until.timestamp():.0f}")  # services tell a second, not a part of it
        else:
            self.charges[task] += 1
        agent.ended(1 if agent.work in {"limited", "fails"} else 0)
        if agent.work == "fails" and not agent.asked_to_stop:
            self.rests_until[task] = self.clock.now() + timedelta(seconds=0.8 * PAUSE_S)

    def _spends(self, agent: Agent) -> None:
        agent.lines.append(f"spent {agent.cost}")
        life = self.life_of[agent.attempt.id]
        self.spent[life] += agent.cost
        limit = self.options.budget.limit_micro_usd if self.options is not None and self.options.budget else None
        if limit is not None and self.spent[self.life] > limit:
            self.violated("a run spent more than it may")

    def _stopped(self, agent: Agent) -> None:
        if agent.minder_lives:
            self._spends(agent)
            agent.ended(-15, Why.STOPPED)

    def _fault(self) -> None:
        if self.quiet:
            return
        self.at(self.random.expovariate(1 / 25), "fault")
        kind = self.random.choices(*zip(*FAULTS.items(), strict=True))[0]
        self.happened(kind.replace("_", " "))
        getattr(self, f"_{kind}")()

    def _crash(self) -> None:
        self.dead = self.leads

    def _crash_at_a_commit(self) -> None:
        self.strike_in = self.random.randint(1, 12)

    def _reboot(self) -> None:
        for agent in self.agents.values():
            self._kill(agent, tree=True)
        self.dead = self.leads

    def _pause(self) -> None:
        """Stop the leader for a while, as SIGSTOP or a suspended machine do; a rival tries."""
        if not self.leads:
            return
        with self._as_user():
            rival = leadership.Leader(self.app.store, self.clock, self.app.state / "supervisor.lock")
            try:
                rival.elect(max_agents=MAX_AGENTS, options={})
                self.violated("a rival leads while the leader is only stopped")
            except AlreadyRunning:
                pass
        stopped_s = self.random.uniform(1, 300)
        self.stopped_s -= stopped_s
        self._advance(self.clock.elapsed + stopped_s)

    def _agent_killed(self) -> None:
        if agent := self._any_alive():
            self._spends(agent)
            self.charges[agent.attempt.task] += 1
            agent.ended(-9)

    def _minder_killed(self) -> None:
        if agent := self._any_alive():
            self._kill(agent, tree=self.random.random() < 0.5)

    def _kill(self, agent: Agent, *, tree: bool) -> None:
        if agent.minder_lives:
            self._spends(agent)
            self.charges[agent.attempt.task] += 1
            agent.minder_lives = False
            agent.tree_lives = not tree

    def _hangs(self) -> None:
        if agent := self._any_alive():
            self._spends(agent)
            self.charges[agent.attempt.task] += 1
            agent.ended(-9, self.random.choice([Why.SILENCE, Why.WALL_CLOCK, Why.MEMORY]))

    def _clock_jumps(self) -> None:
        seconds = self.random.choice([-7200, -90, 90, 7200])
        self.clock.at += timedelta(seconds=seconds)
        self.rests_until.clear()
        self.limits.clear()
        self.claimed_by_another_clock = {attempt.id for attempt in self.app.store.attempts.open()}

    def _limit(self) -> None:
        if agent := self._any_alive():
            agent.work = "limited"

    def _late_write(self) -> None:
        """Somebody whose task was given to another, or is over, says that it is done."""
        if not self.attempts:
            return
        attempt = self.random.choice(self.attempts)
        before = self.app.store.tasks.get(attempt.task)
        if before.token == attempt.token and before.state in HELD:
            return
        queue, evidence = self.app.tasks, Evidence()
        write = self.random.choice(
            [
                lambda: queue.started(attempt),
                lambda: queue.handed_in(attempt),
                lambda: queue.landing(attempt, evidence),
                lambda: queue.finished(attempt, verdict=Verdict.VERIFIED, commit="late", evidence=evidence),
                lambda: queue.ended(attempt, outcome=Outcome.FAILED, reason="late"),
            ]
        )
        with self._as_user():
            try:
                write()
                self.violated("a write that came too late was taken")
            except StaleLease:
                self.happened("late writes refused")
        if self.app.store.tasks.get(attempt.task) != before:
            self.violated("a write that came too late changed its task")

    def _any_alive(self) -> Agent | None:
        alive = [agent for agent in self.agents.values() if agent.minder_lives]
        return self.random.choice(alive) if alive else None

    # What the user does

    def _user(self) -> None:
        if self.quiet:
            return
        self.at(self.random.expovariate(1 / 40), "user")
        kind = self.random.choices(*zip(*DEEDS.items(), strict=True))[0]
        self.happened(kind.replace("_", " "))
        with self._as_user():
            try:
                getattr(self, f"_{kind}")()
            except SubmitterDied:
                self.happened("submitter died")
            except NotFound:
                self.violated("something that was acknowledged is not there")
            finally:
                self.strikes_user = 0

    def _submit(self) -> None:
        if len(self.app.goals.open()) > 6:
            return
        count = self.random.randint(1, 6)
        planned = []
        for n in range(count):
            needs = tuple(f"t{m}" for m in range(n) if self.random.random() < 0.4)
            insists = "second" if self.random.random() < 0.1 else None
            planned.append(PlannedTask(id=f"t{n}", title=f"T{n}", description="", agent_type="any", depends_on=needs))
        if self.random.random() < 0.15:
            self.strikes_user = self.random.randint(1, 2)
        submission = Submission(text="Build it", max_attempts=MAX_ATTEMPTS, provider=insists)
        goal, tasks = self.app.goals.accept(Plan(goal="Build it", source="file", tasks=tuple(planned)), submission)
        self.goals[goal.id] = count
        ids = {task.key: task.id for task in tasks}
        for one in planned:
            if one.id in ids:
                self.tasks[ids[one.id]] = [ids[need] for need in one.depends_on]

    def _extend(self) -> None:
        open_tasks = [task for goal in self.app.goals.open() for task in self.app.store.tasks.of_goal(goal.id)]
        known = [task for task in open_tasks if task.id in self.tasks]
        if known:
            need = self.random.choice(known)
            planned = PlannedTask(id="more", title="More", description="", agent_type="any")
            submission = Submission(text="More", max_attempts=MAX_ATTEMPTS)
            goal, task = self.app.goals.extend(planned, [need], submission)
            self.tasks[task.id] = [need.id]
            if goal.id in self.goals:
                self.goals[goal.id] += 1

    def _cancel(self) -> None:
        if self.tasks:
            id = self.random.choice(list(self.tasks))
            self.app.tasks.cancel(id)  # type: ignore[arg-type]
            self.cancelled.add(id)

    def _cancel_goal(self) -> None:
        if self.goals:
            id = self.random.choice(list(self.goals))
            self.app.goals.cancel(id)  # type: ignore[arg-type]
            self.cancelled_goals.add(id)
            self.cancelled |= {task.id for task in self.app.store.tasks.of_goal(id)}  # type: ignore[arg-type]

    def _retry(self) -> None:
        if self.tasks:
            id = self.random.choice(list(self.tasks))
            task = self.app.tasks.retry(id)  # type: ignore[arg-type]
            self.cancelled.discard(id)
            self.cancelled_goals.discard(task.goal)
            self.rests_until.pop(id, None)

    def _stop(self) -> None:
        if self.leads:
            self.app.supervision.stop(now=self.random.random() < 0.3)

    def _stop_agent(self) -> None:
        order = {attempt.agent: number for number, attempt in enumerate(self.attempts)}  # ids are drawn, not seeded
        living = [agent for agent in self.app.store.agents.list(living=True) if agent.id in order]
        if living:
            self.app.agents.stop(self.random.choice(sorted(living, key=lambda agent: order[agent.id])))

    def _release(self) -> None:
        for hold in self.app.holds.release():
            self.limits.pop(hold.provider, None)

    def ring(self) -> None:
        """Somebody wrote something down: the supervisor is told, most of the time."""
        if self.inbox is None or not self.leads:
            return
        if self.random.random() < 0.1:
            self.last_ring_lost = self.clock.elapsed
            return
        from agent_orchestrator.runtime.happenings import Rang

        self.inbox.put(Rang())

    def is_read(self, provider: str, line: str) -> None:
        """The supervisor reads a line: from now on it knows of a limit."""
        word, _, rest = line.partition(" ")
        if word == "limited":
            until = datetime.fromtimestamp(float(rest), UTC)
            _, before = self.limits.get(provider, (until, until))
            self.limits[provider] = (self.clock.now(), max(until, before) if until > self.clock.now() else before)

    def may_fail(self, what: str, attempt: Attempt) -> None:
        if not self.quiet and self.random.random() < 0.03:
            self.charges[attempt.task] += 1
            self.happened(f"{what} failed")
            raise WorkspaceProblem(f"{what} failed")

    # The rules

    def begins(self, attempt: Attempt) -> Agent:
        """An agent begins: may it?"""
        self.happened("agents began")
        self.note("begins", attempt.id)
        assert self.options is not None and attempt.started_at is not None
        task, claimed = attempt.task, attempt.started_at
        for other in self.agents.values():
            if other.attempt.task == task and other.tree_lives:
                self.violated(f"two agents work on one task: {other.attempt.id} and {attempt.id}")
        if sum(agent.minder_lives for agent in self.agents.values()) >= MAX_AGENTS:
            self.violated("more agents work than were asked for")
        for need in self.tasks.get(task, []):
            if not self.landings[need]:
                self.violated("a task began before what it needs was landed")
        if self.landings[task]:
            self.violated("a task that was landed was begun again")
        if task in self.cancelled:
            self.violated("a task was begun that the user had cancelled")
        if claimed < self.rests_until.get(task, claimed):
            self.violated("a task was tried again without a pause")
        told, until = self.limits.get(attempt.provider, (claimed, claimed))
        if told < claimed < until and attempt.id not in self.claimed_by_another_clock:
            self.violated("an agent was started into a limit that its provider had told")
        if self.options.until is not None and claimed >= self.options.until - self.last_start:
            self.violated("an agent was started shortly before the deadline")
        # Twice as often: not each of those was charged in the end, such as the death of one that had met a limit.
        if self.charges[task] >= MAX_ATTEMPTS * (2 + self.counts.happened["retry"]):
            self.violated("a task was tried more often than it may be")
        works = ("good", "wrong", "nothing", "fails", "limited")
        work = self.random.choices(works, (30 if self.quiet else 12, 2, 1, 2, 0 if self.quiet else 1))[0]
        agent = Agent(attempt=attempt, work=work, cost=self.random.randint(50_000, 450_000))
        self.agents[attempt.id] = agent
        self.life_of[attempt.id] = self.life
        self.attempts.append(attempt)
        self.at(self.random.expovariate(1 / 60), "ends", agent)
        return agent

    def landed(self, branch: str, message: str, tree: frozenset[tuple[str, str]]) -> None:
        """A commit was put on a result branch: may it?"""
        for line in message.splitlines():
            if line.startswith("Task: "):
                task = line.split()[1]
                self.landings[task] += 1
                self.happened("landed")
                if self.landings[task] > 1:
                    self.violated("the work of one task was landed twice")
                if (task, "good") not in tree:
                    self.violated("something was landed that is not what was asked for")

    def look(self) -> None:
        """Hold the living, and now and then everything, against the records."""
        living = {agent.attempt.task: agent for agent in self.agents.values() if agent.tree_lives}
        if living:
            marks = ", ".join("?" * len(living))
            rows = self.app.store._connections.rows(  # type: ignore[attr-defined]
                f"SELECT id, state, token FROM tasks WHERE id IN ({marks})", tuple(living)
            )
            for row in rows:
                if row["token"] != living[row["id"]].attempt.token or TaskState(row["state"]) not in HELD:
                    self.violated(f"a task is {row['state']} while its agent works")
        if self.steps % 25 == 0:
            self._look_at_all()
        for done in [name for name, agent in self.agents.items() if not agent.tree_lives]:
            if len(self.agents) > 400:
                del self.agents[done]

    def _look_at_all(self) -> None:
        for row in self.app.store._connections.rows("SELECT id, attempts FROM tasks"):  # type: ignore[attr-defined]
            if row["attempts"] > self.charges[row["id"]]:
                self.violated("a task was charged for what was not its fault")

    def _could_start(self) -> bool:
        """Say whether a supervisor that goes to sleep now has something to do, and nothing is in its way."""
        options, store = self.options, self.app.store
        assert options is not None
        lately = self.clock.elapsed - self.last_ring_lost < ASLEEP_S
        held = any(hold.until > self.clock.now() for hold in store.holds.list())
        late = options.until is not None and self.clock.now() >= options.until - self.last_start
        term = store.leadership.get()
        if lately or held or late or options.budget or (term is not None and term.stop_wished):
            return False
        works = any(agent.minder_lives for agent in self.agents.values())
        return not works and bool(store.tasks.counts()[TaskState.READY])

    def judge(self) -> None:
        """Everything is over: was everything done that was acknowledged?"""
        self._look_at_all()
        for goal, count in self.goals.items():
            if len(self.app.store.tasks.of_goal(goal)) != count:  # type: ignore[arg-type]
                self.violated("a goal that was acknowledged is not there")
        if self.counts.violations:
            return
        over = {}
        for id in self.tasks:
            task = self.app.store.tasks.get(id)  # type: ignore[arg-type]
            over[id] = task.state
            if task.state is TaskState.DONE and self.landings[id] != 1:
                self.violated(f"a task is done and was landed {self.landings[id]} times")
            if task.state is not TaskState.DONE and self.landings[id]:
                self.violated(f"a task was landed and is {task.state}")
            if task.state is TaskState.CANCELLED and id not in self.cancelled:
                self.violated("a task is cancelled and nobody wished that")
            if task.state is TaskState.FAILED and not self.charges[id]:
                self.violated("a task failed without a fault of its own")
        for id, state in over.items():
            stuck = {TaskState.FAILED, TaskState.CANCELLED, TaskState.BLOCKED}
            needs = self.tasks[id]
            if state not in {TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED} and not (
                state is TaskState.BLOCKED and any(over[need] in stuck for need in needs)
            ):
                self.violated(f"a task was left {state}")
