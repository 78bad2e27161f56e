"""Verbs that change something are killed at each of their durable steps; asked again, they do what they should."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from calling import Caller, wait_for

from .conftest import Begin, job
from .forked import Forks
from .starting import Start

MOST_STEPS = 80
pytestmark = pytest.mark.timeout(900)  # some fifty times kill, mend and judge
WORK = "write work.txt work"
AT_ONCE = "0.0001m"
"""Shorter than any command takes, so that what ended before it is old enough."""


@pytest.fixture
def project(begin: Begin, forks: Forks) -> Caller:
    """One goal that is delivered, and one whose task failed: its work is on no branch and in a checkpoint."""
    project = begin()
    project.forks = forks
    project("submit", job("good", WORK), "--verify", "true")
    project("submit", job("bad", "write bad.txt bad"), "--verify", "false", "--max-attempts", "1")
    assert project("run").code == 6
    listed = project.git("branch", "--format=%(refname:short)").splitlines()
    project.git("branch", "-D", *(name for name in listed if name[-1].isdigit()))
    return project


def killed_at_every_step(project: Caller, tmp_path: Path, words: tuple[str, ...], judge: Callable[[], None]) -> int:
    """Kill the command at its first step, at its second, and so on, each from the same start; return how many."""
    start = Start(project.folder, tmp_path / "state")
    for step in range(1, MOST_STEPS):
        start.put_back()
        ended = project.killed_at(step, *words)
        if ended.code != -signal.SIGKILL:
            assert ended.code in {0, 3}, ended.err
            return step - 1
        try:
            judge()
        except AssertionError as error:
            raise AssertionError(f"{' '.join(words)}: {ended.err[-200:]}: {error}") from error
    raise AssertionError("it has more steps than anybody thought")


def test_a_cleanup_that_was_killed_is_finished_by_the_next_and_loses_no_work(project: Caller, tmp_path: Path) -> None:
    def judge() -> None:
        cleaned = project("cleanup", "--older-than", AT_ONCE, "--yes")
        assert cleaned.code in {0, 3}, cleaned.err
        assert not list((tmp_path / "state").rglob("checkouts/*")), cleaned.out + cleaned.err
        shutil.rmtree(tmp_path / "back", ignore_errors=True)
        assert project("restore", "bad", "--into", str(tmp_path / "back")).code == 0
        assert (tmp_path / "back" / "bad.txt").read_text() == "bad\n"
        assert (project.folder / "work.txt").read_text() == "work\n"

    assert killed_at_every_step(project, tmp_path, ("cleanup", "--older-than", AT_ONCE, "--yes"), judge) > 10


def test_a_restore_that_was_killed_can_be_asked_for_again(project: Caller, tmp_path: Path) -> None:
    head = project.git("rev-parse", "HEAD")

    def judge() -> None:
        (put,) = project("restore", "bad", "--json").json["restored"]
        assert project.git("show", f"{put['branch']}:bad.txt") == "bad"
        assert (project.git("rev-parse", "HEAD"), project.git("status", "--porcelain")) == (head, "")

    assert killed_at_every_step(project, tmp_path, ("restore", "bad"), judge) > 2


def test_an_undo_that_was_killed_is_finished_by_the_next(project: Caller, tmp_path: Path) -> None:
    goal = project("task", "good", "--json").json["goal"]

    def judge() -> None:
        assert project("undo", goal).code in {0, 5}
        report = project("report", goal, "--json").json
        assert report["delivery"] == "undone", report["delivery_note"]
        assert not (project.folder / "work.txt").exists()
        assert project.git("status", "--porcelain") == ""

    assert killed_at_every_step(project, tmp_path, ("undo", goal), judge) > 1


def test_a_rejection_that_was_killed_is_finished_by_the_next(project: Caller, tmp_path: Path) -> None:
    goal = project("task", "good", "--json").json["goal"]

    def judge() -> None:
        assert project("review", "good", "--reject").code in {0, 5}
        assert project("task", "good", "--json").json["state"] == "ready"
        assert not (project.folder / "work.txt").exists()
        assert project.git("status", "--porcelain") == ""
        result = project("report", goal, "--json").json["result_branch"]
        assert project.git("rev-parse", "main") == project.git("rev-parse", result)

    assert killed_at_every_step(project, tmp_path, ("review", "good", "--reject"), judge) > 3


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_a_retry_or_cancel_that_was_killed_can_be_asked_for_again(project: Caller, tmp_path: Path, verb: str) -> None:
    wanted = {"retry": {"ready", "blocked"}, "cancel": {"cancelled"}}[verb]
    if verb == "cancel":
        project("retry", "bad")

    def judge() -> None:
        assert project(verb, "bad").code in {0, 5}
        assert project("task", "bad", "--json").json["state"] in wanted

    assert killed_at_every_step(project, tmp_path, (verb, "bad"), judge) >= 2


def test_a_submit_that_was_killed_added_the_whole_task_or_nothing(project: Caller, tmp_path: Path) -> None:
    def judge() -> None:
        added = [one for one in project("status", "--json").json["goals"] if one["title"] == "more"]
        assert len(added) <= 1
        for goal in added:
            (task,) = project("report", goal["id"], "--json").json["tasks"]
            assert task["state"] == "ready"
        assert project("run").code in {0, 3}
        assert (project.folder / "more.txt").exists() == bool(added)

    assert (
        killed_at_every_step(
            project, tmp_path, ("submit", job("more", "write more.txt more"), "--verify", "true"), judge
        )
        >= 2
    )


SLOW_CLAUDE = """#!/bin/sh
case $1 in --version) echo "2.1.329 (Claude Code)"; exit 0;; esac
echo $$ > "{began}.new"; mv "{began}.new" "{began}"
exec sleep 600
"""


def test_a_planner_whose_asker_was_killed_is_ended_because_nobody_would_read_its_answer(
    begin: Begin, tmp_path: Path
) -> None:
    project = begin()
    began, bin_folder = tmp_path / "began", tmp_path / "slow"
    bin_folder.mkdir()
    (bin_folder / "claude").write_text(SLOW_CLAUDE.format(began=began))
    (bin_folder / "claude").chmod(0o755)
    environ = {**project.environ, "PATH": f"{bin_folder}:{project.environ['PATH']}", "ANTHROPIC_API_KEY": "made-up"}
    words = project.argv(
        "plan", "Add a health check endpoint and a page that shows it", "--planner", "claude", "--json"
    )
    with (tmp_path / "said").open("wb") as said:
        asker = subprocess.Popen(words, cwd=project.folder, env=environ, stdin=subprocess.DEVNULL, stdout=said)
    wait_for(lambda: began.exists() or asker.poll() is not None)
    planner = int(began.read_text())

    asker.kill()
    asker.wait()

    wait_for(lambda: not Path(f"/proc/{planner}").exists())
