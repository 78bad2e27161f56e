"""The supervisor seen from outside: is one alive, and what do we wish of it?"""

import os
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import NothingToDo
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Leadership, Store


def process_identity(pid: int) -> str:
    """Return what tells this process from a later one with the same number: boot id and start time; empty if unknown.

    Linux only; elsewhere the number alone must do.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in {b"Z", b"X"}:
        return f"{boot}/ended"  # dead, and not yet collected: in some containers nobody ever does
    return f"{boot}/{fields[19].decode('ascii')}"


def is_alive(leadership: Leadership | None) -> bool:
    """Say whether the supervisor of that term still runs."""
    if leadership is None or leadership.ended_at is not None:
        return False
    try:
        os.kill(leadership.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    written = (leadership.options or {}).get("identity") or ""
    return not written or process_identity(leadership.pid) in {written, ""}


@dataclass(frozen=True, slots=True)
class Supervision:
    """What can be asked of the running supervisor, from any terminal."""

    store: Store
    events: Events
    notifier: Notifier

    def current(self) -> Leadership | None:
        """Return the living supervisor's term, or None."""
        latest = self.store.leadership.get()
        return latest if is_alive(latest) else None

    def stop(self, *, now: bool = False) -> Leadership:
        """Wish that the supervisor stops: it starts nothing more, asks its agents to end, saves and requeues work.

        With *now* the agents are killed at once; what they had written is still collected.

        Raises:
            NothingToDo: none is running.
        """
        current = self.current()
        if current is None:
            raise NothingToDo("no supervisor is running here")
        with self.store.transaction():
            self.store.leadership.wish(stop=2 if now else 1)
            self.events.record("supervisor.stop_wished", now=now)
        self.notifier.wake()
        return current

    def set_max_agents(self, count: int) -> Leadership:
        """Wish that the supervisor runs up to *count* agents from now on. Raises NothingToDo."""
        current = self.current()
        if current is None:
            raise NothingToDo("no supervisor is running here")
        with self.store.transaction():
            self.store.leadership.wish(max_agents=count)
            self.events.record("supervisor.max_agents_wished", max_agents=count)
        self.notifier.wake()
        return current
