"""How a plan looks in a planning session, from 40 columns on: tasks by phase, what waits for what, what to expect.

Every mark has a word beside it, so nothing is said by colour or sign alone; with *plain* there are words only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from agent_orchestrator.cli import expectations
from agent_orchestrator.cli.render import cut, line, paint, width, wrapped
from agent_orchestrator.domain.plan import Finding, Plan, PlannedTask, Severity
from agent_orchestrator.planning.doubts import told_together
from agent_orchestrator.planning.forecast import Forecast, critical_path

NARROW = 70
"""Columns below which a task takes two lines."""
WIDE = 120
"""Columns from which on tier, scope and check are shown too."""
FINDINGS_SHOWN = 4
GOAL_SHOWN_CHARS = 2_000
"""Of the goal, where the whole plan is asked for. A goal may be a document of a hundred kilobytes."""
LAST_COLUMN = 10
"""Columns that what a task waits for needs at least to be broken into lines: "after 12,"."""
LANES_LIMIT = 24
"""Columns of lines in a graph; a plan with more crossing edges is told in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a session's views are drawn."""

    columns: int
    rows: int | None = None
    """Lines that the plan may take. None: all it needs."""
    whole: bool = False
    """Whether goal and titles are told whole, over as many lines as they take, or cut to one."""
    plain: bool = False
    """Words only: for screen readers and terminals that draw nothing."""
    signs: bool = True
    """Whether the terminal shows more than ASCII."""


def plan_lines(plan: Plan, look: Look, *, name: str, version: int, approved: bool, expected: Forecast) -> list[str]:
    """Return the whole view: heading, tasks, forecast, what is open."""
    agreed = "approved" if approved else "not approved"
    head = [
        _named(line(name), f"  version {version}, {agreed}", look),
        *_fitted(line(plan.goal, GOAL_SHOWN_CHARS), look.columns, look),
    ]
    foot = [*_forecast_lines(plan, expected, look), *_open_lines(plan, look)]
    tasks = _task_lines(plan, expected, look)
    room = None if look.rows is None else max(4, look.rows - len(head) - len(foot))
    if room is not None and len(tasks) > room:
        kept = tasks[: room - 1]
        shown = sum(1 for one in kept if one[0])
        left = len(plan.tasks) - shown
        more = f"… {left} more {'task' if left == 1 else 'tasks'}; v shows all"
        tasks = [*kept, ("", paint(cut(more, look.columns), dim=True))]
    return [*head, *(text for _, text in tasks), *foot]


def _named(name: str, more: str, look: Look) -> str:
    text = cut(name + more, look.columns)  # before it is painted: what paints takes no columns
    return paint(text[: len(name)], bold=True) + text[len(name) :]


def _fitted(text: str, room: int, look: Look) -> list[str]:
    return wrapped(text, room) if look.whole else [cut(text, room)]


def _task_lines(plan: Plan, expected: Forecast, look: Look) -> list[tuple[str, str]]:
    """Return the lines of the tasks, each with the id of the task that begins there."""
    numbers = {task.id: str(at) for at, task in enumerate(plan.tasks, start=1)}
    lines: list[tuple[str, str]] = []
    phase = 0
    wide = max(len(numbers), 1)
    digits = len(str(wide))
    people = min(max(len(task.agent_type) for task in plan.tasks) + 2, 28)
    for task in sorted(plan.tasks, key=lambda one: one.phase):
        if task.phase != phase:
            phase = task.phase
            lines.append(("", paint(f"phase {phase}", dim=True)))
        critical = task.id in expected.critical
        mark = "" if look.plain else "* " if critical else "  "
        number = f"{mark}{numbers[task.id]:>{digits}} "
        after = (", " if look.whole else ",").join(numbers[need] for need in task.depends_on if need in numbers)
        waits = f"after {after}" if after else ""
        who = task.agent_type + (" (a guess)" if look.plain else "?") * _is_guess(task)
        title = line(task.title, 200)
        if look.plain:
            words = [f"{title}", who, f"size {task.size}", waits, "critical" if critical else ""]
            lines.append((task.id, f"{number}{', '.join(word for word in words if word)}"))
        elif look.columns < NARROW:
            indent, room = " " * width(number), look.columns - width(number)
            first, *more = _fitted(title, room, look)
            lines.append((task.id, _bold(number, critical) + first))
            lines += [("", indent + part) for part in more]
            facts = _fitted(f"{who} {task.size} {waits}".rstrip(), room, look)
            lines += [("", indent + paint(part, dim=True)) for part in facts]
        else:
            first, *more = _rows(task, number, title, who, waits, people, critical, look)
            lines += [(task.id, first), *(("", part) for part in more)]
    return lines


