"""The default place to work: a private clone that borrows the user's objects.

It has a ``.git`` of its own, so whatever an agent does to branches, stash,
config or index, the user's are out of its reach; it costs no copy of the
history, because ``objects/info/alternates`` names the user's store. A checkout
that is given back is used again: its files stay where they did not change, its
``.git`` is made anew each time, since what an agent may have written there
(config, hooks, flags in the index) must not reach the next one.

In the state folder::

    checkouts/<attempt>/    the checkout; records/<attempt>/ what we noted about it
    spare/<name>/           given back, ready to be used again
    checks/                 the one checkout in which checks run
    removed/                on its way out; emptied when there is time
    saves.git/              checkpoints of attempts' work, which need none of the above
"""

import fcntl
import hashlib
import json
import re
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from agent_orchestrator.domain.errors import DiskFull, OrchestratorError, WorkspaceProblem
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.workspaces import (
    UNDO,
    Collected,
    Delivered,
    Kept,
    Project,
    Revision,
    Setup,
    Union,
    Workspace,
    checkpointing,
    clone,
    delivery,
    submodules,
)
from agent_orchestrator.workspaces.collecting import Place, collect
from agent_orchestrator.workspaces.environment import check_environment
from agent_orchestrator.workspaces.project import detect
from agent_orchestrator.workspaces.repository import Repository
from agent_orchestrator.workspaces.saves import Saves
from agent_orchestrator.workspaces.setup import DEPENDENCIES, Ready, make_usable, user_modules
from agent_orchestrator.workspaces.snapshot import snapshot

