"""Verbs that change something are killed at their durable steps; asked again, they do what they should.

With ORCHESTRATE_EVERY_STEP at each of them; without at the first six and every fifth.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from calling import Caller

from .conftest import Begin, job
from .test_crashes import EVERY_STEP, KILLED_AT

MOST_STEPS = 80
STEPS = [step for step in range(1, MOST_STEPS) if os.environ.get(EVERY_STEP) or step <= 6 or step % 5 == 0]
pytestmark = pytest.mark.timeout(600)  # some twenty times kill, mend and judge
WORK = "write work.txt work"
AT_ONCE = "0.0001m"
"""Shorter than any command takes, so that what ended before it is old enough."""


@pytest.fixture
def project(begin: Begin) -> Caller:
    """One goal that is delivered, and one whose task failed: its work is on no branch and in a checkpoint."""
    project = begin()
    project("submit", job("good", WORK), "--verify", "true")
    project("submit", job("bad", "write bad.txt bad"), "--verify", "false", "--max-attempts", "1")
    assert project("run").code == 6
    listed = project.git("branch", "--format=%(refname:short)").splitlines()
    project.git("branch", "-D", *(name for name in listed if name[-1].isdigit()))
    return project


def copied(start: Path, to: Path) -> None:
    bell = shutil.ignore_patterns("bell")  # a pipe, made anew by whoever listens
    shutil.copytree(start, to, symlinks=True, ignore=bell)


def killed_at_every_step(project: Caller, tmp_path: Path, words: tuple[str, ...], judge: Callable[[], None]) -> int:
    """Kill the command at its first step, at its second, and so on, each from the same start; return about how many."""
    places = [project.folder, tmp_path / "state"]
    for place in places:
        copied(place, place.with_name(f"{place.name}.before"))
    for step in STEPS:
        for place in places:
            shutil.rmtree(place)
            copied(place.with_name(f"{place.name}.before"), place)
        ended = subprocess.run(
            [sys.executable, str(KILLED_AT), str(step), *words],
            cwd=project.folder,
            env=project.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        if ended.returncode != -signal.SIGKILL:
            assert ended.returncode in {0, 3}, ended.stderr
            return step - 1
        try:
            judge()
        except AssertionError as error:
            raise AssertionError(f"{' '.join(words)}: {ended.stderr.decode()[-200:]}: {error}") from error
    raise AssertionError("it has more steps than anybody thought")


def test_cleanup(project: Caller, tmp_path: Path) -> None:
    def judge() -> None:
        cleaned = project("cleanup", "--older-than", AT_ONCE, "--yes")
        assert cleaned.code in {0, 3}, cleaned.err
        assert not list((tmp_path / "state").rglob("checkouts/*")), cleaned.out + cleaned.err
        shutil.rmtree(tmp_path / "back", ignore_errors=True)
        assert project("restore", "bad", "--into", str(tmp_path / "back")).code == 0
        assert (tmp_path / "back" / "bad.txt").read_text() == "bad\n"
        assert (project.folder / "work.txt").read_text() == "work\n"

    assert killed_at_every_step(project, tmp_path, ("cleanup", "--older-than", AT_ONCE, "--yes"), judge) > 10


def test_restore(project: Caller, tmp_path: Path) -> None:
    head = project.git("rev-parse", "HEAD")

    def judge() -> None:
        (put,) = project("restore", "bad", "--json").json["restored"]
        assert project.git("show", f"{put['branch']}:bad.txt") == "bad"
        assert (project.git("rev-parse", "HEAD"), project.git("status", "--porcelain")) == (head, "")

    assert killed_at_every_step(project, tmp_path, ("restore", "bad"), judge) > 2


def test_undo(project: Caller, tmp_path: Path) -> None:
    goal = project("task", "good", "--json").json["goal"]

    def judge() -> None:
        assert project("undo", goal).code in {0, 5}
        report = project("report", goal, "--json").json
        assert report["delivery"] == "undone", report["delivery_note"]
        assert not (project.folder / "work.txt").exists()
        assert project.git("status", "--porcelain") == ""

    assert killed_at_every_step(project, tmp_path, ("undo", goal), judge) > 1


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_a_wish(project: Caller, tmp_path: Path, verb: str) -> None:
    wanted = {"retry": {"ready", "blocked"}, "cancel": {"cancelled"}}[verb]
    if verb == "cancel":
        project("retry", "bad")

    def judge() -> None:
        assert project(verb, "bad").code in {0, 5}
        assert project("task", "bad", "--json").json["state"] in wanted

    assert killed_at_every_step(project, tmp_path, (verb, "bad"), judge) >= 2


def test_submit(project: Caller, tmp_path: Path) -> None:
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
