"""Does a claim cost more when the queue is longer? And what does a claim and a completion cost over the bare minimum?

    python benchmarks/claim.py

Bound: the median claim with 100,000 tasks waiting is at most 1.3 times the one
with 100. Printed beside it: claim and completion through the services, against
two bare statements of the same database at the same durability.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.attempt import Attempt
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.ids import AgentId
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import TaskState, Verdict
from agent_orchestrator.services.goals import Submission

BOUND = 1.3
CLAIMS = 60
"""Counted claims per depth and round."""


def project(folder: Path, waiting: int) -> App:
    """Return a project with that many tasks ready, in goals of at most 1,000 tasks."""
    folder.mkdir()
    app = build(folder, environ={"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")})
    left = waiting
    while left:
        count = min(left, 1000)
        tasks = tuple(
            PlannedTask(id=f"t{number}", title=f"Task {number}", description="x" * 200, agent_type="generalist")
            for number in range(count)
        )
        app.goals.accept(Plan(goal="bench", source="file", tasks=tasks), Submission(text="bench"))
        left -= count
    return app


def claim(app: App) -> float:
    """Claim one task and give it back; return the claim's seconds."""
    store = app.store
    began = time.perf_counter()
    with store.transaction():
        task = store.tasks.claim(
            AgentId("bench"), store.draw_token(), goals=None, providers=["claude"], now=app.clock.now()
        )
    took = time.perf_counter() - began
    assert task is not None
    with store.transaction():
        store.tasks.save(task.moved(TaskState.READY), was=task)
    return took


def through_services(app: App) -> float:
    """Claim and complete one task as the supervisor does; return the seconds of all of it."""
    began = time.perf_counter()
    claimed = app.tasks.claim("claude", run_dir=lambda task, number: Path("/nowhere"))
    assert claimed is not None
    attempt: Attempt = claimed[1]
    app.tasks.started(attempt)
    app.tasks.handed_in(attempt)
    app.tasks.landing(attempt, Evidence())
    app.tasks.finished(attempt, verdict=Verdict.VERIFIED, commit="x", evidence=Evidence())
    return time.perf_counter() - began


def spent(what: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds *what* takes on the wall and on the processor; the difference is waiting for the disk."""
    wall, processor = time.perf_counter(), time.process_time()
    what()
    return time.perf_counter() - wall, time.process_time() - processor


def pages(app: App) -> float:
    """Return how many pages claiming and completing one task writes to the log before the database."""
    watched = apsw.Connection(str(app.database))
    watched.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    log = Path(f"{app.database}-wal")
    for _ in range(20):
        through_services(app)
    watched.close()
    return log.stat().st_size / 4120 / 20


def bare_pair(path: Path) -> Callable[[], float]:
    """Return a function that claims and completes one row with two bare statements at synchronous=FULL."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").fetchall()
    connection.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, state INTEGER); CREATE INDEX i ON t (id) WHERE state = 0"
    )
    connection.executemany("INSERT INTO t VALUES (?, 0)", ((number,) for number in range(5000)))

    def pair() -> float:
        began = time.perf_counter()
        rows = connection.execute(
            "UPDATE t SET state = 1 WHERE id = (SELECT id FROM t WHERE state = 0 ORDER BY id LIMIT 1) RETURNING id"
        ).fetchall()
        connection.execute("UPDATE t SET state = 2 WHERE id = ?", rows[0])
        return time.perf_counter() - began

    return pair


def main() -> int:
    """Measure, print, and return 1 when the bound does not hold."""
    with tempfile.TemporaryDirectory() as scratch:
        short, long = project(Path(scratch) / "a", 100), project(Path(scratch) / "b", 100_000)
        for app in (short, long):
            claim(app)
        pairs = [(claim(short), claim(long)) for _ in range(CLAIMS)]
        few = statistics.median(one for one, _ in pairs)
        many = statistics.median(other for _, other in pairs)
        ratio = many / few
        print(f"claim, 100 waiting:      {few * 1e6:8.0f} us (median of {CLAIMS})")
        print(f"claim, 100,000 waiting:  {many * 1e6:8.0f} us")
        print(f"ratio: {ratio:.2f} (bound {BOUND})")
        bare = bare_pair(Path(scratch) / "bare.db")
        both = [(spent(bare), spent(lambda: through_services(short))) for _ in range(50)]
        floor, ours = ((statistics.median(pair[who][0] for pair in both)) for who in (0, 1))
        busy = [statistics.median(pair[who][1] for pair in both) for who in (0, 1)]
        print(f"claim+complete, two bare statements: {floor * 1e6:8.0f} us, on the processor {busy[0] * 1e6:.0f}")
        print(
            f"claim+complete, through services:    {ours * 1e6:8.0f} us, on the processor {busy[1] * 1e6:.0f}; "
            f"ratio {ours / floor:.1f}, on the processor {busy[1] / busy[0]:.1f}"
        )
        print(
            "  five durable commits instead of two: claimed, started, handed in, landing, done, each with its event;\n"
            f"  {pages(short):.0f} database pages of 4 KiB written per task, in the task's, attempt's, agent's and "
            "event's rows and their indexes"
        )
        return 0 if ratio <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
