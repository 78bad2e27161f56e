"""The supervisor's one inbox: everything that happens arrives here, from any thread and from signal handlers."""

import os
import selectors
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

Happening = TypeVar("Happening")


class HasFileno(Protocol):
    """Something a selector can wait for."""

    def fileno(self) -> int:
        """Return its file descriptor."""
        ...


class Inbox(Generic[Happening]):
    """A queue one can sleep on together with file descriptors.

    ``put`` is safe in threads and in signal handlers: SimpleQueue.put is
    re-entrant and the wake is one write to a pipe.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Happening] = SimpleQueue()
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _plain_pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._read, selectors.EVENT_READ, None)

    def put(self, happening: Happening) -> None:
        """Post a happening and wake the reader."""
        self._queue.put(happening)
        with suppress(BlockingIOError):  # the pipe is full of wakes already
            os.write(self._write, b"!")

    def watch(self, source: HasFileno | int, happening: Happening) -> None:
        """Yield *happening* from :meth:`take` whenever *source* is readable, until :meth:`forget`."""
        self._selector.register(source, selectors.EVENT_READ, happening)

    def forget(self, source: HasFileno | int) -> None:
        """Watch *source* no longer."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(source)

    def take(self, timeout_s: float | None) -> Iterator[Happening]:
        """Sleep until something happens or *timeout_s* is over; yield what has happened so far."""
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                with suppress(BlockingIOError):
                    while os.read(self._read, 4096):
                        pass
            else:
                yield key.data
        with suppress(Empty):
            while True:
                yield self._queue.get_nowait()

    def close(self) -> None:
        """Free the pipe and the selector."""
        self._selector.close()
        os.close(self._read)
        os.close(self._write)


def _plain_pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
