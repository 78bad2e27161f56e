"""Room on the disk: a run that has none left pauses, says so, and goes on by itself when there is room again.

It pauses as if it had crashed. Agents go on under their minders, no work is judged by a check that could not write, and
what was open is taken over when there is room, by the same code that takes over after a crash.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import DiskFull, OrchestratorError
from agent_orchestrator.runtime.minder import free_bytes
from agent_orchestrator.runtime.process import RESERVE_BYTES
from agent_orchestrator.runtime.run_options import Outlook, RunOptions, heeding_signals
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

if TYPE_CHECKING:
    from agent_orchestrator.runtime.leadership import Leader
    from agent_orchestrator.runtime.supervisor import Supervisor

MEBIBYTE = 1024 * 1024
ENOUGH_BYTES = 2 * RESERVE_BYTES
"""From here on it goes on: more than the reserve, so that it does not pause again at once."""
LOOK_EVERY_S = 1.0
FRUITLESS = 10
"""Runs in a row that began with room and reported none within `BRIEF_S`: then it is not room that they lack."""
BRIEF_S = 60.0
PROBE_BYTES = MEBIBYTE
"""A quota does not show in what is free: it is tried by writing."""


@dataclass(slots=True, kw_only=True)
class Room:
    """What is free where a run writes."""

    folders: tuple[Path, ...]
    """The project's state, and the repository."""
    _looked: float | None = field(default=None, init=False)

    def need(self, now: float) -> None:
        """Look, about once a second of the monotonic time *now*.

        Raises:
            DiskFull: less than the reserve is left.
        """
        if self._looked is not None and 0 <= now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        for folder in self.folders:
            if free_bytes(str(folder)) < RESERVE_BYTES:
                raise DiskFull(f"less than {RESERVE_BYTES // MEBIBYTE} MiB are free under {folder}")

    def is_short(self) -> bool:
        """Say whether less than the reserve is left now: what fails then may fail for that, whatever it says."""
        return self.free_bytes() < RESERVE_BYTES

    def free_bytes(self) -> int:
        """Return what is free on the fullest of the disks."""
        return min(free_bytes(str(folder)) for folder in self.folders)

    def is_back(self) -> bool:
        """Say whether there is room to go on, and writing works."""
        if any(free_bytes(str(folder)) < ENOUGH_BYTES for folder in self.folders):
            return False
        probe = self.folders[0] / "room.probe"
        try:
            descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                written = os.write(descriptor, bytes(PROBE_BYTES))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        finally:
            with suppress(OSError):
                probe.unlink()
        return written == PROBE_BYTES


def run_while_there_is_room(
    build: Callable[[RunOptions], "Supervisor"],
    options: RunOptions,
    *,
    leader: "Leader",
    room: Room,
    store: Store,
    events: Events,
    clock: Clock,
    log: Callable[[str], None],
) -> Outlook:
    """Run the supervisor that *build* makes; whenever its disk is full, wait for room and run another one.

    All of them lead by *leader*, which keeps its lock in between: nobody else may begin to, and minders see that
    somebody means to take their agents over.

    Raises:
        AlreadyRunning: another supervisor serves the project.
    """
    try:
        return _run(build, options, room, store, events, clock, log)
    finally:
        with suppress(DiskFull):  # its lock is let go of all the same, and says that nobody leads
            leader.resign()


def _run(
    build: Callable[[RunOptions], "Supervisor"],
    options: RunOptions,
    room: Room,
    store: Store,
    events: Events,
    clock: Clock,
    log: Callable[[str], None],
) -> Outlook:
    options = replace(options, began=options.began or clock.now())
    fruitless = 0
    wished = threading.Event()
    with heeding_signals(lambda *_: wished.set()):  # a supervisor heeds them itself; this is for the time between two
        while True:
            began = clock.monotonic()
            try:
                return build(options).run()
            except DiskFull as error:
                fruitless = fruitless + 1 if clock.monotonic() - began < BRIEF_S else 0
                if fruitless > FRUITLESS:
                    raise
                log(f"paused: {error.message}; agents go on, and so does this run by itself when there is room")
            paused = clock.monotonic()
            stopped_by = _wait(room, store, clock, options, wished)
            if stopped_by:
                return Outlook(stopping=1, stopped_by=stopped_by)
            seconds = clock.monotonic() - paused
            log(f"there is room again after {seconds:.0f} s; the run goes on")
            with suppress(OrchestratorError), store.transaction():  # it is full again: that will be told
                events.record("run.resumed", reason="disk", seconds=round(seconds, 1))


def _wait(room: Room, store: Store, clock: Clock, options: RunOptions, wished: threading.Event) -> str:
    """Wait for room; return who ended the waiting instead: ``user``, ``deadline``, or nothing."""
    while not wished.wait(LOOK_EVERY_S):
        if room.is_back():
            return ""
        if options.until is not None and clock.now() >= options.until:
            return "deadline"
        with suppress(OrchestratorError):
            leadership = store.leadership.get()
            if leadership is not None and leadership.pid == os.getpid() and leadership.stop_wished:
                return "user"
    return "user"
