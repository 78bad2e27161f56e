"""What ended work left behind, and giving it back. Nothing goes that is not safe elsewhere or was never work.

A checkout goes when everything that was done in it stands on a branch of the
user's repository, or when it was collected and nothing had changed. What an
open attempt uses, what a task may go on in, and what was never collected stay.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.goal import GOAL_OPEN
from agent_orchestrator.domain.task import OPEN, Task, TaskState
from agent_orchestrator.runtime import process
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Workspace, Workspaces

KEPT_FOR = timedelta(days=7)
"""How long transcripts of ended goals are kept: long enough for a week's reviews."""
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
    workspace: Workspace | None = None
    """Set for a checkout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Finds and frees what ended work left behind."""

    store: Store
    clock: Clock
    state: Path
    """The project's folder in the state directory. Nothing outside it is ever freed."""
    workspaces: Callable[[], Workspaces]

    def leftovers(self, *, older_than: timedelta = KEPT_FOR) -> list[Leftover]:
        """Return everything of ended work, what may go first. Changes nothing."""
        before = self.clock.now() - older_than
        found = [*self._checkouts(), *self._spares(), *self._questions()]
        found += self._of_ended_goals("runs", Kind.TRANSCRIPTS, before)
        found += self._of_ended_goals("artifacts", Kind.ARTIFACTS, before)
        return sorted(found, key=lambda one: (not one.free, one.kind, one.path))

    def free(self, *, older_than: timedelta = KEPT_FOR) -> list[Leftover]:
        """Look anew, free what may go, and return what is gone."""
        freed = []
        for leftover in self.leftovers(older_than=older_than):
            if not leftover.free or not self._is_inside(leftover.path):
                continue
            if leftover.workspace is not None:
                self.workspaces().close(leftover.workspace)  # it knows what git must be told
            self._remove(leftover.path)
            if not leftover.path.exists():
                freed.append(leftover)
        for spare in self._spares():  # what was closed just now was kept as a spare
            self._remove(spare.path)
        return freed

    def _remove(self, folder: Path) -> None:
        """Take *folder* away in one step, so that a supervisor that wants a spare gets it whole or not at all."""
        aside = self.state / REMOVED / f"{folder.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # somebody else was quicker
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _checkouts(self) -> Iterator[Leftover]:
        by_place: dict[Path, list[tuple[Task, Attempt]]] = {}
        for task, attempt in self._attempts():
            if attempt.workspace and self._is_inside(Path(attempt.workspace)):
                by_place.setdefault(Path(attempt.workspace), []).append((task, attempt))
        for place, users in by_place.items():
            if not place.exists():
                continue
            last = max((attempt for _, attempt in users), key=lambda one: one.token)
            workspace = self.workspaces().reopen(place, base=last.base_commit)
            if workspace is None or not self._is_inside(workspace.root):
                continue
            stays = self._why_it_stays(users, last)
            about = f"attempt {last.id}: {stays or self._why_it_goes(last)}"
            yield Leftover(
                kind=Kind.CHECKOUT,
                path=workspace.root,
                bytes=_size(workspace.root),
                about=about,
                free=not stays,
                workspace=workspace,
            )

    def _why_it_stays(self, users: list[tuple[Task, Attempt]], last: Attempt) -> str:
        """Return why a checkout stays, or nothing."""
        if any(attempt.outcome is None for _, attempt in users):
            return "is still at work"
        if any(task.state in OPEN for task, _ in users):
            return "its task may go on in it"
        if last.commit is None and last.outcome not in {Outcome.NO_EVIDENCE, Outcome.SUCCEEDED}:
            return "its work was never collected"
        if last.commit is not None and not self._is_safe(last):
            return f"no branch holds its work ({last.commit[:10]})"
        return ""

    def _is_safe(self, attempt: Attempt) -> bool:
        """Say whether a branch of the user's repository holds the attempt's work."""
        assert attempt.commit is not None
        return attempt.branch is not None and self.workspaces().contains(attempt.branch, attempt.commit)

    def _why_it_goes(self, attempt: Attempt) -> str:
        return f"its work stands on {attempt.branch}" if attempt.commit else "nothing had changed in it"

    def _spares(self) -> Iterator[Leftover]:
        for folder in [*_folders(self.state / SPARE), *_folders(self.state / REMOVED)]:
            about = "a used checkout, its work collected, kept for the next attempt"
            yield Leftover(kind=Kind.SPARE, path=folder, bytes=_size(folder), about=about)

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
            yield Leftover(kind=kind, path=folder, bytes=_size(folder), about=about)

    def _questions(self) -> Iterator[Leftover]:
        for folder in _folders(self.state / "questions"):
            asked = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
            is_asking = process.state(folder) in {process.State.STARTING, process.State.RUNNING}
            if self.clock.now() - asked > QUESTION_LASTS and not is_asking:
                about = "a question to a planner that a crash left"
                yield Leftover(kind=Kind.QUESTION, path=folder, bytes=_size(folder), about=about)

    def _attempts(self) -> Iterator[tuple[Task, Attempt]]:
        for task in self.store.tasks.in_states(list(TaskState), limit=1_000_000):
            for attempt in self.store.attempts.of_task(task.id):
                yield task, attempt

    def _is_inside(self, path: Path) -> bool:
        inside = path.resolve()
        return inside != self.state.resolve() and inside.is_relative_to(self.state.resolve())


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _size(folder: Path) -> int:
    """Return the bytes of the files below *folder*; links are not followed, hard links count each time."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total
