import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.cli import render
from agent_orchestrator.domain.attempt import Attempt, Outcome, Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Evidence
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.task import Verdict
from agent_orchestrator.services.goals import Submission
from agent_orchestrator.services.reports import RECENT_GOALS
from calling import wait_for
from looking import HOSTILE, is_harmless, orchestrate
from steps import accept, claim, fail, land, planned

ORCHESTRATE = (sys.executable, "-m", "agent_orchestrator")


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "untouched"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def hostile_goal(app: App) -> tuple[Goal, Attempt]:
    """Put hostile words wherever a stranger's can come: goal, task, action, reason, summary, check, file, note."""
    task = replace(planned("a"), title=HOSTILE, description=HOSTILE, acceptance=(HOSTILE,), owns=(HOSTILE,))
    plan = Plan(goal=HOSTILE, source="rules", tasks=(task,), notice=HOSTILE)
    goal, _ = app.goals.accept(plan, Submission(text=HOSTILE.replace("\x00", "")))
    app.goals.update(goal.id, state=GoalState.EXECUTING)
    attempt = app.tasks.started(claim(app))
    app.tasks.progressed(replace(attempt, last_action=HOSTILE))
    app.tasks.noted(attempt.task, HOSTILE)
    check = CheckRun(
        command=HOSTILE, origin="task", result=CheckResult.FAILED, exit_code=1, duration_ms=5, tail=HOSTILE
    )
    evidence = Evidence(checks=(check,), files=(HOSTILE,), notes=(HOSTILE,))
    fail(app, attempt, outcome=Outcome.REJECTED, reason=HOSTILE, evidence=evidence)
    app.holds.start("claude", HoldKind.USAGE_LIMIT, until=None, reason=HOSTILE)
    ended = app.goals.update(
        goal.id, state=GoalState.FAILED, reason=HOSTILE, delivery=Delivery.WAITING, delivery_note=HOSTILE
    )
    return ended, attempt


def test_an_untouched_project_is_looked_at_without_leaving_a_trace(untouched: Path) -> None:
    for words in (["status"], ["status", "--json"], ["events"], ["agents"]):
        assert orchestrate(*words).code == 0

    assert "othing here yet" in orchestrate("status").out
    assert list(untouched.iterdir()) == []
    assert list(Path(os.environ["HOME"]).rglob("*")) == []


def test_status_says_how_things_stand_and_what_to_type(here: App) -> None:
    goal, tasks = accept(here, planned("a"), planned("b", "a"), planned("c"))
    here.tasks.started(claim(here))
    fail(here, claim(here), outcome=Outcome.CONFLICT, reason="it clashes")
    here.holds.start("claude", HoldKind.USAGE_LIMIT, until=here.clock.now() + timedelta(hours=1), reason="limit")

    out = orchestrate("status").out

    assert "No supervisor is running; the last one died" in out and "1 running" in out and "1 failed" in out
    assert goal.id in out and "phase 2" in out
    assert "it clashes" in out
    assert any(f"orchestrate retry {task.id}" in out for task in tasks.values())
    assert "waiting for claude until" in out and "(usage limit)" in out
    assert "waits for a (running)" in out or "waits for a (failed)" in out


def test_status_rows_carry_the_words_that_people_search_for(here: App) -> None:
    accept(here, planned("a"), planned("b"), planned("c"), planned("d", "a", "b", "c"))
    land(here, claim(here), Verdict.UNVERIFIED)
    here.tasks.progressed(replace(here.tasks.started(claim(here)), last_action="edit b.py"))
    fail(here, claim(here), outcome=Outcome.CONFLICT, reason="it clashes")

    lines = orchestrate("status").lines

    (done,), (running,) = ([one for one in lines if word in one] for word in ("Completed", "In Progress"))
    assert "Do a (generalist)" in done and done.endswith("unverified")
    assert "Do b (generalist)" in running and "edit b.py" in running
    (waiting,), (failed,) = ([one for one in lines if f"{word}  " in one] for word in ("Pending", "Failed"))
    assert "waits for b (running), c (failed)" in waiting
    assert "c (generalist)  it clashes" in failed


