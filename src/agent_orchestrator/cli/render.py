"""How things look to people: one line per thing, cleaned, aligned, coloured only where that helps.

Everything an agent, a repository or a goal's author wrote passes :func:`line`
or :func:`block` before it is shown: it can say anything and steer nothing.
Nothing here imports rich; ``status`` is drawn with these functions alone.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from agent_orchestrator.domain.deadline import worked
from agent_orchestrator.domain.text import clean

TEXT_LIMIT = 200
"""Columns of a title or a reason in a list. What is longer is shown whole by ``task`` and ``report``."""

STATE_COLOURS = {
    "done": "green",
    "completed": "green",
    "verified": "green",
    "succeeded": "green",
    "passed": "green",
    "running": "cyan",
    "executing": "cyan",
    "claimed": "cyan",
    "verifying": "cyan",
    "landing": "cyan",
    "unverified": "yellow",
    "blocked": "yellow",
    "flaky": "yellow",
    "limited": "yellow",
    "no_room": "yellow",
    "conflict": "red",
    "failed": "red",
    "rejected": "red",
    "no_evidence": "red",
    "stalled": "red",
    "timed_out": "red",
    "lost": "red",
}
"""Colour of each state, verdict and outcome. The word always stands there too: colour is never the only sign."""

WORDS = {
    "done": "Completed",
    "claimed": "In Progress",
    "running": "In Progress",
    "verifying": "In Progress",
    "landing": "In Progress",
    "blocked": "Pending",
    "ready": "Pending",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "replaced": "Replaced",
}
"""What ``status`` calls a task's state in each of its rows, for those who search it: ``status | grep Failed``."""
MARKS = {
    "Completed": ("\u2713", "+"),
    "In Progress": ("\u25b6", "*"),
    "Pending": ("\u00b7", "-"),
    "Failed": ("\u2717", "!"),
    "Cancelled": ("\u00d7", "x"),
    "Replaced": ("\u2192", ">"),
}
"""The sign before each word, and the one for a terminal that knows ASCII only."""
NARROW = 30
"""Columns of a terminal up to which a broken line's rest is not indented further."""
LAST_LEAST = 30
"""Columns that a table's last column needs at least; with less it goes onto a line of its own."""

Json = Mapping[str, Any]


def line(text: object, limit: int = TEXT_LIMIT) -> str:
    """Return *text* cleaned, on one line, at most *limit* columns wide."""
    return cut(" ".join(clean(str(text or "")).split()), limit)


def block(text: object, indent: str = "  ", lines: int | None = None) -> list[str]:
    """Return *text* cleaned, as indented lines; with *lines* only the last so many, saying how many are left out."""
    found = [f"{indent}{one.expandtabs(4).rstrip()}" for one in clean(str(text or "")).strip().splitlines()]
    if lines is not None and len(found) > lines:
        return [f"{indent}… {len(found) - lines} lines before", *found[-lines:]]
    return found


def width(text: str) -> int:
    """Return how many terminal columns *text* takes: East Asian wide characters two, marks and colours none."""
    if "\x1b" in text:  # our own colours; anybody else's are gone
        text = click.unstyle(text)
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, limit: int) -> str:
    """Return *text* shortened to *limit* columns, with an ellipsis when something is missing."""
    if width(text) <= limit:
        return text
    used, kept = 1, []
    for one in text:
        used += width(one)
        if used > limit:
            break
        kept.append(one)
    return "".join(kept).rstrip() + "…"


def wrapped(text: str, room: int) -> list[str]:
    """Return *text* as lines of at most *room* columns: broken between words, and within one longer than that."""
    found, current = [], ""
    for word in text.split():
        if current and width(current) + 1 + width(word) <= room:
            current += f" {word}"
            continue
        if current:
            found.append(current)
        current = ""
        for one in word:
            if current and width(current) + width(one) > room:
                found.append(current)
                current = ""
            current += one
    return [*found, current] if current or not found else found


def columns() -> int | None:
    """Return the width of the terminal, or None when standard output is none: then nothing is cut to fit."""
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size  # brings the archive formats along

    return get_terminal_size().columns


def coloured() -> bool:
    """Say whether colour may be used at all. (Whether the stream is a terminal is click's to decide.)"""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """Return *text* in a colour, unless the user wants none."""
    if not coloured() or not text:
        return text
    return click.style(text, fg=colour, bold=bold or None, dim=dim or None)


def state(word: str) -> str:
    """Return a state, verdict or outcome in its colour."""
    return paint(word, STATE_COLOURS.get(word))


def heading(text: str) -> str:
    """Return the heading of a section."""
    return paint(text, bold=True)


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return *rows* with their columns aligned; on a terminal the last column is cut to fit.

    Where it would get less than LAST_LEAST columns, it goes below its row instead. Cells but the last may be coloured.
    """
    if not rows:
        return []
    widths = [max(width(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    room = columns()
    left = None if room is None else room - width(indent) - sum(widths) - 2 * len(widths)
    below = left is not None and left < LAST_LEAST and any(width(row[-1]) > left for row in rows)
    found = []
    for row in rows:
        head = indent + "".join(
            cell + " " * (space - width(cell) + 2) for cell, space in zip(row[:-1], widths, strict=True)
        )
        if not below:
            found.append((head + (row[-1] if left is None else cut(row[-1], left))).rstrip())
            continue
        found.append(head.rstrip())
        if room is not None and row[-1] not in {"", "-"}:
            found.append(f"{indent}    {cut(row[-1], 2 * (room - width(indent) - 4))}")
    return found


def word(state: str) -> str:
    """Return the word and the sign by which a person knows a task's state, in its colour."""
    found = WORDS.get(state, state)
    rich, plain = MARKS.get(found, (" ", " "))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sign = rich if rich.encode(encoding, "replace").decode(encoding) == rich else plain
    return paint(f"{sign} {found}", STATE_COLOURS.get(state))


