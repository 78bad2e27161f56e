"""One task: everything about it, what its agent said and did, what its work changes, and another try."""

import sys
from contextlib import suppress
from pathlib import Path

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import completing, doors, render, shared_options
from agent_orchestrator.cli.ctrl_c import CtrlC
from agent_orchestrator.cli.render import line
from agent_orchestrator.domain.errors import BadInput, NotFound, NothingToDo
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services.json_values import Json

TAIL_LINES = 12
"""Lines shown of a check's output; the JSON has up to 8,000 characters."""


LONG = 1_000
"""Characters of a description that is shown below what was tried, not before."""


@click.command()
@click.argument("task", shell_complete=completing.tasks)
@click.option("--evidence", is_flag=True, help="Only what its verdict rests on, all of it.")
@shared_options.as_json
def task(task: str, evidence: bool, as_json: bool) -> None:
    """Everything about one task: attempts, evidence, cost."""
    app = doors.app(create=False)
    if evidence:
        bundle = app.reports.evidence(app.tasks.resolve(task, loosely=True).id)
        if as_json:
            doors.answer(bundle)
            return
        from agent_orchestrator.cli.proof import evidence_lines

        render.say(evidence_lines(bundle))
        return
    document = app.reports.task(app.tasks.resolve(task, loosely=True).id)
    if as_json:
        doors.answer(document)
    else:
        render.say(_task_lines(document))


def _task_lines(found: Json) -> list[str]:
    demo = "  " + render.paint("(scripted demo)", "magenta") if found["demo"] else ""
    state = render.state(found["state"]) + (f", {render.state(found['verdict'])}" if found["verdict"] else "")
    lines = [f"{render.heading(found['id'] + '  ' + line(found['title']))}  {state}{demo}"]
    facts = [
        ("key", found["key"]),
        ("goal", f"{found['goal']}  {found['goal_title']}"),
        ("why", found["reason"]),
        ("specialist", found["specialist"]),
        ("wants", f"{found['tier']} model, size {found['size']}, priority {found['priority']}{_insists(found)}"),
        ("needs", _brief(found["depends_on"])),
        ("needed by", _brief(found["needed_by"])),
        ("may write", ", ".join(found["owns"])),
        ("checked by", found["verify"] or "the goal's or the project's own check"),
        ("attempts", f"{found['attempts_used']} of {found['max_attempts']}"),
        ("commit", found["commit"]),
    ]
    lines += [f"  {name:<11} {line(value)}" for name, value in facts if value]
    said = ("Its agent says (not evidence)", found["summary"])
    wanted = ("Description", found["description"])
    is_long = len(found["description"]) > LONG
    for title, text in (said,) if is_long else (wanted, said):
        if text.strip():
            lines += ["", f"  {render.heading(title)}", *render.block(text, "    ")]
    if found["acceptance"]:
        lines += ["", f"  {render.heading('It is done when')}"]
        lines += [f"    - {line(one)}" for one in found["acceptance"]]
    for attempt in found["attempts"]:
        lines += ["", *_attempt_lines(attempt)]
    if not found["attempts"]:
        lines += ["", "  It has not been started yet."]
    if is_long:  # last, so that what became of the task is not pages below its head
        lines += ["", f"  {render.heading(wanted[0])}", *render.block(wanted[1], "    ")]
    return lines


def _insists(found: Json) -> str:
    return f", {found['provider']} and nobody else" if found["provider"] else ""


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _brief(tasks: list[Json]) -> str:
    return ", ".join(f"{one['key']} ({one['state']})" for one in tasks)


def _if_there(path: str | None) -> str | None:
    """Return *path* unless nothing is there any more: what has landed, or was cleaned up, has no checkout."""
    return path if path and Path(path).exists() else None


