import fcntl
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.run_dir import State, Why, state
from agent_orchestrator.runtime.sweeping import has_minder, sweep
from calling import wait_for
from runtime import trees
from runtime.conftest import Start
from runtime.trees import SHAPES, living, witnessed

Tree = Callable[..., Process]
MakeSpawn = Callable[..., Spawn]

SUPERVISOR = """
import os, pickle, signal, sys
from agent_orchestrator.runtime.process import Process
Process.start(pickle.load(sys.stdin.buffer))
print("started", flush=True)
signal.pause()
"""


@pytest.fixture
def abandoned(spawn: MakeSpawn, witness: Path) -> Callable[..., Spawn]:
    """Have a supervisor start a tree, and kill the supervisor when the tree stands."""

    def make(shape: str, **given: object) -> Spawn:
        import pickle

        made = spawn(sys.executable, "-I", "-S", trees.__file__, shape, str(witness), **given)
        supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with supervisor:
            supervisor.stdin.write(pickle.dumps(made))
            supervisor.stdin.close()
            assert supervisor.stdout.readline() == b"started\n"
            wait_for(lambda: len(witnessed(witness)) >= SHAPES[shape])
            supervisor.kill()
        return made

    return make


def kill_minder(process: Process) -> None:
    os.kill(process.minder.pid, signal.SIGKILL)
    select.select([process], [], [], 10)


def end(process: Process) -> None:
    """Kill an adopted agent and wait for its minder's end."""
    process.kill()
    assert select.select([process], [], [], 30)[0]


def test_an_agent_outlives_its_supervisor_and_the_next_one_sees_its_exit(abandoned: Callable[..., Spawn]) -> None:
    run_dir = abandoned("plain").run_dir
    assert state(run_dir) is State.RUNNING

    with Process.adopt(run_dir) as adopted:
        assert adopted.exit() is None
        assert adopted.agent is not None
        os.kill(adopted.agent.pid, signal.SIGTERM)  # it ends by itself, not through us

        assert select.select([adopted], [], [], 30)[0]
        record = adopted.exit()

    assert (record.why, record.rc) == (Why.EXITED, -signal.SIGTERM)
    assert state(run_dir) is State.ENDED
    assert Process.adopt(run_dir) is None


@pytest.mark.parametrize(("verb", "why"), [("stop", Why.STOPPED), ("kill", Why.KILLED)])
@pytest.mark.parametrize("shape", ["daemon_without_environment", "ignores_term"])
def test_an_adopted_agent_can_be_stopped_and_killed(
    abandoned: Callable[..., Spawn], witness: Path, shape: str, verb: str, why: Why
) -> None:
    with Process.adopt(abandoned(shape).run_dir) as adopted:
        getattr(adopted, verb)()

        assert select.select([adopted], [], [], 30)[0]
        assert adopted.exit().why is why

    assert living(witness) == []


def test_an_agent_is_an_orphan_when_nobody_holds_the_supervisors_lock(
    abandoned: Callable[..., Spawn], witness: Path, tmp_path: Path
) -> None:
    lock = tmp_path / "supervisor.lock"
    lock.touch()

    made = abandoned("plain", supervisor_lock=lock, orphan_ttl_s=0.4)

    wait_for(lambda: state(made.run_dir) is State.ENDED)
    wait_for(lambda: living(witness) == [])
    assert json.loads((made.run_dir / "exit.json").read_bytes())["why"] == "orphaned"


