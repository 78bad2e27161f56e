"""Start minders without delay: one process has loaded what a minder needs, and forks one whenever it is asked to.

A minder started by itself is a Python process that loads its modules first, which was three quarters of what a short
attempt cost beside git (2026-11). A nursery is an optimisation and nothing rests on it: where there is none, or it was
killed, or does not answer, `Nursery.fork` returns None and the minder is started by itself, as `Process.start` does.

No attempt can have two minders by that: a forked one does nothing before it is told to go on its own lifeline, which
is closed where another is started instead.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.runtime import minder, nursery_child
from agent_orchestrator.runtime.process import Forked, environment, program

ANSWER_S = 10.0
"""Seconds a nursery may take to answer: it forks within two milliseconds, unless somebody stopped it."""
ROOM = 4096
"""Bytes in its command line, for that of its minders: they name their run folders, to be told apart by people."""


@dataclass(frozen=True, slots=True)
class _Opened:
    process: subprocess.Popen[bytes]
    asks: socket.socket

    def close(self) -> None:
        """End it. Its minders go on: each has its own lifeline and session."""
        self.asks.close()
        try:
            self.process.wait(timeout=ANSWER_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nursery:
    """Forks minders for one run. Any number of threads may ask. Close it."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._useless = not hasattr(os, "pidfd_open") or not hasattr(socket, "SOCK_SEQPACKET")

    def open(self) -> None:
        """Start it ahead of the first attempt; nothing where the system has not what it takes (it is for Linux)."""
        with self._lock:
            if not self._useless and self._opened is None:
                self._opened = _open()

    def fork(self, run_dir: Path, lock: int) -> Forked | None:
        """Return a minder for *run_dir* that holds *lock* and may go; None when it has to be started by itself."""
        self.open()
        with self._lock:
            if self._opened is None:
                return None
            heard, lifeline = os.pipe()
            try:
                pid, end = _asked(self._opened.asks, run_dir, heard, lock)
                os.write(lifeline, nursery_child.GO)
            except (OSError, ValueError):
                os.close(lifeline)  # was one forked after all, it leaves
                self._opened.process.kill()
                self._opened.close()
                self._opened = None  # the next attempt gets a new one
                return None
            finally:
                os.close(heard)
            return Forked(pid=pid, end=end, lifeline=lifeline)

    def close(self) -> None:
        """End it; its minders go on."""
        with self._lock:
            self._useless = True
            if self._opened is not None:
                self._opened.close()
                self._opened = None


def _open() -> _Opened | None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(ANSWER_S)
    words = [program(nursery_child), str(theirs.fileno()), str(Path(minder.__file__).parent), " " * ROOM]
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-E", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment(),
            start_new_session=True,
            pass_fds=(theirs.fileno(),),
        )
    except OSError:
        ours.close()
        return None
    finally:
        theirs.close()
    return _Opened(process, ours)


def _asked(asks: socket.socket, run_dir: Path, heard: int, lock: int) -> tuple[int, int]:
    """Return the pid of a new minder and a descriptor of it. Raises OSError or ValueError when there is no answer."""
    log = os.open(run_dir / "minder.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        socket.send_fds(asks, [os.fsencode(run_dir.absolute())], [heard, lock, log])
    finally:
        os.close(log)
    answer, fds, _, _ = socket.recv_fds(asks, 64, 1)
    try:
        pid, end = int(answer), fds[0]
        os.set_inheritable(end, False)
        return pid, end
    except (ValueError, IndexError) as error:
        for fd in fds:
            with suppress(OSError):
                os.close(fd)
        raise ValueError("the nursery has ended") from error
