"""Providers that must wait, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent_orchestrator.domain.clock import Clock, spelt
from agent_orchestrator.domain.hold import DEFAULT_HOLD, Hold, HoldKind
from agent_orchestrator.notifiers import Notifier
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True)
class Holds:
    """What can be asked of holds."""

    store: Store
    clock: Clock
    events: Events
    notifier: Notifier
    default: timedelta = DEFAULT_HOLD

    def start(self, provider: str, kind: HoldKind, *, until: datetime | None, reason: str) -> Hold:
        """Hold *provider* until its stated reset, else for the default time. A reset in the past counts as unstated."""
        now = self.clock.now()
        stated = until is not None and until > now
        hold = Hold(
            provider=provider,
            kind=kind,
            until=until if stated and until is not None else now + self.default,
            stated=stated,
            reason=reason,
            since=now,
        )
        with self.store.transaction():
            self.store.holds.put(hold)
            self.events.record(
                "hold.started", provider=provider, kind=kind, until=spelt(hold.until), stated=stated, reason=reason
            )
        return hold

    def end(self, provider: str) -> bool:
        """Release *provider* by hand or because its time has come; say whether it was held."""
        with self.store.transaction():
            held = self.store.holds.drop(provider)
            if held:
                self.events.record("hold.ended", provider=provider)
        self.notifier.wake()
        return held

    def current(self) -> list[Hold]:
        """Return the holds that are still on, ending those whose time has come."""
        now = self.clock.now()
        holds = self.store.holds.list()
        for hold in holds:
            if hold.until <= now:
                self.end(hold.provider)
        return [hold for hold in holds if hold.until > now]
