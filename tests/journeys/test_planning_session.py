"""A plan is talked over on a real terminal, by somebody who waits for what is shown before typing the next thing."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calling import Caller

GOAL = (
    "Do all of this:\n- Add a login page\n- Add a page of orders\n- Send a mail for each order\n- Write the user guide"
)
CURSOR = b"\x1b[6n"
PROMPT = "plan>"  # the space after it is a move of the cursor


class Terminal:
    """A terminal with a program on it: what it showed, and a keyboard."""

    def __init__(self, call: Caller, *words: str, columns: int, term: str, **environ: str) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.process = subprocess.Popen(
            call.argv(*words),
            cwd=call.folder,
            env={**call.environ, "TERM": term, "LANG": "C.UTF-8", **environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C needs it to be its own
        )
        os.close(theirs)
        self.shown = ""
        self._read_to = 0

    def waits_for(self, text: str, timeout_s: float = 60) -> str:
        """Read on until *text* is shown; return what was shown since the last *text* that was waited for."""
        end = time.monotonic() + timeout_s
        while text not in self.shown[self._read_to :]:
            assert time.monotonic() < end, f"{text!r} did not come; shown: {self.shown[-3000:]!r}"
            self._read(0.2)
        begin, self._read_to = self._read_to, self.shown.index(text, self._read_to) + len(text)
        return self.shown[begin : self._read_to]

    def _read(self, timeout_s: float) -> str:
        if not select.select([self.ours], [], [], timeout_s)[0]:
            return ""
        try:
            chunk = os.read(self.ours, 65_536)
        except OSError:  # how Linux says that the last writer has gone
            return ""
        if CURSOR in chunk:  # a terminal answers where its cursor is
            os.write(self.ours, b"\x1b[1;1R")
        text = chunk.decode(errors="replace")
        self.shown += text
        return text

    def types(self, text: str) -> None:
        data = text.encode()
        while data:
            self._drain()
            data = data[os.write(self.ours, data[:1024]) :]

    def _drain(self) -> None:
        while self._read(0):
            pass

    def ends(self) -> int:
        end = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.1)
        self._drain()
        return self.process.wait(timeout=1)


@contextmanager
def terminal(call: Caller, *words: str, columns: int = 100, term: str = "xterm", **more: str) -> Iterator[Terminal]:
    opened = Terminal(call, *words, columns=columns, term=term, **more)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
            opened.process.wait()
        os.close(opened.ours)


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "project", ORCHESTRATE_PLANNER="rules", ORCHESTRATE_VERIFY="true")


def test_a_plan_is_made_changed_undone_approved_and_queued_by_hand(call: Caller) -> None:
    with terminal(call, "plan", GOAL, "--name", "shop") as seat:
        assert "Ctrl-C" in seat.waits_for("answer:")
        seat.types("Python\r")
        seat.waits_for("answer:")
        seat.types("\r")
        seat.waits_for(PROMPT)
        seat.types("\x03")
        seat.waits_for("Ctrl-C again")
        seat.waits_for(PROMPT)
        seat.types("rem\t")
        seat.waits_for("ove")  # completed
        seat.types("2\r")
        seat.waits_for("- part-2: Add a page of orders")
        seat.waits_for(PROMPT)
        seat.types("a Translate the pages after 1\r")
        seat.waits_for("+ translate-the-pages")
        seat.waits_for(PROMPT)
        seat.types("\x1b[A\x1b[A")  # up, up: the removal once more
        seat.waits_for("remove 2")
        seat.types("\x03")
        seat.waits_for("Ctrl-C again")
        seat.waits_for(PROMPT)
        seat.types("u\r")
        seat.waits_for("- translate-the-pages")
        seat.waits_for(PROMPT)
        seat.types("p\r")
        seat.waits_for("Queue this plan? [y/N]")
        seat.types("y\r")
        assert seat.ends() == 0

    saved = call("plan-continue", "shop", "--json").json
    assert saved["state"] == "executed" and saved["version"] == 5
    assert [task["key"] for task in saved["tasks"]] == ["part-1", "part-3", "part-4", "verify"]
    assert saved["plan"]["questions"][0]["answer"] == "Python"
    assert call("execute-plan", "shop").code == 5


def test_a_session_that_is_killed_goes_on_where_it_was(call: Caller) -> None:
    call("plan", GOAL, "--name", "shop", "--json")
    with terminal(call, "plan-continue", "shop") as seat:
        seat.waits_for(PROMPT)
        seat.types("r 2\r")
        seat.waits_for("- part-2")
        seat.waits_for(PROMPT)
        seat.types("a half of a line")
        seat.waits_for("half of a line")
        os.kill(seat.process.pid, signal.SIGKILL)
        seat.process.wait()

    with terminal(call, "plan-continue", "shop") as seat:
        assert "version 2" in seat.waits_for(PROMPT)
        seat.types("u\r")
        seat.waits_for("+ part-2")
        seat.waits_for(PROMPT)
        seat.types("\x04")
        assert seat.ends() == 0
    assert call("plan-continue", "shop", "--json").json["version"] == 3


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_session_fits_its_terminal(call: Caller, columns: int) -> None:
    call("plan", GOAL, "--name", "shop", "--json")
    with terminal(call, "plan-continue", "shop", columns=columns, NO_COLOR="1") as seat:
        shown = seat.waits_for(PROMPT)
        seat.types("q\r")
        assert seat.ends() == 0

    assert "* " in shown and "critical" in shown
    assert "\x1b[3" not in shown, "no colour"


def test_plain_is_words_and_lines_for_those_who_listen(call: Caller) -> None:
    with terminal(call, "plan", GOAL, "--name", "shop", "--plain") as seat:
        for _ in range(2):
            seat.waits_for("answer:")
            seat.types("\n")
        seat.waits_for(PROMPT)
        seat.types("r 2\n")
        seat.waits_for("- part-2")
        seat.waits_for(PROMPT)
        seat.types("g\n")
        assert "waits for" in seat.waits_for(PROMPT)
        seat.types("\x04")
        assert seat.ends() == 0

    text = seat.shown.replace("\x1b[?2004h", "").replace("\x1b[?2004l", "")  # what the line editor says to paste by
    assert "\x1b" not in text and not set(text) & set("│├╰●◆")
    assert "size M" in text and ", critical" in text


def test_a_hundred_kilobytes_pasted_are_one_saying_and_run_no_command(call: Caller) -> None:
    call("plan", GOAL, "--name", "shop", "--json")
    with terminal(call, "plan-continue", "shop") as seat:
        seat.waits_for(PROMPT)
        seat.types(f"\x1b[200~r 1\r\nr 2\r\n{'x' * 100_000}\x1b[201~")
        seat.types("\r")
        seat.waits_for("there is no model to talk with")
        seat.waits_for(PROMPT)
        seat.types("q\r")
        assert seat.ends() == 0
    assert call("plan-continue", "shop", "--json").json["version"] == 1
