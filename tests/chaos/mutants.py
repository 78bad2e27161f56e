"""Ways to break the program, each in a copy of it, and the storm in which the oracle must see that.

A storm that finds nothing proves nothing unless it finds these. Some faults hide behind a second line of defence or
need an unlikely moment: then the mutant takes both lines away, or makes the moment last. Two that are missing on
purpose: without the fencing token nothing goes wrong here, because the kernel's lock keeps a second supervisor out (the
simulation takes the lock away); and commits that are not flushed are only lost with the machine's power
(tests/stores/test_disk_and_locks.py).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import agent_orchestrator
from chaos.storm import MANNERS, WEIGHTS, Figures, Plan, Storm

SLOW = ("sleep {s}\nsleep {s}",)
LEAVES_A_PROCESS = ("daemon {beat}\nsleep {s}", "child_ignore_term {beat}\nsleep {s}\nsleep {s}")
KILLS = 40
"""At most. Each storm ends at the first violation."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One way to break the program."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    """File below the package, what stands there once, and what stands there instead."""
    weights: tuple[str, ...] = tuple(WEIGHTS)
    manners: tuple[str, ...] = MANNERS
    kills: int = KILLS
    patience_s: float = 60
    says: str = ""
    """Words of the violation that must be seen."""
    sandbox: str = "auto"
    """``off`` where the kernel would end what the broken program leaves behind: a sandbox is a line of defence too."""


MUTANTS = (
    Mutant(
        name="no_dependencies",
        changes=(
            (
                "stores/sql/tasks.py",
                "SET state = 'blocked' WHERE id = ? AND state = 'ready' AND unmet > 0",
                "SET state = 'blocked' WHERE id = ? AND state = 'ready' AND unmet > 99",
            ),
        ),
        weights=("temp",),
        manners=SLOW,
        says="began before what it needs",
    ),
    Mutant(
        name="trust_exit_codes",
        changes=(
            ("runtime/landing.py", "if task.expects_change and not collected.files:", "if False:"),
            (
                "runtime/verification.py",
                "case CheckResult.FAILED | CheckResult.TIMED_OUT:\n            return Verdict.REJECTED",
                "case CheckResult.FAILED | CheckResult.TIMED_OUT:\n            return Verdict.VERIFIED",
            ),
        ),
        weights=("temp",),
        manners=MANNERS[5:7],
        kills=3,
        says="job-",
    ),
    Mutant(
        name="no_lock",
        changes=(
            ("runtime/leadership.py", "            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", ""),
            ("services/supervision.py", "return latest if is_alive(latest) else None", "return None"),
        ),
        weights=("pause",),
        manners=SLOW,
        says="a rival of a stopped leader was not refused",
    ),
    Mutant(
        name="free_without_proof",
        changes=(("runtime/recovery.py", "if found is State.NEVER_STARTED:", "if found:"),),
        weights=("supervisor",),
        manners=SLOW,
        says="while its",
    ),
    Mutant(
        name="trust_the_pid",
        changes=(
            (
                "runtime/run_dir.py",
                "    if held:\n        return State.RUNNING if",
                "    if begun:\n        return State.RUNNING if",
            ),
        ),
        weights=("both", "minder"),
        manners=LEAVES_A_PROCESS,
        says="process",
    ),
    Mutant(
        name="no_sweep",
        changes=(
            (
                "runtime/sweeping.py",
                '    if minder.is_held(run_dir / "lock"):\n        raise',
                "    return Leftovers()\n    if 1:\n        raise",
            ),
        ),
        weights=("both", "minder"),
        manners=LEAVES_A_PROCESS,
        says="process",
    ),
    Mutant(
        name="no_subreaper",
        changes=(("runtime/minder.py", "            _prctl(_PR_SET_CHILD_SUBREAPER, 1)", "            pass"),),
        weights=("temp",),
        manners=LEAVES_A_PROCESS[:1],
        kills=12,
        says="process",
        sandbox="off",
    ),
    Mutant(
        name="record_before_the_end",
        changes=(
            (
                "runtime/minder.py",
                "if no_children and self.status is not None and (self.tree.proof or self._swept()):",
                "if self.status is not None:",
            ),
        ),
        weights=("temp",),
        manners=LEAVES_A_PROCESS,
        kills=12,
        says="process",
        sandbox="off",
    ),
    Mutant(
        name="early_ack",
        changes=(
            (
                "stores/sqlite.py",
                'connection.execute("BEGIN IMMEDIATE")',
                'connection.in_transaction or connection.execute("BEGIN IMMEDIATE")',
            ),
            ("stores/sqlite.py", 'connection.execute("COMMIT")', "_later(connection)"),
            (
                "stores/sqlite.py",
                "                if connection.in_transaction:\n",
                "                if connection.in_transaction and 'submit' not in os.sys.argv:\n",
            ),
            (
                "stores/sqlite.py",
                "def _is_full(",
                "def _later(connection):\n"
                "    import atexit, time\n"
                "    if 'submit' not in os.sys.argv:\n"
                "        connection.execute('COMMIT')\n"
                "    elif not hasattr(_later, 'once'):\n"
                "        _later.once = True\n"
                "        atexit.register(lambda: (time.sleep(1), connection.execute('COMMIT')))\n"
                "\n\n"
                "def _is_full(",
            ),
        ),
        weights=("submitter",),
        manners=("",),
        kills=15,
        says="acknowledged and is not on main",
    ),
    Mutant(
        name="lands_twice",
        changes=(
            ("runtime/merge_queue.py", "landed = self.landing.recover(attempt)", "landed = False"),
            (
                "runtime/landing.py",
                "                evidence = replace(evidence, commit=landed)\n",
                "                __import__('time').sleep(0.5)\n"
                "                evidence = replace(evidence, commit=landed)\n",
            ),
        ),
        weights=("supervisor",),
        manners=("",),
        kills=12,
        says="was landed 2 times",
    ),
    Mutant(
        name="no_recovery",
        changes=(("runtime/recovery.py", "for attempt in self.store.attempts.open():", "for attempt in ():"),),
        weights=("supervisor",),
        manners=SLOW,
        kills=4,
        patience_s=20,
        says="had not ended",
    ),
)


def storm_with(mutant: Mutant, place: Path, seed: int) -> Figures:
    """Return what a storm over the program with *mutant* came to."""
    plan = Plan(
        kills=mutant.kills,
        seed=seed,
        weights={kind: WEIGHTS[kind] for kind in mutant.weights},
        manners=mutant.manners,
        source=broken(mutant, place / "source"),
        patience_s=mutant.patience_s,
        fail_fast=True,
        sandbox=mutant.sandbox,
    )
    return Storm(plan, place / "storm").run()


def broken(mutant: Mutant, source: Path) -> Path:
    """Copy the program to *source* and break it there."""
    package = Path(agent_orchestrator.__file__).parent
    shutil.copytree(package, source / package.name)  # with what is compiled: the times of the files are kept
    for file, before, after in mutant.changes:
        path = source / package.name / file
        text = path.read_text()
        assert text.count(before) == 1, f"{mutant.name}: {file} does not hold once: {before}"
        path.write_text(text.replace(before, after))
    return source
