"""Looking at the project as a whole: status, the log, the morning's report."""

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from agent_orchestrator.cli import completing, doors, render
from agent_orchestrator.cli.ctrl_c import CtrlC
from agent_orchestrator.cli.looking import Looking
from agent_orchestrator.cli.render import line
from agent_orchestrator.domain.deadline import worked
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.domain.event import Event

OPEN = frozenset({"ready", "executing"})
AT_WORK = ("claimed", "running", "verifying", "landing")
"""States of a goal from which work may still come."""
GOALS_SHOWN = 20
"""Open goals listed one by one; the JSON has up to 200."""
GOALS_BY_PHASE = 3
"""Open goals up to which those that have not begun are shown phase by phase too."""
DONE_SHOWN = 10
"""Finished tasks of open goals listed one by one, the last ones."""
WAITING_SHOWN = 50
"""Waiting tasks that a snapshot lists; with so many there may be more."""
FOLLOW_EVERY_S = 0.5
"""How often a followed log is looked at: a read of an index, often enough for a person."""
BATCH = 500
"""Events read at once while following."""


@click.command()
@click.option("--failed", "only_failed", is_flag=True, help="Only the tasks that failed, with all that was tried.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole snapshot as one JSON document.")
def status(only_failed: bool, as_json: bool) -> None:
    """What is going on: goals, agents, what waits and why, spend."""
    app = doors.app(create=False)
    app.notice_taken_in()
    reports = app.reports
    if only_failed:
        dead = reports.failed()
        if as_json:
            doors.answer({"failed": dead})
        else:
            render.say(failed_lines(dead), folded=True)
        return
    snapshot = reports.snapshot()
    if as_json:
        doors.answer(snapshot)
    else:
        render.say(status_lines(snapshot), folded=True)


def failed_lines(dead: list[Json]) -> list[str]:
    """Return the dead letter for a person: each task with how every attempt ended, and what can be done."""
    if not dead:
        return ["No task has failed."]
    lines = []
    for task in dead:
        where = f"{line(task['key'], 40)} ({line(task['specialist'], 30)}) of goal {task['goal']}"
        lines += [*render.table([(render.word("failed"), task["id"], where)]), f"      {line(task['title'], 100)}"]
        for attempt in task["attempts"]:
            who = attempt["provider"] + (f" {attempt['model']}" if attempt["model"] else "")
            ended = f"{render.state(attempt['outcome'] or 'running')} ({line(who, 60)})"
            lines.append(f"      attempt {attempt['number']}: {ended}: {line(attempt['reason'], 300)}")
        lines.append(f"      why no more: {line(task['reason'], 300) or 'no reason is known'}")
        lines.append(f"      look: orchestrate task {task['id']}    diff: orchestrate diff {task['id']}")
        lines.append(f'      try again with a word from you: orchestrate retry {task["id"]} --comment "…"')
    return lines


def status_lines(snapshot: Json) -> list[str]:
    """Return the snapshot as lines for a person."""
    supervisor, now = snapshot["supervisor"], snapshot["now"]
    lines = [f"{line(snapshot['project'])}"]
    if not snapshot["goals"]:
        return [*lines, 'Nothing here yet. Put in a goal: orchestrate submit "…" (or see a show: orchestrate demo)']
    if supervisor["running"]:
        how = "is stopping" if supervisor["stopping"] else "runs"
        since = render.local(supervisor["since"], now)
        lines.append(f"A supervisor {how} (pid {supervisor['pid']}, up to {supervisor['max_agents']} agents, {since}).")
        lines += [f"{one}." for one in bounds(snapshot)]
    else:
        died = any(snapshot["counts"].get(state) for state in AT_WORK)  # one that ends gives its tasks back
        lines.append(f"No supervisor is running{'; the last one died, and its agents may still be at work' * died}.")
    lines.append(f"{render.counts(snapshot['counts'])}. Spent: {render.money(snapshot['spend'])}.")
    lines += _goal_lines(snapshot)
    for title, found in (
        ("Done", _done(snapshot)),
        ("Running", _running(snapshot)),
        ("Waiting", _waiting(snapshot)),
        ("Failed", _failed(snapshot)),
        ("On hold", [f"  {render.hold(one, now)}" for one in snapshot["holds"]]),
    ):
        if found:
            lines += ["", render.heading(title), *found]
    unfinished = {goal["id"] for goal in snapshot["goals"] if goal["state"] in OPEN}
    if unfinished and not supervisor["running"]:
        lines += ["", _how_to_go_on(snapshot, unfinished)]
    return lines


