"""Keeping the machine awake while there is work, and knowing that it slept all the same.

The inhibitor is a child that holds on to us: on Linux by a pipe that closes
when we die, on a Mac by our process id. So nothing keeps a machine awake after
its run, however the run ended.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.text import clean

HOLDS_AFTER_S = 1.0
"""Seconds after which an inhibitor that still runs counts as granted: a refusal comes at once."""
SAID_AFTER_S = 10.0
"""Seconds of work after which a refusal is reported: no machine falls asleep sooner, and short runs stay quiet."""
LEAST_SLEEP_S = 10.0
"""A shorter suspend changes nothing for anybody."""
END_WITHIN_S = 5.0
SAID_LIMIT = 200


class Awake:
    """Holds a sleep inhibitor while one is wanted."""

    def __init__(
        self,
        clock: Clock,
        environ: Mapping[str, str],
        log: Callable[[str], None],
        *,
        wanted: bool = True,
        platform: str = sys.platform,
    ) -> None:
        """Prepare; *wanted* is the setting ``keep_awake``. Nothing is started yet."""
        self._clock, self._log = clock, log
        self._environ = dict(environ)
        self._ways = list(_ways(platform, self._environ)) if wanted else []
        self._is_over = not wanted
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._first: float | None = None
        self._refusal = "neither systemd-inhibit nor caffeinate is on PATH"
        self._told = False

    @property
    def holds(self) -> bool:
        """Whether an inhibitor runs."""
        return self._child is not None and self._child.poll() is None

    def want(self, wanted: bool) -> None:
        """Start or end the inhibitor, and see whether it was granted. Quick; called again and again."""
        if self._is_over:
            return
        if not wanted:
            self._end()
            return
        now = self._clock.monotonic()
        self._first = now if self._first is None else self._first
        if not self._ways:
            self._tell_refusal(now)
            return
        if self._child is not None and self._child.poll() is not None:
            self._refused(self._child)
        if self._child is None:
            self._start()
        elif not self._told and now - self._began >= HOLDS_AFTER_S:
            self._told = True
            self._log(f"the machine is kept awake while there is work ({Path(self._ways[0][0]).name})")

    def close(self) -> None:
        """Let the machine sleep."""
        self._end()
        self._is_over = True

    def _start(self) -> None:
        while self._ways:
            try:
                self._child = subprocess.Popen(
                    self._ways[0],
                    env=self._environ,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,  # no terminal: it must not ask for a password, nor end by a Ctrl-C
                )
            except OSError as error:
                self._refusal = str(error)
                self._ways.pop(0)
                continue
            self._began = self._clock.monotonic()
            return

    def _tell_refusal(self, now: float) -> None:
        assert self._first is not None
        if now - self._first >= SAID_AFTER_S:
            self._is_over = True
            self._log(f"nothing here keeps the machine awake: {self._refusal}; if it sleeps, work goes on afterwards")

    def _refused(self, child: "subprocess.Popen[bytes]") -> None:
        """Take note that an inhibitor has ended by itself; the next way is tried."""
        assert child.stderr is not None
        words = b""
        with suppress(OSError):  # nothing, while something it left still holds the pipe
            os.set_blocking(child.stderr.fileno(), False)
            words = os.read(child.stderr.fileno(), 4096)
        said = clean(words.decode("utf-8", "replace")).strip().rpartition("\n")[2]
        self._refusal = f"{Path(self._ways[0][0]).name}: {said or 'it ended'}"[:SAID_LIMIT]
        self._ways.pop(0)
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for stream in (child.stdin, child.stderr):
            assert stream is not None
            with suppress(OSError):
                stream.close()
        with suppress(ProcessLookupError):
            child.terminate()
        try:
            child.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _ways(platform: str, environ: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield the commands that inhibit sleep, the strongest first; see systemd-inhibit(1) and caffeinate(8), 2026-11."""
    path = environ.get("PATH")
    if platform == "darwin":
        if found := shutil.which("caffeinate", path=path):
            yield (found, "-i", "-s", "-w", str(os.getpid()))
        return
    if found := shutil.which("systemd-inhibit", path=path):
        who = ("--who=Agent Orchestrator", "--why=Agents are at work", "--mode=block")
        for what in ("idle:sleep", "idle"):  # without a seat, blocking sleep may need a right that idle does not
            yield (found, f"--what={what}", *who, "cat")


class Sleeps:
    """Tells that the machine was suspended: boot time goes on meanwhile, monotonic time stands still."""

    def __init__(self, clock: Clock) -> None:
        """Look from now on."""
        self._clock = clock
        self._asleep = clock.boot() - clock.monotonic()

    def slept_s(self) -> float:
        """Return for how many seconds the machine has slept since the last call; 0 when it has not."""
        asleep = self._clock.boot() - self._clock.monotonic()
        slept = asleep - self._asleep
        if slept < LEAST_SLEEP_S:
            return 0.0
        self._asleep = asleep
        return slept
