"""What becomes of providers during a run: who answers, who is on hold, who stands in for whom.

Each is reported once, and recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.providers import Ending
from agent_orchestrator.runtime.endings import told_of_hold
from agent_orchestrator.runtime.run_options import RunOptions
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.holds import Holds
from agent_orchestrator.stores import Store


@dataclass(slots=True, kw_only=True)
class ProviderWatch:
    """Takes note of how the providers of a run do."""

    options: RunOptions
    store: Store
    holds: Holds
    events: Events
    log: Callable[[str], None]
    _stand_in: str | None = field(default=None, init=False)
    """Who takes the tasks while the preferred provider waits."""
    _told: dict[str, tuple[datetime, datetime]] = field(default_factory=dict, init=False)
    """Begin and end of the hold that was told last, by provider."""
    _answered: set[AttemptId] = field(default_factory=set, init=False)
    """Attempts whose provider was seen to answer."""

    def tell_unusable(self) -> None:
        """Tell which providers were asked for and cannot be used, and who works instead."""
        for name, reason in self.options.unusable.items():
            instead = self.options.providers[0]
            self.log(f"{instead} works instead of {name}: {reason}")
            with self.store.transaction():
                self.events.record("provider.unusable", provider=name, instead=instead, reason=reason)

    def takes_tasks(self, provider: str) -> None:
        """Tell when another than the preferred provider begins to take tasks, and when that is over."""
        preferred = self.options.providers[0]
        stand_in = None if provider == preferred else provider
        if stand_in == self._stand_in:
            return
        self._stand_in = stand_in
        waits = next((hold.reason for hold in self.holds.current() if hold.provider == preferred), "")
        with self.store.transaction():
            if stand_in is None:
                self.events.record("provider.returned", provider=preferred)
            else:
                self.events.record("provider.stands_in", provider=stand_in, instead_of=preferred, reason=waits)
        self.log(f"{stand_in} stands in for {preferred}: {waits}" if stand_in else f"{preferred} takes tasks again")

    def answered(self, attempt: Attempt) -> None:
        """Take note, once for each attempt, that its provider answers: one that was slowed down may do more again."""
        if attempt.id in self._answered:
            return
        self._answered.add(attempt.id)
        began = attempt.started_at
        pace = self.store.holds.pace(attempt.provider)
        if pace is not None and began is not None and began >= pace.since:
            self.holds.worked(attempt.provider)

    def ended(self, attempt: Attempt) -> None:
        """Forget an attempt that has ended: a run may lead for weeks."""
        self._answered.discard(attempt.id)

    def limited(self, attempt: Attempt, ending: Ending, *, at_work: Sequence[str]) -> None:
        """Put the provider of a limited *attempt* on hold. *at_work* names the provider of each attempt that runs."""
        limited = ending.limited
        assert limited is not None
        hold = self.holds.start(
            attempt.provider,
            limited.kind,
            until=limited.until,
            reason=ending.reason or limited.text,
            began=attempt.started_at,
            running=at_work.count(attempt.provider) + 1,  # and the one that met the limit
        )
        if self._told.get(hold.provider) != (hold.since, hold.until):  # its other agents meet the same one
            self._told[hold.provider] = (hold.since, hold.until)
            self.log(told_of_hold(hold))

    def all_held(self) -> bool:
        """Say whether every provider of the run is on hold."""
        held = {hold.provider for hold in self.holds.current()}
        return all(name in held for name in self.options.providers)
