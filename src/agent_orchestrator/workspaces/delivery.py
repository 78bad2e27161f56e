"""Moving the user's own branch: forward to a result, and back. The only place where their working tree changes."""

import os
from collections.abc import Sequence
from pathlib import Path

from agent_orchestrator.workspaces import UNDO, Delivered, submodules
from agent_orchestrator.workspaces.forwarding import UNDERWAY, alone, back, forward, refresh, take_back
from agent_orchestrator.workspaces.repository import Repository

_UNDERWAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "BISECT_LOG")
LOOKED_BACK = 200
"""Commits of the user's branch among which the one that squashed a result is looked for, the newest."""


def deliver(repository: Repository, *, branch: str, into: str | None, base: str | None) -> Delivered:
    """Fast-forward *into* to *branch* if nothing of the user's stands in the way. Never merges, never pushes.

    *base* is the commit the goal started from; a branch that has left it behind
    for something else has moved, whatever the reason.

    Raises:
        DiskFull: there was no room; the branch and its files are as they were, and it can be repeated.
    """
    with alone(repository) as held:
        _take_back(repository, into)
        return _deliver(repository, branch=branch, into=into, base=base, held=held)


def _deliver(repository: Repository, *, branch: str, into: str | None, base: str | None, held: int) -> Delivered:
    def refused(why: str) -> Delivered:
        return Delivered(done=False, why=why, note=f"{why}; take the work in with `git merge {branch}`")

    new = repository.tip(branch)
    if new is None:
        why = f"there is no branch {branch} to deliver"
        return Delivered(done=False, why=why, note=why)
    if into is None:
        return refused("HEAD was detached, so no branch was moved")
    now = repository.tip(into)
    if now is None:
        return refused(f"the branch {into} is gone")
    if repository.is_ancestor(new, now):
        return Delivered(done=True, note=f"{into} already contains the result", moved_from=now, moved_to=now)
    if not repository.is_ancestor(now, new) or (base is not None and not repository.is_ancestor(base, new)):
        return refused(f"{into} has moved since the goal started")
    refusal = _forward(repository, into, old=now, new=new, held=held)
    if refusal:
        return refused(refusal)
    update = "; `git submodule update` brings its submodules' files" if submodules.differ(repository, now, new) else ""
    return Delivered(done=True, note=f"{into} was fast-forwarded to {branch}{update}", moved_from=now, moved_to=new)


def taken_in(
    repository: Repository, *, branch: str, into: str | None, base: str | None, landed: Sequence[str]
) -> Delivered | None:
    """Say whether the user has taken the result into their branch themselves, and what ``undo`` needs to know of that.

    *landed* are the goal's own commits, by which it is known when *branch* is gone. Without *into* it is looked for in
    what is checked out. Where the branch was before cannot always be told: then ``moved_from`` is None.
    """
    where = into or "what is checked out"
    now = repository.tip(into) if into is not None else repository.commit("HEAD")
    new = repository.tip(branch) or _newest(repository, landed)
    if now is None or new is None:
        return None
    if not repository.is_ancestor(new, now):
        return _squashed(repository, new=new, now=now, base=base, where=where)
    after = repository.git("rev-list", "--first-parent", f"{new}..{now}").text.split()
    since = set(repository.git("rev-list", "--ancestry-path", f"{new}..{now}").text.split())
    by = next((one for one in reversed(after) if one in since), new)
    if repository.commit(f"{by}^1") == new:  # fast-forwarded, and gone on from there
        by = new
    # Their branch may have been fast-forwarded over a merge with newer commits of theirs: those are not the result's.
    merges = repository.git(
        "rev-list", "--first-parent", "--merges", "--max-count=1", by, *([f"^{base}"] if base else [])
    )
    before = repository.git("rev-parse", f"{merges.text}^@").text.split() if merges.text else [base]
    clean = (one for one in before if one and not any(repository.is_ancestor(own, one) for own in landed))
    note = f"{where} contains it since {by[:12]}: you took it in"
    return Delivered(done=True, note=note, moved_from=next(clean, None) if landed else None, moved_to=by)