def _how_to_go_on(snapshot: Json, unfinished: set[str]) -> str:
    """Return the command with which work goes on: no run starts anything of goals whose budget is used up."""
    from agent_orchestrator.services.waiting import GOAL_BUDGET

    short = {task["goal"] for task in snapshot["waiting"] if task["waits_for"].startswith(GOAL_BUDGET)}
    if unfinished <= short:
        goal = next(goal["id"] for goal in snapshot["goals"] if goal["id"] in short)
        return f"To give it more: orchestrate retry {goal} --budget MORE"
    return "To work on it: orchestrate run"


def bounds(snapshot: Json) -> list[str]:
    """Return what ends a run before the queue is empty: its budget, its deadline, the one goal of several it is for."""
    supervisor, now = snapshot["supervisor"], snapshot["now"]
    found = []
    if supervisor["budget_usd"] is not None:
        spent = supervisor["spent_usd"] or 0
        found.append(f"This run has spent ${spent:,.2f} of its budget of ${supervisor['budget_usd']:,.2f}")
    if supervisor["budget_tokens"] is not None:
        used = supervisor["spent_tokens"] or 0
        found.append(f"This run has used {used:,} of its {supervisor['budget_tokens']:,} tokens")
    if supervisor["budget_minutes"] is not None:
        used, limit = ((supervisor[name] or 0) * 60 for name in ("spent_minutes", "budget_minutes"))
        found.append(f"Its agents have worked {worked(used, of=limit)}, added up")
    if supervisor["until"] is not None:
        found.append(f"It starts nothing after {render.local(supervisor['until'], now)}")
    if supervisor["goal"] is not None and sum(goal["state"] in OPEN for goal in snapshot["goals"]) > 1:
        found.append(f"It works on goal {supervisor['goal']} only")
    return found


def _goal_lines(snapshot: Json) -> list[str]:
    lines: list[str] = []
    open_ones = [goal for goal in snapshot["goals"] if goal["state"] in OPEN]
    ended = [goal for goal in snapshot["goals"] if goal not in open_ones]
    if open_ones:
        lines += ["", render.heading("Goals")]
    for goal in open_ones[:GOALS_SHOWN]:
        lines += goal_head(goal)
        if len(goal["phases"]) > 1 and (goal["state"] == "executing" or len(open_ones) <= GOALS_BY_PHASE):
            lines += [f"    phase {phase['phase']:<2} {render.counts(phase['counts'])}" for phase in goal["phases"]]
        else:
            lines.append(f"    {render.counts(goal['counts'])}")
        told = render.goal_spend(goal)
        if goal["spend"]["cost_usd"] or "budget" in told:
            lines.append(f"    {told}")
    if len(open_ones) > GOALS_SHOWN:
        lines.append(f"  … and {len(open_ones) - GOALS_SHOWN} more, later in line")
    if ended:
        lines += ["", render.heading("Ended")]
    for goal in ended:
        lines += goal_head(goal)
        lines.append(f"    {render.counts(goal['counts'])}; {render.goal_spend(goal)}; orchestrate report {goal['id']}")
    if ended and snapshot["ended_before"]:
        lines.append(
            f"  … and {snapshot['ended_before']} before; a goal's id is in the log: orchestrate events --type goal"
        )
    return lines


