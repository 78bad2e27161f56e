"""When two scopes meet: whether some path could match both of two globs.

``*`` and ``?`` stay within a folder, ``**`` crosses folders, a ``[...]`` set
is taken for any character, and a plain path also means everything below it.
When in doubt two globs meet: one edge too many costs time, one too few a conflict.
"""

from functools import lru_cache


def globs_meet(first: str, second: str) -> bool:
    """Say whether a path could be in both scopes."""
    return _meet(_segments(first), _segments(second))


def scopes_meet(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the first pair of globs of two scopes that meet, or None."""
    return next(((a, b) for a in first for b in second if globs_meet(a, b)), None)


def _segments(glob: str) -> tuple[str, ...]:
    parts = tuple(part for part in glob.split("/") if part not in {"", "."})
    return (*parts, "**") if not parts or parts[-1] != "**" else parts


@lru_cache(maxsize=4096)
def _meet(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    # Row by row: reachable[j] says that first[:i] and second[:j] can match the same path.
    reachable = [True] + [False] * len(second)
    for j, segment in enumerate(second, start=1):
        reachable[j] = reachable[j - 1] and segment == "**"
    for mine in first:
        row = [reachable[0] and mine == "**"]
        for j, theirs in enumerate(second, start=1):
            both = reachable[j - 1] and (mine == "**" or theirs == "**" or _names_meet(mine, theirs))
            row.append(
                both
                or (mine == "**" and reachable[j])
                or (mine == "**" and row[j - 1])
                or (theirs == "**" and (row[j - 1] or reachable[j]))
            )
        reachable = row
    return reachable[-1]


@lru_cache(maxsize=4096)
def _names_meet(first: str, second: str) -> bool:
    if not any(mark in first + second for mark in "*?["):
        return first == second
    mine, theirs = _tokens(first), _tokens(second)
    reachable = [True] + [False] * len(theirs)
    for j, sign in enumerate(theirs, start=1):
        reachable[j] = reachable[j - 1] and sign == "*"
    for a in mine:
        row = [reachable[0] and a == "*"]
        for j, b in enumerate(theirs, start=1):
            both = reachable[j - 1] and (a == b or "*" in (a, b) or "?" in (a, b))
            row.append(
                both or (a == "*" and (reachable[j] or row[j - 1])) or (b == "*" and (row[j - 1] or reachable[j]))
            )
        reachable = row
    return reachable[-1]


def _tokens(name: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(name):
        end = name.find("]", at + 2) if name[at] == "[" else -1
        tokens.append("?" if end > 0 else name[at])
        at = end + 1 if end > 0 else at + 1
    return tokens
