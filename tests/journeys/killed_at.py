"""Run one `orchestrate` command that is killed by SIGKILL at its N-th step that something outside it can see.

    python killed_at.py N WORDS...

A step is the moment before a transaction is committed, the moment after, and the moment before another program is
started: git, a minder. Between two steps nothing durable changes, so dying at each of them is dying at every point that
matters. Nothing of the program is replaced: SQLite and Python themselves tell when a step comes. Which step it died at
is written to standard error; with N = 0 every step is, and the command lives.
"""

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import apsw

from agent_orchestrator.cli import run


def main() -> None:
    last, words = int(sys.argv[1]), sys.argv[2:]
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
            step(f"before {Path(argv[0]).name} {' '.join(telling[:3])}")

    apsw.connection_hooks.append(hook)
    sys.addaudithook(audited)
    run(words)


if __name__ == "__main__":
    main()
