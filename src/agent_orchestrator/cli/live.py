"""The live view: ``watch``, and what a terminal shows while ``run`` works. A reader of the snapshot, nothing more.

The run never depends on its view: it works in the main thread, the view is a
thread that reads the store and draws, and when drawing fails the view is turned
off and the run goes on with plain lines.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agent_orchestrator.cli import doors, render
from agent_orchestrator.cli.ctrl_c import CtrlC
from agent_orchestrator.cli.looking import Looking
from agent_orchestrator.cli.render import line
from agent_orchestrator.cli.reports import OPEN, bounds
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

    from agent_orchestrator.app import App

T = TypeVar("T")

DRAW_EVERY_S = 0.5
"""Between two drawings while a run works."""
ENDING_S = 5.0
"""How long the end of a run waits for its view: a read of the store that hangs must not hold up the result."""
GOALS_DRAWN = 8
"""Open goals drawn with their phases: what works and what failed is below them and must stay on the screen."""
MARKS = {
    "done": "+",
    "running": "*",
    "claimed": "*",
    "verifying": "*",
    "landing": "*",
    "failed": "!",
    "cancelled": "x",
    "replaced": ">",
}
"""Before a task's key, so that states can be told apart without colour; none for what has not started."""


@click.command()
@click.option(
    "-n",
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Seconds between two looks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a snapshot a line (NDJSON) whenever something changes.")
def watch(interval: float, as_json: bool) -> None:
    """Status, live.

    Ctrl-C ends it. Without a terminal it prints a line whenever something changes.
    """
    with CtrlC() as ctrl_c:
        if as_json or not _can_draw(sys.stdout):
            _watch_plainly(ctrl_c, interval, as_json)
        else:
            _watch_drawn(ctrl_c, interval)


def while_running(app: "App", work: Callable[[Callable[[str], None]], T]) -> T:
    """Call ``work(log)`` in this thread and show how the run stands meanwhile; return what it returns.

    ``log(text)`` takes one plain line for a person. On a terminal it stands above a panel that is drawn again and
    again; elsewhere it goes to standard error with the time before it. Nothing that goes wrong in showing reaches
    *work*. All of it is on standard error: standard output is the result's.
    """
    view = _View(app)
    view.begin()
    try:
        return work(view.log)
    finally:
        view.end()


class _View:
    """The panel of one run: drawn by a thread of its own, turned off for good when anything goes wrong with it."""

    def __init__(self, app: "App") -> None:
        self.app = app
        self._live: Live | None = None
        """None when there is no panel: not a terminal, not begun, turned off."""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        if not _can_draw(sys.stderr):
            return
        try:
            from rich.live import Live

            reports = self.app.reports  # made here, so that two threads do not make it at the same time
            console = _console(stderr=True)
            live = Live(
                draw(reports.snapshot()),
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live = live
            live.start(refresh=True)
        except Exception as error:
            self._turn_off(error)
            return
        self._thread = threading.Thread(target=self._draw, name="live-view", daemon=True)
        self._thread.start()

    def log(self, text: str) -> None:
        shown = f"{datetime.now().astimezone():%H:%M:%S} {line(text, 1000)}"
        live = self._live
        if live is not None:
            try:
                from rich.text import Text

                live.console.print(Text(shown))
            except Exception as error:
                self._turn_off(error)
            else:
                return
        with suppress(OSError, ValueError):  # the terminal is gone; the run is not
            doors.tell(shown)

    def end(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(ENDING_S)
        self._stop()

    def _draw(self) -> None:
        try:
            while not self._over.wait(DRAW_EVERY_S):
                live = self._live
                if live is None:
                    return
                live.update(draw(self.app.reports.snapshot()), refresh=True)
        except Exception as error:
            self._turn_off(error)
        finally:
            with suppress(Exception):
                self.app.store.close()  # connections are per thread; this closes this thread's

    def _stop(self) -> bool:
        """Take the panel away and give the cursor back; say whether there was one."""
        with self._lock:
            live, self._live = self._live, None
        if live is None:
            return False
        with suppress(Exception):
            live.stop()
        return True

    def _turn_off(self, error: Exception) -> None:
        self._stop()
        if not self._over.is_set():
            self._over.set()
            with suppress(OSError, ValueError):
                doors.tell(f"the live view is off ({type(error).__name__}: {line(error)}); the run goes on")


def draw(snapshot: Json) -> "RenderableType":
    """Return the snapshot as something rich can draw: one row per thing, cut to the terminal, every text cleaned."""
    from rich.console import Group

    return Group(*_lines(snapshot))


def _lines(snapshot: Json) -> list["Text"]:
    """Return the view from what is most important down: what does not fit the terminal is cut off at the end."""
    supervisor = snapshot["supervisor"]
    how = "stopping" if supervisor["stopping"] else "running" if supervisor["running"] else "not running"
    head = f"{render.counts(snapshot['counts'])} | supervisor {how} | {render.money(snapshot['spend'])}"
    found = [_row((head, "bold"))]
    if not snapshot["goals"]:
        return [*found, _row(("nothing here yet", ""))]
    found += [_row((one, "")) for one in bounds(snapshot)]
    open_ones = [goal for goal in snapshot["goals"] if goal["state"] in OPEN]
    for goal in open_ones[:GOALS_DRAWN] or snapshot["goals"][:1]:
        found += _goal_rows(goal)
    if len(open_ones) > GOALS_DRAWN:
        found.append(_row((f"… and {len(open_ones) - GOALS_DRAWN} more goals, later in line", "dim")))
    found += [_agent_row(agent) for agent in snapshot["running"]]
    found += [
        _row((f"{count} {'wait' if count > 1 else 'waits'} for {line(why)}", "")) for why, count in _held_up(snapshot)
    ]
    found += [_row((render.hold(hold, snapshot["now"]), "yellow")) for hold in snapshot["holds"]]
    for task in snapshot["failed"][:5]:
        found.append(_row((f"failed {task['id']} {line(task['key'], 24)} ", "red"), (line(task["reason"]), "")))
    return found


def _row(*parts: tuple[str, str]) -> "Text":
    """Return one line of *parts*, each a text and its style."""
    from rich.text import Text

    made = Text(no_wrap=True, overflow="ellipsis")
    for text, style in parts:
        made.append(text, style)
    return made


def _goal_rows(goal: Json) -> list["Text"]:
    """Return a goal with its budget, and a line for each phase of its tasks."""
    demo = " (demo)" if goal["demo"] else ""
    verdict = f", {goal['verdict']}" if goal["verdict"] else ""
    style = render.STATE_COLOURS.get(goal["verdict"] or goal["state"], "")
    found = [_row((f"{goal['id']} ", "bold"), (f"{goal['state']}{verdict}{demo} ", style), (line(goal["title"]), ""))]
    if "budget" in (told := render.goal_spend(goal)):
        found.append(_row((f"    {told}", "")))
    for phase in goal["phases"]:
        parts = [(f" {phase['phase']:>2} ", "dim")]
        for task in phase["tasks"]:
            mark = MARKS.get(task["state"], "")
            colour = render.STATE_COLOURS.get(task["verdict"] or task["state"], "") if mark else "dim"
            parts.append((f"{mark}{line(task['key'], 24)} ", colour))
        found.append(_row(*parts))
    return found


def _agent_row(agent: Json) -> "Text":
    what = "asked to stop" if agent["stop_wished"] else line(agent["doing"]) or agent["state"]
    who = f"{agent['id']} {line(agent['task_key'] or '-', 20)} {render.age(agent['elapsed_s'])} "
    return _row((who, "cyan"), (what, ""))


def _held_up(snapshot: Json) -> list[tuple[str, int]]:
    """Return what tasks wait for that could start by themselves, and how many do; the next free agent aside."""
    found: dict[str, int] = {}
    for task in snapshot["waiting"]:
        if task["state"] == "ready" and task["waits_for"] != "a free agent":
            found[task["waits_for"]] = found.get(task["waits_for"], 0) + 1
    return list(found.items())


def _watch_drawn(ctrl_c: CtrlC, interval: float) -> None:
    from rich.live import Live

    console = _console(stderr=False)
    looking = Looking()
    snapshot = looking.app().reports.snapshot()
    signal.signal(signal.SIGTERM, ctrl_c.press)  # gives the terminal its own screen back
    with Live(draw(snapshot), console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(draw(snapshot), refresh=True)
            ctrl_c.sleep(interval)
            snapshot = looking.app().reports.snapshot()


def _watch_plainly(ctrl_c: CtrlC, interval: float, as_json: bool) -> None:
    looking, before = Looking(), None
    while True:
        snapshot = looking.app().reports.snapshot()
        now = _what_counts(snapshot)
        if now != before:
            before = now
            if as_json:
                doors.stream(snapshot)
            else:
                render.say(_one_line(snapshot))
        ctrl_c.sleep(interval)


def _what_counts(snapshot: Json) -> object:
    """Return what makes a new line worth printing: everything but the passing of time and money."""
    return (
        snapshot["supervisor"],
        {state: count for state, count in snapshot["counts"].items() if count},
        [(goal["id"], goal["state"], goal["delivery"]) for goal in snapshot["goals"]],
        [(agent["id"], agent["state"], agent["doing"], agent["stop_wished"]) for agent in snapshot["running"]],
        snapshot["holds"],
        _held_up(snapshot),
    )


def _one_line(snapshot: Json) -> str:
    parts = [render.counts(snapshot["counts"]) if snapshot["goals"] else "nothing here yet"]
    if not snapshot["supervisor"]["running"]:
        parts.append("no supervisor is running")
    else:
        parts += [f"{count} {'wait' if count > 1 else 'waits'} for {line(why)}" for why, count in _held_up(snapshot)]
    parts += [render.hold(hold, snapshot["now"]) for hold in snapshot["holds"]]
    for agent in snapshot["running"]:
        parts.append(
            f"{agent['id']} {line(agent['task_key'] or '-', 40)}: {line(agent['doing'], 80) or agent['state']}"
        )
    return f"{render.moment(snapshot['now']):%H:%M:%S} {' | '.join(parts)}"


def _can_draw(stream: Any) -> bool:
    return bool(stream.isatty()) and os.environ.get("TERM") not in {None, "", "dumb"}


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
