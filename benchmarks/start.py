"""How long does a person wait for the command line itself?

    python benchmarks/start.py [--pairs 25] [--seen]

Bounds, as ratios of whole processes against ``python -c "import click, apsw"`` of the same interpreter:
``orchestrate --help`` at most 1.5, ``orchestrate status --json`` at most 1.4, in a project whose database holds three
goals of 50 tasks together. Floor and subject alternate, and each ratio is the median of the ratios of neighbours, so
that other work on the machine falls on both.

``--seen`` lists what the two commands import that the floor does not, dearest first.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

FLOOR = (sys.executable, "-c", "import click, apsw")
SCRIPT = str(Path(sys.executable).with_name("orchestrate"))
"""The installed command. (``python -m agent_orchestrator`` pays for ``runpy`` beside it.)"""
HELP = (sys.executable, SCRIPT, "--help")
STATUS = (sys.executable, SCRIPT, "status", "--json")
BOUNDS = {"--help": (HELP, 1.5), "status --json": (STATUS, 1.4)}
GOALS = {"first": 25, "second": 15, "third": 10}
"""Tasks per goal; each goal is a tree in which three tasks wait for one."""


def fill(folder: Path, environ: Mapping[str, str]) -> None:
    """Make a project with the goals of ``GOALS``."""
    from agent_orchestrator.app import build
    from agent_orchestrator.domain.plan import Plan, PlannedTask
    from agent_orchestrator.services.goals import Submission

    app = build(folder, environ=environ)
    for goal, count in GOALS.items():
        tasks = tuple(
            PlannedTask(
                id=f"task-{number}",
                title=f"Task {number} of the {goal} goal",
                description="What is to be done, in a few sentences. " * 5,
                agent_type="generalist",
                depends_on=(f"task-{(number - 1) // 3}",) if number else (),
            )
            for number in range(count)
        )
        app.goals.accept(Plan(goal=goal, source="file", tasks=tasks), Submission(text=f"The {goal} goal"))
    app.store.close()


def spent(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> tuple[float, float]:
    """Run one process; return its seconds on the wall and on the processor."""
    began = perf_counter()
    process = subprocess.Popen(argv, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime


def imports(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> dict[str, int]:
    """Return what a process imports: module to its own microseconds."""
    timed = subprocess.run(
        [argv[0], "-X", "importtime", *argv[1:]], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    found = {}
    for line in timed.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            found[name.strip()] = int(own)
    return found


def main() -> int:
    """Measure, print, and return 1 when a bound does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=25, help="neighbouring runs per bound, at least 15")
    parser.add_argument("--seen", action="store_true", help="list the imports instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        folder.mkdir()
        environ = {"HOME": scratch, "XDG_STATE_HOME": f"{scratch}/state", "PATH": os.environ["PATH"]}
        fill(folder, environ)
        if arguments.seen:
            floor = imports(FLOOR, folder, environ)
            for name, (argv, _) in BOUNDS.items():
                more = {module: own for module, own in imports(argv, folder, environ).items() if module not in floor}
                print(f"{name}: {len(more)} modules beyond the floor, {sum(more.values()) / 1000:.1f} ms")
                for module, own in sorted(more.items(), key=lambda one: -one[1])[:25]:
                    print(f"  {own / 1000:6.2f} ms  {module}")
            return 0
        held = True
        for name, (argv, bound) in BOUNDS.items():
            for warm in (FLOOR, argv):
                spent(warm, folder, environ)
            pairs = [(spent(FLOOR, folder, environ), spent(argv, folder, environ)) for _ in range(arguments.pairs)]
            walls = [statistics.median(pair[one][0] for pair in pairs) for one in (0, 1)]
            ratio = statistics.median(subject[0] / floor[0] for floor, subject in pairs)
            on_processor = statistics.median(subject[1] / floor[1] for floor, subject in pairs)
            print(
                f"orchestrate {name:14} {walls[1] * 1000:7.0f} ms, floor {walls[0] * 1000:.0f} ms: "
                f"ratio {ratio:.2f} (bound {bound}), on the processor {on_processor:.2f}"
            )
            held &= ratio <= bound
        return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
