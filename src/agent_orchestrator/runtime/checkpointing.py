"""Checkpoints of running attempts' work, in a thread of their own.

An agent that resets its checkout, or deletes it, loses at most what it did since
the last one. The thread takes one at a time and rests in between, so that
checkpoints never take more than a twentieth of one core, however large the
checkout is; the supervisor's loop only says what is due. An attempt that is
landed before its first one is due needs none: its work is in the user's
repository, and the goal's result as a whole is kept every so often.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.restoring import chosen
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Checkpoints, Workspace, Workspaces

RESTS = 19
"""Times as long as the last one took until the next may begin: 5 % of one core at most."""
RAN, ENDED = "while it ran", "as it ended"


@dataclass(slots=True, kw_only=True)
class Checkpointing:
    """Keeps the work of running attempts. Used by the supervisor's own thread only."""

    workspaces: Workspaces
    saves: Checkpoints
    store: Store
    events: Events
    clock: Clock
    every_s: float
    """Seconds between two checkpoints of one attempt, or one goal's result. 0: only one, as it ends."""
    log: Callable[[str], None]
    _due: dict[AttemptId, float] = field(default_factory=dict)
    _kept: set[AttemptId] = field(default_factory=set)
    """Attempts that were given a checkpoint while they ran."""
    _landing: dict[AttemptId, Workspace] = field(default_factory=dict)
    """Attempts that ended before their first one and may be landed."""
    _results: set[GoalId] = field(default_factory=set)
    """Goals on whose result something landed since it was kept."""
    _results_due: float = 0.0
    _at_work: bool = False
    _rest_until: float = 0.0
    _told: set[str] = field(default_factory=set)
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
    )

    def look(self, running: Iterable[Follower], now: float) -> None:
        """Begin the checkpoint that is most overdue, unless one is being taken or the thread rests."""
        if not self.every_s:
            return
        for follower in running:
            self._due.setdefault(follower.attempt.id, now + self.every_s)
        if self._at_work or now < self._rest_until:
            return
        if self._results and self._results_due <= now:
            self._keep_results()
            return
        due = [one for one in running if one.workspace is not None and self._due[one.attempt.id] <= now]
        if due:
            next_one = min(due, key=lambda one: self._due[one.attempt.id])
            assert next_one.workspace is not None
            self._at_work = True
            self._due[next_one.attempt.id] = now + self.every_s
            self._kept.add(next_one.attempt.id)
            self._thread.submit(self._take, next_one.attempt, next_one.workspace, RAN)

    def ended(self, follower: Follower, *, may_land: bool) -> None:
        """Keep what an attempt left: at once, or if it *may_land* and was quick, when it turns out that it did not."""
        attempt, workspace = follower.attempt, follower.workspace
        self._due.pop(attempt.id, None)
        if workspace is None:
            return
        if may_land and attempt.id not in self._kept:
            self._landing[attempt.id] = workspace
        else:
            self._thread.submit(self._take, attempt, workspace, ENDED)

    def settled(self, attempt: Attempt, *, landed: bool) -> None:
        """Learn what became of an attempt that ended."""
        self._kept.discard(attempt.id)
        workspace = self._landing.pop(attempt.id, None)
        if landed:
            if not self._results:
                self._results_due = self.clock.monotonic() + self.every_s
            self._results.add(attempt.goal)
        elif workspace is not None:
            self._thread.submit(self._take, attempt, workspace, ENDED)

    def shut_down(self) -> None:
        """Keep the results of this run and finish what was begun. Return when nothing is being written any more."""
        if self._results:
            self._keep_results()
        self._thread.shutdown(wait=True)

    def _keep_results(self) -> None:
        self._at_work = True
        goals, self._results = self._results, set()
        self._thread.submit(self._keep, goals)

    def _keep(self, goals: Iterable[GoalId]) -> None:
        began = self.clock.monotonic()
        for id in goals:
            goal = self.store.goals.get(id)
            if goal.result_branch is None or goal.isolation is Isolation.SHARED:
                continue
            try:
                self.workspaces.keep_result(id, branch=goal.result_branch, base=goal.base_commit)
            except Exception as error:  # the result itself is on its branch
                self._tell(f"the result of {id} has no checkpoint: {error}")
        self._rest(began)

    def _take(self, attempt: Attempt, workspace: Workspace, why: str) -> None:
        began = self.clock.monotonic()
        trouble = ""
        try:
            if why == RAN or workspace.root.exists():
                self.workspaces.checkpoint(workspace, attempt=attempt.id, why=why)
            if why == ENDED:
                self._tell_lost(attempt, workspace)
        except OrchestratorError as error:
            trouble = error.message
        except Exception as error:  # a checkpoint that fails must not end a run; collecting still brings the work home
            trouble = f"{type(error).__name__}: {error}"
        self._rest(began)
        if why == ENDED and not workspace.root.exists():
            return  # it was given back meanwhile, with a checkpoint of its own
        if trouble:
            self._tell(f"{attempt.id} has no checkpoint {why}: {trouble}")

    def _rest(self, began: float) -> None:
        now = self.clock.monotonic()
        self._rest_until, self._at_work = now + RESTS * (now - began), False

    def _tell(self, trouble: str) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            self.log(trouble)

    def _tell_lost(self, attempt: Attempt, workspace: Workspace) -> None:
        """Say so, for the log and the report, when a checkpoint holds work that was not there any more at the end."""
        found = self.saves.of(attempt.id)
        if not found:
            return
        best = chosen(found)
        is_gone = not workspace.root.exists() and self.store.attempts.get(attempt.id).outcome is not Outcome.SUCCEEDED
        if best != found[-1] or is_gone:
            files = f"{best.files} changed file{'' if best.files == 1 else 's'}"
            note = f"most of its work was gone as it ended; a checkpoint has {files}: orchestrate restore {attempt.id}"
            with self.store.transaction():
                self.events.record("attempt.note", attempt=attempt, note=note)
            self.log(f"{attempt.id}: {note}")
