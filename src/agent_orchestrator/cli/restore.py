"""Bring back work that an agent destroyed: restore."""

from pathlib import Path
from typing import Any

import click

from agent_orchestrator.cli import columns, completing, doors, render, shared_options
from agent_orchestrator.workspaces import Checkpoint, Restored


@click.command()
@click.argument("task", shell_complete=completing.tasks)
@click.option("--list", "listing", is_flag=True, help="Only show the checkpoints, with time and size.")
@click.option("--at", "number", type=click.IntRange(min=1), help="The checkpoint's number, from --list.")
@click.option("--into", type=click.Path(path_type=Path), metavar="FOLDER", help="Into a new folder, not a branch.")
@click.option("--all", "everything", is_flag=True, help="Every checkpoint, each in a folder of its own (with --into).")
@shared_options.as_json
def restore(task: str, listing: bool, number: int | None, into: Path | None, everything: bool, as_json: bool) -> None:
    """Bring back a task's work from its checkpoints, on a new branch.

    TASK is a task, one attempt of it such as t4hw9ab.2, or a goal, for what had landed of it. Without --at the newest
    checkpoint is taken, unless most of the work was gone by then. Your branch and your files are not touched. Exits 3
    when there is no checkpoint.
    """
    app = doors.app(create=False)
    found = app.restoring.of(task)
    chosen = app.restoring.chosen(found, number)
    restored: tuple[Restored, ...] = ()
    if everything and not listing:
        restored = app.restoring.restore_all(found, into=into)
    elif not listing:
        restored = (app.restoring.restore(found, number=number, into=into),)
    if as_json:
        doors.answer(
            {
                "checkpoints": [_json(one, is_chosen=one == chosen) for one in found],
                "restored": [_json_restored(one) for one in restored],
            }
        )
    elif listing:
        columns.show([_row(one, is_chosen=one == chosen) for one in found])
    else:
        _tell(restored, found)


def _row(one: Checkpoint, *, is_chosen: bool) -> tuple[object, ...]:
    at = one.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    why = f"{one.why} (restored unless you say --at)" if is_chosen else one.why
    return one.attempt, one.number, at, _files(one), render.size(one.bytes), why


def _files(one: Checkpoint) -> str:
    return f"{one.files} changed file{'' if one.files == 1 else 's'}"


def _tell(restored: tuple[Restored, ...], found: tuple[Checkpoint, ...]) -> None:
    columns.show([(one.branch or one.folder,) for one in restored])
    for one in restored:
        kept = one.checkpoint
        at = kept.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        what = f"{_files(kept)}, {render.size(kept.bytes)}"
        whose = "attempt" if "." in kept.attempt else "goal"
        doors.tell(f"{whose} {kept.attempt}, checkpoint {kept.number} of {at}, {kept.why}: {what}")
        for note in (*kept.notes, *one.notes):
            doors.tell(f"  {render.line(note, 400)}")
    if len(restored) != 1:
        return
    only = restored[0]
    newest = [one for one in found if one.attempt == only.checkpoint.attempt][-1]
    if newest != only.checkpoint:
        doors.tell(f"the newest, {newest.number}, holds {_files(newest)}; --list shows all")
    if only.branch is not None:
        doors.tell(f"look: git diff HEAD...{only.branch}\ntake it in: git merge {only.branch}")


def _json(one: Checkpoint, *, is_chosen: bool) -> dict[str, Any]:
    return {
        "attempt": one.attempt,
        "number": one.number,
        "at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
        "why": one.why,
        "base": one.base,
        "files": one.files,
        "bytes": one.bytes,
        "notes": list(one.notes),
        "is_default": is_chosen,
    }


def _json_restored(one: Restored) -> dict[str, Any]:
    return {
        "attempt": one.checkpoint.attempt,
        "number": one.checkpoint.number,
        "branch": one.branch,
        "folder": str(one.folder) if one.folder else None,
        "notes": list(one.notes),
    }
