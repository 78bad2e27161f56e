"""Start an agent under its minder, and find it again after our own death.

What became of it stands in the files of its run folder: see `run_dir.py`.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Protocol, Self

from agent_orchestrator.runtime import minder
from agent_orchestrator.runtime.run_dir import ExitRecord, Identity, State, exit_record, read_json, state

RESERVE_BYTES = 32 << 20
"""What a disk must have free, or the failure of a program that writes there proves nothing."""

_INHERITED = (minder.MARK, "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # to be found in turn; to load a shared libpython


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one attempt may use. Enforced by its minder, with or without a supervisor.

    Raises:
        ValueError: a limit is not a positive finite number (the grace period may be 0).
    """

    wall_s: float = 4 * 3600
    """Seconds of monotonic time: a suspended machine costs nothing. Passing it stops the agent, with grace."""
    silence_s: float = 15 * 60
    """Seconds without any output, CPU use (1 % of a core) or changed file. Passing it stops the agent, with grace.
    A model may think for minutes without a sign; every agent CLI tried outlived 150 s in some failure (2026-11)."""
    output_bytes: int = 256 << 20
    """Bytes of stdout and stderr together. Passing it kills the agent at once."""
    grace_s: float = 10
    """Seconds between SIGTERM and SIGKILL."""
    memory_bytes: int | None = None
    """Resident bytes of the whole tree, shared pages counted once. Passing it kills the agent at once; None: never."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and (not math.isfinite(value) or value < 0 or (value == 0 and name != "grace_s")):
                raise ValueError(f"{name} must be a positive number, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """Everything needed to start one attempt's agent."""

    run_dir: Path
    """A folder of this attempt alone; made with mode 0700. Never reused."""
    run_id: str
    """Unique for ever; every process of the agent carries it in `ORCHESTRATE_RUN_ID`."""
    argv: tuple[str, ...]
    """The command. Without a slash it is looked up in the PATH of *env*."""
    cwd: Path
    env: Mapping[str, str]
    """The agent's complete environment: nothing of ours is added but the mark."""
    stdin: Path | None = None
    """A regular file, usually the prompt (one argument may hold only 128 KiB); None is /dev/null."""
    limits: Limits = field(default_factory=Limits)
    supervisor_lock: Path | None = None
    """The file a supervisor holds an exclusive `flock` on while it lives. None: the agent never becomes an orphan.

    Minders whose supervisor died try a shared lock on it, for some microseconds every few seconds: whoever fails to get
    the exclusive lock without waiting tries again for a moment before concluding that someone has it.
    """
    orphan_ttl_s: float = 900
    """Seconds an agent goes on without any supervisor before its minder stops it."""
    reserve_bytes: int = RESERVE_BYTES
    """With less than this free where the agent writes, its record says that it lacked room."""
    record_patience_s: float = 600
    """Seconds for which a full disk may delay the record of the end; after them the minder ends without one.

    Nothing is left of the agent by then. 0 is for whoever waits for the end and would do the same without a record.
    """
    watch: Path | None = None
    """The workspace: a changed file in it is a sign of life."""
    has_watcher: bool = False
    """Whether the first process only watches over the agent, as bubblewrap does, and would take it along by ending:
    then it is not asked to end, the others are, and it follows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """A minder that a nursery forked. It is no child of ours: we know it by these descriptors."""

    pid: int
    end: int
    """A pidfd of it, which is ours to close. It was made before the minder could be reaped."""
    lifeline: int
    """The writing end of its lifeline, ours to close too."""


class Forks(Protocol):
    """Makes minders quickly; `nursery.Nursery` does."""

    def fork(self, run_dir: Path, lock: int) -> Forked | None:
        """Return a minder for *run_dir* that has inherited *lock*; None where it has to be started by itself."""
        ...


class Process:
    """An agent and its minder, seen from the supervisor. Get one from `start` or `adopt`; close it.

    Closing ends nothing: the agent goes on under its limits, as if the supervisor had died.
    """

    def __init__(
        self,
        run_dir: Path,
        minder_id: Identity,
        popen: subprocess.Popen[bytes] | None,
        lifeline: int,
        end: _PidFd | None = None,
    ) -> None:
        self.run_dir = run_dir
        self.minder = minder_id
        self._popen = popen
        self._lifeline = lifeline
        self._end = end or _end_of(minder_id.pid)

    @classmethod
    def start(cls, spawn: Spawn, nursery: Forks | None = None) -> Self:
        """Start the minder, which starts the agent; returns without waiting for either. A *nursery* does it sooner.

        What keeps the agent from starting (no such program, no such folder) is found in `exit`, as SPAWN_FAILED.

        Raises:
            FileExistsError: *run_dir* was used before.
            OSError: the minder could not be started.
        """
        spawn.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(spawn.run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write_private(spawn.run_dir / "spawn.json", as_json(spawn))
            if nursery is not None and (forked := nursery.fork(spawn.run_dir, lock)) is not None:
                return cls._of(spawn.run_dir, forked)
            heard, lifeline = os.pipe()
            try:
                popen = _start_minder(spawn.run_dir, heard, lock)
            except BaseException:
                os.close(lifeline)
                raise
            finally:
                os.close(heard)
        finally:
            os.close(lock)
        started = minder.start_time(popen.pid)
        assert started is not None, "an unreaped child has a start time"
        return cls(spawn.run_dir, Identity(pid=popen.pid, start_time=started), popen, lifeline)

    @classmethod
    def _of(cls, run_dir: Path, forked: Forked) -> Self:
        started = minder.start_time(forked.pid)
        # Without one it has ended and was reaped already; no process has a start time of -1.
        identity = Identity(pid=forked.pid, start_time=-1 if started is None else started)
        return cls(run_dir, identity, None, forked.lifeline, _PidFd.held(forked.end))

    @classmethod
    def adopt(cls, run_dir: Path) -> Self | None:
        """Return the attempt of an earlier supervisor if its minder lives, else None: ask `state` what became of it."""
        if state(run_dir) is not State.RUNNING:
            return None
        recorded = read_json(run_dir / "pid.json")
        if recorded is None or recorded["boot_id"] != minder.boot_id():
            return None
        identity = Identity(**recorded["minder"])
        try:
            adopted = cls(run_dir, identity, None, -1)
        except ProcessLookupError:
            return None
        if minder.start_time(identity.pid) != identity.start_time:  # after the pidfd: now the pid cannot change hands
            adopted.close()
            return None
        return adopted

    @property
    def agent(self) -> Identity | None:
        """The agent's first process, leader of its own session; None until the minder has recorded it."""
        recorded = read_json(self.run_dir / "pid.json")
        return None if recorded is None else Identity(**recorded["agent"])

    def exit(self) -> ExitRecord | None:
        """Return how the attempt ended, None before that, and for ever if the minder vanished: ask `state`."""
        self._reap()
        return exit_record(self.run_dir)

    def stop(self) -> None:
        """Ask for the end: SIGTERM to the whole tree, SIGKILL after the grace period. Returns at once."""
        self._tell(b"T", signal.SIGTERM)

    def kill(self) -> None:
        """Ask for SIGKILL to the whole tree, also during the grace period of a `stop`. Returns at once."""
        self._tell(b"K", signal.SIGUSR1)

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the minder has ended: then `exit` or `state` is final.

        A pidfd (Linux 5.3), elsewhere a kqueue (not verified on macOS).
        """
        return self._end.fileno()

    def close(self) -> None:
        """Give back the descriptors, and the minder's entry in the process table if it has ended or is about to."""
        if self._popen is not None and exit_record(self.run_dir) is not None:
            self._popen.wait(timeout=10)
        self._reap()
        if self._popen is not None and self._popen.returncode is None:
            self._popen.returncode = 0  # else its finaliser warns; a supervisor that leaves takes the entry with it
        self._end.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reap(self) -> None:
        if self._popen is not None:
            self._popen.poll()

    def _tell(self, word: bytes, number: signal.Signals) -> None:
        if self._lifeline >= 0:
            try:
                os.write(self._lifeline, word)
            except BrokenPipeError:
                return  # it has ended meanwhile
        else:
            self._end.send(number, self.minder)


