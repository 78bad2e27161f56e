"""Whatever is killed, nothing is lost, nothing is done twice, and the next run finishes."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from calling import Caller
from doubles.scripted_agent import read_witness

from .conftest import Begin, job
from .forked import Forks
from .starting import Start

WORK = """write started-{n}.txt <<EOF
{n}
EOF
{meanwhile}
write done-{n}.txt <<EOF
{n}
EOF"""


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def queue(project: Caller, count: int, meanwhile: str) -> None:
    for n in range(count):
        text = job(f"job-{n}", WORK.format(n=n, meanwhile=meanwhile))
        assert project("submit", text, "--verify", f"test -f done-{n}.txt").code == 0


def led(project: Caller) -> "subprocess.Popen[bytes]":
    """Start a run as its own process."""
    return subprocess.Popen(
        project.argv("run", "--max-agents", "3"),
        cwd=project.folder,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def marks(project: Caller) -> list[int]:
    """Return every process that carries the mark of one of the project's attempts."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environ = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if b"ORCHESTRATE_RUN_ID=" in environ and str(project.folder.parent).encode() in environ and state != "Z":
                found.append(int(entry.name))
    return found


def minders(project: Caller) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"minder.py" in words and str(project.environ["XDG_STATE_HOME"]).encode() in words:
                found.append(int(entry.name))
    return found


def started(tmp_path: Path) -> int:
    witness = tmp_path / "witness"
    return sum(mark.what == "start" for mark in read_witness(witness)) if witness.exists() else 0


def assert_finished(project: Caller, tmp_path: Path, count: int) -> None:
    """Judge by git, by the agents' own witness and by the kernel; our database is asked last."""
    log = project.git("log", "--format=%(trailers:key=Task,valueonly)", "main")
    tasks = [line.split()[1] for line in log.splitlines() if line.strip()]
    assert Counter(tasks) == Counter(f"job-{n}" for n in range(count)), log
    for n in range(count):
        assert (project.folder / f"done-{n}.txt").read_text() == f"{n}\n"
    assert not [mark for mark in read_witness(tmp_path / "witness") if mark.what == "DOUBLE-RUN"]
    until(lambda: not marks(project) and not minders(project), "every process of ours has ended")
    status = project("status", "--json").json
    assert status["counts"]["done"] == count
    assert not status["running"] and not status["failed"]


@pytest.mark.parametrize("after_s", [0.0, 0.4, 1.0, 2.0])
def test_a_killed_supervisor_loses_nothing_and_repeats_nothing(begin: Begin, tmp_path: Path, after_s: float) -> None:
    project = begin()
    queue(project, 4, "sleep 1")
    first = led(project)
    until(lambda: (tmp_path / "state").exists() and bool(list((tmp_path / "state").rglob("runs"))), "an attempt begins")
    time.sleep(after_s)  # not to wait for anything: the kill comes at an arbitrary moment

    first.send_signal(signal.SIGKILL)
    first.wait()

    assert project("run").code == 0
    assert_finished(project, tmp_path, 4)


def test_agents_of_a_killed_supervisor_go_on_and_are_adopted(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    queue(project, 3, f"wait_for {tmp_path}/go")
    first = led(project)
    until(lambda: started(tmp_path) == 3, "three agents work")

    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(marks(project)) >= 3
    (tmp_path / "go").touch()

    assert project("run").code == 0
    assert_finished(project, tmp_path, 3)
    assert started(tmp_path) == 3, "no agent was started a second time"


def test_the_agent_of_a_goal_cancelled_after_a_crash_is_ended_by_the_next_run(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    queue(project, 1, f"wait_for {tmp_path}/never 600")
    first = led(project)
    until(lambda: started(tmp_path) == 1, "the agent works")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert project("cancel", "last").code == 0
    assert marks(project), "nobody has ended it yet"

    ran = project("run")

    assert ran.code == 0, ran.err
    assert not marks(project)
    assert project("run").code == 3, "and then nothing is left to do"


@pytest.mark.parametrize("victim", ["agent", "minder", "minder and supervisor"])
def test_a_killed_agent_or_minder_costs_one_attempt_at_most(begin: Begin, tmp_path: Path, victim: str) -> None:
    project = begin()
    queue(project, 2, f"wait_for {tmp_path}/go")
    first = led(project)
    until(lambda: started(tmp_path) == 2, "two agents work")

    if victim == "agent":
        pid = next(mark.pid for mark in read_witness(tmp_path / "witness") if mark.what == "start")
        os.kill(pid, signal.SIGKILL)
    else:
        if victim == "minder and supervisor":
            first.send_signal(signal.SIGKILL)
        for pid in minders(project):
            os.kill(pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    code = first.wait(timeout=120)

    if victim == "minder and supervisor":
        code = project("run").code
    assert code == 0
    assert_finished(project, tmp_path, 2)


def test_a_second_run_is_refused_while_one_leads(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    queue(project, 1, f"wait_for {tmp_path}/go")
    first = led(project)
    until(lambda: started(tmp_path) == 1, "an agent works")

    second = project("run", "--json")
    (tmp_path / "go").touch()

    assert second.code == 5
    assert second.json["error"]["code"] == "already_running"
    assert first.wait(timeout=120) == 0
    assert_finished(project, tmp_path, 1)


def test_work_of_a_provider_that_was_taken_away_meanwhile_is_given_back(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    queue(project, 1, f"wait_for {tmp_path}/go")
    first = led(project)
    until(lambda: started(tmp_path) == 1, "an agent works")
    first.send_signal(signal.SIGKILL)
    first.wait()

    ran = project("run", "--json", ORCHESTRATE_GENERIC_COMMAND="", ORCHESTRATE_PROVIDER="demo")

    assert ran.code in {0, 6}, ran.err
    attempts = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert (attempts[0]["outcome"], attempts[1]["provider"]) == ("cancelled", "demo")
    until(lambda: not marks(project) and not minders(project), "every process of ours has ended")


CHUNKS = 8
"""Tests that the steps are dealt out to: each begins with a project of its own, and puts that back for each step."""
MOST_STEPS = 400
"""More than a run of two tasks has (some 140)."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(1, CHUNKS + 1))
def test_a_run_killed_at_a_durable_step_is_finished_by_the_next(
    begin: Begin, forks: Forks, tmp_path: Path, first: int
) -> None:
    project = begin()
    project.forks = forks
    queue(project, 2, "say working")
    start = Start(project.folder, tmp_path / "state")
    for step in range(first, MOST_STEPS, CHUNKS):
        start.put_back()
        (tmp_path / "witness").unlink(missing_ok=True)
        if not survives_step(project, tmp_path, step):
            assert step > 60, "a run has many steps"
            return
    raise AssertionError("it has more steps than anybody thought")


def survives_step(project: Caller, tmp_path: Path, step: int) -> bool:
    """Kill a run at its *step*-th commit or program start, let another finish; git and the witness judge.

    False says that it has no such step: it ended by itself.
    """
    first = project.killed_at(step, "run", "--max-agents", "1")
    died = first.code == -signal.SIGKILL
    assert died or first.code == 0, first.err

    again = project("run")

    assert again.code in {0, 3}, (first.err[-200:], again.err)
    assert_finished(project, tmp_path, 2)
    for n in range(2):
        attempts = project("task", f"job-{n}", "--json").json["attempts"]
        charged = [one for one in attempts if one["outcome"] not in {"succeeded", "cancelled"}]
        assert not charged, (first.err[-200:], [(one["outcome"], one["reason"]) for one in attempts])
    return died