def _squashed(repository: Repository, *, new: str, now: str, base: str | None, where: str) -> Delivered | None:
    """Say whether *now* has the result *new* without its commits: squashed, rebased, or picked one by one.

    It has when merging the result would change nothing. Only where the user's one commit is the whole result is it
    known where their branch was before.
    """
    since = repository.git("rev-list", "--first-parent", f"--max-count={LOOKED_BACK}", f"{new}..{now}").text.split()

    def has_it(commit: str) -> bool:
        return repository.union(commit, new).tree == repository.tree(commit)

    is_empty = base is not None and repository.tree(base) == repository.tree(new)  # all of it was rejected
    if not since or is_empty or not has_it(now):
        return None
    by = next((one for one in reversed(since) if has_it(one)), now)
    before = repository.commit(f"{by}^1")
    whole = (
        before is not None and base is not None and _counts(repository, before, by) == _counts(repository, base, new)
    )
    note = f"{where} has all of it since {by[:12]}, without its commits: you took it in"
    return Delivered(done=True, note=note, moved_from=before if whole else None, moved_to=by)


def _counts(repository: Repository, old: str, new: str) -> list[str]:
    return repository.git("diff-tree", "-r", "-z", "--numstat", "--no-renames", old, new).names


def _newest(repository: Repository, commits: Sequence[str]) -> str | None:
    """Return the one of *commits* that has all others behind it, if there is one."""
    found = repository.git("merge-base", "--independent", *commits, check=False).text.split() if commits else []
    return found[0] if len(found) == 1 else None


def undo(repository: Repository, *, into: str | None, moved_from: str, moved_to: str, message: str = UNDO) -> Delivered:
    """Take a delivered result back out of *into*: by resetting, or by one commit that reverts it.

    Raises:
        DiskFull: there was no room; the branch and its files are as they were, and it can be repeated.
    """
    with alone(repository) as held:
        _take_back(repository, into)
        return _undo(repository, into=into, moved_from=moved_from, moved_to=moved_to, message=message, held=held)


def _undo(
    repository: Repository, *, into: str | None, moved_from: str, moved_to: str, message: str, held: int
) -> Delivered:
    if into is None or (now := repository.tip(into)) is None:
        return Delivered(done=False, note=f"the branch {into or 'it was delivered to'} is gone; nothing was undone")
    if moved_from == moved_to:
        return Delivered(done=False, note=f"nothing of the result is in {into}")
    if now == moved_from:  # an undo that was killed before it was written down, or one by hand
        return Delivered(done=True, note=f"{into} is at {now[:12]} already, where it was before the delivery")
    if now == moved_to:
        return _reset(repository, into, moved_from=moved_from, moved_to=moved_to, held=held)
    if not repository.is_ancestor(moved_to, now):
        return Delivered(done=False, note=f"{into} no longer contains the result; nothing was undone")
    return _revert(repository, into, now=now, moved_from=moved_from, moved_to=moved_to, message=message, held=held)


def _reset(repository: Repository, into: str, *, moved_from: str, moved_to: str, held: int) -> Delivered:
    command = f"git reset --keep {moved_from[:12]}"
    # The result must stay reachable even when its branch was deleted.
    repository.move(f"refs/orchestrate/undone/{moved_to}", old=None, new=moved_to)
    place = _checked_out(repository, into)
    if place is None:
        done = repository.advance(into, old=moved_to, new=moved_from)
        refusal = "" if done else f"{into} moved while it was undone"
    elif not (refusal := _not_clean(repository, place) or _filtered(repository, moved_to, moved_from)):
        refresh(repository, place)
        refusal = back(repository, place, into, old=moved_to, new=moved_from, held=held)
    if refusal:
        return Delivered(done=False, note=f"{refusal}; on {into}, undo it with `{command}`")
    note = f"{into} was reset to {moved_from[:12]}, where it was before the delivery"
    return Delivered(done=True, note=note, moved_from=moved_to, moved_to=moved_from)


