"""Keeping the machine awake, and noticing that it slept."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.runtime.awake import Awake, Sleeps
from calling import wait_for

GRANTS = 'echo "$@" >> {calls}; exec cat'
REFUSES = 'echo "$@" >> {calls}; echo "Failed to inhibit: no such bus" >&2; exit 1'
GRANTS_IDLE_ONLY = f'case "$*" in *idle:sleep*) {REFUSES};; *) {GRANTS};; esac'


class Machine:
    """A PATH with an inhibitor of ours on it, and what the run would log."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.folder, self.clock = folder, clock
        self.log: list[str] = []
        for name in ("cat", "sh"):
            found = next(one for one in ("/bin", "/usr/bin") if Path(one, name).exists())
            (folder / name).symlink_to(Path(found, name))

    def has(self, name: str, script: str) -> None:
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{script.format(calls=self.folder / 'calls')}\n")
        file.chmod(0o755)

    def awake(self, *, wanted: bool = True, platform: str = "linux") -> Awake:
        return Awake(self.clock, {"PATH": str(self.folder)}, self.log.append, wanted=wanted, platform=platform)

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def machine(tmp_path: Path, clock: HandClock) -> Machine:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Machine(folder, clock)


def until(awake: Awake, condition: Callable[[], bool]) -> None:
    def look() -> bool:
        awake.want(True)
        return condition()

    wait_for(look)


def test_while_there_is_work_an_inhibitor_runs_and_it_is_said_once(machine: Machine) -> None:
    machine.has("systemd-inhibit", GRANTS)
    awake = machine.awake()

    until(awake, lambda: bool(machine.calls))
    machine.clock.advance(timedelta(seconds=2))
    awake.want(True)
    awake.want(True)

    assert awake.holds and len(machine.calls) == 1
    assert "--what=idle:sleep" in machine.calls[0] and machine.calls[0].endswith(" cat")
    assert machine.log == ["the machine is kept awake while there is work (systemd-inhibit)"]
    awake.want(False)
    assert not awake.holds
    until(awake, lambda: len(machine.calls) == 2)
    awake.close()
    assert not awake.holds


def test_a_refusal_to_block_sleep_still_blocks_idling(machine: Machine) -> None:
    machine.has("systemd-inhibit", GRANTS_IDLE_ONLY)
    awake = machine.awake()

    until(awake, lambda: len(machine.calls) == 2)

    assert "--what=idle " in machine.calls[1] and awake.holds and machine.log == []
    awake.close()


def test_where_nothing_is_granted_it_is_said_once_and_the_run_goes_on(machine: Machine) -> None:
    machine.has("systemd-inhibit", REFUSES)
    awake = machine.awake()

    until(awake, lambda: len(machine.calls) == 2 and not awake.holds)
    assert machine.log == [], "a short run stays quiet"
    machine.clock.advance(timedelta(seconds=11))
    until(awake, lambda: bool(machine.log))
    awake.want(True)

    assert len(machine.log) == 1
    assert "nothing here keeps the machine awake: systemd-inhibit: Failed to inhibit: no such bus" in machine.log[0]
    awake.close()


def test_without_a_tool_it_is_said_once_and_with_the_setting_off_nothing_is_done(machine: Machine) -> None:
    awake = machine.awake()
    awake.want(True)
    machine.clock.advance(timedelta(seconds=11))
    awake.want(True)
    awake.want(True)
    assert machine.log == [
        "nothing here keeps the machine awake: neither systemd-inhibit nor caffeinate is on PATH; "
        "if it sleeps, work goes on afterwards"
    ]

    machine.has("systemd-inhibit", GRANTS)
    off = machine.awake(wanted=False)
    off.want(True)
    assert not off.holds and machine.calls == [] and len(machine.log) == 1


def test_on_a_mac_caffeinate_watches_our_process(machine: Machine) -> None:
    machine.has("caffeinate", GRANTS)
    awake = machine.awake(platform="darwin")

    until(awake, lambda: bool(machine.calls))

    assert machine.calls == [f"-i -s -w {os.getpid()}"]
    awake.close()


def test_the_inhibitor_ends_with_a_run_that_is_killed(machine: Machine) -> None:
    machine.has("systemd-inhibit", f"echo $$ >> {machine.folder / 'pid'}; exec cat")
    code = (
        "import sys, time\nfrom agent_orchestrator.domain.clock import SystemClock\n"
        "from agent_orchestrator.runtime.awake import Awake\n"
        "awake = Awake(SystemClock(), {'PATH': sys.argv[1]}, print, platform='linux')\n"
        "while True:\n    awake.want(True)\n    time.sleep(0.05)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(machine.folder)], env={**os.environ})
    written = machine.folder / "pid"
    try:
        wait_for(lambda: written.exists() and bool(written.read_text().strip()))
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait(120)

    wait_for(lambda: not is_there(int(written.read_text())))


def is_there(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_a_suspend_is_noticed_once_and_a_running_machine_never_slept(clock: HandClock) -> None:
    sleeps = Sleeps(clock)
    clock.advance(timedelta(hours=9))
    assert sleeps.slept_s() == 0

    clock.suspend(timedelta(hours=8))

    assert sleeps.slept_s() == 8 * 3600
    assert sleeps.slept_s() == 0
    clock.suspend(timedelta(seconds=2))
    assert sleeps.slept_s() == 0, "too short to matter to anybody"
