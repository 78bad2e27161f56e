"""What the files in an attempt's run folder prove about it, also to a supervisor that did not start it.

What may be concluded, and from what (everything else is unknown, and unknown is not dead):

* **Never started**: nobody holds ``RUN_DIR/lock`` and there is no ``pid.json``. We lock the file before the minder
  exists and the minder inherits the lock, so there is no gap; and the agent may execute only after pid.json is durable.
* **Starting**: the lock is held and there is no pid.json yet.
* **Running**: the lock is held. Only the minder can hold it: the agent's process lets go of it before pid.json is
  written, and the kernel releases it at the minder's death however it dies. Neither a reused pid nor a permission error
  can imitate that. Before a signal is sent, boot id, pid and start time must name the same process as well.
* **Ended**: ``exit.json`` exists. It is renamed into place complete and fsynced, after the kernel reported that no
  child is left (ECHILD; on Linux the minder is a subreaper, so that means the whole tree), or with what is left in
  `ExitRecord.unaccounted`.
* **Vanished**: pid.json, no exit.json, and the lock is free: the minder was killed, or the machine restarted. PDEATHSIG
  killed the agent's first process (Linux); its descendants may live. `sweeping.sweep` finds what can be
  found of them.

A different boot id proves every process of the attempt dead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent_orchestrator.runtime import minder


class State(StrEnum):
    """What is proven about an attempt; the module's docstring says how."""

    NEVER_STARTED = "never_started"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    VANISHED = "vanished"


class Why(StrEnum):
    """What ended an attempt: the first cause, also when others followed."""

    EXITED = "exited"
    """The agent's first process ended by itself, whatever its exit code."""
    STOPPED = "stopped"
    KILLED = "killed"
    WALL_CLOCK = "wall_clock"
    SILENCE = "silence"
    OUTPUT_LIMIT = "output_limit"
    MEMORY = "memory"
    ORPHANED = "orphaned"
    SPAWN_FAILED = "spawn_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process, never another one that got its pid later, as long as the boot id is the same."""

    pid: int
    start_time: int
    """See `minder.start_time`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRecord:
    """How an attempt ended, as its minder saw it."""

    rc: int | None
    """Exit code of the agent's first process, minus the signal's number if one killed it, None if it never ran."""
    why: Why
    error: str | None
    """Why the agent could not be started, for people; None otherwise."""
    started_at: int
    """Milliseconds since the epoch, UTC."""
    ended_at: int
    """Milliseconds since the epoch, UTC. A set clock may put it before the start: use `duration_ms`."""
    duration_ms: int
    """Monotonic."""
    kill_rounds: int
    """How often SIGKILL went to the whole tree. 0: everything ended when asked, or by itself."""
    cpu_ms: int
    """User and system time of all processes that were waited for."""
    max_rss_kb: int
    """Largest resident memory of one process, or of the whole tree at one of the minder's looks."""
    unaccounted: tuple[Identity, ...]
    """Processes alive in spite of SIGKILL, e.g. of another user. Empty in all but strange cases."""
    lacked_room: bool = False
    """Whether there was hardly any room, at one of the minder's looks or at the end, on a disk that the agent uses."""


def state(run_dir: Path) -> State:
    """Return what is proven about the attempt in *run_dir*.

    Raises:
        OSError: its files cannot be read, so nothing is known.
    """
    if (run_dir / "exit.json").exists():
        return State.ENDED
    held = minder.is_held(run_dir / "lock")
    begun = (run_dir / "pid.json").exists()
    if held:
        return State.RUNNING if begun else State.STARTING
    if (run_dir / "exit.json").exists():  # it may have ended between the first two looks
        return State.ENDED
    return State.VANISHED if begun else State.NEVER_STARTED


def exit_record(run_dir: Path) -> ExitRecord | None:
    """Return how the attempt in *run_dir* ended, None if no end is recorded."""
    recorded = read_json(run_dir / "exit.json")
    if recorded is None:
        return None
    unaccounted = tuple(Identity(pid=pid, start_time=start) for pid, start in recorded.pop("unaccounted"))
    return ExitRecord(**{**recorded, "why": Why(recorded["why"])}, unaccounted=unaccounted)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what one of an attempt's files says, None when there is none."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return value
