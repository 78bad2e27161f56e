import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.cli import live, render
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.services.alive import process_identity
from agent_orchestrator.services.goals import Submission
from calling import wait_for
from looking import HOSTILE, is_harmless
from steps import accept, claim, fail, land, planned

ORCHESTRATE = (sys.executable, "-m", "agent_orchestrator")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|.)")


class Terminal:
    """A real terminal of a given size, and all that was written to it."""

    def __init__(self, columns: int, rows: int = 24) -> None:
        self.ours, self.theirs = os.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.said = b""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self.ours, 65536)
            except OSError:
                return
            if not chunk:
                return
            self.said += chunk

    @property
    def text(self) -> str:
        return self.said.decode("utf-8", "replace")

    @property
    def shown(self) -> str:
        """What was written, without what steers the terminal. A move to the top begins a line."""
        return SEQUENCE.sub("", self.text.replace("\x1b[H", "\n")).replace("\r", "")

    def close(self) -> None:
        os.close(self.theirs)  # the last one: reading the other end now ends
        self._reader.join(120)
        os.close(self.ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(40)
    yield made
    made.close()


def watching(terminal: Terminal, **variables: str) -> "subprocess.Popen[bytes]":
    environ = {**os.environ, "TERM": "xterm-256color", **variables}
    for name in ("COLUMNS", "LINES"):
        environ.pop(name, None)
    return subprocess.Popen(
        [*ORCHESTRATE, "watch", "--interval", "0.1"],
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        env=environ,
    )


def busy(app: App) -> None:
    """Give the project something in every state that a view shows, with hostile words in it."""
    accept(
        app,
        planned("first"),
        replace(planned("second", "first"), title=HOSTILE),
        planned("other"),
        text=HOSTILE.replace("\x00", ""),
    )
    land(app, claim(app))
    attempt = app.tasks.started(claim(app))
    app.tasks.progressed(replace(attempt, last_action=HOSTILE))
    app.holds.start("codex", HoldKind.USAGE_LIMIT, until=None, reason=HOSTILE)


def test_watch_fits_a_narrow_terminal_and_ends_with_ctrl_c(here: App, terminal: Terminal) -> None:
    busy(here)

    process = watching(terminal)
    wait_for(lambda: "+first" in terminal.shown and "waiting for codex" in terminal.shown)
    land(here, claim(here))
    process.send_signal(signal.SIGINT)

    assert process.wait(120) == 0
    rows = terminal.shown.splitlines()
    assert max(render.width(one) for one in rows) <= 40
    assert not [one for one in rows if one.strip() and not one.strip("x ")]  # a long title is cut, not spread over rows
    assert "Traceback" not in terminal.shown
    assert "\x1b]52" not in terminal.text and "\u202e" not in terminal.text and "\x9b" not in terminal.text
    assert terminal.text.rfind("\x1b[?1049l") > terminal.text.rfind("\x1b[?1049h") >= 0  # their screen is given back
    assert "\x1b[?25h" in terminal.text


def test_watch_honours_no_color(here: App, terminal: Terminal) -> None:
    busy(here)

    for variables, expected in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal.said = b""
        process = watching(terminal, **variables)
        wait_for(lambda: "+first" in terminal.shown)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
        assert bool(COLOUR.search(terminal.text)) is expected


def test_watch_prints_a_line_when_something_changes_and_only_then(here: App, tmp_path: Path) -> None:
    accept(here, planned("a"))
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [*ORCHESTRATE, "watch", "--interval", "0.1"], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    wait_for(lambda: b"1 ready" in said.read_bytes())
    attempt = here.tasks.started(claim(here))
    wait_for(lambda: attempt.agent.encode() in said.read_bytes())
    here.tasks.progressed(replace(attempt, last_action="Edit a.py"))
    wait_for(lambda: b"Edit a.py" in said.read_bytes())
    process.send_signal(signal.SIGINT)

    assert process.wait(120) == 0
    lines = [one.split(" ", 1)[1] for one in said.read_text().splitlines()]
    assert all(one != other for one, other in pairwise(lines))


def test_watch_in_json_is_one_snapshot_a_line(here: App, tmp_path: Path) -> None:
    accept(here, planned("a"))
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen([*ORCHESTRATE, "watch", "--json", "--interval", "0.1"], stdout=out)
    wait_for(lambda: said.read_bytes().endswith(b"\n"))
    process.send_signal(signal.SIGINT)

    assert process.wait(120) == 0
    assert json.loads(said.read_text().splitlines()[0])["counts"]["ready"] == 1


def test_watching_an_untouched_project_sees_its_first_goal(here: App, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen([*ORCHESTRATE, "watch", "--interval", "0.1"], stdout=out)
    wait_for(lambda: b"nothing here yet" in said.read_bytes())
    assert not here.database.exists()
    accept(here, planned("a"))
    wait_for(lambda: b"1 ready" in said.read_bytes())
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0


def test_without_a_terminal_a_run_tells_lines_with_their_time(here: App, capfd: pytest.CaptureFixture[str]) -> None:
    def work(log: Callable[[str], None]) -> int:
        log(f"claude starts {HOSTILE}")
        log("second")
        return 7

    assert live.while_running(here, work) == 7

    out, err = capfd.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert re.fullmatch(r"\d\d:\d\d:\d\d second", second)
    assert "claude starts Fix login" in first and is_harmless(err)


def test_what_the_work_raises_comes_through(here: App) -> None:
    def work(log: Callable[[str], None]) -> None:
        raise ValueError("the run's own")

    with pytest.raises(ValueError, match="the run's own"):
        live.while_running(here, work)


RUN = """
import sys, threading, time
from agent_orchestrator.app import build
from agent_orchestrator.cli import live
import apsw

app = build()

def work(log):
    assert threading.current_thread() is threading.main_thread()
    log("first line")
    {trouble}
    time.sleep(1.5)  # what is shown meanwhile is the test's subject
    log("last line")
    return 42

print(live.while_running(app, work))
print([one.name for one in threading.enumerate()])
"""


def run_under(terminal: Terminal, trouble: str = "") -> str:
    """Run ``while_running`` with standard error on the terminal; return what came on standard output."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(trouble=trouble or "pass")],
        stdin=terminal.theirs,
        stderr=terminal.theirs,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    assert done.returncode == 0, terminal.shown
    return done.stdout


def test_on_a_terminal_lines_stand_above_a_panel_and_the_result_is_alone(here: App, terminal: Terminal) -> None:
    busy(here)

    out = run_under(terminal)

    assert out.splitlines() == ["42", "['MainThread']"]
    assert "first line" in terminal.shown and "last line" in terminal.shown
    assert "+first" in terminal.shown and "Fix login" in terminal.shown
    assert "\x1b]52" not in terminal.text and "\u202e" not in terminal.text
    assert terminal.text.rfind("\x1b[?25h") > terminal.text.rfind("\x1b[?25l") >= 0  # the cursor is given back


def test_a_view_that_breaks_is_turned_off_once_and_the_run_goes_on(here: App, terminal: Terminal) -> None:
    busy(here)

    out = run_under(terminal, f"apsw.Connection({str(here.database)!r}).execute('DROP TABLE leadership')")

    assert out.splitlines()[0] == "42"
    assert terminal.shown.count("the live view is off") == 1
    assert "last line" in terminal.shown[terminal.shown.index("the live view is off") :]
    assert "Traceback" not in terminal.shown


def test_a_terminal_that_goes_away_does_not_end_the_run(here: App) -> None:
    busy(here)
    lost = Terminal(80)
    code = RUN.format(trouble="sys.stdin.readline()")
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stderr=lost.theirs,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    wait_for(lambda: "+first" in lost.shown)
    os.close(lost.theirs)
    os.close(lost.ours)

    out, _ = process.communicate("go on\n", timeout=120)

    assert out.splitlines()[0] == "42"


def test_the_drawing_shows_states_without_colour(here: App) -> None:
    goal, _ = accept(here, planned("a"), planned("b", "a"), planned("c", "b"))
    land(here, claim(here))
    here.tasks.started(claim(here))

    lines = [text.plain.split() for text in live._lines(here.reports.snapshot())]

    assert [goal.id, "ready"] in [words[:2] for words in lines]
    assert [words for words in lines if words[0] in {"1", "2", "3"}][-3:] == [["1", "+a"], ["2", "*b"], ["3", "c"]]


def test_the_drawing_shows_ceilings_and_what_holds_everything_up(here: App) -> None:
    plan = Plan(goal="Build it", source="rules", tasks=(planned("a"), planned("b")))
    here.goals.accept(plan, Submission(text="Build it", budget=Budget(limit_micro_usd=400_000)))
    with here.store.transaction():
        options = {"identity": process_identity(os.getpid()), "budget_micro_usd": 2_000_000}
        here.store.leadership.begin(pid=os.getpid(), max_agents=3, options=options, now=here.clock.now())

    lines = [text.plain for text in live._lines(here.reports.snapshot())]

    assert "This run has spent $0.00 of its budget of $2.00" in lines
    assert "    no cost reported, budget $0.40" in lines
    assert any(line.startswith("2 wait for its goal's budget: $0.00 of $0.40") for line in lines)
    assert "2 wait for its goal's budget" in live._one_line(here.reports.snapshot())


def test_many_goals_leave_room_for_what_works_and_what_failed(here: App) -> None:
    for number in range(30):
        accept(here, planned(f"t{number}"), text=f"Goal {number}")
    fail(here, claim(here), outcome=Outcome.CONFLICT, reason="it clashes")

    lines = [text.plain for text in live._lines(here.reports.snapshot())]

    assert "… and 22 more goals, later in line" in lines
    assert len(lines) <= 24 and "it clashes" in lines[-1]
