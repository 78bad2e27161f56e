"""See what a change does to the tests that were there: deleted, moved, skipped, thinned out, rewritten.

Moving and renaming is not deleting: a test that is gone from one file is looked for in every other, by its name and by
its body. What is only added is no concern, unless what is added asserts nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from agent_orchestrator.domain.evidence import ConcernKind
from agent_orchestrator.runtime.cases import Case, is_test_material, read_cases
from agent_orchestrator.workspaces import Revision

NAMED = 6
"""Tests named one by one in a sentence."""

_ENDS_THE_RUN = re.compile(
    r"\bos\._exit\(|\bsys\.exit\(\s*0\s*\)|\bpytest\.exit\(|\bprocess\.exit\(\s*0?\s*\)|\bSystem\.exit\(\s*0\s*\)"
    r"|\bos\.Exit\(\s*0\s*\)|\bstd::process::exit\(\s*0\s*\)|^[ \t]*exit!?[ (]?0?\)?\s*$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEdit:
    """One thing that was done to tests."""

    __test__ = False  # pytest would take the name for a test's
    kind: ConcernKind
    path: str
    detail: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The tests before and after a change."""

    edits: tuple[TestEdit, ...] = ()
    rewritten: tuple[tuple[str, str], ...] = ()
    """File and name of tests whose text differs though they assert no less: only running them as they were tells."""
    material: tuple[str, ...] = ()
    """Files of tests in which something that was there before is gone or different; also what tests compare with."""
    new: tuple[tuple[str, str], ...] = ()
    """File and name of tests that are new."""
    thinner: bool = False
    """Whether there are fewer tests or assertions in all that changed than before."""


@dataclass(slots=True)
class _Side:
    """The tests of one side, by file and name."""

    cases: dict[tuple[str, str], Case] = field(default_factory=dict)

    def take(self, path: str, text: str | None) -> None:
        for name, case in (read_cases(path, text) if text else {}).items():
            self.cases[path, name] = case

    @property
    def tests(self) -> dict[tuple[str, str], Case]:
        return {place: case for place, case in self.cases.items() if case.name}


def compare(revisions: Sequence[Revision]) -> Compared:
    """Return what *revisions* do to tests."""
    before, after = _Side(), _Side()
    for one in revisions:
        before.take(one.path, one.before)
        after.take(one.path, one.after)
    gone = [place for place in before.tests if place not in after.tests]
    fresh = [place for place in after.tests if place not in before.tests]
    moved = _moved(gone, fresh, before, after)
    edits: list[TestEdit] = []
    edits += _deleted([place for place in gone if place not in moved], revisions)
    kept = {**{place: place for place in before.cases if place in after.cases}, **moved}
    changed = [place for place in kept if before.cases[place].body != after.cases[kept[place]].body]
    for place in changed:
        edits += _compared(before.cases[place], after.cases[kept[place]], kept[place][0])
    new = [place for place in fresh if place not in moved.values()]
    for place in [*new, *(place for place in after.cases if not place[1] and place not in before.cases)]:
        edits += _compared(Case(name="", body="", asserts=0), after.cases[place], place[0], new=True)
    edits += _ending_the_run(revisions)
    said = {(edit.path, name) for edit in edits for name in edit.tests}
    return Compared(
        edits=tuple(edits),
        rewritten=tuple(kept[p] for p in changed if p[1] and kept[p] not in said),
        material=tuple(one.path for one in revisions if _lost_something(one)),
        new=tuple(new),
        thinner=len(after.tests) < len(before.tests) or _sum(after) < _sum(before),
    )


def _sum(side: _Side) -> int:
    return sum(case.asserts for case in side.tests.values())


