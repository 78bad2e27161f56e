"""The supervisor: one loop, one inbox, and ``step``, the only writer of run-time state.

It makes true what services wrote down. Slow work (git, set-up, checks) runs in
small thread pools that post what came of it: one makes attempts ready, one
brings the work of ended ones to safety, one, a single thread, is the merge
queue. Agents write to files; this loop reads on where it stopped. Whatever
dies, the database and the files say how to go on.
"""

import math
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from agent_orchestrator.domain.attempt import Attempt, Outcome, Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.errors import DiskFull, OrchestratorError, StaleLease, lacks_room
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.providers import Provider
from agent_orchestrator.runtime.endings import ending_of, told_of_base
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.happenings import (
    BaseChecked,
    Delivered,
    Exited,
    GoalNotOpened,
    GoalOpened,
    Happening,
    NoRoom,
    NotDelivered,
    NotPrepared,
    Prepared,
    Rang,
    Settled,
    StopRequested,
)
from agent_orchestrator.runtime.inbox import Inbox
from agent_orchestrator.runtime.masking import mask_files
from agent_orchestrator.runtime.pieces import Pieces
from agent_orchestrator.runtime.process import Process
from agent_orchestrator.runtime.recovery import Recovery
from agent_orchestrator.runtime.run_options import Outlook, RunOptions, heeding_signals
from agent_orchestrator.runtime.scheduling import Decision, Situation, decide, shortly_before
from agent_orchestrator.runtime.spawner import Launch, run_folder
from agent_orchestrator.runtime.transcript import Tailer
from agent_orchestrator.runtime.vigil import Seen
from agent_orchestrator.stores import Leadership

READ_EVERY_S = 0.25
"""How often transcripts are read while agents run: often enough for a live view, 4 small reads a second each."""
REMEMBER_EVERY_S = 2.0
"""How often progress is written down per agent; what is lost in a crash is read again from the transcript."""
WISHES_EVERY_S = 1.0
"""How often wishes are looked at while agents run; a ring of the bell is looked at within a moment."""
IDLE_S = 30.0
"""How long the loop sleeps with nothing to do. Rings wake it; this only bounds the harm of a lost one."""