class _PidFd:
    """One process, held by a descriptor of the kernel: signals cannot reach another one with its pid."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    @classmethod
    def held(cls, fd: int) -> Self:
        """Take over the pidfd *fd*."""
        made = cls.__new__(cls)
        made._fd = fd
        return made

    def fileno(self) -> int:
        return self._fd

    def send(self, number: signal.Signals, _identity: Identity) -> None:
        try:
            signal.pidfd_send_signal(self._fd, number)
        except ProcessLookupError:
            return

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


if sys.platform != "linux":

    class _Kqueue:
        """The same where there is no pidfd."""

        def __init__(self, pid: int) -> None:
            self._queue = select.kqueue()
            exit_of = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            self._queue.control([exit_of], 0)

        def fileno(self) -> int:
            return self._queue.fileno()

        def send(self, number: signal.Signals, identity: Identity) -> None:
            if minder.start_time(identity.pid) == identity.start_time:
                os.kill(identity.pid, number)

        def close(self) -> None:
            self._queue.close()

    _end_of = _Kqueue
else:
    _end_of = _PidFd


def _start_minder(run_dir: Path, lifeline: int, lock: int) -> subprocess.Popen[bytes]:
    log = os.open(run_dir / "minder.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    options = [str(run_dir.absolute()), "--lifeline", str(lifeline), "--lock", str(lock)]
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-E", program(minder), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd="/",
            env=environment(),
            start_new_session=True,
            pass_fds=(lifeline, lock),
        )
    finally:
        os.close(log)


def environment() -> dict[str, str]:
    """Return the environment of a minder, which is not its agent's."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def program(module: ModuleType) -> str:
    """Return the file to start *module* from as a program: its compiled form, if importing it here left a current one.

    Python compiles a main program given as source at every start, which takes a quarter of a minder's start (measured
    2026-11). Bytes 8 to 16 of a .pyc are the time and the size of its source.
    """
    assert module.__file__ is not None and module.__spec__ is not None
    source = Path(module.__file__)
    compiled = module.__spec__.cached
    try:
        header = Path(compiled or "").read_bytes()[:16]
    except OSError:
        return str(source)
    status = source.stat()
    expected = bytes(4) + struct.pack("<II", int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    return compiled if compiled and header[4:] == expected else str(source)


def as_json(spawn: Spawn) -> dict[str, object]:
    """Return *spawn* as its minder reads it in ``spawn.json``."""
    return {
        "argv": spawn.argv,
        "cwd": str(spawn.cwd.absolute()),
        "env": dict(spawn.env),
        "stdin": spawn.stdin and str(spawn.stdin.absolute()),
        "run_id": spawn.run_id,
        "limits": asdict(spawn.limits),
        "supervisor_lock": spawn.supervisor_lock and str(spawn.supervisor_lock.absolute()),
        "orphan_ttl_s": spawn.orphan_ttl_s,
        "reserve_bytes": spawn.reserve_bytes,
        "record_patience_s": spawn.record_patience_s,
        "watch": spawn.watch and str(spawn.watch.absolute()),
        "has_watcher": spawn.has_watcher,
    }


def _write_private(path: Path, value: object) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(json.dumps(value))  # several times quicker than `json.dump`, which writes piece by piece
