"""Whether work that was done again after a conflict still holds what both sides had written. Pure.

Lines are compared as text: a resolution may rightly rewrite them, so what is
missing is told to whoever reviews, and accepts or rejects nothing.
"""

import re
from collections.abc import Iterator

SHOWN = 3
"""Missing lines that are quoted."""
_TELLING = re.compile(r"\w\W*\w\W*\w")
"""A line with less than three letters or digits, such as a bracket, tells nothing by being missing."""
_FILE = re.compile(r"\+\+\+ (?:b/)?(.*)")


def missing(ours: str, landed: str, result: str) -> tuple[str, ...]:
    """Return a note for each side of which lines are not in the result; three patches from one base to each.

    *ours* is the work that conflicted, *landed* what stood on the branch then and since. Only files that both changed
    are looked at.
    """
    added = {name: _added(patch) for name, patch in (("ours", ours), ("landed", landed), ("result", result))}
    both = sorted(added["ours"].keys() & added["landed"].keys())
    notes = []
    for side, whose in (("ours", "its own earlier work"), ("landed", "what had landed")):
        gone = [(file, line) for file in both for line in sorted(added[side][file] - added["result"].get(file, set()))]
        if gone:
            shown = "; ".join(f"{file}: {line.strip()[:100]}" for file, line in gone[:SHOWN])
            more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
            notes.append(f"after the conflict, lines of {whose} are not in the result: {shown}{more}")
    return tuple(notes)


def _added(patch: str) -> dict[str, set[str]]:
    """Return by file the lines that a patch adds."""
    found: dict[str, set[str]] = {}
    for file, line in _lines(patch):
        found.setdefault(file, set()).add(line)
    return found


def _lines(patch: str) -> Iterator[tuple[str, str]]:
    file, in_hunk = "", False
    for line in patch.splitlines():
        if line.startswith("diff --git "):
            in_hunk = False
        elif line.startswith("@@"):
            in_hunk = True
        elif not in_hunk and (match := _FILE.match(line)):
            file = match[1]
        elif in_hunk and line.startswith("+") and _TELLING.search(line):
            yield file, line[1:]
