"""Fork minders that need not load Python first.

Run as a program by `nursery.py`, once per run of the supervisor, and gone with it::

    python -I -S -E nursery_child.py FD FOLDER ROOM

FD is a socket that keeps messages apart. Each message names a run folder and brings the descriptors of a minder's
lifeline, of its lock, and of its log; the answer brings the minder's pid and a pidfd of it. Between two messages
nothing of an attempt is held here: not its lock, so that only its minder has it, and not its lifeline.

A minder that was forked waits for `GO` on its lifeline before it looks at its run folder. If the supervisor dies before
it says so, or has started another one meanwhile, the minder leaves as if it had never been.

Standard library only. Whatever goes wrong here ends this process; the supervisor then starts minders by itself.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

GO = b"G"
"""What a minder hears on its lifeline when it is the one."""
MESSAGE_BYTES = 64 << 10
"""Longer than any path."""


def serve(asks: socket.socket, minder: Any) -> None:
    """Fork a minder for each message, until the supervisor closes its end or dies."""
    ended, noted = os.pipe()
    for fd in (ended, noted):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(noted, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _noted)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([asks.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _reap()
        if asks.fileno() not in ready:
            continue
        name, fds, _, _ = socket.recv_fds(asks, MESSAGE_BYTES, 3)
        if not name:
            return
        pid = os.fork()
        if pid == 0:
            asks.close()
            os.close(ended)
            os.close(noted)
            _become_minder(minder, name, *fds)
        for fd in fds:
            os.close(fd)
        end = os.pidfd_open(pid)  # before anything is reaped: the pid cannot be another's yet
        try:
            socket.send_fds(asks, [str(pid).encode()], [end])
        finally:
            os.close(end)


def _become_minder(minder: Any, run_dir: bytes, lifeline: int, lock: int, log: int) -> None:
    """Turn the forked child into the minder of *run_dir*; never returns."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        os.dup2(log, 2)
        os.close(log)
        _rename(minder, b"minder\0" + run_dir)
        if os.read(lifeline, 1) == GO:
            minder.main(["minder", os.fsdecode(run_dir), "--lifeline", str(lifeline), "--lock", str(lock)])
    except BaseException:  # whatever it is, this process must not go on as a second nursery
        traceback.print_exc()
    finally:
        os._exit(0)


def _rename(minder: Any, words: bytes) -> None:
    """Show *words* as this process's command line: they take the place of ours in memory, for which ROOM makes room."""
    import ctypes

    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123  nothing here loads pathlib
        field = file.read().rpartition(b")")[2].split()
    first, end = int(field[45]), int(field[46])  # arg_start and arg_end of proc(5)
    room = end - first - 1
    ctypes.memmove(first, words[:room].ljust(room, b"\0"), room)


def _reap() -> None:
    """Collect ended minders."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _noted(_number: int, _frame: object) -> None:
    """Have the interpreter write to the wake-up pipe."""


def main(argv: list[str]) -> None:
    """Run the nursery; see the module's docstring."""
    asks = socket.socket(fileno=int(argv[1]))
    asks.set_inheritable(False)
    sys.path.append(argv[2])  # at the end: no file beside the minder can stand in for the standard library
    minder = importlib.import_module("minder")
    minder.take_name("nursery")
    importlib.import_module("ctypes")
    gc.freeze()  # a minder's looks for cycles would copy every page of what is loaded here
    serve(asks, minder)


if __name__ == "__main__":
    main(sys.argv)