def _moved(
    gone: Sequence[tuple[str, str]], fresh: Sequence[tuple[str, str]], before: _Side, after: _Side
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return where tests that are gone have come up again: under their own name, or with the same body."""
    free = dict.fromkeys(fresh)
    found: dict[tuple[str, str], tuple[str, str]] = {}

    def take(place: tuple[str, str], candidates: Iterable[tuple[str, str]]) -> None:
        new = next(iter(candidates), None)
        if new is not None:
            found[place] = new
            free.pop(new)

    for place in gone:
        short = place[1].rpartition(".")[2]
        same_file_first = sorted(free, key=lambda one, path=place[0]: one[0] != path)  # type: ignore[misc]
        take(place, (one for one in same_file_first if one[1].rpartition(".")[2] == short))
    for place in gone:
        if place not in found:
            body = before.cases[place].body
            take(place, (one for one in free if after.cases[one].body == body and body))
    return found


def _deleted(gone: Sequence[tuple[str, str]], revisions: Sequence[Revision]) -> list[TestEdit]:
    edits = []
    files = {one.path: one.after for one in revisions}
    for path in dict.fromkeys(place[0] for place in gone):
        names = tuple(name for of, name in gone if of == path)
        whole = "the file is deleted, with " if files.get(path) is None else "deleted: "
        detail = f"{whole}{_listed(names)}"
        edits.append(TestEdit(kind=ConcernKind.TEST_DELETED, path=path, detail=detail, tests=names))
    return edits


def _compared(before: Case, after: Case, path: str, *, new: bool = False) -> list[TestEdit]:
    """Return what became worse of one test; of a *new* one, what no author of an honest test would write."""
    who = after.name or "the file"
    names = (after.name,) if after.name else ()
    edits = []

    def add(kind: ConcernKind, detail: str) -> None:
        edits.append(TestEdit(kind=kind, path=path, detail=detail, tests=names))

    if after.alone > before.alone:
        add(ConcernKind.TEST_SKIPPED, f"{who} is marked so that no other test runs")
    if after.idle > before.idle:
        add(ConcernKind.TEST_SKIPPED, f"{who} is skipped, or expected to fail")
    elif after.idle_if > before.idle_if and not new:
        add(ConcernKind.TEST_SKIPPED, f"{who} is skipped on a condition")
    if new and after.hollow and not after.idle:
        add(ConcernKind.TEST_WEAKENED, f"the new test {who} asserts nothing that could fail")
    elif not new and after.asserts < before.asserts:
        add(ConcernKind.TEST_WEAKENED, f"{who} asserts less than before: {before.asserts} → {after.asserts}")
    return edits


def _ending_the_run(revisions: Sequence[Revision]) -> list[TestEdit]:
    found = []
    for one in revisions:
        if one.after is None or not is_test_material(one.path):
            continue
        for line in added_lines(one):
            if _ENDS_THE_RUN.search(line):
                detail = f"it can end the whole test run as if all were well: {line.strip()[:100]}"
                found.append(TestEdit(kind=ConcernKind.TEST_WEAKENED, path=one.path, detail=detail, tests=()))
                break
    return found


def _lost_something(one: Revision) -> bool:
    """Say whether a file of the tests held something that is not there any more, as it was."""
    if one.before is None or not is_test_material(one.path):
        return False
    if one.after is None:
        return True
    if PurePosixPath(one.path).suffix == ".py" and one.path.endswith("conftest.py"):
        return bool(removed_lines(one))
    was, is_now = (read_cases(one.path, text) for text in (one.before, one.after))
    if not was and not is_now:
        return one.before != one.after  # data: also what is added changes what is expected
    return any(name not in is_now or is_now[name].body != case.body for name, case in was.items() if name) or bool(
        removed_lines(one)
    )


def added_lines(one: Revision) -> list[str]:
    """Return the lines that *one* has only afterwards, as often as it has more of them."""
    return _more(one.before or "", one.after or "")


def removed_lines(one: Revision) -> list[str]:
    """Return the lines that say something and that *one* has only before."""
    return [line for line in _more(one.after or "", one.before or "") if line.strip()]


def _more(fewer: str, more: str) -> list[str]:
    from collections import Counter

    left = Counter(line.strip() for line in fewer.splitlines())
    found = []
    for line in more.splitlines():
        if left[line.strip()] > 0:
            left[line.strip()] -= 1
        else:
            found.append(line)
    return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} test{'s' if len(names) != 1 else ''} ({shown}{more})"
