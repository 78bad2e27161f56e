"""Context on the command line: what the agents of a goal share, for them and for a person."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, completing, doors, render, shared_options
from agent_orchestrator.domain.context import Entry, Kind
from agent_orchestrator.domain.errors import BadInput, StaleLease
from agent_orchestrator.domain.ids import AttemptId, GoalId
from agent_orchestrator.domain.task import HELD, Task

PREVIEW = 80
"""Columns of a value that a list shows."""

goal_option = click.option(
    "--goal",
    "goal_text",
    metavar="ID",
    shell_complete=completing.goals,
    help="Which goal. Without it the agent's own, or the only open one.",
)


@click.group()
def context() -> None:
    """What the agents of a goal share, and your notes to them."""


@context.command("list")
@goal_option
@shared_options.as_json
def list_(goal_text: str | None, as_json: bool) -> None:
    """List everything that is shared: name, version, author, size, beginning of the value.

    Exits 0 also when there is nothing yet.
    """
    app = doors.app(create=False)
    goal = _goal(app, _caller(app), goal_text, writing=False)
    entries = app.context.everything(goal)
    if as_json:
        doors.answer({"goal": goal, "entries": [_json(entry) for entry in entries]})
        return
    columns.show([_row(entry) for entry in entries])
    if not entries:
        doors.tell(f"nothing is shared in goal {goal} yet")


@context.command()
@click.argument("name", shell_complete=completing.shared)
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="An earlier version; list shows the newest.")
@goal_option
@shared_options.as_json
def get(name: str, version: int | None, goal_text: str | None, as_json: bool) -> None:
    """Print one shared thing: a text as it is, any other value as JSON, a file's content.

    NAME is a key, results/TASK, discoveries/N, notes/N or artifacts/TASK/FILE. Exits 4 when there is no such thing.
    """
    app = doors.app(create=False)
    goal = _goal(app, _caller(app), goal_text, writing=False)
    entry = app.context.get(goal, name, version)
    if as_json:
        known = [{"version": one.version, "author": one.author, "at": _at(one)} for one in app.context.versions(entry)]
        path = {"path": str(app.context.file(entry))} if entry.kind is Kind.ARTIFACT else {}
        doors.answer({"goal": goal, **_json(entry), **path, "versions": known})
        return
    _tell_of_parallel(app, entry)
    on_terminal = sys.stdout.isatty()
    if entry.kind is Kind.ARTIFACT:
        path_of = app.context.file(entry)
        if on_terminal:
            click.echo(str(path_of))
        else:
            click.echo(path_of.read_bytes(), nl=False)
    elif isinstance(entry.value, str):
        render.say(render.block(entry.value, indent="") if on_terminal else entry.value)
    else:
        click.echo(json.dumps(entry.value, indent=2))


@context.command()
@click.argument("key", required=False, shell_complete=completing.shared)
@click.argument("value", required=False)
@click.option("--note", metavar="TEXT", help="Tell every agent of the goal that starts from now on (yours only).")
@click.option("--discovery", metavar="TEXT", help="Something found out that every agent of the goal should know.")
@click.option("--artifact", metavar="FILE", help="Keep a file that is not for the repository; KEY may rename it.")
@click.option("--text", is_flag=True, help="VALUE is text even where it could be JSON.")
@click.option(
    "--over", type=click.IntRange(min=0), metavar="N", help="Only if N is its newest version; 0: if it is new."
)
@goal_option
@shared_options.as_json
def put(
    key: str | None, value: str | None, over: int | None, goal_text: str | None, as_json: bool, **given: Any
) -> None:
    """Share a value under a KEY, a note, a discovery or a file with the agents of a goal.

    VALUE is JSON or else text; - reads standard input, @FILE a file. TEXT can be - or @FILE too. Exits 5 when --over
    is not the newest version, or when the calling agent does not hold its task any more.
    """
    others = [name for name in ("note", "discovery", "artifact") if given[name] is not None]
    is_key = key is not None and value is not None and not others
    is_other = len(others) == 1 and value is None and (key is None or others == ["artifact"])
    if not (is_key or is_other):
        raise BadInput("put shares one thing", hint="KEY VALUE, or one of --note, --discovery, --artifact")
    if over is not None and not is_key:
        raise BadInput("--over is for a key", hint="leave it out")
    app = doors.app(create=False)
    caller = _caller(app)
    goal = _goal(app, caller, goal_text, writing=True)
    _require_at_work(app, caller)
    if is_key:
        entry = app.context.put(goal, str(key), _value(str(value), text=given["text"]), by=caller, over=over)
    else:
        entry = _put_other(app, goal, caller, key, given)
    if as_json:
        doors.answer({"goal": goal, **_json(entry)})
        return
    columns.show([(entry.address, f"version {entry.version}", entry.author)])
    _tell_of_parallel(app, entry)


@context.command()
@click.argument("report")
@shared_options.as_json
def more(report: str, as_json: bool) -> None:
    """Say that the goal needs more tasks than were planned; for agents.

    REPORT is {"why": …, "tasks": [{"title": …, "description": …}]} as JSON; - reads standard input, @FILE a file. A
    task may have acceptance, verify, owns, why, depends_on, before, agent_type, size and id. The tasks come after the
    calling agent's own, once that is done, and a person may have to agree. Exits 2 with every reason when the report is
    refused, and 5 when plans may not change here.
    """
    from agent_orchestrator.services.context_files import value_of
    from agent_orchestrator.services.entries import VALUE_LIMIT

    app = doors.app(create=False)
    caller = _caller(app)
    if caller is None:
        raise BadInput(
            "only an agent reports more work",
            hint="you add it: submit --depends-on TASK, or plan-continue GOAL --apply",
        )
    _require_at_work(app, caller)
    try:
        value = value_of(_content(report, VALUE_LIMIT))
    except ValueError as error:
        raise BadInput(f"the report is not JSON: {error}") from error
    found = app.replanning.report(caller, value)
    titles = [str(one["title"]) for one in found.tasks]
    if as_json:
        doors.answer(
            {"goal": found.goal, "task": caller.id, "state": found.state.value, "why": found.why, "tasks": titles}
        )
        return
    columns.show([("reported", title) for title in titles])
    doors.tell(f"looked at when {caller.key} is done")


def _put_other(app: App, goal: GoalId, caller: Task | None, name: str | None, given: dict[str, Any]) -> Entry:
    """Put in what has no key: a note, a discovery or a file."""
    from agent_orchestrator.services.entries import ARTIFACT_LIMIT, VALUE_LIMIT

    if given["note"] is not None:
        if caller is not None:
            raise BadInput("notes are the user's", hint="an agent shares what it found out with --discovery")
        return app.context.note(goal, _text(_content(given["note"], VALUE_LIMIT)))
    if given["discovery"] is not None:
        return app.context.discover(goal, _text(_content(given["discovery"], VALUE_LIMIT)), by=caller)
    path = Path(given["artifact"]).expanduser()
    return app.context.keep(goal, name or path.name, _file(path, ARTIFACT_LIMIT), by=caller)


def _caller(app: App) -> Task | None:
    """Return the task whose agent calls us, or None when a person or a program does."""
    if app.attempt is None:
        return None
    return app.store.tasks.get(app.store.attempts.get(AttemptId(app.attempt)).task)


def _require_at_work(app: App, caller: Task | None) -> None:
    if caller is not None and (caller.attempt != app.attempt or caller.state not in HELD):
        # A session that goes on keeps the checkout, and with it the name, of an earlier attempt of the same task.
        current = app.store.attempts.get(AttemptId(caller.attempt)) if caller.attempt else None
        resumed = current is not None and caller.state in HELD and "ORCHESTRATE_ATTEMPT" not in app.environ
        if not resumed:
            raise StaleLease(
                f"attempt {app.attempt} does not hold task {caller.id} any more",
                hint="its work is somebody else's now; end here",
            )


def _goal(app: App, caller: Task | None, text: str | None, *, writing: bool) -> GoalId:
    """Return the goal that is meant: the named one, the calling agent's, or the only open one; to look, the last."""
    if text:
        goal = app.goals.resolve(text).id
        if caller is not None and goal != caller.goal:
            raise BadInput(f"an agent of goal {caller.goal} has nothing to do with {goal}", hint="leave out --goal")
        return goal
    if caller is not None:
        return caller.goal
    found = app.goals.open()
    if len(found) == 1:
        return found[0].id
    if not found and not writing:
        return app.goals.resolve("last").id
    ids = ", ".join(goal.id for goal in found[-5:]) or "no goal is open"
    raise BadInput("which goal?", hint=f"say it with --goal: {ids}")


