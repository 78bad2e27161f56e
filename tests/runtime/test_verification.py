import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import DiskFull
from agent_orchestrator.domain.evidence import CheckResult, CheckRun
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.task import Task, Verdict
from agent_orchestrator.runtime import commands
from agent_orchestrator.runtime.commands import CommandStopped
from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.run_dir import State, state
from agent_orchestrator.runtime.verification import CheckCommand, Verification, choose, verdict
from calling import wait_for
from runtime import trees

UNITTEST = f"{sys.executable} -m unittest"

SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on


def project(command: str) -> CheckCommand:
    return CheckCommand(command=command, origin="project")


def task(command: str) -> CheckCommand:
    return CheckCommand(command=command, origin="task")


@dataclass
class Repository:
    """A real one, and checkouts of it that are new folders."""

    root: Path
    asked_for: list[str] = field(default_factory=list)

    def git(self, *args: str) -> bytes:
        return subprocess.run(("git", *args), cwd=self.root, check=True, capture_output=True, timeout=120).stdout

    def tree(self, files: dict[str, str]) -> str:
        """Write *files* into a tree, and nothing else."""
        self.git("rm", "-rqf", "--cached", "--ignore-unmatch", ".")
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
            self.git("add", "-f", name)
        return self.git("write-tree").decode().strip()

    def commit(self, files: dict[str, str]) -> str:
        return self.git("commit-tree", "-m", "base", self.tree(files)).decode().strip()

    @contextmanager
    def checked_out(self, tree_or_commit: str) -> Iterator[Path]:
        self.asked_for.append(tree_or_commit)
        folder = self.root.parent / "checkouts" / str(len(self.asked_for))
        folder.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(self.git("archive", "--format=tar", tree_or_commit))) as archive:
            archive.extractall(folder, **SAFELY)
        yield folder


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.root.mkdir()
    made.git("init", "-q")
    return made


@pytest.fixture
def verification(tmp_path: Path, repository: Repository, clock: HandClock) -> Verification:
    return Verification(
        clock=clock,
        folder=tmp_path / "checks",
        environment={"PATH": os.environ["PATH"], "OUTSIDE": str(tmp_path)},
        checkouts=repository.checked_out,
        limit_s=60,
    )


def suite(**bodies: str) -> dict[str, str]:
    """Return a Python project whose tests are *bodies* by name."""
    tests = "\n".join(f"    def test_{name}(self):\n        {body}" for name, body in bodies.items())
    return {"test_it.py": f"import os, unittest\n\n\nclass T(unittest.TestCase):\n{tests}\n"}


def name(test: str) -> str:
    return f"test_{test} (test_it.T.test_{test})"


BAD = "self.fail('bad')"
FAILS_FIRST = "p = os.environ['OUTSIDE'] + '/seen'; seen = os.path.exists(p); open(p, 'w').close(); assert seen"
"""A flaky test: it fails once in this machine's life."""


def without_room(verification: Verification, *, room_again: bool) -> Verification:
    """Return it as on a disk that is full whenever a check runs, and has room after it or not."""
    return replace(
        verification,
        start=lambda spawn: Process.start(replace(spawn, reserve_bytes=1 << 60)),
        has_room=lambda: room_again,
    )


def test_a_check_that_fails_on_a_full_disk_judges_nothing_and_is_not_remembered(
    verification: Verification, repository: Repository
) -> None:
    tree = repository.tree(suite(a=FAILS_FIRST))

    with pytest.raises(DiskFull):
        without_room(verification, room_again=False).check(project(UNITTEST), tree=tree, base=None)

    run = verification.check(project(UNITTEST), tree=tree, base=None)
    assert (run.result, run.cached) == (CheckResult.PASSED, False)


def test_a_check_that_fails_on_a_disk_that_has_room_again_is_run_again(
    verification: Verification, repository: Repository
) -> None:
    tree = repository.tree(suite(a=FAILS_FIRST))

    run = without_room(verification, room_again=True).check(project(UNITTEST), tree=tree, base=None)

    assert run.result is CheckResult.PASSED


