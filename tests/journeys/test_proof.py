"""Done means proven: what a person reads of tampered work, the goal's own check, and checks run again later."""

import sys
from pathlib import Path

from agent_orchestrator.app import build
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission
from calling import Caller

from .conftest import Begin, job

UNITTEST = f"{sys.executable} -m unittest discover -s tests -t ."
CODE = "def double(number):\n    return number * 2\n"
TESTS = """\
import unittest

from code_of_ours import double


class TestDouble(unittest.TestCase):
    def test_double(self):
        self.assertEqual(double(2), 4)
"""
PROJECT = {"code_of_ours.py": CODE, "tests/__init__.py": "", "tests/test_double.py": TESTS}
TRIPLE = "write code_of_ours.py <<EOF\ndef double(number):\n    return number * 3\nEOF"
SKIPPED = TESTS.replace("    def test", "    @unittest.skip('flaky')\n    def test")
SKIP = f"write tests/test_double.py <<EOF\n{SKIPPED}EOF"
HALF = "append code_of_ours.py def half(number): return number / 2"
TEST_HALF = """\
write tests/test_half.py <<EOF
import unittest

import code_of_ours


class TestHalf(unittest.TestCase):
    def test_half(self):
        self.assertEqual(code_of_ours.{name}(4), {value})
EOF"""


def test_tampered_work_is_told_everywhere_and_its_evidence_says_why(begin: Begin) -> None:
    project = begin(**PROJECT)
    project("submit", job("Add half()", f"{TRIPLE}\n{SKIP}"), "--verify", UNITTEST)

    ran = project("run", "--json")

    task = ran.json["goals"][0]["tasks"][0]
    assert (task["state"], task["verdict"], ran.json["goals"][0]["verdict"]) == ("done", "unverified", "unverified")
    bundle = project("task", task["id"], "--evidence", "--json").json
    evidence = bundle["evidence"]
    kinds = {one["kind"] for one in evidence["concerns"] if one["lowers"]}
    assert kinds >= {"test_skipped", "test_contradicted"}
    assert evidence["checks"][0]["exit_code"] == 0
    assert "tests/test_double.py" in evidence["diffstat"]
    assert len(bundle["prompt_sha256"]) == 64 and bundle["started_at"] <= bundle["ended_at"]
    assert evidence["commit"] == project.git("rev-parse", "main")
    assert "Verified-by: nothing (passed, but test_skipped" in project.git("log", "-1", "--format=%B")
    for words in (("task", task["id"]), ("task", task["id"], "--evidence"), ("report",), ("report", "--markdown")):
        shown = project(*words).out.replace("\\", "")
        assert "test_double is skipped" in shown, words
    again = project("verify", task["id"], "--json")
    assert (again.code, again.json["verdict"]) == (6, "unverified")


def test_new_tests_that_need_the_work_are_told_from_those_that_do_not(begin: Begin) -> None:
    project = begin(**PROJECT)
    good = f"{HALF}\n{TEST_HALF.format(name='half', value=2)}"
    idle = f"append code_of_ours.py # done\n{TEST_HALF.format(name='double', value=8)}"
    for name, script in (("good", good), ("idle", idle)):
        project("submit", job(name, script), "--verify", UNITTEST)

    project("run", "--max-agents", "1")

    advice = {
        name: project("task", name, "--evidence", "--json").json["evidence"]["advice"] for name in ("good", "idle")
    }
    assert "its 1 new test fails without its change, as it should" in advice["good"][0]
    assert "its 1 new test passes without its change too" in advice["idle"][0]
    assert project("task", "good", "--json").json["verdict"] == "verified"
    assert "advice" in project("task", "idle").out


