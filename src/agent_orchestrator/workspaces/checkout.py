"""A private clone per attempt that borrows the repository's objects: the default.

As quick to make as a worktree (measured at 5,000 files), and an agent in it
cannot touch the user's refs, configuration, hooks, stash or index. What it
leaves is read from its working tree straight into the user's object store
through a private index, so it does not matter what it did to its own ``.git``.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.domain.text import clean
from agent_orchestrator.workspaces import Collected, Delivered, Project, Setup, Union, Workspace
from agent_orchestrator.workspaces.git import Result, git
from agent_orchestrator.workspaces.setup import make_usable

BRIDGE = ("Agent Orchestrator", "agent-orchestrator@localhost")
"""Name and address for commits where git knows none."""
DIFF_LIMIT = 64 * 1024
DETAIL_LIMIT = 16 * 1024
_NONE = "0" * 40


def detect(folder: Path) -> Project:
    """Look at a folder: its repository, branch, uncommitted work, and what a user should know before a night."""
    top = git("rev-parse", "--show-toplevel", cwd=folder, check=False)
    if top.code:
        return Project(folder=folder, root=None, head=None, branch=None)
    root = Path(top.out.strip())
    head = git("rev-parse", "--verify", "-q", "HEAD^{commit}", cwd=root, check=False)
    branch = git("symbolic-ref", "-q", "--short", "HEAD", cwd=root, check=False)
    dirty, untracked = [], []
    for entry in git("status", "--porcelain=v1", "-z", cwd=root).out.split("\0"):
        if entry.startswith("?? "):
            untracked.append(entry[3:])
        elif len(entry) > 3 and entry[2] == " ":
            dirty.append(entry[3:])
    name = (
        git("config", "user.name", cwd=root, check=False).code
        or git("config", "user.email", cwd=root, check=False).code
    )
    signing = git("config", "--type=bool", "commit.gpgSign", cwd=root, check=False)
    return Project(
        folder=folder,
        root=root,
        head=head.out.strip() or None,
        branch=branch.out.strip() or None,
        dirty=tuple(dirty),
        untracked=tuple(untracked),
        identity=not name,
        signing=signing.out.strip() == "true",
        notes=tuple(_notes(root)),
    )


def _notes(root: Path) -> Iterator[str]:
    if (root / ".gitmodules").exists():
        yield "submodules are not filled in agents' checkouts"
    attributes = root / ".gitattributes"
    if attributes.exists() and "filter=lfs" in attributes.read_text(errors="replace"):
        yield "Git LFS is used"
    if git("rev-parse", "--is-shallow-repository", cwd=root).out.strip() == "true":
        yield "the repository is shallow"


def init(folder: Path) -> None:
    """Make a repository of *folder*, if it is none, and a first commit of what is in it. Only with the user's consent."""
    if git("rev-parse", "--git-dir", cwd=folder, check=False).code:
        git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", "First commit", cwd=folder, environment=_identity(folder))


