"""The user's repository and an attempt in it, as the tests see them."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.workspaces import Collected, Workspace
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces

GOAL = GoalId("g7kq2mx")


def sh(cwd: Path, *argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.rstrip("\n")


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        put(root / name.replace("__", "."), text)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def ends(pid: int, timeout_s: float = 90) -> bool:
    """Say whether a process that was killed is gone, or only waits to be reaped."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@dataclass(frozen=True)
class Repo:
    """The user's repository, seen with plain git."""

    root: Path

    def git(self, *args: str, check: bool = True) -> str:
        return sh(self.root, "git", *args, check=check)

    def commit(self, message: str = "work", **files: str) -> str:
        write(self.root, **files)
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def show(self, commit: str, path: str) -> str:
        return self.git("show", f"{commit}:{path}")

    def names(self, commit: str) -> list[str]:
        return self.git("ls-tree", "-r", "--name-only", commit).splitlines()

    def everything(self) -> tuple[object, ...]:
        """All of the user's that an agent must not change, byte by byte; our own branches are not theirs."""
        git_dir = self.root / ".git"
        refs = [line for line in self.git("for-each-ref").splitlines() if "refs/heads/orchestrate" not in line]
        files = {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in self.root.rglob("*")
            if file.is_file() and git_dir not in file.parents
        }
        own = [(git_dir / name).read_bytes() for name in ("index", "HEAD", "config") if (git_dir / name).exists()]
        return refs, files, own, self.git("stash", "list")


@dataclass(frozen=True)
class Attempt:
    workspaces: CheckoutWorkspaces
    workspace: Workspace
    id: AttemptId

    @property
    def path(self) -> Path:
        return self.workspace.path

    def git(self, *args: str, check: bool = True) -> str:
        return sh(self.workspace.root, "git", *args, check=check)

    def collect(self, message: str = "work") -> Collected:
        return self.workspaces.collect(self.workspace, goal=GOAL, attempt=self.id, message=message)

    def close(self) -> None:
        self.workspaces.close(self.workspace)


Start = Callable[..., Attempt]


def own_gits(word: str = "") -> list[psutil.Process]:
    """Return the gits that this process started and that live, with *word* in their command."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile, or is a zombie that another test left
            if child.name() == "git" and word in " ".join(child.cmdline()):
                found.append(child)
    return found
