from dataclasses import replace
from pathlib import Path

import pytest

from agent_orchestrator.domain.plan import QUESTIONS_LIMIT, Plan
from agent_orchestrator.planning.document import plan_from_json, plan_to_json
from agent_orchestrator.planning.doubts import doubts, with_doubts
from agent_orchestrator.planning.heuristic import plan_by_rules
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.profile import Profile, profile
from agent_orchestrator.planning.questions import open_questions
from agent_orchestrator.planning.roster import Roster

ROSTER = Roster()
EMPTY = Profile(folder=Path("/nowhere"))


def planned(goal: str) -> Plan:
    return lint(plan_by_rules(goal, ROSTER), ROSTER)


def asked(goal: str, known: Profile | None = EMPTY) -> list[str]:
    return [one.text for one in open_questions(planned(goal), known)]


def test_at_most_five_are_asked_each_with_a_default_and_what_the_answer_changes() -> None:
    goal = "Migrate, improve and rebuild the blog: a database, an API with login, a UI, tests, and deploy it"

    found = open_questions(planned(goal), EMPTY)

    assert 3 <= len(found) <= QUESTIONS_LIMIT
    assert all(one.default and one.changes and one.answer is None for one in found)
    ids = {task.id for task in planned(goal).tasks}
    assert all(set(one.tasks) <= ids for one in found)


def test_what_the_goal_or_the_project_says_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    (tmp_path / "test_app.py").write_text("def test(): pass\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    blog = "Create a blog platform with login"

    assert any("language" in one for one in asked(blog))
    assert any("sign in" in one for one in asked(blog))
    assert not any("language" in one for one in asked(f"{blog} in Django"))
    assert not any("sign in" in one for one in asked(f"{blog} by OAuth2"))
    assert any("database" in one for one in asked(blog))
    assert not any("database" in one for one in asked(f"{blog} and PostgreSQL"))
    here = asked(blog, profile(tmp_path))
    assert not any("language" in one or "command" in one for one in here)


@pytest.mark.parametrize("goal", ["Fix the typo in the README", "Write the changelog", "Bump requests to 3.0"])
def test_a_small_goal_in_a_project_with_tests_asks_nothing(goal: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("test:\n\ttrue\n")

    assert asked(goal, profile(tmp_path)) == []


def test_better_is_asked_for_a_number_unless_one_is_said() -> None:
    assert any("better" in one for one in asked("Improve the performance of the search"))
    assert not any("better" in one for one in asked("Improve the performance of the search to 50 ms"))


def test_questions_of_a_model_are_read_bounded_and_unanswered() -> None:
    tasks = [{"id": "a", "title": "Do a", "description": "All of a", "agent_type": "generalist"}]
    questions = [{"text": f"Question {n}?", "default": "Yes.", "tasks": ["a", "zzz"], "answer": "no", "sets": "verify"}
                 for n in range(9)]  # fmt: skip

    found = lint(plan_from_json({"tasks": tasks, "questions": questions}, strict=False), ROSTER).questions

    assert len(found) == QUESTIONS_LIMIT
    assert {(one.answer, one.sets, one.tasks) for one in found} == {(None, "", ("a",))}
    plan = replace(planned("Write the changelog"), questions=found[:1], assumptions=("Python.",))
    assert plan_from_json(plan_to_json(plan)).with_phases() == plan


def rules(plan: Plan, *there: str, has_check: bool = True) -> dict[str, str]:
    return {one.rule: one.message for one in doubts(plan, lambda path: path in there, has_check=has_check)}


def one(title: str, description: str = "", **more: object) -> Plan:
    made = planned(title)
    task = replace(made.tasks[0], title=title, description=description or title, **more)  # type: ignore[arg-type]
    return replace(made, goal="Something else", tasks=(task,))


def test_files_that_are_not_there_are_remarked_unless_they_are_made() -> None:
    broken = one("Fix the rounding in src/shop/prices.py")

    assert "src/shop/prices.py" in rules(broken)["no-such-path"]
    assert rules(broken, "src/shop/prices.py") == {}
    assert rules(one("Create src/shop/prices.py with the rounding")) == {}
    assert rules(one("Fix the rounding in src/shop/prices.py", owns=("src/shop/**",))) == {}
    assert rules(one("Read https://example.org/docs/a.html and /etc/hosts.conf")) == {}


def test_a_file_that_is_not_there_is_remarked_once_however_many_parts_speak_of_it() -> None:
    first = one("Fix the rounding in src/shop/prices.py")
    plan = replace(first, tasks=(first.tasks[0], replace(first.tasks[0], id="again")))

    found = doubts(plan, lambda _: False, has_check=True)

    assert [finding.rule for finding in found].count("no-such-path") == 1


def test_a_task_that_lists_much_or_names_everything_is_called_too_big() -> None:
    listed = one("Clean up", "\n".join(f"- thing {n}" for n in range(8)))

    assert "8 things" in rules(listed)["oversize"]
    assert "kinds of work" in rules(one("Build database, API, UI, tests, docs and deployment"))["oversize"]
    assert "oversize" not in rules(one("Build the API with its tests"))


def test_work_that_nothing_checks_is_remarked_once() -> None:
    plan = planned("Build a REST API with a web interface")

    assert "nothing checks the work" in rules(plan, has_check=False)["no-verify"]
    assert "no-verify" not in rules(plan, has_check=True)
    twice = with_doubts(with_doubts(plan, bool, has_check=False), bool, has_check=False)
    assert [one.rule for one in twice.findings].count("no-verify") == 1
