"""The kinds of project a goal may meet, and what becomes of its work in each."""

import shutil

import pytest

from .conftest import Begin, job


def test_a_check_that_never_passed_accepts_nothing(begin: Begin) -> None:
    project = begin()
    project("submit", job("job", "write a.txt <<EOF\na\nEOF"), "--verify", "false", "--max-attempts", "1")

    ran = project("run", "--json")

    assert ran.code == 6
    task = ran.json["goals"][0]["tasks"][0]
    assert (task["state"], task["attempts"][0]["outcome"]) == ("failed", "rejected")
    assert not (project.folder / "a.txt").exists()


def test_a_goal_that_began_without_a_repository_goes_on_in_the_one_made_since(begin: Begin) -> None:
    project = begin()
    shutil.rmtree(project.folder / ".git")
    project(
        "submit", job("job", f"sh test -e {project.folder}/ready\nwrite a.txt <<EOF\na\nEOF"), "--max-attempts", "1"
    )
    assert project("run").code == 6
    assert project("init", "--git").code == 0
    (project.folder / "ready").touch()

    project("retry", "job")
    ran = project("run", "--json")

    assert ran.code == 0, ran.err
    assert project.git("log", "--format=%s").splitlines()[-1] == "First commit"
    assert (project.folder / "a.txt").exists()


@pytest.mark.parametrize("check", ["python3 -m unittest", "no-such-command --x", "python3 -m unittest 2>&1"])
def test_what_the_user_names_as_acceptance_is_not_excused_by_a_base_that_fails_it_too(begin: Begin, check: str) -> None:
    red = "import unittest\n\n\nclass Old(unittest.TestCase):\n    def test_old(self):\n        self.fail()\n"
    project = begin(**{"test_old.py": red})
    project("submit", job("job", "write a.txt <<EOF\na\nEOF"), "--verify", check, "--max-attempts", "1")

    ran = project("run", "--json")

    assert ran.code == 6
    task = ran.json["goals"][0]["tasks"][0]
    assert (task["state"], task["attempts"][0]["outcome"]) == ("failed", "rejected")
    assert not (project.folder / "a.txt").exists()


def test_honest_work_lands_although_one_test_was_red_before(begin: Begin) -> None:
    red = "import unittest\n\n\nclass Old(unittest.TestCase):\n    def test_old(self):\n        self.fail()\n"
    project = begin(**{"test_old.py": red})
    project("submit", job("job", "write a.txt <<EOF\na\nEOF"))

    ran = project("run", "--json")

    assert ran.code == 0, ran.err
    check = ran.json["goals"][0]["tasks"][0]["attempts"][0]["evidence"]["checks"][0]
    assert check["result"] == "no_new_failures"
    assert "fails on the base already; only new failures will count" in ran.err
    report = project("report").out
    assert "without a new failure; what failed before the work still fails" in " ".join(report.split())
    assert (project.folder / "a.txt").exists()


def test_work_that_breaks_a_test_is_sent_back_with_the_evidence_and_mended(begin: Begin) -> None:
    good = "import unittest\nfrom value import VALUE\n\n\nclass V(unittest.TestCase):\n    def test_v(self):\n"
    project = begin(**{"value.py": "VALUE = 1\n", "test_value.py": f"{good}        self.assertEqual(VALUE, 1)\n"})
    script = (
        "unless_prompt_contains test_v: append value.py VALUE = 2\n"
        "if_prompt_contains test_v: append value.py VALUE = 1 "
    )
    project("submit", job("job", script))

    ran = project("run", "--json")

    assert ran.code == 0, ran.err
    attempts = ran.json["goals"][0]["tasks"][0]["attempts"]
    assert [one["outcome"] for one in attempts] == ["rejected", "succeeded"]


def test_uncommitted_work_is_named_left_out_and_left_alone(begin: Begin) -> None:
    project = begin()
    (project.folder / "README.md").write_text("mine\n")
    project("submit", job("job", "write a.txt <<EOF\na\nEOF"))

    ran = project("run")

    assert ran.code == 6, "the result waits for a person"
    assert "README.md" in ran.err and "left out" in ran.err
    assert (project.folder / "README.md").read_text() == "mine\n"
    assert not (project.folder / "a.txt").exists()
    assert "git merge orchestrate/" in project("report").out


def test_a_result_on_a_detached_head_stays_on_its_branch(begin: Begin) -> None:
    project = begin()
    project.git("checkout", "-q", "--detach")
    project("submit", job("job", "write a.txt <<EOF\na\nEOF"))

    ran = project("run", "--json")

    assert ran.code == 0, ran.err
    goal = ran.json["goals"][0]
    assert goal["delivery"] == "waiting"
    assert project.git("show", f"{goal['result_branch']}:a.txt") == "a"


def test_a_folder_below_the_top_finds_the_projects_queue(begin: Begin) -> None:
    project = begin(**{"pkg/f.txt": "f\n"})
    project("submit", job("job", "write pkg/a.txt <<EOF\na\nEOF"))
    project.folder = project.folder / "pkg"

    assert project("run").code == 0
    assert (project.folder / "a.txt").exists()


def test_two_goals_that_touch_the_same_line_are_told_apart(begin: Begin) -> None:
    project = begin(**{"f.txt": "base\n"})
    project("submit", job("one", "write f.txt <<EOF\none\nEOF"))
    project("submit", job("two", "write f.txt <<EOF\ntwo\nEOF"))

    ran = project("run", "--json")

    assert ran.code == 6
    deliveries = sorted(goal["delivery"] for goal in ran.json["goals"])
    assert deliveries == ["delivered", "waiting"]
    waiting = next(goal for goal in ran.json["goals"] if goal["delivery"] == "waiting")
    assert "f.txt" in waiting["delivery_note"]


def test_a_delivered_goal_can_be_taken_back_out(begin: Begin) -> None:
    project = begin()
    project("submit", job("job", "write a.txt <<EOF\na\nEOF"))
    goal = project("run", "--json").json["goals"][0]["id"]
    assert (project.folder / "a.txt").exists()

    assert project("undo", goal).code == 0

    assert not (project.folder / "a.txt").exists()
    assert project("undo", goal).code == 5
