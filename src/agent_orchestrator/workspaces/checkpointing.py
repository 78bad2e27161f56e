"""Taking a checkpoint: the files of a checkout as they lie, while its agent works, into our own store.

What counts is what :mod:`~agent_orchestrator.workspaces.snapshot` reads: the
files, not the agent's ``.git``. So a checkpoint is as good in the middle of a
rebase as before one. What the agent committed or stashed and does not have
checked out is kept too, each as a checkpoint of its own.
"""

import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.workspaces import SECRET, Checkpoint, Kept, clone
from agent_orchestrator.workspaces.collecting import (
    Place,
    borrowing,
    holds_objects,
    ignored_but_committed,
    same_time,
    theirs_of,
)
from agent_orchestrator.workspaces.project import shown
from agent_orchestrator.workspaces.repository import Repository
from agent_orchestrator.workspaces.saves import Saves, gitlinks, message
from agent_orchestrator.workspaces.snapshot import Snapshot, snapshot
from agent_orchestrator.workspaces.submodules import copy_of

ELSEWHERE = 20
"""Branches and stashes of an agent's own repository that are looked at, the newest first."""
INSTALLED = ("node_modules/", ".venv/", "venv/", "__pycache__/")
"""What package managers and interpreters put there, even where nobody told git to ignore it."""

_SECRET = re.compile(
    r"\.env(?!\.(example|sample|template|dist|defaults)$)(\..+)?|\.envrc|\.netrc|\.npmrc|\.pypirc|\.pgpass|\.htpasswd"
    r"|\.git-credentials|\.dockercfg|id_(rsa|dsa|ecdsa|ed25519)(_sk)?|credentials(\.json)?|client_secret.*\.json"
    r"|service[-_]account.*\.json|secrets?\.(json|ya?ml|toml|ini|txt|env)"
    r"|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)",
    re.I,
)


def is_secret(path: str) -> str:
    """Return why a file that git does not track is never kept; empty if it may be. By its name: content is not read."""
    return SECRET if _SECRET.fullmatch(PurePath(path).name) else ""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Whose files are kept, and what we know about them."""

    repository: Repository
    """The user's. It may be damaged or gone by now: only what a base holds is still read from it."""
    place: Place
    attempt: AttemptId
    base: str | None
    """Commit the files were made from; None in a folder without one."""


def take(saves: Saves, work: Work, *, why: str) -> Kept:
    """Keep the files as they lie now.

    Raises:
        WorkspaceProblem: the checkout is gone, or git failed. Earlier checkpoints are as they were.
    """
    root = work.place.root
    with saves.locked():
        if root.is_symlink() or not root.is_dir():
            raise WorkspaceProblem(f"the checkout {root} is gone, so there is nothing to keep")
        own = opened(saves, work.repository)
        known = _keep_base(saves, work.repository, work.base)
        working = saves.store / "working" / work.place.root.name
        working.mkdir(parents=True, exist_ok=True)
        found = _snapshot(saves, own, work, working, known)
        last = _last(working)
        taken = None
        if found.tree != last and (last or found.tree != known):
            taken = _commit(saves, work.attempt, found, known=known, base=work.base, why=why)
            _remember(working, found.tree)
        for name, tree in _not_checked_out(saves, work, known, {found.tree, known}):
            why = f"{name} of its own repository"
            _commit(saves, work.attempt, Snapshot(tree=tree), known=known, base=work.base, why=why)
        return Kept(checkpoint=taken, notes=found.notes)


def keep_branch(saves: Saves, repository: Repository, goal: GoalId, *, branch: str, base: str | None) -> Kept:
    """Keep what a branch of the user's repository holds, as a checkpoint of *goal*."""
    tip = repository.tip(branch)
    if tip is None:
        return Kept(checkpoint=None)
    tree = repository.tree(tip)
    with saves.locked():
        opened(saves, repository)
        known = _keep_base(saves, repository, base)
        before = saves.of(goal)
        if before and before[-1].tree == tree:
            return Kept(checkpoint=None)
        saves.carry(tree, known=known, source=repository.common, target=saves.store)
        why = f"what had landed on {branch}"
        return Kept(checkpoint=_commit(saves, goal, Snapshot(tree=tree), known=known, base=base, why=why))


def opened(saves: Saves, repository: Repository) -> Repository:
    """Make the store if it is not there, and return it as the repository that snapshots are written to."""
    saves.make(clone.configuration(repository))
    for name in ("exclude", "attributes"):
        with suppress(OSError):
            (saves.store / "info" / name).write_bytes((repository.common / "info" / name).read_bytes())
    neutral = {key: value for key, value in repository.neutral.items() if not key.startswith("filter.lfs.")}
    return replace(repository, git_dir=saves.store, common=saves.store, neutral=neutral)


def _keep_base(saves: Saves, repository: Repository, base: str | None) -> str | None:
    """See to it that the store holds the files the work began with; return their tree."""
    if base is None:
        return None
    ref = f"refs/bases/{base}"
    with suppress(OSError):
        return (saves.store / ref).read_text("ascii").strip()
    kept = saves.git("rev-parse", "--verify", "-q", ref, check=False).text
    if kept:
        return kept
    tree = repository.tree(base)
    bases = saves.git("for-each-ref", "--sort=-creatordate", "--format=%(objectname)", "refs/bases/").text.split()
    known = next((tree for tree in bases if repository.has(tree)), None)
    saves.carry(tree, known=known, source=repository.common, target=saves.store)
    saves.git("update-ref", ref, tree)
    return tree


