"""Plans in files: read from one, checked in one, written to one, and changed as one says."""

import sys
from dataclasses import replace
from pathlib import Path

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, doors, render, showing
from agent_orchestrator.domain.errors import BadInput, InvalidPlan
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.comparing import difference, in_words
from agent_orchestrator.planning.document import plan_hash
from agent_orchestrator.planning.plan_file import (
    FILE_LIMIT_BYTES,
    PlanFile,
    format_of,
    format_to_write,
    read_data,
    write,
)
from agent_orchestrator.planning.plan_file import read as read_plan
from agent_orchestrator.services.plans import SavedPlan


def read(app: App, file: str, text: str | None = None) -> PlanFile:
    """Return the plan in *file*, whose content is *text* if it was read already; an error names file and line."""
    try:
        return read_plan(text_in(file) if text is None else text, format_of(file), app.roster)
    except InvalidPlan as error:
        told = "\n".join(f"{file}: {line}" for line in error.message.splitlines())
        raise InvalidPlan(told, hint=error.hint) from error


def text_in(file: str) -> str:
    """Return what is in *file*, or on standard input for ``-``."""
    try:
        if file == "-":
            if sys.stdin is None:
                raise BadInput("there is no standard input to read from", hint="give a file")
            content = sys.stdin.buffer.read(FILE_LIMIT_BYTES + 1)
        else:
            with Path(file).expanduser().open("rb") as stream:
                content = stream.read(FILE_LIMIT_BYTES + 1)
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}", hint="give a file with a plan") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not UTF-8 text", hint="give a text file") from error


def check(app: App, plan: Plan, file: str, *, as_json: bool) -> int:
    """Say what is doubtful about a plan that is nowhere saved. One with an error was refused before."""
    looked = app.looked_over(plan)
    if as_json:
        none = {"id": None, "state": "checked", "version": 1, "hash": plan_hash(looked)}
        told = showing.accepted_json(app, None, [], looked)
        doors.answer({**none, **told, "forecast": showing.expected_json(app, looked)})
        return 0
    for found in looked.findings:
        columns.show([(file, found.severity, found.rule, found.message)])
    remarks = _counted(len(looked.findings), "remark")
    doors.tell(f"{file}: {_counted(len(looked.tasks), 'task')}, no error, {remarks}")
    return 0


def export(saved: SavedPlan, file: str, *, as_json: bool) -> int:
    """Write *saved* to *file*, in the form that its ending names; print it for ``-``."""
    from agent_orchestrator.cli.session import write_out

    format = format_to_write(file)
    text = write(saved.plan, format, name=saved.id, version=saved.version)
    if file == "-":
        render.say(text.rstrip("\n"))
        return 0
    write_out(file, text)
    if as_json:
        doors.answer({"id": saved.id, "version": saved.version, "hash": saved.fingerprint, "file": file})
    else:
        doors.tell(f"written to {file}; bring it back: orchestrate plan-continue {saved.id} --apply {file}")
    return 0


def apply(app: App, saved: SavedPlan, file: str, *, as_json: bool) -> SavedPlan:
    """Change a plan as a file says: by a list of changes, or by the plan as it shall be."""
    from agent_orchestrator.planning.editing import changed

    text = text_in(file)
    data, _ = read_data(text, format_of(file))
    after = saved.version
    if isinstance(data, dict) and "tasks" in data:
        given = read(app, file, text)
        after = after if given.version is None or given.name != saved.id else given.version
        new = replace(
            given.plan, source=saved.plan.source, notice=saved.plan.notice, goal=given.plan.goal or saved.plan.goal
        )
        what = f"applied {file}"
    else:
        changes = data.get("changes") if isinstance(data, dict) else data
        based_on = data.get("version") if isinstance(data, dict) else None
        if not isinstance(changes, list) or not changes:
            raise BadInput(f"{file} has no changes", hint='[{"op": "remove", "task": "docs"}], or a whole plan')
        after = based_on if isinstance(based_on, int) else after
        new = changed(saved.plan, changes, app.roster)
        what = f"applied {_counted(len(changes), 'change')}"
    looked = app.looked_over(new)
    found = difference(saved.plan, looked)
    if not found and after == saved.version:
        doors.tell("nothing is different")
        return saved
    changed_plan = app.plans.change(saved.id, looked, after=after, what=what)
    if not as_json:
        render.say([columns.one_line(line) for line in in_words(found)])
        doors.tell(f"{saved.id} is at version {changed_plan.version}")
    return changed_plan


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
