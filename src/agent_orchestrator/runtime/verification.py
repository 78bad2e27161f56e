"""Run the checks ourselves and say what they prove: evidence, not an agent's word.

One command on one clean checkout of the tree that would land. What a failure means depends on the base:

* It is run once more, in a fresh checkout, before it counts: differing results mean a flaky test, not bad work.
* The base passes: the work broke something. The base fails in the same tests: no new failures, the work is accepted.
* The base fails and nobody can tell which tests are to blame: neither accepted as verified nor rejected.

"The same tests" needs two complete lists. Where a run stopped early, tests that were never reached may fail too, so
such a list never proves the absence of a new failure. And a check that a *task* brought along is its acceptance: it
often fails on the base because the task is not done there, so an equal failure proves nothing in the task's favour.

Results are kept by tree, command and environment for a day, in a file that any number of threads and processes share.
A pass is not repeated. A failure is only ever used as knowledge about a base. What did not end is not kept at all.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import assert_never

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import DiskFull, tells_no_room
from agent_orchestrator.domain.evidence import CheckResult, CheckRun
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.task import Task, Verdict
from agent_orchestrator.domain.text import clean
from agent_orchestrator.runtime.check_memory import CheckMemory, End, Look, Record, record
from agent_orchestrator.runtime.commands import CommandStopped, Ended, end_abandoned, run
from agent_orchestrator.runtime.failures import found_no_tests, read_failures
from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.run_dir import Why
from agent_orchestrator.workspaces import Confined

LIMIT_S = 30 * 60.0
"""How long a check may take: longer than most test suites, short enough that a hanging one does not cost the night."""
SILENCE_S = 5 * 60.0
"""How long a check may show no output, no CPU use and no changed file: what a test runner in watch mode does.
Hosted CI ends a job after ten minutes without output alone (Travis CI, CircleCI; 2026-11)."""
FILLS = 2
"""How often a check may fill the disk on one tree until that is its failure."""
TRIES_FOR_ROOM = 3
"""How often a check is run that fails each time while the disk is full, where there is room again afterwards."""
OUTPUT_BYTES = 256 << 20
TAIL_CHARACTERS = 8_000
NON_INTERACTIVE: Mapping[str, str] = {
    "CI": "1",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_NO_INPUT": "1",
    "npm_config_yes": "true",
    "PYTHONUNBUFFERED": "1",
    # Python trusts a .pyc whose source has the same size and the same second of change, so in a recycled checkout the
    # bytecode of one tree could be run for the next.
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""Environment of every check, over what the caller allows: nobody is there to answer, to page or to look."""

