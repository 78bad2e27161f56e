"""How soon does work go on after kill -9, with 10,000 tasks in the queue?

    python benchmarks/recovery.py [--tasks 10000] [--goals 1] [--agents 4] [--rounds 3]

Bound: at most 2 s from executing the new ``orchestrate run`` to the first instruction of the first agent that it
starts, when the run before was killed with -9 while its agents worked; printed with its parts, and as a ratio to the
same with 100 tasks. Two cases: only the supervisor is killed, its agents go on, are adopted, and the new run has room
for one more; and supervisor and minders are killed, so that the agents die with them, are proven gone, and their places
are free. The agent is a script whose first instruction writes down the time; the killed one's agents would run for
minutes. The two sizes take turns. Linux only.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from project import Project, wait_for

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.runtime import minder
from agent_orchestrator.services.goals import Submission

BOUND_S = 2.0
FEW = 100
SUPERVISOR, BOTH = "supervisor", "supervisor and minders"
AGENT = """#!/bin/sh
case $1 in --version) exec echo 1.0;; esac
date +%s%N > "$WITNESSES/$ORCHESTRATE_ATTEMPT.new"
mv "$WITNESSES/$ORCHESTRATE_ATTEMPT.new" "$WITNESSES/$ORCHESTRATE_ATTEMPT"
exec sleep 600
"""
PARTS = ("it leads", "the first task is claimed", "its minder is started", "its first instruction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The seconds from executing the new run to each of `PARTS`."""

    moments: tuple[float, ...]
    processor: float
    """Seconds of processor that the new run and its ended children had used by then."""

    @property
    def whole(self) -> float:
        """Seconds to the first instruction."""
        return self.moments[-1]

    @property
    def parts(self) -> tuple[float, ...]:
        """Seconds each part took."""
        return tuple(one - before for one, before in zip(self.moments, (0.0, *self.moments), strict=False))


class Bench:
    """One project with a long queue, whose runs are killed."""

    def __init__(self, scratch: Path, *, tasks: int, goals: int, agents: int) -> None:
        self.agents = agents
        self.witnesses = scratch.with_name(f"{scratch.name}-witnesses")
        """Beside the agents' home, in which they may write nothing."""
        self.witnesses.mkdir(parents=True)
        scratch.mkdir()
        agent = scratch / "agent"
        agent.write_text(AGENT.replace("$WITNESSES", str(self.witnesses)))
        agent.chmod(0o700)
        self.project = Project(scratch=scratch, command=str(agent)).made(files=3)
        self.app = self.project.app()
        for number in range(goals):
            planned = tuple(_task(one) for one in range(tasks // goals))
            self.app.goals.accept(Plan(goal=f"bench {number}", source="file", tasks=planned), Submission(text="bench"))

    def recovered(self, case: str) -> Recovered:
        """Kill a run whose agents work, and time the next one."""
        known = self._seen()
        with self._run(self.agents) as first:
            wait_for(lambda: len(self._seen() - known) == self.agents, 120, f"{self.agents} agents")
            wait_for(lambda: len(self._started()) == self.agents, 60, "their records")
            minders = [self._minder(run_dir) for run_dir in self._started()]
            _kill(first.pid)
            first.wait(60)
        if case == BOTH:
            for pid in minders:
                _kill(pid)
        known = self._seen()
        last = self.app.events.last(1)[0].seq
        room = self.agents if case == BOTH else self.agents + 1
        began = time.time()
        with self._run(room) as second:
            wait_for(lambda: bool(self._seen() - known), 120, "the first agent of the new run")
            processor = _processor_s(second.pid)
            attempt = min(self._seen() - known, key=self._began)
            wait_for(lambda: len(self._started()) == room, 120, "the other agents")
            second.send_signal(signal.SIGTERM)
            wait_for(lambda: not self._started(), 120, "the agents' end")
            second.wait(120)
        events = {}
        while found := self.app.events.after(last):
            last = found[-1].seq
            events.update({one.type: one.at.timestamp() for one in found if one.attempt == attempt})
        leader = self.app.store.leadership.get()
        assert leader is not None
        moments = (leader.started_at.timestamp(), events["task.claimed"], events["task.started"], self._began(attempt))
        return Recovered(moments=tuple(moment - began for moment in moments), processor=processor)

    @contextmanager
    def _run(self, agents: int) -> "Iterator[subprocess.Popen[bytes]]":
        words = ["orchestrate", "run", "--yes", "--max-agents", str(agents)]
        argv = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
        with (self.project.scratch / "run.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=self.project.folder,
                env=self.project.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)

    def _seen(self) -> set[str]:
        return {path.name for path in self.witnesses.iterdir() if path.suffix != ".new"}

    def _began(self, attempt: str) -> float:
        return int((self.witnesses / attempt).read_text()) / 1e9

    def _started(self) -> list[Path]:
        open_ones = self.app.store.attempts.open()
        return [Path(one.run_dir) for one in open_ones if (Path(one.run_dir) / "pid.json").exists()]

    def _minder(self, run_dir: Path) -> int:
        recorded = json.loads((run_dir / "pid.json").read_bytes())["minder"]
        pid = int(recorded["pid"])
        assert minder.start_time(pid) == recorded["start_time"]
        return pid


def _task(number: int) -> PlannedTask:
    return PlannedTask(
        id=f"t{number}", title=f"Task {number}", description="Nothing.", agent_type="generalist", expects_change=False
    )


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def main() -> int:
    """Measure, print, and return 1 when the bound does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--goals", type=int, default=1)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as scratch:
        many = Bench(Path(scratch) / "many", tasks=given.tasks, goals=given.goals, agents=given.agents)
        few = Bench(Path(scratch) / "few", tasks=FEW, goals=1, agents=given.agents)
        for case in (SUPERVISOR, BOTH):
            pairs = [(few.recovered(case), many.recovered(case)) for _ in range(given.rounds)]
            whole = statistics.median(one.whole for _, one in pairs)
            ratio = statistics.median(one.whole / other.whole for other, one in pairs)
            held = held and whole <= BOUND_S
            print(
                f"{case} killed, {given.tasks:,} tasks queued: the first agent after {whole:.2f} s "
                f"(median of {given.rounds}; bound {BOUND_S:.0f} s); to the same with {FEW} tasks {ratio:.2f}"
            )
            used, before = (statistics.median(pair[which].processor for pair in pairs) for which in (1, 0))
            print(
                f"  {used * 1000:6.0f} ms ({before * 1000:.0f} with {FEW})  of processor; load {os.getloadavg()[0]:.1f}"
            )
            for number, what in enumerate(PARTS):
                took = statistics.median(one.parts[number] for _, one in pairs)
                before = statistics.median(one.parts[number] for one, _ in pairs)
                print(f"  {took * 1000:6.0f} ms ({before * 1000:.0f} with {FEW})  {what}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