class CheckoutWorkspaces:
    """All checkouts and all git work of one project."""

    isolation = Isolation.CHECKOUT

    def __init__(self, *, folder: Path, state: Path) -> None:
        self._folder = folder
        self._state = state
        self._root = Path(git("rev-parse", "--show-toplevel", cwd=folder).out.strip())
        self._git_dir = Path(git("rev-parse", "--absolute-git-dir", cwd=folder).out.strip())
        self._below = folder.resolve().relative_to(self._root.resolve())
        self._checkouts = state / "checkouts"

    def project(self) -> Project:
        """Look at the project folder now."""
        return detect(self._folder)

    def base(self, goal: GoalId, *, include_dirty: bool) -> str | None:
        """Return HEAD, or with *include_dirty* a commit of the working tree on top of it."""
        head = git("rev-parse", "HEAD", cwd=self._root).out.strip()
        if not include_dirty:
            return head
        tree = self._tree_of(self._root, index=self._git_dir / "index", base=head)
        if tree == self._tree(head):
            return head
        message = f"Uncommitted work at the start of {goal}\n"
        commit = self.commit_tree(tree, parents=(head,), message=message)
        git("update-ref", f"refs/heads/{self._prefix()}/{goal}/base", commit, cwd=self._root)
        return commit

    def result_branch(self, goal: GoalId) -> str:
        """Return the full branch name of a goal's result."""
        return f"{self._prefix()}/{goal}/result"

    def tip(self, branch: str) -> str | None:
        """Return the commit of *branch*, or None."""
        return (
            self._git("rev-parse", "--verify", "-q", f"refs/heads/{branch}^{{commit}}", check=False).out.strip() or None
        )

    def open(self, attempt: AttemptId, *, base: str | None, setup: Setup) -> Workspace:
        """Make a usable checkout of *base* for *attempt*."""
        if base is None:
            raise WorkspaceProblem("there is no commit to start from")
        root = self._checkouts / attempt
        if not (root / ".git").exists():
            self._clone(root)
            git("checkout", "-q", "-B", f"work/{attempt}", base, cwd=root)
        notes = make_usable(self._root, root, setup)
        return Workspace(path=root / self._below, root=root, isolation=self.isolation, base=base, notes=notes)

    def reopen(self, path: Path, *, base: str | None) -> Workspace | None:
        """Return the existing checkout at *path*."""
        root = path
        for _ in self._below.parts:
            root = root.parent
        if not root.is_dir() or base is None:
            return None
        return Workspace(path=path, root=root, isolation=self.isolation, base=base)

    def collect(self, workspace: Workspace, *, goal: GoalId, attempt: AttemptId, message: str) -> Collected:
        """Commit whatever the agent left, as one commit on the base, in the user's repository."""
        assert workspace.base is not None
        tree = self._tree_of(workspace.root, index=workspace.root / ".git" / "index", base=workspace.base)
        if tree == self._tree(workspace.base):
            return Collected(commit=None, branch=None)
        commit = self.commit_tree(tree, parents=(workspace.base,), message=message)
        branch = f"{self._prefix()}/{goal}/{attempt}"
        self._git("update-ref", f"refs/heads/{branch}", commit)
        files, insertions, deletions = self._numbers(workspace.base, commit)
        return Collected(
            commit=commit,
            branch=branch,
            files=files,
            insertions=insertions,
            deletions=deletions,
            diff=self.diff(workspace.base, commit)[:DIFF_LIMIT],
        )

    def close(self, workspace: Workspace) -> None:
        """Remove the checkout."""
        shutil.rmtree(workspace.root, ignore_errors=True)

    def union(self, tip: str, commit: str) -> Union:
        """Merge *commit* into *tip* in memory."""
        merged = self._git("merge-tree", "--write-tree", "--name-only", tip, commit, check=False)
        if merged.code == 0:
            return Union(tree=merged.lines[0])
        if merged.code != 1:
            raise WorkspaceProblem(f"git merge-tree: {merged.error.strip() or merged.code}")
        head, _, messages = merged.out.partition("\n\n")
        tree, *names = head.splitlines()
        conflicts = tuple(dict.fromkeys(names))
        detail = [clean(messages.strip())]
        for name in conflicts[:10]:
            shown = self._git("show", f"{tree}:{name}", check=False)
            detail.append(f"--- {name}\n{_hunks(clean(shown.out))}")
        return Union(tree=None, conflicts=conflicts, detail="\n".join(detail)[:DETAIL_LIMIT])

    def commit_tree(self, tree: str, *, parents: tuple[str, ...], message: str, author: str | None = None) -> str:
        """Write a commit object and return its id."""
        environment = _identity(self._root)
        if author is not None:
            name, _, address = author.partition(" <")
            environment |= {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": address.rstrip(">")}
        ancestry = [word for parent in parents for word in ("-p", parent)]
        made = git("commit-tree", tree, *ancestry, "-F", "-", cwd=self._root, environment=environment, data=message)
        return made.out.strip()

    def advance(self, branch: str, *, old: str | None, new: str) -> bool:
        """Move *branch* from *old* to *new* by compare-and-set."""
        return self._git("update-ref", f"refs/heads/{branch}", new, old or _NONE, check=False).code == 0

    def contains(self, branch: str, commit: str) -> bool:
        """Say whether *commit* is an ancestor of, or is, the tip of *branch*."""
        return self._git("merge-base", "--is-ancestor", commit, f"refs/heads/{branch}", check=False).code == 0

    def landed(self, branch: str, base: str | None) -> Mapping[str, str]:
        """Return attempt to commit for everything on *branch* after *base*."""
        if self.tip(branch) is None:
            return {}
        span = f"{base}..refs/heads/{branch}" if base else f"refs/heads/{branch}"
        log = self._git("log", "--format=%H %(trailers:key=Attempt,valueonly,separator=%x20)", span)
        found = (line.split() for line in log.lines)
        return {words[1]: words[0] for words in found if len(words) == 2}

    @contextmanager
    def checked_out(self, tree_or_commit: str, *, setup: Setup) -> Iterator[Path]:
        """Give a clean, usable checkout for running checks."""
        root = self._checkouts / "check"
        commit = tree_or_commit
        if self._git("cat-file", "-t", tree_or_commit).out.strip() == "tree":
            commit = self.commit_tree(tree_or_commit, parents=(), message="A union to be checked\n")
        if not (root / ".git").exists():
            self._clone(root)
        try:
            self._put(root, commit)
        except WorkspaceProblem:
            shutil.rmtree(root, ignore_errors=True)
            self._clone(root)
            self._put(root, commit)
        make_usable(self._root, root, setup)
        yield root / self._below

    def deliver(self, *, branch: str, into: str | None, base: str | None) -> Delivered:
        """Fast-forward the user's branch to the result, if their tree is clean."""
        by_hand = f"take it in with: git merge {branch}"
        tip = self.tip(branch)
        if into is None or tip is None:
            return Delivered(done=False, note=f"HEAD is detached; {by_hand}")
        theirs = self.tip(into)
        if theirs == tip:
            return Delivered(done=True, note=f"the results are on {into}", moved_from=base, moved_to=tip)
        if theirs is None or not self.contains(branch, theirs):
            return Delivered(done=False, note=f"{into} has moved; {by_hand}")
        project = self.project()
        if project.branch == into:
            if project.dirty:
                return Delivered(done=False, note=f"your folder has uncommitted changes; {by_hand}")
            merged = self._git("merge", "--ff-only", "-q", tip, check=False)
            if merged.code:
                said = (merged.error.strip().splitlines() or ["git merge failed"])[0]
                return Delivered(done=False, note=f"{said}; {by_hand}")
        elif self._git("update-ref", f"refs/heads/{into}", tip, theirs, check=False).code:
            return Delivered(done=False, note=f"{into} has moved; {by_hand}")
        return Delivered(done=True, note=f"the results are on {into}", moved_from=theirs, moved_to=tip)

    def undo(self, *, into: str | None, moved_from: str, moved_to: str) -> Delivered:
        """Take a delivered result back out."""
        project = self.project()
        if into is None or project.branch != into:
            return Delivered(done=False, note=f"check out {into} first")
        if project.dirty:
            return Delivered(done=False, note="your folder has uncommitted changes; commit or stash them first")
        if project.head == moved_to:
            self._git("reset", "-q", "--keep", moved_from)
            return Delivered(
                done=True, note=f"{into} is back at {moved_from[:10]}", moved_from=moved_to, moved_to=moved_from
            )
        reverted = self._git("revert", "--no-edit", f"{moved_from}..{moved_to}", check=False)
        if reverted.code:
            self._git("revert", "--abort", check=False)
            return Delivered(done=False, note="later commits build on it; revert by hand")
        head = self._git("rev-parse", "HEAD").out.strip()
        return Delivered(done=True, note=f"reverted on {into}", moved_from=moved_to, moved_to=head)

    def diff(self, old: str, new: str, *, stat: bool = False) -> str:
        """Return the patch from *old* to *new*, or its summary."""
        options = ["--stat"] if stat else []
        return self._git("diff", "--no-ext-diff", "--no-textconv", *options, old, new).out

    def branches(self, goal: GoalId) -> tuple[str, ...]:
        """Return the goal's branches."""
        refs = self._git("for-each-ref", "--format=%(refname:short)", f"refs/heads/{self._prefix()}/{goal}/")
        return tuple(refs.lines)

    def _git(self, *arguments: str, check: bool = True) -> Result:
        return git(
            *arguments,
            cwd=self._root,
            check=check,
            environment=_identity(self._root) if "revert" in arguments else None,
        )

    def _prefix(self) -> str:
        """Return our part of the branch names; a user's branch of that name moves ours."""
        prefix, number = "orchestrate", 2
        while self._git("show-ref", "--verify", "-q", f"refs/heads/{prefix}", check=False).code == 0:
            prefix, number = f"orchestrate-{number}", number + 1
        return prefix

    def _clone(self, root: Path) -> None:
        root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        git("clone", "-q", "--shared", "--no-checkout", "--", str(self._root), str(root), cwd=self._state)
        name, address = _who(self._root)
        real = self._git("config", "--get", "remote.origin.url", check=False).out.strip()
        for key, value in {
            "user.name": name,
            "user.email": address,
            "commit.gpgSign": "false",
            "remote.origin.url": real or "none",
            "remote.origin.pushurl": "disabled-by-agent-orchestrator",
        }.items():
            git("config", key, value, cwd=root)

    def _put(self, root: Path, commit: str) -> None:
        git("checkout", "-q", "-f", "--detach", commit, cwd=root)
        git("clean", "-ffdxq", cwd=root)

    def _tree(self, commit: str) -> str:
        return self._git("rev-parse", f"{commit}^{{tree}}").out.strip()

    def _tree_of(self, work_tree: Path, *, index: Path, base: str) -> str:
        """Write the working tree into the user's object store through a private index; return the tree."""
        with tempfile.TemporaryDirectory(dir=self._state) as scratch:
            private = Path(scratch) / "index"
            environment = {"GIT_INDEX_FILE": str(private)}
            where = ("--git-dir", str(self._git_dir), "--work-tree", str(work_tree))
            try:
                shutil.copyfile(index, private)
                git(*where, "add", "-A", cwd=work_tree, environment=environment)
            except (OSError, WorkspaceProblem):
                private.unlink(missing_ok=True)
                git(*where, "read-tree", base, cwd=work_tree, environment=environment)
                git(*where, "add", "-A", cwd=work_tree, environment=environment)
            return git(*where, "write-tree", cwd=work_tree, environment=environment).out.strip()

    def _numbers(self, old: str, new: str) -> tuple[tuple[str, ...], int, int]:
        files, insertions, deletions = [], 0, 0
        for line in self._git("diff", "--numstat", "--no-renames", old, new).lines:
            added, removed, name = line.split("\t", 2)
            files.append(name)
            insertions += int(added) if added.isdigit() else 0
            deletions += int(removed) if removed.isdigit() else 0
        return tuple(sorted(files)), insertions, deletions


def _who(root: Path) -> tuple[str, str]:
    name = git("config", "user.name", cwd=root, check=False).out.strip() or os.environ.get("GIT_AUTHOR_NAME", "")
    address = git("config", "user.email", cwd=root, check=False).out.strip() or os.environ.get("GIT_AUTHOR_EMAIL", "")
    return (name, address) if name and address else BRIDGE


def _identity(root: Path) -> dict[str, str]:
    name, address = _who(root)
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": address,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": address,
    }


def _hunks(text: str) -> str:
    """Return the parts of a file between conflict markers, with both sides."""
    kept, inside = [], False
    for line in text.splitlines():
        inside = inside or line.startswith("<<<<<<<")
        if inside:
            kept.append(line)
        if line.startswith(">>>>>>>"):
            inside = False
    return "\n".join(kept)