def _attempt_lines(attempt: Json) -> list[str]:
    from agent_orchestrator.cli.morning import check_line

    outcome = render.state(attempt["outcome"] or "running")
    title = render.heading(f"Attempt {attempt['number']}")
    lines = [f"  {title}  {outcome}  {line(attempt['reason'])}".rstrip()]
    version = "" if attempt["cli_version"] in {None, "unknown"} else f" {attempt['cli_version']}"
    model = f", {attempt['model']}" if attempt["model"] else ""
    took = render.between(attempt["started_at"], attempt["ended_at"]) if attempt["ended_at"] else "not ended"
    facts = [
        ("agent", f"{attempt['agent']} ({attempt['provider']}{version}{model})"),
        ("took", took),
        ("cost", render.money(attempt["usage"])),
        ("doing", attempt["doing"] if not attempt["ended_at"] else ""),
        ("branch", attempt["branch"]),
        ("checkout", _if_there(attempt["workspace"])),
        ("transcript", attempt["transcript"]),
    ]
    lines += [f"    {name:<11} {line(value, 400)}" for name, value in facts if value]
    lines += [f"    {'note':<11} {line(note, 400)}" for note in attempt["notes"]]
    evidence = attempt["evidence"]
    if evidence is None:
        return lines
    if evidence["files"]:
        files = _counted(len(evidence["files"]), "file")
        lines.append(f"    {'changed':<11} {files} +{evidence['insertions']} -{evidence['deletions']}")
        lines += [f"      {line(file)}" for file in evidence["files"][:20]]
        if len(evidence["files"]) > 20:
            lines.append(
                f"      … and {len(evidence['files']) - 20} more: orchestrate diff {attempt['id'].split('.')[0]} --stat"
            )
    for check in evidence["checks"]:
        lines.append(f"    {'check':<11} {line(check_line(check), 400)}")
        if check["result"] not in {"passed", "not_available"}:
            lines += render.block(check["tail"], "      ", TAIL_LINES)
    from agent_orchestrator.cli.proof import concern_line

    lines += [f"    {'concern':<11} {concern_line(one)}" for one in evidence["concerns"]]
    lines += [f"    {'note':<11} {line(note, 400)}" for note in evidence["notes"]]
    lines += [f"    {'advice':<11} {line(one, 400)}" for one in evidence["advice"]]
    return lines


@click.command()
@click.argument("task", metavar="TASK|GOAL", shell_complete=completing.goals_and_tasks)
@click.option("--comment", default="", help="Words that go into the next attempt's prompt.")
@click.option("--split", is_flag=True, help="Put smaller tasks in its place, divided by the planner or else by rules.")
@click.option(
    "--budget", metavar="BUDGET", help="What the goal may use in all from now on, such as 5, 2M tokens or 90m."
)
@shared_options.as_json
def retry(task: str, comment: str, split: bool, budget: str | None, as_json: bool) -> None:
    """Try a failed task again, or split it; give a goal a new budget."""
    if bool(split) + bool(comment) + (budget is not None) > 1:
        raise click.UsageError("--split, --comment and --budget exclude each other.")
    app = doors.app(create=False)
    if budget is not None:
        _set_budget(app, task, budget, as_json=as_json)
        return
    found = _task_to_retry(app, task)
    if split:
        from agent_orchestrator.cli import running_plans

        running_plans.split(app, found, as_json=as_json)
        return
    again = app.tasks.retry(found.id, comment=comment)
    running = app.supervision.current() is not None
    if as_json:
        doors.answer({"task": app.reports.task(again.id), "supervisor_running": running})
        return
    render.say(
        f"{again.id} ({line(again.key)}) is {again.state} with {again.max_attempts} new attempts; {_then(running)}"
    )


def _task_to_retry(app: App, name: str) -> Task:
    try:
        return app.tasks.resolve(name)
    except NotFound:
        with suppress(NotFound):
            goal = app.goals.resolve(name)
            hint = "its failed tasks are retried one by one: orchestrate status --failed"
            raise BadInput(f"{goal.id} is a goal; without --budget a task is retried", hint=hint) from None
        raise


def _set_budget(app: App, name: str, budget: str, *, as_json: bool) -> None:
    from agent_orchestrator.domain.budget import parse_budget

    goal = app.budgets.allow(app.goals.resolve(name).id, parse_budget(budget))
    running = app.supervision.current() is not None
    told = app.reports.goal(goal)
    if as_json:
        doors.answer({"goal": told, "supervisor_running": running})
        return
    render.say(f"{goal.id}: {render.goal_spend(told)}; {_then(running)}")


