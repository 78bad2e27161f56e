"""Bringing checkpoints back: which one is meant, and where it goes. Nothing that exists is overwritten."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import (
    BadInput,
    NotFound,
    NothingToDo,
    RefusedByState,
    StoreUnusable,
    WorkspaceProblem,
)
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.workspaces import Checkpoint, Checkpoints, Restored

_ATTEMPT = re.compile(r"(.+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """The checkpoints of tasks, and the way back out of them."""

    saves: Checkpoints
    state: Path
    """The project's folder in the state directory: where work goes when there is no repository for a branch."""
    resolve: Callable[[str], TaskId | GoalId]
    """Finds a task, or else a goal, by what a person calls it; raises NotFound."""

    def of(self, name: str) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of the task, the attempt or the goal's result that *name* names, oldest first.

        Raises:
            NotFound, Ambiguous: there is no such task or goal.
            NothingToDo: it has no checkpoint.
        """
        attempt = _ATTEMPT.fullmatch(name)
        try:
            task: str = self.resolve(attempt[1] if attempt else name)
        except (NotFound, StoreUnusable):
            if found := self.saves.of(name):  # the database may be lost, and the work is not
                return found
            raise
        found = self.saves.of(f"{task}.{attempt[2]}" if attempt else task)
        if not found:
            raise NothingToDo(
                f"{name} has no checkpoint",
                hint="one is taken of changed files while an agent works (checkpoint_seconds), and as it ends",
            )
        return found

    def restore(self, found: tuple[Checkpoint, ...], *, number: int | None, into: Path | None) -> Restored:
        """Put one of *found* on a new branch, or into a new folder when *into* names one or there is no repository.

        Raises:
            NotFound: there is no checkpoint with that *number*.
            RefusedByState: *into* is not empty.
        """
        chosen = self.chosen(found, number)
        if into is not None:
            return self.saves.into_folder(chosen, into)
        try:
            return self.saves.into_branch(chosen)
        except WorkspaceProblem:
            return self.saves.into_folder(chosen, self._free_folder(chosen))

    def restore_all(self, found: tuple[Checkpoint, ...], *, into: Path | None) -> tuple[Restored, ...]:
        """Put each of *found* into a folder of its own, ``<into>/<attempt>/<number>``.

        Raises:
            BadInput: *into* is not given.
            RefusedByState: *into* is not empty.
        """
        if into is None:
            raise BadInput("--all needs a folder for them", hint="add --into FOLDER")
        if into.is_symlink() or (into.exists() and (not into.is_dir() or any(into.iterdir()))):
            raise RefusedByState(f"{into} is not empty", hint="name a folder that does not exist yet")
        return tuple(self.saves.into_folder(one, into / one.attempt / str(one.number)) for one in found)

    def chosen(self, found: tuple[Checkpoint, ...], number: int | None) -> Checkpoint:
        """Return the checkpoint that *number* names, or the one a person most likely means, of the newest attempt that
        changed anything.
        """
        attempts = list(dict.fromkeys(one.attempt for one in found))
        worked = [name for name in attempts if any(one.files for one in found if one.attempt == name)]
        attempt = (worked or attempts)[-1]
        its_own = [one for one in found if one.attempt == attempt]
        if number is None:
            return chosen(its_own)
        for one in its_own:
            if one.number == number:
                return one
        raise NotFound(f"attempt {attempt} has no checkpoint {number}", hint=f"orchestrate restore {attempt} --list")

    def _free_folder(self, one: Checkpoint) -> Path:
        base = self.state / "restored" / f"{one.attempt}-{one.number}"
        folder, count = base, 1
        while folder.exists():
            count += 1
            folder = base.with_name(f"{base.name}-{count}")
        return folder


def chosen(its_own: Sequence[Checkpoint]) -> Checkpoint:
    """Return the checkpoint of one attempt that a person most likely means: the newest, unless most was gone by then.

    Looked at are those that hold at least half of the most changed files that are there: an agent that deletes all
    has changed every file, and holds none. Of these it is the newest with at least half of the most changes.
    """
    held = max(one.files - one.gone for one in its_own)
    whole = [one for one in its_own if 2 * (one.files - one.gone) >= held]
    changed = max(one.files for one in whole)
    return next(one for one in reversed(whole) if 2 * one.files >= changed)