def _content(argument: str, limit: int) -> bytes:
    """Return what *argument* says: itself, the standard input (``-``) or a file (``@file``)."""
    if argument == "-":
        if sys.stdin is None:
            raise BadInput("there is no standard input to read", hint="give the value as an argument")
        stream = getattr(sys.stdin, "buffer", None)
        content: bytes = stream.read(limit + 1) if stream else sys.stdin.read(limit + 1).encode()
        if len(content) > limit:
            raise BadInput(f"the standard input has more than {limit:,} bytes", hint="keep it as a file: --artifact")
        return content
    if argument.startswith("@") and len(argument) > 1:
        return _file(Path(argument[1:]).expanduser(), limit)
    return argument.encode("utf-8", "surrogateescape")


def _file(path: Path, limit: int) -> bytes:
    """Return a file's bytes; of one that may be endless only as many as are allowed are read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    if len(content) > limit:
        raise BadInput(f"{path} has more than the {limit:,} bytes that can be shared")
    return content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("this is not UTF-8 text", hint="a file of another kind is shared with --artifact") from error


def _value(argument: str, *, text: bool) -> object:
    """Return the JSON value that was given, or else the text."""
    from agent_orchestrator.services.context_files import value_of
    from agent_orchestrator.services.entries import VALUE_LIMIT

    content = _content(argument, VALUE_LIMIT)
    words = _text(content)
    if text:
        return words
    try:
        found: object = value_of(content)
    except ValueError as error:
        if words.lstrip()[:1] in {"{", "["}:
            raise BadInput(f"the value looks like JSON but is not: {error}", hint="--text takes it as text") from error
        return words.strip() if content.count(b"\n") <= 1 else words
    return found


def _row(entry: Entry) -> tuple[object, ...]:
    beside = f" [also version {entry.beside}, written at the same time]" if entry.beside else ""
    if entry.kind is Kind.ARTIFACT:
        shown = f"sha256 {(entry.sha256 or '')[:12]}"
    else:
        shown = entry.value if isinstance(entry.value, str) else json.dumps(entry.value, ensure_ascii=False)
        shown = render.line(shown[: 4 * PREVIEW], PREVIEW)
    return entry.address, f"v{entry.version}", entry.author, f"{entry.bytes:,} B", f"{shown}{beside}"


def _json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.address,
        "kind": entry.kind.value,
        "version": entry.version,
        "author": entry.author,
        "by_user": entry.by_user,
        "value": entry.value,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "beside": entry.beside,
        "at": _at(entry),
    }


def _at(entry: Entry) -> str:
    return f"{entry.at:%Y-%m-%dT%H:%M:%SZ}"


def _tell_of_parallel(app: App, entry: Entry) -> None:
    for other in app.context.versions(entry) if entry.beside else []:
        if other.version == entry.beside:
            doors.tell(
                f"{columns.one_line(other.author)} wrote it at the same time: orchestrate context get {entry.address} "
                f"--version {other.version}"
            )
