"""Run a storm, or show that the oracle sees each mutant; see the package's first lines."""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> int:
    from chaos import small_disk
    from chaos.mutants import MUTANTS, Mutant
    from chaos.storm import WEIGHTS, Plan, Storm

    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=30, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="M", help="kill no more after so long")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the storm here and leave it there")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="kill nothing but these kinds, such as: disk")
    parser.add_argument("--mutants", nargs="*", metavar="NAME", help="break the program in each way, or these")
    asked = parser.parse_args()
    if not Path("/proc/locks").exists():
        print("needs Linux: the oracle reads /proc")
        return 2
    if asked.mutants is None and not small_disk.is_inside() and not small_disk.why_not():
        small_disk.enter(sys.argv[1:])
    weights = {kind: often for kind, often in WEIGHTS.items() if not asked.only or kind in asked.only}
    with tempfile.TemporaryDirectory(prefix="chaos-") as made:
        place = (asked.keep or Path(made)).resolve()
        if asked.mutants is not None:
            wanted: list[Mutant] = [one for one in MUTANTS if not asked.mutants or one.name in asked.mutants]
            missed = [one.name for one in wanted if not _is_caught(one, place, asked.seed)]
            print(f"{len(wanted) - len(missed)} of {len(wanted)} mutants are seen")
            return 1 if missed else 0
        plan = Plan(asked.kills, asked.seed, weights=weights, seconds=asked.minutes * 60)
        figures = Storm(plan, place / "storm", tell=lambda said: print(said, flush=True)).run()
    print("\n".join(figures.lines()))
    return 1 if figures.violations else 0


def _is_caught(mutant: object, place: Path, seed: int) -> bool:
    from chaos.mutants import Mutant, storm_with

    assert isinstance(mutant, Mutant)
    figures = storm_with(mutant, place / mutant.name, seed)
    seen = figures.violations[0] if figures.violations else "NOT SEEN"
    kills = sum(figures.kills.values())
    print(f"{mutant.name:24} {kills:3} kills {figures.seconds:5.1f} s  {seen}", flush=True)
    return bool(figures.violations)


if __name__ == "__main__":
    sys.exit(main())
