"""Is the supervisor that registered itself still running?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_orchestrator.stores import Leadership


def process_identity(pid: int) -> str:
    """Return what tells this process from a later one with the same number: boot id and start time; empty if unknown.

    Linux only; elsewhere the number alone must do.
    """
    try:
        boot = _read("/proc/sys/kernel/random/boot_id").decode("ascii").strip()
        stat = _read(f"/proc/{pid}/stat")
    except OSError:
        return ""
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in {b"Z", b"X"}:
        return f"{boot}/ended"  # dead, and not yet collected: in some containers nobody ever does
    return f"{boot}/{fields[19].decode('ascii')}"


def _read(file: str) -> bytes:
    with open(file, "rb", buffering=0) as stream:  # noqa: PTH123  what looks at a project loads no pathlib
        return stream.read()


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
