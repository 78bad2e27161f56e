"""How soon does an agent start, what does watching twenty cost, and what does an endless line do?

    python benchmarks/agents.py [--part started|memory|line]

Bound: a line of 200 MB from an agent makes the supervisor grow by less than 64 MB, and what the agent says after it is
still read. Printed: the time from a submit to the agent's first instruction, with a supervisor already waiting, beside
starting the same command directly; the supervisor's memory with 20 agents running. Linux only.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import Project, wait_for

from agent_orchestrator.domain.task import TaskState

AGENTS = 20
LINE_MB = 200
GROWTH_BOUND_MB = 64
SCRIPT = "#!/bin/sh\ncase $1 in --version) exec echo 1.0;; esac\n"
LAST_WORDS = "what is said after the long line"


def started(scratch: Path, times: int = 12) -> bool:
    """Print the milliseconds from submit to start."""
    with tempfile.TemporaryDirectory() as beside:  # not in their home: agents may not write there
        return _started(scratch, Path(beside) / "stamp", times)


def _started(scratch: Path, stamp: Path, times: int) -> bool:
    script = scratch / "agent"
    script.write_text(f'{SCRIPT}date +%s%N > "{stamp}.new"\nmv "{stamp}.new" "{stamp}"\n')
    script.chmod(0o700)

    def after(began_ns: int) -> float:
        wait_for(stamp.exists, 60, "the agent")
        took = int(stamp.read_text()) - began_ns
        stamp.unlink()
        return took / 1e6

    project = Project(scratch=scratch / "started", command=str(script)).made(files=3)
    app = project.app()
    pairs = []
    with project.running("--watch"):
        wait_for(lambda: app.supervision.current() is not None, 60, "the supervisor")
        for number in range(times):
            wait_for(lambda: not app.goals.open(), 60, "the goal's end")
            began = time.time_ns()
            subprocess.run([str(script)], check=True)
            bare = after(began)
            began = time.time_ns()
            project.queue(1, title=f"Round {number}")
            pairs.append((bare, after(began)))
    bare, ours = (statistics.median(pair[which] for pair in pairs) for which in (0, 1))
    print(
        f"submit to the agent's first instruction: {ours:.0f} ms (median of {times}), started directly: {bare:.0f} ms"
    )
    return True


def memory(scratch: Path) -> bool:
    """Print what the supervisor needs with nothing to do and with 20 agents running."""
    project = Project(scratch=scratch / "memory", command="sleep 600").made(files=3)
    app = project.app()
    with project.running("--watch", "--max-agents", str(AGENTS)) as run:
        wait_for(lambda: app.supervision.current() is not None, 60, "the supervisor")
        time.sleep(2)
        idle = _kib(run.pid, "smaps_rollup", "Pss")
        project.queue(AGENTS)
        wait_for(lambda: app.store.tasks.counts()[TaskState.RUNNING] == AGENTS, 300, f"{AGENTS} running agents")
        time.sleep(3)
        rss, pss = _kib(run.pid, "smaps_rollup", "Rss"), _kib(run.pid, "smaps_rollup", "Pss")
        running = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
        ours = {run.pid, *(pid for pid, parent in running.items() if parent == run.pid)}  # with the nursery
        minders = [pid for pid, parent in running.items() if parent in ours and _is_minder(pid)]
        theirs = [_kib(pid, "smaps_rollup", "Pss") for pid in minders]
    print(
        f"supervisor, idle: PSS {idle / 1024:.1f} MB; with {AGENTS} agents: PSS {pss / 1024:.1f} MB, "
        f"RSS {rss / 1024:.1f} MB; a minder: PSS {statistics.median(theirs) / 1024:.1f} MB (median of {len(theirs)})"
    )
    return True


def line(scratch: Path) -> bool:
    """Let an agent print one line of 200 MB; return whether the bound holds."""
    script = scratch / "chatty"
    script.write_text(
        f"{SCRIPT}sleep 2\nhead -c {LINE_MB}000000 /dev/zero | tr '\\0' x\necho\necho '{LAST_WORDS}'\nsleep 1\n"
    )
    script.chmod(0o700)
    project = Project(scratch=scratch / "line", command=str(script)).made(files=3)
    app = project.app()
    project.queue(1)
    with project.running("--watch") as run:
        wait_for(lambda: app.store.tasks.counts()[TaskState.RUNNING] == 1, 60, "the agent")
        before = _kib(run.pid, "status", "VmRSS")
        wait_for(lambda: app.store.tasks.counts()[TaskState.DONE] == 1, 300, "the task's end")
        most = _kib(run.pid, "status", "VmHWM")
    grown = (most - before) / 1024
    task = app.store.tasks.of_goal(app.store.goals.list()[0].id)[0]
    read = LAST_WORDS in task.summary
    print(
        f"a line of {LINE_MB} MB: the supervisor grew by {grown:.1f} MB at most (bound {GROWTH_BOUND_MB}); "
        f"what came after it was {'read' if read else 'NOT read'}"
    )
    return grown < GROWTH_BOUND_MB and read


def _kib(pid: int, file: str, field: str) -> int:
    for row in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if row.startswith(f"{field}:"):
            return int(row.split()[1])
    raise SystemExit(f"no {field} in /proc/{pid}/{file}")


def _is_minder(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "minder\n"
    except OSError:
        return False


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def main() -> int:
    """Measure, print, and return 1 when the bound does not hold."""
    parts = {"started": started, "memory": memory, "line": line}
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=parts)
    chosen = parser.parse_args().part
    with tempfile.TemporaryDirectory() as scratch:
        held = [part(Path(scratch)) for name, part in parts.items() if chosen in (None, name)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
