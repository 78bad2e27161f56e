"""An agent CLI that does what its prompt tells it to, line by line: good work and every kind of misbehaviour.

    python scripted_agent.py < prompt        (arguments are accepted and ignored)

It runs, in the current folder, the last block of the prompt that stands between ```script and ```:

    label parser
    if_prompt_contains "assert 1 == 2": write parser.py <<EOF
    right = True
    EOF
    unless_prompt_contains "assert 1 == 2": write parser.py wrong = True
    commit Add the parser

Verbs, one a line; blank lines and lines that begin with # are skipped:

    say TEXT                  a line on stdout            err TEXT     a line on stderr
    json LINE                 LINE on stdout, as it is    limit TEXT   TEXT on stderr, then exit 1
    write PATH TEXT           a file of one line; with <<WORD as TEXT, of the lines up to WORD
    append PATH TEXT          one line more               rm PATH      remove a file or folder
    sh COMMAND                /bin/sh; the script fails if it does
    commit MESSAGE            everything that changed, in git
    sleep SECONDS             silent and idle             spin SECONDS silent and busy
    wait_for PATH [SECONDS]   until PATH exists (60), else the script fails
    hang                      for ever                    ignore_term  SIGTERM, SIGINT and SIGHUP, from now on
    exit N                                                crash [NAME] die of a signal, SEGV unless named
    flood MB                  lines of 1 KiB on stdout    longline MB  one line, without its end
    garbage                   random bytes, invalid UTF-8, NUL, terminal escapes, half a line of JSON
    daemon [PATH]             a grandchild in its own session that outlives us
    daemon_clean_env [PATH]   the same with an empty environment
    child_ignore_term [PATH]  a child in our group that ignores SIGTERM, SIGINT and SIGHUP
    label NAME                what the witness calls this work (the folder unless given); wherever it stands
    witness TEXT              a line of our own to the witness
    if_prompt_contains TEXT: VERB ...      only if the prompt, outside every script block, holds TEXT;
    unless_prompt_contains TEXT: VERB ...  "TEXT" in quotes may hold a colon

Daemons and such children write a heartbeat to PATH (PID.heartbeat beside the witness unless given, else in the folder)
for at most two minutes, and keep our stdout open. A script that fails ends with 1, one that cannot be read with 2.

The witness: when SCRIPTED_AGENT_WITNESS names a file, each run appends a JSON line at its start and its end, and holds
a lock per label in between; when the lock is already held it writes DOUBLE-RUN. A run that was killed has no end line.
It is evidence of what ran that owes nothing to the records of the program under test.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

WITNESS_VARIABLE = "SCRIPTED_AGENT_WITNESS"
HEARTBEAT_SECONDS = 0.05
HEARTBEAT_LIFE_SECONDS = 120
"""How long a process that nobody ends goes on: bounded, so that a failing test leaves nothing behind for long."""

_BLOCK = re.compile(r"^[ \t]*```script[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_CONDITION = re.compile(r'(if|unless)_prompt_contains\s+(?:"([^"]*)"|(.*?)):\s+(.*)')
_HERE = re.compile(r"(.*)<<(\w+)")
_TERMINATING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HEARTBEAT = f"""
import os, signal, sys, time
if "ignore" in sys.argv[2:]:
    for number in {[int(number) for number in _TERMINATING]}: signal.signal(number, signal.SIG_IGN)
for beat in range({int(HEARTBEAT_LIFE_SECONDS / HEARTBEAT_SECONDS)}):
    with open(sys.argv[1], "a") as file: file.write(f"{{os.getpid()}} {{beat}}\\n")
    time.sleep({HEARTBEAT_SECONDS})
