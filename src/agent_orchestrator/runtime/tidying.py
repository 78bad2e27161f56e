"""A run cleans up by itself, beside its work: at its start, and when goals have ended.

Looking at a large disk takes seconds, so it is done by a thread of its own, with
the lowest priority where the system has that for a thread. What it may free is
decided by `Housekeeping.tidy`; whoever ends the run does not wait for it.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.runtime.housekeeping import Housekeeping
from agent_orchestrator.runtime.leftovers import Abandoned, Kind, Tidied
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

AGAIN_AFTER_S = 3600.0
"""Between two times in one run: ages are days, and goals may end every minute."""
NAMED = 5
"""Kept checkouts that the log names; the event has all."""
NICE = 19


class Tidying:
    """One for each run, used by the supervisor's own thread."""

    def __init__(
        self,
        housekeeping: Callable[[], Housekeeping] | None,
        *,
        store: Store,
        events: Events,
        log: Callable[[str], None],
    ) -> None:
        """Prepare; without *housekeeping* nothing is ever done."""
        self._housekeeping = housekeeping
        self._store, self._events, self._log = store, events, log
        self._due, self._next = True, 0.0
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def goal_ended(self) -> None:
        """Take note that there may be something new to free."""
        self._due = True

    def look(self, now: float) -> None:
        """Begin, if it is time to and not being done. *now* is monotonic."""
        if self._housekeeping is None or not self._due or now < self._next:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        self._due, self._next = False, now + AGAIN_AFTER_S
        housekeeping = replace(self._housekeeping(), go_on=lambda: not self._over.is_set())
        self._thread = threading.Thread(target=self._tidy, args=(housekeeping,), name="tidy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let what is being done end after the piece it is at."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _tidy(self, housekeeping: Housekeeping) -> None:
        with suppress(OSError, AttributeError):  # not every system has priorities of threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            tidied = housekeeping.tidy()
            if tidied.freed:
                with self._store.transaction():
                    self._events.record("run.tidied", freed=_freed(tidied), kept=_kept(tidied))
                self._log(told(tidied))
        except Abandoned:
            pass
        except (OrchestratorError, OSError) as error:  # it is for convenience: the run goes on
            self._log(f"cleaning up ended early: {error}")
        finally:
            self._store.close()  # this thread's connection


def told(tidied: Tidied) -> str:
    """Return one line for a person: what is gone, and what stays with the command that takes it."""
    counts = Counter[Kind]()
    for one in tidied.freed:
        counts[one.kind] += one.count
    what = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    line = f"cleaned up {sum(one.bytes for one in tidied.freed) / 2**20:.1f} MiB of ended work ({what})"
    if tidied.kept:
        named = ", ".join(one.command for one in tidied.kept[:NAMED])
        more = ", …" if len(tidied.kept) > NAMED else ""
        line += f"; kept {len(tidied.kept)} with work that lies nowhere else: {named}{more}"
    return line


def _freed(tidied: Tidied) -> list[dict[str, object]]:
    return [{"kind": one.kind, "path": str(one.path), "bytes": one.bytes} for one in tidied.freed]


def _kept(tidied: Tidied) -> list[dict[str, object]]:
    return [{"path": str(one.path), "about": one.about, "command": one.command} for one in tidied.kept]
