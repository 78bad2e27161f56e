"""Moving a branch that is checked out, forward or back, whole or not at all.

Git writes the files first and the branch last, and does not take back what it wrote when the disk is full or when it is
killed in between: the user's folder is then half of the old and half of the new, and no later move goes over it. So a
ref says what is being done, and what was left half done is taken back before anything else.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import NamedTuple

from agent_orchestrator.domain.errors import DiskFull, WorkspaceProblem
from agent_orchestrator.workspaces.git import TIMEOUT_S, failed, one_line
from agent_orchestrator.workspaces.locking import take
from agent_orchestrator.workspaces.repository import Repository

UNDERWAY = "refs/orchestrate/delivering/"
"""With the branch's name: the commit to which it is being moved, forward or back."""

TRIES = 2
"""A disk may be full for a moment only."""
WAIT_S = 2 * TIMEOUT_S
"""For another process that moves a branch here: as long as its git may take, and what it takes back."""

_UNWRITTEN = "unable to write file"
"""All that git says of a file for which there was no room; of what else can be wrong with a file it says more."""
_ABSENT, _LINK, _FILES = "000000", "120000", ("100644", "100755")
_FORWARD = ("merge", "--ff-only", "--quiet", "--no-overwrite-ignore", "--no-stat")
"""By default git overwrites ignored files that a merge brings in, such as an .env somebody committed."""
_BACK = ("reset", "--keep", "--quiet")


class _Change(NamedTuple):
    path: str
    was: str
    """Mode before; ``000000`` when it was not there."""
    mode: str
    """Mode after."""
    before: str
    """What it was."""
    blob: str
    """What it becomes."""