def test_a_check_that_finds_no_room_each_time_has_failed(verification: Verification, repository: Repository) -> None:
    tree = repository.tree(suite(a=BAD))

    run = without_room(verification, room_again=True).check(project(UNITTEST), tree=tree, base=None)

    assert (run.result, run.failures) == (CheckResult.FAILED, (name("a"),))


FILLS = "echo x >> $OUTSIDE/runs; false"


def filled_by_its_checkout(verification: Verification, repository: Repository) -> Verification:
    """Return it as on a disk that is full while there is a checkout for a check."""
    there = []

    @contextmanager
    def checkouts(tree: str) -> Iterator[Path]:
        with repository.checked_out(tree) as folder:
            there.append(folder)
            try:
                yield folder
            finally:
                there.remove(folder)

    full = without_room(verification, room_again=False)
    return replace(full, checkouts=checkouts, has_room=lambda: not there)


def test_a_check_that_fills_the_disk_each_time_has_failed_and_does_not_stop_the_night(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    filling = filled_by_its_checkout(verification, repository)

    run = filling.check(project(FILLS), tree=repository.tree({"a": ""}), base=None)

    assert run.result is CheckResult.FAILED
    assert run.tail.startswith("The check filled the disk each of the 2 times that it ran")
    assert (tmp_path / "runs").read_text() == "x\nx\n"
    other = verification.check(project("true"), tree=repository.tree({"b": ""}), base=None)
    assert other.result is CheckResult.PASSED


def test_a_checkout_that_finds_no_room_is_no_failure_of_a_check(
    verification: Verification, repository: Repository
) -> None:
    @contextmanager
    def checkouts(_: str) -> Iterator[Path]:
        raise DiskFull("no room for its dependencies")
        yield

    full = replace(verification, checkouts=checkouts)
    for _ in range(3):
        with pytest.raises(DiskFull):
            full.check(project("true"), tree=repository.tree({"a": ""}), base=None)


def test_a_check_that_is_stopped_because_it_fills_the_disk_is_known_for_that_when_the_run_goes_on(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    tree, runs = repository.tree({"a": ""}), tmp_path / "runs"
    paused = filled_by_its_checkout(verification, repository)
    paused = replace(paused, stop_wished=runs.exists)

    for _ in range(2):
        runs.unlink(missing_ok=True)
        with pytest.raises(DiskFull):
            paused.check(project("echo x > $OUTSIDE/runs; tail -f /dev/null"), tree=tree, base=None)

    runs.unlink()
    run = verification.check(project("echo x > $OUTSIDE/runs; tail -f /dev/null"), tree=tree, base=None)
    assert run.result is CheckResult.FAILED
    assert not runs.exists(), "it was not run again"


def test_a_runner_that_is_not_installed_judges_nothing(verification: Verification, repository: Repository) -> None:
    command = project(f"{sys.executable} -m no_such_runner -q")

    run = verification.check(command, tree=repository.tree(suite(a="pass")), base=repository.commit(suite()))

    assert run.result is CheckResult.NOT_AVAILABLE
    assert "No module named no_such_runner" in run.tail


def test_work_whose_check_passes_is_verified(verification: Verification, repository: Repository) -> None:
    tree = repository.tree(suite(a="pass"))

    run = verification.check(project(UNITTEST), tree=tree, base=None)

    assert (run.result, run.exit_code, run.tree, run.cached) == (CheckResult.PASSED, 0, tree, False)
    assert "Ran 1 test" in run.tail
    assert verdict(run) is Verdict.VERIFIED


def test_work_that_breaks_what_passed_on_the_base_is_rejected(
    verification: Verification, repository: Repository
) -> None:
    base, tree = repository.commit(suite(a="pass")), repository.tree(suite(a=BAD))

    run = verification.check(project(UNITTEST), tree=tree, base=base)

    assert (run.result, run.exit_code, run.failures) == (CheckResult.FAILED, 1, (name("a"),))
    assert "AssertionError: bad" in run.tail
    assert verdict(run) is Verdict.REJECTED


def test_the_users_own_checkout_is_not_what_is_checked(verification: Verification, repository: Repository) -> None:
    tree = repository.tree({"mine.py": "VALUE = 'broken'\n"} | suite(a="import mine; self.assertEqual(mine.VALUE, 1)"))
    (repository.root / "mine.py").write_text("VALUE = 1\n")

    assert verification.check(project(UNITTEST), tree=tree, base=None).result is CheckResult.FAILED


def test_a_failure_that_does_not_repeat_on_the_same_tree_is_flaky(
    verification: Verification, repository: Repository
) -> None:
    tree = repository.tree(suite(a=FAILS_FIRST))

    run = verification.check(project(UNITTEST), tree=tree, base=None)

    assert (run.result, run.failures) == (CheckResult.FLAKY, (name("a"),))
    assert verdict(run) is Verdict.VERIFIED


def test_what_the_first_run_left_behind_cannot_make_the_second_pass(
    verification: Verification, repository: Repository
) -> None:
    tree = repository.tree({"check.sh": "test -e generated && exit 0; touch generated; exit 1\n"})

    assert verification.check(project("sh check.sh"), tree=tree, base=None).result is CheckResult.FAILED


def test_honest_work_lands_on_a_red_base(verification: Verification, repository: Repository) -> None:
    base = repository.commit(suite(old=BAD))
    tree = repository.tree(suite(old=BAD, new="pass"))

    run = verification.check(project(UNITTEST), tree=tree, base=base)

    assert (run.result, run.exit_code, run.failures) == (CheckResult.NO_NEW_FAILURES, 1, (name("old"),))
    assert verdict(run) is Verdict.VERIFIED


def test_a_new_failure_on_a_red_base_is_rejected_and_named_first(
    verification: Verification, repository: Repository
) -> None:
    base = repository.commit(suite(a=BAD, z="pass"))
    tree = repository.tree(suite(a=BAD, z=BAD))

    run = verification.check(project(UNITTEST), tree=tree, base=base)

    assert (run.result, run.failures) == (CheckResult.FAILED, (name("z"), name("a")))
    assert run.tail.startswith(f"New failures: {name('z')}.\n")


def test_a_red_base_whose_failures_have_no_names_leaves_work_unverified(
    verification: Verification, repository: Repository
) -> None:
    base = repository.commit({"check.sh": "echo it is broken; exit 3\n"})
    tree = repository.tree({"check.sh": "echo it is broken; exit 3\n", "new": ""})

    run = verification.check(project("sh check.sh"), tree=tree, base=base)

    assert (run.result, run.exit_code, run.failures) == (CheckResult.BASE_IS_RED, 3, None)
    assert verdict(run) is Verdict.UNVERIFIED


def test_work_after_which_the_runner_names_nothing_any_more_is_rejected(
    verification: Verification, repository: Repository
) -> None:
    base = repository.commit(suite(old=BAD))
    tree = repository.tree(suite(old="os._exit(9)"))

    assert verification.check(project(UNITTEST), tree=tree, base=base).result is CheckResult.FAILED


def test_a_run_that_stops_early_does_not_prove_the_absence_of_new_failures(
    verification: Verification, repository: Repository
) -> None:
    summary = (
        "== short test summary info ==\\nFAILED t.py::old - x\\n!!! stopping after 1 failures !!!\\n1 failed in 0.1s"
    )
    script = f"printf '{summary}\\n'; exit 1\n"
    base, tree = repository.commit({"check.sh": script}), repository.tree({"check.sh": script, "new": ""})

    run = verification.check(project("sh check.sh"), tree=tree, base=base)

    assert (run.result, run.failures) == (CheckResult.BASE_IS_RED, ("t.py::old",))
    assert "stopping after 1 failures" in run.tail.partition("\n")[0]


def test_a_test_that_was_repaired_may_not_be_broken_again(verification: Verification, repository: Repository) -> None:
    red, green = repository.commit(suite(a=BAD)), repository.commit(suite(a="pass"))
    verification.base_health(project(UNITTEST), base=red)

    run = verification.check(project(UNITTEST), tree=repository.tree(suite(a=BAD, b="pass")), base=green)

    assert (run.result, run.failures) == (CheckResult.FAILED, (name("a"),))


def test_a_test_that_is_flaky_on_the_base_does_not_reject_honest_work(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    base = repository.commit(suite(a=FAILS_FIRST))
    assert verification.base_health(project(UNITTEST), base=base).result is CheckResult.FLAKY
    later = repository.commit(suite(a="pass", b="pass"))
    tree = repository.tree(suite(a=BAD, b="pass", c="pass"))

    run = verification.check(project(UNITTEST), tree=tree, base=later)

    assert (run.result, run.failures) == (CheckResult.NO_NEW_FAILURES, (name("a"),))


def test_a_base_that_only_seemed_steady_is_looked_at_again_before_work_is_rejected(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    fails_after_first = FAILS_FIRST.replace("assert seen", "assert not seen")
    base = repository.commit(suite(a=fails_after_first))
    assert verification.base_health(project(UNITTEST), base=base).result is CheckResult.PASSED

    run = verification.check(project(UNITTEST), tree=repository.tree(suite(a=BAD, b="pass")), base=base)

    assert run.result is CheckResult.NO_NEW_FAILURES


def test_the_acceptance_of_a_task_that_is_not_done_is_not_excused_by_its_base(
    verification: Verification, repository: Repository
) -> None:
    base = repository.commit({"check.sh": "exit 1\n"})
    tree = repository.tree({"check.sh": "exit 1\n", "new": ""})

    assert verification.check(task("sh check.sh"), tree=tree, base=base).result is CheckResult.FAILED


def test_equal_failures_of_a_tasks_own_check_are_told_and_not_called_verified(
    verification: Verification, repository: Repository
) -> None:
    base, tree = repository.commit(suite(a=BAD)), repository.tree(suite(a=BAD, b="pass"))

    run = verification.check(task(UNITTEST), tree=tree, base=base)

    assert verdict(run) is Verdict.UNVERIFIED
    assert "same tests as before the work" in run.tail


def test_a_pass_is_not_repeated_for_the_same_tree_command_and_environment(
    verification: Verification, repository: Repository, tmp_path: Path, clock: HandClock
) -> None:
    tree, other = repository.tree({"a": ""}), repository.tree({"b": ""})
    command = project('echo run >> "$OUTSIDE/runs"')

    def runs() -> int:
        return len((tmp_path / "runs").read_text().splitlines())

    first = verification.check(command, tree=tree, base=None)
    again = verification.check(command, tree=tree, base=None)
    assert (first.cached, again.cached, again.result, runs()) == (False, True, CheckResult.PASSED, 1)

    verification.check(command, tree=other, base=None)
    assert runs() == 2
    verification.check(project(command.command + " "), tree=tree, base=None)
    assert runs() == 3
    elsewhere = replace(verification, environment={**verification.environment, "MORE": "1"})
    elsewhere.check(command, tree=tree, base=None)
    assert runs() == 4
    clock.advance(timedelta(hours=25))
    verification.check(command, tree=tree, base=None)
    assert runs() == 5


def test_a_failure_is_never_answered_from_memory(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    tree = repository.tree({"a": ""})
    command = project('test -e "$OUTSIDE/mended"')
    assert verification.check(command, tree=tree, base=None).result is CheckResult.FAILED

    (tmp_path / "mended").touch()

    run = verification.check(command, tree=tree, base=None)
    assert (run.result, run.cached) == (CheckResult.PASSED, False)


def test_the_base_is_run_once_for_many_tasks(verification: Verification, repository: Repository) -> None:
    base = repository.commit(suite(old=BAD))
    health = verification.base_health(project(UNITTEST), base=base)
    assert (health.result, health.failures) == (CheckResult.BASE_IS_RED, (name("old"),))

    for number in range(3):
        tree = repository.tree({"new": str(number)} | suite(old=BAD))
        assert verification.check(project(UNITTEST), tree=tree, base=base).result is CheckResult.NO_NEW_FAILURES

    assert repository.asked_for.count(base) == 2
    assert verification.base_health(project(UNITTEST), base=base).cached


def test_memory_that_cannot_be_read_is_forgotten(verification: Verification, repository: Repository) -> None:
    tree = repository.tree({"a": ""})
    verification.folder.mkdir()
    for garbage in (b"{", b"[]", b'{"records": 3}', b"\xff\x00"):
        (verification.folder / "known.json").write_bytes(garbage)
        assert verification.check(project("true"), tree=tree, base=None).cached is False
    assert verification.check(project("true"), tree=tree, base=None).cached is True


def test_a_landed_union_that_was_checked_is_known_as_the_next_base(
    verification: Verification, repository: Repository
) -> None:
    start, tree = repository.commit(suite(old=BAD)), repository.tree({"a": ""} | suite(old=BAD))
    knowing = replace(verification, tree_of=lambda it: repository.git("rev-parse", it + "^{tree}").decode().strip())
    knowing.check(project(UNITTEST), tree=tree, base=start)
    landed = repository.git("commit-tree", "-m", "landed", tree).decode().strip()

    run = knowing.check(project(UNITTEST), tree=repository.tree({"b": ""} | suite(old=BAD)), base=landed)

    assert run.result is CheckResult.NO_NEW_FAILURES
    assert landed not in repository.asked_for


@pytest.mark.parametrize(
    "script",
    [
        "echo Waiting for file changes...; tail -f /dev/null",
        "trap '' TERM; while :; do sleep 0.05; done",
        f"{sys.executable} -I -S {trees.__file__} setsid_child $OUTSIDE/witness",
        f"{sys.executable} -I -S {trees.__file__} daemon_without_environment $OUTSIDE/witness",
    ],
)
def test_a_check_that_never_ends_is_ended_and_leaves_no_process(
    verification: Verification, repository: Repository, witness: Path, script: str
) -> None:
    tree = repository.tree({"a": ""})
    script = f"echo $$ > $OUTSIDE/shell; {script}; true"

    run = replace(verification, limit_s=1.5).check(project(script), tree=tree, base=None)

    assert (run.result, run.exit_code) == (CheckResult.TIMED_OUT, None)
    assert run.tail.startswith("The check did not end within 1.5 s")
    assert ("watch for changes" in run.tail) == ("Waiting" in script)
    assert verdict(run) is Verdict.REJECTED
    assert trees.living(witness) == []
    assert trees.start_time(int((witness.parent / "shell").read_text())) is None
    assert list((verification.folder / "runs").iterdir()) == []


def test_a_check_gone_silent_is_ended_before_its_limit(verification: Verification, repository: Repository) -> None:
    tree = repository.tree({"a": ""})

    run = replace(verification, silence_s=1).check(project("echo ready; tail -f /dev/null"), tree=tree, base=None)

    assert run.result is CheckResult.TIMED_OUT
    assert "silent" in run.tail


def test_a_check_that_does_not_end_on_the_base_either_rejects_nobody_and_is_not_kept(
    verification: Verification, repository: Repository
) -> None:
    base, tree = repository.commit({"a": ""}), repository.tree({"b": ""})
    hasty = replace(verification, limit_s=1)

    run = hasty.check(project("tail -f /dev/null"), tree=tree, base=base)

    assert run.result is CheckResult.BASE_IS_RED
    assert "did not end on the base either" in run.tail
    assert hasty.base_health(project("tail -f /dev/null"), base=base).result is CheckResult.TIMED_OUT
    assert repository.asked_for == [tree, base, base]


def test_a_check_that_reads_its_input_ends(verification: Verification, repository: Repository) -> None:
    run = verification.check(project("cat; echo over"), tree=repository.tree({"a": ""}), base=None)

    assert (run.result, run.tail) == (CheckResult.PASSED, "over")


def test_a_daemon_that_a_passing_check_leaves_behind_is_gone(
    verification: Verification, repository: Repository, witness: Path
) -> None:
    daemon = f"{sys.executable} -I -S {trees.__file__} main_exits_daemon_stays {witness}"
    wait = f"until test $(cat {witness} | wc -l) -ge 2; do sleep 0.02; done"

    run = verification.check(project(f"{daemon}; {wait}; true"), tree=repository.tree({"a": ""}), base=None)

    assert run.result is CheckResult.PASSED
    assert len(trees.witnessed(witness)) >= 2
    assert trees.living(witness) == []


def test_output_is_kept_in_order_cleaned_and_bounded(verification: Verification, repository: Repository) -> None:
    tree = repository.tree({"a": ""})
    ordered = verification.check(project("echo 1; echo 2 >&2; echo 3"), tree=tree, base=None)
    assert ordered.tail == "1\n2\n3"

    garbage = "head -c 20000000 /dev/urandom; printf '\\033]0;title\\007\\033[2Jend\\n'; exit 1"
    run = verification.check(project(garbage), tree=tree, base=None)

    assert run.result is CheckResult.FAILED
    assert run.tail.endswith("end")
    assert len(run.tail) <= 8_000
    assert not {"\x1b", "\x00", "\x07", "\x9b"} & set(run.tail)


def test_a_command_that_cannot_be_run_is_told_clearly(verification: Verification, repository: Repository) -> None:
    tree = repository.tree({"a": ""})
    base = repository.commit({"check": "#!/bin/sh\nexit 0\n"})

    missing = verification.check(project("sh check || no-such-command-here"), tree=tree, base=base)
    assert (missing.result, missing.exit_code) == (CheckResult.FAILED, 127)
    assert missing.tail.startswith("The check command could not be run: ")
    assert "no-such-command-here" in missing.tail.partition("\n")[0]

    nowhere = verification.check(project("no-such-command-here"), tree=tree, base=base)
    assert nowhere.result is CheckResult.NOT_AVAILABLE
    assert verdict(nowhere) is Verdict.UNVERIFIED


def test_no_tests_are_no_check_unless_the_base_had_some(verification: Verification, repository: Repository) -> None:
    script = "test -e tests || { echo 'no tests ran in 0.01s'; exit 5; }"
    without, more = repository.commit({"a": ""}), repository.tree({"b": ""})
    with_tests = repository.commit({"tests": ""})

    assert verification.check(project(script), tree=more, base=without).result is CheckResult.NOT_AVAILABLE
    assert verification.check(project(script), tree=more, base=with_tests).result is CheckResult.FAILED


def test_without_a_command_nothing_is_run_and_nothing_is_claimed(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    runs = [
        verification.check(None, tree="t", base="b"),
        verification.base_health(None, base="b"),
        verification.check_folder(None, tmp_path),
    ]

    assert {run.result for run in runs} == {CheckResult.NOT_AVAILABLE}
    assert repository.asked_for == []


def test_a_shared_folder_is_checked_as_it_is(verification: Verification, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()

    def result(command: str) -> CheckResult:
        return verification.check_folder(project(command), folder).result

    assert result("touch made") is CheckResult.PASSED
    assert (folder / "made").exists()
    assert result("exit 1") is CheckResult.FAILED
    assert result("test -e seen || { touch seen; exit 1; }") is CheckResult.FLAKY
    assert result("no-such-command-here") is CheckResult.NOT_AVAILABLE


def test_a_check_sees_what_it_is_given_and_that_nobody_is_there(
    verification: Verification, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    given = replace(verification, check_environment=lambda folder: {"PYTHONPATH": str(folder)})
    command = 'test "$CI" = 1 && test -z "$SECRET" && test "$PYTHONPATH" = "$PWD"'

    assert given.check(project(command), tree=repository.tree({"a": ""}), base=None).result is CheckResult.PASSED


def test_a_wish_to_stop_ends_the_check_and_its_processes(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    stopping = replace(verification, stop_wished=lambda: pid.exists() and pid.read_text().strip() != "")

    with pytest.raises(CommandStopped):
        stopping.check(project(f"echo $$ > {pid}; tail -f /dev/null"), tree=repository.tree({"a": ""}), base=None)

    assert trees.start_time(int(pid.read_text())) is None
    assert list((verification.folder / "runs").iterdir()) == []


def test_a_check_whose_owner_died_is_ended_before_the_next_begins(
    verification: Verification, repository: Repository, tmp_path: Path
) -> None:
    run_dir = verification.folder / "runs" / "of-a-dead-owner"
    run_dir.mkdir(parents=True)
    (run_dir / "owner").touch()
    spawn = Spawn(
        run_dir=run_dir,
        run_id=f"{tmp_path}-abandoned",
        argv=("/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; tail -f /dev/null"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        limits=Limits(wall_s=60, grace_s=0),
    )
    with Process.start(spawn):
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        assert state(run_dir) is State.RUNNING

        verification.check(project("true"), tree=repository.tree({"a": ""}), base=None)

        assert trees.start_time(int((tmp_path / "pid").read_text())) is None
        assert not run_dir.exists()


def test_a_check_of_a_living_owner_is_left_alone(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs" / "one"
    run_dir.mkdir(parents=True)

    with commands.owned(run_dir):
        commands.end_abandoned(tmp_path / "runs")
        assert run_dir.exists()
    commands.end_abandoned(tmp_path / "runs")
    assert not run_dir.exists()


@pytest.mark.parametrize(
    ("own", "source", "goals", "detected", "chosen"),
    [
        (None, "single", None, None, None),
        (None, "single", None, "pytest", ("pytest", "project")),
        (None, "rules", "make test", "pytest", ("make test", "goal")),
        ("sh accept.sh", "rules", "make test", "pytest", ("sh accept.sh", "task")),
        (" pytest ", "rules", "make test", "pytest", ("pytest", "project")),
        ("make test", "rules", "make test", "pytest", ("make test", "goal")),
        ("  ", "single", " ", "pytest", ("pytest", "project")),
        ("sh accept.sh", "single", None, "pytest", ("sh accept.sh", "user")),
        (" pytest ", "single", None, "pytest", ("pytest", "user")),
    ],
)
def test_the_nearest_command_is_chosen_and_its_origin_is_told(
    own: str | None, source: str, goals: str | None, detected: str | None, chosen: tuple[str, str] | None
) -> None:
    goal = Goal(id=GoalId("g1"), text="x", title="x", verify=goals, source=source)
    work = Task(id=TaskId("t1"), goal=goal.id, key="x", title="x", description="", specialist="x", verify=own)

    command = choose(work, goal, detected)

    assert (command and (command.command, command.origin)) == chosen


def test_every_result_has_a_verdict() -> None:
    run = CheckRun(command="x", origin="project", result=CheckResult.PASSED, exit_code=0, duration_ms=0, tail="")

    accepted = {result for result in CheckResult if verdict(replace(run, result=result)) is Verdict.VERIFIED}

    assert accepted == {CheckResult.PASSED, CheckResult.FLAKY, CheckResult.NO_NEW_FAILURES}
