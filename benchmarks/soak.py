"""Does a supervisor grow over hours?

    python benchmarks/soak.py [--minutes 90] [--every 0.5]

One ``run --watch`` works on goals of two tasks, the second after the first: one writes a file, the
other takes it away. Each is checked and landed, and each goal delivered.
A new goal comes every half second, so that an hour has 14,000 tasks: more than a year of nights. Once a minute it is
looked at what the supervisor holds. Bound: in the last third of the time the medians of its memory, open files and
threads are at most 1.1 times those of the third before. The first third is left out: there modules are loaded and
caches filled. After an hour the run cleans up, and looks at every attempt there ever was. Linux only.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from project import Project, wait_for

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import TaskState
from agent_orchestrator.services.goals import Submission

AGENTS = 4
GROWTH_BOUND = 1.1
LOOK_EVERY_S = 60.0
MOST_OPEN = 40
"""Tasks in the queue beyond which no goal is added: then the machine is too slow for `--every`."""
WORKER = """#!/bin/sh
case $1 in --version) exec echo 1.0;; esac
prompt=$(cat)
file=part0/$(printf '%s' "$prompt" | sed -n 's/.*Round \\([0-9]*\\),.*/\\1/p' | head -n 1).txt
if test -e "$file"; then git rm -q "$file"; else echo "$prompt" > "$file"; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the supervisor held at one moment."""

    tasks: int
    pss_kib: int
    files: int
    threads: int
    database_bytes: int


def held(pid: int, tasks: int, database: Path) -> Look:
    proc = Path("/proc") / str(pid)
    rollup = (proc / "smaps_rollup").read_text()
    return Look(
        tasks=tasks,
        pss_kib=next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")),
        files=len(list((proc / "fd").iterdir())),
        threads=len(list((proc / "task").iterdir())),
        database_bytes=sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*")),
    )


def goal(number: int) -> Plan:
    first, second = (
        PlannedTask(
            id=name,
            title=f"Round {number}, {name}",
            description="Write a file.",
            agent_type="generalist",
            depends_on=needs,
            verify="test -d part0",
        )
        for name, needs in (("first", ()), ("second", ("first",)))
    )
    return Plan(goal=f"round {number}", source="file", tasks=(first, second))


def soak(scratch: Path, minutes: float, every_s: float) -> list[Look]:
    agent = scratch / "agent"
    agent.write_text(WORKER)
    agent.chmod(0o700)
    project = Project(scratch=scratch, command=str(agent)).made(files=50)
    app = project.app()
    looks: list[Look] = []
    with project.running("--watch", "--max-agents", str(AGENTS)) as run:
        wait_for(lambda: app.supervision.current() is not None, 60, "the supervisor")
        end = time.monotonic() + minutes * 60
        look_at = time.monotonic() + LOOK_EVERY_S
        number = 0
        while time.monotonic() < end and run.poll() is None:
            counts = app.store.tasks.counts()
            if 2 * number - counts[TaskState.DONE] - counts[TaskState.FAILED] < MOST_OPEN:
                app.goals.accept(goal(number), Submission(text=f"round {number}"))
                number += 1
            if time.monotonic() >= look_at:
                look_at += LOOK_EVERY_S
                looks.append(held(run.pid, counts[TaskState.DONE], app.database))
                print(looks[-1], flush=True)
            time.sleep(every_s)
        if run.poll() is not None:
            raise SystemExit(f"the run ended with {run.returncode}")
        counts = app.store.tasks.counts()
        print(f"{counts[TaskState.DONE]} tasks landed, {counts[TaskState.FAILED]} failed")
    return looks


def main() -> int:
    """Measure, print, and say by the exit code whether the bound holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--every", type=float, default=0.5, metavar="S")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        looks = soak(Path(scratch), given.minutes, given.every)
    third = len(looks) // 3
    if not third:
        raise SystemExit("too short: it is looked at once a minute, and three thirds are compared")
    before, last = looks[third : 2 * third], looks[-third:]
    held_well = True
    for what in ("pss_kib", "files", "threads"):
        then, now = (statistics.median(getattr(one, what) for one in some) for some in (before, last))
        held_well = held_well and now <= then * GROWTH_BOUND
        ratio = f"ratio {now / then:.2f} (≤ {GROWTH_BOUND})"
        print(f"{what:8} {then:8.0f} in the second third, {now:8.0f} in the last, {ratio}")
    return 0 if held_well else 1


if __name__ == "__main__":
    sys.exit(main())
