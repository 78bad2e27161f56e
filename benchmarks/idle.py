"""What does a supervisor cost that has nothing to do?

    python benchmarks/idle.py [--seconds 90]

Bound: ``orchestrate run --watch`` uses less than 1 ms of processor time per second, with an empty queue and with tasks
that wait for a provider on hold. The kernel's own count in nanoseconds is read (``/proc/PID/task/*/schedstat``) after
the run has settled; both supervisors are watched at the same time. Linux only.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from project import Project, wait_for

from agent_orchestrator.app import App
from agent_orchestrator.domain.hold import HoldKind

BOUND_MS = 1.0
SETTLE_S = 5.0


def processor_ns(pid: int) -> int:
    """Return the nanoseconds all threads of the process have run."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


def wakeups(pid: int) -> int:
    """Return how often its threads have gone to sleep by themselves."""
    found = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                found += int(line.split()[1])
    return found


def led(app: App) -> Callable[[], bool]:
    """Return what says whether a supervisor leads the project."""
    return lambda: app.supervision.current() is not None


def main() -> int:
    """Measure, print, and return 1 when the bound does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=90, help="how long to watch, at least 60")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as scratch:
        empty = Project(scratch=Path(scratch) / "empty").made(files=1)
        held = Project(scratch=Path(scratch) / "held").made(files=1)
        held.queue(20)
        app = held.app()
        until = app.clock.now() + timedelta(hours=1)
        app.holds.start("generic", HoldKind.USAGE_LIMIT, until=until, reason="a benchmark")
        with empty.running("--watch") as first, held.running("--watch") as second:
            supervisors = {"empty queue": (empty, first), "20 tasks on hold": (held, second)}
            for project, _ in supervisors.values():
                wait_for(led(project.app()), 60, "the supervisor")
            time.sleep(SETTLE_S)
            began = time.monotonic()
            before = {name: (processor_ns(one.pid), wakeups(one.pid)) for name, (_, one) in supervisors.items()}
            time.sleep(seconds)
            took = time.monotonic() - began
            worst = 0.0
            for name, (_, one) in supervisors.items():
                busy_ms = (processor_ns(one.pid) - before[name][0]) / 1e6 / took
                woken = (wakeups(one.pid) - before[name][1]) / took
                print(
                    f"{name:17} {busy_ms:6.3f} ms of processor a second (bound {BOUND_MS}), {woken:.2f} sleeps a second"
                )
                worst = max(worst, busy_ms)
    return 0 if worst < BOUND_MS else 1


if __name__ == "__main__":
    sys.exit(main())
