"""The threads in which ended attempts are brought to safety, verified, landed, and goals delivered.

What one attempt left is saved side by side with the others'. Verifying, landing
and delivering are the merge queue: a single thread, so that nothing moves a
result branch between its check and its move. The oldest and most blocking goes
first. Each tells the supervisor's loop
by a happening that it is through; the database says what came of it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.errors import DiskFull, OrchestratorError, StaleLease, WorkspaceProblem, lacks_room
from agent_orchestrator.domain.evidence import CheckResult
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState, Isolation
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.domain.task import HELD, TaskState, Verdict
from agent_orchestrator.providers import SESSION_LOST, Ending, Provider
from agent_orchestrator.runtime.commands import CommandStopped
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.happenings import BaseChecked, Delivered, Happening, NoRoom, NotDelivered, Rang, Settled
from agent_orchestrator.runtime.landing import Landing
from agent_orchestrator.runtime.line import Line, Rank
from agent_orchestrator.runtime.right_of_way import RightOfWay
from agent_orchestrator.runtime.room import Room
from agent_orchestrator.runtime.run_dir import State, state
from agent_orchestrator.runtime.spawner import AgentSpawner
from agent_orchestrator.runtime.sweeping import sweep
from agent_orchestrator.runtime.transcript import Tailer
from agent_orchestrator.runtime.verification import verdict
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.tasks import TaskQueue
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Collected, Workspace

TAIL_CHARACTERS = 2_000
"""Of a goal check's output that its event keeps."""
FIRST: Rank = (0,)
"""What goes before every landing: the base's check, by which they are judged, what a crash left half done, and the
delivery of a goal in which nothing is left to land."""
LAST: Rank = (2,)
"""What may wait until nothing else does: advice on work that is landed."""
SOON = timedelta(minutes=2)
"""How long work waits for a task that conflicted before it to be started again: it may have to wait for a limit."""
SAVED_AT_ONCE = 4
"""Attempts whose work is saved at the same time; each is a few processes of git."""