def _then(running: bool) -> str:
    return "the running supervisor takes it up" if running else "start it: orchestrate run"


@click.command()
@click.argument("task", shell_complete=completing.tasks)
@click.option("-f", "--follow", is_flag=True, help="Go on while the attempt runs.")
@click.option(
    "--attempt", "number", type=click.IntRange(1), metavar="N", help="Which attempt; the latest when not given."
)
@click.option("--raw", is_flag=True, help="The agent's own bytes, unread and uncleaned; not to a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line (NDJSON).")
def logs(task: str, follow: bool, number: int | None, raw: bool, as_json: bool) -> None:
    """What a task's agent said and did."""
    if raw and as_json:
        raise click.UsageError("--raw and --json exclude each other.")
    if raw and sys.stdout.isatty():
        raise BadInput(
            "raw output can steer a terminal, so it goes to a file or a pipe only",
            hint=f"orchestrate logs {line(task, 40)} --raw | less",
        )
    app = doors.app(create=False)
    found = app.tasks.resolve(task, loosely=True)
    attempts = app.reports.task(found.id)["attempts"]
    if not attempts:
        raise NothingToDo(f"task {found.id} has not been started yet", hint="orchestrate status says what it waits for")
    attempt = next((one for one in attempts if one["number"] == number), None) if number else attempts[-1]
    if attempt is None:
        raise NotFound(f"task {found.id} has no attempt {number}", hint=f"it has 1 to {len(attempts)}")
    from agent_orchestrator.cli.transcripts import Reading

    reading = Reading(app, attempt)
    with CtrlC() as ctrl_c:
        if raw:
            reading.copy(ctrl_c, follow=follow)
        else:
            reading.show(ctrl_c, follow=follow, as_json=as_json, of=len(attempts))


@click.command()
@click.argument("task", shell_complete=completing.tasks)
@click.option("--stat", is_flag=True, help="Only which files change, and by how much.")
@shared_options.as_json
def diff(task: str, stat: bool, as_json: bool) -> None:
    """What a task's work changes."""
    app = doors.app(create=False)
    document = app.reports.task(app.tasks.resolve(task, loosely=True).id)
    if as_json:
        base, commit = _ends(document)
        text = app.workspaces.diff(base, commit, stat=stat)
        landed = commit == document["commit"]
        doors.answer({"task": document["id"], "base": base, "commit": commit, "landed": landed, "diff": text})
    else:
        show_diff(app, document, stat=stat)


def show_diff(app: App, document: Json, *, stat: bool = False) -> None:
    """Show a person what a task's work changes, on a terminal in its pager. Raises NothingToDo."""
    from agent_orchestrator.domain.text import clean

    base, commit = _ends(document)
    text = app.workspaces.diff(base, commit, stat=stat)

    lines = [_painted(one) for one in clean(text).splitlines()]
    if commit != document["commit"]:
        doors.tell(f"this work is not landed: task {document['id']} is {document['state']}")
    if sys.stdout.isatty():
        click.echo_via_pager("\n".join(lines) + "\n")
    else:
        render.say(lines)


def _ends(task: Json) -> tuple[str, str]:
    """Return the two commits whose difference is the task's work: as landed, else as its latest attempt left it."""
    for attempt in reversed(task["attempts"]):
        evidence = attempt["evidence"]
        if task["commit"] and evidence and evidence["commit"] == task["commit"] and evidence["base_commit"]:
            return evidence["base_commit"], task["commit"]
    if task["commit"]:
        return f"{task['commit']}^", task["commit"]
    for attempt in reversed(task["attempts"]):
        if attempt["commit"] and attempt["base_commit"]:
            return attempt["base_commit"], attempt["commit"]
    if any(attempt["evidence"] and attempt["evidence"]["files"] for attempt in task["attempts"]):
        raise NothingToDo(
            f"task {task['id']} was worked on in the folder itself", hint="git diff shows the folder's changes"
        )
    raise NothingToDo(f"task {task['id']} has changed nothing yet", hint=f"orchestrate task {task['id']}")


def _painted(text: str) -> str:
    if text.startswith(("+++", "---", "diff ", "index ")):
        return render.paint(text, bold=True)
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(text[:1])
    return render.paint(text, colour) if colour else text
