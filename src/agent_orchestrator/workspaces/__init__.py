"""Where an agent works, and all that is known of git: the contract.

One :class:`Workspaces` serves one project folder. Attempts get checkouts from
it; finished work comes back into the user's repository as branches under one
prefix; landing merges there without touching anybody's working tree; the
user's own branch moves only in :meth:`Workspaces.deliver` and
:meth:`Workspaces.undo`, and only forward or with their tree clean.

Every method may raise WorkspaceProblem with git's own words in one line.

- Where attempts work: ``isolation`` chooses between ``checkout`` (a ``clone`` of the user's ``repository``),
  ``worktree`` and ``shared``. ``setup``, ``submodules`` and ``environment``, with its ``guard``, make a checkout
  usable; ``project`` looks at the user's folder before any of that.
- What becomes of work: ``collecting`` makes it a commit, ``delivery`` moves the user's branch, ``forwarding`` where it
  is checked out. ``checkpointing`` takes a ``snapshot`` of work that goes on, ``saves`` keeps it.
- Git: ``git`` alone runs it. ``resolver`` and ``commits`` each ask a ``standing`` one; ``refs`` remembers what it
  said. ``locking`` waits for a lock.
- What commands may touch: ``reach`` is the rules, ``sandbox`` makes them hold, where need be by ``landlock``.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.domain.sandbox import Mechanism

NEEDS_FILES = "work in a clone of it, or in a worktree of it"
"""What to do about a bare repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the project folder is, seen once at the start of a run."""

    folder: Path
    """Absolute real path of the folder the user works in; may lie below the repository's root."""
    root: Path | None
    """The repository's top folder. None when there is no git repository."""
    head: str | None
    """Commit of HEAD. None in an empty repository or without git."""
    branch: str | None
    """Name of the checked-out branch. None when HEAD is detached or there is no git."""
    dirty: tuple[str, ...] = ()
    """Tracked files with uncommitted changes, relative to the root."""
    untracked: tuple[str, ...] = ()
    identity: bool = True
    """Whether git knows the user's name and address; bridged by ours when not."""
    signing: bool = False
    """Whether the user signs commits; switched off for agents' and our commits."""
    notes: tuple[str, ...] = ()
    """What the user should know: submodules, LFS, sparse, shallow, configured hooks that are neutralised."""
    bare: bool = False
    """Whether the folder is a bare repository, or the inside of one: it holds git's files and none to work on."""

    def need_files(self) -> None:
        """Raise NotReady for a bare repository: no file may be put among git's own."""
        if self.bare:
            raise NotReady(f"{self.folder} is a bare repository, without files to work on", hint=NEEDS_FILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """A command as it is to be started, so that it is shut in."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables to add to those of the command."""
    has_watcher: bool = False
    """Whether the first process is not the command but watches over it, and would end it by ending."""


class Sandbox(Protocol):
    """Where commands that others wrote are shut in: agents, set-up, checks."""

    @property
    def mechanism(self) -> Mechanism:
        """What shuts them in."""
        ...

    @property
    def description(self) -> str:
        """What holds here and why it is not more, in a few words for people."""
        ...

    def around(
        self,
        argv: Sequence[str],
        *,
        write: Iterable[Path | str] = (),
        read: Iterable[Path | str] = (),
        guard: Iterable[Path | str] = (),
    ) -> Confined:
        """Return *argv* shut in: it writes below *write*, temporary folders and caches of builds, and nowhere else.

        *read* matters where not everything is readable anyway. *guard* is what stays as it is below *write*, where the
        mechanism can do that. Texts may begin with ``~/`` or ``${NAME:-~/default}/``; with a ``/`` at the end a folder
        that is missing is made. What is missing otherwise is left out.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What makes a checkout usable, beyond its files."""

    command: str | None = None
    """Run in a new checkout with ``sh -c``; the operator's own words, never an agent's."""
    copy: tuple[str, ...] = (".env",)
    """Untracked files copied from the project, if they exist. Never links: a link reaches the user's own files."""
    timeout_s: int = 900
    environment: Mapping[str, str] = field(default_factory=dict)
    sandbox: Sandbox | None = field(default=None, repr=False, compare=False)
    """Where the command runs; None: as we do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One attempt's place to work."""

    path: Path
    """Absolute; the agent's working directory. Lies below *root* when the project is a subfolder."""
    root: Path
    """Top of the checkout."""
    isolation: Isolation
    base: str | None
    """Commit it started from. None without git."""
    notes: tuple[str, ...] = ()
    """What set-up did or could not do."""
    git_writes: tuple[Path, ...] = ()
    """Folders outside *root* that git must write to for a commit here, as in a linked worktree."""
    git_guards: tuple[Path, ...] = ()
    """Files and folders of git in *root* that decide what git runs, where they are the user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What an attempt left behind, brought to safety in the user's repository."""

    commit: str | None
    """The work as one commit on the attempt's branch. None when nothing changed, or without git."""
    branch: str | None
    files: tuple[str, ...] = ()
    """Changed paths relative to the root, sorted."""
    insertions: int = 0
    deletions: int = 0
    diff: str = ""
    """The start of the patch, capped at 64 KiB, for prompts and reports."""
    notes: tuple[str, ...] = ()
    """What a reviewer should know: files that were left out and why, where forgotten work was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """An attempt's files at one moment, kept where its agent does not work."""

    attempt: AttemptId | GoalId
    """Whose files these are; a goal's are those of its result."""
    number: int
    """From 1, in the order they were taken."""
    at: datetime
    """UTC, whole seconds."""
    why: str
    """What it was taken for, such as ``while it ran``."""
    commit: str
    """In our own store, without history."""
    tree: str
    base: str | None
    """Commit of the user's repository that the work began with. None when there was none."""
    files: int
    """Files that differ from the base, those that are gone counted too."""
    bytes: int
    """What those that are there hold, uncompressed."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    gone: int = 0
    """How many of *files* the base has and the work has not."""


LEFT_OUT = "left out "
"""How the note on a file begins that a snapshot does not hold."""
SECRET = "by its name it holds secrets"  # noqa: S105 # a reason
"""How the note on a file ends that is kept out of our store for what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What came of keeping a checkout's files."""

    checkpoint: Checkpoint | None
    """None when nothing changed since the last one."""
    notes: tuple[str, ...] = ()
    """What lies there and is in no checkpoint, and why."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """The notes on files that could be somebody's work."""
        return tuple(note for note in self.notes if note.startswith(LEFT_OUT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Where a checkpoint was put."""

    checkpoint: Checkpoint
    branch: str | None
    """A new branch of the user's repository. None when it was put into a folder."""
    folder: Path | None
    notes: tuple[str, ...] = ()


class Checkpoints(Protocol):
    """All checkpoints of one project. They need neither the checkouts nor the user's repository to be there still."""

    def all(self) -> tuple[Checkpoint, ...]:
        """Return every checkpoint, by attempt and number."""
        ...

    def of(self, task_or_attempt: str) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of a task's attempts, of one attempt, or of a goal's result, oldest first."""
        ...

    def into_branch(self, checkpoint: Checkpoint) -> Restored:
        """Put it on a new branch of the user's repository, on the commit it began with; no working tree is touched.

        The same checkpoint again gives the same branch. Raises WorkspaceProblem when there is no repository any more.
        """
        ...

    def into_folder(self, checkpoint: Checkpoint, folder: Path) -> Restored:
        """Write all its files into *folder*. Raises RefusedByState when something is there already."""
        ...

    def forget(self, checkpoints: "tuple[Checkpoint, ...]") -> int:
        """Delete them and return how many bytes of disk that gave back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """The result branch and one attempt's work, merged in memory."""

    tree: str | None
    """The merged tree. None when they conflict."""
    conflicts: tuple[str, ...] = ()
    """Paths in conflict."""
    detail: str = ""
    """Git's own account of the conflict with the lines of both sides, capped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What became of one file between two trees."""

    path: str
    """Relative to the repository's root."""
    before: str | None
    """Its text. None when it did not exist; empty for what is not text, a link, or too long to be read."""
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of a result in the user's branch."""

    done: bool
    note: str
    """One line for a person. When not done: why, and the one command that takes the work in."""
    why: str = ""
    """When not done, why, without a command."""
    moved_from: str | None = None
    moved_to: str | None = None


UNDO = "Take a delivered result back out\n"
"""The message of a commit that reverts a result, where nobody has a better one."""


class Workspaces(Protocol):
    """All checkouts and all git work of one project."""

    isolation: Isolation

    def project(self) -> Project:
        """Look at the project folder now."""
        ...

    def base(self, goal: GoalId, *, include_dirty: bool) -> str | None:
        """Return the commit a goal starts from: HEAD, or with *include_dirty* a snapshot of the working tree.

        None without git. The user's index, stash and working tree are not touched.
        """
        ...

    def result_branch(self, goal: GoalId) -> str:
        """Return the full branch name of a goal's result, such as ``orchestrate/g7kq2mx/result``.

        A user's branch that stands in the way moves our prefix, not theirs.
        """
        ...

    def tip(self, branch: str) -> str | None:
        """Return the commit of *branch*, or None when it does not exist."""
        ...

    def tree(self, tree_or_commit: str) -> str:
        """Return the tree of a commit or tree."""
        ...

    def open(self, attempt: AttemptId, *, base: str | None, setup: Setup) -> Workspace:
        """Make a usable checkout of *base* for *attempt*, or return the existing one of the same attempt unchanged.

        Raises WorkspaceProblem too when the set-up command fails; the next call then starts anew.
        """
        ...

    def reopen(self, path: Path, *, base: str | None) -> Workspace | None:
        """Return the existing checkout at *path* for an attempt that goes on there; None if it is gone.

        With a newer *base*, ``collect`` compares with that if the agent merged it or rebased onto it, else with the
        commit the checkout was made from: anything else would take other people's landed work back.
        """
        ...

    def collect(self, workspace: Workspace, *, goal: GoalId, attempt: AttemptId, message: str) -> Collected:
        """Commit whatever the agent left, squash it to one commit on the base, fetch it into the user's repository.

        The branch is ``orchestrate/<goal>/<task>.<number>``, which ends in the attempt's id. Idempotent.
        Works when the agent committed, amended, switched branches, left a merge half done or an index.lock, or
        deleted ``.git``: the files as they lie count. Never runs the repository's hooks.
        """
        ...

    def checkpoint(self, workspace: Workspace, *, attempt: AttemptId, why: str) -> Kept:
        """Keep the files as they lie now in our own store.

        Tracked and untracked files, and work that the agent committed or stashed elsewhere in its own repository. Not
        what git ignores, what package managers installed, or what by its name holds secrets. May be done while the
        agent works; the agent and its ``.git`` are not touched.
        """
        ...

    def keep_result(self, goal: GoalId, *, branch: str, base: str | None) -> Kept:
        """Keep what *branch* holds in our own store, as a checkpoint of the goal."""
        ...

    def close(self, workspace: Workspace, *, is_safe: bool = False) -> None:
        """Give the checkout back for reuse, after a last checkpoint; without that it stays and this raises.

        *is_safe* means that a branch of the user's repository holds all of it, so that it needs none.
        """
        ...

    def union(self, tip: str, commit: str) -> Union:
        """Merge *commit* into *tip* in memory."""
        ...

    def commit_tree(self, tree: str, *, parents: tuple[str, ...], message: str, author: str | None = None) -> str:
        """Write a commit object and return its id. *author* as ``Name <address>``, else the project's own identity."""
        ...

    def advance(self, branch: str, *, old: str | None, new: str) -> bool:
        """Move *branch* from *old* to *new* by compare-and-set; create it when *old* is None. False when it moved."""
        ...

    def contains(self, branch: str, commit: str) -> bool:
        """Say whether *commit* is an ancestor of, or is, the tip of *branch*."""
        ...

    def landed(self, branch: str, base: str | None) -> Mapping[str, str]:
        """Return ``Attempt:`` trailer to commit for all on *branch* after *base*: what recovery looks at first."""
        ...

    def checked_out(self, tree_or_commit: str, *, setup: Setup) -> AbstractContextManager[Path]:
        """Give a clean, usable checkout for running checks; the folder within it that corresponds to the project's.

        One at a time per project; recycled warm. Nothing in it can reach the user's own files.
        """
        ...

    def check_environment(self, checkout: Path, environment: Mapping[str, str]) -> dict[str, str]:
        """Return *environment* changed so that checks in *checkout*, a folder that ``checked_out`` gave or a
        workspace's path, use the project's tools and import the checkout's code, never the user's.
        """
        ...

    def deliver(self, *, branch: str, into: str | None, base: str | None) -> Delivered:
        """Take the result into the user's branch when that is a fast-forward and their tree is clean; never push."""
        ...

    def undo(self, *, into: str | None, moved_from: str, moved_to: str, message: str = UNDO) -> Delivered:
        """Take a delivered result back out: reset when nothing came after it and the tree is clean, else a revert.

        *message* is that of the commit that reverts.
        """
        ...

    def diff(self, old: str, new: str, *, stat: bool = False) -> str:
        """Return the patch from *old* to *new*, or its summary."""
        ...

    def revisions(self, old: str, new: str) -> tuple[Revision, ...]:
        """Return what became of every file that differs between two commits or trees; nothing without git."""
        ...

    def text(self, tree: str, path: str) -> str | None:
        """Return the text of a file in a commit or tree, cut as in ``revisions``; None when there is none."""
        ...

    def put_back(self, tree: str, paths: Sequence[str], *, like: str) -> str:
        """Write a tree that is *tree* with *paths* as they are in the commit or tree *like*; absent there is absent."""
        ...

    def branches(self, goal: GoalId | None = None) -> tuple[str, ...]:
        """Return the goal's branches, or every goal's, for taking work in by hand and for tidying up."""
        ...

    def drop_branches(self, branches: Mapping[str, str]) -> tuple[str, ...]:
        """Delete *branches* that stand on the commit given for each and are checked out nowhere; return which did.

        What they held stays in the repository's objects until git collects what no ref reaches.
        """
        ...
