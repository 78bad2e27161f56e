"""submit, cancel, undo, called as a user's shell does."""

import subprocess
from pathlib import Path

import pytest

from calling import Caller

NASTY = "Fix $(touch pwned) `id` 🎉 \x1b[31mred\x1b]52;c;cm0=\x07\nsecond line; rm -rf / \u202e"


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "project")


def test_a_submitted_goal_is_in_the_queue_when_the_command_returns(call: Caller) -> None:
    answer = call("submit", "Add a health check endpoint", "--json")

    assert answer.code == 0
    submitted = answer.json
    assert submitted["goal"]["state"] == "ready"
    assert [task["goal"] for task in submitted["tasks"]] == [submitted["goal"]["id"]]
    assert submitted["plan"]["source"] == "single"
    assert call("submit", "-d", "--planner", "rules", "x", "--dry-run").code == 0
    assert call("cancel", submitted["tasks"][0]["id"]).code == 0


def test_a_goal_is_kept_to_the_letter_and_shown_cleaned(call: Caller) -> None:
    answer = call("submit", NASTY)
    as_json = call("submit", NASTY, "--json").json

    assert as_json["goal"]["text"] == NASTY
    assert answer.code == 0
    assert not set("\x1b\x07\u202e") & set(answer.out + answer.err)
    assert not (call.folder / "pwned").exists()


def test_text_that_begins_with_a_dash_goes_after_two_dashes(call: Caller) -> None:
    assert call("submit", "--json", "--", "--yes means no").json["goal"]["text"] == "--yes means no"


def test_a_goal_comes_from_standard_input_or_a_file(call: Caller) -> None:
    (call.folder / "goal.md").write_text("From a file\n\nwith details\n")

    assert call("submit", "-", "--json", stdin="Von der Eingabe – ü".encode()).json["goal"]["text"] == (
        "Von der Eingabe – ü"
    )
    assert call("submit", "@goal.md", "--json").json["goal"]["text"] == "From a file\n\nwith details\n"


@pytest.mark.parametrize(
    ("words", "stdin", "code", "says"),
    [
        (["submit", ""], None, 2, "empty"),
        (["submit", " \n "], None, 2, "empty"),
        (["submit", "-"], None, 2, "empty"),
        (["submit", "-"], b"a\0b", 2, "NUL"),
        (["submit", "-"], b"\xff\xfe\xfd", 2, "UTF-8"),
        (["submit", "-"], b"x" * 1_000_000, 2, "262,144"),
        (["submit", "@nowhere.md"], None, 2, "No such file"),
        (["submit", "@."], None, 2, "directory"),
        (["submit", "@/dev/zero"], None, 2, "262,144"),
        (["submit", "--agent", "backend-system-engineer", "x"], None, 4, "did you mean backend-systems-engineer"),
        (["submit", "--priority", "101", "x"], None, 2, "0 to 100"),
        (["submit", "--priority", "urgent", "x"], None, 2, "0 to 100"),
        (["submit", "--provider", "claud", "x"], None, 2, "did you mean claude"),
        (["submit", "--provider", "generic", "x"], None, 2, "set generic_command"),
        (["submit", "--budget", "nan", "x"], None, 2, "amount"),
        (["submit", "--depends-on", "nothing", "x"], None, 4, "no task"),
        (["submit", "-d", "--agent", "generalist", "x"], None, 2, "--agent"),
        (["submit", "-d", "--depends-on", "t", "x"], None, 2, "--depends-on"),
        (["submit", "--planner", "rules", "x"], None, 2, "--decompose"),
        (["cancel", "nothing"], None, 4, "no task or goal"),
        (["undo", "last"], None, 4, "no goal"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    call: Caller, words: list[str], stdin: bytes | None, code: int, says: str
) -> None:
    answer = call(*words, stdin=stdin)

    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    error = call(*words, "--json", stdin=stdin)
    assert error.code == code
    assert set(error.json["error"]) == {"code", "message", "hint"}


def test_a_refused_submit_queues_nothing(call: Caller) -> None:
    call("submit", "--depends-on", "nothing", "x")

    assert call("cancel", "last").code == 4


def test_a_closed_standard_input_is_an_error_not_a_hang(call: Caller) -> None:
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *call.argv("submit", "-")],
        cwd=call.folder,
        env=call.environ,
        capture_output=True,
        timeout=120,
    )

    assert ran.returncode == 2
    assert b"no standard input" in ran.stderr


def test_options_reach_the_task(call: Caller) -> None:
    words = ["--agent", "qa-test-engineer", "--priority", "high", "--tier", "heavy", "--verify", "make check"]
    task = call("submit", "x", *words, "--max-attempts", "5", "--provider", "codex", "--json").json["tasks"][0]

    wanted = {"specialist": "qa-test-engineer", "priority": 10, "tier": "heavy", "verify": "make check"}
    assert {key: task[key] for key in wanted} == wanted
    assert (task["max_attempts"], task["provider"]) == (5, "codex")


def test_no_change_says_in_the_plan_that_the_result_is_an_answer(call: Caller) -> None:
    plan = call("submit", "How does login work?", "--no-change", "--json").json["plan"]

    assert plan["tasks"][0]["expects_change"] is False


def test_a_task_that_depends_on_another_joins_its_goal_and_waits(call: Caller) -> None:
    first = call("submit", "first", "--json").json
    second = call("submit", "second", "--depends-on", first["tasks"][0]["id"], "--json").json

    assert second["goal"]["id"] == first["goal"]["id"]
    assert [task["title"] for task in second["tasks"]] == ["second"]
    assert second["tasks"][0]["state"] == "blocked"
    assert second["tasks"][0]["depends_on"] == [first["tasks"][0]["key"]]


