"""Agents that are hard to end, and how a test knows that they ended.

Run as a program, `trees.py SHAPE WITNESS` is the agent: each of its processes writes "pid start_time" to WITNESS.
Imported, it reads that file and /proc: never the records of the code under test.
"""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

SHAPES = {
    "plain": 2,
    "ignores_term": 2,
    "setsid_child": 2,
    "daemon": 2,
    "daemon_without_environment": 2,
    "main_exits_daemon_stays": 2,
    "fork_chain": 5,
    "fork_chains_without_pause": 100,
    "stopped_child": 2,
}
"""Each shape, and how many processes must have shown themselves before it counts as standing."""


CHAIN_S = 45.0
"""Seconds a fork chain lives if nobody ends it; longer than any test waits for its end."""


def start_time(pid: int) -> str | None:
    """None also for a zombie: it runs nothing any more."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    field = line[line.rindex(")") + 2 :].split()
    return None if field[0] in "ZX" else field[19]


def witnessed(witness: Path) -> list[tuple[int, str]]:
    if not witness.exists():
        return []
    rows = [line.split() for line in witness.read_text().splitlines()]
    return [(int(row[0]), row[1]) for row in rows]


def living(witness: Path) -> list[int]:
    """Pids of the agent's processes that live, by their own testimony and by their command line."""
    found = {pid for pid, started in witnessed(witness) if start_time(pid) == started}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(witness).encode() in command and start_time(int(entry.name)):
                found.add(int(entry.name))
    return sorted(found)


def _testify(witness: Path) -> None:
    line = f"{os.getpid()} {start_time(os.getpid())}\n"
    fd = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode())
    os.close(fd)


def _stay(witness: Path) -> None:
    _testify(witness)
    while True:
        time.sleep(60)


def _daemon(witness: Path, *, bare: bool) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 256)
    if bare:
        program = (sys.executable, "-I", "-S", __file__, "plain_one", str(witness))
        os.execve(program[0], program, {})
    _stay(witness)


def _fork_chain(witness: Path, pause_s: float) -> None:
    """Each link starts the next one in a new session and ends: whoever aims at one hits the past.

    Ends by itself after a while: one that a failing test lets slip must not take the machine's cores for ever.
    """
    if os.fork():
        return
    end = time.monotonic() + CHAIN_S
    for link in itertools.count():
        if time.monotonic() > end:
            os._exit(0)
        os.setsid()
        if link < 100:
            _testify(witness)
        time.sleep(pause_s)
        if os.fork():
            os._exit(0)


def _be(shape: str, witness: Path) -> None:
    match shape:
        case "plain" | "ignores_term" | "setsid_child" | "stopped_child":
            if shape == "ignores_term":
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
            if os.fork() == 0:
                if shape == "setsid_child":
                    os.setsid()
                _testify(witness)
                if shape == "stopped_child":
                    os.kill(os.getpid(), signal.SIGSTOP)
                while True:
                    time.sleep(60)
        case "daemon":
            _daemon(witness, bare=False)
        case "daemon_without_environment":
            _daemon(witness, bare=True)
        case "main_exits_daemon_stays":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _testify(witness)
            _daemon(witness, bare=False)
            while len(witnessed(witness)) != 2:  # alone as a program: its minder bounds the time
                time.sleep(0.005)
            os._exit(0)
        case "fork_chain":
            _fork_chain(witness, 0.002)
        case "fork_chains_without_pause":
            for _ in range(8):
                _fork_chain(witness, 0)
        case "plain_one":
            pass
        case _:
            raise SystemExit(f"no such shape: {shape}")
    _stay(witness)


if __name__ == "__main__":
    _be(sys.argv[1], Path(sys.argv[2]))
