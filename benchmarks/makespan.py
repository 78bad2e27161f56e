"""How much longer do 200 short tasks take under the supervisor than under xargs?

    python benchmarks/makespan.py [--tasks 200]

Aim, not a bound: at most 1.35 times ``xargs -P 4 -I {} sleep 0.05``. The tasks are the real thing: provider ``generic``
with the command ``sleep 0.05``, four at a time, each with its own checkout of a small repository, its own minder, its
exit record, its look at what changed, and five durable commits. They are told that no file needs to change, so none is
merged. Real agents run for minutes: what is shown here is the fixed price of an attempt, and where it is paid.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import Project

AIM = 1.35
AGENTS = 4
STEPS = ("task.claimed", "task.started", "task.handed_in", "task.done")
PARTS = {
    ("task.claimed", "task.started"): "made ready: checkout, prompt, minder",
    ("task.started", "task.handed_in"): "agent: 50 ms of sleep, its end noticed",
    ("task.handed_in", "task.done"): "merge queue: looked at, checked, recorded",
}


def xargs(tasks: int) -> float:
    """Return the seconds xargs takes."""
    names = "".join(f"{number}\n" for number in range(tasks))
    began = time.perf_counter()
    subprocess.run(["xargs", "-P", str(AGENTS), "-I", "{}", "sleep", "0.05"], input=names, text=True, check=True)
    return time.perf_counter() - began


def main() -> int:
    """Measure and print. There is no bound to fail, only a run that does not end well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=200)
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as scratch:
        project = Project(scratch=Path(scratch), command="sleep 0.05").made(files=3)
        project.queue(tasks)
        before = xargs(tasks)
        with project.running("--max-agents", str(AGENTS)) as run:
            code = run.wait(3600)
        floor = statistics.median((before, xargs(tasks)))
        app = project.app()
        times: dict[str, dict[str, float]] = {}
        seq = 0
        while found := app.events.after(seq):
            seq = found[-1].seq
            for event in found:
                if event.attempt and event.type in STEPS:
                    times.setdefault(event.attempt, {})[event.type] = event.at.timestamp()
        done = [one for one in times.values() if "task.done" in one]
        if code or len(done) != tasks:
            print((project.scratch / "run.log").read_text()[-2000:])
            print(f"ended with {code}; {len(done)} of {tasks} tasks done")
            return 1
        took = max(one["task.done"] for one in done) - min(one["task.claimed"] for one in done)
        print(f"xargs -P {AGENTS}:  {floor:7.2f} s for {tasks} tasks")
        print(f"supervisor: {took:7.2f} s, ratio {took / floor:.2f} (aim {AIM}), first claim to last record")
        for (since, until), what in PARTS.items():
            spans = [one[until] - one[since] for one in done]
            print(f"  {statistics.median(spans) * 1000:7.0f} ms a task (median)  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
