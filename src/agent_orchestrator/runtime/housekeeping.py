"""What ended work left behind, and giving it back. Nothing goes that is not safe elsewhere or was never work.

A checkout goes when everything that was done in it stands on a branch of the
user's repository, or when it was collected and nothing had changed. Work that is
on no branch stays where it is for a while; then, or when the disk budget is
spent, it goes too, once a checkpoint holds every file of it. What an open
attempt uses and what a task may go on in stay.
"""

import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.goal import GOAL_OPEN, Delivery
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.task import OPEN, Task, TaskState
from agent_orchestrator.runtime import run_dir
from agent_orchestrator.runtime.restoring import chosen
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import SECRET, Checkpoint, Checkpoints, Workspace, Workspaces

QUESTION_LASTS = timedelta(hours=1)
"""A planner may think for an hour at most; a question's folder that is older was left by a crash."""

SPARE, REMOVED = "spare", "removed"
"""Where the checkouts' own room keeps used ones, and what it could not delete at once."""


class Kind(StrEnum):
    """What can be freed."""

    CHECKOUT = "checkout"
    SPARE = "spare"
    """A used checkout that is kept warm for the next attempt, or one that could not be removed at once."""
    TRANSCRIPTS = "transcripts"
    ARTIFACTS = "artifacts"
    """Files that agents of an ended goal kept for each other."""
    QUESTION = "question"
    CHECKPOINTS = "checkpoints"
    """Of goals that ended long ago: all of what is landed; of what is not, all but what would be restored."""
    BRANCHES = "branches"
    """Of attempts whose work is landed and delivered: one a task, where one a goal, the result's, says the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept, and how much of it."""

    checkouts: timedelta
    """How long a checkout with work on no branch stays where it is, after its attempt ended."""
    transcripts: timedelta
    """How long what was said, kept and checkpointed stays after a goal, or its task, has ended."""
    disk_bytes: int
    """What all of it together may take before checkouts go that are not old yet."""

    def older_than(self, span: timedelta) -> "Retention":
        """Return the same with *span* in place of both times."""
        return Retention(checkouts=span, transcripts=span, disk_bytes=self.disk_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One folder that may go, or must stay."""

    kind: Kind
    path: Path
    bytes: int
    about: str
    """Why it may go, or why it stays."""
    free: bool = True
    """False: it is listed only to say why it stays."""
    count: int = 1
    """How many it holds: attempts' folders of transcripts, or checkpoints."""
    command: str = ""
    """How to get the work that lies there; empty when there is none."""
    workspace: Workspace | None = None
    """Set for a checkout."""
    waits_since: datetime | None = None
    """Set when it stays only because it is not old enough: when its attempt ended."""
    needless_since: datetime | None = None
    """Set for a checkout that holds nothing which the user's repository does not hold: when its attempt ended."""
    in_use: bool = False
    """Whether an agent works in it, or its task may go on there."""
    tasks: tuple[TaskId, ...] = ()
    """Whose checkout it was."""
    is_warm: bool = False
    """Whether the next attempt would be quicker for it."""
    checkpoints: tuple[Checkpoint, ...] = ()
    branches: tuple[tuple[str, str], ...] = ()
    """Each with the commit it stands on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a run freed by itself."""

    freed: tuple[Leftover, ...]
    kept: tuple[Leftover, ...]
    """Checkouts with work that lies nowhere else, each with the command that takes it."""


class Abandoned(Exception):
    """Somebody has no more time for this; what was freed until now is freed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Finds and frees what ended work left behind."""

    store: Store
    clock: Clock
    state: Path
    """The project's folder in the state directory. Nothing outside it is ever freed, but branches of our own."""
    workspaces: Callable[[], Workspaces]
    saves: Checkpoints
    retention: Retention
    go_on: Callable[[], bool] = lambda: True
    """Asked between two looks at the disk; what is going on raises Abandoned when it says no."""

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
        found = [*self._checkouts(now - keep.checkouts), *self._spares(), *self._questions()]
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
        excess = self._size(self.state) - sum(one.bytes for one in goes) - self.retention.disk_bytes
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
            if not self._is_inside(leftover.path):
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
            for spare in _folders(self.state / SPARE) if leftover.workspace is not None else ():
                if spare.name.startswith(f"{leftover.path.name}-"):  # closing it kept it as a spare
                    self._remove(spare)
            if not leftover.path.exists():
                freed.append(leftover)
        return freed

    def _within(self, disk_bytes: int, found: list[Leftover]) -> list[Leftover]:
        """Let checkouts that are kept, but not old, go too while all is more than *disk_bytes*, the oldest first."""
        excess = self._size(self.state) - sum(one.bytes for one in found if one.free) - disk_bytes
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

    def _checkouts(self, before: datetime) -> Iterator[Leftover]:
        by_place: dict[Path, list[tuple[Task, Attempt]]] = {}
        for task, attempt in self._attempts():
            place = Path(attempt.workspace or "")
            if attempt.workspace and place.exists() and self._is_inside(place):  # of a long history few are there
                by_place.setdefault(place, []).append((task, attempt))
        for place, users in by_place.items():
            last = max((attempt for _, attempt in users), key=lambda one: one.token)
            workspace = self.workspaces().reopen(place, base=last.base_commit)
            if workspace is not None and self._is_inside(workspace.root):
                yield self._judged(workspace, users, last, before)
        yield from self._half_made(set(by_place))

    def _half_made(self, used: set[Path]) -> Iterator[Leftover]:
        """Find checkouts that were being made when a crash came: nobody worked in them yet."""
        for folder in _folders(self.state / "checkouts"):
            if any(place.is_relative_to(folder) for place in used):
                continue
            task = next(iter(self.store.tasks.find(folder.name.rpartition(".")[0])), None)
            attempts = self.store.attempts.of_task(task.id) if task is not None else []
            its_own = next((one for one in attempts if one.id == folder.name), None)
            if its_own is not None and its_own.outcome is not None and its_own.workspace is None:
                about = f"attempt {its_own.id}: it was never begun; its checkout is half made"
                yield Leftover(kind=Kind.SPARE, path=folder, bytes=self._size(folder), about=about)

    def _judged(
        self, workspace: Workspace, users: list[tuple[Task, Attempt]], last: Attempt, before: datetime
    ) -> Leftover:
        """Say whether a checkout may go, and why."""
        stays = Leftover(
            kind=Kind.CHECKOUT,
            path=workspace.root,
            bytes=self._size(workspace.root),
            about="",
            free=False,
            command=self._command(users),
            tasks=tuple({task.id for task, _ in users}),
        )
        about = f"attempt {last.id}: "
        if any(attempt.outcome is None for _, attempt in users):
            return replace(stays, about=f"{about}is still at work", in_use=True)
        if any(task.state in OPEN for task, _ in users):
            return replace(stays, about=f"{about}its task may go on in it", in_use=True)
        by_hand = f"cp -a {shlex.quote(str(workspace.root))} FOLDER"
        try:
            kept = self.workspaces().checkpoint(workspace, attempt=last.id, why="before its checkout may go")
        except OrchestratorError as error:
            return replace(stays, about=f"{about}its work cannot be kept: {error.message}", command=by_hand)
        unsafe = self._why_unsafe(last)
        # What git was told to commit is on the branch whatever its name; a checkpoint has no place for secrets.
        missing = [note for note in kept.left_out if unsafe or not note.endswith(SECRET)]
        if missing:
            told = "; ".join(missing[:3]) + ("; …" if len(missing) > 3 else "")
            return replace(stays, about=f"{about}no checkpoint holds all of it ({told})", command=by_hand)
        if not unsafe:
            told = about + self._why_it_goes(last)
            if not self._is_as_collected(last):
                told += "; it was changed after that, and a checkpoint holds it"
                return replace(stays, about=told, free=True, workspace=workspace)
            ended = last.ended_at or self.clock.now()
            return replace(stays, about=told, free=True, workspace=workspace, command="", needless_since=ended)
        command = self._command(users)
        about += f"{unsafe}; a checkpoint does" if command else "nothing differs from what it began with"
        goes = replace(stays, about=about, workspace=workspace, command=command)
        ended = last.ended_at or self.clock.now()
        if ended <= before:
            return replace(goes, free=True)
        until = ended + (self.clock.now() - before)
        return replace(
            goes, about=f"{about}; it goes from {until:%Y-%m-%d} on, or sooner for want of room", waits_since=ended
        )

    def _command(self, users: list[tuple[Task, Attempt]]) -> str:
        """Return how to get the work of a checkout that several attempts may have gone on in."""
        newest_first = sorted((attempt for _, attempt in users), key=lambda one: one.token, reverse=True)
        return next((f"orchestrate restore {one.id}" for one in newest_first if self.saves.of(one.id)), "")

    def _why_unsafe(self, last: Attempt) -> str:
        """Return why the user's repository does not hold an attempt's work, or nothing."""
        if last.commit is None and last.outcome not in {Outcome.NO_EVIDENCE, Outcome.SUCCEEDED}:
            return "its work was never collected, no branch holds it"
        if last.commit is not None and not self._is_safe(last):
            return f"no branch holds its work ({last.commit[:10]})"
        return ""

    def _is_safe(self, attempt: Attempt) -> bool:
        """Say whether a branch of the user's repository holds the attempt's work."""
        assert attempt.commit is not None
        return attempt.branch is not None and self.workspaces().contains(attempt.branch, attempt.commit)

    def _is_as_collected(self, last: Attempt) -> bool:
        """Say whether the newest checkpoint of an attempt's files is what it was collected as, or began with."""
        collected = last.commit or last.base_commit
        if collected is None:
            return False
        tree = self.workspaces().tree(collected)
        return all(one.tree == tree for one in self.saves.of(last.id)[-1:])

    def _why_it_goes(self, attempt: Attempt) -> str:
        return f"its work stands on {attempt.branch}" if attempt.commit else "nothing had changed in it"

    def _spares(self) -> Iterator[Leftover]:
        for folder in [*_folders(self.state / SPARE), *_folders(self.state / REMOVED)]:
            about = "a used checkout, its work collected, kept for the next attempt"
            is_warm = folder.parent.name == SPARE
            yield Leftover(kind=Kind.SPARE, path=folder, bytes=self._size(folder), about=about, is_warm=is_warm)

    def _of_ended_goals(self, room: str, kind: Kind, before: datetime) -> Iterator[Leftover]:
        """Find what lies in the folder *room* of the state, by goal, of goals that ended *before* then."""
        for folder in _folders(self.state / room):
            matches = [goal for goal in self.store.goals.find(folder.name) if goal.id == folder.name]
            if not matches or matches[0].state in GOAL_OPEN:
                continue
            goal = matches[0]
            tasks = self.store.tasks.of_goal(goal.id)
            at_work = any(one.outcome is None for task in tasks for one in self.store.attempts.of_task(task.id))
            if goal.ended_at is None or goal.ended_at > before or at_work:
                continue
            about = f"goal {goal.id}, {goal.state} on {goal.ended_at:%Y-%m-%d}"
            count = len(_folders(folder)) if kind is Kind.TRANSCRIPTS else 1
            yield Leftover(kind=kind, path=folder, bytes=self._size(folder), about=about, count=count)

    def _of_ended_tasks(self, before: datetime) -> Iterator[Leftover]:
        """Find the transcripts of tasks that are over, in goals that still go on."""
        for task, attempt in self._attempts():
            ended = attempt.ended_at
            folder = self.state / "runs" / attempt.goal / attempt.id
            if task.state in OPEN or ended is None or ended > before or not folder.is_dir():
                continue
            if self.store.goals.get(attempt.goal).state in GOAL_OPEN:
                about = f"attempt {attempt.id}, ended on {ended:%Y-%m-%d}; its goal goes on"
                yield Leftover(kind=Kind.TRANSCRIPTS, path=folder, bytes=self._size(folder), about=about)

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
                bytes=min(sum(one.bytes for one in old), self._size(self.state / "saves.git")),
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
        for task, attempt in self._attempts() if there else ():
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
                path=workspaces.project().folder,
                bytes=0,
                about="of attempts whose work is landed and in your branch",
                count=len(found),
                branches=tuple(found),
            )

    def _questions(self) -> Iterator[Leftover]:
        for folder in _folders(self.state / "questions"):
            asked = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
            is_asking = run_dir.state(folder) in {run_dir.State.STARTING, run_dir.State.RUNNING}
            if self.clock.now() - asked > QUESTION_LASTS and not is_asking:
                about = "a question to a planner that a crash left"
                yield Leftover(kind=Kind.QUESTION, path=folder, bytes=self._size(folder), about=about)

    def _attempts(self) -> Iterator[tuple[Task, Attempt]]:
        """Return every attempt there was, one goal's after the other: a history may be long."""
        for goal in self.store.goals.list(limit=1_000_000):
            for task in self.store.tasks.of_goal(goal.id):
                for attempt in self.store.attempts.of_task(task.id):
                    yield task, attempt

    def _size(self, folder: Path) -> int:
        """Return the bytes of the files below *folder*; links are not followed, hard links count each time."""
        total = 0
        for parent, _, names in os.walk(folder):
            if not self.go_on():
                raise Abandoned
            for name in names:
                try:
                    total += (Path(parent) / name).lstat().st_size
                except OSError:
                    continue
        return total

    def _is_inside(self, path: Path) -> bool:
        inside = path.resolve()
        return inside != self.state.resolve() and inside.is_relative_to(self.state.resolve())


def _is_needless(leftover: Leftover, before: datetime) -> bool:
    """Say whether nobody can want it any more; of checkouts, those that ended *before* then."""
    if leftover.kind is not Kind.CHECKOUT:
        return True
    return leftover.needless_since is not None and leftover.needless_since <= before


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
