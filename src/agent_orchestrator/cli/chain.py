"""What following the chain of events showed, in words or as JSON."""

from agent_orchestrator.cli import columns, doors
from agent_orchestrator.domain.event import ChainCheck


def tell(found: ChainCheck, *, as_json: bool) -> int:
    """Print *found*; return the exit code."""
    if as_json:
        wrong = found.wrong or None
        doors.answer({"first": found.first, "events": found.events, "anchors": found.heads, "wrong": wrong})
    else:
        columns.show([("changed" if found.wrong else "whole", found.wrong or _whole(found))])
    return 1 if found.wrong else 0


def _whole(found: ChainCheck) -> str:
    if not found.events:
        return "no event was written yet"
    last = found.first + found.events - 1
    return f"events {found.first} to {last}, held against {found.heads} anchors beside the database"