def test_an_agent_whose_supervisors_lock_is_held_again_is_no_orphan(
    abandoned: Callable[..., Spawn], witness: Path, tmp_path: Path
) -> None:
    with (tmp_path / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = abandoned("plain", supervisor_lock=tmp_path / "supervisor.lock", orphan_ttl_s=0.1)

        with Process.adopt(made.run_dir) as adopted:
            assert not select.select([adopted], [], [], 1)[0]
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert select.select([adopted], [], [], 30)[0]
            assert adopted.exit().why is Why.ORPHANED


def test_time_with_a_supervisor_does_not_count_towards_an_orphans_end(
    abandoned: Callable[..., Spawn], witness: Path, tmp_path: Path
) -> None:
    with (tmp_path / "supervisor.lock").open("w") as lock:
        made = abandoned("plain", supervisor_lock=tmp_path / "supervisor.lock", orphan_ttl_s=4)
        with Process.adopt(made.run_dir) as adopted:
            assert not select.select([adopted], [], [], 0.5)[0]
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert not select.select([adopted], [], [], 4)[0]
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert not select.select([adopted], [], [], 1)[0]
            assert select.select([adopted], [], [], 30)[0]


def test_the_limits_hold_without_a_supervisor(abandoned: Callable[..., Spawn], witness: Path) -> None:
    made = abandoned("ignores_term", wall_s=1.5)

    wait_for(lambda: state(made.run_dir) is State.ENDED)

    assert json.loads((made.run_dir / "exit.json").read_bytes())["why"] == "wall_clock"
    assert living(witness) == []


FOUND_BY_SWEEP = [shape for shape in SHAPES if shape not in ("daemon_without_environment", "main_exits_daemon_stays")]


@pytest.mark.parametrize("shape", FOUND_BY_SWEEP)
def test_a_killed_minder_takes_the_agent_along_and_a_sweep_the_rest(tree: Tree, witness: Path, shape: str) -> None:
    process = tree(shape)
    kill_minder(process)

    wait_for(lambda: trees.start_time(process.agent.pid) is None)  # before any sweep: PDEATHSIG
    assert state(process.run_dir) is State.VANISHED
    assert process.exit() is None
    left = sweep(process.run_dir)

    assert left.clear
    assert living(witness) == []


@pytest.mark.parametrize("shape", FOUND_BY_SWEEP)
def test_a_sweep_finds_what_is_left_when_supervisor_and_minder_die_at_once(
    abandoned: Callable[..., Spawn], witness: Path, shape: str
) -> None:
    made = abandoned(shape)
    with Process.adopt(made.run_dir) as adopted:
        kill_minder(adopted)

    assert sweep(made.run_dir).clear
    assert living(witness) == []


def test_a_sweep_finds_a_process_without_environment_by_its_session(start: Start, witness: Path) -> None:
    process = start("sh", "-c", f'env -i sh -c "echo \\$\\$ > {witness}; while :; do sleep 1; done" {witness} & wait')
    wait_for(lambda: witness.exists() and witness.read_text().strip())
    pid = int(witness.read_text())
    kill_minder(process)
    wait_for(lambda: trees.start_time(process.agent.pid) is None)
    assert trees.start_time(pid)

    left = sweep(process.run_dir)

    assert pid in left.killed
    assert trees.start_time(pid) is None
    witness.unlink()


def test_a_sweep_spares_other_attempts_also_those_with_a_longer_name(tree: Tree, start: Start, tmp_path: Path) -> None:
    victim = start("sleep", "600", name="a", run_id=f"{tmp_path}-1")
    longer = (f"{tmp_path}-10", f"a-{tmp_path}-1")
    others = [start("sleep", "600", name=name, run_id=run_id) for name, run_id in zip("bc", longer, strict=True)]
    for process in [victim, *others]:
        wait_for(lambda p=process: p.agent)
    kill_minder(victim)

    assert sweep(victim.run_dir).clear

    for other in others:
        assert trees.start_time(other.agent.pid)
        assert other.exit() is None


def test_a_sweep_spares_the_supervisor_that_carries_the_mark_itself(start: Start, tmp_path: Path) -> None:
    process = start("sleep", "600", run_id=f"{tmp_path}-nested")
    wait_for(lambda: process.agent)
    kill_minder(process)
    script = f"""
import pathlib
from agent_orchestrator.runtime.sweeping import sweep
print(sweep(pathlib.Path({str(process.run_dir)!r})).clear)
"""
    env = {**os.environ, "ORCHESTRATE_RUN_ID": f"{tmp_path}-nested"}

    shell = ["sh", "-c", '"$@"; echo spared', "sh", sys.executable, "-c", script]  # its parent has the mark as well
    run = subprocess.run(shell, env=env, capture_output=True, text=True, check=False)

    assert run.stdout == "True\nspared\n", run.stderr


def test_a_living_minder_is_not_swept_away(start: Start) -> None:
    process = start("sleep", "600")

    with pytest.raises(RuntimeError, match="alive"):
        sweep(process.run_dir)


def test_after_a_restart_of_the_machine_nothing_is_touched(start: Start) -> None:
    """The pids in the record belong to others by then."""
    process = start("sleep", "600")
    agent = wait_for(lambda: process.agent)
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    kill_minder(process)
    wait_for(lambda: trees.start_time(agent.pid) is None)
    record = json.loads((process.run_dir / "pid.json").read_bytes())
    record["agent"] = {"pid": bystander.pid, "start_time": int(trees.start_time(bystander.pid))}
    (process.run_dir / "pid.json").write_text(json.dumps(record | {"boot_id": "an earlier one"}))

    assert sweep(process.run_dir).killed == ()

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.parametrize("changed", ["boot_id", "start_time"])
def test_a_minder_of_another_identity_is_not_adopted(start: Start, changed: str) -> None:
    process = start("sleep", "600")
    wait_for(lambda: process.agent)
    record = json.loads((process.run_dir / "pid.json").read_bytes())
    if changed == "boot_id":
        record["boot_id"] = "an earlier one"
    else:
        record["minder"]["start_time"] += 1
    (process.run_dir / "pid.json").write_text(json.dumps(record))

    assert Process.adopt(process.run_dir) is None


def test_a_reused_session_number_is_no_proof(start: Start) -> None:
    process = start("sleep", "600")
    agent = wait_for(lambda: process.agent)
    kill_minder(process)
    wait_for(lambda: trees.start_time(agent.pid) is None)
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    record = json.loads((process.run_dir / "pid.json").read_bytes())
    started = int(trees.start_time(stranger.pid))
    record["agent"] = {"pid": stranger.pid, "start_time": started - 1}  # whose pid the stranger now has
    (process.run_dir / "pid.json").write_text(json.dumps(record))

    left = sweep(process.run_dir)

    assert stranger.poll() is None
    assert stranger.pid not in left.killed
    stranger.kill()
    stranger.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="minders are named on Linux")
