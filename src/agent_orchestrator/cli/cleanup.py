"""Free what ended work left behind: cleanup."""

from typing import Any

import click

from agent_orchestrator.cli import columns, doors, exits, wording
from agent_orchestrator.runtime.housekeeping import Leftover


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Free it without asking.")
@click.option("--older-than", default="7d", show_default=True, metavar="SPAN", help="Age of transcripts that may go.")
@wording.as_json
def cleanup(yes: bool, older_than: str, as_json: bool) -> int:
    """Free what ended work left behind; shows what it would free first.

    Checkouts whose work stands on a branch, transcripts of goals that ended a while ago, forgotten questions. Work
    that is on no branch stays, and so does what an agent is using. Exits 3 when there is nothing to free.
    """
    from agent_orchestrator.domain.deadline import parse_span

    app = doors.app(create=False)
    span = parse_span(older_than)
    found = app.housekeeping.leftovers(older_than=span)
    goes, stays = [one for one in found if one.free], [one for one in found if not one.free]
    if not as_json:
        columns.show([(one.kind, _size(one.bytes), one.about, one.path) for one in goes])
        for one in stays:
            doors.tell(f"stays: {one.path} ({one.about})")
        if goes and not yes and doors.interactive():
            yes = click.confirm(f"Free {_size(sum(one.bytes for one in goes))}?", default=False, err=True)
    freed = app.housekeeping.free(older_than=span) if yes else []
    if as_json:
        kept = [_json(one) for one in stays]
        doors.answer({"would_free": [_json(one) for one in goes], "freed": [_json(one) for one in freed], "kept": kept})
    elif yes:
        doors.tell(f"freed {_size(sum(one.bytes for one in freed))}")
    elif goes:
        doors.tell("nothing was freed; orchestrate cleanup --yes frees it")
    else:
        doors.tell("nothing to free")
    return 0 if goes else exits.NOTHING_TO_DO


def _json(leftover: Leftover) -> dict[str, Any]:
    return {
        "kind": leftover.kind,
        "path": str(leftover.path),
        "bytes": leftover.bytes,
        "about": leftover.about,
    }


def _size(count: int) -> str:
    return f"{count / 1024**2:.1f} MiB" if count >= 1024**2 else f"{count / 1024:.0f} KiB"
