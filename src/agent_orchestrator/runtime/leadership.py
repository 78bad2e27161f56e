"""One supervisor per project: an exclusive file lock, and a term that fences every write of an earlier one.

The lock is the kernel's: it is gone the moment its holder is, however it died,
and nobody has to guess from a clock. Agents' minders look at the same lock to
learn whether a supervisor is there to adopt them.
"""

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import AlreadyRunning
from agent_orchestrator.services.alive import process_identity
from agent_orchestrator.stores import Leadership, Store

LOCK_PATIENCE_S = 0.5
"""Minders of orphaned agents hold the lock, shared, for microseconds every few seconds; a real holder keeps it."""


class Leader:
    """This process as the project's supervisor, from election to resignation."""

    def __init__(self, store: Store, clock: Clock, lock: Path) -> None:
        """Serve the project whose lock file is *lock*."""
        self._store = store
        self._clock = clock
        self.lock = lock
        self._fd: int | None = None
        self._term: int | None = None

    def elect(self, *, max_agents: int, options: Mapping[str, object]) -> Leadership:
        """Become the supervisor and begin a term; the lock may be ours since a term that was not ended for good.

        Raises:
            AlreadyRunning: another process is; the message says which.
        """
        if self._fd is None:
            self._fd = self._locked()
        with self._store.transaction():
            leadership = self._store.leadership.begin(
                pid=os.getpid(),
                max_agents=max_agents,
                options={**options, "identity": process_identity(os.getpid())},
                now=self._clock.now(),
            )
        self._term = leadership.term
        return leadership

    def _locked(self) -> int:
        self.lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _lock(fd)
        except OSError as error:
            os.close(fd)
            current = self._store.leadership.get()
            who = f" (process {current.pid}, since {current.started_at:%H:%M} UTC)" if current else ""
            raise AlreadyRunning(
                f"a supervisor runs here already{who}",
                hint="orchestrate watch looks on; new tasks are picked up by it; orchestrate stop ends it",
            ) from error
        return fd

    def renew(self) -> Leadership:
        """Write a sign of life and read the wishes. Raises StaleLease when a later term has begun."""
        assert self._term is not None
        with self._store.transaction():
            return self._store.leadership.renew(self._term, now=self._clock.now())

    def resign(self, stopped_by: str = "") -> None:
        """End the term and let go of the lock; *stopped_by* says why work was left, as in ``Outlook``."""
        try:
            if self._term is not None:
                with self._store.transaction():
                    self._store.leadership.end(self._term, now=self._clock.now(), stopped_by=stopped_by)
        finally:
            self._term = None
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None


def _lock(fd: int) -> None:
    """Take the exclusive lock, trying again for a moment. Raises OSError when somebody keeps it."""
    end = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)
