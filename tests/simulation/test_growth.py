"""A supervisor that leads for long does not grow: what it holds after a night is what it held at its beginning."""

import gc
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.runtime.supervisor import Supervisor
from agent_orchestrator.stores.sqlite import SqliteStore
from simulation import world
from simulation.world import Counts, SubmitterDied, World

pytestmark = pytest.mark.timeout(900)
TASKS = 600
OBJECTS = 150
"""More than caches of the interpreter come to, and less than one object a task."""
NOT_ITS_OWN = (type, types.ModuleType, types.FrameType, App, SqliteStore, World)


def held(supervisor: Supervisor) -> int:
    """Return how many objects are reached from a supervisor, without the database and the world around it."""
    gc.collect()
    seen: set[int] = set()
    pending: list[Any] = [supervisor]
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, NOT_ITS_OWN) or type(one).__module__.startswith("simulation"):
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType):
            pending.extend(cell.cell_contents for cell in one.__closure__ or ())
        else:
            pending.extend(gc.get_referents(one))
    return len(seen)


def test_what_a_supervisor_holds_does_not_grow_with_the_tasks_it_has_led(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [(0, 0)]
    leading: list[Supervisor] = []

    class Night(World):
        """Nothing goes wrong but the work; the next goal comes when nothing is left to do."""

        def _lead(self) -> None:
            self._more()
            super()._lead()

        def _more(self) -> None:
            with self._as_user(), suppress(SubmitterDied):
                self._submit()
            self.strikes_user = 0

        def _user(self) -> None:
            self.at(self.random.expovariate(1 / 5), "user")
            one = leading[-1]
            if self.leads and not (one.running or one.preparing or one.settling or self.app.goals.open()):
                landed = sum(self.landings.values())
                if landed >= sizes[-1][0] + TASKS // 30:  # looking costs more than the work
                    sizes.append((landed, held(one)))
                if landed >= TASKS:
                    self.app.supervision.stop()
                    self.quiet = True
                    return
                self._more()

    def made(self: Supervisor, *given: Any, **more: Any) -> None:
        begun(self, *given, **more)
        leading.append(self)

    begun, options = Supervisor.__init__, world.RunOptions
    monkeypatch.setattr(Supervisor, "__init__", made)
    monkeypatch.setattr(world, "FAULTS", {"late_write": 1})
    monkeypatch.setattr(
        world, "RunOptions", lambda **of: options(**of | {"watch": True, "until": None, "budget": None})
    )
    counts = Counts()
    Night(7, tmp_path, counts, 10**9).live()

    assert counts.violations == [] and len(leading) == 1
    third = [size for landed, size in sizes if TASKS / 10 < landed <= TASKS / 3]
    last = [size for landed, size in sizes if landed > 2 * TASKS / 3]
    assert max(last) - max(third) < OBJECTS, (max(third), max(last))
