"""What ended work leaves behind, as values, and the two places where it is looked for: the disk and the history."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.domain.task import Task
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Checkpoint, Workspace


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


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The project's folder in the state directory, in which leftovers lie."""

    path: Path
    go_on: Callable[[], bool] = lambda: True
    """Asked between two looks at the disk."""

    def size(self, folder: Path) -> int:
        """Return the bytes of the files below *folder*; links are not followed, hard links count each time.

        Raises:
            Abandoned: there is no more time for this.
        """
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

    def holds(self, path: Path) -> bool:
        """Say whether *path* lies in it, whatever links lead there."""
        here, inside = self.path.resolve(), path.resolve()
        return inside != here and inside.is_relative_to(here)

    def folders(self, room: str) -> list[Path]:
        """Return the folders in its folder *room*, in the order of their names; none when it is not there."""
        try:
            return sorted(path for path in (self.path / room).iterdir() if path.is_dir() and not path.is_symlink())
        except OSError:
            return []


def every_attempt(store: Store) -> Iterator[tuple[Task, Attempt]]:
    """Return every attempt there was, one goal's after the other: a history may be long."""
    for goal in store.goals.list(limit=1_000_000):
        for task in store.tasks.of_goal(goal.id):
            for attempt in store.attempts.of_task(task.id):
                yield task, attempt
