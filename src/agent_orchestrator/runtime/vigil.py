"""What a run does for the one who is asleep: tell them what is worth waking for, and keep the machine awake.

The supervisor's loop calls :meth:`Vigil.look`; nothing here blocks it. Notices
are sent by a thread of their own, at most a hundred waiting, and the end of a
run waits for them a bounded time.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue, SimpleQueue

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.hold import Hold
from agent_orchestrator.domain.notice import Notice
from agent_orchestrator.runtime.awake import Awake, Sleeps
from agent_orchestrator.runtime.environment import allowed
from agent_orchestrator.runtime.sinks import SESSION, CommandSink, DesktopSink, Sink, WebhookSink, checked_url
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.notices import Notices, Quiet
from agent_orchestrator.settings import Settings
from agent_orchestrator.stores import Store

LOOK_EVERY_S = 1.0
WAITING_AT_MOST = 100
"""Notices that wait to be sent. More would mean that something is badly wrong, and nobody reads a hundred."""
STUCK_BEYOND_MINUTES = 15
"""Minutes beyond the longest silence that has an explanation, a check or an agent that thinks, after which a run is
stuck."""
LAST_ONES_WITHIN_S = 30.0
"""How long the end of a run waits for its last notices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How the run stands."""

    has_work: bool
    """Whether goals are open."""
    holds: Sequence[Hold]
    all_held: bool
    """Whether no provider of the run may take work now."""
    stopped_by: str
    output: int
    """Bytes that the agents at work have printed, together: a change means that one of them is alive."""


class Vigil:
    """One for each run, used by the supervisor's own thread."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        events: Events,
        notices: Notices | None,
        sinks: Sequence[Sink],
        awake: Awake,
        stuck_after_s: float,
        log: Callable[[str], None],
    ) -> None:
        """Prepare; *notices* is None when nobody is to be told, and *stuck_after_s* longer than any check may take."""
        self._store, self._clock, self._events, self._log = store, clock, events, log
        self._notices = notices
        self._sending = _Sending(sinks)
        self._awake = awake
        self._sleeps = Sleeps(clock)
        self._stuck_after_s = stuck_after_s
        self._looked: float | None = None
        self._moved_at = clock.monotonic()
        self._moved_seq = 0
        self._sign: tuple[int, int] = (-1, -1)

    def look(self, see: Callable[[], Seen], *, at_once: bool = False) -> None:
        """Tell what is to be told; about once a second, whenever it is called, unless *at_once*."""
        now = self._clock.monotonic()
        if not at_once and self._looked is not None and now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        seen = see()
        self._awake.want(seen.has_work and not at_once)
        if self._notices is None:
            return
        quiet = self._quiet(seen, now)
        due = self._notices.due(holds=seen.holds, all_held=seen.all_held, stopped_by=seen.stopped_by, quiet=quiet)
        for notice in due:
            self._send(notice)
        self._tell_failures()
        self._sign = (self._last_event(), seen.output)  # what we wrote ourselves is no sign of life

    def tell_pause(self) -> None:
        """Tell that the run waits for room, where there is not even room to write down that this was told."""
        if self._notices is not None:
            self._send(self._notices.of_pause(int(self._clock.now().timestamp())))

    def tell_sleep(self) -> None:
        """Write down that the machine has slept, before anything counts the time."""
        slept = self._sleeps.slept_s()
        if not slept:
            return
        self._log(f"the machine slept for {slept / 60:.0f} min; time limits of agents do not count that")
        with self._store.transaction():
            self._events.record("machine.slept", seconds=round(slept, 1))

    def close(self) -> None:
        """Let the machine sleep, and give the last notices their time."""
        self._awake.close()
        if not self._sending.finish(LAST_ONES_WITHIN_S):
            self._log("the last notices could not be sent in time")
        self._tell_failures()

    def _send(self, notice: Notice) -> None:
        self._log(f"notice ({notice.kind.replace('_', ' ')}): {notice.title}")
        self._sending.put(notice)

    def _quiet(self, seen: Seen, now: float) -> Quiet | None:
        """Return for how long nothing has moved, once that is too long and nothing explains it."""
        sign = (self._last_event(), seen.output)
        if sign != self._sign or not seen.has_work or seen.holds:
            self._moved_at, self._moved_seq = now, sign[0]
        seconds = now - self._moved_at
        return Quiet(seconds=seconds, since=self._moved_seq) if seconds >= self._stuck_after_s else None

    def _last_event(self) -> int:
        return max((event.seq for event in self._events.last(1)), default=0)

    def _tell_failures(self) -> None:
        for notice, sink, reason in self._sending.failures():
            self._log(f"a notice could not be sent ({sink}): {reason}")
            with self._store.transaction():
                self._events.record("notice.failed", goal=notice.goal, key=notice.key, sink=sink, reason=reason)


def vigil(
    settings: Settings,
    *,
    store: Store,
    clock: Clock,
    events: Events,
    folder: Path,
    environ: Mapping[str, str],
    log: Callable[[str], None],
) -> Vigil:
    """Return the vigil that *settings* ask for, over the project in *folder*. Raises BadInput for a bad address."""
    environment = allowed(environ, (*SESSION, *settings.pass_env))
    sinks: list[Sink] = []
    if settings.notify_command:
        sinks.append(CommandSink(command=settings.notify_command, folder=folder, environment=environment))
    if settings.notify_webhook:
        sinks.append(WebhookSink(url=checked_url(settings.notify_webhook)))
    if settings.notify_desktop:
        sinks.append(DesktopSink(environment=environment))
    return Vigil(
        store=store,
        clock=clock,
        events=events,
        notices=Notices(store, clock, events, folder.name) if sinks else None,
        sinks=sinks,
        awake=Awake(clock, environ, log, wanted=settings.keep_awake),
        stuck_after_s=60 * (max(settings.check_minutes, settings.silence_minutes) + STUCK_BEYOND_MINUTES),
        log=log,
    )


class _Sending:
    """A thread that sends one notice after another to every sink; it starts with the first notice."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._waiting: Queue[Notice | None] = Queue(WAITING_AT_MOST)
        self._failed: SimpleQueue[tuple[Notice, str, str]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, notice: Notice) -> None:
        if self._thread is None:
            # A daemon: not even a sink that hangs in a system call keeps the process from ending.
            self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(notice)
        except Full:
            self._failed.put((notice, "queue", f"{WAITING_AT_MOST} others wait already"))

    def failures(self) -> list[tuple[Notice, str, str]]:
        found = []
        with suppress(Empty):
            while True:
                found.append(self._failed.get_nowait())
        return found

    def finish(self, within_s: float) -> bool:
        """Wait until all is sent; say whether it was in time."""
        if self._thread is None:
            return True
        with suppress(Full):
            self._waiting.put_nowait(None)
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (notice := self._waiting.get()) is not None:
            for sink in self._sinks:
                try:
                    reason = sink.send(notice)
                except Exception as error:  # a bug in a sink must not silence the others
                    reason = f"{type(error).__name__}: {error}"
                if reason:
                    self._failed.put((notice, sink.name, reason))