@dataclass(slots=True, kw_only=True)
class MergeQueue:
    """Takes ended attempts and completed goals; posts `Settled` and `Delivered` for each in the end."""

    store: Store
    queue: TaskQueue
    events: Events
    landing: Landing
    spawner: AgentSpawner
    providers: dict[str, Provider]
    room: Room
    post: Callable[[Happening], None]
    log: Callable[[str], None]
    _saving: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=SAVED_AT_ONCE, thread_name_prefix="save")
    )
    _line: Line = field(init=False)
    _right_of_way: RightOfWay = field(init=False)

    def __post_init__(self) -> None:
        """Open the line."""
        self._line = Line("merge-queue", self._failed)
        self._right_of_way = RightOfWay(is_coming=self._is_coming)

    def take(self, follower: Follower, ending: Ending) -> None:
        """Save what an ended attempt left; then land it, or give its task back."""
        self._saving.submit(self._settle, follower, ending)

    def look(self, *, hurry: bool) -> None:
        """Let land what waited for others to land first; with *hurry*, whether they have or not."""
        self._right_of_way.release(everyone=hurry)

    def take_again(self, attempt: Attempt) -> None:
        """Take work that was in the queue when an earlier supervisor died."""
        self._line.put(FIRST, lambda: self._recover(attempt))

    def deliver(self, goal: Goal) -> None:
        """Deliver a completed goal. A failed goal's work stays on its branch."""
        self._line.put(FIRST, lambda: self._deliver(goal))

    def check_base(self, goal: Goal) -> None:
        """Run the project's check on the goal's base, and write down what it showed."""
        self._line.put(FIRST, lambda: self._check_base(goal))

    def give_back(self, attempt: Attempt, outcome: Outcome, reason: str) -> None:
        """End an attempt that nothing is landed of, at once; its task is tried again, or not, as its rules say."""
        try:
            self.queue.ended(attempt, outcome=outcome, reason=reason)
        except StaleLease as error:
            self.log(error.message)

    def shut_down(self) -> None:
        """Wait until all that was taken is through."""
        self._saving.shutdown(wait=True)
        self._line.close()

    def _failed(self, error: Exception) -> None:
        if lacks_room(error):
            self.post(NoRoom(_in_words(error)))
        else:
            self.log(f"internal error: {_in_words(error)}")

    def _settle(self, follower: Follower, ending: Ending) -> None:
        """Save what is there. Then the one thread has it, or its task is given back."""
        attempt, workspace = follower.attempt, follower.workspace

        def save() -> bool:
            self._end_leftovers(attempt)
            if ending.outcome is not None or workspace is None:
                self._save_and_give_back(follower, ending)
                return True
            collected = self.landing.save(attempt, workspace)
            line_up(workspace, collected)
            return False

        def line_up(workspace: Workspace, collected: Collected) -> None:
            self._line.put(self._rank(attempt), lambda: self._stage(attempt, lambda: land(workspace, collected)))

        def land(workspace: Workspace, collected: Collected) -> bool:
            landing, right_of_way = self.landing, self._right_of_way
            first = right_of_way.wait(attempt, collected.files, lambda: line_up(workspace, collected))
            if first is not None:
                here, there = (self.store.tasks.get(id).key for id in (attempt.task, first))
                self.log(f"{here} waits to land: {there} changes the same files, and had to give way before")
                return False
            outcome = landing.process(attempt, follower.provider, workspace, collected, later=self._when_idle)
            right_of_way.settled(attempt, outcome, collected.files)
            if outcome is Outcome.SUCCEEDED:
                with suppress(RuntimeError):  # the run is being shut down: `cleanup` will find the checkout
                    self._saving.submit(landing.give_back_checkout, workspace, collected)
            return True

        self._stage(attempt, save)

    def _when_idle(self, job: Callable[[], None]) -> None:
        self._line.put(LAST, job)

    def _end_leftovers(self, attempt: Attempt) -> None:
        """Where somebody killed a minder, end what its agent had started: the next attempt must be alone."""
        run_dir = Path(attempt.run_dir)
        if state(run_dir) is not State.VANISHED:
            return
        swept = sweep(run_dir)
        if swept.survivors:
            self.log(f"{attempt.id}: processes {_listed(swept.survivors)} could not be ended")
        if swept.unreadable:
            self.log(f"{attempt.id}: processes {_listed(swept.unreadable)} may be its own; who began them is hidden")

    def _is_coming(self, task: TaskId) -> bool:
        """Say whether a task that conflicted is being done again, or its next attempt starts in a moment."""
        found = self.store.tasks.get(task)
        if found.state in HELD:
            return True
        due = found.not_before or found.updated_at
        waits = found.state is TaskState.READY or (found.state is TaskState.BLOCKED and found.not_before is not None)
        return waits and due is not None and self.queue.clock.now() - due < SOON

    def _rank(self, attempt: Attempt) -> Rank:
        """Return an attempt's place in the line: the oldest and most urgent goal, then what blocks the most.

        It is the order in which tasks are claimed: a goal gains with its age, and of its tasks the one goes first on
        which the longest rest of the plan waits. A small change that nothing waits for cannot hold that up.
        """
        task = self.store.tasks.get(attempt.task)
        return (1, task.goal_rank, task.task_rank)

    def _stage(self, attempt: Attempt, stage: Callable[[], bool]) -> None:
        """Take one step of settling an attempt; tell the loop when it was the last one, or went wrong."""
        trouble, is_last = "", True
        try:
            try:
                is_last = stage()
            except (StaleLease, CommandStopped) as error:
                trouble = error.message  # a stopped check leaves its task as it is: the next run verifies it
            except Exception as error:
                if lacks_room(error) or self.room.is_short():
                    raise
                trouble = _in_words(error)
                internal = "" if isinstance(error, OrchestratorError) else "internal error: "
                # a bug of ours must cost one attempt, not the night
                self.give_back(attempt, Outcome.FAILED, f"{internal}{trouble}")
        except Exception as error:
            if not (lacks_room(error) or self.room.is_short()):
                raise
            is_last = False  # the attempt is left as it is: it is taken up again when there is room
            self.post(NoRoom(_in_words(error)))
        finally:
            if is_last:
                self.post(Settled(attempt.id, trouble))

    def _save_and_give_back(self, follower: Follower, ending: Ending) -> None:
        attempt = follower.attempt
        outcome = ending.outcome or Outcome.LOST
        reason = ending.reason or "its checkout is gone"
        if follower.workspace is not None and follower.workspace.isolation is not Isolation.SHARED:
            saved = self.landing.save(attempt, follower.workspace)
            attempt = replace(attempt, commit=saved.commit, branch=saved.branch)
        attempt = self.landing.take_in(self.store.tasks.get(attempt.task), attempt)
        # A session in which nothing was answered holds nothing, and gemini does not even keep it.
        if reason.startswith(SESSION_LOST) or (follower.did_nothing and attempt.resumes is None):
            attempt = replace(attempt, session=None)
        attempt = replace(attempt, feedback=f"{attempt.feedback}\n{reason}".strip())
        self._right_of_way.settled(attempt, outcome)
        self.give_back(attempt, outcome, reason)

    def _recover(self, attempt: Attempt) -> None:
        try:
            landed = self.landing.recover(attempt)
        except DiskFull as error:
            self.post(NoRoom(error.message))
            return
        except OrchestratorError as error:
            self.give_back(attempt, Outcome.LOST, error.message)
            self.post(Settled(attempt.id, error.message))
            return
        if landed:
            self.post(Settled(attempt.id))
            return
        goal = self.store.goals.get(attempt.goal)
        follower = Follower(
            attempt=attempt,
            provider=self.providers[attempt.provider],
            process=None,
            workspace=self.spawner.reopen(attempt, goal),
            tailer=Tailer(Path(attempt.run_dir) / "stdout.log"),
        )
        gone = Ending(outcome=Outcome.LOST, reason="its checkout was gone after a crash")
        ending = Ending(outcome=None) if follower.workspace is not None else gone
        with suppress(RuntimeError):  # the run is being shut down: the attempt is open still, and the next one takes it
            self._saving.submit(self._settle, follower, ending)

    def _deliver(self, goal: Goal) -> None:
        """Deliver a completed goal, in the merge queue's thread. A failed goal's work stays on its branch."""
        try:
            if goal.state is GoalState.COMPLETED:
                goal = self.landing.deliver(self._judged(goal))
            elif goal.result_branch and self.spawner.workspaces.tip(goal.result_branch):
                note = f"what is landed so far: git merge {goal.result_branch}"
                goal = goal._replace(delivery=Delivery.WAITING, delivery_note=note)
        except CommandStopped:
            self.post(NotDelivered(goal.id))
            return
        except OrchestratorError as error:
            if lacks_room(error) or self.room.is_short():
                self.post(NoRoom(error.message))
                return
            goal = goal._replace(delivery=Delivery.WAITING, delivery_note=error.message)
        except Exception as error:  # a bug of ours must not keep the run from ending
            if lacks_room(error):
                self.post(NoRoom(str(error)))
                return
            goal = goal._replace(delivery=Delivery.WAITING, delivery_note=f"internal error: {error}")
        self.post(Delivered(goal))

    def _judged(self, goal: Goal) -> Goal:
        """Check all that the goal landed, together, write down what that showed, and return it with its verdict."""
        try:
            goal, check = self.landing.check_goal(goal)
        except WorkspaceProblem as error:
            self._record("goal.not_checked", goal, reason=error.message)
            return goal._replace(verdict=Verdict.UNVERIFIED)
        if check is not None:
            self._record(
                "goal.checked",
                goal,
                result=check.result,
                command=check.command,
                exit_code=check.exit_code,
                duration_ms=check.duration_ms,
                tail=check.tail[-TAIL_CHARACTERS:],
                failures=check.failures,
                tree=check.tree,
                cached=check.cached,
                verdict=verdict(check),
            )
        return goal

    def _check_base(self, goal: Goal) -> None:
        """Run the project's check on the base, in the merge queue's thread, and write down what it showed."""
        try:
            check = self.landing.check_base(goal)
        except DiskFull as error:
            self.post(NoRoom(error.message))
            return
        except OrchestratorError as error:
            self.post(Rang())
            self._record("base.not_checked", goal, reason=error.message)
            return
        if check is not None:
            self._record("base.checked", goal, result=check.result, command=check.command, failures=check.failures)
            if check.result is not CheckResult.PASSED:
                self.post(BaseChecked(goal.id, check))

    def _record(self, type: str, goal: Goal, **data: Any) -> None:
        with self.store.transaction():
            self.events.record(type, goal=goal, **data)


def _listed(pids: tuple[int, ...]) -> str:
    return ", ".join(str(pid) for pid in pids)


def _in_words(error: Exception) -> str:
    return error.message if isinstance(error, OrchestratorError) else f"{type(error).__name__}: {error}"