def test_checks_are_run_again_in_a_clean_checkout_and_found_to_hold_or_not(begin: Begin, tmp_path: Path) -> None:
    project = begin(**PROJECT)
    outside = tmp_path / "service"
    outside.touch()
    project("submit", job("Add half()", HALF), "--verify", f"test -e {outside} && {UNITTEST}")
    assert project("run").code == 0
    (project.folder / "code_of_ours.py").write_text("broken by hand\n")

    for name in ("add-half", "last"):
        found = project("verify", name, "--json")
        assert (found.code, found.json["holds"], found.json["checks"][0]["cached"]) == (0, True, False)
    assert "Still verified." in project("verify", "add-half").out

    outside.unlink()
    found = project("verify", "add-half", "--json")
    assert (found.code, found.json["verdict_then"], found.json["verdict"]) == (6, "verified", "rejected")
    assert "verified when it landed, and is not any more" in project("verify", "last").out
    kept = project("task", "add-half", "--evidence", "--json").json["verified_again"]
    assert [one["verdict"] for one in kept] == ["verified", "verified", "rejected"]


def test_what_is_not_landed_cannot_be_verified_again(begin: Begin) -> None:
    project = begin(**PROJECT)
    project("submit", job("Add half()", TRIPLE), "--verify", UNITTEST, "--max-attempts", "1")
    waiting = project("task", "add-half", "--evidence")
    project("run")

    assert (waiting.code, "no evidence yet" in waiting.err) == (3, True)
    assert project("verify", "add-half").code == 5
    assert project("verify", "last").code == 3
    assert project("verify", "nobody").code == 4
    assert "rejected" in project("task", "add-half", "--evidence", "--json").json["outcome"]


def test_tasks_that_pass_alone_and_break_something_together_are_not_delivered(begin: Begin) -> None:
    project = begin(**PROJECT)
    before = project.git("rev-parse", "main")
    accept(project, triple=(TRIPLE, "grep -q 3 code_of_ours.py"), note=("write note.txt hello", "test -s note.txt"))

    ran = project("run", "--json")

    goal = ran.json["goals"][0]
    assert [task["verdict"] for task in goal["tasks"]] == ["verified", "verified"]
    assert (ran.code, goal["state"], goal["verdict"], goal["delivery"]) == (6, "completed", "rejected", "waiting")
    assert goal["check"]["verdict"] == "rejected" and "test_double" in goal["check"]["failures"][0]
    assert project.git("rev-parse", "main") == before
    report = project("report").out
    assert "broken: the check fails on everything landed together" in report and "test_double" in report
    assert project("verify", goal["id"]).code == 6


def test_a_goal_whose_tasks_have_checks_of_their_own_is_checked_as_a_whole(begin: Begin) -> None:
    project = begin(**PROJECT)
    accept(project, half=(HALF, "grep -q half code_of_ours.py"))

    goal = project("run", "--json").json["goals"][0]

    assert (goal["verdict"], goal["delivery"], goal["check"]["result"]) == ("verified", "delivered", "passed")
    assert goal["check"]["command"] == UNITTEST
    assert project("verify", goal["id"], "--json").json["holds"]


def accept(project: Caller, **tasks: tuple[str, str]) -> None:
    """Queue a goal of tasks, each an agent's script and a check of its own; the goal's check is the test suite."""
    app = build(project.folder, environ=project.environ)
    planned = [
        PlannedTask(id=name, title=name, description=job(name, script), agent_type="generalist", verify=verify)
        for name, (script, verify) in tasks.items()
    ]
    app.goals.accept(
        Plan(goal="All of it", source="file", tasks=tuple(planned)), Submission(text="All of it", verify=UNITTEST)
    )
    app.close()


def test_an_answer_is_vouched_for_by_a_check_of_its_own_and_not_by_tests_that_passed_before(begin: Begin) -> None:
    project = begin(**PROJECT)
    ask = ("submit", job("What is one and one?", "say two"), "--no-change")
    project(*ask)
    project(*ask, "--verify", "true")

    ran = project("run", "--json")

    assert ran.code == 0
    verdicts = [(one["verdict"], one["tasks"][0]["verdict"]) for one in ran.json["goals"]]
    assert verdicts == [("unverified", "unverified"), ("verified", "verified")]
