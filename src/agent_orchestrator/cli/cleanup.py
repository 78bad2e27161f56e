"""Free disk space: cleanup."""

from collections.abc import Sequence
from typing import Any

import click

from agent_orchestrator.cli import columns, doors, exits, render, shared_options
from agent_orchestrator.runtime.leftovers import Kind, Leftover

_NAMES = {
    Kind.CHECKOUT: "checkouts",
    Kind.SPARE: "spare checkouts",
    Kind.TRANSCRIPTS: "attempts' transcripts",
    Kind.ARTIFACTS: "folders of artifacts",
    Kind.QUESTION: "forgotten questions",
    Kind.CHECKPOINTS: "checkpoints",
    Kind.BRANCHES: "attempts' branches",
}


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Free it without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what it would free.")
@click.option(
    "--older-than",
    metavar="SPAN",
    help="Age of what may go, such as 7d, instead of the settings checkout_days and transcript_days.",
)
@shared_options.as_json
def cleanup(yes: bool, dry_run: bool, older_than: str | None, as_json: bool) -> int:
    """Free disk space that ended work still takes; shows first what it would free.

    It removes checkouts whose work is on a branch, or is old and in a checkpoint; transcripts and checkpoints of goals
    that ended a while ago, and their attempts' branches once your branch has the work; and leftover questions to
    planners. Work that is not saved stays, and so does what an agent is using. Exits 3 when there is nothing to free.
    """
    from agent_orchestrator.domain.deadline import parse_span

    app = doors.app(create=False)
    span = parse_span(older_than) if older_than else None
    found = app.housekeeping.leftovers(older_than=span)
    goes, stays = [one for one in found if one.free], [one for one in found if not one.free]
    yes = yes and not dry_run
    if not as_json:
        columns.show([(one.kind, one.count, render.size(one.bytes), one.about, one.path) for one in goes])
        for one in stays:
            take = f"; its work: {one.command}" if one.command else ""
            doors.tell(f"stays: {one.path} ({one.about}){take}")
        if goes and not yes and not dry_run and doors.interactive():
            yes = click.confirm(f"Free {_sum(goes)}?", default=False, err=True)
    freed = app.housekeeping.free(older_than=span) if yes else []
    if as_json:
        kept = [_json(one) for one in stays]
        doors.answer({"would_free": [_json(one) for one in goes], "freed": [_json(one) for one in freed], "kept": kept})
    elif yes:
        doors.tell(f"freed {_sum(freed)}")
    elif goes:
        doors.tell(f"would free {_sum(goes)}" + ("" if dry_run else "; orchestrate cleanup --yes does"))
    else:
        doors.tell("nothing to free")
    return 0 if goes else exits.NOTHING_TO_DO


def _sum(leftovers: Sequence[Leftover]) -> str:
    """Return how much that is, and of what."""
    counts = {kind: sum(one.count for one in leftovers if one.kind is kind) for kind in Kind}
    told = ", ".join(f"{_NAMES[kind]}: {count}" for kind, count in counts.items() if count)
    return f"{render.size(sum(one.bytes for one in leftovers))}" + (f" ({told})" if told else "")


def _json(leftover: Leftover) -> dict[str, Any]:
    return {
        "kind": leftover.kind,
        "path": str(leftover.path),
        "count": leftover.count,
        "bytes": leftover.bytes,
        "about": leftover.about,
        "command": leftover.command or None,
    }
