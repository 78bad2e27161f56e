"""Usage limits, the end of time and money, and retries, in whole runs of scripted agents."""

import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission
from calling import Caller, wait_for
from doubles.scripted_agent import read_witness
from journeys.conftest import Begin, job

pytestmark = pytest.mark.timeout(240)


def events(project: Caller, *types: str) -> list[Any]:
    words = [word for type in types for word in ("--type", type)]
    answer = project("events", "-n", "1000", "--json", *words)
    return [json.loads(line) for line in answer.out.splitlines()]


def test_a_hold_is_released_by_hand_and_the_running_supervisor_goes_on(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    gate = tmp_path / "limited-once"
    limited_once = tmp_path / "agent.sh"
    limited_once.write_text(
        f"if [ ! -e {gate} ]; then touch {gate}; cat > /dev/null\n"
        "echo 'You have hit your usage limit. Try again in 5 days 22 hours 11 minutes.' >&2; exit 1; fi\n"
        "cat > /dev/null; echo a > a.txt\n"
    )
    project.environ["ORCHESTRATE_GENERIC_COMMAND"] = f"sh {limited_once}"
    project("submit", "Write a", "--max-attempts", "1")
    project("run", "--detach")
    wait_for(lambda: bool(project("status", "--json").json["holds"]), timeout_s=90)

    shown = project("status").out
    released = project("resume", "generic")

    assert "waiting for generic until" in shown and "(usage limit)" in shown
    assert released.code == 0 and released.out.startswith("generic")
    wait_for(lambda: project("status", "--json").json["counts"]["done"] == 1, timeout_s=90)
    assert project("task", "write-a", "--json").json["attempts_used"] == 0
    assert project("resume").code == 3
    assert project("resume", "generic").code == 3
    assert project("resume", "genric").code == 2
    project("stop", "--wait")


def test_a_run_that_starts_while_limited_waits_and_works_after_the_reset(begin: Begin) -> None:
    project = begin()
    project("submit", job("held", "write a.txt a"))
    app = build(project.folder, environ=project.environ)
    app.holds.start("generic", HoldKind.USAGE_LIMIT, until=app.clock.now() + timedelta(hours=1), reason="limit")

    refused = project("run", "--no-wait")
    app.holds.release()
    until = app.clock.now().replace(microsecond=0) + timedelta(seconds=4)
    app.holds.start("generic", HoldKind.USAGE_LIMIT, until=until, reason="limit")
    app.store.close()
    ran = project("run")

    assert refused.code == 7
    assert ran.code == 0, ran.err
    started = datetime.fromisoformat(events(project, "task.started")[0]["at"])
    assert timedelta(0) <= started - until < timedelta(seconds=60)


def test_a_refused_login_is_said_loudly_once_and_waits_for_a_person(begin: Begin) -> None:
    project = begin()
    for name in ("one", "two"):
        project("submit", job(name, "limit status 401 Unauthorized: please run /login"), "--max-attempts", "1")

    ran = project("run", "--max-agents", "2", "--no-wait")
    app = build(project.folder, environ=project.environ)
    (hold,) = app.holds.current()
    app.store.close()

    assert ran.code == 7
    assert ran.err.count("LOGIN REFUSED: generic waits for you. Log in, then: orchestrate resume generic") == 1
    assert hold.kind is HoldKind.LOGIN and hold.refusals == 1
    assert "orchestrate resume generic" in project("report").out
    assert {task["attempts_used"] for task in project("status", "--json").json["waiting"]} == {0}


def test_a_limit_per_minute_is_met_by_fewer_agents_not_by_a_long_wait(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    agent = tmp_path / "agent.py"
    agent.write_text(
        "import os, pathlib, sys, time\n"
        "sys.stdin.read()\n"
        f"mark = pathlib.Path({str(tmp_path / 'refused')!r})\n"
        "try:\n"
        "    mark.mkdir()\n"
        "except FileExistsError:\n"
        "    time.sleep(1.5)\n"
        "    print('done')\n"
        "    pathlib.Path(os.environ['ORCHESTRATE_TASK']).write_text('x')\n"
        "else:\n"
        "    sys.exit('error: 429 too many requests')\n"
    )
    project.environ["ORCHESTRATE_GENERIC_COMMAND"] = f"{sys.executable} {agent}"
    for number in range(6):
        project("submit", f"Do number {number}")

    began = time.monotonic()
    ran = project("run", "--max-agents", "4", "--json")

    assert ran.code == 0, ran.err
    assert [hold["data"]["kind"] for hold in events(project, "hold.started")] == ["rate_limit"]
    assert time.monotonic() - began < 120, "no quarter of an hour"
    app = build(project.folder, environ=project.environ)
    pace = app.store.holds.pace("generic")
    app.store.close()
    assert pace is not None and (pace.width, pace.refusals) == (2, 0), "half of four, and it answers again"


def test_the_end_of_time_is_prepared_and_kept(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    project("submit", job("quick", "write quick.txt quick"))
    project("submit", job("endless", "write half.txt half\nhang"))

    began = time.monotonic()
    ran = project("run", "--max-agents", "2", "--for", "24s", "--json", timeout_s=120)

    assert ran.code == 7, ran.err
    assert time.monotonic() - began < 60
    assert (project.folder / "quick.txt").exists(), "what was done is delivered"
    endless = next(task for goal in ran.json["goals"] for task in goal["tasks"] if task["key"] == "endless")
    (attempt,) = endless["attempts"]
    assert (endless["state"], endless["attempts_used"], attempt["outcome"]) == ("ready", 0, "cancelled")
    assert "half.txt" in project.git("show", "--stat", attempt["branch"]), "what was half done is kept"


def test_minutes_end_a_task_and_then_it_is_a_persons(begin: Begin) -> None:
    project = begin()
    project("submit", job("endless", "write half.txt half\nhang"), "--task-budget", "3s")

    ran = project("run", "--json", timeout_s=120)

    assert ran.code == 6
    task = ran.json["goals"][0]["tasks"][0]
    assert [one["outcome"] for one in task["attempts"]] == ["timed_out"]
    assert "its budget is used up" in task["reason"]
    assert "attempt_minutes, or a budget in minutes" in task["attempts"][0]["reason"], "it says what to change"


def test_a_budget_in_time_stops_new_starts(begin: Begin) -> None:
    project = begin()
    for name in ("a", "b"):
        project("submit", job(name, f"sleep 2\nwrite {name}.txt {name}"))

    ran = project("run", "--max-agents", "2", "--budget", "1m", "--json")

    assert ran.code == 7, ran.err
    assert "the budget is reached" in ran.err
    assert len(events(project, "task.started")) == 1, "all of it was set aside for the first one"
    left = next(one["id"] for one in ran.json["goals"] if one["state"] != "completed")
    (needs,) = project("report", left, "--json").json["needs_you"]
    assert needs["what"] == "not_running" and "; the last one ended at its budget at " in needs["why"]


@pytest.mark.parametrize("whose", ["goal", "run"])
def test_agents_at_work_are_ended_when_the_budget_is_used_up_and_their_work_is_kept(begin: Begin, whose: str) -> None:
    project = begin()
    budget = ("--budget", "8s")
    project("submit", job("endless", "write half.txt half\nhang"), *(budget if whose == "goal" else ()))
    if whose == "goal":
        project("submit", job("other", "write other.txt other"), "--priority", "low")

    ran = project("run", "--max-agents", "1", *(budget if whose == "run" else ()), "--json", timeout_s=120)

    assert ran.code == 7, ran.err
    assert f"is asked to end: the {whose}'s budget is used up: " in ran.err
    endless = next(task for goal in ran.json["goals"] for task in goal["tasks"] if task["key"] == "endless")
    attempt = endless["attempts"][-1]
    assert (endless["state"], endless["attempts_used"], attempt["outcome"]) == ("ready", 0, "cancelled")
    assert "half.txt" in project.git("show", "--stat", attempt["branch"]), "what was half done is kept"
    if whose == "goal":
        assert (project.folder / "other.txt").exists(), "the budget of another goal is nobody else's"


def test_a_goal_that_has_used_up_its_budget_goes_on_with_a_larger_one(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    enough, agent = tmp_path / "enough", tmp_path / "agent.sh"
    agent.write_text(f"cat > /dev/null; [ -e {enough} ] || sleep 600; echo a > a.txt\n")
    project.environ["ORCHESTRATE_GENERIC_COMMAND"] = f"sh {agent}"
    project("submit", "Write a", "--budget", "4s")
    (goal,) = project("run", "--json", timeout_s=120).json["goals"]
    name = goal["id"]

    (waits,) = project("status", "--json").json["waiting"]
    (needs,) = project("report", name, "--json").json["needs_you"]
    assert waits["waits_for"].startswith("its goal's budget: "), "a run would start nothing of it"
    assert f"To give it more: orchestrate retry {name} --budget MORE" in project("status").out
    assert (needs["what"], needs["command"]) == ("budget", f"orchestrate retry {name} --budget MORE")
    refused = project("retry", name, "--budget", "1s")
    assert refused.code == 2 and "has used that up already" in refused.err

    enough.touch()
    assert "budget 90 minutes of work; start it: orchestrate run" in project("retry", name, "--budget", "90m").out
    assert project("run").code == 0
    assert (project.folder / "a.txt").exists()
    assert project("retry", name, "--budget", "9h").code == 5, "it is over"


def test_a_goals_budget_is_reserved_before_each_of_its_starts(begin: Begin) -> None:
    project = begin()
    tasks = tuple(
        PlannedTask(
            id=name, title=name, description=job(name, f"sleep 2\nwrite {name}.txt {name}"), agent_type="generalist"
        )
        for name in ("a", "b", "c")
    )
    app = build(project.folder, environ=project.environ)
    budget = Budget(limit_seconds=60)
    app.goals.accept(Plan(goal="Three", source="file", tasks=tasks), Submission(text="Three", budget=budget))
    app.store.close()

    ran = project("run", "--max-agents", "3")

    assert ran.code == 7, ran.err
    assert len(events(project, "task.started")) == 1


def test_a_loop_is_cut_and_the_dead_letter_shows_every_reason_and_a_comment_gets_through(
    begin: Begin, tmp_path: Path
) -> None:
    project = begin()
    script = (
        'if_prompt_contains "The port is 8081": write port.txt 8081\n'
        'unless_prompt_contains "The port is 8081": write port.txt 80'
    )
    project("submit", job("port", script), "--verify", "grep -q 8081 port.txt", "--max-attempts", "9")

    ran = project("run", "--json")

    assert ran.code == 6
    dead = project("status", "--failed").out
    assert [line for line in dead.splitlines() if "attempt 1: rejected" in line or "attempt 2: rejected" in line]
    assert "attempt 3" not in dead, "two of nine: the same change, the same failure"
    assert "changed the same and failed in the same way" in dead
    again = project("retry", "port", "--comment", "The port is 8081, see the wiki.")
    assert again.code == 0
    assert project("run").code == 0
    assert (project.folder / "port.txt").read_text() == "8081\n"
    assert project("status", "--failed").out.strip() == "No task has failed."


def test_a_loop_is_cut_although_other_work_lands_between_its_attempts(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    again, landed = tmp_path / "again", tmp_path / "landed"
    retried = 'if_prompt_contains "evidence from the last attempt":'
    wrong = f"{retried} sh touch {again}\n{retried} wait_for {landed}\nwrite port.txt 80"

    def task(name: str, script: str, *needs: str, **more: str) -> PlannedTask:
        return PlannedTask(
            id=name, title=name, description=job(name, script), agent_type="generalist", depends_on=needs, **more
        )

    plan = Plan(
        goal="Ports",
        source="file",
        tasks=(
            task("port", wrong, verify="grep -q 8081 port.txt"),
            task("beside", f"wait_for {again}\nwrite beside.txt beside"),
            task("then", f"sh touch {landed}\nwrite then.txt then", "beside"),
        ),
    )
    app = build(project.folder, environ=project.environ)
    app.goals.accept(plan, Submission(text="Ports", max_attempts=4))
    app.store.close()

    assert project("run", timeout_s=180).code == 6

    dead = project("status", "--failed").out
    assert "2 attempts in a row changed the same and failed in the same way" in dead, dead


def test_the_next_attempt_is_told_of_all_that_was_tried(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    script = (
        'if_prompt_contains "Attempt 1 (generic) ended as rejected": write port.txt second\n'
        'unless_prompt_contains "Attempt 1 (generic) ended as rejected": write port.txt first\n'
        'if_prompt_contains "Attempt 2 (generic) ended as rejected": write port.txt 8081\n'
        "say I set the port."
    )
    project("submit", job("port", script), "--verify", "grep 8081 port.txt || { cat port.txt; false; }")

    ran = project("run", "--json")

    assert ran.code == 0, ran.err
    attempts = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert [one["outcome"] for one in attempts] == ["rejected", "rejected", "succeeded"]
    prompt = (Path(attempts[2]["run_dir"]) / "prompt.txt").read_text()
    assert "I set the port." in prompt, "what the agent said it did"
    diff = next(line for line in prompt.splitlines() if line.startswith("What it changed"))
    shown = project.git(*diff.partition("git ")[2].split())
    assert "+first" in shown or "+second" in shown


def test_an_agent_whose_cli_works_elsewhere_is_ended_and_not_tried_for_ever(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    claude = tmp_path / "bin" / "claude"
    claude.parent.mkdir()
    claude.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "2.1.329 (Claude Code)"; exit; }\ncat > /dev/null\n'
        'echo \'{"type":"system","subtype":"init","session_id":"s1","cwd":"/elsewhere"}\'\nexec sleep 300\n'
    )
    claude.chmod(0o755)
    project.environ |= {"PATH": f"{claude.parent}:{project.environ['PATH']}", "ORCHESTRATE_PROVIDER": "claude"}
    project("submit", "Write a", "--max-attempts", "2")

    ran = project("run", "--json", timeout_s=120)

    assert ran.code == 6
    attempts = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert [one["outcome"] for one in attempts] == ["failed", "failed"]
    assert "works in /elsewhere, not in its checkout" in attempts[0]["reason"]
    assert attempts[0]["workspace"] != attempts[1]["workspace"], "that session is not gone on with"


def test_the_merge_queue_takes_what_blocks_most_first(begin: Begin, tmp_path: Path) -> None:
    """Three tasks end one after the other; the last, for which a chain waits, overtakes the one that only waits."""
    project = begin()
    gate = tmp_path / "gate"
    check = f"test -e first.txt || exit 0; while [ ! -e {gate} ]; do sleep 0.1; done"

    def task(name: str, *needs: str, wait: str = "") -> PlannedTask:
        script = f"{wait}\nwrite {name}.txt {name}"
        return PlannedTask(
            id=name, title=name, description=job(name, script), agent_type="generalist", depends_on=needs
        )

    plan = Plan(
        goal="In order",
        source="file",
        tasks=(
            task("first", "zero"),
            task("small", "zero", wait=f"wait_for {tmp_path}/first-ended"),
            task("zero"),
            task("blocking", "zero", wait=f"wait_for {tmp_path}/small-ended"),
            task("then", "blocking"),
            task("last", "then"),
        ),
    )
    app = build(project.folder, environ=project.environ)
    app.goals.accept(plan, Submission(text="In order", verify=check))
    app.store.close()
    project("run", "--detach", "--max-agents", "4")

    def handed_in(name: str) -> bool:
        return project("task", name, "--json").json["state"] == "verifying"

    wait_for(lambda: handed_in("first"), timeout_s=120)
    (tmp_path / "first-ended").touch()
    wait_for(lambda: handed_in("small"), timeout_s=120)
    (tmp_path / "small-ended").touch()
    wait_for(lambda: handed_in("blocking"), timeout_s=120)
    gate.touch()
    wait_for(lambda: project("status", "--json").json["supervisor"]["running"] is False, timeout_s=120)

    landed = [event["data"]["title"] for event in events(project, "task.done")]
    assert landed.index("blocking") < landed.index("small"), landed
    assert read_witness(tmp_path / "witness")
