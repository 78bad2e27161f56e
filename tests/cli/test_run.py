"""run, stop, demo: real supervisors, real git, agents that are shell scripts."""

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.cli import running
from agent_orchestrator.domain.goal import Goal, GoalState
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.runtime.running import Ran
from calling import Caller, wait_for
from steps import accept, planned


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    caller = Caller(tmp_path / "project")
    caller.with_agent(tmp_path)
    return caller


@pytest.fixture
def repository(call: Caller) -> Caller:
    (call.folder / "README").write_text("hello\n")
    call.begin_repository()
    return call


def test_nothing_to_do_is_said_and_exits_3(call: Caller) -> None:
    answer = call("run")

    assert answer.code == 3
    assert "orchestrate submit" in answer.err


def test_a_missing_agent_is_found_before_anything_starts(call: Caller) -> None:
    call("submit", "x")

    answer = call("run", ORCHESTRATE_PROVIDER="claude", PATH="/nonexistent")

    assert answer.code == 8
    assert "npm install" in answer.err


def test_the_home_folder_is_not_taken_for_a_project(call: Caller) -> None:
    call.environ["HOME"] = str(call.folder)
    call("submit", "x")

    answer = call("run", ORCHESTRATE_PROVIDER="demo")

    assert answer.code == 8
    assert "is not a project: agents would work on everything in it" in answer.err
    assert [path.name for path in call.folder.iterdir()] in ([], [".local"])


def test_without_a_verb_and_with_help_the_help_is_shown_and_nothing_around_it(call: Caller) -> None:
    assert call().err.startswith("Usage: orchestrate ")
    assert call("help", "run").out == call("run", "--help").out


def test_a_setting_that_is_no_number_is_told_in_words(call: Caller) -> None:
    answer = call("submit", "x", ORCHESTRATE_MAX_AGENTS="many")

    assert answer.code == 2
    assert "'many' must be a whole number from 1 to 100" in answer.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--until", "25:99"], 2),
        (["--until", "2020-01-01"], 2),
        (["--for", "soon"], 2),
        (["--budget", "inf"], 2),
        (["--max-agents", "0"], 2),
        (["--isolation", "jail"], 2),
        (["--provider", "claud"], 2),
        (["--goal", "nothing"], 4),
    ],
)
def test_impossible_options_are_refused_before_anything_starts(call: Caller, words: list[str], code: int) -> None:
    call.environ["HOME"] = str(call.folder)
    call("submit", "x")

    answer = call("run", *words, "--json")

    assert answer.code == code
    assert answer.json["error"]["message"]
    assert call("status", "--json").json["supervisor"]["pid"] is None


def test_a_goal_is_worked_on_delivered_and_can_be_taken_back(repository: Caller) -> None:
    goal = repository("submit", "Work", "--json").json["goal"]["id"]

    ran = repository("run", "--json")

    assert ran.code == ran.json["exit_code"] == 0
    assert [(one["id"], one["state"], one["delivery"]) for one in ran.json["goals"]] == [
        (goal, "completed", "delivered")
    ]
    assert (repository.folder / "work.txt").read_text() == "work\n"
    assert repository("undo", goal, "--json").json["goal"]["delivery"] == "undone"
    assert not (repository.folder / "work.txt").exists()
    assert repository("undo", goal).code == 5
    assert "goal.undone" in repository("events", "--json").out


def test_a_cost_that_no_agent_told_is_unknown_and_not_zero(repository: Caller) -> None:
    repository("submit", "Work")
    assert repository("run").code == 0

    report = repository("report", "--json").json

    assert report["spend"]["cost_usd"] is None and report["tasks"][0]["attempts"][0]["usage"]["cost_usd"] is None
    assert repository("status", "--json").json["spend"]["cost_usd"] is None
    message = repository.git("log", "-1", "--format=%B")
    assert "Verified-by:" in message and "Cost-USD" not in message


def test_a_review_says_of_an_agent_without_sessions_that_it_begins_anew(repository: Caller) -> None:
    goal = repository("submit", "Work", "--json").json["goal"]["id"]
    assert repository("run").code == 0

    commented = repository("review", goal, "--comment", "more")

    assert commented.code == 0, commented
    assert "generic has no session to go on in" in commented.out


def test_a_goal_of_several_tasks_is_not_decided_on_at_once(repository: Caller) -> None:
    first = repository("submit", "Work", "--json").json
    second = repository("submit", "More work", "--depends-on", first["tasks"][0]["id"], "--json").json

    refused = repository("review", first["goal"]["id"], "--accept")

    assert refused.code == 2 and f"{first['goal']['id']} is a goal" in refused.err
    assert all(one["id"] in refused.err for one in [*first["tasks"], *second["tasks"]])


def test_a_run_of_one_goal_finds_it_however_many_are_before_it(repository: Caller) -> None:
    app = build(repository.folder, environ=repository.environ)
    for number in range(21):
        accept(app, planned(f"t{number}"), text=f"Goal {number}")
    last, _ = accept(app, planned("last"), text="The last one")
    app.store.close()

    ran = repository("run", "--goal", last.id, "--json")

    assert ran.code == 0, ran.err
    assert [(goal["id"], goal["state"]) for goal in ran.json["goals"]] == [(last.id, "completed")]
    assert repository("status", "--json").json["counts"]["ready"] == 21


