"""Is landing a clean branch cheaper than merging it in a worktree?

    python benchmarks/landing.py [--pairs 15]

Bound: union, commit and compare-and-set of the branch, as the merge queue does them, take at most half of
``git merge --no-ff`` in a worktree, in a repository of 5,000 files; each branch changes 20 of them. Alternating runs;
the ratio is the median of the ratios of neighbours. The checks between union and commit are not part of either.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from project import Project

FILES = 5000
CHANGED = 20
BOUND = 0.5


def main() -> int:
    """Measure, print, and return 1 when the bound does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as scratch:
        project = Project(scratch=Path(scratch)).made(files=FILES)
        base = project.git("rev-parse", "HEAD").strip()
        branches = [_branch(project, number) for number in range(pairs + 1)]
        project.git("checkout", "-q", "main")
        tree = Path(scratch) / "worktree"
        project.git("worktree", "add", "-q", "-b", "merged", str(tree), base)
        workspaces, tip = project.app().workspaces, base
        workspaces.advance("landed", old=None, new=base)
        ratios, ours, theirs = [], [], []
        for number, branch in enumerate(branches):
            commit = project.git("rev-parse", branch).strip()
            began = time.perf_counter()
            union = workspaces.union(tip, commit)
            assert union.tree is not None
            new = workspaces.commit_tree(union.tree, parents=(tip,), message=f"Land {branch}\n")
            assert workspaces.advance("landed", old=tip, new=new)
            tip = new
            landed = time.perf_counter() - began
            began = time.perf_counter()
            project.git("-C", str(tree), "merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)
            merged = time.perf_counter() - began
            if number:  # the first warms both
                ratios.append(landed / merged)
                ours.append(landed)
                theirs.append(merged)
        same = project.git("rev-parse", "landed^{tree}") == project.git("rev-parse", "merged^{tree}")
    ratio = statistics.median(ratios)
    print(
        f"landing a clean branch of {CHANGED} files: {statistics.median(ours) * 1000:.0f} ms, "
        f"git merge --no-ff in a worktree: {statistics.median(theirs) * 1000:.0f} ms; "
        f"ratio {ratio:.2f} (bound {BOUND}); the same tree came of both: {'yes' if same else 'NO'}"
    )
    return 0 if ratio <= BOUND and same else 1


def _branch(project: Project, number: int) -> str:
    """Make a branch from the base that changes files no other one changes."""
    name = f"work{number}"
    project.git("checkout", "-q", "-b", name, "main")
    for file in range(number * CHANGED, (number + 1) * CHANGED):
        path = project.folder / f"part{file % 50}" / f"file{file}.txt"
        path.write_text(path.read_text() + "changed\n")
    project.git("commit", "-q", "-am", f"Change {number}")
    return name


if __name__ == "__main__":
    sys.exit(main())