def test_status_with_many_goals_shows_the_first_in_line_and_how_many_follow(here: App, clock: HandClock) -> None:
    for number in range(23):
        accept(here, planned(f"t{number}"), text=f"Goal number {number}!")
        clock.advance(timedelta(seconds=1))

    out = orchestrate("status").out

    assert "Goal number 0!" in out and "Goal number 19!" in out and "Goal number 20!" not in out
    assert "and 3 more, later in line" in out


def test_status_shows_spend_beside_its_ceiling(here: App) -> None:
    plan = Plan(goal="Build it", source="rules", tasks=(planned("a"),))
    here.goals.accept(plan, Submission(text="Build it", budget=Budget(limit_micro_usd=5_000_000)))
    attempt = replace(here.tasks.started(claim(here)), usage=Usage(cost_micro_usd=1_250_000))
    here.tasks.progressed(attempt)

    assert "$1.25, budget $5.00" in orchestrate("status").out
    assert "Cost: $1.25, budget $5.00." in orchestrate("report").out


@pytest.mark.parametrize(
    ("seconds", "told"), [(1, "1 second"), (12, "12 seconds"), (90, "1.5 minutes"), (5400, "90 minutes")]
)
def test_a_ceiling_of_time_is_told_in_seconds_below_a_minute_and_in_tenths_below_ten(
    here: App, seconds: int, told: str
) -> None:
    plan = Plan(goal="Build it", source="rules", tasks=(planned("a"),))
    here.goals.accept(plan, Submission(text="Build it", budget=Budget(limit_seconds=seconds)))

    assert f"budget {told} of work" in orchestrate("status").out
    assert f"budget {told} of work" in orchestrate("report").out


def test_a_tasks_story_tells_what_all_its_attempts_cost_together(here: App) -> None:
    accept(here, planned("a"))
    for micro_usd, is_estimate in ((240_000, True), (240_000, True), (480_000, False)):
        attempt = here.tasks.started(claim(here))
        usage = Usage(cost_micro_usd=micro_usd, cost_is_estimate=is_estimate, input_tokens=1_000)
        task = fail(here, replace(attempt, usage=usage), outcome=Outcome.FAILED, reason="it broke")
        here.tasks.retry(task.id)

    assert "cost: about $0.96 (estimate)" in orchestrate("report").out

    attempt = here.tasks.started(claim(here))
    fail(here, replace(attempt, usage=Usage(input_tokens=1_000)), outcome=Outcome.FAILED, reason="it broke")

    assert "cost: at least about $0.96 (estimate)" in orchestrate("report").out, "one told no price"


def test_a_report_does_not_say_that_nothing_needs_you_while_another_goal_does(here: App, clock: HandClock) -> None:
    failed, _ = accept(here, planned("a"), text="The failed one")
    fail(here, claim(here), outcome=Outcome.CONFLICT, reason="it clashes")
    here.goals.update(failed.id, state=GoalState.EXECUTING)
    here.goals.update(failed.id, state=GoalState.FAILED, ended_at=clock.now())
    clock.advance(timedelta(seconds=1))
    newest, _ = accept(here, planned("b"), text="The newest one")
    here.goals.update(newest.id, state=GoalState.EXECUTING)
    here.goals.update(newest.id, state=GoalState.COMPLETED, ended_at=clock.now())

    text, markdown = orchestrate("report").out, orchestrate("report", "--markdown").out

    for out in (text, markdown):
        assert "The newest one" in out and "1 of the other goals does" in out
        assert f"orchestrate report {failed.id}" in out and "needs you: Task a failed: it clashes" in out
        assert out.index(failed.id) < out.index(newest.id), "what needs the user comes first"
    assert "Nothing needs you." in orchestrate("report", newest.id).out
    assert json.loads(orchestrate("report", "--json").out)["others"][0]["id"] == failed.id


