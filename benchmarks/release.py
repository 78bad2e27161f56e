"""Does releasing dependents, or counting tasks, cost more when a million tasks are in the queue?

    python benchmarks/release.py [--tasks 1000000]

Bounds: releasing the four dependents of a done task among 1,000,000 tasks takes at most 1.3 times as long as among
10,000, and the counts that ``status`` shows take less than 1 ms. What is released is spread over the whole queue, both
sides alternate, and only the statements count: waiting for the disk at the end would hide a scan. Printed beside it:
the whole ``orchestrate status --json`` with both. The queues are filled with SQL from one task that was accepted the
usual way, in goals of 1,000 tasks.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import apsw
from project import ORCHESTRATE, Project

from agent_orchestrator.app import App
from agent_orchestrator.domain.ids import TaskId

FEW, MANY = 10_000, 1_000_000
BOUND, COUNTS_BOUND_MS = 1.3, 1.0
GROUP = 5
"""One task and the four that need it."""
PER_GOAL = 1000
ROUNDS = 200


def filled(project: Project, tasks: int) -> App:
    """Return the app of a project with that many tasks: the first of each five is ready, the others need it."""
    project.made().queue(1)
    app = project.app()
    database = apsw.Connection(str(app.database))
    template = database.execute("SELECT * FROM tasks")
    names = [column[0] for column in template.get_description()]
    template.fetchall()
    first = f"number % {GROUP} = 0"
    given = {
        "seq": "number + 2",
        "id": "printf('t%07d', number)",
        "goal": f"printf('g%04d', number / {PER_GOAL})",
        "key": "printf('k%d', number)",
        "state": f"iif({first}, 'ready', 'blocked')",
        "unmet": f"iif({first}, 0, 1)",
        "task_rank": "number",
    }
    numbers = f"WITH RECURSIVE n (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM n WHERE number + 1 < {tasks})"
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(given.get(name, f'one."{name}"') for name in names)
    goal_names = [row[1] for row in database.execute("SELECT * FROM pragma_table_info('goals')")]
    goal_values = ", ".join("printf('g%04d', number)" if name == "id" else f'one."{name}"' for name in goal_names)
    with database:
        database.execute(
            f"{numbers} INSERT INTO goals SELECT {goal_values} FROM n, goals AS one WHERE number < {tasks // PER_GOAL}"
        )
        database.execute(
            f"{numbers} INSERT INTO tasks ({columns}) SELECT {values} FROM n, (SELECT * FROM tasks LIMIT 1) AS one"
        )
        database.execute(
            f"{numbers} INSERT INTO dependencies SELECT printf('t%07d', number), "
            f"printf('t%07d', number - number % {GROUP}) FROM n WHERE NOT {first}"
        )
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    database.close()
    return app


def releasing(app: App, tasks: int) -> Callable[[], float]:
    """Return a function that releases the dependents of one task nobody released yet; seconds of the statements."""
    groups = random.Random(1).sample(range(tasks // GROUP), ROUNDS + 1)

    def release() -> float:
        id = TaskId(f"t{groups.pop() * GROUP:07d}")
        with app.store.transaction():
            began = time.perf_counter()
            released = app.store.tasks.release_dependents(id, now=app.clock.now())
            took = time.perf_counter() - began
        assert len(released) == GROUP - 1
        return took

    return release


def timed(what: Callable[[], object]) -> float:
    """Return the seconds *what* takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def medians(sides: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """Return the median of each side; they take turns."""
    taken = [[side() for side in sides] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def status(project: Project) -> float:
    """Return the seconds of ``orchestrate status --json``."""
    argv = [str(ORCHESTRATE), "status", "--json"]
    return timed(
        lambda: subprocess.run(argv, cwd=project.folder, env=project.environ, check=True, stdout=subprocess.DEVNULL)
    )


def main() -> int:
    """Measure, print, and return 1 when a bound does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=MANY)
    many = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as scratch:
        projects = [Project(scratch=Path(scratch) / name) for name in ("few", "many")]
        began = time.perf_counter()
        apps = [filled(project, tasks) for project, tasks in zip(projects, (FEW, many), strict=True)]
        print(f"filled in {time.perf_counter() - began:.0f} s")
        release = [releasing(app, tasks) for app, tasks in zip(apps, (FEW, many), strict=True)]
        for one in release:
            one()
        few, more = medians(release, ROUNDS)
        ratio = more / few
        print(
            f"four dependents released: {few * 1e6:.0f} us among {FEW:,}, {more * 1e6:.0f} us among {many:,}; "
            f"ratio {ratio:.2f} (bound {BOUND})"
        )
        counts = [statistics.median(timed(app.store.tasks.counts) for _ in range(ROUNDS)) * 1000 for app in apps]
        print(f"counts: {counts[0]:.3f} ms; {counts[1]:.3f} ms (bound {COUNTS_BOUND_MS})")
        for app in apps:
            app.store.close()
        whole = medians([partial(status, project) for project in projects], 7)
        print(f"orchestrate status --json: {whole[0] * 1000:.0f} ms; {whole[1] * 1000:.0f} ms")
    return 0 if ratio <= BOUND and counts[1] < COUNTS_BOUND_MS else 1


if __name__ == "__main__":
    sys.exit(main())
