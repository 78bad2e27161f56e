"""Who judges a storm: the agents' own witness, the kernel's locks and processes, and git.

What the program under test says of itself is only ever held against these, never believed.
"""

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doubles.scripted_agent import Mark, read_witness
from processes import holders, marked, minders, naming

LOOK_EVERY_S = 0.2
HELD = {"claimed", "running", "waiting"}
"""What may be said of a task while its agent lives."""


@dataclass
class Ground:
    """Where a storm takes place."""

    root: Path
    """Everything lies below it, and every process of ours names it somewhere."""

    @property
    def disk(self) -> Path:
        """What the program writes to, apart from what its judge relies on: it may be full."""
        return self.root / "disk"

    @property
    def project(self) -> Path:
        return self.disk / "project"

    @property
    def state(self) -> Path:
        return self.disk / "state"

    @property
    def temporary(self) -> Path:
        return self.disk / "tmp"

    @property
    def witness(self) -> Path:
        return self.root / "witness"

    @property
    def log(self) -> Path:
        return self.root / "runs.log"

    @property
    def too_early(self) -> Path:
        """A file per task that began without what it needs."""
        return self.root / "too-early"

    @property
    def scripts(self) -> Path:
        """A file per task: what its agent does."""
        return self.root / "scripts"

    def locks(self) -> dict[int, str]:
        """Return inode and label of the lock of every task that has begun."""
        return {
            entry.inode(): entry.name.removeprefix("witness.").removesuffix(".lock")
            for entry in os.scandir(self.root)
            if entry.name.startswith("witness.") and entry.name.endswith(".lock")
        }

    def database(self) -> Path | None:
        return next(iter(self.state.glob("orchestrate/*/tasks.db")), None)

    def ask(self, sql: str) -> dict[Any, Any]:
        """Return what the program's records say: two columns. Nothing while there are none."""
        database = self.database()
        if database is None:
            return {}
        try:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
                return dict(connection.execute(sql))
        except sqlite3.OperationalError:  # no table yet
            return {}

    def states(self) -> dict[str, str]:
        """Return the state of each task by its label, as recorded."""
        return self.ask("SELECT key, state FROM tasks")

    def most_attempts(self) -> int:
        """Return the most attempts that a task which is not over has used up."""
        return max(self.ask("SELECT key, attempts FROM tasks WHERE state <> 'done'").values(), default=0)

    def term(self) -> int:
        """Return the latest term of a supervisor, 0 before the first."""
        return max(self.ask("SELECT pid, term FROM leadership").values(), default=0)

    def leads(self, pid: int, *, after: int) -> bool:
        """Say whether process *pid* was recorded to lead in a term *after* that one; others may have had it before."""
        return pid in self.ask(f"SELECT pid, term FROM leadership WHERE term > {after}")


@dataclass
class Oracle:
    """Collects what must never be."""

    ground: Ground
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    """How often the living were held against the records."""
    _looked: float = 0.0
    _read: int = 0
    """Bytes of the witness that were looked at."""

    def violated(self, what: str) -> None:
        if what not in self.violations:
            self.violations.append(what)

    # While the storm goes on

    def look_again(self) -> None:
        """Look unless that was only just done: on a machine at its limits, looking must not be all that it does."""
        if time.monotonic() - self._looked > LOOK_EVERY_S:
            self.look()

    def look(self) -> None:
        """Nothing that lives may be called over. Seen alive before *and* after the records were read."""
        before = self._living()
        states, ended = self._records()
        if not states:
            return
        after = self._living()
        self.looks += 1
        self._looked = time.monotonic()
        for what, label, pid in before & after:
            if what == "lock" and states.get(label, "running") not in HELD:
                self.violated(f"{label} is {states[label]} while its agent, process {pid}, holds its lock")
            if what == "mark" and label in ended:
                self.violated(f"attempt {label} is {ended[label]} while its process {pid} lives")
        for mark in self._new_marks():
            if mark.what == "DOUBLE-RUN":
                self.violated(f"two agents worked on {mark.label} at once")
        for early in self.ground.too_early.glob("*"):
            self.violated(f"{early.name} began before what it needs was there")

    def _living(self) -> set[tuple[str, str, int]]:
        found = {("lock", name, pid) for name, pid in holders(self.ground.locks())}
        return found | {("mark", attempt, pid) for pid, attempt in marked(self.ground.root).items()}

    def _records(self) -> tuple[dict[str, str], dict[str, str]]:
        return self.ground.states(), self.ground.ask("SELECT id, outcome FROM attempts WHERE outcome IS NOT NULL")

    def _new_marks(self) -> list[Mark]:
        """Return what was written to the witness since the last look."""
        if not self.ground.witness.exists():
            return []
        with self.ground.witness.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        return [Mark(**json.loads(line)) for line in whole.splitlines()]

    def marks(self) -> list[Mark]:
        return read_witness(self.ground.witness)

    # When it is over

    def judge(self, acknowledged: dict[str, str], git: Callable[..., str]) -> None:
        """Hold every task that was *acknowledged*, label to id, against git; look for what was left."""
        self.look()
        log = git("log", "--format=%(trailers:key=Task,valueonly)", "main")
        landed = Counter(line.split()[1] for line in log.splitlines() if line.strip())
        for label in acknowledged:
            number = label.removeprefix("job-")
            done = self.ground.project / f"done-{number}.txt"
            if landed[label] == 0:
                self.violated(f"{label} was acknowledged and is not on main")
            elif not done.is_file() or done.read_text() != f"{number}\n":
                self.violated(f"{label} is on main without its work")
        for label, times in landed.items():
            if times > 1:
                self.violated(f"{label} was landed {times} times")
        states, _ = self._records()
        for label, state in states.items():
            if state != "done":
                self.violated(f"{label} was left {state}")
        database = self.ground.database()
        if database is not None:
            with closing(sqlite3.connect(database)) as connection:
                if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                    self.violated("the database is damaged")
        for line in self.ground.log.read_text(errors="replace").splitlines():
            if "Traceback" in line or "internal error" in line:
                self.violated(f"a run said: {line[:200]}")

    def leftovers(self) -> list[str]:
        """Return the processes of the storm that are still there."""
        left = [f"{pid} ({attempt})" for pid, attempt in marked(self.ground.root).items()]
        left += [f"{pid} (minder)" for pid in minders(self.ground.state)]
        return left + [f"{pid} ({words[:80]})" for pid, words in naming(self.ground.root).items()]
