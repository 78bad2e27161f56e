"""How a minder ends agents that are in a sandbox, and what they inherit."""

import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from agent_orchestrator.runtime.process import Process
from agent_orchestrator.runtime.run_dir import ExitRecord, Why
from calling import wait_for
from runtime.conftest import Start


def ended(process: Process) -> ExitRecord:
    assert select.select([process], [], [], 60)[0], "the minder did not end"
    record = process.exit()
    assert record is not None
    return record


@pytest.fixture
def bubblewrap() -> tuple[str, ...]:
    """The start of a command in bubblewrap, or a skipped test."""
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed")
    argv = (program, "--die-with-parent", "--unshare-user", "--unshare-pid", "--bind", "/", "/", "--dev", "/dev", "--")
    tried = subprocess.run([*argv, "/bin/true"], capture_output=True, timeout=120)
    if tried.returncode != 0:
        pytest.skip(f"bubblewrap does not work here: {tried.stderr.decode()[:200]}")
    return argv


def test_an_agent_behind_a_watcher_is_asked_to_end_before_it_is_killed(
    start: Start, bubblewrap: tuple[str, ...], tmp_path: Path
) -> None:
    ready, gently = tmp_path / "ready", tmp_path / "gently"
    script = f"trap 'echo > {gently}; exit 3' TERM; echo > {ready}; while :; do sleep 0.05; done"
    process = start(*bubblewrap, "sh", "-c", script, grace_s=60, has_watcher=True)
    wait_for(ready.exists)

    process.stop()

    record = ended(process)
    assert gently.exists() and (record.why, record.rc, record.kill_rounds) == (Why.STOPPED, 3, 0)


def test_nothing_of_an_agent_behind_a_watcher_is_left(
    start: Start, bubblewrap: tuple[str, ...], tmp_path: Path
) -> None:
    beat = tmp_path / "beat"
    daemon = f"setsid sh -c 'while :; do echo >> {beat}; sleep 0.05; done' > /dev/null 2>&1 &"
    process = start(*bubblewrap, "sh", "-c", f"{daemon} while [ ! -s {beat} ]; do sleep 0.05; done", has_watcher=True)

    record = ended(process)

    size = beat.stat().st_size
    assert (record.why, record.rc, record.unaccounted) == (Why.EXITED, 0, ())
    assert not select.select([], [], [], 0.5)[0] and beat.stat().st_size == size


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM])
def test_an_agent_heeds_signals_that_its_supervisors_shell_ignores(start: Start, number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)  # so it is in a shell's background, and under nohup
    try:
        process = start("sh", "-c", f"kill -{number.name[3:]} $$; exit 0")
    finally:
        signal.signal(number, before)

    assert ended(process).rc == -number
