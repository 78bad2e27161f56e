"""The supervisor seen from outside: is one alive, and what do we wish of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import NothingToDo
from agent_orchestrator.services.alive import is_alive

if TYPE_CHECKING:
    from agent_orchestrator.notifiers import Notifier
    from agent_orchestrator.services.events import Events
    from agent_orchestrator.stores import Leadership, Store


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
            raise NothingToDo("no supervisor is running here", hint="orchestrate run starts one")
        with self.store.transaction():
            self.store.leadership.wish(stop=2 if now else 1)
            self.events.record("supervisor.stop_wished", now=now)
        self.notifier.wake()
        return current

    def set_max_agents(self, count: int) -> Leadership:
        """Wish that the supervisor runs up to *count* agents from now on. Raises NothingToDo."""
        current = self.current()
        if current is None:
            raise NothingToDo("no supervisor is running here", hint="orchestrate run starts one")
        with self.store.transaction():
            self.store.leadership.wish(max_agents=count)
            self.events.record("supervisor.max_agents_wished", max_agents=count)
        self.notifier.wake()
        return current