def _rows(
    task: PlannedTask, number: str, title: str, who: str, waits: str, people: int, critical: bool, look: Look
) -> list[str]:
    """Return a task with its title to the left and what is known of it to the right."""
    more = ""
    if look.columns >= WIDE:
        more = f"{task.tier!s:<9}{line(task.verify or 'project check', 24):<25}"
    fixed = f"{cut(who, people):<{people + 1}}{task.size}  {more}"
    room = look.columns - width(number) - 1
    tail = min(max(people + 4 + len(more) + 14, len(fixed + waits)), room - 24)
    left = room - tail
    last = tail - len(fixed)
    if look.whole and last >= LAST_COLUMN:
        above, *below = wrapped(waits, last)
        right = [fixed + above, *(" " * len(fixed) + part for part in below)]
    else:
        right = [cut(fixed + waits, tail)]
    rows = zip_longest(_fitted(title, left, look), right, fillvalue="")
    return [
        f"{' ' * width(number) if at else _bold(number, critical)}"
        f"{named}{' ' * max(0, left - width(named))} {paint(told, dim=True)}".rstrip()
        for at, (named, told) in enumerate(rows)
    ]


def _bold(text: str, critical: bool) -> str:
    return paint(text, "yellow", bold=True) if critical else text


def _is_guess(task: PlannedTask) -> bool:
    return task.routing is not None and task.routing.is_guess and task.routing.specialist == task.agent_type


def _forecast_lines(plan: Plan, expected: Forecast, look: Look) -> list[str]:
    numbers = {task.id: str(at) for at, task in enumerate(plan.tasks, start=1)}
    arrow = " → " if look.signs and not look.plain else ", "
    way = f"{'' if look.plain else '* '}critical {arrow.join(numbers[id] for id in expected.critical)}"
    first, *rest = [*expectations.parts(expected), way]
    lines = [first]
    for part in rest:
        if look.plain or width(lines[-1]) + 2 + width(part) <= look.columns:
            lines[-1] = f"{lines[-1]}; {part}"
        else:
            lines.append(part)
    return lines if look.plain else [part for text in lines for part in _fitted(text, look.columns, look)]


def _open_lines(plan: Plan, look: Look) -> list[str]:
    """Return what still speaks against the plan or is only assumed: the gravest first, the rest as a number."""
    ranked = sorted(told_together(plan.findings), key=lambda one: list(Severity)[::-1].index(one.severity))
    shown = [one for one in ranked if one.severity is not Severity.NOTE][:FINDINGS_SHOWN]
    lines = [_finding(found, look.columns) for found in shown]
    if left := len(ranked) - len(shown):
        what = "remark" if left == 1 else "remarks"
        lines.append(
            cut(f"! {left} {'more ' if shown else ''}{what}; v shows {'it' if left == 1 else 'them'}", look.columns)
        )
    asked = [one for one in plan.questions if one.answer is None]
    if asked:
        kept = "1 question keeps its default; i answers it"
        if len(asked) > 1:
            kept = f"{len(asked)} questions keep their defaults; i answers them"
        lines.append(cut(f"? {kept}", look.columns))
    lines += [cut(f"= {line(text)}", look.columns) for text in plan.assumptions[:3]]
    if len(plan.assumptions) > 3:
        lines.append(f"= and {len(plan.assumptions) - 3} more assumptions")
    return lines


def _finding(found: Finding, columns: int = 1_000) -> str:
    colour = {Severity.ERROR: "red", Severity.WARNING: "yellow"}.get(found.severity)
    sign = f"! {found.severity}:"
    text = cut(f"{sign} {line(found.message, 400)}", columns)
    return paint(text[: len(sign)], colour) + text[len(sign) :] if colour else text


def everything(plan: Plan, look: Look, *, name: str, version: int, approved: bool, expected: Forecast) -> list[str]:
    """Return the view with nothing left out: every title, finding, question and assumption whole."""
    look = replace(look, rows=None, whole=True)
    lines = plan_lines(plan, look, name=name, version=version, approved=approved, expected=expected)
    shown = len(_open_lines(plan, look))
    lines = lines[: len(lines) - shown] if shown else lines
    lines += [_finding(found) for found in told_together(plan.findings)]
    for at, question in enumerate(plan.questions, start=1):
        lines.append(f"? {at} {line(question.text, 500)}")
        kept = f"answered: {question.answer}" if question.answer is not None else f"default: {question.default}"
        lines.append(f"    {line(kept, 500)}")
    lines += [f"= {at} {line(text, 500)}" for at, text in enumerate(plan.assumptions, start=1)]
    if plan.notice:
        lines.append(line(plan.notice, 500))
    return lines


def task_lines(task: PlannedTask) -> list[str]:
    """Return all of one task."""
    from agent_orchestrator.cli.render import block

    lines = [paint(f"{task.id}: {line(task.title, 1_000)}", bold=True)]
    facts = {
        "specialist": task.agent_type + (" (a guess)" if _is_guess(task) else ""),
        "waits for": ", ".join(task.depends_on) or "nothing",
        "size": f"{task.size}, tier {task.tier}, priority {task.priority}",
        "owns": ", ".join(task.owns) or "not stated",
        "check": task.verify or "the project's own",
    }
    lines += [f"  {key}: {line(value, 1_000)}" for key, value in facts.items()]
    lines += [f"  done when: {line(text, 500)}" for text in task.acceptance]
    return lines + block(task.description, "    ")


