"""Run one `orchestrate` command that is killed by SIGKILL at its N-th durable step.

    python killed_at.py N WORDS...

A durable step is the moment before a transaction is committed, the moment after, and the moment before anything else
that outlives us: a program that may change something is started (git, a minder), a file is moved or removed, a signal
is sent. Reading is none, so that dying at each step is dying at every point that matters. Nothing of the program is
replaced: SQLite and Python themselves tell when a step comes. Which step it died at is written to standard error; with
N = 0 every step is, and the command lives.
"""

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import apsw

from agent_orchestrator.cli import run

READING = {
    *("cat-file", "check-attr", "config", "diff-files", "diff-tree", "for-each-ref", "log", "ls-files", "ls-tree"),
    *("merge-base", "rev-parse", "show", "status", "symbolic-ref", "version", "worktree list"),
}
"""What git is asked that changes nothing."""
FILES = {"os.rename": "moving", "os.remove": "removing", "os.rmdir": "removing", "shutil.rmtree": "removing"}
PIECES = ("index-", ".pyc", "supervisor.lock", "shm", "wal", "journal")
"""Of names: scratch files, and what Python and SQLite do for themselves."""


def live(last: int, words: list[str]) -> None:
    """Run the command that *words* are until its step *last*."""
    steps = itertools.count(1)

    def step(what: str) -> None:
        number = next(steps)
        if number == last or last == 0:
            os.write(2, f"{'killed at step' if last else 'step'} {number}: {what}\n".encode())
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def committing() -> bool:
        step("before a commit")
        return False

    def committed(*_: object) -> int:
        step("after a commit")
        return 0

    def hook(connection: apsw.Connection) -> None:
        connection.set_commit_hook(committing)
        connection.set_wal_hook(committed)

    def audited(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            argv = [str(word) for word in arguments[1]]
            telling = [word for word in argv[1:] if not word.startswith("-") and "=" not in word]
            if argv[0] == "git" and not READING.isdisjoint({telling[0], " ".join(telling[:2])}):
                return
            step(f"before {Path(argv[0]).name} {' '.join(telling[:3])}")
        elif event in FILES and isinstance(arguments[0], str | os.PathLike):
            name = Path(arguments[0]).name
            if not any(piece in name for piece in PIECES) and os.environ["XDG_STATE_HOME"] in str(arguments[0]):
                step(f"before {FILES[event]} {name}")
        elif event in {"os.kill", "os.killpg"} and arguments[1]:
            step(f"before signal {arguments[1]}")

    apsw.connection_hooks.append(hook)
    sys.addaudithook(audited)
    run(words)


if __name__ == "__main__":
    live(int(sys.argv[1]), sys.argv[2:])
