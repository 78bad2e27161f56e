"""Moving a branch that is checked out forward, whole or not at all.

Git writes the files first and the branch last, and does not take back what it wrote when the disk is full or when it is
killed in between: the user's folder is then half of the old and half of the new, and no later merge goes over it. So a
ref says what is being done, and what was left half done is taken back before anything else.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent_orchestrator.domain.errors import DiskFull
from agent_orchestrator.workspaces.git import failed, one_line
from agent_orchestrator.workspaces.repository import Repository

UNDERWAY = "refs/orchestrate/delivering/"
"""With the branch's name: the commit to which it is being moved."""

TRIES = 2
"""A disk may be full for a moment only."""

_UNWRITTEN = "unable to write file"
"""All that git says of a file for which there was no room; of what else can be wrong with a file it says more."""
_ABSENT, _LINK, _FILES = "000000", "120000", ("100644", "100755")


class _Change(NamedTuple):
    path: str
    was: str
    """Mode before; ``000000`` when it was not there."""
    mode: str
    """Mode after."""
    blob: str
    """What it becomes."""


def forward(repository: Repository, place: Path, into: str, *, old: str, new: str) -> str:
    """Fast-forward *into*, which is checked out and clean in *place*, from *old* to *new*. Returns why not, or nothing.

    Raises:
        DiskFull: there was no room; what was written is taken back as far as there is room for that.
    """
    # By default git overwrites ignored files that a merge brings in, such as an .env somebody committed.
    asked = ("merge", "--ff-only", "--quiet", "--no-overwrite-ignore", "--no-stat", new)
    brought = [one.path for one in _changes(repository, old, new) if one.was == _ABSENT]
    if any(os.path.lexists(place / path) for path in brought):  # theirs, and git refuses before it writes anything
        merged = repository.git(*asked, cwd=place, check=False)
        return one_line(merged) if merged.code != 0 else ""
    for _ in range(TRIES):
        repository.git("update-ref", f"{UNDERWAY}{into}", new)
        merged = repository.git(*asked, cwd=place, check=False)
        if merged.code == 0:
            break
        take_back(repository, place, into)
        error = failed("git merge failed", merged)
        if isinstance(error, DiskFull):
            raise error
        if _UNWRITTEN not in merged.error:
            return one_line(merged)
    else:
        raise DiskFull(f"git merge failed: {one_line(merged)}", hint="free some space and repeat")
    repository.git("update-ref", "-d", f"{UNDERWAY}{into}")
    return ""


def take_back(repository: Repository, place: Path, into: str) -> None:
    """Take back what a forward of *into* wrote in *place* before it broke off. What somebody else wrote there stays.

    Raises:
        DiskFull: there is no room for the files as they were; it can be repeated.
    """
    new, old = repository.commit(f"{UNDERWAY}{into}"), repository.tip(into)
    if new is None or old is None:
        return
    if old != new and repository.is_ancestor(old, new):
        changes = list(_changes(repository, old, new))
        ours = [one for one in changes if _is_of(repository, place / one.path, one)]
        for one in ours:
            if one.was == _ABSENT:
                (place / one.path).unlink(missing_ok=True)
                _without_empty_folders((place / one.path).parent, place)
        back = [one.path for one in ours if one.was != _ABSENT]
        if back:
            listed = b"".join(os.fsencode(path) + b"\0" for path in back)
            repository.git("checkout-index", "--force", "-z", "--stdin", cwd=place, input=listed)
    repository.git("update-ref", "-d", f"{UNDERWAY}{into}")


def _changes(repository: Repository, old: str, new: str) -> Iterator[_Change]:
    """Return what differs in files and links; submodules are not written by a merge."""
    names = repository.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new).names
    for head, path in zip(names[0::2], names[1::2], strict=True):
        was, mode, _, blob, _ = head.removeprefix(":").split()
        if was in {_ABSENT, _LINK, *_FILES} and mode in {_ABSENT, _LINK, *_FILES}:
            yield _Change(path, was, mode, blob)


def _is_of(repository: Repository, file: Path, change: _Change) -> bool:
    """Say whether *file* is what git leaves of *change* when it breaks off: all of it, its beginning, or nothing."""
    try:
        found = file.lstat()
    except FileNotFoundError:
        return change.was != _ABSENT
    except OSError:
        return False
    if change.mode == _ABSENT:
        return False  # git would have removed it
    wanted = repository.git("cat-file", "blob", change.blob).out
    if stat.S_ISLNK(found.st_mode):
        return change.mode == _LINK and os.fsencode(file.readlink()) == wanted
    if not stat.S_ISREG(found.st_mode):
        return False
    # Git may write other ends of lines than it stores.
    return wanted.replace(b"\r\n", b"\n").startswith(file.read_bytes().replace(b"\r\n", b"\n"))


def _without_empty_folders(folder: Path, root: Path) -> None:
    while folder != root and folder.is_relative_to(root):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
