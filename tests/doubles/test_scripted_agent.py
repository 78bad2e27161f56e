"""The scripted agent does what its script says: if it did not, every test that uses it would prove nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles import scripted_agent
from doubles.scripted_agent import WITNESS_VARIABLE, read_witness

AGENT = [sys.executable, scripted_agent.__file__]


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness" / "marks"


@pytest.fixture
def start(tmp_path: Path, witness: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start an agent in `tmp_path/work`, its output going to files; whatever still runs at the end is killed."""
    work = tmp_path / "work"
    work.mkdir()
    witness.parent.mkdir()
    started: list[subprocess.Popen[bytes]] = []
    env = {"PATH": os.environ["PATH"], WITNESS_VARIABLE: str(witness), "GIT_CONFIG_GLOBAL": os.devnull}

    def start(script: str, before: str = "Do this.", after: str = "") -> subprocess.Popen[bytes]:
        prompt = tmp_path / "prompt"
        prompt.write_text(f"{before}\n```script\n{script}\n```\n{after}")
        with prompt.open() as stdin, (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            agent = subprocess.Popen(AGENT, cwd=work, env=env, stdin=stdin, stdout=out, stderr=err)
        started.append(agent)
        return agent

    yield start
    for agent in started:
        agent.kill()
        agent.wait()
    for beating in [*witness.parent.glob("*.heartbeat")]:
        pid = int(beating.read_text().split()[0])
        if b"heartbeat" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


Start = Callable[..., subprocess.Popen[bytes]]


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_it_writes_files_commits_and_leaves_a_start_and_an_end(start: Start, tmp_path: Path, witness: Path) -> None:
    work = tmp_path / "work"
    for argv in (["init", "-q"], ["config", "user.name", "T"], ["config", "user.email", "t@example.invalid"]):
        subprocess.run(["git", *argv], cwd=work, check=True, timeout=120)

    script = (
        "label one\nwrite a/b.py <<EOF\nif 1:\n    x\nEOF\nappend a/b.py y\nsh echo ran > c\ncommit Add them\nsay done"
    )
    agent = start(script)

    assert agent.wait(120) == 0
    shown = ["git", "show", "--format=%s", "--name-only"]
    assert subprocess.check_output(shown, cwd=work, text=True).split("\n") == ["Add them", "", "a/b.py", "c", ""]
    assert (work / "a/b.py").read_text() == "if 1:\n    x\ny\n"
    assert (tmp_path / "out").read_text() == "done\n"
    marks = [(mark.what, mark.label, mark.pid, mark.text) for mark in read_witness(witness)]
    assert marks == [("start", "one", agent.pid, ""), ("end", "one", agent.pid, "0")]


def test_only_the_last_script_counts_and_conditions_look_around_all_scripts(start: Start, tmp_path: Path) -> None:
    first = "```script\nsay FAILED\n```"
    script = 'if_prompt_contains FAILED: say mended\nunless_prompt_contains "FAILED": say broken'

    assert start(script, before=first).wait(120) == 0
    assert (tmp_path / "out").read_text() == "broken\n"
    assert start(script, before=first, after="The check FAILED.").wait(120) == 0
    assert (tmp_path / "out").read_text() == "mended\n"


def test_two_runs_of_one_label_at_a_time_are_seen_and_one_after_the_other_are_not(start: Start, witness: Path) -> None:
    first = start("label t\nhang")
    wait_until(lambda: [*witness.parent.glob("*.lock")])

    assert start("label t").wait(120) == 0
    first.kill()
    first.wait(120)
    assert start("label t").wait(120) == 0

    assert [mark.what for mark in read_witness(witness)] == ["start", "start", "DOUBLE-RUN", "end", "start", "end"]


@pytest.mark.parametrize(
    ("script", "code", "stderr"),
    [
        ("exit 7", 7, ""),
        ("limit You've hit your limit · resets 10pm (UTC)", 1, "You've hit your limit · resets 10pm (UTC)\n"),
        ("crash", -signal.SIGSEGV, ""),
        ("crash ABRT", -signal.SIGABRT, ""),
        ("sh exit 3", 1, "scripted agent: sh exit 3: "),
        ("frobnicate", 2, "scripted agent: unknown verb: frobnicate\n"),
        ("write x <<EOF\nno end", 2, "scripted agent: no EOF after: write x <<EOF\n"),
    ],
)
def test_it_ends_as_told(start: Start, tmp_path: Path, script: str, code: int, stderr: str) -> None:
    assert start(script + "\nsay not this").wait(120) == code
    assert (tmp_path / "out").read_text() == ""
    assert (tmp_path / "err").read_text().startswith(stderr)


def test_it_floods_and_talks_rubbish(start: Start, tmp_path: Path) -> None:
    assert start("flood 2\nlongline 1\ngarbage").wait(120) == 0

    printed = (tmp_path / "out").read_bytes()
    assert printed[: 2 << 20].count(b"\n") == 2 * 1024
    assert printed[2 << 20 : 3 << 20] == b"y" * (1 << 20)
    assert printed.endswith(b'\n{"type": "result", "is_er')
    with pytest.raises(UnicodeDecodeError):
        (tmp_path / "out").read_text()


def test_it_can_refuse_to_be_terminated(start: Start, tmp_path: Path) -> None:
    agent = start("ignore_term\nwrite ready yes\nhang")
    wait_until((tmp_path / "work/ready").exists)

    agent.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        agent.wait(0.3)


@pytest.mark.parametrize(
    ("verb", "own_session", "ignores_term", "sees_environment"),
    [
        ("daemon", True, False, True),
        ("daemon_clean_env", True, False, False),
        ("child_ignore_term", False, True, True),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_it_leaves_behind_goes_on_beating(
    start: Start, witness: Path, verb: str, own_session: bool, ignores_term: bool, sees_environment: bool
) -> None:
    agent = start(verb)
    assert agent.wait(120) == 0
    wait_until(lambda: [file for file in witness.parent.glob("*.heartbeat") if file.read_text().count("\n") > 2])

    [heartbeat] = witness.parent.glob("*.heartbeat")
    pid = int(heartbeat.read_text().split()[0])
    process = Path(f"/proc/{pid}")
    ignored = int((process / "status").read_text().partition("SigIgn:")[2].split()[0], 16)
    assert (os.getsid(pid) != os.getsid(0)) is own_session
    assert bool(ignored >> (signal.SIGTERM - 1) & 1) is ignores_term
    assert (WITNESS_VARIABLE.encode() in (process / "environ").read_bytes()) is sees_environment
