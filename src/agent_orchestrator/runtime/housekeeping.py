"""What ended work left behind, and giving it back. Nothing goes that is not safe elsewhere or was never work.

What becomes of used checkouts is decided by `UsedCheckouts`, in ``used_checkouts``. Those that stay only
because they are not old go too, the oldest first, when all of it together is
more than the disk budget. Transcripts, artifacts and checkpoints stay for a
while after their goal has ended.
"""

import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.goal import GOAL_OPEN, Delivery
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import OPEN, TaskState
from agent_orchestrator.runtime import run_dir
from agent_orchestrator.runtime.leftovers import Kind, Leftover, Retention, StateFolder, Tidied, every_attempt
from agent_orchestrator.runtime.restoring import chosen
from agent_orchestrator.runtime.used_checkouts import UsedCheckouts
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Checkpoint, Checkpoints, Workspaces

QUESTION_LASTS = timedelta(hours=1)
"""A planner may think for an hour at most; a question's folder that is older was left by a crash."""

SPARE, REMOVED = "spare", "removed"
"""Where the checkouts' own room keeps used ones, and what it could not delete at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Finds and frees what ended work left behind."""

    store: Store
    clock: Clock
    state: Path
    """The project's folder in the state directory. Nothing outside it is ever freed, but branches of our own."""
    project: Path
    """The user's folder, where those branches are."""
    workspaces: Callable[[], Workspaces]
    saves: Checkpoints
    retention: Retention
    go_on: Callable[[], bool] = lambda: True
    """Asked between two looks at the disk; what is going on raises Abandoned when it says no."""

    @property
    def _disk(self) -> StateFolder:
        return StateFolder(self.state, self.go_on)

    @property
    def _checkouts(self) -> UsedCheckouts:
        return UsedCheckouts(
            store=self.store, clock=self.clock, disk=self._disk, workspaces=self.workspaces, saves=self.saves
        )

    def leftovers(self, *, older_than: timedelta | None = None) -> list[Leftover]:
        """Return everything of ended work, what may go first. Removes nothing; takes checkpoints.

        *older_than* takes the place of both times of the retention.
        """
        keep = self.retention if older_than is None else self.retention.older_than(older_than)
        found = [*self._on_disk(keep), *self._branches(self.clock.now() - keep.transcripts)]
        return sorted(found, key=lambda one: (not one.free, one.kind, one.path))

    def _on_disk(self, keep: Retention) -> list[Leftover]:
        """Return what takes room on the disk."""
        now = self.clock.now()
        found = [*self._checkouts.found(now - keep.checkouts), *self._spares(), *self._questions()]
        found += self._of_ended_goals("runs", Kind.TRANSCRIPTS, now - keep.transcripts)
        found += self._of_ended_tasks(now - keep.transcripts)
        found += self._of_ended_goals("artifacts", Kind.ARTIFACTS, now - keep.transcripts)
        found += self._checkpoints(now - keep.transcripts)
        return self._within(keep.disk_bytes, found)

    def free(self, *, older_than: timedelta | None = None) -> list[Leftover]:
        """Look anew, free what may go, and return what is gone."""
        return self._freed(one for one in self.leftovers(older_than=older_than) if one.free)

    def tidy(self) -> Tidied:
        """Free what needs nobody's consent, and say which work stays and how to get it.

        As `free`, but no branch of the user's repository, of checkouts only those that hold nothing which it does not
        hold, and warm ones and those that are not old only while all is more than the disk budget.

        Raises:
            Abandoned: `go_on` said so before it was known what may go.
        """
        found = self._on_disk(self.retention)
        before = self.clock.now() - self.retention.checkouts
        goes = [one for one in found if one.free and not one.is_warm and _is_needless(one, before)]
        excess = self._disk.size(self.state) - sum(one.bytes for one in goes) - self.retention.disk_bytes
        spare = [one for one in found if one.is_warm] + sorted(
            (one for one in found if one.needless_since and one not in goes), key=lambda one: str(one.needless_since)
        )
        for one in spare:
            if excess > 0:
                goes.append(one)
                excess -= one.bytes
        stays = [one for one in found if one.kind is Kind.CHECKOUT and one not in goes]
        kept = [one for one in stays if one.command and not one.in_use]
        return Tidied(freed=tuple(self._freed(goes)), kept=tuple(kept))

    def _freed(self, goes: Iterable[Leftover]) -> list[Leftover]:
        """Free each of them and return what is gone; ends early when it shall not go on."""
        freed = []
        for leftover in goes:
            if not self.go_on():
                break
            if leftover.kind is Kind.BRANCHES:
                if gone := self.workspaces().drop_branches(dict(leftover.branches)):
                    freed.append(replace(leftover, count=len(gone)))
                continue
            if not self._disk.holds(leftover.path):
                continue
            if leftover.kind is Kind.CHECKPOINTS:
                freed.append(replace(leftover, bytes=self.saves.forget(leftover.checkpoints)))
                continue
            if any(self.store.tasks.get(id).state in OPEN for id in leftover.tasks):
                continue  # it was sent back a moment ago, and may go on there
            if leftover.workspace is not None:
                try:
                    self.workspaces().close(leftover.workspace)  # it takes a last checkpoint, and tells git
                except (OrchestratorError, OSError):
                    continue  # its work could not be kept a moment ago: the disk is full, say
            self._remove(leftover.path)
            for spare in self._disk.folders(SPARE) if leftover.workspace is not None else ():
                if spare.name.startswith(f"{leftover.path.name}-"):  # closing it kept it as a spare
                    self._remove(spare)
            if not leftover.path.exists():
                freed.append(leftover)
        return freed

    def _within(self, disk_bytes: int, found: list[Leftover]) -> list[Leftover]:
        """Let checkouts that are kept, but not old, go too while all is more than *disk_bytes*, the oldest first."""
        excess = self._disk.size(self.state) - sum(one.bytes for one in found if one.free) - disk_bytes
        let_go = set()
        for one in sorted((one for one in found if one.waits_since), key=lambda one: one.waits_since or one.path):
            if excess > 0:
                let_go.add(one.path)
                excess -= one.bytes
        over = f"more than the disk budget of {disk_bytes / 2**30:.0f} GiB is kept"
        return [replace(one, free=True, about=f"{one.about}; {over}") if one.path in let_go else one for one in found]

    def _remove(self, folder: Path) -> None:
        """Take *folder* away in one step, so that a supervisor that wants a spare gets it whole or not at all."""
        aside = self.state / REMOVED / f"{folder.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # somebody else was quicker
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _spares(self) -> Iterator[Leftover]:
        for folder in [*self._disk.folders(SPARE), *self._disk.folders(REMOVED)]:
            about = "a used checkout, its work collected, kept for the next attempt"
            is_warm = folder.parent.name == SPARE
            yield Leftover(kind=Kind.SPARE, path=folder, bytes=self._disk.size(folder), about=about, is_warm=is_warm)

    def _of_ended_goals(self, room: str, kind: Kind, before: datetime) -> Iterator[Leftover]:
        """Find what lies in the folder *room* of the state, by goal, of goals that ended *before* then."""
        for folder in self._disk.folders(room):
            matches = [goal for goal in self.store.goals.find(folder.name) if goal.id == folder.name]
            if not matches or matches[0].state in GOAL_OPEN:
                continue
            goal = matches[0]
            tasks = self.store.tasks.of_goal(goal.id)
            at_work = any(one.outcome is None for task in tasks for one in self.store.attempts.of_task(task.id))
            if goal.ended_at is None or goal.ended_at > before or at_work:
                continue
            about = f"goal {goal.id}, {goal.state} on {goal.ended_at:%Y-%m-%d}"
            count = len(self._disk.folders(f"{room}/{folder.name}")) if kind is Kind.TRANSCRIPTS else 1
            yield Leftover(kind=kind, path=folder, bytes=self._disk.size(folder), about=about, count=count)

    def _of_ended_tasks(self, before: datetime) -> Iterator[Leftover]:
        """Find the transcripts of tasks that are over, in goals that still go on."""
        for task, attempt in every_attempt(self.store):
            ended = attempt.ended_at
            folder = self.state / "runs" / attempt.goal / attempt.id
            if task.state in OPEN or ended is None or ended > before or not folder.is_dir():
                continue
            if self.store.goals.get(attempt.goal).state in GOAL_OPEN:
                about = f"attempt {attempt.id}, ended on {ended:%Y-%m-%d}; its goal goes on"
                yield Leftover(kind=Kind.TRANSCRIPTS, path=folder, bytes=self._disk.size(folder), about=about)

    def _checkpoints(self, before: datetime) -> Iterator[Leftover]:
        """Find checkpoints of ended goals that are not needed to bring unlanded work back."""
        by_attempt: dict[str, list[Checkpoint]] = {}
        for one in self.saves.all():
            by_attempt.setdefault(one.attempt, []).append(one)
        old = []
        for attempt, found in by_attempt.items():
            id = attempt.rpartition(".")[0]
            task = next((task for task in self.store.tasks.find(id) if task.id == id), None) if id else None
            goals = self.store.goals.find(task.goal if task else attempt)
            goal = next((goal for goal in goals if goal.id == (task.goal if task else attempt)), None)
            if goal is None or goal.state in GOAL_OPEN or not goal.ended_at or goal.ended_at > before:
                continue  # of what the database does not know, nothing is known that would let it go
            landed = task.state is TaskState.DONE if task else goal.delivery is Delivery.DELIVERED
            needed = () if landed else (chosen(found), found[-1])
            old += [one for one in found if one not in needed]
        if old:
            yield Leftover(
                kind=Kind.CHECKPOINTS,
                path=self.state / "saves.git",
                bytes=min(sum(one.bytes for one in old), self._disk.size(self.state / "saves.git")),
                about="of goals that ended; the size is at most this",
                count=len(old),
                checkpoints=tuple(old),
            )

    def _branches(self, before: datetime) -> Iterator[Leftover]:
        """Find branches of attempts whose work is in the user's branch, of goals that ended *before* then.

        Those of attempts that were rejected stay: no other branch has what they hold.
        """
        workspaces = self.workspaces()
        there = set(workspaces.branches())
        by_goal: dict[GoalId, list[Attempt]] = {}
        for task, attempt in every_attempt(self.store) if there else ():
            is_landed = task.state is TaskState.DONE and attempt.outcome is Outcome.SUCCEEDED
            has_checkout = attempt.workspace is not None and Path(attempt.workspace).exists()
            if is_landed and attempt.branch in there and not has_checkout:
                by_goal.setdefault(attempt.goal, []).append(attempt)
        found: list[tuple[str, str]] = []
        for goal_id, attempts in by_goal.items():
            goal = self.store.goals.get(goal_id)
            old = goal.state not in GOAL_OPEN and goal.ended_at is not None and goal.ended_at <= before
            if not old or goal.delivery is not Delivery.DELIVERED or not goal.base_branch or not goal.result_branch:
                continue
            landed = workspaces.landed(goal.result_branch, goal.base_commit)
            for one in attempts:
                if one.branch is None or one.commit is None or workspaces.tip(one.branch) != one.commit:
                    continue  # somebody went on with it
                if one.id in landed and workspaces.contains(goal.base_branch, landed[one.id]):
                    found.append((one.branch, one.commit))
        if found:
            yield Leftover(
                kind=Kind.BRANCHES,
                path=self.project,
                bytes=0,
                about="of attempts whose work is landed and in your branch",
                count=len(found),
                branches=tuple(found),
            )

    def _questions(self) -> Iterator[Leftover]:
        for folder in self._disk.folders("questions"):
            asked = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
            is_asking = run_dir.state(folder) in {run_dir.State.STARTING, run_dir.State.RUNNING}
            if self.clock.now() - asked > QUESTION_LASTS and not is_asking:
                about = "a question to a planner that a crash left"
                yield Leftover(kind=Kind.QUESTION, path=folder, bytes=self._disk.size(folder), about=about)


def _is_needless(leftover: Leftover, before: datetime) -> bool:
    """Say whether nobody can want it any more; of checkouts, those that ended *before* then."""
    if leftover.kind is not Kind.CHECKOUT:
        return True
    return leftover.needless_since is not None and leftover.needless_since <= before
