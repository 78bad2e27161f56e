"""Start a supervisor in the background, and know that it leads before we leave."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.text import clean

LEADS_WITHIN_S = 60.0
"""How long it may take to lead. A cold start on a slow disk with a big repository took some seconds."""
LOOK_EVERY_S = 0.05
SHOWN_BYTES = 4096
"""Of the log's end, when it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """What became of a supervisor that was started in the background."""

    pid: int
    log: Path
    exit_code: int | None
    """None while it runs; otherwise it has ended already, well or not."""
    said: str
    """The end of its log, cleaned, when it has ended."""


def detach(
    arguments: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    leads: Callable[[int], bool],
    within_s: float = LEADS_WITHIN_S,
) -> Detached:
    """Start ``orchestrate`` with *arguments* in a session of its own and wait until it leads or has ended.

    It has no standard input, writes to *log*, and survives this process and its terminal. *leads* says whether the
    process with that number is the project's supervisor. After *within_s* seconds it is left to itself.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        began = os.lseek(descriptor, 0, os.SEEK_END)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "agent_orchestrator", *arguments],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    end = time.monotonic() + within_s
    while child.poll() is None and not leads(child.pid) and time.monotonic() < end:
        time.sleep(LOOK_EVERY_S)
    exit_code = child.poll()
    if exit_code is None:
        child.returncode = 0  # not ours to wait for any more: it outlives us on purpose
    return Detached(pid=child.pid, log=log, exit_code=exit_code, said="" if exit_code is None else _said(log, began))


def _said(log: Path, began: int) -> str:
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(began, size - SHOWN_BYTES))
        return clean(stream.read().decode("utf-8", "replace")).strip()