SPARES = 4
"""Checkouts kept for reuse. As many as agents usually run at once; each costs the size of the files."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CheckoutWorkspaces:
    """All checkouts of one project. Safe to call from several threads."""

    isolation = Isolation.CHECKOUT

    def __init__(self, *, folder: Path, state: Path) -> None:
        """Serve the project in *folder*; everything of ours lies in *state*, outside any agent's checkout."""
        self.folder = Path(folder).resolve()
        self.state = Path(state).resolve()
        self._pool = threading.Lock()
        self._checks = threading.Lock()

    @cached_property
    def repository(self) -> Repository:
        """The user's repository. Raises WorkspaceProblem when there is none."""
        return Repository.find(self.folder, self.state)

    def project(self) -> Project:
        """Look at the project folder now."""
        return detect(self.folder)

    def base(self, goal: GoalId, *, include_dirty: bool) -> str | None:
        """Return HEAD, or with *include_dirty* a commit of the working tree on top of it, kept reachable for *goal*."""
        repository = self.repository
        head = repository.commit("HEAD")
        if head is None or not include_dirty:
            return head
        with repository.scratch() as scratch:
            index = scratch / "index"
            if (repository.git_dir / "index").exists():
                shutil.copy2(repository.git_dir / "index", index)
            found = snapshot(repository, repository.root, index=index, base=head, keep_filtered=False)
        if found.tree == repository.tree(head):
            return head
        message = "\n".join(("Uncommitted work at the start of the goal", "", *found.notes))
        commit = repository.commit_tree(found.tree, parents=(head,), message=message)
        ref = f"refs/orchestrate/{goal}/base"
        repository.move(ref, old=repository.commit(ref), new=commit)
        return commit

    def result_branch(self, goal: GoalId) -> str:
        """Return the full branch name of a goal's result."""
        return self.repository.result_branch(goal)

    def tip(self, branch: str) -> str | None:
        """Return the commit of *branch*, or None."""
        return self.repository.tip(branch)

    def tree(self, tree_or_commit: str) -> str:
        """Return the tree of a commit or tree."""
        return self.repository.tree(tree_or_commit)

    def open(self, attempt: AttemptId, *, base: str | None, setup: Setup) -> Workspace:
        """Make a usable checkout of *base*, or return the attempt's existing one unchanged."""
        if base is None:
            raise WorkspaceProblem(
                f"{self.folder} has no commit to start from", hint="commit once, or use --isolation shared"
            )
        if not _SAFE.fullmatch(attempt):
            raise WorkspaceProblem(f"{attempt!r} cannot name a folder")
        root = self._checkouts / attempt
        if (existing := self._recorded(root)) is not None:
            return existing
        self._discard(root)  # of a crash in the middle of making it
        record = self._records / attempt
        notes = self._make(root, base=base, index=record / "index")
        notes += submodules.fill(self.repository, root, commit=base)
        ready = self._make_usable(root, setup, index=record / "index")
        notes += ready.notes
        _write(record / "exclude", "".join(f"{_pattern(name)}\n" for name in ready.copied))
        noted = {"base": base, "notes": notes, "products": ready.copied, "plain_index": setup.command is None}
        _write(record / "record.json", json.dumps(noted))
        return self._workspace(root, base, notes)

    def reopen(self, path: Path, *, base: str | None) -> Workspace | None:
        """Return the checkout at *path*, a workspace's path or root; None if it is gone.

        *base* is what its work will be compared with, provided the agent merges it
        or rebases onto it; without that, collecting stays with the commit the
        checkout was made from.
        """
        path = Path(path)
        if not path.is_relative_to(self._checkouts) or path == self._checkouts:
            return None
        found = self._recorded(self._checkouts / path.relative_to(self._checkouts).parts[0])
        if found is None or base is None:
            return found
        return self._workspace(found.root, base, found.notes)

    def collect(self, workspace: Workspace, *, goal: GoalId, attempt: AttemptId, message: str) -> Collected:
        """Commit what lies in the checkout on the attempt's branch, whatever state its ``.git`` is in."""
        branch = self.repository.attempt_branch(goal, attempt)
        place = self._place(workspace)
        return collect(self.repository, place, branch=branch, message=message, newer_base=workspace.base)

    def checkpoint(self, workspace: Workspace, *, attempt: AttemptId, why: str) -> Kept:
        """Keep the files as they lie now in the store of checkpoints."""
        place = self._place(workspace)
        work = checkpointing.Work(repository=self.repository, place=place, attempt=attempt, base=place.base)
        return checkpointing.take(Saves(folder=self.folder, state=self.state), work, why=why)

    def keep_result(self, goal: GoalId, *, branch: str, base: str | None) -> Kept:
        """Keep what *branch* holds in the store of checkpoints."""
        saves = Saves(folder=self.folder, state=self.state)
        return checkpointing.keep_branch(saves, self.repository, goal, branch=branch, base=base)

    def close(self, workspace: Workspace, *, is_safe: bool = False) -> None:
        """Give the checkout back: kept as a spare while there are few, else removed. Its files are saved before."""
        root = workspace.root
        self._our_own(root)
        self._save_all(workspace, is_safe=is_safe)
        record = self._records / root.name
        with self._pool:
            spares = list(self._spare.iterdir()) if self._spare.is_dir() else []
            if root.is_dir() and not root.is_symlink() and len(spares) < SPARES and (record / "index").exists():
                place = self._spare / f"{root.name}-{secrets.token_hex(3)}"
                place.mkdir(parents=True)
                root.rename(place / "files")  # first: files without a record would belong to nobody after a crash
                (record / "index").rename(place / "index")
        self._discard(root)
        self._discard(record)

    def union(self, tip: str, commit: str) -> Union:
        """Merge *commit* into *tip* in memory."""
        return self.repository.union(tip, commit)

    def commit_tree(self, tree: str, *, parents: tuple[str, ...], message: str, author: str | None = None) -> str:
        """Write a commit object and return its id."""
        return self.repository.commit_tree(tree, parents=parents, message=message, author=author)

    def advance(self, branch: str, *, old: str | None, new: str) -> bool:
        """Move *branch* from *old* to *new*; False when it was not there."""
        return self.repository.advance(branch, old=old, new=new)

    def contains(self, branch: str, commit: str) -> bool:
        """Say whether *branch* has *commit*."""
        return self.repository.contains(branch, commit)

    def landed(self, branch: str, base: str | None) -> Mapping[str, str]:
        """Return ``Attempt:`` trailer to commit."""
        return self.repository.landed(branch, base)

    @contextmanager
    def checked_out(self, tree_or_commit: str, *, setup: Setup) -> Iterator[Path]:
        """Give a clean, usable checkout for running checks, one at a time.

        Its place stays the same. Dependency folders stay too, as long as nothing that names dependencies changed:
        all else that a check or set-up left is removed, since what was built from other sources would be checked
        instead of these. Where the block raises DiskFull, what it left is removed at once, for that may be what fills
        the disk; and all of a checkout for which there was no room.
        """
        root = self.state / "checks" / "files"
        record = self.state / "checks"
        record.mkdir(parents=True, exist_ok=True)
        with self._checks, (record / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            commit = self.repository.commit(tree_or_commit) or self._commit_of(tree_or_commit)
            warm, index = record / "warm", record / "index"
            needed = f"{clone.dependencies(self.repository, commit)} {user_modules(self.repository.root)} {setup}"
            needs = hashlib.sha256(needed.encode("utf-8", "replace")).hexdigest()  # the set-up holds the user's keys
            keep = DEPENDENCIES if warm.exists() and warm.read_text() == needs else ()
            warm.unlink(missing_ok=True)
            try:
                self._make(root, base=commit, index=index, again=root.is_dir(), keep=keep)
                submodules.fill(self.repository, root, commit=commit)
                self._make_usable(root, setup, index=index)
                _write(warm, needs)
                place = root / self.repository.subfolder
                place.mkdir(parents=True, exist_ok=True)  # the tree may have emptied the project's folder
                yield place
            except DiskFull:
                if warm.exists():
                    with suppress(OrchestratorError):  # the next check's checkout is cleaned too
                        clone.clean(self.repository, root, keep=DEPENDENCIES)
                else:
                    _delete(root)
                raise

    def check_environment(self, checkout: Path, environment: Mapping[str, str]) -> dict[str, str]:
        """Return *environment* changed so that checks in *checkout* import its code and never the user's."""
        checkout = Path(checkout)
        levels = len(self.repository.subfolder.parts)
        top = checkout.parents[levels - 1] if levels else checkout
        return check_environment(self.folder, checkout, environment, top=top)

    def deliver(self, *, branch: str, into: str | None, base: str | None) -> Delivered:
        """Fast-forward the user's branch to the result."""
        return delivery.deliver(self.repository, branch=branch, into=into, base=base)

    def undo(self, *, into: str | None, moved_from: str, moved_to: str, message: str = UNDO) -> Delivered:
        """Take a delivered result back out."""
        return delivery.undo(self.repository, into=into, moved_from=moved_from, moved_to=moved_to, message=message)

    def diff(self, old: str, new: str, *, stat: bool = False) -> str:
        """Return the patch, at most 64 KiB, or its summary."""
        return self.repository.diff(old, new, stat=stat)

    def revisions(self, old: str, new: str) -> tuple[Revision, ...]:
        """Return what became of every file that differs."""
        return self.repository.revisions(old, new)

    def text(self, tree: str, path: str) -> str | None:
        """Return the text of a file in a commit or tree."""
        return self.repository.text(tree, path)

    def put_back(self, tree: str, paths: Sequence[str], *, like: str) -> str:
        """Write a tree that is *tree* with *paths* as in *like*."""
        return self.repository.put_back(tree, paths, like=like)

    def branches(self, goal: GoalId | None = None) -> tuple[str, ...]:
        """Return the goal's branches, or every goal's."""
        return self.repository.branches(goal)

    def drop_branches(self, branches: Mapping[str, str]) -> tuple[str, ...]:
        """Delete *branches* where they stand on the commit given for each."""
        return self.repository.drop_branches(branches)

    @property
    def _checkouts(self) -> Path:
        return self.state / "checkouts"

    @property
    def _records(self) -> Path:
        return self.state / "records"

    @property
    def _spare(self) -> Path:
        return self.state / "spare"

    def _workspace(self, root: Path, base: str | None, notes: tuple[str, ...]) -> Workspace:
        path = root / self.repository.subfolder
        return Workspace(path=path, root=root, isolation=self.isolation, base=base, notes=notes)

    def _recorded(self, root: Path) -> Workspace | None:
        record = self._records / root.name / "record.json"
        if not record.exists() or root.is_symlink() or not root.is_dir():
            return None
        noted = json.loads(record.read_text())
        return self._workspace(root, noted["base"], tuple(noted["notes"]))

    def _place(self, workspace: Workspace) -> Place:
        record = self._records / workspace.root.name
        written = record / "record.json"
        noted = json.loads(written.read_text()) if written.exists() else {}
        base = noted.get("base", workspace.base)
        if base is None:
            raise WorkspaceProblem(f"it is not known what {workspace.root} started from")
        return Place(
            root=workspace.root,
            base=base,
            git_dir=self._git_dir(workspace.root),
            index=record / "index",
            exclude=record / "exclude",
            products=tuple(noted.get("products", ())),
            is_index_of_base=noted.get("plain_index") is True,
        )

    def _save_all(self, workspace: Workspace, *, is_safe: bool) -> None:
        """Take the last checkpoint of a checkout. Raises WorkspaceProblem when it cannot be taken."""
        root = workspace.root
        if (
            not is_safe
            and root.is_dir()
            and not root.is_symlink()
            and (self._records / root.name / "record.json").exists()
        ):
            self.checkpoint(workspace, attempt=AttemptId(root.name), why="before its checkout was given back")
        Saves(folder=self.folder, state=self.state).forget_working(root.name)

    def _our_own(self, root: Path) -> None:
        if root.parent != self._checkouts:
            raise WorkspaceProblem(f"{root} is not one of our checkouts, so it is not closed")

    def _git_dir(self, root: Path) -> Path:
        return root / ".git"

    def _make(
        self, root: Path, *, base: str, index: Path, again: bool = False, keep: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Make *root* a clean checkout of *base*, from a used one if that works."""
        if again or self._take_spare(root, index):
            with suppress(OrchestratorError, OSError):
                return self._renew(root, base=base, index=index, keep=keep)
            self._discard(root)
            index.unlink(missing_ok=True)
        root.mkdir(parents=True)
        clone.make_git_dir(self.repository, root, branch=self._branch(root))
        return clone.fill(self.repository, root, commit=base, git_dir=root / ".git", index=index)

    def _renew(self, root: Path, *, base: str, index: Path, keep: tuple[str, ...] = ()) -> tuple[str, ...]:
        clone.make_git_dir(self.repository, root, branch=self._branch(root))
        if index.exists():
            shutil.copy2(index, root / ".git" / "index")
        notes = clone.fill(self.repository, root, commit=base, git_dir=root / ".git", index=index)
        clone.clean(self.repository, root, keep=keep)
        return notes

    def _branch(self, root: Path) -> str:
        return f"{self.repository.prefix}/{root.name}"

    def _take_spare(self, root: Path, index: Path) -> bool:
        with self._pool:
            for place in sorted(self._spare.iterdir()) if self._spare.is_dir() else ():
                if not (place / "files").is_dir() or not (place / "index").exists():
                    self._discard(place)
                    continue
                root.parent.mkdir(parents=True, exist_ok=True)
                index.parent.mkdir(parents=True, exist_ok=True)
                (place / "files").rename(root)
                (place / "index").rename(index)
                place.rmdir()
                return True
        return False

    def _make_usable(self, root: Path, setup: Setup, *, index: Path) -> Ready:
        """Run set-up, then see to it that what it did will not pass for an agent's work."""
        repository = self.repository
        ready = make_usable(
            project=self.folder,
            project_top=repository.root,
            checkout=root / repository.subfolder,
            checkout_top=root,
            setup=setup,
        )
        notes, made = ready.notes, ready.copied
        git_dir = self._git_dir(root)
        if setup.command is not None and (changed := clone.restore(repository, root, git_dir=git_dir, index=index)):
            notes += (f"set-up changed tracked files, which were put back: {', '.join(changed[:5])}",)
        if setup.command is not None or ready.copied:
            made = tuple(dict.fromkeys((*made, *clone.untracked(repository, root))))
        self._hide(root, tuple(map(_pattern, made)))
        return Ready(notes=notes, copied=made)

    def _hide(self, root: Path, patterns: tuple[str, ...]) -> None:
        clone.hide(self._git_dir(root), patterns)

    def _commit_of(self, tree: str) -> str:
        return self.repository.commit_tree(self.repository.tree(tree), parents=(), message="To be checked")

    def _discard(self, path: Path) -> None:
        """Take *path* out of the way at once and delete it as far as possible; an agent may have locked it."""
        if not path.is_symlink() and not path.exists():
            return
        removed = self.state / "removed"
        removed.mkdir(parents=True, exist_ok=True)
        target = removed / f"{path.name}-{secrets.token_hex(4)}"
        path.rename(target)
        _delete(target)


def _pattern(path: str) -> str:
    """Return an ignore pattern for exactly *path*."""
    return "/" + re.sub(r"([\\*?\[\] #!])", r"\\\1", path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text, "utf-8", "surrogateescape")
    fresh.replace(path)


def _delete(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    for folder in (path, *(entry for entry in path.rglob("*") if entry.is_dir() and not entry.is_symlink())):
        with suppress(OSError):
            folder.chmod(0o700)  # a folder without write permission keeps its entries
    shutil.rmtree(path, ignore_errors=True)
