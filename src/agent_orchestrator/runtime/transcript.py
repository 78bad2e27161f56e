"""Read what an agent printed: line by line, from a file that still grows, in bounded memory.

Agents write to files, so a supervisor that was killed reads on where it had stopped: the only state worth keeping is
a byte offset, and every line carries the one to store with what was made of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

LINE_BYTES = 1 << 20
"""Longest line kept whole: 1 MiB, so that one line of an agent gone wild costs no more than that."""

_CHUNK_BYTES = 1 << 16
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""An agent may have put a link or a pipe in the file's place: neither leads us elsewhere or makes us wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a transcript."""

    text: str
    """Its first `LINE_BYTES`, without the newline; bytes that are not UTF-8 stand as U+FFFD.

    Not cleaned for display: see `domain/text.py`.
    """
    offset: int
    """Byte offset after the line and its newline: a `Tailer` started there returns the next one."""


class Tailer:
    """Return the complete lines of a growing file, each once, in order.

    Holds at most one line of `LINE_BYTES` and one chunk, whatever the file holds. A file that does not exist yet
    is read as empty. Close it, or use it in a `with` statement.
    """

    def __init__(self, path: Path, offset: int = 0, *, line_bytes: int = LINE_BYTES) -> None:
        self._path = path
        self._line_bytes = line_bytes
        self._fd = -1
        self._read_to = offset
        self._offset = offset
        self._head = bytearray()

    @property
    def offset(self) -> int:
        """Byte offset after the last line returned; store it to continue later."""
        return self._offset

    def read(self, max_bytes: int = 256 << 10) -> list[Line]:
        """Return the lines completed since the last call, reading at most *max_bytes* (at least one chunk of 64 KiB).

        An empty list means that nothing new is complete, or that the bound ended within a line: only a `read` that
        leaves `behind` false has seen everything. A last line without newline stays unread until `finish`.
        The default of 256 KiB also bounds the list: a flood of empty lines makes one value of each byte.
        """
        lines: list[Line] = []
        end = self._read_to + max(max_bytes, _CHUNK_BYTES)
        while self._read_to < end and (chunk := self._chunk()):
            self._split(chunk, lines)
        return lines

    @property
    def behind(self) -> bool:
        """Whether the file holds bytes that no `read` has seen."""
        return self._open() and os.fstat(self._fd).st_size > self._read_to

    def finish(self) -> Line | None:
        """Return the last line if it has no newline. Call it when the writer has ended and nothing is `behind`."""
        return self._take(self._read_to) if self._head else None

    def close(self) -> None:
        """Release the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Tailer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> bool:
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, _READ)
            except FileNotFoundError:
                return False
        return True

    def _chunk(self) -> bytes:
        return os.pread(self._fd, _CHUNK_BYTES, self._read_to) if self._open() else b""

    def _split(self, chunk: bytes, lines: list[Line]) -> None:
        start = 0
        while (newline := chunk.find(b"\n", start)) >= 0:
            self._keep(chunk[start:newline])
            start = newline + 1
            lines.append(self._take(self._read_to + start))
        self._keep(chunk[start:])
        self._read_to += len(chunk)

    def _keep(self, piece: bytes) -> None:
        self._head += piece[: self._line_bytes - len(self._head)]

    def _take(self, offset: int) -> Line:
        text = self._head.decode(errors="replace")
        line = Line(text=text, offset=offset)
        self._head = bytearray()
        self._offset = offset
        return line
