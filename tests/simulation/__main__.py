"""Live through virtual nights; see the package's first lines."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> int:
    from simulation.mutants import MUTANTS, caught
    from simulation.world import simulate

    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one a core")
    parser.add_argument("--mutants", nargs="*", metavar="NAME", help="break the program in each way, or these")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="simulation-") as made:
        if asked.mutants is not None:
            missed = 0
            wanted = {name: one for name, one in MUTANTS.items() if not asked.mutants or name in asked.mutants}
            for name in wanted:
                counts = caught(name, asked.steps, asked.seed, Path(made) / name)
                missed += not counts.violations
                print(f"{name:22} {counts.steps:6} steps  {(counts.violations or ['NOT CAUGHT'])[0]}", flush=True)
            print(f"{len(wanted) - missed} of {len(wanted)} mutants are caught")
            return 1 if missed else 0
        counts = simulate(asked.steps, asked.seed, Path(made), processes=asked.processes)
    seconds = time.monotonic() - began
    print("\n".join(counts.lines()))
    print(f"time        {seconds:.1f} s, {counts.steps / seconds:.0f} steps a second")
    return 1 if counts.violations else 0


if __name__ == "__main__":
    sys.exit(main())
