"""Plans that change while they are worked on: agents that report more work, tasks that are split, people who agree."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from calling import Caller
from schemas import wrong

from .conftest import Begin, job
from .forked import Forks
from .starting import Start
from .test_crashed_verbs import killed_at_every_step

pytestmark = pytest.mark.timeout(600)
EVERY_STEP = "ORCHESTRATE_EVERY_STEP"
"""Set: that run is killed at each of its durable steps. Not set: at a few; test_crashes does all of another run."""
LAST_STEP = 130
FEW_STEPS = (41, 45, 53)
"""Around the end of the first task and the change of its plan, of about 110."""
Json = dict[str, Any]
CHILD = "The agent of"
"""Stands in the prompt of a task that an agent reported."""


def reporting(name: str, *tasks: Json, why: str = "The goal needs it.", steps: str = "", child: str = "") -> str:
    """Return a goal whose agent reports *tasks* by the command; the agents of those do *child*."""
    report = json.dumps({"why": why, "tasks": list(tasks)})
    more = '"$ORCHESTRATE_CLI" context more'
    lines = [
        f"unless_prompt_contains {CHILD}: sh {more} --json '{report}' > $ORCHESTRATE_CONTEXT/shared/answer.json",
        *(f"unless_prompt_contains {CHILD}: {line}" for line in (steps or "write first.txt one").splitlines()),
        *(f"if_prompt_contains {CHILD}: {line}" for line in (child or "append more.txt two").splitlines()),
    ]
    return job(name, "\n".join(lines))


def task(title: str, **more: Any) -> Json:
    return {"title": title, "description": f"{title}, as the goal needs it.", **more}


def goal_of(project: Caller, text: str, *words: str) -> str:
    submitted = project("submit", "--json", *words, "--", text)
    assert submitted.code == 0, submitted
    return str(submitted.json["goal"]["id"])


def events(project: Caller, goal: str, *types: str) -> list[Json]:
    listed = [json.loads(line) for line in project("events", "--json", "-n", "1000", "--goal", goal).out.splitlines()]
    return [one for one in listed if one["type"] in types]


def test_a_reported_task_is_added_after_its_reporter_and_done_in_the_same_run(begin: Begin) -> None:
    project = begin()
    goal = goal_of(project, reporting("parser", task("Describe the format", acceptance=["README names it"])))

    ran = project("run", "--json")

    assert ran.code == 0, ran
    report = project("report", goal, "--json").json
    assert [(one["title"], one["state"]) for one in report["tasks"]] == [
        ("parser", "done"), ("Describe the format", "done"),
    ]  # fmt: skip
    assert report["tasks"][1]["depends_on"] == [report["tasks"][0]["key"]]
    assert (project.folder / "more.txt").read_text() == "two\n", "the addition is delivered with the rest"
    assert len(events(project, goal, "task.added")) == 1
    assert wrong("context", project("context", "get", "answer", "--goal", goal, "--json").json["value"]) == ""


def test_a_bad_report_is_told_to_its_author_who_mends_it(begin: Begin) -> None:
    project = begin()
    told, file = (
        '_prompt_contains "there is no specialist"',
        "$ORCHESTRATE_CONTEXT/more/$(ls $ORCHESTRATE_CONTEXT/tasks)",
    )
    bad, good = (
        json.dumps([task("Describe the format", why="It is needed.", agent_type=name)])
        for name in ("root", "documentation-writer")
    )
    script = f"""
        if_prompt_contains "{CHILD}": write docs.txt done
        unless{told}: sh test -e docs.txt || echo '{bad}' > {file}
        if{told}: sh echo '{good}' > {file}
        if{told}: write work.txt done
    """
    goal = goal_of(project, job("one", script))

    ran = project("run", "--json")

    assert ran.code == 0, ran
    (refused,) = events(project, goal, "context.refused")
    assert "there is no specialist 'root'" in refused["data"]["refused"][0]
    added = project("report", goal, "--json").json["tasks"][1]
    assert (added["title"], added["specialist"], added["state"]) == (
        "Describe the format", "documentation-writer", "done",
    )  # fmt: skip


def test_who_wants_to_be_asked_is_asked_and_one_command_agrees(begin: Begin) -> None:
    project = begin()
    project.environ["ORCHESTRATE_REPLAN"] = "ask"
    goal = goal_of(project, reporting("parser", task("Describe the format", verify="true"), why="Nobody describes it."))

    ran = project("run")

    assert ran.code == 6, ran
    asks = "1 change of its plan waits for you"
    assert ran.err.splitlines()[-1] == f"needs you: {asks}; look: orchestrate plan-continue {goal}"
    assert f"completed (unverified)\tparser\tneeds you: {asks}; " in ran.out
    again = project("run")
    assert again.code == 3 and f"waits for you: orchestrate plan-continue {goal}" in again.err, again
    assert "needs you: the report of parser would add 1 task" in ran.err + ran.out
    assert (project.folder / "first.txt").exists(), "what is done is delivered"
    assert f"needs you: its plan is to be changed; look: orchestrate plan-continue {goal}" in project("status").out
    assert f"orchestrate plan-continue {goal} --agree" in project("report", goal).out
    shown = project("plan-continue", goal).out
    assert "+ Describe the format" in shown and "Nobody describes it." in shown
    document = project("plan-continue", goal, "--json").json
    assert wrong("plan-continue", document) == ""
    assert wrong("report", project("report", goal, "--json").json) == ""
    (waiting,) = document["waiting"]
    assert (waiting["kind"], waiting["key"], waiting["reason"]) == ("more", "parser", "replan is ask")
    assert f"To agree to, number {waiting['number']}, after parser" in shown

    agreed = project("plan-continue", goal, "--agree")

    assert agreed.code == 0 and "1 task is added" in agreed.err, agreed
    assert project("plan-continue", goal, "--agree").code == 3, "once"
    assert project("run").code == 0
    assert "needs you" not in project("status").out
    assert (project.folder / "more.txt").read_text() == "two\n"
    diff = project("plan-continue", goal, "--diff", "--json").json
    assert wrong("plan-continue", diff) == ""
    assert [one["id"] for one in diff["added"]] == ["describe-the-format"]
    assert [(one["kind"], one["who"], one["why"]) for one in diff["versions"]] == [
        ("edit", "", ""), ("replan", "parser", "Nobody describes it."),
    ]  # fmt: skip
    assert "Re-planned while it ran (version 2, parser): added describe-the-format" in project("report", goal).out


def test_single_changes_are_agreed_to_and_refused_by_their_numbers(begin: Begin) -> None:
    project = begin()
    project.environ["ORCHESTRATE_REPLAN"] = "ask"
    lines = []
    for name, title in (("parser", "Describe the format"), ("printer", "Draw the logo")):
        report = json.dumps([task(title, why="It has none.")])
        lines.append(f'if_prompt_contains "({name}): {name}": sh "$ORCHESTRATE_CLI" context more --json \'{report}\'')
    one = goal_of(project, job("parser", "\n".join([*lines, "sh date +%N >> work.txt"])))
    parser = project("report", one, "--json").json["tasks"][0]["id"]
    assert project("submit", "--depends-on", parser, "--", "printer").code == 0
    assert project("run").code == 6
    numbers = {wished["key"]: wished["number"] for wished in project("plan-continue", one, "--json").json["waiting"]}
    assert set(numbers) == {"parser", "printer"}
    shown = project("plan-continue", one)
    assert f"--agree {numbers['parser']}" in shown.err, "how to say it of one"

    refused = project("plan-continue", one, "--refuse", str(numbers["printer"]), "--why", "no logo", "--json").json

    assert wrong("plan-continue", refused) == ""
    assert [(each["number"], each["state"], each["reason"]) for each in refused["decided"]] == [
        (numbers["printer"], "declined", "no logo"),
    ]  # fmt: skip
    assert [each["number"] for each in refused["waiting"]] == [numbers["parser"]]
    assert project("plan-continue", one, "--agree", str(numbers["printer"])).code == 5
    assert project("plan-continue", one, "--agree", "99").code == 4
    agreed = project("plan-continue", one, "--agree", str(numbers["parser"]))
    assert agreed.code == 0 and "still waits" not in agreed.err, agreed
    assert project("run").code == 0
    titles = [each["title"] for each in project("report", one, "--json").json["tasks"]]
    assert titles == ["parser", "printer", "Describe the format"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--agree", "the first"), "--agree takes numbers"),
        (("--agree", "1,x"), "--agree takes numbers"),
        (("--agree", "1", "--refuse", "2"), "choose one of"),
        (("--agree", "1", "--why", "good"), "--why is for --refuse"),
        (("--refuse", "not now", "--why", "really"), "say the reason once"),
    ],
)
def test_what_cannot_be_meant_of_a_change_is_refused_in_words(begin: Begin, words: tuple[str, ...], told: str) -> None:
    refused = begin()("plan-continue", "g1", *words)

    assert refused.code == 2 and told in refused.err, refused


BIG = """
big