def forecast_lines(plan: Plan, expected: Forecast, others: Sequence[Forecast]) -> list[str]:
    """Return what to expect with so many agents and with *others*, and which tasks decide it."""
    lines = [f"{expectations.source(expected)}; limits of providers come on top"]
    for one in sorted([expected, *others], key=lambda one: one.agents):
        who = "1 agent" if one.agents == 1 else f"{one.agents} agents"
        lines.append(f"  {who}: {expectations.time(one)}")
    lines.append(f"{expectations.cost(expected)}, however many agents")
    if expected.cost is not None and expected.cost.from_tasks:
        lines[-1] += f"; from {expected.cost.from_tasks} finished tasks that told their cost"
    lines.append("what the end waits for, and how often:")
    rows = expectations.deciding(plan, expected)
    return [*lines, *(f"  {share:>5}  {id}: {line(title, 80)}" for share, id, title in rows)]


# The graph: one row for each task, one lane for each task that something still waits for.

_ROUND = {"down": "│", "join": "├", "last": "╰", "cross": "┼", "line": "─", "task": "●", "critical": "◆",
          "join_left": "┤", "last_left": "╯"}  # fmt: skip
_ASCII = {"down": "|", "join": "+", "last": "`", "cross": "+", "line": "-", "task": "o", "critical": "*",
          "join_left": "+", "last_left": "'"}  # fmt: skip


def graph_lines(plan: Plan, look: Look) -> list[str]:
    """Return what waits for what as lines from task to task; in words where it cannot be drawn."""
    numbers = {task.id: at for at, task in enumerate(plan.tasks, start=1)}
    critical = set(critical_path(plan))
    ordered = sorted(plan.tasks, key=lambda one: (one.phase, numbers[one.id]))
    drawn = None if look.plain else _drawn(ordered, critical, _ROUND if look.signs else _ASCII)
    if drawn is None or 2 * max(map(len, drawn)) > look.columns:
        return [_in_words(task, plan, critical) for task in ordered]
    space = max(len(one) for one in drawn)
    lines = []
    for lanes, task in zip(drawn, ordered, strict=True):
        text = f"{lanes:<{space}} {numbers[task.id]} {line(task.title)}"
        lines.append(paint(cut(text, look.columns), "yellow" if task.id in critical else None))
    mark = (_ROUND if look.signs else _ASCII)["critical"]
    return [*lines, paint(cut(f"{mark} critical path", look.columns), dim=True)]


def _in_words(task: PlannedTask, plan: Plan, critical: set[str]) -> str:
    numbers = {one.id: at for at, one in enumerate(plan.tasks, start=1)}
    after = ", ".join(str(numbers[need]) for need in task.depends_on if need in numbers)
    waits = f"waits for {after}" if after else "waits for nothing"
    return f"{numbers[task.id]} {line(task.title)}: {waits}" + (", critical" if task.id in critical else "")


def _drawn(ordered: Sequence[PlannedTask], critical: set[str], sign: dict[str, str]) -> list[str] | None:
    """Return the lanes of each row, or None when they would be more than LANES_LIMIT columns."""
    left = {task.id: sum(task.id in other.depends_on for other in ordered) for task in ordered}
    lanes: list[str | None] = []
    rows = []
    for task in ordered:
        joined = [at for at, id in enumerate(lanes) if id is not None and id in task.depends_on]
        ending = []
        for at in joined:
            id = lanes[at]
            assert id is not None
            left[id] -= 1
            if not left[id]:
                ending.append(at)
        free = [at for at, id in enumerate(lanes) if id is None]
        mine = ending[0] if ending else free[0] if free else len(lanes)
        if mine == len(lanes):
            lanes.append(None)
        if 2 * len(lanes) > LANES_LIMIT:
            return None
        signs = {at: ("last" if at in ending else "join") + ("" if at < mine else "_left") for at in joined}
        signs[mine] = "critical" if task.id in critical else "task"
        rows.append(_row_of(signs, [id is not None for id in lanes], sign))
        for at in ending:
            lanes[at] = None
        lanes[mine] = task.id if left[task.id] else None
        while lanes and lanes[-1] is None:
            lanes.pop()
    return rows


def _row_of(meeting: Mapping[int, str], in_use: Sequence[bool], sign: Mapping[str, str]) -> str:
    """Draw one row over all lanes: *meeting* are those that meet in its task, each with the name of its sign."""
    first, last = min(meeting), max(meeting)
    row = []
    for at, used in enumerate(in_use):
        inside = first < at < last
        if at in meeting:
            row.append(sign[meeting[at]])
        elif used:
            row.append(sign["cross" if inside else "down"])
        else:
            row.append(sign["line"] if inside else " ")
        row.append(sign["line"] if first <= at < last else " ")
    return "".join(row).rstrip()