def test_status_tells_to_start_a_supervisor_when_there_is_work(here: App) -> None:
    accept(here, planned("a"))

    assert orchestrate("status").lines[-1] == "To work on it: orchestrate run"


def test_done_and_verified_never_look_the_same(here: App) -> None:
    goal, _ = accept(here, planned("a"))
    land(here, claim(here), Verdict.UNVERIFIED)
    over = here.goals.settle(goal.id)
    assert over is not None
    here.goals.update(goal.id, state=GoalState.EXECUTING)
    here.goals.update(goal.id, state=GoalState.COMPLETED, verdict=over.verdict, demo=True)

    assert "completed, unverified (scripted demo)" in orchestrate("status").out
    report = orchestrate("report").out
    assert "Not verified: a" in report and "scripted demo agents did the work" in report
    assert "Completed and verified" not in report


def test_status_json_is_the_snapshot(here: App) -> None:
    accept(here, planned("a"))

    document = json.loads(orchestrate("status", "--json").out)

    assert document["counts"]["ready"] == 1 and document["supervisor"]["running"] is False


@pytest.mark.parametrize("words", [["status"], ["status", "--json"]])
def test_status_loads_nothing_heavy(here: App, words: list[str]) -> None:
    accept(here, planned("a"))
    code = (
        "import sys, click, apsw\nfloor = set(sys.modules)\nfrom agent_orchestrator.cli import run\n"
        f"try: run({words!r})\nexcept SystemExit: pass\n"
        "print(*sorted(set(sys.modules) - floor), file=sys.stderr)"
    )

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stderr.split()

    assert "agent_orchestrator.services.reports" in modules
    heavy = ("rich", "pydantic", "anthropic", "asyncio", "subprocess", "concurrent", "dotenv", "prompt_toolkit")
    heavy += ("pathlib", "urllib", "dataclasses")
    ours = ("planning", "runtime", "providers", "workspaces")
    unwanted = heavy + tuple(f"agent_orchestrator.{name}" for name in ours)
    assert [name for name in modules if name.startswith(tuple(f"{one}." for one in unwanted)) or name in unwanted] == []


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["events"],
        ["report"],
        ["report", "--markdown"],
        ["task", "a"],
        ["agents", "--all"],
        ["specialists", "--route", HOSTILE],
    ],
    ids=" ".join,
)
def test_a_hostile_text_steers_nothing_in_any_view(here: App, words: list[str]) -> None:
    hostile_goal(here)

    said = orchestrate(*words)

    assert said.code == 0
    assert "Fix login" in said.out
    assert is_harmless(said.out + said.err)
    assert max(len(line) for line in said.lines) < 2500


def test_hostile_text_in_json_stays_data_and_valid(here: App) -> None:
    hostile_goal(here)

    for words in (["status", "--json"], ["report", "--json"], ["task", "a", "--json"]):
        out = orchestrate(*words).out
        json.loads(out)
        assert "\x1b" not in out and "\x07" not in out


def test_markdown_lets_no_markup_of_an_agent_through(here: App) -> None:
    hostile_goal(here)

    out = orchestrate("report", "--markdown").out

    assert "<script" not in out and not re.search(r"(?<!\\)\]\(", out)
    assert out.count("\n# ") == 0 and out.startswith("# ")


def test_a_terminal_that_cannot_show_a_character_gets_a_question_mark(here: App) -> None:
    accept(here, replace(planned("a"), title="登録"), text="登録 form")

    said = orchestrate("status", encoding="ascii")

    assert said.code == 0 and "?? form" in said.out


def test_a_reader_that_leaves_is_no_error(here: App) -> None:
    accept(here, *(planned(f"t{number}") for number in range(300)))
    for words in ("status", "report", "events -n 1000"):
        script = f"{sys.executable} -m agent_orchestrator {words} | head -1"

        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120)

        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""