_NO_RUNNER = re.compile(r"\S*python[\d.]*: No module named \S+")
"""All that `python3 -m pytest` prints where pytest is not installed, with exit code 1."""
_WATCHING = re.compile(
    r"(?i)waiting for file changes|watching for (?:file )?changes|watch usage|press \S+ to (?:quit|exit)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCommand:
    """A shell command whose exit code 0 accepts work: the operator's words or the plan's, never an agent's output."""

    command: str
    origin: str
    """``user``, ``task``, ``goal`` or ``project`` (detected, or a setting).

    ``user``: given with the one task it is for. It accepts by exit code 0 and nothing excuses it. ``task``: a plan's
    own for this task; a base that fails it too is no excuse, but the same tests failing as before say nothing.
    """


def choose(task: Task, goal: Goal, detected: str | None) -> CheckCommand | None:
    """Return the task's own command, else its goal's, else the project's *detected* one; None when there is none.

    A task that repeats the goal's or the project's command has none of its own: it is judged against the base, unless
    a person gave it with the task (the goal is a single task's, no planner's): they named what accepts the work.
    """
    usual = {"goal": (goal.verify or "").strip(), "project": (detected or "").strip()}
    own = (task.verify or "").strip()
    if own and goal.source == "single":
        return CheckCommand(command=own, origin="user")
    if own and own not in usual.values():
        return CheckCommand(command=own, origin="task")
    wanted = [(text, origin) for origin, text in usual.items() if text and (not own or text == own)]
    return CheckCommand(command=wanted[0][0], origin=wanted[0][1]) if wanted else None


def verdict(run: CheckRun) -> Verdict:
    """Return what *run* lets us say of the work."""
    match run.result:
        case CheckResult.PASSED | CheckResult.FLAKY | CheckResult.NO_NEW_FAILURES:
            return Verdict.VERIFIED
        case CheckResult.BASE_IS_RED | CheckResult.NOT_AVAILABLE:
            return Verdict.UNVERIFIED
        case CheckResult.FAILED | CheckResult.TIMED_OUT:
            return Verdict.REJECTED
        case _:
            assert_never(run.result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Run check commands on trees and judge them. Any number of threads may use one."""

    clock: Clock
    folder: Path
    """Holds the checks' run folders while they run, and what is known: ``known.json``."""
    environment: Mapping[str, str]
    """What checks inherit: already an allow-list."""
    checkouts: Callable[[str], AbstractContextManager[Path]]
    """Tree or commit to a clean, usable checkout's folder."""
    check_environment: Callable[[Path], Mapping[str, str]] = field(default=lambda _: {})
    """What a checkout at this folder needs besides, such as PYTHONPATH. Not part of what results are kept by."""
    tree_of: Callable[[str], str] = field(default=lambda tree_or_commit: tree_or_commit)
    """Tree of a tree or commit. With it, a landed union that was checked needs no new run as the next task's base."""
    limit_s: float = LIMIT_S
    silence_s: float = SILENCE_S
    confine: Callable[[tuple[str, ...], Path], Confined] = field(default=lambda argv, _: Confined(argv=argv))
    """Puts a check that runs in the folder into a sandbox: what it runs is an agent's work."""
    redact: Callable[[str], str] = field(default=lambda text: text)
    """Takes secrets out of what checks print, before it is kept."""
    start: Callable[[Spawn], Process] = field(default=Process.start)
    """Starts a check's minder."""
    stop_wished: Callable[[], bool] = field(default=lambda: False)
    """Asked twice a second while a check runs; true ends it, and the call raises CommandStopped."""
    has_room: Callable[[], bool] = field(default=lambda: True)
    """Asked after a check that did not pass, or was stopped, while a disk was full; false raises DiskFull, true runs it
    again."""

    def check(self, command: CheckCommand | None, *, tree: str, base: str | None) -> CheckRun:
        """Run *command* on *tree*, which grew from *base*, and say what it proves. *base* None: nothing to excuse it.

        Up to four runs: the tree twice, then the base, and the base again if it was known to pass.

        Raises:
            CommandStopped: `stop_wished` became true.
            WorkspaceProblem: a checkout could not be made.
            DiskFull: there is no room to run it, so that its failure would prove nothing.
        """
        if command is None:
            return _no_command(tree)
        if command.origin == "user":
            base = None
        known = self._known(command, tree)
        if known is not None and not known.fails:
            return _told(command, tree, CheckResult.PASSED, known.look, cached=True)
        first = self._look(command, tree)
        if first.end is End.PASSED:
            return _told(command, tree, CheckResult.PASSED, first)
        if first.end is not End.FAILED:
            return self._not_ended_well(command, tree, base, first)
        before = self._known(command, base) if base is not None else None
        if before is not None and before.fails:
            early = self._judge(command, first, first.names, before)
            if early[0] is CheckResult.NO_NEW_FAILURES:
                return _told(command, tree, *early)
        second = self._look(command, tree)
        repeated = _repeated(first, second)
        if second.end is End.PASSED or repeated == ():
            note = "Failed once, then passed on the same tree"
            return _told(command, tree, CheckResult.FLAKY, replace(first, exit_code=second.exit_code), note)
        if base is None:
            return _told(command, tree, CheckResult.FAILED, first)
        before = self._base(command, base)
        judged = self._judge(command, first, repeated, before)
        if judged[0] is CheckResult.FAILED and before.passes == 1 and not before.fails:
            self._look(command, base)  # one pass does not prove a steady base, and a wrong rejection is dear
            judged = self._judge(command, first, repeated, self._known(command, base) or before)
        return _told(command, tree, *judged)

    def again(self, command: CheckCommand, *, tree: str, base: str | None) -> CheckRun:
        """Run *command* on *tree* as `check` does, whatever is remembered of that tree: is it still true?

        Raises:
            CommandStopped: `stop_wished` became true.
            WorkspaceProblem: a checkout could not be made.
        """
        run = self.check(command, tree=tree, base=base)
        if not run.cached:
            return run
        look = self._look(command, tree)
        if look.end is End.PASSED:
            return _told(command, tree, CheckResult.PASSED, look)
        return self.check(command, tree=tree, base=base)  # a failure is remembered now, so nothing is taken from memory

    def passed_on(self, command: CheckCommand, tree: str) -> Look | None:
        """Return what *command* showed on *tree* within the last day; None when it is not known to pass there."""
        known = self._known(command, tree)
        return known.look if known is not None and not known.fails else None

    def try_out(self, command: CheckCommand, tree: str, *, limit_s: float) -> End:
        """Run *command* once on *tree*, for at most *limit_s* seconds: advice, not a judgement.

        Raises:
            CommandStopped, WorkspaceProblem: as `check`.
        """
        return replace(self, limit_s=min(limit_s, self.limit_s))._look(command, tree).end

    def base_health(self, command: CheckCommand | None, *, base: str) -> CheckRun:
        """Return how *command* does on the base before any work: run at most twice, kept.

        PASSED, FLAKY, BASE_IS_RED (with the failing tests, if they can be told), TIMED_OUT or NOT_AVAILABLE.

        Raises:
            CommandStopped: `stop_wished` became true.
            WorkspaceProblem: a checkout could not be made.
        """
        if command is None:
            return _no_command(base)
        cached = self._known(command, base)
        health = cached or self._base(command, base)
        if health.look.end is End.FAILED and health.passes + health.fails == 1:
            self._look(command, base)
            health = self._known(command, base) or health
        match health.look.end:
            case End.PASSED:
                result = CheckResult.PASSED
            case End.FAILED:
                result = CheckResult.FLAKY if health.passes else CheckResult.BASE_IS_RED
            case End.TIMED_OUT:
                result = CheckResult.TIMED_OUT
            case End.NOT_RUNNABLE | End.NO_TESTS:
                result = CheckResult.NOT_AVAILABLE
            case _:
                assert_never(health.look.end)
        return _told(command, base, result, replace(health.look, names=health.names), cached=cached is not None)

    def check_folder(self, command: CheckCommand | None, folder: Path) -> CheckRun:
        """Run *command* in *folder* as it is, for work without checkouts: no base, nothing kept, at most two runs.

        Where the command cannot be run at all or finds no tests, nobody can say since when: NOT_AVAILABLE.

        Raises:
            CommandStopped: `stop_wished` became true.
        """
        if command is None:
            return _no_command(None)
        first = self._run(command, folder)
        match first.end:
            case End.PASSED:
                return _told(command, None, CheckResult.PASSED, first)
            case End.TIMED_OUT:
                return _told(command, None, CheckResult.TIMED_OUT, first)
            case End.NOT_RUNNABLE | End.NO_TESTS:
                return _told(command, None, CheckResult.NOT_AVAILABLE, first)
            case End.FAILED:
                pass
            case _:
                assert_never(first.end)
        second = self._run(command, folder)
        if second.end is End.PASSED or _repeated(first, second) == ():
            note = "Failed once, then passed in the same folder"
            return _told(command, None, CheckResult.FLAKY, replace(first, exit_code=second.exit_code), note)
        return _told(command, None, CheckResult.FAILED, first)

    def _not_ended_well(self, command: CheckCommand, tree: str, base: str | None, look: Look) -> CheckRun:
        """Judge a check that gave no test results, by whether it gives any on the base."""
        same = base is not None and self._base(command, base).look.end is look.end
        if look.end is End.TIMED_OUT:
            result = CheckResult.BASE_IS_RED if same else CheckResult.TIMED_OUT
            note = "The check did not end on the base either" if same else ""
        else:
            result = CheckResult.NOT_AVAILABLE if same else CheckResult.FAILED
            note = "It is the same on the base: no check is available here" if same else ""
        return _told(command, tree, result, look, note)

    def _judge(
        self, command: CheckCommand, look: Look, failing: tuple[str, ...] | None, before: Record
    ) -> tuple[CheckResult, Look, str]:
        """Compare what fails with what is known of the base: the result, the look with new failures first, and why."""
        own = command.origin == "task"
        flaky = self._memory.flaky()
        if failing is not None:
            old = set(before.names or ()) | flaky
            new = [name for name in failing if name not in old]
            look = replace(look, names=(*new, *(name for name in failing if name in old)))
            if not new and not look.cut_short:
                if own:
                    return CheckResult.BASE_IS_RED, look, "It fails in the same tests as before the work"
                return CheckResult.NO_NEW_FAILURES, look, "It fails only in tests that fail without the work too"
        if not before.fails and before.look.end is End.PASSED:
            return CheckResult.FAILED, look, ""
        if own:
            return CheckResult.FAILED, look, "It fails on the base too, but this command is to accept the task"
        if before.look.end is not End.FAILED:
            return CheckResult.BASE_IS_RED, look, f"On the base it gave no result: {_first_line(before.look.tail)}"
        if before.names is None:
            return CheckResult.BASE_IS_RED, look, "It fails on the base too, and its output does not name the failures"
        if failing is None:
            return (
                CheckResult.FAILED,
                look,
                "On the base it names the tests that fail; with the work it does not get there",
            )
        if not new:
            return CheckResult.BASE_IS_RED, look, f"New failures cannot be excluded: {look.cut_short}"
        if before.look.cut_short and not set(before.names) <= set(failing):
            return CheckResult.BASE_IS_RED, look, f"On the base they may be hidden: {before.look.cut_short}"
        return CheckResult.FAILED, look, f"New failures: {', '.join(new[:20])}"

    @property
    def _memory(self) -> CheckMemory:
        environment = {**self.environment, **NON_INTERACTIVE}
        return CheckMemory(clock=self.clock, folder=self.folder, environment=environment)

    def _known(self, command: CheckCommand, tree: str) -> Record | None:
        return self._memory.known(command.command, self.tree_of(tree))

    def _base(self, command: CheckCommand, base: str) -> Record:
        known = self._known(command, base)
        if known is not None:
            return known
        look = self._look(command, base)
        return self._known(command, base) or record(look, None, 0)

    def _look(self, command: CheckCommand, tree: str) -> Look:
        """Run in a clean checkout of *tree*, and keep what it showed.

        One after which there is room as soon as what it left is gone has filled the disk itself. It is tried again; but
        after that it has failed, or it would stop the work of a whole night.
        """
        memory, of = self._memory, (command.command, self.tree_of(tree))
        while memory.filled(*of) < FILLS:
            began = False
            try:
                with self.checkouts(tree) as folder:
                    began = True
                    look = self._run(command, folder)
            except DiskFull:
                if not began or not self.has_room():
                    raise
                memory.note_filled(*of)
                if self.stop_wished():  # the run pauses, and knows of this when it goes on
                    raise
            else:
                if look.exit_code is not None and look.end in {End.PASSED, End.FAILED}:
                    memory.keep(*of, look)
                return look
        return _filling()

    def _run(self, command: CheckCommand, folder: Path) -> Look:
        """Run it; again where it failed while a disk was full. A check that fills the disk each time has failed."""
        for _ in range(TRIES_FOR_ROOM):
            try:
                ended = self._run_once(command, folder)
            except CommandStopped as error:
                if self.has_room():
                    raise
                raise DiskFull("a check was stopped while the disk was full", hint="free some space") from error
            if ended.exit_code == 0:
                break
            if (ended.lacked_room or tells_no_room(ended.output)) and not self.has_room():
                raise DiskFull("the disk was full while a check ran", hint="free some space and repeat")
            if not ended.lacked_room:
                break
        return _look_of(replace(ended, output=self.redact(ended.output)), folder, self.limit_s)

    def _run_once(self, command: CheckCommand, folder: Path) -> Ended:
        run_dirs = self.folder / "runs"
        end_abandoned(run_dirs)
        return run(
            command.command,
            folder,
            run_dirs=run_dirs,
            environment={**self.environment, **NON_INTERACTIVE, **self.check_environment(folder)},
            limits=Limits(
                wall_s=self.limit_s,
                silence_s=min(self.silence_s, self.limit_s),
                output_bytes=OUTPUT_BYTES,
                grace_s=min(2.0, self.limit_s),
            ),
            stop_wished=self.stop_wished,
            confine=lambda argv: self.confine(argv, folder),
            start=self.start,
        )


def _filling() -> Look:
    told = (
        f"The check filled the disk each of the {FILLS} times that it ran; there was room once its files were removed"
    )
    return Look(end=End.FAILED, exit_code=None, duration_ms=0, tail=told)


def _repeated(first: Look, second: Look) -> tuple[str, ...] | None:
    """Return the tests that failed in both runs; None when that cannot be told."""
    if first.names is None:
        return None
    if second.end is not End.FAILED or first.cut_short or second.cut_short:
        return first.names
    return None if second.names is None else tuple(name for name in first.names if name in second.names)


def _look_of(ended: Ended, folder: Path, limit_s: float) -> Look:
    """Return what an ended command showed. Paths into the checkout are cut, so that two checkouts can be compared."""
    output = clean(ended.output).replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    note, end = "", End.FAILED
    names, cut_short = None, ""
    if ended.why in {Why.WALL_CLOCK, Why.SILENCE}:
        end = End.TIMED_OUT
        within = f"within {_duration(limit_s)}" if ended.why is Why.WALL_CLOCK else "and had gone silent"
        note = f"The check did not end {within}; it was stopped"
        if _WATCHING.search(output[-TAIL_CHARACTERS:]):
            note += ". It seems to watch for changes: give a command that ends, such as `vitest run`"
    elif ended.why is Why.SPAWN_FAILED or ended.exit_code in {126, 127} or _NO_RUNNER.fullmatch(output.strip()):
        end = End.NOT_RUNNABLE
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "")
        note = f"The check command could not be run: {ended.error or last.strip()[:300]}"
    elif ended.why is not Why.EXITED:
        reason = "it printed too much" if ended.why is Why.OUTPUT_LIMIT else f"{ended.why or 'its minder vanished'}"
        note = f"The check was ended before its own end: {reason}"
    elif ended.exit_code == 0:
        end = End.PASSED
    elif found_no_tests(output, ended.exit_code):
        end, note = End.NO_TESTS, "The check found no tests to run"
    elif failures := read_failures(output):
        names = failures.names
        cut_short = failures.cut_short or ("" if ended.whole else "the start of its output was not kept")
    return Look(
        end=end,
        exit_code=ended.exit_code,
        duration_ms=ended.duration_ms,
        tail=_capped(note, output),
        names=names,
        cut_short=cut_short,
    )


def _told(
    command: CheckCommand, tree: str | None, result: CheckResult, look: Look, note: str = "", *, cached: bool = False
) -> CheckRun:
    return CheckRun(
        command=command.command,
        origin=command.origin,
        result=result,
        exit_code=look.exit_code,
        duration_ms=look.duration_ms,
        tail=_capped(note, look.tail),
        failures=look.names,
        tree=tree,
        cached=cached,
    )


def _no_command(tree: str | None) -> CheckRun:
    return CheckRun(
        command="",
        origin="project",
        result=CheckResult.NOT_AVAILABLE,
        exit_code=None,
        duration_ms=0,
        tail="There is no check command: neither the task nor the goal has one, and none was found in the project.",
        tree=tree,
    )


def _capped(note: str, output: str) -> str:
    """Return *note* as the first line and as much of the end of *output* as fits."""
    head = f"{note}.\n"[:TAIL_CHARACTERS] if note else ""
    room = TAIL_CHARACTERS - len(head)
    return head + output.rstrip()[-room:] if room else head


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:300].rstrip(".")


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:g} s"
