"""End what a vanished minder left behind of its agent's processes.

Those in the agent's session are found, those with the run's mark in their environment, and their descendants. A process
that left the session *and* cleared its environment *and* lost its parent cannot be found; `Leftovers.clear` means
"nothing that can be found".
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_orchestrator.runtime import minder
from agent_orchestrator.runtime.run_dir import Identity, read_json

PATIENCE_S = 10.0
"""How long SIGKILL is repeated before survivors are reported."""

_EMPTY_LOOKS = 3  # a fork chain can hide from one look between two of its links
_LOOKS_AT_NEW = 50  # in one look at everything; processes of others come and go too, and must not hold it for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What `sweep` found of an attempt without minder."""

    killed: tuple[int, ...] = ()
    """Pids that got SIGKILL."""
    survivors: tuple[int, ...] = ()
    """Pids of the attempt that are still alive."""
    unreadable: tuple[int, ...] = ()
    """Our user's processes, younger than the agent, whose environment we were not allowed to read. Those of attempts
    whose minder lives are not among them: they are below it."""

    @property
    def clear(self) -> bool:
        """Whether nothing is left that can be found. Unreadable processes count as left: unknown is not dead."""
        return not self.survivors and not self.unreadable


def sweep(run_dir: Path) -> Leftovers:
    """Kill what a vanished minder left behind, and say whether anything may be left.

    Never touches this process or those above it, also when they carry the mark.

    Raises:
        RuntimeError: the minder lives; stop it instead.
        OSError: the files of the attempt cannot be read.
    """
    if minder.is_held(run_dir / "lock"):
        raise RuntimeError(f"the minder of {run_dir.name} is alive: stop it, it does this better")
    recorded = read_json(run_dir / "pid.json")
    if recorded is None or recorded["boot_id"] != minder.boot_id():
        return Leftovers()
    search = _Search(recorded["run_id"], Identity(**recorded["agent"]))
    deadline = time.monotonic() + PATIENCE_S
    empty_looks = 0
    while empty_looks < _EMPTY_LOOKS and time.monotonic() < deadline:
        empty_looks = 0 if search.kill() else empty_looks + 1
        time.sleep(0.002)
    survivors = search.kill() if empty_looks < _EMPTY_LOOKS else set()
    return Leftovers(
        killed=tuple(sorted(search.killed - survivors)),
        survivors=tuple(sorted(survivors)),
        unreadable=tuple(sorted(pid for pid in search.unreadable if not has_minder(pid))),
    )


def has_minder(pid: int) -> bool:
    """Say whether a living minder is above *pid*: then it is of another attempt, for ours has none."""
    import psutil

    try:
        return any(parent.name() == minder.NAME for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return True  # gone


class _Search:
    """Look for the processes of one attempt by session, mark and descent."""

    def __init__(self, run_id: str, agent: Identity) -> None:
        import psutil

        self._run_id = run_id
        self._agent = agent
        self._spared = {0, 1, os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        self.killed: set[int] = set()
        self.unreadable: set[int] = set()

    def kill(self) -> set[int]:
        """Send SIGKILL to every living process found in one look; return their pids.

        Newest first, and each as soon as it is recognised: that is where a fork chain is. On a busy machine its links
        are faster than one look at everything, so what appeared during the look is looked at once more, by itself.
        """
        import psutil

        found: set[int] = set()
        others: dict[int, tuple[int, psutil.Process]] = {}
        self.unreadable = set()
        with_session = minder.start_time(self._agent.pid) in (None, self._agent.start_time)  # else the number is reused
        seen = set(self._spared)
        for _ in range(_LOOKS_AT_NEW):
            new = set(psutil.pids()) - seen
            if not new:
                break
            seen |= new
            for pid in sorted(new, reverse=True):
                try:
                    process = psutil.Process(pid)
                    if self._is_ours(process, with_session=with_session):
                        process.kill()
                        found.add(pid)
                    else:
                        others[pid] = (process.ppid(), process)
                except psutil.NoSuchProcess:
                    continue
                except psutil.AccessDenied:  # of the signal: it is ours and stays
                    found.add(pid)
        while below := [pid for pid, (parent, _) in others.items() if parent in found]:
            for pid in below:
                found.add(pid)
                with suppress(psutil.Error):  # gone, or a survivor: the next look tells
                    others.pop(pid)[1].kill()
        self.killed |= found
        return found

    def _is_ours(self, process: Any, *, with_session: bool) -> bool:
        import psutil

        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        try:
            if with_session and os.getsid(process.pid) == self._agent.pid:
                return True
            return bool(process.environ().get(minder.MARK) == self._run_id)
        except ProcessLookupError:
            return False
        except (psutil.AccessDenied, PermissionError):
            started = minder.start_time(process.pid)
            if process.uids().real == os.getuid() and started is not None and started >= self._agent.start_time:
                self.unreadable.add(process.pid)
            return False
