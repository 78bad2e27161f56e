"""A night from the outside: who is told what, the machine kept awake, and a suspend in the middle."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.runtime.running import Ran
from calling import Caller, wait_for

from .conftest import Begin, job

TELL = "cat >> {0}; echo >> {0}"


def told(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines() if line] if file.exists() else []


def inhibitor(tmp_path: Path, project: Caller) -> Path:
    """Put an inhibitor on PATH that grants everything; return the file in which it says when it began and ended."""
    folder, said = tmp_path / "tools", tmp_path / "inhibited"
    folder.mkdir()
    script = folder / "systemd-inhibit"
    script.write_text(f"#!/bin/sh\ntrap '' TERM\necho began >> {said}\ncat\necho ended >> {said}\n")
    script.chmod(0o755)
    project.environ["PATH"] = f"{folder}:{project.environ['PATH']}"
    return said


def test_a_run_tells_what_finished_and_what_needs_somebody_once_before_it_ends(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    notices = tmp_path / "notices"
    project.environ["ORCHESTRATE_NOTIFY_COMMAND"] = TELL.format(notices)
    good = project("submit", job("good", "write a.txt a"), "--json").json["goal"]["id"]
    bad = project("submit", job("bad", "exit 1"), "--max-attempts", "1", "--json").json["goal"]["id"]

    assert project("run").code == 6

    found = {one["goal"]: one for one in told(notices)}
    assert {goal: one["kind"] for goal, one in found.items()} == {good: "finished", bad: "needs_you"}
    assert found[good]["command"] == f"orchestrate report {good}"
    assert len(told(notices)) == 2
    assert project("retry", project("report", bad, "--json").json["tasks"][0]["id"]).code == 0
    assert project("run").code == 6
    assert [one["goal"] for one in told(notices)].count(bad) == 2, "a retried failure is news"


@pytest.mark.parametrize("words", [("--no-wait",), ("--budget", "0.2")], ids=["limit", "budget"])
def test_a_run_that_a_limit_or_a_budget_has_stopped_tells_it_once(
    begin: Begin, tmp_path: Path, words: tuple[str, ...]
) -> None:
    project = begin()
    notices = tmp_path / "notices"
    project.environ["ORCHESTRATE_NOTIFY_COMMAND"] = TELL.format(notices)
    project.environ["ORCHESTRATE_ATTEMPT_BUDGET"] = "1"  # more than the run's, so that not even one starts
    project("submit", job("job", "limit You've hit your usage limit. Try again in 1 hours 5 minutes."))

    assert project("run", *words).code == 7
    assert project("run", *words).code == 7

    assert {one["kind"] for one in told(notices)} == {"stopped"}
    assert len(told(notices)) == (1 if words == ("--no-wait",) else 2), "a reset once, a budget in each run"


def test_nobody_is_told_that_a_budget_has_stopped_what_is_at_its_checks_and_ends_well(
    begin: Begin, tmp_path: Path
) -> None:
    project = begin()
    notices = tmp_path / "notices"
    project.environ["ORCHESTRATE_NOTIFY_COMMAND"] = TELL.format(notices)
    project("submit", job("only", "write a.txt a\nsleep 2"), "--verify", "sleep 3", "--budget", "1m")

    ran = project("run", timeout_s=120)

    assert ran.code == 0, ran.err
    assert "no new starts" not in ran.err, "there was nothing to start"
    assert [one["kind"] for one in told(notices)] == ["finished"]


def test_the_end_of_time_is_told_when_the_work_has_ended_not_while_it_may_still_be_finished(begin: Begin) -> None:
    project = begin()
    project.environ["ORCHESTRATE_NOTIFY_COMMAND"] = "cat"
    project("submit", job("endless", "hang"))
    project("submit", job("later", "write a.txt a"))

    assert project("run", "--max-agents", "1", "--for", "16s", timeout_s=120).code == 7

    log = [json.loads(one) for one in project("events", "-n", "1000", "--json").out.splitlines()]
    (said,) = [one["seq"] for one in log if one["type"] == "notice.due"]
    assert said > max(one["seq"] for one in log if one["type"] == "attempt.cancelled")


def test_a_notice_that_cannot_be_sent_costs_the_run_nothing_and_is_in_the_log(begin: Begin) -> None:
    project = begin()
    project.environ["ORCHESTRATE_NOTIFY_WEBHOOK"] = "http://127.0.0.1:1/"
    project("submit", job("good", "write a.txt a"))

    ran = project("run")

    assert ran.code == 0 and "a notice could not be sent (notify_webhook)" in ran.err
    (failed,) = [json.loads(line) for line in project("events", "--type", "notice.failed", "--json").out.splitlines()]
    assert failed["data"]["sink"] == "notify_webhook"


def test_the_machine_is_kept_awake_while_there_is_work_and_no_longer(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    said = inhibitor(tmp_path, project)
    project("submit", job("good", f"wait_for {said}\nwrite a.txt a"))

    assert project("run").code == 0

    wait_for(lambda: "ended" in said.read_text())
    assert said.read_text().split() == ["began", "ended"]
    said.unlink()
    project("submit", job("again", "write b.txt b"))
    assert project("run", ORCHESTRATE_KEEP_AWAKE="false").code == 0
    assert not said.exists()


@dataclass
class Night:
    """A run in a thread of this process, under a clock moved by hand."""

    clock: HandClock
    looking: App
    """Sees the project as another process does."""
    run: threading.Thread
    ended: list[Ran]

    def suspended_at_work(self, task: str) -> None:
        """Put the machine to sleep for eight hours while an agent works on *task*, and see that the run notices."""
        wait_for(
            lambda: any(one["task"] == task and one["state"] == "working" for one in self.looking.reports.agents())
        )
        self.clock.suspend(timedelta(hours=8))
        wait_for(lambda: bool(self.looking.events.last(1, types=("machine.slept",))))

    def over(self) -> Ran:
        """Wait for the end of the run and return it."""
        self.run.join(120)
        (one,) = self.ended
        return one


@contextmanager
def night(project: Caller, **how: Any) -> Iterator[Night]:
    """Lead a run as *how* says, with a clock moved by hand."""
    clock, ended = HandClock(), list[Ran]()
    app = build(project.folder, environ={**project.environ, "ORCHESTRATE_KEEP_AWAKE": "false"}, clock=clock)
    looking = build(project.folder, environ=project.environ)

    def lead(app: App) -> None:
        ended.append(app.run(**how))
        app.close()

    run = threading.Thread(target=lead, args=(app,))
    run.start()
    try:
        yield Night(clock, looking, run, ended)
    finally:
        if run.is_alive():
            looking.supervision.stop(now=True)
            run.join(120)
        looking.close()


def test_a_suspend_past_the_deadline_winds_the_run_down_and_costs_the_agent_no_attempt(begin: Begin) -> None:
    project = begin()
    task = project("submit", job("long", "say I begin\nhang"), "--json").json["tasks"][0]["id"]

    with night(project, until=HandClock().now() + timedelta(hours=1)) as here:
        here.suspended_at_work(task)

        assert here.over().stopped_by == "deadline"
        (attempt,) = here.looking.reports.task(task)["attempts"]
        assert attempt["outcome"] == "cancelled" and here.looking.reports.task(task)["attempts_used"] == 0
        (slept,) = here.looking.events.last(10, types=("machine.slept",))
        assert slept.data["seconds"] == 8 * 3600


def test_a_suspend_uses_up_no_budget_of_minutes(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    awake = tmp_path / "awake"
    work = f"sh while ! test -e {awake}; do sleep 0.1; done\nwrite long.txt 1"
    first = project("submit", job("long", work), "--json").json["tasks"][0]["id"]

    with night(project, max_agents=2, budget=Budget(limit_seconds=3600)) as here:
        here.suspended_at_work(first)
        second = project("submit", job("next", "write next.txt 1"), "--json").json["tasks"][0]["id"]
        awake.touch()

        assert here.over().stopped_by == ""
        assert [here.looking.reports.task(each)["state"] for each in (first, second)] == ["done", "done"]
