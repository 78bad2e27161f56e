"""Read what a CLI writes down for itself while it works, where it prints that only as it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agent_orchestrator.providers import LogsSessions, SessionLog, Spent
from agent_orchestrator.runtime.transcript import Tailer

LOOK_EVERY_S = 1.0
"""How often the file is looked for until it is there. CLIs make it before they ask their model."""
BACK_BYTES = 1 << 20
"""How much of what is there already is read: a session that goes on may have written for days, and its last figures
hold all that went before."""
LINE_BYTES = 64 << 10
"""Longest line that is kept whole. Lines with figures have less than 1 KiB; outputs of tools may have megabytes."""


class SessionLogReader:
    """Returns what a session has used, as its log grows. A file that is not there, or cannot be read, tells nothing."""

    def __init__(self, provider: LogsSessions) -> None:
        self._provider = provider
        self._log: SessionLog | None = None
        self._session = ""
        self._tailer: Tailer | None = None
        self._look_at = 0.0

    def read(self, session: str, now: float, *, to_end: bool = False) -> Spent | None:
        """Return the newest figures of *session*, if there are new ones. *now* is monotonic.

        Reads a bounded piece; with *to_end* all there is, for a session whose process has ended.
        """
        with suppress(OSError):
            return self._newest(session, now, to_end=to_end)
        return None

    def close(self) -> None:
        """Release the file."""
        if self._tailer is not None:
            self._tailer.close()
            self._tailer = None

    def _newest(self, session: str, now: float, *, to_end: bool) -> Spent | None:
        if session != self._session:
            self.close()
            self._session, self._log, self._look_at = session, self._provider.session_log(session), 0.0
        if self._tailer is None and self._log is not None and (now >= self._look_at or to_end):
            self._look_at = now + LOOK_EVERY_S
            file = next(_files(self._log), None)
            if file is not None:
                self._tailer = Tailer(file, max(0, file.lstat().st_size - BACK_BYTES), line_bytes=LINE_BYTES)
        if self._tailer is None:
            return None
        newest: Spent | None = None
        while True:
            for line in self._tailer.read():
                newest = self._provider.read_log(line.text) or newest
            if not (to_end and self._tailer.behind):
                return newest


def _files(log: SessionLog) -> Iterator[Path]:
    for folder in log.folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(log.ending) and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
