"""Repositories inside the repository: filled from the user's own copies, without the network, and their work kept.

In a commit a submodule is a folder that names a commit of another repository.
Where the user has that submodule checked out, an attempt's checkout gets a
private clone of it that borrows the user's objects, like the checkout itself.
What an agent changes in there becomes a commit in the user's copy, on a branch
of the attempt's name, and the landed commit names that. Where the user has
none, the folder stays empty, and a note says so.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import clone
from agent_orchestrator.workspaces.git import git
from agent_orchestrator.workspaces.project import shown
from agent_orchestrator.workspaces.repository import Repository
from agent_orchestrator.workspaces.snapshot import snapshot

_DEEPEST = 5
"""Submodules of submodules are followed so far: more is a repository that contains itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the submodules of a checkout hold."""

    links: dict[str, str] = field(default_factory=dict)
    """Folder to the commit it stands for."""
    notes: tuple[str, ...] = ()


def fill(repository: Repository, root: Path, *, commit: str, depth: int = 0) -> tuple[str, ...]:
    """Make each submodule under *root*, a clean checkout of *commit*, hold the files it names. Returns notes."""
    notes: list[str] = []
    for path, pinned in _links(repository, commit).items():
        place, theirs = root / path, copy_of(repository, path)
        if place.is_symlink() or not place.is_dir():
            continue
        if any(place.iterdir()):  # of an earlier attempt
            shutil.rmtree(place)
            place.mkdir()
        if theirs is None:
            notes.append(f"the submodule {shown(path)} is empty here: it is not checked out in the project")
        elif theirs.commit(pinned) is None:
            notes.append(f"the submodule {shown(path)} is empty here: the project's copy has no commit {pinned[:12]}")
        else:
            clone.make_git_dir(theirs, place, branch=theirs.prefix)
            theirs.git("reset", "--hard", "--quiet", pinned, cwd=place)
            if depth < _DEEPEST:
                notes += fill(theirs, place, commit=pinned, depth=depth + 1)
    return tuple(notes)


def collect(
    repository: Repository,
    root: Path,
    *,
    made_from: str,
    base: str,
    branch: str,
    message: str,
    scratch: Path,
    depth: int = 0,
) -> Inside:
    """Bring what lies in the submodules under *root* to safety in the user's copies, each on *branch* there.

    Only what changed since *made_from*, the commit the checkout was made from, counts; the rest stands for what *base*
    says, which may be newer.
    """
    inside = Inside(links=_links(repository, base))
    notes: list[str] = []
    before = _links(repository, made_from) if made_from != base else inside.links
    for path in list(inside.links):
        place, theirs = root / path, copy_of(repository, path)
        if place.is_symlink() or not place.is_dir():
            del inside.links[path]  # removed or replaced: what lies there instead counts
            continue
        pinned = before.get(path)
        if theirs is None or pinned is None or theirs.commit(pinned) is None or not any(place.iterdir()):
            continue
        number = len(list(scratch.iterdir()))
        deeper = scratch / f"submodule-{number}"
        deeper.mkdir()
        own_branch = theirs.prefix + branch.removeprefix(repository.prefix)
        below = Inside()
        if depth < _DEEPEST:
            below = collect(
                theirs,
                place,
                made_from=pinned,
                base=pinned,
                branch=own_branch,
                message=message,
                scratch=deeper,
                depth=depth + 1,
            )
        found = snapshot(theirs, place, index=deeper / "index", base=pinned, links=below.links)
        notes += (*below.notes, *found.notes)
        if found.tree == theirs.tree(pinned):
            continue
        commit = _commit(theirs, place, found.tree, pinned=pinned, branch=own_branch, message=message)
        inside.links[path] = commit
        notes.append(f"the submodule {shown(path)} has a commit of its own, {commit[:12]}, in the project's copy of it")
    return Inside(links=inside.links, notes=tuple(notes))


def differ(repository: Repository, old: str, new: str) -> bool:
    """Say whether two commits name different commits for a submodule."""
    return _links(repository, old) != _links(repository, new)


def _commit(theirs: Repository, place: Path, tree: str, *, pinned: str, branch: str, message: str) -> str:
    """Return a commit of *tree* that stays: one the user has, if the agent only went there, else a new one."""
    checked_out = _head(place)
    if checked_out is not None and theirs.commit(checked_out) and theirs.tree(checked_out) == tree:
        return checked_out
    tip = theirs.tip(branch)
    if tip is not None and theirs.tree(tip) == tree:
        return tip
    commit = theirs.commit_tree(tree, parents=(pinned,), message=message)
    if not theirs.advance(branch, old=tip, new=commit):
        raise WorkspaceProblem(f"the branch {branch} of {theirs.root} was moved while work was collected into it")
    return commit


def _head(place: Path) -> str | None:
    git_dir = place / ".git"
    if git_dir.is_symlink() or not git_dir.is_dir():
        return None
    return git(f"--git-dir={git_dir}", "rev-parse", "--verify", "-q", "HEAD", cwd=place, check=False).text or None


def _links(repository: Repository, commit: str) -> dict[str, str]:
    """Return the submodules of *commit*: folder to the commit it stands for."""
    if not repository.has(f"{commit}:.gitmodules"):
        return {}
    return dict(_gitlinks(repository.git("ls-tree", "-r", "-z", "--full-tree", commit).out))


def _gitlinks(listed: bytes) -> Iterator[tuple[str, str]]:
    for line in listed.split(b"\0"):
        described, _, path = line.partition(b"\t")
        if described.startswith(b"160000 "):
            yield os.fsdecode(path), described.split()[2].decode()


def copy_of(repository: Repository, path: str) -> Repository | None:
    """Return the user's own copy of a submodule; None when it is not checked out there."""
    place = repository.root / path
    if not (place / ".git").exists():
        return None
    try:
        found = Repository.find(place, repository.state / "submodules" / path)
    except WorkspaceProblem:
        return None
    return found if found.root == place.resolve() else None