def goal_head(goal: Json) -> list[str]:
    """Return a goal's name, state, verdict and marks, and below it what must be known of its plan and delivery."""
    word = render.state(goal["state"])
    if goal["verdict"]:
        word += f", {render.state(goal['verdict'])}"
    if goal["demo"]:
        word += " " + render.paint("(scripted demo)", "magenta")
    lines = render.table([(goal["id"], word, line(goal["title"], 100))])
    lines += [f"    {line(text)}" for text in (goal["notice"], goal["reason"]) if text]
    if goal["changes_waiting"]:
        lines.append(f"    needs you: its plan is to be changed; look: orchestrate plan-continue {goal['id']}")
    if goal["delivery"] not in {"not_yet", "nothing"}:
        word = "not in your branch" if goal["delivery"] == "waiting" else goal["delivery"]
        lines.append(f"    {word}: {line(goal['delivery_note'])}")
    return lines


def _done(snapshot: Json) -> list[str]:
    """Return what open goals have done; of a goal that has ended the report tells."""
    found = [
        (
            render.word("done"),
            task["id"],
            f"{line(task['title'], 50)} ({line(task['specialist'], 30)})",
            task["verdict"] or "",
        )
        for goal in snapshot["goals"]
        if goal["state"] in OPEN
        for phase in goal["phases"]
        for task in phase["tasks"]
        if task["state"] == "done"
    ]
    more = [f"  … {len(found) - DONE_SHOWN} before"] if len(found) > DONE_SHOWN else []
    return more + render.table(found[-DONE_SHOWN:])


def _running(snapshot: Json) -> list[str]:
    return render.table(
        [
            (
                render.word("running"),
                agent["task"] or "-",
                f"{line(agent['task_title'] or agent['task'], 50)} ({line(agent['specialist'], 30)})",
                f"{render.age(agent['elapsed_s'])}, {agent['id']}: "
                + ("is asked to stop" if agent["stop_wished"] else line(agent["doing"]) or agent["state"]),
            )
            for agent in snapshot["running"]
        ]
    )


def _waiting(snapshot: Json) -> list[str]:
    now = snapshot["now"]
    found = []
    for task in snapshot["waiting"]:
        why = line(task["waits_for"])
        if task["not_before"]:
            why = f"{render.local(task['not_before'], now)}: {why}"
        found.append((render.word(task["state"]), task["id"], line(task["key"], 40), f"waits for {why}"))
    listed = render.table(found)
    return [*listed, f"  only the first {len(found)} are listed"] if len(found) >= WAITING_SHOWN else listed


def _failed(snapshot: Json) -> list[str]:
    lines = []
    for task in snapshot["failed"]:
        who = f"{line(task['key'], 40)} ({line(task['specialist'], 30)})"
        lines += render.table([(render.word("failed"), task["id"], who, line(task["reason"]) or "no reason is known")])
        lines.append(f"      look: orchestrate task {task['id']}    try again: orchestrate retry {task['id']}")
    return lines


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on printing what happens until Ctrl-C.")
@click.option("--goal", "goal_text", metavar="GOAL", shell_complete=completing.goals, help="Only of this goal.")
@click.option("--task", "task_text", metavar="TASK", shell_complete=completing.tasks, help="Only of this task.")
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only of this type, such as task.done, or kind: attempt."
)
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0, 100_000), default=50, show_default=True, help="How many."
)
@click.option("--check", is_flag=True, help="Say instead whether any event was changed, removed or put in.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line (NDJSON).")
def events(
    follow: bool,
    goal_text: str | None,
    task_text: str | None,
    types: tuple[str, ...],
    count: int,
    check: bool,
    as_json: bool,
) -> int:
    """The log of everything that happened.

    --type can be repeated to see several: --type goal --type task.failed. With --check it exits 1 when the log is not
    as it was written.
    """
    if check:
        from agent_orchestrator.cli.chain import tell

        return tell(doors.app(create=False).anchors.check(), as_json=as_json)
    with CtrlC() if follow else nullcontext() as ctrl_c:
        _show_events(ctrl_c, goal_text, task_text, types, count, as_json)
    return 0


