import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_orchestrator.runtime import nursery as nurseries
from agent_orchestrator.runtime.nursery import Nursery
from agent_orchestrator.runtime.process import Process, Spawn
from agent_orchestrator.runtime.run_dir import State, Why, state
from agent_orchestrator.runtime.sweeping import sweep
from calling import wait_for
from runtime import trees
from runtime.trees import SHAPES, living, witnessed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a nursery needs pidfds")

MakeSpawn = Callable[..., Spawn]
TESTIFY = 'echo "$$" >> "$0"; exec sleep 60'

SUPERVISOR = """
import pickle, signal, sys
from agent_orchestrator.runtime.nursery import Nursery
from agent_orchestrator.runtime.process import Process
nursery = Nursery()
Process.start(pickle.load(sys.stdin.buffer), nursery)
print(nursery._opened.process.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def fork(spawn: MakeSpawn, nursery: Nursery, witness: Path) -> Iterator[Callable[..., Process]]:
    """Start an agent by way of the nursery; its minder is ended with the test."""
    started: list[Process] = []

    def make(*argv: str, **given: object) -> Process:
        started.append(Process.start(spawn(*argv, **given), nursery))
        return started[-1]

    yield make
    for process in started:
        process.kill()
        select.select([process], [], [], 30)
        process.close()


def pid_of(nursery: Nursery) -> int:
    assert nursery._opened is not None
    return nursery._opened.process.pid


def ended(process: Process) -> None:
    assert select.select([process], [], [], 60)[0]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_forked_minder_minds_its_agent_and_records_its_end(
    nursery: Nursery, fork: Callable[..., Process], tmp_path: Path
) -> None:
    process = fork("sh", "-c", "echo out; echo err >&2; read line; exit 3", stdin=_file(tmp_path, "x"))
    ended(process)

    record = process.exit()
    assert record is not None and (record.rc, record.why) == (3, Why.EXITED)
    assert (process.run_dir / "stdout.log").read_text() == "out\n"
    assert (process.run_dir / "stderr.log").read_text() == "err\n"
    assert state(process.run_dir) is State.ENDED
    assert not (process.run_dir / "spawn.json").exists()


def test_every_minder_comes_from_the_one_nursery_and_names_its_run_folder(
    nursery: Nursery, fork: Callable[..., Process]
) -> None:
    processes = [fork("sleep", "60", name=name) for name in ("one", "two")]
    wait_for(lambda: all(process.agent for process in processes))

    for process in processes:
        assert parent(process.minder.pid) == pid_of(nursery)
        assert os.getsid(process.minder.pid) == process.minder.pid
        words = Path(f"/proc/{process.minder.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert words == [b"minder", os.fsencode(process.run_dir)]


def test_an_agent_of_a_forked_minder_inherits_nothing(fork: Callable[..., Process]) -> None:
    process = fork("sh", "-c", "ls /proc/$$/fd; env | cut -d= -f1 | sort")
    ended(process)

    said = (process.run_dir / "stdout.log").read_text().split()
    assert [word for word in said if word.isdigit()] == ["0", "1", "2"]
    assert {word for word in said if not word.isdigit()} <= {"PATH", "PWD", "_", "SHLVL", "ORCHESTRATE_RUN_ID"}


@pytest.mark.parametrize(("word", "shape"), [("stop", "daemon"), ("kill", "setsid_child")])
def test_a_stop_and_a_kill_reach_the_whole_tree_of_a_forked_minder(
    fork: Callable[..., Process], witness: Path, word: str, shape: str
) -> None:
    process = fork(sys.executable, "-I", "-S", trees.__file__, shape, str(witness))
    wait_for(lambda: len(witnessed(witness)) >= SHAPES[shape])

    getattr(process, word)()
    ended(process)

    assert living(witness) == []


def test_a_killed_forked_minder_is_seen_at_once_and_takes_the_agent_along(fork: Callable[..., Process]) -> None:
    process = fork("sleep", "60")
    agent = wait_for(lambda: process.agent)
    # It has the lock too until it executes, as any child of a minder: then it would be free only a moment later.
    wait_for(lambda: Path(f"/proc/{agent.pid}/cmdline").read_bytes().startswith(b"sleep\0"))

    os.kill(process.minder.pid, signal.SIGKILL)
    ended(process)

    assert state(process.run_dir) is State.VANISHED
    wait_for(lambda: trees.start_time(agent.pid) is None)
    assert sweep(process.run_dir).clear


def test_a_killed_supervisor_takes_its_nursery_along_and_no_agent(spawn: MakeSpawn, witness: Path) -> None:
    import pickle

    made = spawn("sleep", "60")
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with supervisor:
        assert supervisor.stdin is not None and supervisor.stdout is not None
        supervisor.stdin.write(pickle.dumps(made))
        supervisor.stdin.close()
        nursery = int(supervisor.stdout.readline())
        wait_for(lambda: state(made.run_dir) is State.RUNNING)
        supervisor.kill()

    wait_for(lambda: trees.start_time(nursery) is None)
    process = Process.adopt(made.run_dir)
    assert process is not None, state(made.run_dir)
    with process:
        assert process.agent is not None and trees.start_time(process.agent.pid) is not None
        process.kill()
        ended(process)
    assert state(made.run_dir) is State.ENDED


def test_agents_outlive_their_nursery_and_the_next_one_starts_all_the_same(
    nursery: Nursery, fork: Callable[..., Process]
) -> None:
    before = fork("sleep", "60", name="before")
    wait_for(lambda: before.agent)
    killed = pid_of(nursery)
    os.kill(killed, signal.SIGKILL)

    meanwhile, after = fork("sleep", "60", name="meanwhile"), fork("sleep", "60", name="after")
    wait_for(lambda: meanwhile.agent and after.agent)

    assert parent(after.minder.pid) == pid_of(nursery) != killed
    assert [state(one.run_dir) for one in (before, meanwhile, after)] == [State.RUNNING] * 3
    before.stop()
    ended(before)
    assert (record := before.exit()) is not None and record.why is Why.STOPPED


def test_a_nursery_that_does_not_answer_is_given_up_and_its_attempt_runs_once(
    nursery: Nursery, fork: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nurseries, "ANSWER_S", 0.2)
    nursery.open()
    os.kill(pid_of(nursery), signal.SIGSTOP)

    process = fork("sh", "-c", TESTIFY, str(tmp_path / "ran"))
    wait_for(lambda: process.agent and (tmp_path / "ran").exists())

    assert parent(process.minder.pid) == os.getpid()
    assert len((tmp_path / "ran").read_text().split()) == 1


def test_a_minder_that_is_not_told_to_go_leaves_its_attempt_unstarted(
    nursery: Nursery, spawn: MakeSpawn, tmp_path: Path
) -> None:
    nursery.open()
    assert nursery._opened is not None
    run_dir = spawn("sleep", "60").run_dir
    run_dir.mkdir()
    (run_dir / "spawn.json").write_text("{}")
    lock = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    heard, lifeline = os.pipe()
    pid, end = nurseries._asked(nursery._opened.asks, run_dir, heard, lock)
    os.close(lock)
    os.close(heard)
    assert trees.start_time(pid) is not None

    os.close(lifeline)  # as the death of the supervisor does

    assert select.select([end], [], [], 60)[0]
    os.close(end)
    assert state(run_dir) is State.NEVER_STARTED
    assert (run_dir / "spawn.json").exists()


def test_a_closed_nursery_leaves_minders_to_be_started_by_themselves(
    nursery: Nursery, fork: Callable[..., Process]
) -> None:
    nursery.close()

    process = fork("true")
    ended(process)

    assert (record := process.exit()) is not None and record.rc == 0


def _file(folder: Path, text: str) -> Path:
    file = folder / "stdin"
    file.write_text(f"{text}\n")
    return file
