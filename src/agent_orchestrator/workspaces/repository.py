"""The user's repository: its objects and our branches in it. Nobody's working tree is touched here.

Our branches stand under one prefix, ``orchestrate/`` unless the user has a
branch in its way. What must stay reachable but is nobody's branch, such as a
snapshot of uncommitted work, is kept under ``refs/orchestrate/``.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.workspaces import Revision, Union
from agent_orchestrator.workspaces.commits import CommitWriter
from agent_orchestrator.workspaces.git import (
    Result,
    Setting,
    blanked,
    failed,
    git,
    is_lfs,
    need_merging,
    places,
    read_config,
)
from agent_orchestrator.workspaces.project import identity, shown
from agent_orchestrator.workspaces.refs import KINDS, ShownRefs
from agent_orchestrator.workspaces.resolver import Resolver
from agent_orchestrator.workspaces.standing import Standing

PREFIX = "orchestrate"
DIFF_LIMIT_BYTES = 64 * 1024
"""How much of a patch goes into prompts and reports."""
_ACCOUNT_BYTES = 1024 * 1024
"""How much is read of a list of changed files with the patch after it: ten thousand files, or a very long patch."""
DETAIL_LIMIT = 16 * 1024
"""Characters of conflicting lines shown to an agent or a person."""
REVISION_LIMIT_BYTES = 512 * 1024
"""How long a file may be to be looked into: longer ones are data or generated."""
_LISTED = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev")
_REGULAR = frozenset({"100644", "100755"})
"""Git's modes of files with content of their own; not links and submodules."""


