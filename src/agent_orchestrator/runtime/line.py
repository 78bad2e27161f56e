"""One thread that does what is put to it, the most urgent first: the line in front of the merge queue."""

import queue
import threading
from collections.abc import Callable
from itertools import count

Rank = tuple[int, ...]
"""Low numbers first; of equal ranks the one that came first."""


class Line:
    """Runs jobs one at a time in the order of their ranks. Any thread may put one in."""

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        """Make an empty line; its thread starts with the first job. *failed* is told of a job that raised."""
        self._name, self._failed = name, failed
        self._jobs: queue.PriorityQueue[tuple[bool, Rank, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._number = count()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def put(self, rank: Rank, job: Callable[[], None]) -> None:
        """Let *job* be done when it is the lowest in rank of those that wait.

        Once the line is closed it is dropped: the last jobs may still put some in, and what a run leaves open, the next
        one takes up.
        """
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name)
                self._thread.start()
            self._jobs.put((False, rank, next(self._number), job))

    def close(self) -> None:
        """Take no more jobs, and wait until all that were taken are done."""
        with self._lock:
            self._closed = True
            thread = self._thread
            if thread is not None:
                self._jobs.put((True, (), next(self._number), None))  # True sorts behind every job
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            _, _, _, job = self._jobs.get()
            if job is None:
                return
            try:
                job()
            except Exception as error:  # a bug of ours in one job must not end the line
                self._failed(error)