def _show_events(
    ctrl_c: CtrlC | None,
    goal_text: str | None,
    task_text: str | None,
    types: tuple[str, ...],
    count: int,
    as_json: bool,
) -> None:
    """Print the last events, and with *ctrl_c* go on printing new ones until Ctrl-C is pressed."""
    app = doors.app(create=False)
    goal = app.goals.resolve(goal_text, loosely=True).id if goal_text is not None else None
    task = app.tasks.resolve(task_text, loosely=True).id if task_text is not None else None
    found = app.events.last(count, goal=goal, task=task, types=types)
    day = ""
    for event in found:
        day = _tell(event, as_json, day)
    if ctrl_c is None:
        if not found and not as_json:
            doors.tell("no such event" if goal or task or types else "nothing has happened here yet")
        return
    seq = found[-1].seq if found else max((event.seq for event in app.events.last(1)), default=0)
    looking = Looking()
    while True:
        for event in looking.app().events.after(seq, goal=goal, task=task, types=types, limit=BATCH):
            seq = event.seq
            day = _tell(event, as_json, day)
            ctrl_c.check()
        ctrl_c.sleep(FOLLOW_EVERY_S)


def _tell(event: "Event", as_json: bool, day: str) -> str:
    """Print one event; return the day it fell on, which is printed when it changes."""
    if as_json:
        doors.stream(event_json(event))
        return day
    at = event.at.astimezone()
    today = f"{at:%Y-%m-%d}"
    if today != day:
        render.say(render.paint(today, dim=True))
    where = event.agent or event.attempt or event.task or event.goal or ""
    task = f"{event.task} " if event.task and where != event.task else ""
    render.say(f"{at:%H:%M:%S}  {event.type:<20} {task}{line(where)}  {_details(event.data)}".rstrip())
    return today


def event_json(event: "Event") -> Json:
    """Return an event as plain JSON values."""
    return {
        "seq": event.seq,
        "at": event.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "type": event.type,
        "goal": event.goal,
        "task": event.task,
        "attempt": event.attempt,
        "agent": event.agent,
        "token": event.token,
        "data": dict(event.data),
    }


def _details(data: Mapping[str, object]) -> str:
    plain = [line(data["title"], 80)] if data.get("title") else []
    return "  ".join(plain + [f"{key}={line(value)}" for key, value in data.items() if key != "title" and value])


@click.command()
@click.argument("goal", required=False, shell_complete=completing.goals)
@click.option("--markdown", is_flag=True, help="Print Markdown; what agents wrote in it is escaped.")
@click.option(
    "--html",
    "page",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write one page that needs nothing else to FILE, which goes last; without it to standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything about the goal as one JSON document.")
def report(goal: str | None, markdown: bool, page: str | None, as_json: bool) -> None:
    """The morning's report on a goal.

    Without GOAL it is about the newest goal, and names the others of the last day.
    """
    if markdown + as_json + (page is not None) > 1:
        raise click.UsageError("--markdown, --html and --json exclude each other.")
    app = doors.app(create=False)
    if goal is None and page is not None and app.store.goals.find(page):
        raise BadInput(f"{page} is a goal, and --html takes a file", hint=f"orchestrate report {page} --html FILE")
    app.notice_taken_in()
    found = app.goals.resolve(goal or "last", loosely=True)
    document = app.reports.goal(found)
    if goal is None:
        document["others"] = app.reports.others(found)
    if as_json:
        doors.answer(document)
        return
    if page is not None:
        _write_page(document, page)
        return
    from agent_orchestrator.cli import morning

    if markdown:
        render.say(morning.as_markdown(document))
    else:
        render.say(morning.as_text(document), folded=True)


def _write_page(document: Json, place: str) -> None:
    """Write the page to the file *place*, or with ``-`` to standard output, in UTF-8 wherever that is."""
    from agent_orchestrator.cli.page import as_html

    content = as_html(document).encode("utf-8", "replace")
    if place == "-":
        sys.stdout.buffer.write(content)
        return
    from pathlib import Path

    file = Path(place).expanduser()
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadInput(f"cannot write {line(place)}: {error.strerror}", hint="give a file you may write to") from error
    render.say(f"{line(file.absolute(), 4096)}")
