"""A night from the outside: who is told what, the machine kept awake, and a suspend in the middle."""

import json
import threading
from datetime import timedelta
from pathlib import Path

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


def test_a_suspend_past_the_deadline_winds_the_run_down_and_costs_the_agent_no_attempt(
    begin: Begin, tmp_path: Path
) -> None:
    project = begin()
    task = project("submit", job("long", "say I begin\nhang"), "--json").json["tasks"][0]["id"]
    clock = HandClock()
    app = build(project.folder, environ={**project.environ, "ORCHESTRATE_KEEP_AWAKE": "false"}, clock=clock)
    ended: list[Ran] = []
    looking = build(project.folder, environ=project.environ)

    def lead(app: App) -> None:
        ended.append(app.run(until=clock.now() + timedelta(hours=1)))
        app.close()

    run = threading.Thread(target=lead, args=(app,))
    run.start()
    try:
        wait_for(lambda: looking.reports.task(task)["attempts"] != [] and working(looking, task))
        clock.suspend(timedelta(hours=8))
        run.join(120)
    finally:
        if run.is_alive():
            looking.supervision.stop(now=True)
            run.join(120)

    (one,) = ended
    assert one.stopped_by == "deadline"
    (attempt,) = looking.reports.task(task)["attempts"]
    assert attempt["outcome"] == "cancelled" and looking.reports.task(task)["attempts_used"] == 0
    (slept,) = looking.events.last(10, types=("machine.slept",))
    assert slept.data["seconds"] == 8 * 3600
    looking.close()


def test_a_suspend_uses_up_no_budget_of_minutes(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    awake = tmp_path / "awake"
    first = project(
        "submit", job("long", f"sh while ! test -e {awake}; do sleep 0.1; done\nwrite long.txt 1"), "--json"
    )
    task = first.json["tasks"][0]["id"]
    clock = HandClock()
    app = build(project.folder, environ={**project.environ, "ORCHESTRATE_KEEP_AWAKE": "false"}, clock=clock)
    ended: list[Ran] = []
    looking = build(project.folder, environ=project.environ)

    def lead(app: App) -> None:
        ended.append(app.run(max_agents=2, budget=Budget(limit_seconds=3600)))
        app.close()

    run = threading.Thread(target=lead, args=(app,))
    run.start()
    try:
        wait_for(lambda: looking.reports.task(task)["attempts"] != [] and working(looking, task))
        clock.suspend(timedelta(hours=8))
        wait_for(lambda: bool(looking.events.last(1, types=("machine.slept",))))
        second = project("submit", job("next", "write next.txt 1"), "--json").json["tasks"][0]["id"]
        awake.touch()
        run.join(120)
    finally:
        if run.is_alive():
            looking.supervision.stop(now=True)
            run.join(120)

    (one,) = ended
    assert one.stopped_by == ""
    assert [looking.reports.task(each)["state"] for each in (task, second)] == ["done", "done"]
    looking.close()


def working(app: App, task: str) -> bool:
    return bool([one for one in app.reports.agents() if one["task"] == task and one["state"] == "working"])
