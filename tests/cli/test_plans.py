"""plan, plan-list, plan-continue, execute-plan, called as a user's shell does."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agent_orchestrator.app import build
from agent_orchestrator.planning.changes import KEYS
from calling import Caller
from pages import DOCS
from schemas import wrong

GOAL = "Add a login page, then write its tests, then document it"


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "project", ORCHESTRATE_PLANNER="rules")


def test_a_plan_is_saved_and_not_queued_without_consent(call: Caller) -> None:
    saved = call("plan", GOAL, "--json").json

    assert saved["state"] == "planning"
    assert (saved["goal"], saved["tasks"]) == (None, saved["plan"]["tasks"])
    assert [plan["id"] for plan in call("plan-list", "--json").json["plans"]] == [saved["id"]]
    assert call("cancel", "last").code == 4


def test_without_a_terminal_nothing_is_asked_and_the_next_command_is_named(call: Caller) -> None:
    answer = call("plan", GOAL, stdin=b"y\n")

    id = answer.out.split("\t")[0]
    assert answer.code == 0
    assert f"orchestrate execute-plan {id}" in answer.err
    assert call("plan-list", "--json").json["plans"][0]["state"] == "planning"


@pytest.mark.parametrize(
    ("typed", "state"),
    [
        (b"p\ny\n", "executed"),
        (b"y\n", "executed"),
        (b"p\nn\nq\n", "approved"),
        (b"p\n\nq\n", "approved"),
        (b"q\n", "planning"),
    ],
)
def test_on_a_terminal_the_user_is_asked_and_the_answer_counts(call: Caller, typed: bytes, state: str) -> None:
    code, shown = call.on_terminal("plan", "Fix the typo in the README", "--name", "mine", typed=b"\n" + typed)

    assert code == 0
    assert "plan> " in shown
    assert call("plan-list", "--json").json["plans"][0]["state"] == state


def test_without_a_terminal_what_the_plan_had_to_guess_is_told_with_how_to_answer_it(call: Caller) -> None:
    asked = call("plan", "Create a blog platform with login", "--name", "blog")
    answers = call.folder / "answers.json"
    answers.write_text(re.sub("…", "Flask", asked.err.split("which holds\n")[1].splitlines()[0]))

    applied = call("plan-continue", "blog", "--apply", "answers.json")
    now = call("plan-continue", "blog", "--yes")

    assert "1 Which language and framework" in asked.err and "default: The first task chooses" in asked.err
    assert "orchestrate plan-continue blog --apply answers.json" in asked.err
    assert applied.code == 0, applied.err
    assert "Which language" not in now.err and "these defaults hold" in now.err
    assert "default: SQLite" in now.err and "--apply" not in now.err
    assert "hold" not in call("plan", "Fix the typo in the README", "--verify", "true").err


def test_yes_queues_the_plan_at_once(call: Caller) -> None:
    queued = call("plan", GOAL, "--yes", "--json").json

    assert queued["state"] == "executed"
    assert queued["goal"]["source"] == "rules"
    assert [task["key"] for task in queued["tasks"]] == [task["id"] for task in queued["plan"]["tasks"]]


def test_a_plan_is_queued_with_as_many_attempts_as_the_settings_say(call: Caller) -> None:
    queued = call("plan", GOAL, "--yes", "--json", ORCHESTRATE_MAX_ATTEMPTS="5").json

    assert {task["max_attempts"] for task in queued["tasks"]} == {5}


def test_a_plan_that_nobody_wants_any_more_is_removed_and_one_that_was_queued_is_not(call: Caller) -> None:
    wanted, unwanted = call("plan", GOAL, "--json").json["id"], call("plan", GOAL, "--json").json["id"]

    left = call("plan-list", "--remove", unwanted, "--json")

    assert [one["id"] for one in left.json["plans"]] == [wanted]
    assert f"plan {unwanted} is removed" in left.err
    assert call("plan-continue", wanted, "--yes").code == 0
    assert call("plan-list", "--remove", wanted).code == 5
    assert call("plan-list", "--remove", "plan-of-nobody").code == 4


def test_a_plan_that_is_shown_again_is_the_plan_that_was_saved(call: Caller) -> None:
    saved = call("plan", GOAL, "--json").json

    again = call("plan-continue", saved["id"][:-1], "--json").json

    assert again["plan"] == saved["plan"]
    assert call("plan-continue", saved["id"], "--yes", "--json").json["state"] == "executed"


def test_a_plan_is_queued_once(call: Caller) -> None:
    id = call("plan", GOAL, "--json").json["id"]

    assert call("execute-plan", id, "--no-run", "--json").json["goal"]["state"] == "ready"
    for words in (["execute-plan", id, "--no-run"], ["execute-plan", id], ["plan-continue", id, "--yes"]):
        answer = call(*words)
        assert answer.code == 5
        assert "executed already" in answer.err


def test_a_plan_that_could_not_run_is_not_queued(call: Caller) -> None:
    id = call("plan", GOAL, "--json").json["id"]

    answer = call("execute-plan", id, PATH="/nonexistent")

    assert answer.code == 8
    assert call("plan-list", "--json").json["plans"][0]["state"] == "planning"


def test_unknown_and_ambiguous_plans_are_refused(call: Caller) -> None:
    ids = {call("plan", text, "--json").json["id"] for text in ("same words", "same words")}

    assert call("execute-plan", "nothing").code == 4
    ambiguous = call("plan-continue", "plan-same-words")
    assert ambiguous.code == 2
    assert all(id in ambiguous.err for id in ids)


def test_listing_plans_leaves_an_untouched_project_untouched(call: Caller) -> None:
    assert call("plan-list").code == 0
    assert not list(Path(call.environ["HOME"]).rglob("tasks.db"))


def test_a_plan_goes_into_a_file_and_back(call: Caller, tmp_path: Path) -> None:
    saved = call("plan", GOAL, "--name", "mine", "--json").json
    for name in ("plan.yaml", "plan.md", "plan.json"):
        file = tmp_path / name
        assert call("plan-continue", "mine", "--export", str(file)).code == 0
        assert "nothing is different" in call("plan-continue", "mine", "--apply", str(file)).err
        again = call("plan", "--from", str(file), "--json").json
        assert (again["hash"], again["plan"]["goal"]) == (saved["hash"], saved["plan"]["goal"])
    printed = call("plan-continue", "mine", "--export", "-")
    assert printed.out == (tmp_path / "plan.yaml").read_text()


def test_a_plan_is_not_written_where_it_could_not_be_read_back(call: Caller, tmp_path: Path) -> None:
    call("plan", GOAL, "--name", "mine", "--json")

    refused = call("plan-continue", "mine", "--export", str(tmp_path / "plan.txt"))

    assert refused.code == 2 and ".yaml" in refused.err and ".md" in refused.err and ".json" in refused.err
    assert not list(tmp_path.glob("plan*"))
    assert call("plan-continue", "mine", "--export", str(tmp_path / "plan")).code == 0, "no ending is YAML"


def test_a_plans_file_is_as_its_schema_says(call: Caller, tmp_path: Path) -> None:
    call("plan", "Create a blog platform with login", "--name", "mine", "--json")
    text = (
        call("plan-continue", "mine", "--export", str(tmp_path / "plan.json")) and (tmp_path / "plan.json").read_text()
    )
    page = (DOCS / "planning.md").read_text()
    shown = page.split("```yaml\n", 1)[1].split("```", 1)[0]
    listed = set(
        re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in page.splitlines() if row.startswith("| `")))
    )

    assert wrong("plan-file", json.loads(text)) == ""
    assert wrong("plan-file", yaml.safe_load(shown)) == ""
    assert wrong("plan-file", {"tasks": [{"title": "A", "sise": "S"}]})
    assert listed == set(KEYS)
    (tmp_path / "shown.yaml").write_text(shown)
    assert len(call("plan", "--from", str(tmp_path / "shown.yaml"), "--json").json["plan"]["tasks"]) == 2


def test_a_plan_in_a_file_is_checked_and_nothing_is_left(call: Caller, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("goal: Build it\ntasks:\n- title: Fix src/nothing/here.py\n")
    bad.write_text("goal: Build it\ntasks:\n- {id: a, title: A, depends_on: [b]}\n- {id: a, title: B}\n")

    fine, wrong = call("plan", "--from", str(good), "--check"), call("plan", "--from", str(bad), "--check")

    assert (fine.code, "no error" in fine.err) == (0, True)
    assert "src/nothing/here.py, which the project does not have" in fine.out
    assert wrong.code == 2
    assert f"{bad}: line 3: there is no task 'b'" in wrong.err
    assert f"{bad}: line 4: two tasks have the id 'a'" in wrong.err
    assert call("plan", "--from", str(bad), "--check", "--json").json["error"]["code"] == "invalid_plan"
    assert not list(Path(call.environ["HOME"]).rglob("tasks.db"))


def test_a_program_changes_a_plan_and_sees_what_it_changed(call: Caller) -> None:
    before = call("plan", GOAL, "--name", "mine", "--json").json
    first = before["plan"]["tasks"][0]["id"]
    changes = [{"op": "modify", "task": first, "set": {"size": "L"}}, {"op": "assume", "text": "Python."}]

    after = call("plan-continue", "mine", "--apply", "-", "--json", stdin=json.dumps(changes).encode()).json
    found = call("plan-continue", "mine", "--diff", "--json").json

    assert (after["version"], after["state"]) == (2, "planning")
    assert found["changed"] == [{"task": first, "field": "size", "before": "M", "after": "L"}]
    assert (found["from"], found["to"], found["others"]) == (1, 2, ["assumed: Python."])
    assert call("plan-continue", "mine", "--diff", "2..2", "--json").json["changed"] == []
    assert call("plan-continue", "mine", "--diff", "9").code == 4


def test_changes_that_cannot_be_done_are_refused_whole(call: Caller) -> None:
    call("plan", GOAL, "--name", "mine", "--json")
    for given, code in [
        ([{"op": "assume", "text": "x"}, {"op": "remove", "task": "nothing"}], 4),
        ([{"op": "dance"}], 2),
        ([], 2),
        ({"changes": [{"op": "assume", "text": "x"}], "version": 7}, 5),
        ("text", 2),
    ]:
        answer = call("plan-continue", "mine", "--apply", "-", stdin=json.dumps(given).encode())
        assert answer.code == code, (given, answer)
    assert call("plan-continue", "mine", "--json").json["version"] == 1


def test_a_file_of_an_older_version_does_not_undo_what_was_changed_since(call: Caller, tmp_path: Path) -> None:
    call("plan", GOAL, "--name", "mine", "--json")
    file = tmp_path / "plan.yaml"
    call("plan-continue", "mine", "--export", str(file))
    call("plan-continue", "mine", "--apply", "-", stdin=b'[{"op": "assume", "text": "Python."}]')

    answer = call("plan-continue", "mine", "--apply", str(file))

    assert answer.code == 5
    assert "it is at version 2, and this is about 1" in answer.err


def test_a_file_of_a_newer_version_of_the_format_is_refused(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("format: 2\ngoal: x\ntasks: [{title: A}]\n")

    answer = call("plan", "--from", str(file))

    assert (answer.code, "is newer than this program" in answer.err) == (2, True)


def test_only_the_plan_that_was_seen_is_executed(call: Caller) -> None:
    seen = call("plan", GOAL, "--name", "mine", "--json").json["hash"]
    call("plan-continue", "mine", "--apply", "-", stdin=b'[{"op": "assume", "text": "Python."}]')

    refused = call("execute-plan", "mine", "--no-run", "--hash", seen)
    now = call("plan-continue", "mine", "--json").json["hash"]

    assert (refused.code, "not the plan that was agreed to" in refused.err) == (5, True)
    queued = call("execute-plan", "mine", "--no-run", "--hash", now[:12], "--json").json
    assert queued["state"] == "executed"


def test_answers_reach_the_agents_that_they_concern(call: Caller) -> None:
    saved = call("plan", "Create a blog platform with login", "--name", "mine", "--json").json
    at = [one["text"] for one in saved["plan"]["questions"]].index("Which database should it use?")
    (touched,) = saved["plan"]["questions"][at]["tasks"]
    change = [{"op": "answer", "question": at + 1, "answer": "PostgreSQL 18"}]

    call("plan-continue", "mine", "--apply", "-", stdin=json.dumps(change).encode())
    call("execute-plan", "mine", "--no-run")

    for task in saved["plan"]["tasks"]:
        told = call("task", task["id"], "--json").json["description"]
        assert ("PostgreSQL 18" in told) == (task["id"] == touched), told


def test_a_long_document_with_numbered_lists_comes_from_the_standard_input(call: Caller) -> None:
    document = "# Anforderungen\n\n" + "\n".join(f"{n}. Baue Seite {n} mit Formular {n}" for n in range(1, 9))

    made = call("plan", "-", "--planner", "heuristic", "--json", stdin=document.encode()).json
    again = call("plan", "-", "--planner", "heuristic", "--json", stdin=document.encode()).json

    assert made["plan"]["source"] == "rules" and len(made["plan"]["tasks"]) >= 8
    assert made["hash"] == again["hash"]


def test_a_program_that_plans_does_not_pay_for_the_session(call: Caller) -> None:
    code = (
        "import sys; from agent_orchestrator.cli import run\n"
        "try: run(['plan', 'Fix the typo', '--planner', 'rules', '--json', '--yes'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'prompt_toolkit', 'yaml', 'rich', 'pydantic', 'anthropic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=call.folder, env=call.environ, capture_output=True, timeout=60
    )

    assert ran.returncode == 0, ran.stderr.decode()


def test_a_program_finds_the_tasks_of_a_plan_where_it_finds_those_of_a_goal(call: Caller) -> None:
    goal = b"Build a REST API for invoices with JWT authentication"

    planned = call("plan", "-", "--planner", "heuristic", "--json", stdin=goal).json
    queued = call("plan", "-", "--planner", "heuristic", "--json", "--yes", stdin=goal).json

    assert planned["goal"] is None
    assert planned["tasks"] == planned["plan"]["tasks"] != []
    assert [task["key"] for task in queued["tasks"]] == [task["id"] for task in planned["tasks"]]


def test_a_plan_says_what_to_expect_in_text_in_json_and_before_it_is_queued(call: Caller) -> None:
    shown = call("plan", GOAL, "--name", "mine").err
    told = call("plan-continue", "mine", "--json").json["forecast"]
    queued = call("execute-plan", "mine", "--no-run").err

    expected = next(line for line in shown.splitlines() if line.startswith("likely "))
    assert "(P50, P90)" in expected and "assumed per size: no history yet" in expected
    assert expected in queued.splitlines()
    assert 0 < told["p50_s"] < told["p90_s"] and told["from_tasks"] == 0
    assert told["cost"] is None and told["cost_unknown"] in expected
    assert {one["task"] for one in told["decides"]} >= set(told["critical"])


def test_a_forecast_learns_from_what_was_done_in_the_project(call: Caller) -> None:
    call.environ |= {"ORCHESTRATE_PROVIDER": "generic", "ORCHESTRATE_GENERIC_COMMAND": "true"}
    before = call("plan", GOAL, "--json").json["forecast"]
    for number in range(2):
        call("submit", f"Say {number}", "--no-change")
    assert call("run").code == 0

    after = call("plan", GOAL, "--json").json["forecast"]

    assert (before["from_tasks"], after["from_tasks"]) == (0, 2)
    assert after["p50_s"] < before["p50_s"], "they took seconds, not minutes"


def test_a_tier_whose_model_has_a_price_has_a_cost_and_it_is_never_told_as_nothing(call: Caller) -> None:
    call.environ |= {"ORCHESTRATE_PROVIDER": "api"}

    cost = call("plan", GOAL, "--json").json["forecast"]["cost"]

    assert cost["from_tasks"] == 0
    assert 0.01 <= cost["p50_usd"] < cost["p90_usd"]
    assert cost["assumed"] == "tokens"
    assert "(assumed: tokens)" in call("plan", GOAL).err


def test_a_cost_by_the_clis_own_choice_of_model_is_assumed_and_one_of_a_users_model_without_a_price_not(
    call: Caller,
) -> None:
    told = {}
    for name in ("claude", "codex", "gemini", "opencode"):
        call.environ["ORCHESTRATE_PROVIDER"] = name
        told[name] = call("plan", GOAL, "--planner", "rules", "--json").json["forecast"]
    chosen = call("plan", GOAL, "--planner", "rules", "--json", ORCHESTRATE_PROVIDER="codex",
                  ORCHESTRATE_CODEX_MODEL="mine").json["forecast"]  # fmt: skip

    assert told["claude"]["cost"]["assumed"] == "tokens, and claude-opus-5-5 by claude's own choice"
    assert told["codex"]["cost"]["assumed"] == (
        "tokens, and gpt-6.1-sol by codex's own choice, at the price of the dearest model known"
    )
    for name in ("gemini", "opencode"):
        assert told[name]["cost"] is None
        assert told[name]["cost_unknown"] == f"{name} chooses its model itself; set {name}_model"
    assert chosen["cost"] is None and chosen["cost_unknown"] == "no price of mine; the setting prices takes one"


WISHES = ("--priority", "high", "--budget", "5,8h", "--verify", "make check", "--context", "We like it short.")


def test_what_is_wished_with_a_plan_holds_when_it_is_queued_also_after_it_was_changed(call: Caller) -> None:
    saved = call("plan", GOAL, "--name", "mine", *WISHES, "--json").json
    call("plan-continue", "mine", "--apply", "-", stdin=b'[{"op": "assume", "text": "Python."}]')
    queued = call("execute-plan", "mine", "--no-run", "--json").json

    assert saved["wishes"] == {
        "priority": 10, "budget": "5,8h", "verify": "make check", "context": "We like it short.",
    }  # fmt: skip
    assert queued["wishes"] == saved["wishes"]
    goal = call("report", queued["goal"]["id"], "--json").json
    assert (goal["budget_usd"], goal["budget_minutes"]) == (5.0, 480)
    app = build(call.folder, environ=call.environ)
    stored = app.goals.resolve("last")
    assert (stored.priority, stored.verify) == (10, "make check")
    assert {(task.priority, task.context) for task in app.store.tasks.of_goal(stored.id)} == {(10, "We like it short.")}
    app.close()


def test_what_is_wished_when_a_plan_is_queued_beats_what_was_wished_with_it(call: Caller) -> None:
    call("plan", GOAL, "--name", "mine", *WISHES)

    queued = call("execute-plan", "mine", "--no-run", "--priority", "0", "--budget", "2M tokens", "--json").json

    assert (queued["wishes"]["priority"], queued["wishes"]["budget"]) == (0, "2M tokens")
    assert queued["wishes"]["context"] == "We like it short."
    assert queued["goal"]["budget_usd"] is None and queued["goal"]["budget_tokens"] == 2_000_000


def test_a_wish_that_cannot_be_is_refused_before_anything_is_planned_or_queued(call: Caller) -> None:
    assert call("plan", GOAL, "--budget", "much").code == 2
    assert call("plan", GOAL, "--priority", "101").code == 2
    assert call("plan-list", "--json").json["plans"] == []
    call("plan", GOAL, "--name", "mine")
    assert call("execute-plan", "mine", "--no-run", "--budget", "-1").code == 2
    assert call("plan-continue", "mine", "--json").json["state"] == "planning"


@pytest.mark.parametrize("verify", ["", "make check"])
def test_a_change_that_is_applied_adds_no_question_that_nobody_asked(call: Caller, verify: str, tmp_path: Path) -> None:
    call.environ["ORCHESTRATE_VERIFY"] = verify
    call("plan", "Fix the typo in the README", "--name", "mine")
    assert "language" not in call("plan-continue", "mine", "--json").out, "one small task asks for none"

    added = b'[{"op": "add", "title": "Create a blog", "description": "A blog with a database."}]'
    after = call("plan-continue", "mine", "--apply", "-", "--json", stdin=added).json["plan"]
    assert len(after["tasks"]) == 2 and not [one for one in after["questions"] if "language" in one["text"]]

    file = tmp_path / "bare.yaml"
    file.write_text(
        yaml.safe_dump({"goal": GOAL, "questions": [], "tasks": [{"title": "Read it"}, {"title": "Do it"}]})
    )
    assert call("plan-continue", "mine", "--apply", str(file), "--json").json["plan"]["questions"] == []


def test_a_project_with_a_language_is_not_asked_for_one_also_where_its_check_is_set(call: Caller) -> None:
    (call.folder / "app.py").write_text("x = 1\n")
    call.environ["ORCHESTRATE_VERIFY"] = "make check"

    asked = [
        one["text"] for one in call("plan", "Create a blog platform with login", "--json").json["plan"]["questions"]
    ]

    assert any("sign in" in one for one in asked)
    assert not [one for one in asked if "language" in one or "command" in one]
