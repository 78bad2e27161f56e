"""Going through finished work with single keys on a terminal."""

import os
import select
import shlex
import subprocess
import sys
import termios
import tty
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import morning, render
from agent_orchestrator.cli.ctrl_c import CtrlC
from agent_orchestrator.cli.render import line
from agent_orchestrator.cli.review import then
from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.ids import TaskId
from agent_orchestrator.services.json_values import Json

KEYS = {
    "a": "accept",
    "r": "reject",
    "c": "comment",
    "d": "diff",
    "l": "logs",
    "o": "open",
    "n": "next",
    "q": "quit",
}
"""Every key and what it does; space and Enter mean next."""
ESCAPE_WITHIN_S = 0.02
"""How soon the rest of an arrow key's sequence follows its escape."""
OPENED_AT_ONCE = 20
"""Files that an editor is given."""


def walk(app: App, items: Sequence[Json]) -> None:
    """Show one thing after another until each is decided on or passed over, or the user leaves."""
    decided: Counter[str] = Counter()
    keys = "  ".join(f"{render.paint(key, bold=True)} {word}" for key, word in KEYS.items())
    try:
        for at, item in enumerate(items, 1):
            render.say(["", *_shown(item, f"{at} of {len(items)}"), ""], folded=True)
            what = _decide(app, item, keys)
            if what == "quit":
                break
            decided[what] += what != "next"
    except KeyboardInterrupt:
        pass
    _tell(app, decided, len(items))


def _shown(item: Json, where: str) -> list[str]:
    first, *rest = item["story"]
    lines = [f"{render.paint(where, dim=True)}  {render.heading(line(first, morning.LINE_LIMIT))}"]
    if item["why"]:
        why = f"{item['risk']} risk: {line('; '.join(item['why']), morning.LINE_LIMIT)}"
        lines.append(f"  {render.paint(why, {'high': 'red', 'medium': 'yellow'}.get(item['risk']))}")
    return lines + [f"  {line(one, morning.LINE_LIMIT)}" for one in rest]


def _decide(app: App, item: Json, keys: str) -> str:
    """Take keys until one of them decides on *item*; return ``accepted``, …, ``next`` or ``quit``."""
    while True:
        click.echo(f"{keys}  ", nl=False)
        key = _key()
        word = {" ": "next", "\r": "next", "\n": "next", "\x04": "quit", "": "quit"}.get(key) or KEYS.get(key.lower())
        click.echo(word or "?")
        try:
            if word in {"next", "quit"}:
                return word
            if word in {"accept", "reject", "comment"}:
                what = _act(app, item, word)
                if what:
                    return what
            elif word is not None:
                _look(app, item, word)
        except OrchestratorError as error:
            hint = f" ({line(error.hint)})" if error.hint else ""
            render.say(f"  not done: {line(error.message, morning.LINE_LIMIT)}{hint}")


def _act(app: App, item: Json, word: str) -> str:
    """Do what was decided and say what that did; nothing when the user thought better of it."""
    id = TaskId(item["task"])
    if word == "accept":
        decided = app.reviewing.accept(id)
    elif word == "reject":
        decided = app.reviewing.reject(id, _asked("Why? It goes into the next attempt's prompt (Enter: no word)"))
    else:
        comment = _asked("What more do you want of it? (Enter: nothing)")
        if not comment.strip():
            return ""
        decided = app.reviewing.comment(id, comment)
    render.say(f"  {line(decided.said, morning.LINE_LIMIT)}", folded=True)
    return decided.what


def _look(app: App, item: Json, word: str) -> None:
    if word == "diff":
        from agent_orchestrator.cli.tasks import show_diff

        show_diff(app, app.reports.task(TaskId(item["task"])))
    elif word == "logs":
        from agent_orchestrator.cli.transcripts import Reading

        attempts = app.reports.task(TaskId(item["task"]))["attempts"]
        with CtrlC() as ctrl_c:
            Reading(app, attempts[-1]).show(ctrl_c, follow=False, as_json=False, of=len(attempts))
    else:
        _open(app, item["of"])


def _open(app: App, task: Json) -> None:
    """Open the files that the task changed in the user's editor, where they lie; else say on which branch they are."""
    attempt = task["attempts"][-1]
    evidence = attempt["evidence"]
    root = _where(app, task, attempt)
    files = [root / name for name in evidence["files"]] if root is not None and evidence else []
    there = [str(file) for file in files if file.is_file()][:OPENED_AT_ONCE]
    editor = app.environ.get("VISUAL") or app.environ.get("EDITOR")
    if not there:
        render.say(
            f"  its files are not in your folder; they are on the branch {line(attempt['branch'] or 'of its goal')}"
        )
    elif not editor:
        render.say([*(f"  {line(file, 4096)}" for file in there), "  set EDITOR, and o opens them"])
    else:
        subprocess.run([*shlex.split(editor), *there], check=False)


def _where(app: App, task: Json, attempt: Json) -> Path | None:
    """Return the folder that has the task's files: its checkout while that is kept, the project once delivered."""
    checkout = attempt["workspace"]
    if checkout and Path(checkout).is_dir():
        return Path(checkout)
    goal = app.store.goals.get(task["goal"])
    return app.project().root if goal.delivery == "delivered" else None


def _tell(app: App, decided: Counter[str], count: int) -> None:
    told = ", ".join(f"{number} {what}" for what, number in decided.items() if number)
    left = count - sum(decided.values())
    back = decided["rejected"] + decided["commented"]
    render.say(f"{told or 'nothing decided'}; {left} left{then(app, 'rejected') if back else ''}")


def _asked(question: str) -> str:
    return str(click.prompt(f"  {question}", default="", show_default=False))


def _key() -> str:
    """Return one key as it is pressed; empty at the end of the input. What was typed ahead is not lost."""
    with _unbuffered(sys.stdin.fileno()) as terminal:
        pressed = os.read(terminal, 1)
        if pressed == b"\x1b":  # an arrow or the like: not one of ours
            while select.select([terminal], [], [], ESCAPE_WITHIN_S)[0]:
                os.read(terminal, 1)
            return "?"
    return pressed.decode("ascii", "replace")


@contextmanager
def _unbuffered(terminal: int) -> Iterator[int]:
    """Let single keys through, without echo. Ctrl-C still interrupts."""
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSANOW)  # not the default, which would drop what was typed ahead
    try:
        yield terminal
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