def test_without_a_terminal_the_log_is_plain_lines_with_the_time(repository: Caller) -> None:
    repository("submit", "Work")

    answer = repository("run")

    assert re.search(r"^\d\d:\d\d:\d\d generic-\w+ starts work", answer.err, re.MULTILINE)
    assert re.fullmatch(r"g\w+\tcompleted \(unverified\)\tWork\t.*\torchestrate report g\w+\n", answer.out)


def test_uncommitted_work_is_named_and_left_out(repository: Caller) -> None:
    (repository.folder / "README").write_text("changed\n")
    repository("submit", "Work")

    answer = repository("run")

    assert "1 file (README) with uncommitted changes is left out" in answer.err
    assert "hello" in repository.git("show", "HEAD:README")
    assert (repository.folder / "README").read_text() == "changed\n"


def test_a_first_commit_is_made_only_when_told_to(call: Caller) -> None:
    (call.folder / "a.txt").write_text("a\n")
    call("submit", "Work")

    answer = call("run", "--yes")

    assert answer.code == 0
    assert call.git("log", "--format=%s").splitlines() == ["Work", "First commit"]


def test_without_git_agents_work_in_the_folder_itself_and_it_is_said(call: Caller) -> None:
    call("submit", "Work")

    answer = call("run")

    assert answer.code == 0
    assert "is not a git repository" in answer.err
    assert (call.folder / "work.txt").read_text() == "work\n"
    assert not (call.folder / ".git").exists()


def test_on_a_terminal_a_repository_is_offered_and_a_no_is_heard(call: Caller) -> None:
    call("submit", "Work")

    code, shown = call.on_terminal("run", typed=b"n\n")

    assert code == 0
    assert "Make a first commit" in shown
    assert not (call.folder / ".git").exists()


def test_the_home_folder_is_never_made_a_repository(tmp_path: Path) -> None:
    call = Caller(tmp_path / "home", HOME=str(tmp_path / "home"))
    call.with_agent(tmp_path)
    call("submit", "Work")

    answer = call("run", "--yes")

    assert answer.code == 8
    assert not (call.folder / ".git").exists()


def test_a_run_in_the_background_leads_when_the_command_returns_and_is_stopped_from_outside(
    repository: Caller,
) -> None:
    goal = repository("submit", "Work", "--json").json["goal"]["id"]

    detached = repository("run", "--detach", "--json", AGENT_SLEEP="60")
    try:
        assert detached.code == 0
        pid = detached.json["pid"]
        supervisor = repository("status", "--json").json["supervisor"]
        assert (supervisor["running"], supervisor["pid"]) == (True, pid)
        second = repository("run")
        assert second.code == 5
        assert "already" in second.err
        wait_for(lambda: bool(repository("status", "--json").json["running"]))
    finally:
        stopped = repository("stop", "--now", "--wait", "--json")

    assert stopped.json == {"pid": pid, "ended": True}
    assert repository("stop").code == 3
    again = repository("run", "--json")
    assert again.code == 0
    assert again.json["goals"][0]["id"] == goal


def test_a_background_run_that_cannot_lead_gives_back_its_exit_code_and_its_words(repository: Caller) -> None:
    repository("submit", "Work", "--verify", "true")

    answer = repository("run", "--detach", "--isolation", "checkout", ORCHESTRATE_GENERIC_COMMAND="sh {nonsense}")

    assert answer.code != 0
    assert answer.err


def test_wait_begins_when_the_other_supervisor_has_ended(repository: Caller, tmp_path: Path) -> None:
    repository("submit", "Work")
    repository("run", "--detach", AGENT_SLEEP="600")
    said = tmp_path / "said"

    with (
        said.open("wb") as err,
        subprocess.Popen(
            repository.argv("run", "--wait"),
            cwd=repository.folder,
            env=repository.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        ) as waiting,
    ):
        wait_for(lambda: b"waiting for the supervisor" in said.read_bytes())
        repository("stop")

        assert waiting.wait(timeout=120) == 0
    assert repository("report", "--json").json["state"] == "completed"


def test_ctrl_c_winds_down_keeps_the_task_and_exits_130(repository: Caller) -> None:
    repository("submit", "Work")
    running_one = subprocess.Popen(
        repository.argv("run"),
        cwd=repository.folder,
        env={**repository.environ, "AGENT_SLEEP": "60"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with running_one:
        try:
            wait_for(lambda: bool(repository("status", "--json").json["running"]))
            os.kill(running_one.pid, 2)
            _, said = running_one.communicate(timeout=120)
        finally:
            running_one.kill()

    assert running_one.returncode == 130
    assert b"Traceback" not in said
    counts = repository("status", "--json").json["counts"]
    assert counts.get("failed", 0) == 0
    assert repository("run").code == 0


def test_a_run_with_its_standard_streams_closed_still_works(repository: Caller) -> None:
    repository("submit", "Work")

    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *repository.argv("run")],
        cwd=repository.folder,
        env=repository.environ,
        timeout=120,
    )

    assert ran.returncode == 0
    assert (repository.folder / "work.txt").read_text() == "work\n"


