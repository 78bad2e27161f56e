"""A project to measure in: a folder of its own, nobody's settings, and the installed command."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission

ORCHESTRATE = Path(sys.executable).with_name("orchestrate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder, by default without git, whose agents are *command* and whose state lies beside it."""

    scratch: Path
    command: str = "true"
    more: dict[str, str] = field(default_factory=dict)
    """Further environment variables."""

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.scratch / "project"

    @property
    def environ(self) -> dict[str, str]:
        """What every process of the project sees."""
        return {
            "HOME": str(self.scratch),
            "XDG_STATE_HOME": str(self.scratch / "state"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "ORCHESTRATE_GENERIC_COMMAND": self.command,
            "ORCHESTRATE_PROVIDER": "generic",
            **self.more,
        }

    def made(self, *, files: int = 0) -> "Project":
        """Make the folder; with *files* make it a git repository with a commit of so many."""
        self.folder.mkdir(parents=True)
        for number in range(files):
            file = self.folder / f"part{number % 50}" / f"file{number}.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{number}\n" * 20)
        if files:
            self.git("init", "-q", "-b", "main")
            self.git("add", "-A")
            self.git("commit", "-q", "-m", "Begin")
        return self

    def git(self, *words: str) -> str:
        """Run git in the folder."""
        identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        return subprocess.run(
            ["git", *identity, *words], cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True
        ).stdout

    def app(self) -> App:
        """Return the project's app, in this process."""
        return build(self.folder, environ=self.environ)

    def queue(self, count: int, *, title: str = "Task", change: bool = False) -> None:
        """Queue one goal of *count* tasks that need no other task; each must *change* a file, or need not."""
        tasks = tuple(
            PlannedTask(
                id=f"t{number}",
                title=f"{title} {number}",
                description="Nothing.",
                agent_type="generalist",
                expects_change=change,
            )
            for number in range(count)
        )
        app = self.app()
        app.goals.accept(Plan(goal="bench", source="file", tasks=tasks), Submission(text="bench"))
        app.store.close()

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a supervisor; it is told to stop at once at the end."""
        log = (self.scratch / "run.log").open("wb")
        argv = [str(ORCHESTRATE), "run", "--yes", *words]
        process = subprocess.Popen(
            argv, cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            for _ in range(2):
                if process.poll() is None:
                    process.terminate()
                    time.sleep(0.2)
            process.wait(60)
            log.close()


def wait_for(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Look every 5 ms until *holds*."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.005)