def _revert(
    repository: Repository, into: str, *, now: str, moved_from: str, moved_to: str, message: str, held: int
) -> Delivered:
    # A commit on top of the delivery that undoes it, merged with what came after. One three-way merge, so it works
    # for a result with merge commits too, where `git revert` wants to be told a main line for each.
    command = _reverting(repository, moved_from=moved_from, moved_to=moved_to)
    back = repository.tree(moved_from)
    opposite = repository.commit_tree(back, parents=(moved_to,), message="Undo")
    union = repository.union(now, opposite)
    if union.tree is None:
        paths = ", ".join(union.conflicts[:5])
        return Delivered(done=False, note=f"later work in {into} builds on the result ({paths}); try `{command}`")
    if union.tree == repository.tree(now):
        return Delivered(done=True, note=f"the result has been taken out of {into} already")
    new = repository.commit_tree(union.tree, parents=(now,), message=message)
    refusal = _forward(repository, into, old=now, new=new, held=held)
    if refusal:
        return Delivered(done=False, note=f"{refusal}; on {into}, undo it with `{command}`")
    note = f"{into} has later work, so the result was taken out by the commit {new[:12]}"
    return Delivered(done=True, note=note, moved_from=now, moved_to=new)


def _reverting(repository: Repository, *, moved_from: str, moved_to: str) -> str:
    """Return the command that takes out by hand what came in between the two commits."""
    if repository.commit(f"{moved_to}^2") and repository.commit(f"{moved_to}^1") == moved_from:
        return f"git revert -m 1 {moved_to[:12]}"
    return f"git revert --no-commit {moved_from[:12]}..{moved_to[:12]}"


def _take_back(repository: Repository, into: str | None) -> None:
    """Take back what a move of *into* left half done, if one did."""
    if into is not None and repository.commit(f"{UNDERWAY}{into}") is not None:
        place = _checked_out(repository, into)
        if place is not None:
            take_back(repository, place, into)


def _forward(repository: Repository, into: str, *, old: str, new: str, held: int) -> str:
    """Fast-forward *into* wherever it is checked out. Returns why not, or nothing."""
    place = _checked_out(repository, into)
    if place is None:
        return "" if repository.advance(into, old=old, new=new) else f"{into} moved in the meantime"
    if refusal := _not_clean(repository, place) or _filtered(repository, old, new):
        return refusal
    if refusal := forward(repository, place, into, old=old, new=new, held=held):
        return refusal
    return "" if repository.tip(into) == new else f"{into} moved in the meantime"


def _checked_out(repository: Repository, branch: str) -> Path | None:
    """Return the working tree that has *branch* checked out, the user's main one or a linked one."""
    listed = repository.git("worktree", "list", "--porcelain", "-z")
    place = None
    for line in listed.out.split(b"\0"):
        if line.startswith(b"worktree "):
            place = Path(os.fsdecode(line[len(b"worktree ") :]))
        elif os.fsdecode(line) == f"branch refs/heads/{branch}" and place is not None and place.is_dir():
            return place
    return None


def _not_clean(repository: Repository, place: Path) -> str:
    status = repository.git(
        "status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=untracked", cwd=place
    )
    if status.names:
        return f"{place} has uncommitted changes"
    git_dir = Path(os.fsdecode(repository.git("rev-parse", "--absolute-git-dir", cwd=place).out).rstrip("\n"))
    if any((git_dir / name).exists() for name in _UNDERWAY):
        return f"a merge, rebase or the like is under way in {place}"
    return ""


def _filtered(repository: Repository, old: str, new: str) -> str:
    """Refuse files that the user's own filter should write: without it their tree would get the stored form."""
    blank = {key.split(".", 1)[1].rsplit(".", 1)[0] for key in repository.neutral if key.startswith("filter.")}
    if not blank:
        return ""
    names = repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new).out
    answers = repository.git("check-attr", "-z", "--stdin", "filter", input=names).names
    hit = next((path for path, value in zip(answers[0::3], answers[2::3], strict=True) if value in blank), None)
    return f"{hit} goes through a filter of this repository that is not run here" if hit else ""
