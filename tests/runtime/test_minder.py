import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_orchestrator.runtime import minder
from agent_orchestrator.runtime.process import Process, Spawn, as_json
from agent_orchestrator.runtime.run_dir import ExitRecord, State, Why, exit_record, state
from calling import wait_for
from runtime import trees
from runtime.conftest import Start
from runtime.trees import SHAPES, living, start_time, witnessed

Tree = Callable[..., Process]


def ended(process: Process) -> ExitRecord:
    assert select.select([process], [], [], 30)[0], "the minder did not end"
    record = process.exit()
    assert record is not None
    return record


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_of_a_tree_is_left_after_its_stop(tree: Tree, witness: Path, shape: str) -> None:
    process = tree(shape)

    process.stop()

    record = ended(process)
    assert living(witness) == []
    assert record.unaccounted == ()


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_of_a_tree_is_left_after_its_kill(tree: Tree, witness: Path, shape: str) -> None:
    process = tree(shape, grace_s=600)

    process.kill()

    ended(process)
    assert living(witness) == []


def test_an_agent_that_ends_by_itself_takes_its_daemon_along(tree: Tree, witness: Path) -> None:
    process = tree("main_exits_daemon_stays")

    record = ended(process)

    assert (record.why, record.rc) == (Why.EXITED, 0)
    assert living(witness) == []


def test_the_exit_code_and_output_of_an_agent_are_kept(start: Start) -> None:
    process = start("sh", "-c", "echo out; echo err >&2; exit 7")

    record = ended(process)

    assert (record.why, record.rc, record.error, record.kill_rounds) == (Why.EXITED, 7, None, 0)
    assert (process.run_dir / "stdout.log").read_text() == "out\n"
    assert (process.run_dir / "stderr.log").read_text() == "err\n"
    assert record.started_at <= record.ended_at


def test_an_agent_that_kills_itself_has_the_signal_as_exit_code(start: Start) -> None:
    assert ended(start("sh", "-c", "kill -SEGV $$")).rc == -signal.SIGSEGV


