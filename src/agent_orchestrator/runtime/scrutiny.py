"""Ask what a passing check is worth: did the work tamper with what was to judge it?

Everything is read from the difference between what was landed before and the union that would land. What cannot be
read is run: when tests that were there are gone or different, the check is run once more with them put back as they
were. So tests may be rewritten freely where the old ones still pass and no less is asserted. What the task itself asks
for is told, and does not count against it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Concern, ConcernKind
from agent_orchestrator.domain.task import Task, Verdict
from agent_orchestrator.domain.text import clean
from agent_orchestrator.planning.globs import scopes_meet
from agent_orchestrator.runtime.asked import Asked
from agent_orchestrator.runtime.cases import is_test_material
from agent_orchestrator.runtime.check_edits import check_edits
from agent_orchestrator.runtime.check_memory import End
from agent_orchestrator.runtime.counting import tests_run
from agent_orchestrator.runtime.tampering import Compared, TestEdit, compare
from agent_orchestrator.runtime.unfinished import unfinished
from agent_orchestrator.runtime.verification import CheckCommand, Verification, verdict
from agent_orchestrator.workspaces import Workspaces

ADVICE_LIMIT_S = 120.0
"""How long new tests may run against the code without the work. A check that took half of that itself is not tried."""
CONCERNS_KEPT = 40
DETAIL_CHARACTERS = 400
FILES_NAMED = 10
ASKED_FOR = "the task asks for it"
STILL_HOLDS = "the tests as they were still pass on this work, and no less is asserted now"

_LOCK_FILES = frozenset({
    "uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock",
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "mix.lock",
    "packages.lock.json", "flake.lock", "gradle.lockfile",
})  # fmt: skip


def judge(check: CheckRun, concerns: Iterable[Concern]) -> Verdict:
    """Return what *check* lets us say of work about which there are these *concerns*."""
    said = verdict(check)
    return Verdict.UNVERIFIED if said is Verdict.VERIFIED and any(one.lowers for one in concerns) else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One task's work as it would land."""

    task: Task
    base: str
    """What was landed before: the commit it grows from."""
    tree: str
    """The union."""
    check: CheckRun
    """What its check showed on the union."""
    suite: CheckCommand | None
    """The check of the project as a whole; the task's own may look at one thing only."""

    @property
    def command(self) -> CheckCommand:
        """The command that judged it."""
        return CheckCommand(command=self.check.command, origin=self.check.origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrutiny:
    """Looks at work whose check has run. Any number of threads may use one."""

    workspaces: Workspaces
    verification: Verification

    def concerns(self, work: Work) -> tuple[Concern, ...]:
        """Return what speaks against relying on the check, what lowers the verdict first.

        Raises:
            CommandStopped: a stop was wished while the tests as they were ran.
        """
        revisions = self.workspaces.revisions(work.base, work.tree)
        asked = Asked.by(work.task)
        compared = compare(revisions)
        holds = self._as_before(work, compared) if verdict(work.check) is Verdict.VERIFIED else None
        found = [_of_edit(edit, asked) for edit in compared.edits]
        if holds is not None and verdict(holds) is Verdict.VERIFIED:
            excuse = "" if compared.thinner else STILL_HOLDS
            excuse = ASKED_FOR if asked.rewriting_of_tests() else excuse
            found = [
                replace(one, excuse=one.excuse or excuse) if _is_rewriting(edit, compared) else one
                for one, edit in zip(found, compared.edits, strict=True)
            ]
        if holds is not None and verdict(holds) is Verdict.REJECTED:
            found.append(_contradicted(holds, compared, asked))
        found += self._fewer(work, found)
        commands = " ; ".join(dict.fromkeys(one.command for one in (work.command, work.suite) if one is not None))
        for change in check_edits(revisions, commands):
            excuse = change.harmless or (ASKED_FOR if asked.names(change.path, *change.topics) else "")
            found.append(Concern(kind=ConcernKind.CHECK_CHANGED, path=change.path, detail=change.detail, excuse=excuse))
        found += unfinished(revisions, asked, lambda path: self.workspaces.text(work.tree, path))
        new = {one.path for one in revisions if one.before is None}
        found += out_of_scope(work.task, [one.path for one in revisions], new=new)
        return _tidied(found)

    def advice(self, work: Work) -> tuple[str, ...]:
        """Return what new tests show when they are run on the code without the work: they should fail there."""
        command = work.suite or work.command
        if not command.command or work.check.duration_ms > ADVICE_LIMIT_S * 500:
            return ()
        revisions = self.workspaces.revisions(work.base, work.tree)
        new = [place for place in compare(revisions).new if is_test_material(place[0])]
        if not new or all(is_test_material(one.path) for one in revisions):
            return ()  # tests for what is there already pass, as they should
        tests = [one.path for one in revisions if is_test_material(one.path) and one.after is not None]
        tree = self.workspaces.put_back(work.base, tests, like=work.tree)
        end = self.verification.try_out(command, tree, limit_s=ADVICE_LIMIT_S)
        one = len(new) == 1
        if end is End.PASSED:
            passes = "1 new test passes" if one else f"{len(new)} new tests pass"
            return (f"its {passes} without its change too, which shows nothing of the change",)
        if end is End.FAILED and self._passes_before(command, work):
            fails = "1 new test fails" if one else f"{len(new)} new tests fail"
            return (f"its {fails} without its change, as {'it' if one else 'they'} should",)
        return ()

    def _passes_before(self, command: CheckCommand, work: Work) -> bool:
        if self.verification.passed_on(command, work.base) is not None:
            return True
        return self.verification.try_out(command, work.base, limit_s=ADVICE_LIMIT_S) is End.PASSED

    def _as_before(self, work: Work, compared: Compared) -> CheckRun | None:
        """Run the check with the tests as they were before; None when there is nothing to put back."""
        command = work.suite or work.command
        if not compared.material or not command.command:
            return None
        with suppress(WorkspaceProblem):  # a file may stand now where a folder was: then it is not told
            tree = self.workspaces.put_back(work.tree, compared.material, like=work.base)
            if tree != self.workspaces.tree(work.tree):
                return self.verification.check(command, tree=tree, base=work.base)
        return None

    def _fewer(self, work: Work, found: Sequence[Concern]) -> Iterator[Concern]:
        """Compare how many tests the check ran with how many it ran before, where both are told."""
        if work.check.result is not CheckResult.PASSED:
            return
        before = self.verification.passed_on(work.command, work.base)
        were = tests_run(before.tail) if before is not None else None
        are = tests_run(work.check.tail)
        if not were or (are is not None and are >= were):
            return
        gone = [one for one in found if one.kind in {ConcernKind.TEST_DELETED, ConcernKind.TEST_SKIPPED}]
        excuse = gone[0].excuse if gone and not any(one.lowers for one in gone) else ""
        now = "does not say how many with this work" if are is None else f"{are} with this work"
        detail = f"`{work.check.command}` ran {were} test{'s' if were != 1 else ''} before, and {now}"
        yield Concern(kind=ConcernKind.FEWER_TESTS, path="", detail=detail, excuse=excuse)


def out_of_scope(task: Task, files: Sequence[str], *, new: Iterable[str] = ()) -> list[Concern]:
    """Return concerns about changed *files* that the plan did not give to *task*; *new* are those that were not there.

    Lock files follow what they lock, and a new test is nobody's loss: both are told and no more.
    """
    strays = [file for file in files if task.owns and scopes_meet((_literal(file),), task.owns) is None]
    asked, created = Asked.by(task), frozenset(new)
    grouped: dict[str, list[str]] = {}
    for file in strays:
        if asked.names(file):
            excuse = "the task names it"
        elif PurePosixPath(file).name in _LOCK_FILES:
            excuse = "a lock file follows what it locks"
        elif file in created and is_test_material(file):
            excuse = "a new test takes nothing away"
        else:
            excuse = ""
        grouped.setdefault(excuse, []).append(file)
    found = []
    for excuse, paths in grouped.items():
        more = f" and {len(paths) - FILES_NAMED} more" if len(paths) > FILES_NAMED else ""
        detail = f"outside the task's scope: {', '.join(paths[:FILES_NAMED])}{more}"
        found.append(Concern(kind=ConcernKind.OUT_OF_SCOPE, path=paths[0], detail=detail, excuse=excuse))
    return found


def _literal(file: str) -> str:
    """Return a glob for exactly *file*: marks in a name stand for any character, which can only widen the scope."""
    return file.replace("*", "?")


def _of_edit(edit: TestEdit, asked: Asked) -> Concern:
    subject = _subject(edit.path, *edit.tests)
    wished = asked.skipping_of_tests() if edit.kind is ConcernKind.TEST_SKIPPED else asked.removal_of_tests(subject)
    return Concern(kind=edit.kind, path=edit.path, detail=edit.detail, excuse=ASKED_FOR if wished else "")


def _is_rewriting(edit: TestEdit, compared: Compared) -> bool:
    """Say whether it may be another way to write a test that was there."""
    new = {name for _, name in compared.new}
    return edit.kind in {ConcernKind.TEST_DELETED, ConcernKind.TEST_WEAKENED} and not new.issuperset(edit.tests)


def _subject(path: str, *tests: str) -> str:
    """Return the words for what tests are of: their names, else that of their file."""
    return " ".join(tests) if tests else PurePosixPath(path).name


def _contradicted(holds: CheckRun, compared: Compared, asked: Asked) -> Concern:
    """Return the concern that the tests as they were fail, excused if the task asks to change all that they are of."""
    named = {path for path, _ in compared.rewritten} | {edit.path for edit in compared.edits}
    subjects = [_subject(path, name) for path, name in compared.rewritten]
    subjects += [path for path in compared.material if path not in named]
    edits = [_subject(edit.path, *edit.tests) for edit in compared.edits]
    subjects += [subject for subject in edits if not asked.removal_of_tests(subject)]
    wished = all(asked.change(subject) for subject in subjects)
    failing = ", ".join((holds.failures or ())[:3])
    detail = "with the tests as they were before, the check fails on this work" + (f": {failing}" if failing else "")
    return Concern(
        kind=ConcernKind.TEST_CONTRADICTED,
        path=compared.material[0],
        detail=detail,
        excuse=ASKED_FOR if wished else "",
    )


def _tidied(found: Iterable[Concern]) -> tuple[Concern, ...]:
    """Return concerns once each, without what a terminal could take for its own, the weighty first."""
    clean_ones = [
        replace(
            one,
            path=clean(one.path)[:DETAIL_CHARACTERS],
            detail=" ".join(clean(one.detail).split())[:DETAIL_CHARACTERS],
        )
        for one in found
    ]
    ordered: list[Concern] = sorted(dict.fromkeys(clean_ones), key=lambda one: not one.lowers)
    return tuple(ordered[:CONCERNS_KEPT])
