"""How much longer do 200 short tasks take under the supervisor than under xargs?

    python benchmarks/makespan.py [--tasks 200] [--land]

Aim, not a bound: at most 1.35 times ``xargs -P 4 -I {} sleep 0.05``. The tasks are the real thing: provider ``generic``
with the command ``sleep 0.05``, four at a time, each with its own checkout of a small repository, its own minder, its
exit record, its look at what changed, and five durable commits. They are told that no file needs to change, so none is
merged; with ``--land`` each writes a file, which is collected, merged and landed as a commit. Real agents run for
minutes: what is shown here is the fixed price of an attempt, and where it is paid.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import Project

AIM = 1.35
AGENTS = 4
WORKER = """#!/bin/sh
case $1 in --version) exec echo 1.0;; esac
echo done > "$ORCHESTRATE_TASK.txt"
exec sleep 0.05
"""
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


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure and print. There is no bound to fail, only a run that does not end well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--land", action="store_true")
    given = parser.parse_args()
    tasks = given.tasks
    with tempfile.TemporaryDirectory() as scratch:
        agent = Path(scratch) / "agent"
        agent.write_text(WORKER)
        agent.chmod(0o700)
        command = str(agent) if given.land else "sleep 0.05"
        project = Project(scratch=Path(scratch), command=command).made(files=3)
        project.queue(tasks, change=given.land)
        before = xargs(tasks)
        used = _processor_s()
        with project.running("--max-agents", str(AGENTS)) as run:
            code = run.wait(3600)
        used = (_processor_s() - used) / tasks
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
        print(f"  {used * 1000:7.0f} ms of processor a task, start and end of the run included")
        for (since, until), what in PARTS.items():
            spans = [one[until] - one[since] for one in done]
            print(f"  {statistics.median(spans) * 1000:7.0f} ms a task (median)  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