def test_events_come_as_one_document_a_line(here: App) -> None:
    goal, tasks = accept(here, planned("a"))
    accept(here, planned("b"), text="Another")
    land(here, claim(here))

    found = [json.loads(line) for line in orchestrate("events", "--json", "--goal", goal.id).lines]

    assert [one["type"] for one in found][:2] == ["goal.accepted", "task.claimed"]
    assert {one["goal"] for one in found} == {goal.id}
    only = [json.loads(line) for line in orchestrate("events", "--json", "--task", tasks["a"].id, "-n", "1").lines]
    assert [one["type"] for one in only] == ["task.done"]


def test_events_are_narrowed_by_type_and_by_kind(here: App) -> None:
    accept(here, planned("a"))
    land(here, claim(here))

    def types(*words: str) -> set[str]:
        return {json.loads(one)["type"] for one in orchestrate("events", "--json", *words).lines}

    assert types("--type", "task.done") == {"task.done"}
    assert types("--type", "task") == {one for one in types() if one.startswith("task.")} > {"task.done"}
    assert types("--type", "goal", "--type", "task.done") == {"goal.accepted", "task.done"}
    assert types("--type", "tas") == set()


def test_followed_events_appear_as_they_happen_and_end_with_ctrl_c(here: App, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen([*ORCHESTRATE, "events", "-f", "--json"], stdout=out, stderr=subprocess.STDOUT)
    try:
        accept(here, planned("a"))
        wait_for(lambda: b"goal.accepted" in said.read_bytes())
        land(here, claim(here))
        wait_for(lambda: b"task.done" in said.read_bytes())
    finally:
        process.send_signal(signal.SIGINT)

    assert process.wait(120) == 0
    seqs = [json.loads(line)["seq"] for line in said.read_text().splitlines()]
    assert seqs == sorted(set(seqs))


def test_following_an_untouched_project_sees_its_first_goal(untouched: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen([*ORCHESTRATE, "events", "-f"], stdout=out, stderr=subprocess.STDOUT)
    try:
        app = build(untouched)
        accept(app, planned("a"))
        app.store.close()
        wait_for(lambda: b"goal.accepted" in said.read_bytes())
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0


def test_ctrl_c_ends_a_followed_log_well_even_before_the_following_has_begun(
    here: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(here, planned("a"))
    say = render.say

    def interrupted(*words: Any, **how: Any) -> None:
        if "goal.accepted" in str(words[0]):
            os.kill(os.getpid(), signal.SIGINT)
        say(*words, **how)

    monkeypatch.setattr(render, "say", interrupted)

    ran = orchestrate("events", "-f")

    assert ran.code == 0 and ran.err == ""
    assert "goal.accepted" in ran.out


def test_a_report_begins_with_the_verdict_and_what_needs_the_user(here: App) -> None:
    goal, _ = accept(here, planned("a"), planned("b"))
    first = here.tasks.started(claim(here))
    here.tasks.handed_in(first)
    passed = CheckRun(
        command="pytest -q", origin="project", result=CheckResult.PASSED, exit_code=0, duration_ms=12_000, tail=""
    )
    evidence = Evidence(checks=(passed,), files=("src/a.py",), insertions=3, deletions=1)
    first = replace(first, usage=Usage(cost_micro_usd=420_000, cost_is_estimate=True))
    here.tasks.landing(first, evidence)
    here.tasks.finished(first, verdict=Verdict.VERIFIED, commit="abc", evidence=evidence)
    failed = fail(here, claim(here), outcome=Outcome.CONFLICT, reason="it clashes")
    with here.store.transaction():
        here.events.record("base.checked", goal=goal, result="failed", command="pytest -q", failures=["test_old"])
    over = here.goals.settle(goal.id)
    assert over is not None
    here.goals.update(goal.id, state=GoalState.EXECUTING, result_branch="orchestrate/g/result")
    here.goals.update(
        goal.id, state=GoalState.FAILED, reason=over.reason, delivery=Delivery.WAITING, delivery_note="main has changes"
    )

    out = orchestrate("report").out

    order = [
        "Failed: 1 failed",
        "failed on the base (test_old)",
        "Needs you",
        "it clashes",
        f"orchestrate retry {failed.id}",
        "main has changes",
        "git merge orchestrate/g/result",
        "Tasks (1 of 2 done)",
        "[done, verified]",
        "`pytest -q` passed (exit 0, 12 s)",
        "src/a.py (+3 -1)",
        "cost: about $0.42 (estimate)",
    ]
    places = [out.find(one) for one in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_a_report_tells_equal_attempts_once(here: App) -> None:
    accept(here, planned("a"))
    for outcome in (Outcome.CANCELLED, Outcome.LIMITED, Outcome.LIMITED):
        here.tasks.ended(claim(here), outcome=outcome, reason=f"why {outcome}")

    assert "3 attempts: cancelled (why cancelled), then 2 × limited (why limited)" in orchestrate("report").out


def test_a_report_is_about_the_newest_goal_unless_told(here: App, clock: HandClock) -> None:
    old, _ = accept(here, planned("a"), text="The old one")
    clock.advance(timedelta(seconds=1))
    accept(here, planned("b"), text="The new one")

    assert "The new one" in orchestrate("report").out
    assert "The old one" in orchestrate("report", old.id).out
    assert json.loads(orchestrate("report", old.id, "--json").out)["id"] == old.id


def test_unknown_and_ambiguous_names_end_with_one_line_and_their_code(here: App) -> None:
    accept(here, planned("part-one"), planned("part-two"))

    for words in (["report", "gzzz"], ["task", "nope"], ["logs", "nope"], ["diff", "nope"], ["events", "--task", "no"]):
        said = orchestrate(*words)
        assert (said.code, said.out) == (4, "")
        assert said.err.startswith("orchestrate: ") and "Traceback" not in said.err
    said = orchestrate("task", "part")
    assert said.code == 2 and "could be" in said.err
    said = orchestrate("retry", "part", "--json")
    assert said.code == 2 and json.loads(said.out)["error"]["code"] == "ambiguous"


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    from agent_orchestrator.cli import SECTIONS
    from agent_orchestrator.cli import orchestrate as group

    ours = {"reports", "tasks", "agents", "live"}
    for section in SECTIONS.values():
        for name, (module, about) in section.items():
            if module in ours:
                command = group.get_command(None, name)  # type: ignore[arg-type] # the context is not looked at
                assert command is not None and (command.help or "").splitlines()[0] == about


def test_status_says_how_many_ended_goals_it_leaves_out(here: App, clock: HandClock) -> None:
    for number in range(RECENT_GOALS + 2):
        goal, _ = accept(here, planned("a"), text=f"Goal {number}")
        here.goals.cancel(goal.id)
        clock.advance(timedelta(seconds=1))
    accept(here, planned("b"), text="Open")

    said, told = orchestrate("status").out, json.loads(orchestrate("status", "--json").out)

    assert "… and 2 before" in said
    assert told["ended_before"] == 2 and len(told["goals"]) == RECENT_GOALS + 1


def test_a_long_goal_is_in_the_report_and_on_the_page_and_below_what_was_tried(here: App) -> None:
    text = "Write the ledger.\n" + "It has accounts. " * 90 + "\nIt ends here."
    _, (task,) = here.goals.accept(
        Plan(goal=text, source="file", tasks=(replace(planned("a"), description=text),)), Submission(text=text)
    )

    for shown in orchestrate("report").out, orchestrate("report", "--html").out:
        assert "It ends here." in shown
    lines = orchestrate("task", task.id).out
    assert lines.index("not been started") < lines.index("Description") < lines.index("It ends here.")