def test_a_process_below_a_living_minder_is_of_that_minders_attempt(start: Start) -> None:
    process = start("sleep", "600")
    agent = wait_for(lambda: process.agent)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        assert (has_minder(agent.pid), has_minder(bystander.pid)) == (True, False)
        bystander.kill()


def test_the_states_of_an_attempt(start: Start, spawn: MakeSpawn, tmp_path: Path) -> None:
    assert state(tmp_path / "none") is State.NEVER_STARTED

    process = start("sleep", "600", name="one")
    assert state(process.run_dir) in (State.STARTING, State.RUNNING)
    wait_for(lambda: process.agent)
    assert state(process.run_dir) is State.RUNNING
    process.kill()
    assert select.select([process], [], [], 10)[0]
    assert state(process.run_dir) is State.ENDED


def test_an_attempt_whose_minder_died_before_the_record_never_started(
    start: Start, tmp_path: Path, spawn: MakeSpawn
) -> None:
    for number in range(20):
        process = start("touch", f"ran-{number}", name=f"run-{number}")
        select.select([process], [], [], number / 1000)  # somewhere in its start
        with suppress(ProcessLookupError):
            kill_minder(process)

        match state(process.run_dir):
            case State.NEVER_STARTED:
                assert process.agent is None
                assert sweep(process.run_dir).clear
                assert not (tmp_path / f"ran-{number}").exists()
            case State.VANISHED:
                assert process.agent is not None
            case other:
                assert other is State.ENDED


def test_an_unreadable_record_is_not_a_death(start: Start) -> None:
    process = start("sleep", "600")
    wait_for(lambda: process.agent)
    (process.run_dir / "lock").rename(process.run_dir / "away")
    (process.run_dir / "lock").symlink_to("lock")  # opening it fails with ELOOP, for root as well

    with pytest.raises(OSError, match="symbolic links"):
        state(process.run_dir)
    with pytest.raises(OSError, match="symbolic links"):
        sweep(process.run_dir)
    assert trees.start_time(process.agent.pid)


def test_a_run_directory_is_never_used_twice(start: Start, spawn: MakeSpawn) -> None:
    start("true")

    with pytest.raises(FileExistsError):
        Process.start(spawn("true"))


def test_closing_ends_nothing_and_keeps_nothing(start: Start, tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    process = start("sh", "-c", "until test -e go; do sleep 0.02; done")
    wait_for(lambda: process.agent)

    process.close()

    assert sorted(os.listdir("/proc/self/fd")) == before
    with Process.adopt(process.run_dir) as adopted:
        (tmp_path / "go").touch()
        assert select.select([adopted], [], [], 30)[0]
        assert adopted.exit().rc == 0


def test_no_zombie_stays_of_an_ended_minder(start: Start) -> None:
    process = start("true")
    assert select.select([process], [], [], 30)[0]

    process.exit()

    assert not Path(f"/proc/{process.minder.pid}").exists()


def test_many_short_agents_at_once_all_end_with_their_own_code(start: Start) -> None:
    processes = [start("sh", "-c", f"exit {code}", name=f"run-{code}") for code in range(40)]

    for code, process in enumerate(processes):
        assert select.select([process], [], [], 60)[0]
        assert process.exit().rc == code


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["wall_s", "silence_s", "output_bytes", "memory_bytes"])
def test_a_limit_that_would_never_trip_or_always_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(Limits(), **{name: value})


def test_a_sweep_finds_the_descendants_of_what_it_finds(tree: Tree, witness: Path, spawn: MakeSpawn) -> None:
    """A shell with the mark, in a session of its own, whose child has neither mark nor session."""
    process = tree("plain")
    marked = subprocess.Popen(
        ["sh", "-c", f'setsid env -i sh -c "sleep 600; : {witness}" & wait'],
        env={**os.environ, "ORCHESTRATE_RUN_ID": spawn().run_id},
        start_new_session=True,
    )
    wait_for(lambda: len(living(witness)) >= 4)
    kill_minder(process)

    assert sweep(process.run_dir).clear

    marked.wait()
    wait_for(lambda: living(witness) == [])
