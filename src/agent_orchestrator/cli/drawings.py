"""The drawings of the report's page, as inline SVG: the plan, who did what when, what was spent when.

Colours are classes that the page's style sheet knows, for light and for dark.
Every drawing has a title and a description, each of its parts a title of its
own, and what it shows stands as text elsewhere on the page too.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from agent_orchestrator.cli import render
from agent_orchestrator.cli.render import line
from agent_orchestrator.services.json_values import Json

NODE_WIDTH, NODE_HEIGHT = 172, 44
GAP_ACROSS, GAP_DOWN = 38, 16
EDGE = 8
"""Pixels around a drawing."""
NODES_DRAWN = 120
"""Tasks up to which a plan is drawn: beyond that nobody could read it, and the list of tasks is there."""
ROWS_DRAWN = 200
"""Attempts that a timeline shows, the first ones."""
ROW_HEIGHT, LABEL_WIDTH, TIMELINE_WIDTH = 24, 190, 820
SPEND_WIDTH, SPEND_HEIGHT = 820, 150
LETTER_WIDTH = 7
"""Pixels that a letter of the small print takes, generously: fonts differ."""
TICKS = 6
"""Marks that a time axis aims at."""
SIGNS = {"done": "✓", "failed": "✗", "cancelled": "×", "replaced": "→", "running": "▶"}
"""Beside its colour, each state of a task that matters most has a sign of its own."""


def text(value: object, limit: int = render.TEXT_LIMIT) -> str:
    """Return *value* cleaned, on one line and escaped for HTML: it can say anything and mark up nothing."""
    return escape(line(value, limit), quote=True)


def kind(word: str | None) -> str:
    """Return the class that colours a state, verdict or outcome: ``good``, ``odd``, ``bad``, ``busy`` or ``quiet``."""
    found = render.STATE_COLOURS.get(word or "running")
    return {"green": "good", "yellow": "odd", "red": "bad", "cyan": "busy"}.get(found or "", "quiet")


def plan(tasks: Sequence[Json]) -> str:
    """Return the plan's graph, phase by phase from left to right; empty when there is nothing worth drawing."""
    if not 1 < len(tasks) <= NODES_DRAWN:
        return ""
    columns = _columns(tasks)
    places = {
        task["key"]: (EDGE + at * (NODE_WIDTH + GAP_ACROSS), EDGE + row * (NODE_HEIGHT + GAP_DOWN))
        for at, column in enumerate(columns)
        for row, task in enumerate(column)
    }
    width = max(x for x, _ in places.values()) + NODE_WIDTH + EDGE
    height = max(y for _, y in places.values()) + NODE_HEIGHT + EDGE
    arrows = [_arrow(places[need], places[task["key"]]) for task in tasks for need in task["depends_on"]]
    nodes = [_node(task, *places[task["key"]]) for column in columns for task in column]
    told = f"{len(tasks)} tasks in {len(columns)} phases; an arrow leads from a task to what waits for it."
    return _svg("plan", "The plan", told, width, height, [*arrows, *nodes])


