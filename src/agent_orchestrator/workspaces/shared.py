"""``--isolation shared``: the project folder itself, with git or without, one agent at a time.

There is nothing to merge or deliver: the work is in the user's files as soon as
it is written. What an attempt changed is told by comparing the folder with what
it was before. Nothing is committed.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.errors import NotReady, OrchestratorError, WorkspaceProblem
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
)
from agent_orchestrator.workspaces.collecting import Place
from agent_orchestrator.workspaces.environment import check_environment
from agent_orchestrator.workspaces.project import detect, shown
from agent_orchestrator.workspaces.repository import PREFIX, Repository
from agent_orchestrator.workspaces.saves import Saves
from agent_orchestrator.workspaces.snapshot import snapshot

FILES_LIMIT = 20_000
"""Files looked at in a folder without git. Beyond that changes are missed, and a note says so."""
HASHED_FILE_BYTES = 1024 * 1024
"""A file up to here is compared by content, a larger one by size and time."""
HASHED_TOTAL_BYTES = 256 * 1024 * 1024
_CACHES = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", "target")
_SKIPPED = frozenset((".git", ".hg", ".svn", "node_modules", ".venv", "venv", *_CACHES))
_NOTHING = "agents work in the folder itself, so there is nothing to merge"


class SharedWorkspaces:
    """The folder itself as everybody's workspace. Merging refuses; delivering says that nothing is left to deliver."""

    isolation = Isolation.SHARED

    def __init__(self, *, folder: Path, state: Path) -> None:
        """Serve the project in *folder*; what it held before each attempt is noted in *state*."""
        self.folder = Path(folder).resolve()
        self.state = Path(state).resolve()

    @cached_property
    def repository(self) -> Repository | None:
        """The repository around the folder; None without one, or without git."""
        try:
            return Repository.find(self.folder, self.state)
        except (WorkspaceProblem, NotReady):
            return None

    def project(self) -> Project:
        """Look at the project folder now."""
        try:
            return detect(self.folder)
        except NotReady as error:
            return Project(folder=self.folder, root=None, head=None, branch=None, notes=(error.message,))

    def base(self, goal: GoalId, *, include_dirty: bool) -> str | None:
        """Return HEAD, or None: uncommitted work is there anyway."""
        return self.repository.commit("HEAD") if self.repository else None

    def result_branch(self, goal: GoalId) -> str:
        """Return the name the result branch would have; nothing is ever put there."""
        return f"{PREFIX}/{goal}/result"

    def tip(self, branch: str) -> str | None:
        """Return the commit of *branch*, or None."""
        return self.repository.tip(branch) if self.repository else None

    def tree(self, tree_or_commit: str) -> str:
        """Return the tree of a commit or tree. Refuses without git."""
        if self.repository is None:
            raise WorkspaceProblem(_NOTHING)
        return self.repository.tree(tree_or_commit)

    def open(self, attempt: AttemptId, *, base: str | None, setup: Setup) -> Workspace:
        """Note what the folder holds now and give it out. Set-up is not run: the user works here."""
        before = self._noted(attempt)
        if not before.exists():
            before.parent.mkdir(parents=True, exist_ok=True)
            fresh = before.with_suffix(".new")
            fresh.write_text(json.dumps(self._look()))
            fresh.replace(before)
            with suppress(OrchestratorError, OSError):  # a folder that is too large, say: that is no reason not to work
                self.checkpoint(self._workspace(base), attempt=attempt, why="before it began")
        return self._workspace(base)

    def reopen(self, path: Path, *, base: str | None) -> Workspace | None:
        """Return the folder if *path* is it."""
        return self._workspace(base) if Path(path) == self.folder and self.folder.is_dir() else None

    def collect(self, workspace: Workspace, *, goal: GoalId, attempt: AttemptId, message: str) -> Collected:
        """Report what differs from the start of the attempt. Nothing is committed."""
        before = self._noted(attempt)
        if not before.exists():  # it goes on where an earlier attempt at the task began
            task = attempt.rpartition(".")[0]
            earlier = sorted(before.parent.glob(f"{task}.*.json"), key=lambda file: file.stat().st_mtime_ns)
            if not earlier:
                raise WorkspaceProblem(f"it is not known what {self.folder} held before {attempt}")
            before = earlier[-1]
        then, now = json.loads(before.read_text()), self._look()
        if self.repository is not None and "tree" in then:
            changes = self.repository.changes(then["tree"], now["tree"])
            return Collected(
                commit=None,
                branch=None,
                files=changes.files,
                insertions=changes.insertions,
                deletions=changes.deletions,
                diff=changes.patch,
                notes=tuple(now["notes"]),
            )
        was, is_now = then.get("files", {}), now.get("files", {})
        differing = {name for name in was.keys() | is_now.keys() if _differ(was.get(name), is_now.get(name))}
        return Collected(commit=None, branch=None, files=tuple(sorted(differing)), notes=tuple(now["notes"]))

    def checkpoint(self, workspace: Workspace, *, attempt: AttemptId, why: str) -> Kept:
        """Keep the folder's files as they lie now. Without git only where there are not very many."""
        saves, repository = Saves(folder=self.folder, state=self.state), self.repository
        if repository is None:
            if len(_listed(self.folder, hashing=False)["files"]) >= FILES_LIMIT:
                raise WorkspaceProblem(f"{self.folder} has more than {FILES_LIMIT} files, so it gets no checkpoints")
            repository = Repository(
                folder=self.folder,
                root=self.folder,
                git_dir=saves.store,
                common=saves.store,
                state=self.state,
                settings=(),
                neutral={},
            )
        head = self.repository.commit("HEAD") if self.repository else None
        nothing = self.state / "none"  # the user's own index may name what they have staged and not committed
        place = Place(root=repository.root, base="", git_dir=repository.git_dir, index=nothing, exclude=nothing)
        work = checkpointing.Work(repository=repository, place=place, attempt=attempt, base=head)
        return checkpointing.take(saves, work, why=why)

    def keep_result(self, goal: GoalId, *, branch: str, base: str | None) -> Kept:
        """Do nothing: the result is the folder."""
        return Kept(checkpoint=None)

    def close(self, workspace: Workspace, *, is_safe: bool = False) -> None:
        """Do nothing: the folder is the user's."""

    def union(self, tip: str, commit: str) -> Union:
        """Refuse."""
        raise WorkspaceProblem(_NOTHING)

    def commit_tree(self, tree: str, *, parents: tuple[str, ...], message: str, author: str | None = None) -> str:
        """Refuse."""
        raise WorkspaceProblem(_NOTHING)

    def advance(self, branch: str, *, old: str | None, new: str) -> bool:
        """Refuse."""
        raise WorkspaceProblem(_NOTHING)

    def contains(self, branch: str, commit: str) -> bool:
        """Say whether *branch* has *commit*."""
        return self.repository is not None and self.repository.contains(branch, commit)

    def landed(self, branch: str, base: str | None) -> Mapping[str, str]:
        """Return nothing: nothing lands."""
        return {}

    @contextmanager
    def checked_out(self, tree_or_commit: str, *, setup: Setup) -> Iterator[Path]:
        """Give the folder itself, as it is now, whatever commit is asked for: the work is nowhere else."""
        yield self.folder

    def check_environment(self, checkout: Path, environment: Mapping[str, str]) -> dict[str, str]:
        """Return *environment* with the project's own tools and imports first."""
        return check_environment(self.folder, Path(checkout), environment)

    def deliver(self, *, branch: str, into: str | None, base: str | None) -> Delivered:
        """Say that there is nothing to deliver."""
        return Delivered(done=False, note="agents worked in the folder itself: the results are there, uncommitted")

    def undo(self, *, into: str | None, moved_from: str, moved_to: str, message: str = UNDO) -> Delivered:
        """Say that it cannot be undone here."""
        return Delivered(done=False, note="agents worked in the folder itself, so only your own backup can undo it")

    def diff(self, old: str, new: str, *, stat: bool = False) -> str:
        """Return the patch between two commits, if there is git."""
        return self.repository.diff(old, new, stat=stat) if self.repository else ""

    def revisions(self, old: str, new: str) -> tuple[Revision, ...]:
        """Return what became of every file that differs, if there is git."""
        return self.repository.revisions(old, new) if self.repository else ()

    def text(self, tree: str, path: str) -> str | None:
        """Return nothing: there are no trees."""
        return None

    def put_back(self, tree: str, paths: Sequence[str], *, like: str) -> str:
        """Refuse."""
        raise WorkspaceProblem(_NOTHING)

    def branches(self, goal: GoalId | None = None) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def drop_branches(self, branches: Mapping[str, str]) -> tuple[str, ...]:
        """Delete nothing: none was made."""
        return ()

    def _workspace(self, base: str | None) -> Workspace:
        root = self.repository.root if self.repository else self.folder
        guards: tuple[Path, ...] = ()
        if self.repository:
            common = self.repository.common
            guards = (common / "config", common / "hooks", common / "info")
        return Workspace(path=self.folder, root=root, isolation=self.isolation, base=base, git_guards=guards)

    def _noted(self, attempt: AttemptId) -> Path:
        if "/" in attempt or attempt.startswith("."):
            raise WorkspaceProblem(f"{attempt!r} cannot name a file")
        return self.state / "before" / f"{attempt}.json"

    def _look(self) -> dict[str, Any]:
        """Return what the folder holds: a git tree, or without git a list of files."""
        if self.repository is None:
            return _listed(self.folder)
        with self.repository.scratch() as scratch:
            index = scratch / "index"
            if (self.repository.git_dir / "index").exists():
                shutil.copy2(self.repository.git_dir / "index", index)  # ours, so the user's is neither read nor locked
            root = self.repository.root
            found = snapshot(self.repository, root, index=index, base=None, keep_filtered=False)
        return {"tree": found.tree, "notes": list(found.notes)}


def _listed(top: Path, *, hashing: bool = True) -> dict[str, Any]:
    files: dict[str, tuple[int, int, str]] = {}
    hashed = 0
    for here, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        links = [name for name in folders if Path(here, name).is_symlink()]
        for name in (*sorted(names), *links):
            if len(files) >= FILES_LIMIT:
                return {"files": files, "notes": [f"only the first {FILES_LIMIT} files were compared"]}
            place = Path(here, name)
            with suppress(OSError):
                seen = place.lstat()
                content = ""
                if place.is_symlink():
                    content = str(place.readlink())
                elif hashing and seen.st_size <= HASHED_FILE_BYTES and hashed < HASHED_TOTAL_BYTES and place.is_file():
                    content = hashlib.sha256(place.read_bytes()).hexdigest()
                    hashed += seen.st_size
                files[shown(str(place.relative_to(top)))] = (seen.st_size, seen.st_mtime_ns, content)
    return {"files": files, "notes": []}


def _differ(was: list[object] | None, now: tuple[int, int, str] | None) -> bool:
    if was is None or now is None:
        return True
    if was[2] and now[2]:
        return was[2] != now[2]
    return was[:2] != list(now[:2])
