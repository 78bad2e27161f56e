"""Ending a run from every side: work is saved and requeued, and nothing is charged for our own stop."""

import signal
import time
from pathlib import Path

from .conftest import Begin, job
from .test_crashes import led, marks, minders, queue, started, until

HANG = "write half.txt <<EOF\nhalf\nEOF\nhang"


def test_one_interrupt_saves_the_work_and_gives_the_task_back_uncharged(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    project("submit", job("job-0", HANG))
    run = led(project)
    until(lambda: (tmp_path / "witness").exists(), "the agent works")
    until(lambda: bool(list((tmp_path / "state").rglob("half.txt"))), "the agent wrote")

    run.send_signal(signal.SIGINT)

    assert run.wait(timeout=120) == 130
    status = project("status", "--json").json
    assert status["counts"]["ready"] == 1
    attempt = project("task", "job-0", "--json").json["attempts"][0]
    assert attempt["outcome"] == "cancelled"
    assert project.git("show", f"{attempt['branch']}:half.txt") == "half"
    assert project("task", "job-0", "--json").json["attempts_used"] == 0
    (needs,) = project("report", "--json").json["needs_you"]
    assert "; the last one was stopped by you at " in needs["why"]
    until(lambda: not marks(project) and not minders(project), "every process of ours has ended")


def test_a_second_interrupt_ends_what_will_not_end(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    project.environ["ORCHESTRATE_STOP_SECONDS"] = "600"
    project("submit", job("job-0", "ignore_term\n" + HANG))
    run = led(project)
    until(lambda: bool(list((tmp_path / "state").rglob("half.txt"))), "the agent wrote")

    run.send_signal(signal.SIGINT)
    time.sleep(0.5)  # two signals at the same instant may arrive as one
    run.send_signal(signal.SIGINT)

    assert run.wait(timeout=120) == 130
    until(lambda: not marks(project) and not minders(project), "every process of ours has ended")


def test_stop_from_another_terminal_and_a_later_run_finishes(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    queue(project, 2, f"wait_for {tmp_path}/go")
    run = led(project)
    until(lambda: started(tmp_path) == 2, "both agents work")

    assert project("stop", "--wait").code == 0
    assert run.wait(timeout=120) == 130
    assert project("status", "--json").json["counts"]["ready"] == 2
    (tmp_path / "go").touch()

    assert project("run").code == 0
    assert project("status", "--json").json["counts"]["done"] == 2


def test_a_killed_agent_gives_its_task_back_and_a_cancelled_task_stays_cancelled(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    project("submit", job("job-0", HANG))
    run = led(project)
    until(lambda: len(project("agents", "--json").json) == 1 and started(tmp_path) == 1, "the agent works")
    agent = project("agents", "--json").json[0]["id"]

    assert project("kill", agent).code == 0
    until(lambda: started(tmp_path) == 2, "its task is tried again")
    assert project("cancel", "job-0").code == 0

    assert run.wait(timeout=120) == 6
    assert project("task", "job-0", "--json").json["state"] == "cancelled"
    until(lambda: not marks(project) and not minders(project), "every process of ours has ended")