def test_an_agent_reads_its_prompt_from_a_file_larger_than_an_argument_may_be(start: Start, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt"
    prompt.write_text("x" * 3_000_000)

    process = start("wc", "-c", stdin=prompt)

    ended(process)
    assert (process.run_dir / "stdout.log").read_text().split()[0] == "3000000"


def test_an_agent_has_the_given_environment_the_mark_and_nothing_else(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SUPERVISOR", "1")

    process = start("/usr/bin/env", env={"GIVEN": "näß\udcff"}, run_id="life-1")

    ended(process)
    lines = (process.run_dir / "stdout.log").read_bytes().splitlines()
    assert sorted(lines) == [b"GIVEN=n\xc3\xa4\xc3\x9f\xff", b"ORCHESTRATE_RUN_ID=life-1"]


def test_an_agent_inherits_no_descriptor_of_its_minder(start: Start) -> None:
    process = start(sys.executable, "-ISc", "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])")

    ended(process)

    assert (process.run_dir / "stdout.log").read_text() == "[0, 1, 2]\n"


def test_an_agent_gets_default_signals_a_session_and_a_raised_oom_score(start: Start) -> None:
    script = (
        "import os, signal;"
        "print(os.getsid(0) == os.getpid(), int(open('/proc/self/oom_score_adj').read()),"
        "[l.split()[1] for l in open('/proc/self/status') if l[:6] in ('SigBlk', 'SigIgn')])"
    )
    own = int(Path("/proc/self/oom_score_adj").read_text())

    # through a shell, because the interpreter itself ignores SIGPIPE
    process = start("sh", "-c", f'exec {sys.executable} -ISc "$0"', script)

    ended(process)
    assert (process.run_dir / "stdout.log").read_text().startswith(f"True {min(1000, own + 500)} ")
    shell = start("sh", "-c", "grep SigIgn /proc/self/status", name="shell")
    ended(shell)
    assert int((shell.run_dir / "stdout.log").read_text().split()[1], 16) == 0


def test_the_files_of_an_attempt_are_for_its_user_alone_and_its_secrets_do_not_stay(start: Start) -> None:
    process = start("true", env={"PATH": os.environ["PATH"], "KEY": "sk-made-up"})

    ended(process)

    assert process.run_dir.stat().st_mode & 0o777 == 0o700
    for path in process.run_dir.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
        assert b"sk-made-up" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("argv", "given", "told"),
    [
        (("no-such-agent",), {}, "cannot execute 'no-such-agent' (or the interpreter it names): No such file"),
        ((__file__,), {}, "Permission denied"),
        (("true",), {"cwd": Path("/no/such/folder")}, "cannot enter the folder '/no/such/folder': No such file"),
        (("true",), {"stdin": Path("/no/such/prompt")}, "/no/such/prompt"),
        (("true", "a\0b"), {}, "null byte"),
        (("true", "x" * 200_000), {}, "Argument list too long"),
    ],
)
def test_an_agent_that_cannot_be_started_is_recorded_with_a_readable_reason(
    start: Start, argv: tuple[str, ...], given: dict[str, Path], told: str
) -> None:
    process = start(*argv, **given)

    record = ended(process)

    assert (record.why, record.rc) == (Why.SPAWN_FAILED, None)
    assert told in (record.error or "")
    assert (process.run_dir / "minder.log").read_text() == ""


def test_the_identity_of_an_agent_is_durable_before_it_executes(start: Start) -> None:
    process = start("cat", "run/pid.json")

    ended(process)

    seen = json.loads((process.run_dir / "stdout.log").read_bytes())
    assert seen == json.loads((process.run_dir / "pid.json").read_bytes())
    assert seen["minder"]["pid"] == process.minder.pid


def test_an_agent_that_ends_when_asked_is_not_killed(start: Start, tmp_path: Path) -> None:
    process = start("sh", "-c", "trap 'exit 5' TERM; touch ready; while :; do sleep 0.02; done", grace_s=60)
    wait_for((tmp_path / "ready").exists)

    process.stop()

    record = ended(process)
    assert (record.why, record.rc, record.kill_rounds) == (Why.STOPPED, 5, 0)


def test_a_kill_cuts_the_grace_period_of_a_stop_short(tree: Tree, witness: Path) -> None:
    process = tree("ignores_term", grace_s=3600)

    process.stop()
    process.kill()

    record = ended(process)
    assert (record.why, record.rc) == (Why.STOPPED, -signal.SIGKILL)
    assert living(witness) == []


def test_an_agent_that_ended_before_it_was_stopped_has_ended_by_itself(start: Start, tmp_path: Path) -> None:
    process = start("sh", "-c", "touch begun; until test -e go; do sleep 0.02; done")
    agent = wait_for(lambda: process.agent)
    wait_for((tmp_path / "begun").exists)  # or its minder might be stopped before it let the agent go
    os.kill(process.minder.pid, signal.SIGSTOP)
    (tmp_path / "go").touch()
    wait_for(lambda: start_time(agent.pid) is None)

    process.stop()
    os.kill(process.minder.pid, signal.SIGCONT)

    assert ended(process).why is Why.EXITED


def test_the_wall_clock_ends_an_agent_that_is_busy(start: Start) -> None:
    record = ended(start("sh", "-c", "while :; do echo on; sleep 0.05; done", wall_s=0.5))

    assert record.why is Why.WALL_CLOCK
    assert record.duration_ms >= 500


def test_silence_ends_an_agent_that_does_nothing(start: Start, tmp_path: Path) -> None:
    record = ended(start("sleep", "600", silence_s=0.4, watch=tmp_path / "run" / "nothing"))

    assert record.why is Why.SILENCE
    assert record.duration_ms >= 400


SIGNS_OF_LIFE = {
    "output": "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.3; echo $i; done",
    "work in a daemon": "(setsid sh -c 'timeout 3.6 sh -c \"while :; do :; done\"; touch done' &) ; "
    "until test -e done; do sleep 0.05; done",
    "changed files": "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.3; touch watched/deep/file; done",
}


@pytest.mark.parametrize("sign", SIGNS_OF_LIFE)
def test_an_agent_that_shows_a_sign_of_life_is_not_silent(start: Start, tmp_path: Path, sign: str) -> None:
    (tmp_path / "watched" / "deep").mkdir(parents=True)

    record = ended(start("sh", "-c", SIGNS_OF_LIFE[sign], silence_s=2.5, watch=tmp_path / "watched"))

    assert (record.why, record.rc) == (Why.EXITED, 0)


def test_too_much_output_kills_an_agent_at_once_and_bounds_the_file(start: Start) -> None:
    process = start("sh", "-c", "trap '' TERM; yes >&2 & yes", output_bytes=4 << 20, grace_s=3600)

    record = ended(process)

    assert record.why is Why.OUTPUT_LIMIT
    written = sum((process.run_dir / f"{name}.log").stat().st_size for name in ("stdout", "stderr"))
    assert 4 << 20 < written < 1 << 30


def test_memory_kills_only_when_a_limit_is_given(start: Start) -> None:
    script = "import time; x = bytearray(60 << 20); print('full', flush=True); time.sleep({})"

    free = ended(start(sys.executable, "-ISc", script.format(0.3), name="free"))
    limited = ended(start(sys.executable, "-ISc", script.format(600), name="limited", memory_bytes=40 << 20))

    assert (free.why, limited.why) == (Why.EXITED, Why.MEMORY)
    assert free.max_rss_kb > 60 << 10


@pytest.mark.parametrize(("reserve_bytes", "lacked"), [(0, False), (1 << 60, True)])
def test_the_record_of_an_agent_says_whether_it_lacked_room(start: Start, reserve_bytes: int, lacked: bool) -> None:
    assert ended(start("false", reserve_bytes=reserve_bytes)).lacked_room is lacked


def test_a_minder_with_nothing_to_do_uses_no_cpu(tree: Tree) -> None:
    process = tree("plain")

    def ticks() -> int:
        field = Path(f"/proc/{process.minder.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(field[11]) + int(field[12])

    def wakes() -> int:
        status = Path(f"/proc/{process.minder.pid}/status").read_text()
        return int(status.split("nonvoluntary_ctxt_switches")[0].split("voluntary_ctxt_switches:")[1])

    wait_for(lambda: wakes() > 5)  # its first looks at the output are close together
    before = ticks(), wakes()
    select.select([process], [], [], 3)
    assert ticks() - before[0] <= 5
    assert wakes() - before[1] <= 20


STAYS_BEFORE_EXEC = """
import sys
from agent_orchestrator.runtime import minder
minder._raise_oom_score = lambda: open(sys.argv.pop()).read()
minder.main(sys.argv)
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("ps") is None, reason="reads the tree with ps")
def test_an_agent_that_was_not_executed_yet_does_not_hide_its_minders_death(
    spawn: Callable[..., Spawn], tmp_path: Path
) -> None:
    made = spawn("true")
    made.run_dir.mkdir()
    (made.run_dir / "spawn.json").write_text(json.dumps(as_json(made)))
    os.mkfifo(tmp_path / "gate")
    with (made.run_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = [str(made.run_dir), "--lock", str(lock.fileno()), "--sampled"]  # then it outlives the minder
        program = [sys.executable, "-c", STAYS_BEFORE_EXEC, *options, str(tmp_path / "gate")]
        running = subprocess.Popen(program, pass_fds=[lock.fileno()])
    with running:
        wait_for((made.run_dir / "pid.json").exists)
        running.kill()

    try:
        assert state(made.run_dir) is State.VANISHED
    finally:
        with (tmp_path / "gate").open("w"):
            pass  # it goes on, finds that nobody opens its gate, and ends


@pytest.mark.skipif(shutil.which("ps") is None, reason="reads the tree with ps")
@pytest.mark.parametrize("shape", ["plain", "ignores_term", "setsid_child", "daemon", "stopped_child"])
def test_a_tree_that_is_only_sampled_is_ended_too(spawn: Callable[..., Spawn], witness: Path, shape: str) -> None:
    """The way without subreaper, exercised with Linux's ps; not a proof for macOS."""
    made = spawn(sys.executable, "-I", "-S", trees.__file__, shape, str(witness))
    made.run_dir.mkdir()
    (made.run_dir / "spawn.json").write_text(json.dumps(as_json(made)))
    program = [sys.executable, "-I", "-S", "-E", minder.__file__, str(made.run_dir), "--sampled"]
    with subprocess.Popen(program) as running:
        wait_for(lambda: len(witnessed(witness)) >= SHAPES[shape])
        running.terminate()
        assert running.wait(120) == 0

    record = exit_record(made.run_dir)
    assert record is not None
    assert (record.why, record.unaccounted) == (Why.STOPPED, ())
    assert living(witness) == []
