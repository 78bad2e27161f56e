"""A folder's files as a git tree, without asking anything of the ``.git`` that lies in it.

The objects go straight into the user's repository; the index is a private file.
So an agent may have committed, rebased, left a merge half done or an index.lock,
or deleted ``.git`` altogether: what counts is the files. Nothing the agent's
``.git`` configures can run, because it is not read.
"""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces.git import Result, git
from agent_orchestrator.workspaces.project import shown
from agent_orchestrator.workspaces.repository import Repository

FILE_LIMIT_BYTES = 50 * 1024 * 1024
"""A larger file is left out with a note: hosts refuse it (GitHub warns at 50 MiB), and it is nearly always a build
product or a core dump that nobody ignored."""
NESTED_LIMIT = 2_000
"""Files taken from a repository inside the checkout. More is somebody's clone, not the work."""

_PLAIN = {"core.bare": "false", "core.sparseCheckout": "false", "core.splitIndex": "false", "core.untrackedCache": "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a folder holds."""

    tree: str
    notes: tuple[str, ...] = ()
    """Files that were left out, and why."""


def snapshot(
    repository: Repository,
    root: Path,
    *,
    index: Path,
    base: str | None,
    exclude: Path | None = None,
    also: tuple[str, ...] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    keep_filtered: bool = True,
    is_refused: Callable[[str], str] | None = None,
    holds: str | None = None,
) -> Snapshot:
    """Write the files under *root* as a tree into *repository* and return it.

    *index* is a private index: one that was saved when the files were checked out
    makes this quick, because only changed files are read; a missing one is made
    from *base*. Ignored files are left out, except those named in *also*;
    patterns in the file *exclude* are ignored too. *links* are folders that stand
    for a commit of another repository, whatever lies in them. Without *keep_filtered*, changed
    files under a filter we do not run keep their old content: their plain text
    must not enter the object store. *is_refused* says why a path that git does
    not track must not be taken; empty lets it in. *holds* is the commit whose files the given *index* names and no
    others: while nothing differs from those, its tree is the answer, and no other need be written.

    Raises:
        WorkspaceProblem: *root* is gone, or a link to somewhere else.
    """
    if root.is_symlink() or not root.is_dir():
        raise WorkspaceProblem(f"the checkout {root} is gone, so there is nothing to collect")
    run = _Runner(repository=repository, root=root, index=index)
    if not index.exists():
        holds = None
        run("read-tree", base if base else "--empty")
    hidden = () if exclude is None or not exclude.exists() else (f"--exclude-from={exclude}",)
    found = run("ls-files", "--modified", "--others", "--exclude-standard", *hidden, "-z").names
    notes: list[str] = []
    paths = set(also)
    found = [path for path in found if path not in links]
    for path in found:
        paths.update(run.nested(path, notes) if path.endswith("/") else (path,))
    wanted = [path for path in sorted(paths) if not _is_replaced(root, path, paths) and _fits(root, path, notes)]
    if not keep_filtered and repository.neutral:
        wanted = _unfiltered(run, wanted, notes)
    if is_refused is not None:
        wanted = _allowed(run, wanted, is_refused, notes)
    run.add(wanted, notes)
    if links:
        entries = b"".join(f"160000 {commit}\t".encode() + os.fsencode(path) + b"\0" for path, commit in links.items())
        run("update-index", "-z", "--index-info", input=entries)
    unchanged = not wanted and not links
    tree = repository.tree(holds) if holds and unchanged else run("write-tree").text
    return Snapshot(tree=tree, notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runner:
    repository: Repository
    root: Path
    index: Path

    def __call__(self, *args: str, input: bytes | None = None, check: bool = True) -> Result:
        config = {**self.repository.neutral, **_PLAIN}
        return git(*args, cwd=self.root, env=self._env(self.root, self.index), config=config, input=input, check=check)

    def _env(self, root: Path, index: Path) -> Mapping[str, str]:
        return {"GIT_DIR": str(self.repository.git_dir), "GIT_WORK_TREE": str(root), "GIT_INDEX_FILE": str(index)}

    def nested(self, folder: str, notes: list[str]) -> list[str]:
        """Return the files of a repository at *folder*: an agent that ran ``git init`` there meant its files."""
        inner = self.root / folder
        env = self._env(inner, self.index.with_name(self.index.name + ".nested"))
        listed = git("ls-files", "--others", "--exclude-standard", "-z", cwd=inner, env=env, config=_PLAIN)
        files = [folder + name for name in listed.names if not name.endswith("/")]
        if len(files) > NESTED_LIMIT:
            notes.append(f"left out {shown(folder)}: a repository of its own with {len(files)} files")
            return []
        notes.append(f"took the files of {shown(folder)}, a repository of its own, without its history")
        return files

    def add(self, paths: list[str], notes: list[str]) -> None:
        """Bring the index up to date with *paths*; one that cannot be read is noted and keeps its old content."""
        update = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
        if not paths or self(*update, input=_joined(paths), check=False).code == 0:
            return
        for path in paths:
            if self(*update, input=_joined([path]), check=False).code != 0:
                notes.append(f"left out {shown(path)}: git could not read it")


def _joined(paths: list[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _is_replaced(root: Path, path: str, paths: set[str]) -> bool:
    """Say whether *path* cannot exist any more because one of the *paths* above it has become a file or a link."""
    above = (parent for parent in map(str, PurePath(path).parents) if parent in paths)
    return any((root / parent).is_symlink() or not (root / parent).is_dir() for parent in above)


def _fits(root: Path, path: str, notes: list[str]) -> bool:
    try:
        seen = (root / path).lstat()
    except OSError:
        return True  # deleted, or below something that is no folder any more: the removal is what counts
    if stat.S_ISREG(seen.st_mode) and seen.st_size > FILE_LIMIT_BYTES:
        notes.append(f"left out {shown(path)}: {seen.st_size // 2**20} MiB is above {FILE_LIMIT_BYTES // 2**20} MiB")
        return False
    return True


def _unfiltered(run: _Runner, paths: list[str], notes: list[str]) -> list[str]:
    """Drop the paths whose content would go through a filter of the repository's own."""
    answers = run("check-attr", "-z", "--stdin", "filter", input=_joined(paths)).names
    blank = {key.split(".", 1)[1].rsplit(".", 1)[0] for key in run.repository.neutral if key.startswith("filter.")}
    dropped = {path for path, value in zip(answers[0::3], answers[2::3], strict=True) if value in blank}
    notes.extend(f"left out {shown(path)}: its filter is not run here" for path in sorted(dropped))
    return [path for path in paths if path not in dropped]


def _allowed(run: _Runner, paths: list[str], is_refused: Callable[[str], str], notes: list[str]) -> list[str]:
    """Drop the paths that must not be taken, unless the index has them: then they are the project's own choice."""
    reasons = {path: reason for path in paths if (reason := is_refused(path))}
    if not reasons:
        return paths
    tracked = set(run("ls-files", "-z").names)
    dropped = {path: reason for path, reason in reasons.items() if path not in tracked}
    notes.extend(f"left out {shown(path)}: {reason}" for path, reason in dropped.items())
    return [path for path in paths if path not in dropped]
