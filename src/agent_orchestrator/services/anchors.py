"""Ends of the chain of events, written down beside the database in a file that a sandboxed agent can only read.

Whoever can write to the database can compute a new chain over what they changed. They cannot make it end where it ended
before: each line here says where that was.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent_orchestrator.domain.event import ChainCheck, Head
from agent_orchestrator.stores import Store

EVERY_S = 60.0
FILE = "events.anchors"


@dataclass(slots=True)
class Anchors:
    """One project's file of ends."""

    store: Store
    state: Path
    _next: float = field(default=0.0, init=False)
    _seq: int = field(default=0, init=False)

    def drop(self, now: float, *, at_once: bool = False) -> None:
        """Write the end of the chain down, when the last time is a minute ago by the monotonic time *now*."""
        if now < self._next and not at_once:
            return
        self._next = now + EVERY_S
        head = self.store.events.head()
        if head is None or head.seq == self._seq:
            return
        self._seq = head.seq
        line = json.dumps({"seq": head.seq, "hash": head.hash}) + "\n"
        with suppress(OSError):  # the chain holds without it
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self.state / FILE, flags, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)

    def check(self) -> ChainCheck:
        """Follow the chain of events, and hold it against every end that was written down."""
        return self.store.events.check(list(self._heads()))

    def _heads(self) -> list[Head]:
        found = []
        with suppress(FileNotFoundError):
            for line in (self.state / FILE).read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # half a line, written as the power failed
                    one = json.loads(line)
                    found.append(Head(seq=int(one["seq"]), hash=str(one["hash"])))
        return found