@contextmanager
def alone(repository: Repository) -> Iterator[int]:
    """Be the only one of us who moves a branch of *repository*; give a descriptor that a git may hold on to.

    A git that was given it keeps everybody waiting until it ends, even when who started it is gone: what it does is
    not broken off, and must not be taken back.

    Raises:
        WorkspaceProblem: another one did not end for WAIT_S.
    """
    # The folder itself is locked: for a file of its own there may be no room.
    lock = os.open(repository.common, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a network's disk that locks no folders: as good as it gets there
            if not take(lock, WAIT_S):
                raise WorkspaceProblem(f"something else moved branches of {repository.root} all along")
        yield lock
    finally:
        os.close(lock)


def forward(repository: Repository, place: Path, into: str, *, old: str, new: str, held: int) -> str:
    """Fast-forward *into*, which is checked out and clean in *place*, from *old* to *new*. Returns why not, or nothing.

    *held* is what ``alone`` gave.

    Raises:
        DiskFull: there was no room; what was written is taken back as far as there is room for that.
    """
    asked = (*_FORWARD, new)
    if _in_the_way(repository, place, old, new):  # theirs, and git refuses before it writes anything
        merged = repository.git(*asked, cwd=place, check=False)
        return one_line(merged) if merged.code != 0 else ""
    return _move(repository, place, into, asked, new=new, held=held)


def back(repository: Repository, place: Path, into: str, *, old: str, new: str, held: int) -> str:
    """Reset *into*, which is checked out and clean in *place*, from *old* to the older *new*, as ``forward`` moves it.

    Raises:
        DiskFull: there was no room; what was written is taken back as far as there is room for that.
    """
    theirs = _in_the_way(repository, place, old, new)
    if theirs:  # git would overwrite it where it is ignored
        return f"{theirs[0]} in {place} is in the way"
    return _move(repository, place, into, (*_BACK, new), new=new, held=held)


def take_back(repository: Repository, place: Path, into: str) -> None:
    """Take back what a move of *into* wrote in *place* before it broke off. What somebody else wrote there stays.

    Raises:
        DiskFull: there is no room for the files as they were; it can be repeated.
    """
    new, old = repository.commit(f"{UNDERWAY}{into}"), repository.tip(into)
    if new is None:
        return
    if old not in {None, new} and (repository.is_ancestor(old, new) or repository.is_ancestor(new, old)):
        changes = list(_changes(repository, old, new))
        brought = [one for one in changes if one.was == _ABSENT and _is_of(repository, place / one.path, one)]
        _take_back_in_index(repository, place, brought)
        for one in brought:
            (place / one.path).unlink(missing_ok=True)
            _without_empty_folders((place / one.path).parent, place)
        # Looked at after that: a file that was brought may lie where a folder was.
        taken = [one for one in changes if one.was != _ABSENT and _is_of(repository, place / one.path, one)]
        _take_back_in_index(repository, place, taken)
        if taken:
            listed = b"".join(os.fsencode(one.path) + b"\0" for one in taken)
            repository.git("checkout-index", "--force", "-z", "--stdin", cwd=place, input=listed)
        refresh(repository, place)
    repository.git("update-ref", "-d", f"{UNDERWAY}{into}")


def refresh(repository: Repository, place: Path) -> None:
    """Let git see that a file that was only copied, touched or written again is no change; `git reset` does not look.

    Raises:
        DiskFull: there is no room for its index.
    """
    refreshed = repository.git("update-index", "-q", "--refresh", cwd=place, check=False)
    error = failed("git update-index failed", refreshed)
    if refreshed.code != 0 and isinstance(error, DiskFull):
        raise error


def _move(repository: Repository, place: Path, into: str, asked: tuple[str, ...], *, new: str, held: int) -> str:
    for _ in range(TRIES):
        repository.git("update-ref", f"{UNDERWAY}{into}", new)
        try:
            moved = repository.git(*asked, cwd=place, check=False, held=held)
        except BaseException:  # it took too long, or somebody has had enough: git is ended by now
            take_back(repository, place, into)
            raise
        if moved.code == 0:
            break
        take_back(repository, place, into)
        error = failed(f"git {asked[0]} failed", moved)
        if isinstance(error, DiskFull):
            raise error
        if _UNWRITTEN not in moved.error:
            return one_line(moved)
    else:
        raise DiskFull(f"git {asked[0]} failed: {one_line(moved)}", hint="free some space and repeat")
    repository.git("update-ref", "-d", f"{UNDERWAY}{into}")
    return ""


def _in_the_way(repository: Repository, place: Path, old: str, new: str) -> list[str]:
    """Return what lies in *place* under names that a move brings, and does not go away with it."""
    changes = list(_changes(repository, old, new))
    gone = {one.path for one in changes if one.mode == _ABSENT}

    def stays(path: str) -> bool:
        ways = [path, *map(str, PurePath(path).parents)][:-1]
        if any((place / way).is_symlink() or (place / way).is_file() for way in ways if way not in gone):
            return True
        below = (place / path).rglob("*") if (place / path).is_dir() and path not in gone else ()
        return any(str(one.relative_to(place)) not in gone for one in below if one.is_symlink() or not one.is_dir())

    return [one.path for one in changes if one.was == _ABSENT and stays(one.path)]


def _take_back_in_index(repository: Repository, place: Path, ours: list[_Change]) -> None:
    """Put back what git wrote into the index, which it does after the files and before it moves the branch."""
    entries = repository.git("ls-files", "-s", "-z", cwd=place).names if ours else []
    staged = {path: head.split()[:2] for head, _, path in (entry.partition("\t") for entry in entries)}
    lines = [
        f"{'0' if one.was == _ABSENT else one.was} {one.before}\t{one.path}\0"
        for one in ours
        if staged.get(one.path, [_ABSENT, one.blob]) == [one.mode, one.blob]
    ]
    if lines:
        repository.git("update-index", "-z", "--index-info", cwd=place, input=os.fsencode("".join(lines)))


def _changes(repository: Repository, old: str, new: str) -> Iterator[_Change]:
    """Return what differs in files and links; submodules are not written by a move."""
    names = repository.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old, new).names
    for head, path in zip(names[0::2], names[1::2], strict=True):
        was, mode, before, blob, _ = head.removeprefix(":").split()
        if was in {_ABSENT, _LINK, *_FILES} and mode in {_ABSENT, _LINK, *_FILES}:
            yield _Change(path, was, mode, before, blob)


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