class Supervisor:
    """Runs one project until its work is done or it is told to stop."""

    def __init__(self, pieces: Pieces, options: RunOptions, *, log: Callable[[str], None] = lambda _: None) -> None:
        """Prepare a run; *log* gets one plain line for everything worth telling a person."""
        self.pieces = pieces
        self.options = options
        self.outlook = Outlook()
        self.inbox: Inbox[Happening] = Inbox()
        self.running: dict[AttemptId, Follower] = {}
        """Attempts with a living process."""
        self.preparing: dict[AttemptId, Attempt] = {}
        self.settling: dict[AttemptId, Attempt] = {}
        """Attempts that wait for the merge queue or are in it."""
        self._log = log
        self._max_agents = options.max_agents
        self._paused = False
        """Whether the run has stopped for want of room, and leads on when there is some."""
        self._unheeded: list[int] = []
        """Signals that ask the run to stop and were not taken in yet."""
        self._remembered: dict[AttemptId, float] = {}
        self._shortly = shortly_before(options.until, pieces.clock.now())
        self._wishes_at = 0.0
        self._wishes_due = True
        self._spending = pieces.spending(options, log)
        self._replanner = pieces.replanner(self._spending, log)
        self._making_ready = ThreadPoolExecutor(max_workers=4, thread_name_prefix="prepare")
        self._checkpoints = pieces.checkpointing(log)
        self._merge_queue = pieces.merge_queue(self.inbox.put, log)
        self._providers = pieces.provider_watch(options, log)
        self._goals = pieces.open_goals(options, self._merge_queue, self._making_ready, self.inbox.put, log)

    def run(self) -> Outlook:
        """Lead the project until its work is done; return how the run ended.

        Raises:
            AlreadyRunning: another supervisor serves the project.
            DiskFull: there is no room. Agents go on, nothing was given up, and the leader it was given still leads:
                another supervisor can be made with it, to go on.
        """
        leadership = self._elected()
        bell = self.pieces.notifier.listen()
        if bell is not None:
            self.inbox.watch(bell, Rang())
        try:
            with heeding_signals(self._on_signal):
                self._lead(leadership)
        finally:
            if self._paused:  # whoever waits for room heeds what came too late for us
                for late in self._unheeded:
                    signal.raise_signal(late)
            self._shut_down()
        return self.outlook

    def _elected(self) -> Leadership:
        """Become the project's supervisor. Raises AlreadyRunning."""
        set_aside = self.pieces.attempt_budget.limits if self.pieces.attempt_budget else None
        return self.pieces.leader.elect(
            max_agents=self.options.max_agents, options={**self.options.recorded(), "set_aside": set_aside}
        )

    def _lead(self, leadership: Leadership) -> None:
        """Take over what there is, then turn the loop until nothing is left to do. Raises DiskFull."""
        try:
            self.pieces.spawner.nursery.open()  # it loads while what an earlier supervisor left is looked at
            self._recover()
            self._providers.tell_unusable()
            self._read_wishes(leadership)
            self.advance()
            while not self._is_over():
                for happening in self.inbox.take(self._patience()):
                    self.step(happening)
                self.advance()
            self._spending.tell_nearly_used([goal.id for goal in self.pieces.goals.open()], math.inf)
            self.pieces.vigil.look(self._seen, at_once=True)
        except Exception as error:
            if not lacks_room(error):
                raise
            self._paused = True  # whoever leads next takes up what is open, as after a crash
            self.pieces.abandon_checks.set()
            if self.outlook.stopping:
                self._log("the disk is full: what is at work is left to the next run")
                return
            self._tell_pause()
            told = error.message if isinstance(error, OrchestratorError) else str(error)
            raise DiskFull(told, hint="free some space and repeat") from error

    def _tell_pause(self) -> None:
        try:
            with self.pieces.store.transaction():
                self.pieces.events.record("run.paused", reason="disk", free_bytes=self.pieces.room.free_bytes())
            self.pieces.vigil.look(self._seen, at_once=True)
        except OrchestratorError:
            self.pieces.vigil.tell_pause()

    def _recover(self) -> None:
        """Take over what an earlier supervisor left, before anything is started."""
        pieces = self.pieces
        Recovery(
            store=pieces.store,
            clock=pieces.clock,
            events=pieces.events,
            queue=pieces.queue,
            providers=pieces.providers,
            give_back=self._give_back_found,
            follow=self._adopt,
            settle_again=self._settle_again,
            log=self._log,
        ).recover()

    def _adopt(self, attempt: Attempt, process: Process | None) -> None:
        self._watch(attempt, self.pieces.providers[attempt.provider], process, None)
        if process is None:
            self.inbox.put(Exited(attempt.id))

    def _give_back_found(self, attempt: Attempt, outcome: Outcome, reason: str) -> None:
        mask_files(Path(attempt.run_dir), self.pieces.redact)
        self._merge_queue.give_back(attempt, outcome, reason)

    def _settle_again(self, attempt: Attempt) -> None:
        mask_files(Path(attempt.run_dir), self.pieces.redact)  # the machine may have lost what was masked before
        self.settling[attempt.id] = attempt
        self._merge_queue.take_again(attempt)

    def step(self, happening: Happening) -> None:
        """Take in one thing that happened."""
        match happening:
            case Rang():
                self.pieces.notifier.drain()
                self._wishes_due = True
            case StopRequested():
                self._unheeded.clear()
                self._stop(self.outlook.stopping + 1)
            case GoalOpened(goal):
                self._goals.opened(goal)
            case GoalNotOpened(goal_id, reason):
                self._goals.not_opened(goal_id, reason)
            case BaseChecked(goal_id, check):
                self._log(f"goal {goal_id}: {told_of_base(check)}")
            case Prepared(launch):
                self._start(launch)
            case NotPrepared(_, reason) if self.pieces.room.is_short():
                raise DiskFull(reason)
            case NotPrepared(attempt_id, reason):
                self._not_prepared(attempt_id, reason)
            case Exited(attempt_id):
                self._exited(attempt_id)
            case Settled(attempt_id, trouble):
                self._settled(attempt_id, trouble)
            case Delivered(goal):
                self._goals.delivered(goal)
                self.pieces.tidying.goal_ended()
            case NotDelivered(goal_id):
                self._goals.not_delivered(goal_id)
            case NoRoom(reason):
                raise DiskFull(reason)
            case _:
                assert_never(happening)

    def advance(self) -> None:
        """Do what time and the database ask for: read transcripts, heed wishes, start what may start, end goals."""
        now = self.pieces.clock.monotonic()
        self.pieces.room.need(now)
        self.pieces.vigil.tell_sleep()
        for follower in list(self.running.values()):
            self._follow(follower, now)
        self._checkpoints.look(list(self.running.values()), now)
        self._heed_budgets(now)
        if self._wishes_due or now - self._wishes_at >= (WISHES_EVERY_S if self.running else IDLE_S):
            self._wishes_due, self._wishes_at = False, now
            self._read_wishes(self.pieces.leader.renew())
        self._heed_deadline()
        due = self.pieces.store.tasks.next_due()
        if due is not None and due <= self.pieces.clock.now():
            self.pieces.queue.release_due()
        self._merge_queue.look(hurry=bool(self.outlook.stopping))
        self._replanner.look(may_ask=not self.outlook.stopping)
        self._fill()
        if self.outlook.stopping < 2:  # else the next run ends them
            attempts = [*self.settling.values(), *(one.attempt for one in self.running.values())]
            self._goals.close({attempt.goal for attempt in attempts})
        self.pieces.vigil.look(self._seen)
        self.pieces.anchors.drop(now)
        self.pieces.tidying.look(now)

    def _seen(self) -> Seen:
        at_work = self.running or self.preparing or self.settling or self._goals.is_busy
        return Seen(
            has_work=bool(at_work or self.pieces.goals.open(self.options.goal)),
            holds=self.pieces.holds.current(),
            all_held=self._providers.all_held(),
            # What is at work may still end the goal well: nobody is woken before it has ended.
            stopped_by="" if at_work else self.outlook.stopped_by,
            output=sum(follower.tailer.offset for follower in self.running.values()),
        )

    def _heed_budgets(self, now: float) -> None:
        """Ask agents to end whose goal, or whose run, has used up what it may: their work is kept, and none is charged.

        Who has said the last word goes on to its end: that is paid already, and looked at.
        """
        passed = self._spending.passed({one.attempt.goal for one in self.running.values()}, now)
        for follower in self.running.values():
            why = passed.get(follower.attempt.goal)
            if why and follower.finished_at is None and not follower.asked_to_stop:
                self._log(f"{follower.attempt.agent} is asked to end: {why}")
                follower.ask_to_stop(why)

    def _heed_deadline(self) -> None:
        """Wind down before the time is over: agents are asked to end and their work is saved; then the rest stops."""
        until = self.options.until
        if until is None or self.outlook.stopping == 2:
            return
        now = self.pieces.clock.now()
        if now >= until - self._shortly.wind_down:
            self.outlook.stopped_by = "deadline" if not self.outlook.stopping else self.outlook.stopped_by
            self._stop(2 if now >= until else 1)

    # Starting

    def _fill(self) -> None:
        """Start as many agents as may start now."""
        goals = self._goals.claimable(may_open=not self.outlook.stopping)
        self._spending.tell_nearly_used(goals, self.pieces.clock.monotonic())
        decision = decide(self._situation(goals))
        if decision.stopped_by:
            self._tell_what_stops(decision.stopped_by, goals)
        if not decision.slots or not self.pieces.store.tasks.counts()[TaskState.READY]:
            return
        bounded = self._spending.bounded(goals)
        for number in range(decision.slots):
            if bounded and number:  # each start is paid for before the next one
                decision = decide(self._situation(goals))
                if not decision.slots:
                    return
            if not self._claim(decision):
                return

    def _tell_what_stops(self, limit: str, goals: tuple[GoalId, ...]) -> None:
        """Tell once that the run's *limit* lets nothing more of *goals* start."""
        if limit == self.outlook.stopped_by or not self._has_unstarted(goals):
            return
        self.outlook.stopped_by = limit
        self._log(f"no new starts: the {limit} is {'near' if limit == 'deadline' else 'reached'}")

    def _claim(self, decision: Decision) -> bool:
        """Claim the next task that may start and begin to make its attempt ready; False when there is none."""
        claimed = self.pieces.queue.claim(
            decision.provider,
            others=decision.others,
            stand_ins=decision.stand_ins,
            goals=decision.goals,
            run_dir=lambda task, number: run_folder(self.pieces.state, task.goal, AttemptId(f"{task.id}.{number}")),
        )
        if claimed is None:
            return False
        task, attempt = claimed
        self.preparing[attempt.id] = attempt
        if attempt.provider == decision.provider:
            self._providers.takes_tasks(attempt.provider)
        self._making_ready.submit(self._prepare, task, attempt, self._spending.of_attempt(attempt))
        return True

    def _has_unstarted(self, goals: tuple[GoalId, ...]) -> bool:
        """Say whether *goals* have tasks that are not started; without them nothing is stopped."""
        found = [self.pieces.store.tasks.counts(goal) for goal in goals]
        return any(counts[TaskState.READY] or counts[TaskState.BLOCKED] for counts in found)

    def _situation(self, goals: tuple[GoalId, ...]) -> Situation:
        pieces = self.pieces
        held = frozenset(hold.provider for hold in pieces.holds.current())
        working = [*self.preparing.values(), *(one.attempt for one in self.running.values())]
        thinking = self._replanner.thinking
        per_goal = Counter([*(attempt.goal for attempt in working), *thinking])
        per_provider = Counter(attempt.provider for attempt in working)
        used = self._spending.used()
        in_place = pieces.spawner.workspaces.isolation is Isolation.SHARED
        return Situation(
            now=pieces.clock.now(),
            providers=self.options.providers,
            held=held,
            room={name: width - per_provider[name] for name, width in pieces.holds.widths().items()},
            max_agents=self._max_agents,
            # In the shared folder an attempt's files are looked at before the next agent changes them.
            busy=len(self.preparing) + len(self.running) + (len(self.settling) if in_place else 0),
            asking=len(thinking),
            one_at_a_time=in_place,
            stopping=bool(self.outlook.stopping),
            until=self.options.until,
            last_start=self._shortly.last_start,
            budget=self._spending.run,
            spent_micro_usd=used.micro_usd,
            spent_tokens=used.tokens,
            worked_s=used.seconds,
            goals=goals,
            exhausted=frozenset(pieces.budgets.exhausted(goals, per_goal, pieces.attempt_budget)),
            task_providers={
                name: True
                for name in pieces.store.tasks.providers()
                if name in pieces.available and name not in self.options.providers
            },
        )

    def _prepare(self, task: Task, attempt: Attempt, budget: Budget | None) -> None:
        """Make an attempt ready, in a thread."""
        try:
            goal = self.pieces.store.goals.get(task.goal)
            self.inbox.put(Prepared(self.pieces.spawner.prepare(task, goal, attempt, budget)))
        except OrchestratorError as error:
            lacks = lacks_room(error)
            self.inbox.put(NoRoom(error.message) if lacks else NotPrepared(attempt.id, error.message))
        except Exception as error:  # a bug of ours must cost one attempt, not the night
            if lacks_room(error):
                self.inbox.put(NoRoom(str(error)))
                return
            self.inbox.put(NotPrepared(attempt.id, f"{type(error).__name__}: {error}"))
            raise

    def _start(self, launch: Launch) -> None:
        attempt = launch.attempt
        if self.preparing.pop(attempt.id, None) is None:
            return
        if self.outlook.stopping or self._is_cancelled(attempt):
            self._merge_queue.give_back(attempt, Outcome.CANCELLED, "stopped before it was started")
            return
        try:
            self.pieces.queue.prepared(attempt)
        except StaleLease as error:
            self._log(error.message)
            return
        process = self.pieces.spawner.start(launch)
        agent = process.agent
        started = replace(attempt, pid=agent.pid if agent else None)
        try:
            self.pieces.queue.started(started, sandbox=launch.sandbox, notes=launch.notes)
        except StaleLease as error:
            process.kill()
            process.close()
            self._log(error.message)
            return
        except DiskFull:
            process.close()  # it goes on, and is adopted
            raise
        self.outlook.started += 1
        task = self.pieces.store.tasks.get(attempt.task)
        self._log(f"{attempt.agent} starts {task.key} ({task.specialist}), attempt {attempt.number}: {task.title}")
        for note in launch.notes:
            self._log(f"{attempt.agent}, {task.key}: {note}")
        self._watch(started, launch.provider, process, launch)

    def _watch(self, attempt: Attempt, provider: Provider, process: Process | None, launch: Launch | None) -> Follower:
        goal = self.pieces.store.goals.get(attempt.goal)
        workspace = launch.workspace if launch is not None else self.pieces.spawner.reopen(attempt, goal)
        follower = Follower(
            attempt=attempt,
            provider=provider.for_model(attempt.model) if attempt.model else provider,
            process=process,
            workspace=workspace,
            # Read from the beginning: what an earlier supervisor had read is in the transcript, its memory is not.
            tailer=Tailer(Path(attempt.run_dir) / "stdout.log"),
            budget=self._spending.of_attempt(attempt),
            redact=self.pieces.redact,
        )
        if attempt.resumes is not None:
            follower.continues(self._paid_before(attempt))
        self.running[attempt.id] = follower
        if process is not None:
            self.inbox.watch(process, Exited(attempt.id))
        return follower

    def _paid_before(self, attempt: Attempt) -> Usage:
        """Return what the attempts of the same session used before this one."""
        before = Usage()
        for one in self.pieces.store.attempts.of_task(attempt.task):
            if one.number < attempt.number and one.session == attempt.session:
                before = before.plus(one.usage)
        return before

    def _not_prepared(self, attempt_id: AttemptId, reason: str) -> None:
        attempt = self.preparing.pop(attempt_id, None)
        if attempt is not None:
            self._log(f"{attempt.task} could not be started: {reason}")
            self._merge_queue.give_back(attempt, Outcome.FAILED, f"could not be started: {reason}")

    # Following

    def _follow(self, follower: Follower, now: float) -> None:
        follower.read(now)
        follower.stop_if_it_must(now)
        attempt = follower.attempt
        if follower.limited is None and not follower.did_nothing:
            self._providers.answered(attempt)
        if follower.changed and now - self._remembered.get(attempt.id, 0.0) >= REMEMBER_EVERY_S:
            self._remembered[attempt.id], follower.changed = now, False
            self.pieces.queue.progressed(attempt)

    def _read_wishes(self, leadership: Leadership) -> None:
        """Heed what services wrote down: stop, another number of agents, agents to stop, tasks to cancel."""
        self._max_agents = leadership.max_agents
        if leadership.stop_wished > self.outlook.stopping:
            self._stop(leadership.stop_wished)
        if not self.running:
            return
        wished = {agent.id for agent in self.pieces.store.agents.list(living=True) if agent.stop_wished}
        for follower in self.running.values():
            if follower.attempt.agent in wished:
                follower.ask_to_stop("stopped by the user")
            elif self._is_cancelled(follower.attempt):
                follower.ask_to_stop("cancelled by the user")

    def _is_cancelled(self, attempt: Attempt) -> bool:
        return self.pieces.store.tasks.get(attempt.task).cancel_wished

    def _stop(self, level: int) -> None:
        level = min(level, 2)
        if level <= self.outlook.stopping:
            return
        self.outlook.stopping = level
        self.outlook.stopped_by = self.outlook.stopped_by or "user"
        if level == 2:
            self.pieces.abandon_checks.set()
        self._log("stopping at once" if level == 2 else "stopping: no new starts, agents are asked to end")
        for follower in self.running.values():
            follower.ask_to_stop("the run was stopped", hard=level == 2)

    def _on_signal(self, number: int, frame: object) -> None:
        self._unheeded.append(number)
        self.inbox.put(StopRequested())

    # Ending

    def _exited(self, attempt_id: AttemptId) -> None:
        follower = self.running.pop(attempt_id, None)
        if follower is None:
            return
        if follower.process is not None:
            self.inbox.forget(follower.process)
        follower.read(self.pieces.clock.monotonic(), to_end=True)
        self._remembered.pop(attempt_id, None)
        ending = ending_of(follower)
        if ending.limited is None and not follower.did_nothing:  # many say their first word as they end
            self._providers.answered(follower.attempt)
        self._providers.ended(follower.attempt)
        follower.close()
        self._checkpoints.ended(follower, may_land=ending.outcome is None)
        mask_files(Path(follower.attempt.run_dir), self.pieces.redact)
        if follower.summary:
            follower.attempt = replace(follower.attempt, summary=follower.summary)
            if ending.outcome is not None:  # else it is kept with the rest
                self.pieces.queue.noted(follower.attempt.task, follower.summary)
        if ending.outcome is Outcome.LIMITED and ending.limited is not None:
            at_work = [one.attempt.provider for one in self.running.values()]
            self._providers.limited(follower.attempt, ending, at_work=at_work)
        self.settling[attempt_id] = follower.attempt
        try:
            if ending.outcome is None:
                self.pieces.queue.handed_in(follower.attempt)
            else:  # it is given back in a thread, and before that another may start: what it used counts from now on
                self.pieces.queue.progressed(follower.attempt, alive=False)
        except StaleLease as error:
            self._settled(attempt_id, error.message)
            return
        self._merge_queue.take(follower, ending)

    def _settled(self, attempt_id: AttemptId, trouble: str) -> None:
        attempt = self.settling.pop(attempt_id, None)
        if trouble:
            self._log(f"{attempt_id}: {trouble}")
        if attempt is None:
            return
        task = self.pieces.store.tasks.get(attempt.task)
        ended = self.pieces.store.attempts.get(attempt_id)
        self._checkpoints.settled(ended, landed=ended.outcome is Outcome.SUCCEEDED)
        if task.state is TaskState.DONE:
            self._log(f"{task.key} is landed: {task.verdict}")
            return
        after = {
            TaskState.FAILED: "it goes to the dead letter",
            TaskState.CANCELLED: "it is cancelled",
        }.get(task.state, f"it will be tried again{self._otherwise(attempt)}")
        self._log(f"{task.key}, attempt {attempt.number}: {ended.outcome or 'ended'}, {ended.reason}; {after}")

    def _otherwise(self, attempt: Attempt) -> str:
        """Say what will be different in the attempt after this one."""
        told = self.pieces.events.last(1, task=attempt.task, types=("task.escalated",))
        if not told or told[0].attempt != attempt.id:
            return ""
        tier, instead = told[0].data.get("tier"), told[0].data.get("instead_of")
        return f", with a {tier} model" if tier else f", by another provider than {instead}"

    # The loop's edges

    def _is_over(self) -> bool:
        """Say whether nothing is left to do in this run."""
        if self.running or self.preparing or self.settling or self._goals.is_busy:
            return False
        if self.outlook.stopping:
            return True
        if self.options.watch:
            return False
        if not self.pieces.goals.open(self.options.goal):
            return True
        if self.outlook.stopped_by:
            return True
        if not self.options.wait_for_limits and self._providers.all_held():
            self.outlook.stopped_by = "limit"
            return True
        return False

    def _patience(self) -> float:
        """Return how long the loop may sleep, in seconds."""
        if self.running:
            return READ_EVERY_S
        if self.preparing or self.settling or self._goals.is_busy or self._replanner.is_thinking:
            return WISHES_EVERY_S
        now = self.pieces.clock.now()
        moments = [hold.until for hold in self.pieces.holds.current()]
        due = self.pieces.store.tasks.next_due()
        moments += [due] if due else []
        until = self.options.until
        moments += [until - self._shortly.wind_down, until] if until else []
        waits = [max(0.05, (moment - now).total_seconds()) for moment in moments]
        return min([IDLE_S, *waits])

    def _shut_down(self) -> None:
        with ExitStack() as last:  # each runs even if another fails; in reverse order
            last.callback(self.pieces.vigil.close)
            if not self._paused:  # a run that waits for room keeps the lead
                last.callback(lambda: self.pieces.leader.resign(self.outlook.stopped_by))
                last.callback(self.pieces.anchors.drop, math.inf, at_once=True)
            last.callback(self.pieces.notifier.close)
            last.callback(self.inbox.close)
            for follower in self.running.values():
                last.callback(follower.close)
            last.callback(self.pieces.spawner.nursery.close)
            last.callback(self._checkpoints.shut_down)
            last.callback(self._merge_queue.shut_down)
            last.callback(self._making_ready.shutdown, wait=True, cancel_futures=True)
            last.callback(self.pieces.tidying.close)
