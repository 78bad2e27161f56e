"""What does an attempt's checkout cost in a huge repository?

    python benchmarks/checkout.py [--files 50000] [--rounds 5]

Bound: making a checkout of 50,000 files takes at most 1.3 times ``git worktree add`` of the same commit. Printed beside
it, as parts of that: a used checkout made ready again, work in 20 files collected, and landing it (union, commit,
compare-and-set). Alternating runs; the ratios are medians of the ratios of neighbours.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from project import Project

from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.workspaces import Setup, Workspaces

BOUND = 1.3
CHANGED = 20
GOAL = GoalId("gbench")


def change(root: Path, number: int) -> None:
    """Change some files, others in each round."""
    for file in range(number * CHANGED, (number + 1) * CHANGED):
        path = root / f"part{file % 50}" / f"file{file}.txt"
        path.write_text(path.read_text() + "changed\n")


def land(workspaces: Workspaces, tip: str, commit: str) -> str:
    """Land *commit* on the branch ``landed``, as the merge queue does."""
    union = workspaces.union(tip, commit)
    assert union.tree is not None
    new = workspaces.commit_tree(union.tree, parents=(tip,), message="Land it\n")
    assert workspaces.advance("landed", old=tip, new=new)
    return new


def main() -> int:
    """Measure, print, and return 1 when the bound does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Project(scratch=Path(scratch)).made(files=given.files)
        base = tip = project.git("rev-parse", "HEAD").strip()
        workspaces = project.app().workspaces
        workspaces.advance("landed", old=None, new=base)
        times: dict[str, list[float]] = {}
        for number in range(given.rounds + 1):
            clock = Laps()
            project.git("worktree", "add", "-q", "--detach", str(Path(scratch) / f"tree{number}"), base)
            clock.lap("git worktree add")
            first = workspaces.open(AttemptId(f"t{number}.1"), base=base, setup=Setup())
            clock.lap("a new checkout")
            change(first.root, number)
            clock.lap("")
            collected = workspaces.collect(first, goal=GOAL, attempt=AttemptId(f"t{number}.1"), message="Work")
            clock.lap(f"{CHANGED} changed files collected")
            assert collected.commit is not None and len(collected.files) == CHANGED
            tip = land(workspaces, tip, collected.commit)
            clock.lap("landed")
            workspaces.close(first)
            clock.lap("")
            again = workspaces.open(AttemptId(f"t{number}.2"), base=tip, setup=Setup())
            clock.lap("a used checkout made ready again")
            assert workspaces.collect(again, goal=GOAL, attempt=AttemptId(f"t{number}.2"), message="").commit is None
            if number:  # the first round warms all of it
                for name, seconds in clock.laps.items():
                    times.setdefault(name, []).append(seconds)
    floor = times.pop("git worktree add")
    times.pop("")
    print(f"git worktree add of {given.files:,} files: {statistics.median(floor) * 1000:.0f} ms")
    ratios = {}
    for name, took in times.items():
        ratios[name] = statistics.median(one / other for one, other in zip(took, floor, strict=True))
        print(f"  {name}: {statistics.median(took) * 1000:.0f} ms, ratio {ratios[name]:.2f}")
    return 0 if ratios["a new checkout"] <= BOUND else 1


class Laps:
    """A stop-watch."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the seconds since the last lap under *name*."""
        now = time.perf_counter()
        self.laps[name], self._at = now - self._at, now


if __name__ == "__main__":
    sys.exit(main())
