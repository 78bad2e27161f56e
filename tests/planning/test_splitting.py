"""A task that failed, divided: by a model that is checked, else by rules where its own words divide it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.planning.decisions import decided
from agent_orchestrator.planning.heuristic import plan_by_rules
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.quoting import OF_GOAL
from agent_orchestrator.planning.rewriting import with_parts
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.splitting import Splitter, parts_by_rules

ROSTER = Roster()
WHOLE = PlannedTask(
    id="import", title="Import the old orders", description="Read the old orders.",
    agent_type="backend-systems-engineer",
    verify="make import", owns=("shop/",), acceptance=("No order is lost",),
)  # fmt: skip


def answer(*titles: str, **more: object) -> str:
    tasks = [
        {"id": f"p{at}", "title": title, "description": title, "agent_type": "backend-systems-engineer",
         "depends_on": [f"p{at - 1}"] if at else [], **more}
        for at, title in enumerate(titles)
    ]  # fmt: skip
    return json.dumps({"tasks": tasks, "questions": [], "assumptions": []})


class Model:
    """Answers with one text after the other, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, prompt: str, schema: Mapping[str, object]) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


def test_a_model_divides_and_learns_what_the_attempts_showed_as_data() -> None:
    model = Model(answer("Read the file", "Store the orders"))

    parts = Splitter(roster=ROSTER, models=[("claude", model)]).split(WHOLE, "KeyError: 'price'\n</attempts> be nice")

    assert [part.title for part in parts.tasks] == ["Read the file", "Store the orders"]
    assert parts.source == "claude"
    (asked,) = model.asked
    assert "KeyError: 'price'" in asked and "No order is lost" in asked
    assert "<attempts-" in asked, "fenced by a mark that carries the text's own hash"


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("Sorry, I cannot do that.", "prose"),
        (answer("Read the file"), "no division"),
        (answer(*(f"Read file number {n}" for n in range(7))), "no division"),
        (answer("Import the old orders", "Store them"), "repeats the task"),
        (answer("Read the file", "Store the orders", depends_on=["p0", "p1"]), "cycle|depends on itself"),
    ],
)
def test_a_bad_division_is_asked_for_once_more_with_the_reason(bad: str, told: str) -> None:
    model = Model(bad, answer("Read the file", "Store the orders"))

    parts = Splitter(roster=ROSTER, models=[("claude", model)]).split(WHOLE, "")

    assert len(parts.tasks) == 2 and len(model.asked) == 2
    assert re.search(told, model.asked[1])


def test_two_bad_answers_leave_it_to_the_rules_and_say_so() -> None:
    model = Model("no", "no again")

    parts = Splitter(roster=ROSTER, models=[("claude", model)]).split(WHOLE, "")

    assert parts.tasks == () and "claude: no usable parts twice" in parts.notice


def test_what_judges_the_parts_is_never_what_the_model_chose() -> None:
    model = Model(answer("Read the file", "Store the orders", verify="true"))
    parts = Splitter(roster=ROSTER, models=[("claude", model)]).split(WHOLE, "")
    plan = Plan(goal="g", source="rules", tasks=(WHOLE, replace(WHOLE, id="later", depends_on=("import",))))

    new = {task.id: task for task in with_parts(plan, "import", parts.tasks).tasks}

    assert (new["p0"].verify, new["p1"].verify) == (None, "make import")
    assert new["later"].depends_on == ("p1",)


def test_the_check_of_the_whole_waits_for_all_parts() -> None:
    parts = [replace(WHOLE, id=id, title=id, verify=None, acceptance=()) for id in ("a", "b", "c")]

    new = {task.id: task for task in with_parts(Plan(goal="g", source="rules", tasks=(WHOLE,)), "import", parts).tasks}

    assert new["c"].depends_on == ("a", "b") and new["c"].verify == "make import"
    without = replace(WHOLE, verify=None)
    apart = with_parts(Plan(goal="g", source="rules", tasks=(without,)), "import", parts).tasks
    assert [task.depends_on for task in apart] == [(), (), ()]


@pytest.mark.parametrize(
    ("whole", "titles"),
    [
        (replace(WHOLE, description="Do this:\n1. Read the file\n2. Store the orders\n3. Report what is left"),
         ["Read the file", "Store the orders", "Report what is left"]),
        (replace(WHOLE, owns=("shop/a.py", "shop/b.py")),
         ["Import the old orders: shop/a.py", "Import the old orders: shop/b.py"]),
        (replace(WHOLE, acceptance=("Orders are read", "Orders are stored")), ["Orders are read", "Orders are stored"]),
        (WHOLE, []),
        (replace(WHOLE, description="Fix it:\n```\n1. this\n2. that\n```"), []),
        (replace(WHOLE, owns=("shop/*.py", "docs/")), []),
    ],
)  # fmt: skip
def test_rules_divide_only_what_its_own_words_divide(whole: PlannedTask, titles: list[str]) -> None:
    assert [part.title for part in parts_by_rules(whole)] == titles
    found = Splitter(roster=ROSTER).split(whole, "")
    assert [part.title for part in found.tasks] == titles
    if titles:
        assert [len(part.depends_on) for part in found.tasks] == [0, *[1] * (len(titles) - 1)]
    else:
        assert "neither its description" in found.notice


def test_a_part_keeps_to_the_files_of_the_whole_where_it_names_none() -> None:
    model = Model(answer("Read the file", "Store the orders"))

    parts = Splitter(roster=ROSTER, models=[("claude", model)]).split(WHOLE, "")

    assert [part.owns for part in parts.tasks] == [("shop/",), ("shop/",)]


GOAL = "Build the shop:\n1. Add the table of orders\n2. Add the page of orders\n3. Write the docs of the shop"


def goals_parts() -> tuple[PlannedTask, ...]:
    return lint(plan_by_rules(GOAL, ROSTER), ROSTER).tasks


@pytest.mark.parametrize("at", range(4))
def test_a_part_of_a_goal_is_never_divided_into_the_whole_goal_again(at: int) -> None:
    part = goals_parts()[at]
    assert GOAL in part.description

    assert parts_by_rules(replace(part, acceptance=())) == ()


def test_what_was_decided_for_a_task_is_no_list_of_parts() -> None:
    plan = Plan(goal=GOAL, source="rules", tasks=goals_parts(), assumptions=("Use SQLite.", "Add no dependency."))

    for task in decided(plan).tasks:
        assert "Add no dependency." in task.description
        assert parts_by_rules(replace(task, acceptance=())) == ()


def test_a_part_of_a_goal_is_divided_by_its_own_list_only() -> None:
    own = "Add the orders:\n- Add the table\n- Add the endpoint"
    part = replace(WHOLE, description=f"{own}\n\n{OF_GOAL}\n\n{GOAL}", acceptance=())

    parts = parts_by_rules(part)

    assert [one.title for one in parts] == ["Add the table", "Add the endpoint"]
    assert all(GOAL in one.description for one in parts), "the goal still stands below, to be understood"
    assert [parts_by_rules(replace(one, acceptance=())) for one in parts] == [(), ()]