def test_a_goal_split_by_rules_says_so(call: Caller) -> None:
    words = ["submit", "-d", "--planner", "rules", "Add a login page, then write its tests, then document it"]
    answer = call(*words)
    as_json = call(*words, "--json").json

    assert "planned by rules" in answer.err
    assert as_json["plan"]["source"] == as_json["goal"]["source"] == "rules"
    assert len(as_json["tasks"]) == len(as_json["plan"]["tasks"]) > 1
    assert len(answer.out.splitlines()) == 1 + len(as_json["tasks"])


def test_a_dry_run_shows_the_plan_and_leaves_no_trace(call: Caller) -> None:
    answer = call("submit", "--dry-run", "x", "--json")

    assert answer.json["goal"] is None
    assert answer.json["plan"]["tasks"][0]["description"] == "x"
    assert not list(Path(call.environ["HOME"]).rglob("tasks.db"))


def test_a_task_is_cancelled_by_its_id_and_a_goal_with_all_its_tasks(call: Caller) -> None:
    one = call("submit", "one", "--json").json
    two = call("submit", "two", "--json").json

    assert call("cancel", one["tasks"][0]["id"], "--json").json["task"]["state"] == "cancelled"
    cancelled = call("cancel", two["goal"]["id"], "--json").json["goal"]
    assert cancelled["state"] == "cancelled"
    assert [task["state"] for task in cancelled["tasks"]] == ["cancelled"]
    assert call("cancel", two["goal"]["id"]).code == 5


def test_an_ambiguous_name_is_refused_with_what_it_could_mean(call: Caller) -> None:
    first = call("submit", "one", "--json").json["goal"]["id"]
    second = call("submit", "two", "--json").json["goal"]["id"]

    answer = call("cancel", "g")

    assert answer.code == 2
    assert first in answer.err and second in answer.err


def test_only_a_delivered_goal_is_taken_back(call: Caller) -> None:
    call("submit", "one")

    answer = call("undo", "last")

    assert answer.code == 5
    assert "not_yet" in answer.err


@pytest.mark.parametrize("name", ["claude", "codex", "Claude"])
def test_an_agents_name_for_a_specialist_is_the_generalist_by_that_agent(call: Caller, name: str) -> None:
    task = call("submit", "Write unit tests", "--agent", name, "--json").json["tasks"][0]

    assert (task["specialist"], task["provider"]) == ("generalist", name.lower())


def test_any_is_the_generalist_by_whatever_agent_there_is(call: Caller) -> None:
    task = call("submit", "Write unit tests", "--agent", "any", "--json").json["tasks"][0]

    assert (task["specialist"], task["provider"]) == ("generalist", None)


def test_an_agents_name_for_a_goal_that_is_split_leaves_the_specialists_to_the_plan(call: Caller) -> None:
    goal = "Add a login page, then write its tests, then document it"

    tasks = call("submit", "-d", "--planner", "rules", goal, "--agent", "codex", "--json").json["tasks"]

    assert {task["provider"] for task in tasks} == {"codex"}
    assert len({task["specialist"] for task in tasks}) > 1


def test_two_agents_for_one_task_are_refused(call: Caller) -> None:
    answer = call("submit", "x", "--agent", "claude", "--provider", "codex")

    assert answer.code == 2 and "two agents" in answer.err


def test_a_specialist_that_has_an_agents_name_is_meant_before_the_agent(call: Caller) -> None:
    folder = call.folder / ".orchestrate" / "agents"
    folder.mkdir(parents=True)
    (folder / "codex.md").write_text("---\nname: codex\n---\nYou keep the codex of this house.\n")

    task = call("submit", "x", "--agent", "codex", "--json").json["tasks"][0]

    assert (task["specialist"], task["provider"]) == ("codex", None)


def test_who_gets_a_task_by_a_guess_is_told_as_a_guess(call: Caller) -> None:
    vague, clear = call("submit", "Do the thing"), call("submit", "Write pytest unit tests and fixtures")

    assert "a guess" in vague.err and "generalist" in vague.err
    assert "a guess" not in clear.err
    assert "a guess" not in call("submit", "Do the thing", "--agent", "backend").err


VAGUE = "Handle time zones in the report"
"""Neither a word nor a path of it speaks for anybody."""


def test_a_goal_that_says_nothing_of_who_does_it_goes_where_a_plan_of_it_would(call: Caller) -> None:
    (call.folder / "report.rs").write_text("fn main() {}\n")

    submitted = call("submit", VAGUE, "--json").json["plan"]["tasks"][0]
    planned = call("plan", VAGUE, "--planner", "rules", "--json").json["plan"]["tasks"][0]
    told = call("specialists", "--route", VAGUE, "--json").json

    assert submitted["agent_type"] == told["specialist"] == planned["agent_type"] == "backend-systems-engineer"
    assert submitted["routing"] == planned["routing"]
    assert told["guess"] is True and told["reason"] == planned["routing"]["reason"]
    assert "a guess" in call("submit", VAGUE).err


def test_a_goal_is_queued_in_an_empty_folder_without_git(call: Caller) -> None:
    answer = call("submit", VAGUE, "--json")

    assert answer.code == 0 and answer.json["goal"]["state"] == "ready"
