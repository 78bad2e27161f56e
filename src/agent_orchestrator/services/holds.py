"""Providers that must wait, until when, and how carefully they are used afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent_orchestrator.domain.clock import Clock, from_ms, spelt, to_ms
from agent_orchestrator.domain.hold import BRIEF, DEFAULT_HOLD, Hold, HoldKind, Pace, after_refusal
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

    def start(
        self,
        provider: str,
        kind: HoldKind,
        *,
        until: datetime | None,
        reason: str,
        began: datetime | None = None,
        running: int = 1,
    ) -> Hold:
        """Hold *provider* until its stated reset, else for as long as the refusals in a row make advisable.

        *began* is when the refused agent started and *running* how many of the provider's were at work with it. Agents
        that began before the provider's last refusal meet the same limit, not one more: then the hold that is on stays,
        unless a later reset is stated.
        """
        now = from_ms(to_ms(self.clock.now()))  # as it will be read back
        until = from_ms(to_ms(until)) if until is not None else None
        with self.store.transaction():
            current = next((one for one in self.store.holds.list() if one.provider == provider), None)
            if current is None or current.until <= now or not (current.kind is kind or kind in BRIEF):
                pace = self._refused(provider, kind, stated=until, now=now, began=began, running=running)
                hold = Hold(
                    provider=provider,
                    kind=kind,
                    until=pace.until,
                    stated=until is not None and pace.until == until,
                    reason=reason,
                    since=now,
                    refusals=pace.refusals,
                )
            elif until is None or until <= current.until:
                return current
            else:
                hold = self._prolonged(current, until)
            self.store.holds.put(hold)
            self.events.record(
                "hold.started",
                provider=provider,
                kind=kind,
                until=spelt(hold.until),
                stated=hold.stated,
                reason=reason,
                refusals=hold.refusals,
            )
        return hold

    def _refused(
        self,
        provider: str,
        kind: HoldKind,
        *,
        stated: datetime | None,
        now: datetime,
        began: datetime | None,
        running: int,
    ) -> Pace:
        """Count a refusal and return how *provider* is used from now on; one of the same limit is not counted again."""
        pace = self.store.holds.pace(provider)
        if pace is not None and began is not None and began <= pace.since:
            pace = replace(pace, refusals=max(0, pace.refusals - 1))
        pace = after_refusal(pace, provider, kind, stated=stated, now=now, running=running, default=self.default)
        self.store.holds.set_pace(pace)
        return pace

    def _prolonged(self, current: Hold, until: datetime) -> Hold:
        """Return the hold that is on, until the later reset that was stated."""
        pace = self.store.holds.pace(current.provider)
        if pace is not None:
            self.store.holds.set_pace(replace(pace, until=until, stated=True))
        return replace(current, until=until, stated=True)

    def worked(self, provider: str) -> None:
        """Take note that *provider* has answered an agent again: its next refusal counts as the first."""
        pace = self.store.holds.pace(provider)
        if pace is None:
            return
        with self.store.transaction():
            if pace.kind not in BRIEF:
                self.store.holds.drop_pace(provider)
            elif pace.refusals:
                self.store.holds.set_pace(replace(pace, refusals=0))

    def widths(self) -> Mapping[str, int]:
        """Return how many agents may work at once of each provider that refused lately."""
        now = self.clock.now()
        return {pace.provider: pace.width_at(now) for pace in self.store.holds.paces()}

    def end(self, provider: str) -> bool:
        """Release *provider* because its time has come; say whether it was held."""
        with self.store.transaction():
            held = self.store.holds.drop(provider)
            if held:
                self.events.record("hold.ended", provider=provider)
        self.notifier.wake()
        return held

    def release(self, provider: str | None = None) -> list[Hold]:
        """Release *provider*, or all, by hand, and forget how it refused; return the holds that were on."""
        now = self.clock.now()
        released = []
        with self.store.transaction():
            for hold in self.store.holds.list():
                if provider in {None, hold.provider}:
                    self.store.holds.drop(hold.provider)
                    if hold.until > now:
                        released.append(hold)
                        self.events.record("hold.ended", provider=hold.provider, by="user")
            for pace in self.store.holds.paces():
                if provider in {None, pace.provider}:
                    self.store.holds.drop_pace(pace.provider)
        self.notifier.wake()
        return released

    def current(self) -> list[Hold]:
        """Return the holds that are still on, ending those whose time has come."""
        now = self.clock.now()
        holds = self.store.holds.list()
        for hold in holds:
            if hold.until <= now:
                self.end(hold.provider)
        return [hold for hold in holds if hold.until > now]