- Write the front
- Write the back
"""


def big(steps: str) -> str:
    return f"{BIG}\n```script\nlabel big\n{steps}\n```\n"


def test_a_task_that_fails_again_and_again_is_split_by_its_own_list_and_its_dependents_go_on(begin: Begin) -> None:
    project = begin()
    steps = """
        unless_prompt_contains "which failed as a whole": sh test -e back.txt || echo wrong > front.txt
        if_prompt_contains "Join both ends": sh cat front.txt back.txt > after.txt
        if_prompt_contains "This is part 1 of 2": write front.txt right
        if_prompt_contains "This is part 2 of 2": write back.txt right
    """
    check = "grep -q right front.txt && grep -q right back.txt"
    submitted = project("submit", "--json", "--verify", check, "--max-attempts", "2", "--", big(steps)).json
    goal, whole = submitted["goal"]["id"], submitted["tasks"][0]
    project("submit", "--depends-on", whole["id"], "--", "Join both ends")

    ran = project("run", "--json")

    assert ran.code == 0, ran
    tasks = {one["title"]: one for one in project("report", goal, "--json").json["tasks"]}
    assert {title: one["state"] for title, one in tasks.items()} == {
        "big": "replaced", "Join both ends": "done", "Write the front": "done", "Write the back": "done",
    }  # fmt: skip
    assert tasks["Write the back"]["verify"] == check and tasks["Write the back"]["verdict"] == "verified"
    assert tasks["Join both ends"]["depends_on"] == [tasks["Write the back"]["key"]]
    assert (project.folder / "after.txt").read_text() == "right\nright\n"
    assert not events(project, goal, "task.failed"), "nobody was woken"
    assert project("retry", whole["id"]).code == 5


def test_where_the_chosen_planner_is_not_installed_the_rules_split_and_that_is_said(begin: Begin) -> None:
    project = begin()
    project.environ["PATH"] = "/usr/bin:/bin"
    project.environ["ORCHESTRATE_PLANNER"] = "codex"
    steps = """
        unless_prompt_contains "which failed as a whole": sh test -e back.txt || echo wrong > front.txt
        if_prompt_contains "This is part 1 of 2": write front.txt right
        if_prompt_contains "This is part 2 of 2": write back.txt right
    """
    goal = goal_of(project, big(steps), "--verify", "grep -q right front.txt && grep -q right back.txt",
                   "--max-attempts", "2")  # fmt: skip

    ran = project("run", "--json")

    assert ran.code == 0, ran
    (change,) = project("report", goal, "--json").json["plan_changes"]
    assert "divided by rules (codex is not installed (codex is not on PATH); asked instead: the rules)" in change["why"]
    assert ran.json["goals"][0]["planners_asked"] == []


def test_a_person_splits_a_failed_task_by_hand(begin: Begin) -> None:
    project = begin()
    project.environ["ORCHESTRATE_REPLAN"] = "never"
    goal = goal_of(project, big("append front.txt x"), "--verify", "test -e never.txt", "--max-attempts", "2")
    assert project("run").code == 6
    failed = project("status", "--failed", "--json").json["failed"][0]["key"]

    split = project("retry", failed, "--split", "--json")

    assert split.code == 0, split
    assert wrong("retry", split.json) == ""
    assert [one["title"] for one in split.json["plan"]["tasks"]] == ["Write the front", "Write the back"]
    assert project("status", "--failed", "--json").json["failed"] == []
    changes = project.folder.parent / "changes.json"
    changes.write_text(json.dumps([{"op": "modify", "task": "2", "set": {"verify": "test -e front.txt"}}]))
    assert project("plan-continue", goal, "--apply", str(changes)).code == 0
    assert project("run").code == 0
    assert project("plan-continue", goal, "--diff", "1..3", "--json").json["versions"][-1]["who"] == "user"


@pytest.mark.timeout(2400)
def test_a_run_that_is_killed_adds_what_was_reported_once(begin: Begin, forks: Forks, tmp_path: Path) -> None:
    project = begin()
    project.forks = forks
    goal = goal_of(project, reporting("parser", task("Describe the format")))
    start = Start(project.folder, tmp_path / "state")
    for step in range(1, LAST_STEP) if os.environ.get(EVERY_STEP) else FEW_STEPS:
        start.put_back()
        killed = project.killed_at(step, "run", timeout_s=120)
        assert killed.code in {0, -signal.SIGKILL}, killed.err

        project("run", timeout_s=120)

        told = f"step {step}: {killed.err[-200:]}"
        report = project("report", goal, "--json").json
        assert [one["state"] for one in report["tasks"]] == ["done", "done"], told
        assert len(events(project, goal, "task.added")) == 1 == len(report["plan_changes"]), told


def test_an_agreement_that_is_killed_is_made_once_or_still_waits(begin: Begin, forks: Forks, tmp_path: Path) -> None:
    project = begin()
    project.forks = forks
    project.environ["ORCHESTRATE_REPLAN"] = "ask"
    goal = goal_of(project, reporting("parser", task("Describe the format")))
    assert project("run").code == 6

    def judge() -> None:
        assert project("plan-continue", goal, "--agree").code in {0, 3}
        tasks = project("report", goal, "--json").json["tasks"]
        assert [(one["title"], one["state"]) for one in tasks[1:]] == [("Describe the format", "ready")]
        assert len(events(project, goal, "task.added")) == 1 == len(events(project, goal, "plan.changed"))

    assert killed_at_every_step(project, tmp_path, ("plan-continue", goal, "--agree"), judge) >= 2