"""


class ScriptError(Exception):
    """The script cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a script."""

    verb: str
    text: str = ""
    lines: str | None = None
    """What stood between <<WORD and WORD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One line of the witness."""

    what: Literal["start", "end", "DOUBLE-RUN", "note"]
    label: str
    pid: int
    at_ns: int
    """Monotonic, comparable between processes of one machine."""
    wall_ns: int
    text: str = ""
    """The exit code of an end; the text of a note."""


def read_witness(path: Path) -> list[Mark]:
    """Return what the runs that shared *path* left there, in the order it was written."""
    return [Mark(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def parse(prompt: str) -> list[Step]:
    """Return the steps that the last script of *prompt* asks for, its conditions decided.

    Raises:
        ScriptError: there is no script, or it holds a line that is none.
    """
    blocks = _BLOCK.findall(prompt)
    if not blocks:
        raise ScriptError("the prompt holds no ```script block")
    around = _BLOCK.sub("", prompt)
    steps = []
    lines = iter(textwrap.dedent(blocks[-1]).splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        wanted, step = _step(line.strip(), lines, around)
        if step.verb not in VERBS:
            raise ScriptError(f"unknown verb: {line.strip()}")
        if wanted:
            steps.append(step)
    return steps


def main() -> int:
    """Run the script on stdin; see the top of this file."""
    prompt = sys.stdin.buffer.read().decode(errors="replace").replace("\r\n", "\n")
    try:
        steps = parse(prompt)
    except ScriptError as error:
        print(f"scripted agent: {error}", file=sys.stderr)
        return 2
    label = next((step.text.split()[0] for step in steps if step.verb == "label"), str(Path.cwd()))
    witness = Witness(label)
    lock = witness.begin()
    code = 1
    try:
        for step in steps:
            VERBS[step.verb](step, witness)
            sys.stdout.flush()
        code = 0
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"scripted agent: {step.verb} {step.text}: {error}", file=sys.stderr)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        witness.write("end", str(code))
        if lock is not None:
            os.close(lock)
    return code


class Witness:
    """The file that says what ran; does nothing when no file is named."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.path = os.environ.get(WITNESS_VARIABLE)

    def begin(self) -> int | None:
        """Write the start, and DOUBLE-RUN if this label is running already; return the lock to hold until the end."""
        if not self.path:
            return None
        self.write("start")
        name = re.sub(r"[^\w.-]+", "_", self.label)[-150:]
        lock = os.open(f"{self.path}.{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.write("DOUBLE-RUN")
        return lock

    def write(self, what: str, text: str = "") -> None:
        """Append one line in one write, so that lines of several runs never mix."""
        if not self.path:
            return
        pid, at, wall = os.getpid(), time.monotonic_ns(), time.time_ns()
        mark = {"what": what, "label": self.label, "pid": pid, "at_ns": at, "wall_ns": wall, "text": text}
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, json.dumps(mark).encode() + b"\n")
        os.close(file)


def _step(line: str, rest: Iterator[str], around: str) -> tuple[bool, Step]:
    wanted = True
    while condition := _CONDITION.fullmatch(line):
        kind, quoted, bare, line = condition.groups()
        text = quoted if quoted is not None else bare
        wanted &= (text in around) == (kind == "if")
    verb, _, text = line.partition(" ")
    here = _HERE.fullmatch(text) if verb == "write" else None
    if here is None:
        return wanted, Step(verb=verb, text=text)
    taken: list[str] = []
    for following in rest:
        if following.strip() == here[2]:
            return wanted, Step(verb=verb, text=here[1].strip(), lines="".join(f"{one}\n" for one in taken))
        taken.append(following)
    raise ScriptError(f"no {here[2]} after: {line}")


# The verbs


def _say(step: Step, _: Witness) -> None:
    print(step.text)


def _err(step: Step, _: Witness) -> None:
    print(step.text, file=sys.stderr, flush=True)


def _limit(step: Step, witness: Witness) -> NoReturn:
    _err(step, witness)
    raise SystemExit(1)


def _write(step: Step, _: Witness) -> None:
    name, _space, text = step.text.partition(" ")
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n" if step.lines is None else step.lines)


def _append(step: Step, _: Witness) -> None:
    name, _space, text = step.text.partition(" ")
    with Path(name).open("a") as file:
        file.write(f"{text}\n")


def _rm(step: Step, _: Witness) -> None:
    path = Path(step.text)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _sh(step: Step, _: Witness) -> None:
    sys.stdout.flush()
    subprocess.run(["/bin/sh", "-c", step.text], stdin=subprocess.DEVNULL, check=True)


