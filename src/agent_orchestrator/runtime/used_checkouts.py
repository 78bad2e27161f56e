"""Which checkouts that agents have used may go: the judgement that must not lose anybody's work.

One goes when everything that was done in it stands on a branch of the user's
repository, or when it was collected and nothing had changed. Work that is on no
branch goes once it is old, and a checkpoint holds every file of it. What an
open attempt uses and what a task may go on in stay.
"""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.task import OPEN, Task
from agent_orchestrator.runtime.leftovers import Kind, Leftover, StateFolder, every_attempt
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import SECRET, Checkpoints, Workspace, Workspaces


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedCheckouts:
    """Finds the checkouts of attempts, and judges them. Takes checkpoints; removes nothing."""

    store: Store
    clock: Clock
    disk: StateFolder
    workspaces: Callable[[], Workspaces]
    saves: Checkpoints

    def found(self, before: datetime) -> Iterator[Leftover]:
        """Return each with whether it may go; one whose work is on no branch may if its attempt ended *before* then."""
        by_place: dict[Path, list[tuple[Task, Attempt]]] = {}
        for task, attempt in every_attempt(self.store):
            place = Path(attempt.workspace or "")
            if attempt.workspace and place.exists() and self.disk.holds(place):  # of a long history few are there
                by_place.setdefault(place, []).append((task, attempt))
        for place, users in by_place.items():
            last = max((attempt for _, attempt in users), key=lambda one: one.token)
            workspace = self.workspaces().reopen(place, base=last.base_commit)
            if workspace is not None and self.disk.holds(workspace.root):
                yield self._judged(workspace, users, last, before)
        yield from self._half_made(set(by_place))

    def _half_made(self, used: set[Path]) -> Iterator[Leftover]:
        """Find checkouts that were being made when a crash came: nobody worked in them yet."""
        for folder in self.disk.folders("checkouts"):
            if any(place.is_relative_to(folder) for place in used):
                continue
            task = next(iter(self.store.tasks.find(folder.name.rpartition(".")[0])), None)
            attempts = self.store.attempts.of_task(task.id) if task is not None else []
            its_own = next((one for one in attempts if one.id == folder.name), None)
            if its_own is not None and its_own.outcome is not None and its_own.workspace is None:
                about = f"attempt {its_own.id}: it was never begun; its checkout is half made"
                yield Leftover(kind=Kind.SPARE, path=folder, bytes=self.disk.size(folder), about=about)

    def _judged(
        self, workspace: Workspace, users: list[tuple[Task, Attempt]], last: Attempt, before: datetime
    ) -> Leftover:
        """Say whether a checkout may go, and why."""
        stays = Leftover(
            kind=Kind.CHECKOUT,
            path=workspace.root,
            bytes=self.disk.size(workspace.root),
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
        stays = replace(stays, workspace=workspace)
        if unsafe:
            return self._on_no_branch(stays, users, last, before, unsafe)
        return self._on_a_branch(stays, last, about)

    def _on_a_branch(self, stays: Leftover, last: Attempt, about: str) -> Leftover:
        """Let a checkout go whose work the user's repository holds, or that never had any."""
        told = about + (f"its work stands on {last.branch}" if last.commit else "nothing had changed in it")
        if not self._is_as_collected(last):
            return replace(stays, about=f"{told}; it was changed after that, and a checkpoint holds it", free=True)
        return replace(stays, about=told, free=True, command="", needless_since=last.ended_at or self.clock.now())

    def _on_no_branch(
        self, stays: Leftover, users: list[tuple[Task, Attempt]], last: Attempt, before: datetime, unsafe: str
    ) -> Leftover:
        """Let a checkout go whose work only a checkpoint holds, once it ended *before* then."""
        command = self._command(users)  # anew: a checkpoint was just taken
        about = f"attempt {last.id}: " + (
            f"{unsafe}; a checkpoint does" if command else "nothing differs from what it began with"
        )
        ended = last.ended_at or self.clock.now()
        if ended <= before:
            return replace(stays, about=about, command=command, free=True)
        until = ended + (self.clock.now() - before)
        about += f"; it goes from {until:%Y-%m-%d} on, or sooner for want of room"
        return replace(stays, about=about, command=command, waits_since=ended)

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
