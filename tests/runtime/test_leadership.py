import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_orchestrator.domain.clock import SystemClock
from agent_orchestrator.domain.errors import AlreadyRunning, NothingToDo, StaleLease
from agent_orchestrator.notifiers.fifo import FifoNotifier
from agent_orchestrator.runtime.leadership import Leader
from agent_orchestrator.services.alive import is_alive
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.supervision import Supervision
from agent_orchestrator.stores.sqlite import SqliteStore

HOLD = """
import sys
from pathlib import Path
from agent_orchestrator.domain.clock import SystemClock
from agent_orchestrator.runtime.leadership import Leader
from agent_orchestrator.stores.sqlite import SqliteStore
folder = Path(sys.argv[1])
Leader(SqliteStore(folder / "tasks.db"), SystemClock(), folder / "lock").elect(max_agents=2, options={})
print("leading", flush=True)
sys.stdin.read()
"""


def leader(store: SqliteStore, folder: Path) -> Leader:
    return Leader(store, SystemClock(), folder / "lock")


def test_two_supervisors_never_lead_one_project_and_the_second_is_told_who_does(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    first = leader(store, tmp_path)
    first.elect(max_agents=3, options={})

    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        leader(store, tmp_path).elect(max_agents=3, options={})

    first.resign()
    assert leader(store, tmp_path).elect(max_agents=3, options={}).term == 2
    store.close()


def test_a_killed_supervisor_is_seen_as_dead_and_replaced_at_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    supervision = Supervision(store, Events(store, SystemClock()), FifoNotifier(tmp_path / "bell"))
    with pytest.raises(NothingToDo):
        supervision.stop()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "leading\n"
    assert supervision.current() is not None
    supervision.set_max_agents(7)

    child.send_signal(signal.SIGKILL)
    child.communicate()

    latest = store.leadership.get()
    assert latest is not None and latest.max_agents == 7 and not is_alive(latest)
    assert leader(store, tmp_path).elect(max_agents=1, options={}).term == 2
    store.close()


def test_an_earlier_leader_finds_out_that_its_term_is_over(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    first = leader(store, tmp_path)
    first.elect(max_agents=3, options={})
    with store.transaction():
        store.leadership.begin(pid=1, max_agents=3, options={}, now=SystemClock().now())

    with pytest.raises(StaleLease, match="term 1 is over"):
        first.renew()
    store.close()