class Changes(NamedTuple):
    """What differs between two commits or trees."""

    files: tuple[str, ...]
    """Sorted."""
    insertions: int
    deletions: int
    patch: str
    """At most 64 KiB of it."""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """One repository of the user's, found once; its configuration is read once, with it."""

    folder: Path
    """Where the user works; may lie below *root*."""
    root: Path
    git_dir: Path
    common: Path
    """Where refs and objects are: differs from *git_dir* in a linked worktree."""
    state: Path
    settings: tuple[Setting, ...]
    neutral: Mapping[str, str]
    """Overrides that keep its own filters and merge drivers from running."""

    @classmethod
    def find(cls, folder: Path, state: Path) -> "Repository":
        """Return the repository around *folder*. Raises WorkspaceProblem when there is none."""
        folder = Path(folder).resolve()
        try:
            found = places(folder)
        except WorkspaceProblem as error:
            raise WorkspaceProblem(
                f"{folder} is not in a git repository with files: {error.message}",
                hint="run `git init` and commit once, or use --isolation shared",
            ) from error
        settings = read_config(found.root)
        return cls(
            folder=folder,
            root=found.root,
            git_dir=found.git_dir,
            common=found.common,
            state=state,
            settings=settings,
            neutral=blanked(settings),
        )

    @property
    def subfolder(self) -> Path:
        """The project's folder relative to the repository's root; ``.`` when they are the same."""
        return self.folder.relative_to(self.root)

    @property
    def objects(self) -> Path:
        """The object store."""
        return self.common / "objects"

    @property
    def is_partial(self) -> bool:
        """Whether it is a partial clone, which fetches files when they are first needed."""
        return any(item.key.endswith((".promisor", ".partialclonefilter")) for item in self.settings)

    @property
    def has_large_files(self) -> bool:
        """Whether it has a store of git-lfs with something in it, and git-lfs may run."""
        lfs = any(is_lfs(item) and item.key not in self.neutral for item in self.settings)
        return lfs and (self.common / "lfs" / "objects").is_dir()

    def git(
        self,
        *args: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
        input: bytes | None = None,
        check: bool = True,
        limit_bytes: int | None = None,
        held: int | None = None,
    ) -> Result:
        """Run git in the repository with its filters blanked."""
        return git(
            *args,
            cwd=cwd or self.root,
            env=env,
            config={**self.neutral, **(config or {})},
            input=input,
            check=check,
            limit_bytes=limit_bytes,
            held=held,
        )

    @cached_property
    def prefix(self) -> str:
        """The first part of our branches' names, chosen once per repository and remembered in the state folder."""
        remembered = self.state / "prefix"
        chosen = remembered.read_text().strip() if remembered.exists() else PREFIX
        number = 1
        while self.tip(chosen) is not None:  # a branch of exactly that name leaves no room for names below it
            number += 1
            chosen = f"{PREFIX}-{number}"
        self.state.mkdir(parents=True, exist_ok=True)
        fresh = self.state / f"prefix.{os.getpid()}"
        fresh.write_text(chosen)
        fresh.replace(remembered)
        return chosen

    def result_branch(self, goal: GoalId) -> str:
        """Return the name of a goal's result branch."""
        return f"{self.prefix}/{goal}/result"

    def attempt_branch(self, goal: GoalId, attempt: AttemptId) -> str:
        """Return the name of an attempt's branch."""
        return f"{self.prefix}/{goal}/{attempt}"

    @cached_property
    def _resolver(self) -> Resolver:
        return Resolver(root=self.root, config=self.neutral)

    @cached_property
    def shown_refs(self) -> ShownRefs:
        """The user's branches and tags, as every checkout lists them; not ours."""

        def read() -> bytes:
            return self.git("for-each-ref", "--format=%(objectname) %(refname)", *KINDS).out

        return ShownRefs(self.common, hidden=f"refs/heads/{self.prefix}", read=read)

    def tip(self, branch: str) -> str | None:
        """Return the commit of *branch*, or None."""
        return self.commit(f"refs/heads/{branch}")

    def commit(self, name: str) -> str | None:
        """Return the commit that *name* stands for, or None."""
        return self._resolver.resolve(f"{name}^{{commit}}")

    def tree(self, name: str) -> str:
        """Return the tree of a commit or tree. Raises WorkspaceProblem when there is none."""
        tree = self._resolver.resolve(f"{name}^{{tree}}")
        if tree is None:
            raise WorkspaceProblem(f"{self.root} has no commit or tree {name}")
        return tree

    def has(self, name: str) -> bool:
        """Say whether *name*, such as ``<commit>:<path>``, stands for anything."""
        return self._resolver.resolve(name) is not None

    def is_ancestor(self, older: str, newer: str, *, env: Mapping[str, str] | None = None) -> bool:
        """Say whether *older* is *newer* or behind it. False when either is unknown."""
        return self.git("merge-base", "--is-ancestor", older, newer, env=env, check=False).code == 0

    def contains(self, branch: str, commit: str) -> bool:
        """Say whether *commit* is on *branch*. False when either is unknown."""
        tip = self.tip(branch)
        return tip is not None and (tip == commit or self.is_ancestor(commit, tip))

    def commit_tree(self, tree: str, *, parents: tuple[str, ...], message: str, author: str | None = None) -> str:
        """Write a commit by the user, or by *author* given as ``Name <address>``; the committer is the user."""
        name, email, _ = identity(self.settings)
        their_name, their_email = name, email
        if author is not None:
            their_name, _, their_email = author.partition("<")
            their_name, their_email = their_name.strip() or "agent", their_email.strip().rstrip(">")
        if self._writes_plainly:
            people = {"author": (their_name, their_email), "committer": (name, email)}
            written = self._commits.write(tree, parents=parents, message=message, **people)
            if written is not None:
                return written
        env = {
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
            "GIT_AUTHOR_NAME": their_name,
            "GIT_AUTHOR_EMAIL": their_email,
        }
        before = [word for parent in parents for word in ("-p", parent)]
        text = message.replace("\0", "").encode("utf-8", "replace")
        return self.git("commit-tree", tree, *before, "-F", "-", env=env, input=text).text

    @cached_property
    def _commits(self) -> CommitWriter:
        return CommitWriter(root=self.root, scratch=self.state, config=self.neutral)

    @cached_property
    def _writes_plainly(self) -> bool:
        """Whether commits here are in UTF-8, which needs no word about it in them."""
        named = [item.value.lower() for item in self.settings if item.key == "i18n.commitencoding"]
        return named[-1:] in ([], ["utf-8"], ["utf8"])

    def advance(self, branch: str, *, old: str | None, new: str) -> bool:
        """Move *branch* by compare-and-set; False when it is not at *old* any more."""
        return self.move(f"refs/heads/{branch}", old=old, new=new)

    def move(self, ref: str, *, old: str | None, new: str) -> bool:
        """Move any ref by compare-and-set. Raises WorkspaceProblem when it failed for another reason."""
        if not re.search(r"[\s\"\\]", ref):
            wanted = f"start\nupdate {ref} {new} {old or '0' * len(new)}\ncommit\n"
            if self._moving.ask(os.fsencode(wanted), lines=2) == ["start: ok", "commit: ok"]:
                return True
        # It ends with the first move it refuses. What became of this one is found out by trying it once more.
        done = self.git("update-ref", "--create-reflog", ref, new, old or "0" * len(new), check=False)
        if done.code == 0:
            return True
        now = self.commit(ref)
        if now == new:
            return True
        if now == old:
            raise failed(f"git could not move {ref}", done)
        return False

    @cached_property
    def _moving(self) -> Standing:
        return Standing("update-ref", "--create-reflog", "--stdin", root=self.root, config=self.neutral)

    def union(self, tip: str, commit: str) -> Union:
        """Merge two commits in memory. Raises NotReady when git is older than 2.38."""
        if self._resolver.resolve(f"{commit}^1") == tip:
            return Union(tree=self.tree(commit))  # nothing landed since it began: there is nothing to merge it with
        merged = self.git("merge-tree", "--write-tree", "--name-only", "-z", "--messages", tip, commit, check=False)
        if merged.code == 0:
            return Union(tree=os.fsdecode(merged.out.split(b"\0", 1)[0]))
        if merged.code != 1:
            need_merging(self.root)
            raise failed("git merge-tree failed", merged)
        head, _, messages = merged.out.partition(b"\0\0")
        tree, *paths = (os.fsdecode(part) for part in head.split(b"\0"))
        names = tuple(sorted({shown(path) for path in paths}))
        return Union(tree=None, conflicts=names, detail=self._conflict(tree, sorted(set(paths)), messages))

    def landed(self, branch: str, base: str | None) -> dict[str, str]:
        """Return ``Attempt:`` trailer to commit for what *branch* has after *base*; the newest commit of each."""
        tip = self.tip(branch)
        if tip is None:
            return {}
        wanted = "--format=%H%x00%(trailers:key=Attempt,valueonly,separator=%x00)"
        lines = self.git("log", wanted, tip, *([f"^{base}"] if base else []), "--").text.split("\n")
        found: dict[str, str] = {}
        for commit, *attempts in (line.split("\0") for line in lines):
            for attempt in attempts:
                if attempt.strip():
                    found.setdefault(attempt.strip(), commit)
        return found

    def diff(self, old: str, new: str, *, stat: bool = False) -> str:
        """Return the patch between two commits or trees, at most 64 KiB, or its summary."""
        form = ("--stat=100",) if stat else ("--patch",)
        limit = DIFF_LIMIT_BYTES
        found = self.git("diff-tree", "-r", "--no-ext-diff", "--no-textconv", *form, old, new, limit_bytes=limit)
        return found.text

    def changes(self, old: str, new: str) -> Changes:
        """Return the paths that differ, sorted, how many lines were added and removed, and the start of the patch."""
        asked = ("diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv")
        both = self.git(*asked, "--patch", old, new, limit_bytes=_ACCOUNT_BYTES).out
        counted, ends, patch = both.partition(b"\0\0")
        if ends:
            text = patch[:DIFF_LIMIT_BYTES].decode("utf-8", "replace").rstrip("\n")
            return _counted(os.fsdecode(counted).split("\0"), text)
        # There are too many, or none, or git failed, which is told only of what is read to its end.
        return _counted(self.git(*asked, old, new).names, self.diff(old, new))

    def revisions(self, old: str, new: str) -> tuple[Revision, ...]:
        """Return what became of every file that differs; texts up to REVISION_LIMIT_BYTES each and 64 times that."""
        raw = self._raw(old, new)
        pairs = [(head.lstrip(":").split(), path) for head, path in zip(raw[::2], raw[1::2], strict=True)]
        wanted = [
            sha
            for (mode, to_mode, sha_before, sha_after, _), _path in pairs
            for sha, kind in ((sha_before, mode), (sha_after, to_mode))
            if kind in _REGULAR
        ]
        texts = self._texts(list(dict.fromkeys(wanted)))
        return tuple(
            Revision(
                path=shown(path),
                before=None if _is_absent(mode) else texts.get(before, ""),
                after=None if _is_absent(to_mode) else texts.get(after, ""),
            )
            for (mode, to_mode, before, after, _), path in pairs
        )

    def _raw(self, old: str, new: str) -> list[str]:
        """Return what git lists of each file that differs, a description and a path, asked of one git that stays."""
        mark = secrets.token_hex(8)
        asked = f"{self.tree(old)} {self.tree(new)}\n{mark}\n"  # it repeats what names no trees: so we know the end
        answer = self._listing.ask_for(asked.encode(), lambda so_far: so_far.endswith(f"{mark}\n".encode()))
        if not answer:
            answer = self.git(*_LISTED, old, new).out
            return [os.fsdecode(part) for part in answer.split(b"\0") if part]
        listed = answer.partition(b"\n")[2]  # after the trees' names
        return [os.fsdecode(part) for part in listed.split(b"\0")[:-1]]

    @cached_property
    def _listing(self) -> Standing:
        return Standing(*_LISTED, "--stdin", root=self.root, config=self.neutral)

    def _texts(self, blobs: list[str]) -> dict[str, str]:
        """Return the texts of *blobs* that are text and not too long."""
        texts, room = {}, 64 * REVISION_LIMIT_BYTES
        for blob in blobs:
            content = self._resolver.content(blob, limit=min(REVISION_LIMIT_BYTES, room))
            if content is not None:
                room -= len(content)
                if b"\0" not in content[:8000]:
                    texts[blob] = content.decode("utf-8", "replace")
        return texts

    def text(self, tree: str, path: str) -> str | None:
        """Return the text of a file in a commit or tree; None when there is none, or it is longer than we read."""
        content = self._resolver.content(f"{tree}:{path}", limit=REVISION_LIMIT_BYTES)
        return None if content is None else content.decode("utf-8", "replace")

    def put_back(self, tree: str, paths: Sequence[str], *, like: str) -> str:
        """Write a tree that is *tree* with *paths* as they are in *like*; what is absent there is absent."""
        tree = self.tree(tree)
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", like, "--", *paths).names if paths else []
        found = {entry.partition("\t")[2]: entry.partition("\t")[0].split() for entry in listed}
        lines = []
        for path in paths:
            mode, _, blob = found.get(path, ("0", "", "0" * len(tree)))
            lines.append(f"{mode} {blob}\t{path}\0")
        with self.scratch() as scratch:
            env = {"GIT_INDEX_FILE": str(scratch / "index")}
            self.git("read-tree", tree, env=env)
            self.git("update-index", "-z", "--index-info", env=env, input=os.fsencode("".join(lines)))
            return self.git("write-tree", env=env).text

    def branches(self, goal: GoalId | None = None) -> tuple[str, ...]:
        """Return the names of the goal's branches, or of every goal's."""
        below = f"{self.prefix}/{goal}" if goal is not None else self.prefix
        names = self.git("for-each-ref", "--format=%(refname:lstrip=2)", f"refs/heads/{below}/").text
        return tuple(names.splitlines())

    def drop_branches(self, branches: Mapping[str, str]) -> tuple[str, ...]:
        """Delete *branches* that stand on the commit given for each and are checked out nowhere; return which did."""
        found = self.git("for-each-ref", "--format=%(refname:lstrip=2)%00%(worktreepath)", "refs/heads/")
        used = {name for name, _, place in (line.partition("\0") for line in found.text.splitlines()) if place}
        gone = []
        for name, commit in branches.items():
            ref = f"refs/heads/{name}"
            if name not in used and self.git("update-ref", "-d", ref, commit, check=False).code == 0:
                gone.append(name)
        return tuple(gone)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a private folder for an index; gone afterwards."""
        self.state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.state) as folder:
            yield Path(folder)

    def _conflict(self, tree: str, paths: list[str], messages: bytes) -> str:
        parts = [line for line in messages.decode("utf-8", "replace").split("\0") if line.endswith("\n")]
        told = ["".join(parts)]
        for path in paths:
            found = self.git("cat-file", "blob", f"{tree}:{path}", check=False)
            hunks = _hunks(found.text) if found.code == 0 else ""
            if hunks:
                told.append(f"--- {shown(path)}\n{hunks}")
            if sum(map(len, told)) > DETAIL_LIMIT:
                break
        text = "\n".join(part.rstrip("\n") for part in told if part)
        return text if len(text) <= DETAIL_LIMIT else text[: DETAIL_LIMIT - 12].rstrip() + "\n[cut here]"


def _counted(lines: Sequence[str], patch: str) -> Changes:
    files, insertions, deletions = [], 0, 0
    for line in lines:
        added, removed, path = line.split("\t", 2)
        files.append(shown(path))
        insertions += int(added) if added.isdigit() else 0  # "-" for a binary file
        deletions += int(removed) if removed.isdigit() else 0
    return Changes(tuple(sorted(files)), insertions, deletions, patch)


def quoted(objects: Path) -> bytes:
    """Return the path of an object store as git reads it among alternates, in quotes only where it must be.

    It may hold a newline or a ``:``. git-lfs 3.3 reads alternates itself and knows no quotes.
    """
    path = os.fsencode(objects)
    if re.fullmatch(rb"/[^\n:\"]*", path):
        return path
    return b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'


def _is_absent(mode: str) -> bool:
    return not mode.strip("0")


def _hunks(text: str) -> str:
    """Return the parts of a merged file between conflict markers, each with its line number."""
    kept: list[str] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("<<<<<<< ") and not inside:
            inside = True
            kept.append(f"line {number}:")
        if inside:
            kept.append(line)
        if line.startswith(">>>>>>> "):
            inside = False
    return "\n".join(kept)
