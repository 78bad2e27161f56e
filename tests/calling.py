"""Calling ``orchestrate`` as a user's shell does: a process of its own, in a project, with a home of its own."""

import json
import os
import pty
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from journeys.forked import Forks

T = TypeVar("T")

AGENT = "cat > /dev/null; echo work >> $WORK_FILE; sleep ${AGENT_SLEEP:-0}; echo done"
"""An agent that does one line of work: the shortest script that leaves evidence."""


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Caller:
    """Calls commands in one project folder."""

    def __init__(self, folder: Path, **environ: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environ = {**os.environ, **environ}
        self.forks: Forks | None = None
        """Makes its commands by forking, where many are called."""
        self.timeout_s: float = 180
        """How long one command may take, unless a call says otherwise: a demo took more than 60 s at a load of 13."""

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "agent_orchestrator", *words]

    def __call__(
        self, *words: str, stdin: bytes | None = None, timeout_s: float | None = None, **environ: str
    ) -> Answer:
        """Run one command to its end. Without *stdin* its standard input is empty. A traceback is a failure."""
        if self.forks is not None and stdin is None:
            return self.killed_at(0, *words, timeout_s=timeout_s, **environ)
        ran = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env={**self.environ, **environ},
            input=stdin or b"",
            capture_output=True,
            timeout=self.timeout_s if timeout_s is None else timeout_s,
        )
        answer = Answer(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
        assert "Traceback" not in answer.err, answer.err
        return answer

    def killed_at(self, step: int, *words: str, timeout_s: float | None = None, **environ: str) -> Answer:
        """Run one forked command until its durable step number *step*; 0: to its end."""
        assert self.forks is not None
        wait_s = self.timeout_s if timeout_s is None else timeout_s
        folder = self.folder.parent
        ran = self.forks(words, self.folder, {**self.environ, **environ}, folder, timeout_s=wait_s, step=step)
        assert "Traceback" not in ran[2], ran[2]
        return Answer(*ran)

    def on_terminal(self, *words: str, typed: bytes) -> tuple[int, str]:
        """Run one command on a terminal of its own, where *typed* is typed; return exit code and all it showed."""
        return self._typed(self.argv(*words), {**self.environ, "TERM": "dumb"}, typed)

    def in_shell(self, *shell: str, typed: bytes) -> tuple[int, str]:
        """Run an interactive *shell* on a terminal of its own, as ``on_terminal``; it finds ``orchestrate``."""
        folder = self.folder.parent / "bin"
        folder.mkdir(exist_ok=True)
        launcher = folder / "orchestrate"
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(self.argv())} "$@"\n')
        launcher.chmod(0o755)
        environ = {**self.environ, "TERM": "xterm", "PATH": f"{folder}:{self.environ['PATH']}"}
        return self._typed(list(shell), environ, typed)

    def _typed(self, argv: list[str], environ: dict[str, str], typed: bytes) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            argv,
            cwd=self.folder,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        with suppress(OSError):  # how Linux says that the last writer has gone
            while chunk := os.read(ours, 4096):
                shown += chunk
        os.close(ours)
        return process.wait(timeout=120), shown.decode(errors="replace")

    def git(self, *words: str) -> str:
        ran = subprocess.run(["git", *words], cwd=self.folder, env=self.environ, capture_output=True, check=True)
        return ran.stdout.decode().strip()

    def begin_repository(self) -> None:
        """Make the folder a git repository with a first commit of what is in it."""
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "base")):
            self.git(*identity, *words)

    def drop_attempts_branches(self) -> None:
        """Delete the branches of attempts, as a user may: then none holds what was not landed."""
        listed = self.git("branch", "--format=%(refname:short)").splitlines()
        self.git("branch", "-D", *(name for name in listed if name[-1].isdigit()))

    def with_agent(self, folder: Path) -> None:
        """Let runs use the shell script AGENT as their agent."""
        script = folder / "agent.sh"
        script.write_text(AGENT)
        self.environ |= {
            "ORCHESTRATE_GENERIC_COMMAND": f"sh {script}",
            "ORCHESTRATE_PROVIDER": "generic",
            "ORCHESTRATE_PASS_ENV": "AGENT_SLEEP,WORK_FILE",
            "WORK_FILE": "work.txt",
        }


def wait_for(condition: Callable[[], T], timeout_s: float = 90) -> T:
    """Return the first true value of *condition*; polls, because files and /proc cannot be waited for."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, f"still {value!r} after {timeout_s} s"
        time.sleep(0.005)
    return value