def _commit(step: Step, _: Witness) -> None:
    subprocess.run(["git", "add", "-A"], stdin=subprocess.DEVNULL, check=True)
    subprocess.run(["git", "commit", "-q", "-m", step.text], stdin=subprocess.DEVNULL, check=True)


def _sleep(step: Step, _: Witness) -> None:
    time.sleep(float(step.text))


def _spin(step: Step, _: Witness) -> None:
    end = time.monotonic() + float(step.text)
    while time.monotonic() < end:
        pass


def _wait_for(step: Step, _: Witness) -> None:
    name, _space, seconds = step.text.partition(" ")
    end = time.monotonic() + float(seconds or 60)
    while not Path(name).exists():
        if time.monotonic() > end:
            raise TimeoutError("it did not come")
        time.sleep(0.02)


def _hang(_step: Step, _: Witness) -> NoReturn:
    while True:
        signal.pause()


def _ignore_term(_step: Step, _: Witness) -> None:
    for number in _TERMINATING:
        signal.signal(number, signal.SIG_IGN)


def _exit(step: Step, _: Witness) -> NoReturn:
    raise SystemExit(int(step.text))


def _crash(step: Step, _: Witness) -> None:
    number = signal.Signals[f"SIG{step.text or 'SEGV'}"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _flood(step: Step, _: Witness) -> None:
    line = b"x" * 1023 + b"\n"
    for _again in range(int(step.text)):
        sys.stdout.buffer.write(line * 1024)


def _longline(step: Step, _: Witness) -> None:
    for _again in range(int(step.text)):
        sys.stdout.buffer.write(b"y" * (1 << 20))


def _garbage(_step: Step, _: Witness) -> None:
    sys.stdout.flush()
    noise = random.Random(7).randbytes(4096)
    escapes = b"\x1b[31mred\x1b]0;title\x07\x1b[2J\x1b]8;;http://example.invalid\x1b\\link\x1b]8;;\x1b\\\r\x08\n"
    sys.stdout.buffer.write(noise + b"\n\xff\xfe\xc3( \xed\xa0\x80\n\0\0\n" + escapes + b'{"type": "result", "is_er')


def _daemon(step: Step, witness: Witness) -> None:
    _detach(step, witness, os.environ)


def _daemon_clean_env(step: Step, witness: Witness) -> None:
    _detach(step, witness, {})


def _detach(step: Step, witness: Witness, env: os._Environ[str] | dict[str, str]) -> None:
    """Start a heartbeat from a child that starts its own session and ends at once: the classic double fork."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        subprocess.Popen(_heartbeat(step, witness), stdin=subprocess.DEVNULL, env=env)
        os._exit(0)
    os.waitpid(child, 0)


def _child_ignore_term(step: Step, witness: Witness) -> None:
    subprocess.Popen([*_heartbeat(step, witness), "ignore"], stdin=subprocess.DEVNULL)


def _heartbeat(step: Step, witness: Witness) -> list[str]:
    beside = Path(witness.path).parent if witness.path else Path()
    path = step.text or str(beside / f"{os.getpid()}.heartbeat")
    return [sys.executable, "-I", "-S", "-c", _HEARTBEAT, path]


def _label(_step: Step, _: Witness) -> None:
    """Was looked at before the start."""


def _note(step: Step, witness: Witness) -> None:
    witness.write("note", step.text)


Verb: TypeAlias = Callable[[Step, Witness], None]

VERBS: dict[str, Verb] = {
    "say": _say,
    "err": _err,
    "json": _say,
    "limit": _limit,
    "write": _write,
    "append": _append,
    "rm": _rm,
    "sh": _sh,
    "commit": _commit,
    "sleep": _sleep,
    "spin": _spin,
    "wait_for": _wait_for,
    "hang": _hang,
    "ignore_term": _ignore_term,
    "exit": _exit,
    "crash": _crash,
    "flood": _flood,
    "longline": _longline,
    "garbage": _garbage,
    "daemon": _daemon,
    "daemon_clean_env": _daemon_clean_env,
    "child_ignore_term": _child_ignore_term,
    "label": _label,
    "witness": _note,
}

if __name__ == "__main__":
    sys.exit(main())