def fold(text: str, room: int | None) -> list[str]:
    """Return one line as lines of at most *room* columns, broken between words and indented below the first.

    What stands in backticks is kept together, and a line that is nothing but a command is left to the terminal, which
    lets it be copied whole. So is a row of a table, and a word that is longer than the line.
    """
    said = text.lstrip()
    if room is None or width(text) <= room or _COMMAND.match(said) or len(_GAPS.findall(said)) > 1:
        return [text]
    indent = " " * (len(text) - len(said))
    below = indent + "  " if room > NARROW else indent
    found, current = [], indent
    for word in _PIECES.findall(said):
        if current.strip() not in {"", "-"} and width(current) + 1 + width(word) > room:
            found.append(current)
            current = below + word
        else:
            current += f" {word}" if current.strip() else word
    return [*found, current]


_PIECES = re.compile(r"(?:`[^`]*`|[^\s`])+|`")
_GAPS = re.compile(r"\S {2,}\S")
_COMMAND = re.compile(r"(orchestrate|git|cp) ")


def say(lines: Sequence[str] | str, *, folded: bool = False) -> None:
    """Print a view at once; what the terminal's encoding cannot show becomes a question mark, not an error.

    *folded* breaks lines that the terminal is too narrow for between words.
    """
    if folded and (room := columns()) is not None:
        whole = lines.split("\n") if isinstance(lines, str) else lines
        lines = [part for one in whole for part in fold(one, room)]
    text = lines if isinstance(lines, str) else "\n".join(lines)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding))


def age(seconds: float | None) -> str:
    """Return a duration in one or two units, such as ``40 s``, ``12 min`` or ``3 h 05 min``; ``-`` when unknown."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def moment(text: str | None) -> datetime | None:
    """Return a time of a snapshot as local time."""
    if not text:
        return None
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone()


def local(text: str | None, now: str | None) -> str:
    """Return a time in the user's zone: ``03:10`` on the day of *now*, else with its date."""
    when, today = moment(text), moment(now)
    if when is None:
        return "-"
    if today is not None and when.date() == today.date():
        return f"{when:%H:%M}"
    if today is not None and abs(when.date() - today.date()) < timedelta(days=6):
        return f"{when:%a %H:%M}"
    return f"{when:%Y-%m-%d %H:%M}"


def between(start: str | None, end: str | None) -> str:
    """Return how long it was from one time of a snapshot to another."""
    first, last = moment(start), moment(end)
    return age((last - first).total_seconds()) if first and last else "-"


def money(usage: Json) -> str:
    """Return a cost in dollars. An estimate is marked, and so is a sum of which a part is unknown.

    Work that reported tokens and no price is not called free.
    """
    cost = usage["cost_usd"]
    if cost:
        shown = f"${cost:,.2f}" if cost >= 0.01 else f"${cost:.4f}"
        shown = f"about {shown} (estimate)" if usage["cost_is_estimate"] else shown
        return f"at least {shown}" if usage["cost_is_partial"] else shown
    tokens = usage["input_tokens"] + usage["cached_tokens"] + usage["output_tokens"]
    return f"{tokens:,} tokens, no price reported" if tokens else "no cost reported"


def goal_spend(goal: Json) -> str:
    """Return what a goal has cost beside all its ceilings."""
    limits = [f"${goal['budget_usd']:,.2f}"] if goal["budget_usd"] is not None else []
    limits += [f"{goal['budget_tokens']:,} tokens"] if goal["budget_tokens"] is not None else []
    limits += [f"{worked(goal['budget_minutes'] * 60)} of work"] if goal["budget_minutes"] is not None else []
    return money(goal["spend"]) + (f", budget {', '.join(limits)}" if limits else "")


def counts(found: Mapping[str, int]) -> str:
    """Return how many are in which state, such as ``3 done, 1 running``."""
    return ", ".join(f"{count} {word}" for word, count in found.items() if count) or "no tasks"


def hold(found: Json, now: str | None) -> str:
    """Return in one line who waits until when and why, in local time."""
    until = local(found["until"], now)
    if found["kind"] == "login":
        return f"{found['provider']}'s login is refused; log in. Looked at again at {until}: {line(found['reason'])}"
    guess = "" if found["stated"] else ", it named no time to come: tried again then"
    return f"waiting for {found['provider']} until {until} ({found['kind'].replace('_', ' ')}{guess})"


def verdict_of(task: Json) -> str:
    """Return a task's state and, when it is done, what we say of the work: the two never look the same."""
    return f"{task['state']}, {task['verdict']}" if task.get("verdict") else str(task["state"])


def markdown(text: object) -> str:
    """Return *text* cleaned, on one line and escaped, so that it is read as text by whatever renders Markdown."""
    plain = " ".join(clean(str(text or "")).split())
    escaped = re.sub(r"([\\`*_\[\]|~#!]|^[-+=]|(?<=:)//|(?<=\bwww)\.|(?<=^\d)[.)])", r"\\\1", plain)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def size(count: int) -> str:
    """Return a number of bytes as a person reads it."""
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 1024**2:.1f} MiB" if count >= 1024**2 else f"{count / 1024:.0f} KiB"
