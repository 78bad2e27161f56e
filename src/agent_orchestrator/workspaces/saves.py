"""Where checkpoints are kept: a bare repository of our own in the state folder, and getting them back out of it.

It shares nothing with the user's repository or with any checkout: no object is
borrowed and no history is needed, so all of those may be deleted and what was
saved still comes back. Each checkpoint is a commit without parents; what is
known about it stands in its message, so the database may be lost too.

In the store::

    refs/saves/<attempt>/<number>   a checkpoint
    refs/bases/<commit>             the files of a commit that attempts began with
    working/<checkout>/             the index of its last checkpoint, which makes the next one quick
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent_orchestrator.domain.errors import RefusedByState, WorkspaceProblem
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Checkpoint, Restored
from agent_orchestrator.workspaces.git import Result, git, start
from agent_orchestrator.workspaces.locking import take
from agent_orchestrator.workspaces.repository import Repository

WAIT_S = 300.0
"""For the store's lock. One checkpoint holds it, for as long as git needs to read what changed."""
UNPACKED_BELOW = 100
"""A transfer of fewer objects is stored one file each, as ``git fetch`` does (fetch.unpackLimit, git 2.39)."""
FSYNC = {"core.fsync": "objects,reference", "core.fsyncMethod": "batch"}
"""A checkpoint is on disk before it is called one; one flush for all its files. Git before 2.36 ignores both."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[0-9]+)?")
_LISTED = "%(refname)%00%(objectname)%00%(tree)%00%(committerdate:unix)%00%(contents)%00%00"


@dataclass(frozen=True, kw_only=True)
class Saves:
    """All checkpoints of one project."""

    folder: Path
    """The project's."""
    state: Path

    @property
    def store(self) -> Path:
        """The bare repository."""
        return self.state / "saves.git"

    def git(
        self,
        *args: str,
        input: bytes | None = None,
        index: Path | None = None,
        at: int | None = None,
        check: bool = True,
    ) -> Result:
        """Run git in the store; *at* is the time of what it commits, in seconds since 1970."""
        env = {"GIT_DIR": str(self.store)} | ({"GIT_INDEX_FILE": str(index)} if index else {})
        env |= {f"GIT_{who}_DATE": f"{at} +0000" for who in ("AUTHOR", "COMMITTER")} if at is not None else {}
        return git(*args, cwd=self.store, env=env, config=FSYNC, input=input, check=check)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who writes, in any process. Raises WorkspaceProblem when another does so for too long."""
        self.store.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.store / "lock").open("w") as lock:
            if not take(lock.fileno(), WAIT_S):
                raise WorkspaceProblem(f"{self.store} was locked for {WAIT_S:.0f} s")
            yield

    def make(self, configuration: str) -> None:
        """Make the store, or what is missing of it."""
        for folder in (Path("objects", "info"), Path("objects", "pack"), Path("refs", "heads"), Path("info")):
            (self.store / folder).mkdir(parents=True, exist_ok=True)
        # Content as it lies counts: large files would else be in a store of git-lfs that is the user's.
        raw = '[filter "lfs"]\n\tclean = ""\n\tsmudge = ""\n\tprocess = ""\n\trequired = false\n'
        for name, text in (("HEAD", "ref: refs/heads/none\n"), ("config", f"{configuration}\n{raw}")):
            fresh = self.store / f"{name}.new"
            with suppress(OSError):
                if (self.store / name).read_text("utf-8", "surrogateescape") == text:
                    continue
            fresh.write_text(text, "utf-8", "surrogateescape")
            fresh.replace(self.store / name)

    def of(self, task_or_attempt: str) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of a task's attempts, of one attempt, or of a goal's result, oldest first."""
        if not _NAME.fullmatch(task_or_attempt):
            return ()
        return self._listed(f"refs/saves/{task_or_attempt}/", f"refs/saves/{task_or_attempt}.*/*")

    def all(self) -> tuple[Checkpoint, ...]:
        """Return every checkpoint, by attempt and number."""
        return self._listed("refs/saves/")

    def _listed(self, *patterns: str) -> tuple[Checkpoint, ...]:
        if not (self.store / "HEAD").exists():
            return ()
        listed = self.git("for-each-ref", f"--format={_LISTED}", *patterns).text
        found = [_read(entry.lstrip("\n")) for entry in listed.split("\0\0") if entry.strip()]
        return tuple(sorted(found, key=lambda one: (_order(one.attempt), one.number)))

    def last_number(self, whose: str) -> int:
        """Return the number of the newest checkpoint; 0 when there is none."""
        with suppress(OSError):
            refs = (self.store / "refs" / "saves" / whose).iterdir()
            if found := [int(ref.name) for ref in refs if ref.name.isdigit()]:
                return max(found)
        return max((one.number for one in self.of(whose) if one.attempt == whose), default=0)

    def into_branch(self, checkpoint: Checkpoint) -> Restored:
        """Put it on a new branch of the user's repository, on the commit it began with; no working tree is touched."""
        repository = Repository.find(self.folder, self.state)
        base = checkpoint.base if checkpoint.base and repository.commit(checkpoint.base) else None
        known = repository.tree(base) if base else None
        self.carry(checkpoint.tree, known=known, source=self.store, target=repository.common)
        tree, notes = self._with_links(repository, checkpoint, base)
        if base is None:
            notes += ("the commit it began with is gone, so it stands on none",)
        number = 1
        while True:
            branch = f"{repository.prefix}/restored/{checkpoint.attempt}" + (f"-{number}" if number > 1 else "")
            tip = repository.tip(branch)
            if tip is not None and repository.tree(tip) == tree:
                break
            if tip is None:
                when = f"{checkpoint.at:%Y-%m-%d %H:%M:%S} UTC"
                about = f"Checkpoint {checkpoint.number} of attempt {checkpoint.attempt}, {when}\n\nNot verified.\n"
                commit = repository.commit_tree(tree, parents=(base,) if base else (), message=about)
                if repository.advance(branch, old=None, new=commit):
                    break
            number += 1
        return Restored(checkpoint=checkpoint, branch=branch, folder=None, notes=notes)

    def into_folder(self, checkpoint: Checkpoint, folder: Path) -> Restored:
        """Write all its files into *folder*. Raises RefusedByState when something is there already."""
        folder = Path(folder).absolute()
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise RefusedByState(f"{folder} is not empty", hint="name a folder that does not exist yet")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.store) as scratch:
            index = Path(scratch, "index")
            self.git("read-tree", checkpoint.tree, index=index)
            env = {"GIT_DIR": str(self.store), "GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(index)}
            git("checkout-index", "--all", "--quiet", cwd=folder, env=env, config={"core.bare": "false"})
        return Restored(checkpoint=checkpoint, branch=None, folder=folder)

    def forget(self, checkpoints: tuple[Checkpoint, ...]) -> int:
        """Delete them and return how many bytes of disk that gave back."""
        if not checkpoints:
            return 0
        with self.locked():
            before = self.size()
            lines = "".join(f"delete refs/saves/{one.attempt}/{one.number:06}\n" for one in checkpoints)
            self.git("update-ref", "--stdin", input=lines.encode())
            used = {one.base for one in self.all()}
            bases = self.git("for-each-ref", "--format=%(refname)", "refs/bases/").text.split()
            lines = "".join(f"delete {ref}\n" for ref in bases if ref.rpartition("/")[2] not in used)
            self.git("update-ref", "--stdin", input=lines.encode())
            for attempt in {one.attempt for one in checkpoints}:
                self.forget_working(attempt)  # its index may name objects that go now
            self.git("gc", "--prune=now", "--quiet")
            return max(0, before - self.size())

    def forget_working(self, checkout: str) -> None:
        """Forget the index of a checkout that is gone, or whose files will be another attempt's."""
        shutil.rmtree(self.store / "working" / checkout, ignore_errors=True)

    def size(self) -> int:
        """Return how many bytes of disk the store has."""
        files = (Path(parent, name) for parent, _, names in os.walk(self.store) for name in names)
        total = 0
        for file in files:
            with suppress(OSError):
                total += file.lstat().st_size
        return total

    def carry(self, tree: str, *, known: str | None, source: Path, target: Path, borrowing: str = "") -> None:
        """Copy the objects of *tree* that *known* does not have from one repository's git folder to another's."""
        wanted = f"{tree}\n" + (f"^{known}\n" if known else "")
        env = {"GIT_DIR": str(source)} | ({"GIT_ALTERNATE_OBJECT_DIRECTORIES": borrowing} if borrowing else {})
        asked = (
            "pack-objects",
            "--revs",
            "--stdout",
            "-q",
            "--window=0",
        )  # new deltas would take longer than they are worth
        with tempfile.TemporaryFile(dir=self.state) as pack:
            packing = start(*asked, cwd=source, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=pack)
            _, error = packing.communicate(wanted.encode(), timeout=WAIT_S)
            if packing.returncode != 0:
                raise WorkspaceProblem(f"git could not read {tree[:12]}: {error.decode('utf-8', 'replace').strip()}")
            pack.seek(8)
            count = int.from_bytes(pack.read(4), "big")
            pack.seek(0)
            stored = ("unpack-objects", "-q") if count < UNPACKED_BELOW else ("index-pack", "--stdin")
            env = {"GIT_DIR": str(target)}
            storing = start(*stored, cwd=target, env=env, config=FSYNC, stdin=pack, stderr=subprocess.PIPE)
            _, error = storing.communicate(timeout=WAIT_S)
            if storing.returncode != 0:
                raise WorkspaceProblem(f"git could not store {tree[:12]}: {error.decode('utf-8', 'replace').strip()}")

    def _with_links(self, repository: Repository, one: Checkpoint, base: str | None) -> tuple[str, tuple[str, ...]]:
        """Return the tree with each submodule a link again: a branch must not hold the files of one."""
        if base is None:
            return one.tree, ()
        links = gitlinks(repository.git("ls-tree", "-r", "-z", "--full-tree", base).out)
        now = gitlinks(self.git("ls-tree", "-r", "-z", "--full-tree", one.tree).out)
        changed = [path for path in links if path not in now and self._has(f"{one.tree}:", path)]
        if not changed:
            return one.tree, ()
        with repository.scratch() as scratch:
            index = {"GIT_INDEX_FILE": str(scratch / "index")}
            repository.git("read-tree", one.tree, env=index)
            for path in changed:
                repository.git("rm", "-r", "-f", "--cached", "--quiet", path, env=index)
                repository.git("update-index", "--add", "--cacheinfo", f"160000,{links[path]},{path}", env=index)
            tree = repository.git("write-tree", "--missing-ok", env=index).text
        told = ", ".join(changed[:5])
        return tree, (f"what was done inside submodules ({told}) is not on the branch: restore it with --into FOLDER",)

    def _has(self, tree: str, path: str) -> bool:
        return self.git("cat-file", "-e", f"{tree}{path}", check=False).code == 0


def gitlinks(listed: bytes) -> dict[str, str]:
    """Return the submodules among the lines of ``git ls-tree -r -z``: folder to the commit it stands for."""
    found = {}
    for line in listed.split(b"\0"):
        described, _, path = line.partition(b"\t")
        if described.startswith(b"160000 "):
            found[os.fsdecode(path)] = described.split()[2].decode()
    return found


def message(*, why: str, base: str | None, files: int, gone: int, bytes: int, notes: tuple[str, ...]) -> str:
    """Return a checkpoint's commit message, which is all that is remembered of it."""
    lines = [" ".join(why.split()), "", f"Base: {base or '-'}", f"Files: {files}", f"Gone: {gone}", f"Bytes: {bytes}"]
    return "\n".join([*lines, *(f"Note: {' '.join(note.split())}" for note in notes), ""])


def _read(entry: str) -> Checkpoint:
    ref, commit, tree, seconds, text = entry.split("\0", 4)
    attempt, _, number = ref.removeprefix("refs/saves/").rpartition("/")
    why, _, rest = text.partition("\n")
    facts: dict[str, list[str]] = {}
    for line in rest.splitlines():
        name, _, value = line.partition(": ")
        facts.setdefault(name, []).append(value)
    base = facts.get("Base", ["-"])[0]
    return Checkpoint(
        attempt=AttemptId(attempt),
        number=int(number),
        at=datetime.fromtimestamp(int(seconds), UTC),
        why=why,
        commit=commit,
        tree=tree,
        base=None if base == "-" else base,
        files=int(facts.get("Files", ["0"])[0]),
        bytes=int(facts.get("Bytes", ["0"])[0]),
        notes=tuple(facts.get("Note", ())),
        gone=int(facts.get("Gone", ["0"])[0]),
    )


def _order(attempt: str) -> tuple[str, int]:
    task, _, number = attempt.rpartition(".")
    return task, int(number) if number.isdigit() else 0