def test_the_demo_delivers_and_touches_nothing_of_the_users(tmp_path: Path) -> None:
    call = Caller(tmp_path / "project", ORCHESTRATE_DB=str(tmp_path / "mine.db"), ORCHESTRATE_VERIFY="false")

    answer = call("demo", "--pace", "0", "--keep", str(tmp_path / "show"), "--json")

    assert answer.code == 0
    assert "scripted" in answer.err.lower()
    (goal,) = answer.json["goals"]
    assert (goal["demo"], goal["verdict"], goal["delivery"]) == (True, "verified", "delivered")
    assert not (tmp_path / "mine.db").exists()
    assert not any(call.folder.iterdir())
    assert not (Path(call.environ["HOME"]) / ".local").exists()
    assert call("demo", "--keep", str(tmp_path / "show")).code == 2


def test_the_demo_in_a_repository_leaves_that_alone(repository: Caller) -> None:
    before = repository.git("for-each-ref"), repository.git("log", "--format=%H")

    answer = repository("demo", "--pace", "0", "--keep", "show", "--json")

    assert answer.code == 0, answer.err
    assert (repository.git("for-each-ref"), repository.git("log", "--format=%H")) == before
    assert "show/" in repository.git("status", "--porcelain")


def test_the_exit_code_tells_done_from_limited_from_partly() -> None:
    def goal(state: GoalState) -> Goal:
        return Goal(id=GoalId("g"), text="x", title="x", state=state, created_at=datetime.now(UTC))

    def code(*goals: Goal, stopped_by: str = "") -> int:
        return running.exit_code(Ran(goals=goals, stopped_by=stopped_by))

    done, failed, left = goal(GoalState.COMPLETED), goal(GoalState.FAILED), goal(GoalState.EXECUTING)
    assert code(done, done) == 0
    assert code(done, stopped_by="deadline") == 0
    assert code(done, left, stopped_by="budget") == 7
    assert code(done, failed) == 6
    assert code(failed, stopped_by="limit") == 6
    assert code(left, stopped_by="user") == 130
    assert running.exit_code(Ran(goals=(done,), stopped_by="", asking={done.id: 1})) == 6
    assert running.exit_code(Ran(goals=(done, left), stopped_by="budget", asking={done.id: 1})) == 7


def test_a_run_that_did_everything_does_not_say_that_something_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Its budget may be reached by the last start there was."""

    def told(state: GoalState) -> str:
        goal = Goal(id=GoalId("g"), text="x", title="x", state=state, created_at=datetime.now(UTC))
        running.tell(Ran(goals=(goal,), stopped_by="budget"))
        return capsys.readouterr().err

    assert "what is left stays in the queue: orchestrate status says" in told(GoalState.EXECUTING)
    assert "stays in the queue" not in told(GoalState.COMPLETED) + told(GoalState.FAILED)


def test_a_ceiling_that_the_agents_reports_cannot_reach_is_told_before_the_night(repository: Caller) -> None:
    repository("submit", "Add a file")

    in_dollars = repository("run", "--budget", "5")
    repository("submit", "Add another file")
    in_minutes = repository("run", "--budget", "5,90m")
    repository("submit", "--budget", "100k tokens", "Add a third file")
    of_the_goal = repository("run")
    repository("submit", "--budget", "90m", "Add a fourth file")
    of_each_task = repository("run", ORCHESTRATE_TASK_BUDGET="2")

    assert "generic reports neither dollars nor tokens" in in_dollars.err and "90m" in in_dollars.err
    assert "reports neither" not in in_minutes.err
    assert "generic reports neither" in of_the_goal.err
    assert "generic reports neither" in of_each_task.err


def test_a_run_that_begins_while_its_provider_waits_says_until_when(repository: Caller) -> None:
    app = build(repository.folder, environ=repository.environ, create=True)
    until = datetime.now(UTC) + timedelta(hours=3)
    app.holds.start("generic", HoldKind.USAGE_LIMIT, until=until, reason="usage limit reached")
    app.store.close()
    repository("submit", "Add a file")

    ran = repository("run", "--no-wait")

    assert ran.code == 7
    assert "waiting for generic until" in ran.err and "orchestrate resume generic" in ran.err, ran.err


def test_a_task_whose_role_file_has_gone_is_done_by_the_generalist_and_says_so(call: Caller) -> None:
    folder = call.folder / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "passing.md").write_text("---\nname: passing\nmaxTurns: 5\n---\nYou pass by.\n")

    def submitted(title: str) -> str:
        return str(call("submit", title, "--agent", "passing", "--json").json["tasks"][0]["id"])

    before = submitted("a")
    call("run")
    after = submitted("b")
    (folder / "passing.md").unlink()
    call("run")
    first, last = (call("task", id, "--json").json["attempts"][0] for id in (before, after))

    assert first["notes"] == ["generic cannot keep the limit on turns of the role passing: it works without that limit"]
    assert last["notes"] == ["there is no specialist passing any more; generalist stands in"]
