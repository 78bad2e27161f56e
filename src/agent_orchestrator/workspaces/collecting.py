"""Bringing an attempt's work to safety: one commit on its base, on a branch in the user's repository."""

import filecmp
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import Collected, submodules
from agent_orchestrator.workspaces.git import git
from agent_orchestrator.workspaces.project import shown
from agent_orchestrator.workspaces.repository import Repository, quoted
from agent_orchestrator.workspaces.snapshot import snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One checkout, and what we noted about it outside an agent's reach."""

    root: Path
    base: str
    """Commit the files were made from."""
    git_dir: Path
    """Of the checkout: an agent's to change and destroy."""
    index: Path
    """The index as it was when the files were made."""
    exclude: Path
    """Patterns for what set-up put there, which is nobody's work."""
    products: tuple[str, ...] = ()
    """The same as paths; folders end in ``/``."""
    is_index_of_base: bool = False
    """Whether *index* names the files of *base* and no others, as far as we know: a set-up command may add to it."""


def collect(
    repository: Repository, place: Place, *, branch: str, message: str, newer_base: str | None = None
) -> Collected:
    """Squash everything under ``place.root`` into one commit on the base and put *branch* there.

    The files as they lie count. Files the agent committed though they are ignored
    are taken too. If the files equal the base but the agent's own ``.git`` holds
    work that is checked out no more (another branch, a stash), the newest of that
    is taken. *newer_base* becomes the base if the agent merged it or rebased onto it; otherwise diffing
    against it would take other people's landed work back.
    """
    base = place.base
    if newer_base and newer_base != base and _has(repository, place, newer_base):
        base = newer_base
    with repository.scratch() as scratch:
        index = scratch / "index"
        if place.index.exists():
            index.write_bytes(place.index.read_bytes())
            same_time(place.index, index)
        also = ignored_but_committed(repository, place, scratch)
        inside = submodules.collect(
            repository, place.root, made_from=place.base, base=base, branch=branch, message=message, scratch=scratch
        )
        found = snapshot(
            repository,
            place.root,
            index=index,
            base=base,
            exclude=place.exclude,
            also=also,
            links=inside.links,
            holds=place.base if place.is_index_of_base else None,
        )
    tree, notes, before = found.tree, (*inside.notes, *found.notes), repository.tree(base)
    if tree == before and (forgotten := _not_checked_out(repository, place, base)):
        tree, where = forgotten
        notes = (*notes, f"taken from {where} in the agent's repository, where it was not checked out")
    if tree == before:
        return Collected(commit=None, branch=None, notes=notes)
    commit = _commit(repository, tree, base=base, branch=branch, message=message)
    changes = repository.changes(base, commit)
    return Collected(
        commit=commit,
        branch=branch,
        files=changes.files,
        insertions=changes.insertions,
        deletions=changes.deletions,
        diff=changes.patch,
        notes=notes,
    )


def _commit(repository: Repository, tree: str, *, base: str, branch: str, message: str) -> str:
    tip = repository.tip(branch)
    if tip is not None and _describe(repository, tip) == (tree, base, message.strip()):
        return tip
    commit = repository.commit_tree(tree, parents=(base,), message=message)
    if not repository.advance(branch, old=tip, new=commit):
        raise WorkspaceProblem(f"the branch {branch} was moved by somebody else while work was collected into it")
    return commit


def _describe(repository: Repository, commit: str) -> tuple[str, str, str]:
    tree, parents, message = repository.git("show", "--no-patch", "--format=%T%n%P%n%B", commit).text.split("\n", 2)
    return tree, parents, message.strip()


def same_time(like: Path, path: Path) -> None:
    """Give *path*, a copy of the index *like*, its times: git reads anew every file that is as recent as its index."""
    seen = like.stat()
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def ignored_but_committed(repository: Repository, place: Place, scratch: Path) -> tuple[str, ...]:
    """Return ignored files that the agent added by force. Its index is copied, so a lock on it does not matter."""
    theirs = place.git_dir / "index"
    if place.git_dir.is_symlink() or not theirs.is_file() or theirs.is_symlink():
        return ()
    if place.index.exists() and filecmp.cmp(place.index, theirs, shallow=False):
        return ()
    copy = scratch / "theirs"
    copy.write_bytes(theirs.read_bytes())
    env = {"GIT_DIR": str(repository.git_dir), "GIT_WORK_TREE": str(place.root), "GIT_INDEX_FILE": str(copy)}
    asked = ("ls-files", "--cached", "--ignored", "--exclude-standard", "-z")
    listed = repository.git(*asked, cwd=place.root, env=env, check=False)
    if listed.code != 0:
        return ()  # the index is broken: what lies there as a file is still taken
    folders = tuple(name for name in place.products if name.endswith("/"))
    names = (name for name in listed.names if not name.startswith(folders) and name not in place.products)
    return tuple(names)


def borrowing(place: Place) -> dict[str, str] | None:
    """Return the environment in which git in the user's repository also sees the objects of the checkout."""
    objects = place.git_dir / "objects"
    if place.git_dir.is_symlink() or not os.access(objects.parent, os.R_OK | os.X_OK):
        return None
    if not objects.is_dir():
        return {}  # a worktree: its objects are the user's anyway
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.fsdecode(quoted(objects))}


def holds_objects(store: Path) -> bool:
    """Say whether an object store has anything of its own, loose or packed."""
    with suppress(OSError):
        return any(len(entry.name) == 2 or any(entry.glob("*.pack")) for entry in store.iterdir())
    return False  # what cannot be read cannot be taken


def theirs_of(place: Place, *asked: str) -> list[str]:
    """Return the lines that git prints in the agent's own repository; none when that is broken or gone."""
    git_dir = place.git_dir
    if git_dir.is_symlink() or not git_dir.is_dir():
        return []
    found = git(f"--git-dir={git_dir}", *asked, cwd=place.root, check=False)
    return found.text.splitlines() if found.code == 0 else []


def _has(repository: Repository, place: Place, commit: str) -> bool:
    env = borrowing(place)
    heads = [head for name in ("HEAD", "MERGE_HEAD") for head in theirs_of(place, "rev-parse", "--verify", "-q", name)]
    return env is not None and any(repository.is_ancestor(commit, head, env=env) for head in heads)


def _not_checked_out(repository: Repository, place: Place, base: str) -> tuple[str, str] | None:
    """Return the newest tree the agent committed somewhere and left, and where; brought into the user's repository."""
    env = borrowing(place)
    if not env or not holds_objects(place.git_dir / "objects"):
        return None  # it wrote no object, so it committed nothing
    form = "--format=%(objectname) %(refname)"
    refs = theirs_of(place, "for-each-ref", "--sort=-committerdate", form, "refs/heads", "refs/stash")
    heads = [f"{head} HEAD" for head in theirs_of(place, "rev-parse", "--verify", "-q", "HEAD")]
    for line in (*heads, *refs):
        commit, _, name = line.partition(" ")
        if repository.commit(commit):
            continue  # the user has it: it was there before
        tree = repository.git("rev-parse", "--verify", "-q", f"{commit}^{{tree}}", env=env, check=False).text
        if tree and tree != repository.tree(base) and repository.is_ancestor(base, commit, env=env):
            wanted = f"{tree}\n^{base}\n".encode()
            pack = repository.git("pack-objects", "--revs", "--stdout", "-q", env=env, input=wanted).out
            repository.git("unpack-objects", "-q", input=pack)
            return tree, shown(name)
    return None
