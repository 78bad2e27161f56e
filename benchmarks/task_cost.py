"""What do checkout, verify and land cost a task in a repository of 5,000 files, and what is the floor?

    python benchmarks/task_cost.py [--files 5000] [--rounds 8]

Printed as a table, without a bound: each step as the supervisor's threads do it, by the same methods, beside plain git
commands that do the same for a person: ``worktree add``, ``add -A`` and ``commit``, the check's command itself in that
worktree, ``merge --no-ff`` in a worktree of the result, ``worktree remove``. A task changes 20 files. The steps are not
quite the same: a checkout of ours is a repository of its own that cannot touch the user's, the check runs on the union
with what landed meanwhile, in a clean checkout, under a minder and in the sandbox, and what it showed is kept. Both
sides take turns, task by task; the ratio is the median of the ratios of neighbours.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from checkout import CHANGED, GOAL, Laps, change
from project import Project

from agent_orchestrator.domain.evidence import CheckResult
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.runtime.verification import CheckCommand
from agent_orchestrator.workspaces import Setup

CHECK = "grep -rq changed ."
"""A check that reads the files it comes by, and starts nothing."""
STEPS = {
    "checkout": "git worktree add",
    "collect": "git add -A; git commit",
    "verify": "the check's command alone",
    "land": "git merge --no-ff",
    "give back": "git worktree remove",
}


class Plain:
    """A task by plain git commands."""

    def __init__(self, project: Project, base: str) -> None:
        self.project = project
        self.result = project.scratch / "merged"
        project.git("worktree", "add", "-q", "-b", "merged", str(self.result), base)

    def task(self, number: int) -> dict[str, float]:
        """Do all steps; return the seconds of each."""
        git, tree = self.project.git, self.project.scratch / f"tree{number}"
        clock = Laps()
        git("worktree", "add", "-q", "-b", f"work{number}", str(tree), "merged")
        clock.lap("checkout")
        change(tree, number)
        clock.lap("")
        git("-C", str(tree), "add", "-A")
        git("-C", str(tree), "commit", "-q", "-m", "Work")
        clock.lap("collect")
        subprocess.run(["/bin/sh", "-c", CHECK], cwd=tree, env=self.project.environ, check=True)
        clock.lap("verify")
        git("-C", str(self.result), "merge", "-q", "--no-ff", "-m", "Merge", f"work{number}")
        clock.lap("land")
        git("worktree", "remove", str(tree))
        clock.lap("give back")
        return clock.laps


class Ours:
    """A task as the supervisor's threads do it."""

    def __init__(self, project: Project, base: str) -> None:
        app = project.app()
        self.workspaces, self.verification = app.workspaces, app.landing.verification
        self.workspaces.advance("landed", old=None, new=base)
        self.base = self.tip = base

    def task(self, number: int) -> dict[str, float]:
        """Do all steps; return the seconds of each."""
        workspaces, attempt = self.workspaces, AttemptId(f"t{number}.1")
        clock = Laps()
        workspace = workspaces.open(attempt, base=self.tip, setup=Setup())
        clock.lap("checkout")
        change(workspace.root, number)
        clock.lap("")
        collected = workspaces.collect(workspace, goal=GOAL, attempt=attempt, message="Work")
        clock.lap("collect")
        assert collected.commit is not None and len(collected.files) == CHANGED
        union = workspaces.union(self.tip, collected.commit)
        assert union.tree is not None
        clock.lap("union")
        check = self.verification.check(CheckCommand(command=CHECK, origin="project"), tree=union.tree, base=self.tip)
        clock.lap("verify")
        assert check.result is CheckResult.PASSED and not check.cached
        new = workspaces.commit_tree(union.tree, parents=(self.tip,), message="Land it\n")
        assert workspaces.advance("landed", old=self.tip, new=new)
        self.tip = new
        clock.lap("land")
        clock.laps["land"] += clock.laps.pop("union")
        workspaces.close(workspace, is_safe=True)
        clock.lap("give back")
        return clock.laps


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Project(scratch=Path(scratch)).made(files=given.files)
        base = project.git("rev-parse", "HEAD").strip()
        plain, ours = Plain(project, base), Ours(project, base)
        pairs = [(plain.task(number), ours.task(number)) for number in range(given.rounds + 1)]
        same = project.git("rev-parse", "landed^{tree}") == project.git("rev-parse", "merged^{tree}")
    first = pairs.pop(0)[1]["checkout"]  # the first round warms all of it, and has no used checkout to take
    rows = [(step, floor, _compared(pairs, (step,))) for step, floor in STEPS.items()]
    rows.append(("**a task**", "all of these", _compared(pairs, tuple(STEPS))))
    print(
        f"{given.files:,} files, {CHANGED} of them changed, medians of {given.rounds}, load {os.getloadavg()[0]:.1f}\n"
    )
    print("| step | ours, ms | plain git, ms | ratio | plain git is |\n|---|---|---|---|---|")
    for step, floor, (mine, theirs, ratio) in rows:
        print(f"| {step} | {mine * 1000:.0f} | {theirs * 1000:.0f} | {ratio:.2f} | {floor} |")
    print(f"\na checkout when there is no used one: {first * 1000:.0f} ms; the same tree came of both: {same}")
    return 0 if same else 1


def _compared(
    pairs: list[tuple[dict[str, float], dict[str, float]]], steps: tuple[str, ...]
) -> tuple[float, float, float]:
    """Return the median seconds of *steps* together, ours and theirs, and the median of the ratios."""
    theirs, ours = ([sum(pair[which][step] for step in steps) for pair in pairs] for which in (0, 1))
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


if __name__ == "__main__":
    sys.exit(main())