def _snapshot(saves: Saves, own: Repository, work: Work, working: Path, known: str | None) -> Snapshot:
    place, index = work.place, working / "index"
    index.with_name("index.lock").unlink(missing_ok=True)  # of a crash: only we write here, and we hold the lock
    if not index.exists() and place.index.exists():
        index.write_bytes(place.index.read_bytes())
        same_time(place.index, index)
    exclude = working / "exclude"
    hidden = place.exclude.read_text("utf-8", "surrogateescape") if place.exclude.exists() else ""
    exclude.write_text("".join((hidden, *(f"{one}\n" for one in INSTALLED))), "utf-8", "surrogateescape")
    also = tuple(path for path in ignored_but_committed(own, place, working) if not is_secret(path))
    found = snapshot(
        own,
        place.root,
        index=index,
        base=known,
        exclude=exclude,
        also=also,
        keep_filtered=False,
        is_refused=is_secret,
    )
    return _with_insides(saves, own, work, working, found)


def _with_insides(saves: Saves, own: Repository, work: Work, working: Path, found: Snapshot) -> Snapshot:
    """Put the files of each submodule that was worked in where the link to its commit stands."""
    if not (work.place.root / ".gitmodules").exists():
        return found
    links = gitlinks(saves.git("ls-tree", "-r", "-z", "--full-tree", found.tree).out)
    notes, entries = list(found.notes), []
    for path in links:
        place = work.place.root / path
        if place.is_symlink() or not place.is_dir() or not any(place.iterdir()):
            continue
        index = working / f"inside-{secrets.token_hex(4)}"
        inside = snapshot(own, place, index=index, base=None, is_refused=is_secret)
        index.unlink(missing_ok=True)
        theirs = copy_of(work.repository, path)
        if theirs is not None and theirs.commit(links[path]) and theirs.tree(links[path]) == inside.tree:
            continue
        notes += [f"{note} (in {shown(path)})" for note in inside.notes]
        entries.append((path, inside.tree))
    if not entries:
        return found
    index = working / "united"
    saves.git("read-tree", found.tree, index=index)
    for path, tree in entries:
        saves.git("update-index", "--force-remove", "--", path, index=index)
        saves.git("read-tree", f"--prefix={path}/", tree, index=index)
    united = saves.git("write-tree", index=index).text
    index.unlink(missing_ok=True)
    return Snapshot(tree=united, notes=tuple(notes))


def _not_checked_out(saves: Saves, work: Work, known: str | None, seen: set[str | None]) -> list[tuple[str, str]]:
    """Bring the trees that the agent committed somewhere and left into the store; return name and tree of each."""
    place, base = work.place, work.base
    env = borrowing(place)
    if not env or base is None or not holds_objects(place.git_dir / "objects"):
        return []
    seen = seen | {one.tree for one in saves.of(work.attempt)}
    form = "--format=%(objectname) %(refname)"
    asked = ("for-each-ref", "--sort=-committerdate", f"--count={ELSEWHERE}", "--no-merged=HEAD", form)
    refs = theirs_of(place, *asked, "refs/heads", "refs/stash")  # what HEAD has, the files go on from
    found = []
    for line in refs:
        commit, _, name = line.partition(" ")
        with suppress(WorkspaceProblem):  # the user's repository is gone: what lies there as files was kept
            if work.repository.commit(commit):
                continue
            tree = work.repository.git("rev-parse", "--verify", "-q", f"{commit}^{{tree}}", env=env, check=False).text
            if not tree or tree in seen or not work.repository.is_ancestor(base, commit, env=env):
                continue
            alternates = env["GIT_ALTERNATE_OBJECT_DIRECTORIES"]
            saves.carry(tree, known=known, source=work.repository.common, target=saves.store, borrowing=alternates)
            seen.add(tree)
            found.append((shown(name), tree))
    return found


def _commit(
    saves: Saves,
    whose: AttemptId | GoalId,
    found: Snapshot,
    *,
    known: str | None,
    base: str | None,
    why: str,
) -> Checkpoint:
    files, gone, size = _changes(saves, known, found.tree)
    text = message(why=why, base=base, files=files, gone=gone, bytes=size, notes=found.notes)
    at = datetime.now(UTC).replace(microsecond=0)
    commit = saves.git(
        "commit-tree", found.tree, "-F", "-", input=text.encode("utf-8", "replace"), at=int(at.timestamp())
    ).text
    number = saves.last_number(whose) + 1
    saves.git("update-ref", f"refs/saves/{whose}/{number:06}", commit, "0" * len(commit))
    return Checkpoint(
        attempt=whose,
        number=number,
        at=at,
        why=why,
        commit=commit,
        tree=found.tree,
        base=base,
        files=files,
        bytes=size,
        notes=found.notes,
        gone=gone,
    )


def _changes(saves: Saves, old: str | None, new: str) -> tuple[int, int, int]:
    """Return how many files differ, how many of them are gone, and how many bytes the others hold."""
    before = old or saves.git("hash-object", "-w", "-t", "tree", "--stdin", input=b"").text
    raw = saves.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", before, new).out.split(b"\0")
    blobs = [line.split()[3].decode() for line in raw[0::2] if line.startswith(b":")]
    there = [blob for blob in blobs if blob.strip("0")]
    asked = "".join(f"{blob}\n" for blob in there).encode()
    sizes = saves.git("cat-file", "--batch-check=%(objectsize)", input=asked).text.split() if there else []
    return len(blobs), len(blobs) - len(there), sum(int(size) for size in sizes if size.isdigit())


def _last(working: Path) -> str:
    try:
        return str(json.loads((working / "last.json").read_text())["tree"])
    except (OSError, ValueError, KeyError):
        return ""


def _remember(working: Path, tree: str) -> None:
    fresh = working / "last.new"
    fresh.write_text(json.dumps({"tree": tree}))
    fresh.replace(working / "last.json")