def _columns(tasks: Sequence[Json]) -> list[list[Json]]:
    """Return the tasks by phase, each phase in the order that keeps arrows short."""
    phases = sorted({task["phase"] for task in tasks})
    columns = [[task for task in tasks if task["phase"] == phase] for phase in phases]
    rows: dict[str, float] = {}
    for column in columns:
        wanted = {
            task["key"]: sum(rows.get(need, 0) for need in task["depends_on"]) / max(1, len(task["depends_on"]))
            for task in column
        }
        column.sort(key=lambda task: wanted[task["key"]])
        rows |= {task["key"]: float(at) for at, task in enumerate(column)}
    return columns


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + NODE_WIDTH, start[1] + NODE_HEIGHT // 2
    x2, y2 = end[0] - 5, end[1] + NODE_HEIGHT // 2
    bend = max(16, (x2 - x1) // 2)
    curve = f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return f'<path class="arrow" d="{curve}"/><path class="tip" d="M{x2} {y2 - 4} l6 4 l-6 4 z"/>'


def _node(task: Json, x: int, y: int) -> str:
    word = task["verdict"] or task["state"]
    sign = SIGNS.get(task["state"], "·")
    whole = f"{task['key']}: {task['title']} ({render.verdict_of(task)}, {task['specialist']})"
    return (
        f'<a href="#{text(task["id"])}"><title>{text(whole)}</title>'
        f'<rect class="node {kind(word)}" x="{x}" y="{y}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x + 10}" y="{y + 19}">{sign} {text(task["key"], 19)}</text>'
        f'<text class="small" x="{x + 10}" y="{y + 35}">{text(render.verdict_of(task), 28)}</text></a>'
    )


def timeline(goal: Json) -> str:
    """Return a row for each attempt, from its start to its end; empty when nothing has started."""
    rows = [(task, one) for task in goal["tasks"] for one in task["attempts"] if one["started_at"]]
    rows.sort(key=lambda row: (row[1]["started_at"], row[0]["key"]))
    if not rows:
        return ""
    axis = _Axis(
        min(one["started_at"] for _, one in rows),
        max(one["ended_at"] or goal["now"] for _, one in rows),
        LABEL_WIDTH,
        TIMELINE_WIDTH,
    )
    shown = rows[:ROWS_DRAWN]
    bottom = EDGE + len(shown) * ROW_HEIGHT
    parts = [*axis.marks(bottom), *_sleeps(goal, axis, bottom)]
    for at, (task, attempt) in enumerate(shown):
        parts.append(_bar(task, attempt, goal["now"], axis, EDGE + at * ROW_HEIGHT))
    more = f" Only the first {ROWS_DRAWN} of {len(rows)} are drawn." if len(rows) > ROWS_DRAWN else ""
    told = f"Each row is an attempt at a task, from its start until it was landed or given back.{more}"
    return _svg("timeline", "Who did what when", told, axis.right + 3 * EDGE, bottom + 28, parts)


def _bar(task: Json, attempt: Json, now: str, axis: "_Axis", y: int) -> str:
    start, end = axis.place(attempt["started_at"]), axis.place(attempt["ended_at"] or now)
    outcome = (attempt["outcome"] or "running").replace("_", " ")
    took = render.between(attempt["started_at"], attempt["ended_at"] or now)
    when = _clock(attempt["started_at"])
    whole = f"{task['key']}, attempt {attempt['number']} by {attempt['agent']} ({task['specialist']}): {outcome}"
    label = f"{task['key']}" + (f" #{attempt['number']}" if attempt["number"] > 1 else "")
    width = max(3.0, end - start)
    words = f"{outcome}, {attempt['agent']}"
    room = len(words) * LETTER_WIDTH
    if width > room:
        place, x = "inbar", start + 6
    elif axis.right - end > room:
        place, x = "small", end + 6
    else:
        place, x = "small before", start - 6
    said = f'<text class="{place}" x="{x:.1f}" y="{y + 15}">{text(words, 60)}</text>'
    return (
        f'<a href="#{text(task["id"])}"><title>{text(f"{whole}, from {when} for {took}")}</title>'
        f'<text class="label" x="{LABEL_WIDTH - 8}" y="{y + 15}">{text(label, 25)}</text>'
        f'<rect class="bar {kind(attempt["outcome"])}" x="{start:.1f}" y="{y + 3}" width="{width:.1f}" height="16" '
        f'rx="3"/>{said}</a>'
    )


def _sleeps(goal: Json, axis: "_Axis", bottom: int) -> Iterator[str]:
    for one in goal["slept"]:
        woke = render.moment(one["at"])
        if woke is None:
            continue
        start, end = axis.at(woke - timedelta(seconds=one["seconds"])), axis.at(woke)
        told = f"The machine slept for {render.age(one['seconds'])}"
        yield (
            f'<rect class="asleep" x="{start:.1f}" y="{EDGE}" width="{max(2.0, end - start):.1f}" '
            f'height="{bottom - EDGE}"><title>{text(told)}</title></rect>'
        )


def spend(goal: Json) -> str:
    """Return what was spent when, added up as attempts ended; empty when none reported a cost."""
    ends = sorted(
        (one["ended_at"], one["usage"]["cost_usd"] or 0.0)
        for task in goal["tasks"]
        for one in task["attempts"]
        if one["ended_at"]
    )
    total = float(sum(cost for _, cost in ends))
    if not total:
        return ""
    axis = _Axis(goal["started_at"] or ends[0][0], max(ends[-1][0], goal["ended_at"] or ""), 64, SPEND_WIDTH)
    top = float(max(total, goal["budget_usd"] or 0))
    bottom = EDGE + SPEND_HEIGHT

    def height(dollars: float) -> float:
        return bottom - dollars / top * (SPEND_HEIGHT - 12)

    so_far, path = 0.0, [f"M{axis.left} {bottom}"]
    for at, cost in ends:
        so_far += cost
        path.append(f"H{axis.place(at):.1f} V{height(so_far):.1f}")
    path.append(f"H{axis.right}")
    line_ = " ".join(path)
    parts = [
        *axis.marks(bottom),
        f'<path class="area" d="{line_} V{bottom} Z"/>',
        f'<path class="spent" d="{line_}"/>',
        f'<text class="label" x="{axis.left - 6}" y="{bottom}">$0</text>',
        f'<text class="label" x="{axis.left - 6}" y="{height(total) + 4:.1f}">{text(_dollars(total))}</text>',
    ]
    if goal["budget_usd"]:
        y = height(goal["budget_usd"])
        parts.append(f'<path class="ceiling" d="M{axis.left} {y:.1f} H{axis.right}"/>')
        parts.append(f'<text class="small" x="{axis.left + 6}" y="{y + 13:.1f}">budget</text>')
    told = f"{_dollars(total)} in all; an attempt's cost is counted when it ends."
    return _svg("spend", "What was spent when", told, axis.right + 3 * EDGE, bottom + 28, parts)


class _Axis:
    """Places moments on a horizontal axis of *width* pixels that begins at *left*."""

    def __init__(self, first: str, last: str, left: int, width: int) -> None:
        start, end = render.moment(first), render.moment(last)
        assert start is not None and end is not None
        self.start, self.span_s = start, max(1.0, (end - start).total_seconds())
        self.left, self.right = left, left + width

    def at(self, moment: datetime) -> float:
        share = (moment - self.start).total_seconds() / self.span_s
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def place(self, moment: str) -> float:
        found = render.moment(moment)
        return self.left if found is None else self.at(found)

    def marks(self, bottom: int) -> Iterator[str]:
        """Yield lines at round times, with the local time below each."""
        step = next((one for one in _STEPS_S if self.span_s / one <= TICKS), _STEPS_S[-1])
        midnight = self.start.replace(hour=0, minute=0, second=0)
        passed = (self.start - midnight).total_seconds()
        moment = midnight + timedelta(seconds=-(-passed // step) * step)
        while (moment - self.start).total_seconds() <= self.span_s:
            x = self.at(moment)
            form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%d %b"
            yield f'<path class="grid" d="M{x:.1f} {EDGE} V{bottom}"/>'
            yield f'<text class="tick" x="{x:.1f}" y="{bottom + 17}">{moment:{form}}</text>'
            moment += timedelta(seconds=step)


_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


def _clock(moment: str) -> str:
    found = render.moment(moment)
    return f"{found:%H:%M:%S}" if found else "-"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.01 else f"${amount:.4f}"


def _svg(name: str, title: str, told: str, width: float, height: float, parts: Sequence[str]) -> str:
    ids = f'aria-labelledby="{name}-title {name}-told"'
    return (
        f'<svg role="group" {ids} viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
        f'<title id="{name}-title">{text(title)}</title><desc id="{name}-told">{text(told)}</desc>'
        f"{''.join(parts)}</svg>"
    )
