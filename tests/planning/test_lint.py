from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_orchestrator.domain.errors import InvalidPlan
from agent_orchestrator.domain.plan import Plan, PlannedTask, order
from agent_orchestrator.domain.task import Size
from agent_orchestrator.planning.lint import MAX_TASKS, lint
from agent_orchestrator.planning.roster import Roster

ROSTER = Roster()
BACKEND = "backend-systems-engineer"


def task(id: str, *needs: str, title: str = "", agent: str = BACKEND, **more: object) -> PlannedTask:
    made = PlannedTask(id=id, title=title or f"Do {id}", description=f"All of {id}", agent_type=agent, depends_on=needs)
    return replace(made, **more)  # type: ignore[arg-type]


def plan(*tasks: PlannedTask) -> Plan:
    return Plan(goal="Reach the goal of this test", source="test", tasks=tasks)


def needs(plan: Plan, id: str) -> tuple[str, ...]:
    return next(task.depends_on for task in plan.tasks if task.id == id)


def rules(plan: Plan) -> set[str]:
    return {finding.rule for finding in plan.findings}


def test_an_empty_plan_is_refused() -> None:
    with pytest.raises(InvalidPlan, match="no tasks"):
        lint(plan(), ROSTER)


def test_a_plan_of_two_hundred_tasks_is_kept_and_one_of_six_hundred_refused() -> None:
    assert len(lint(plan(*(task(f"t{n}") for n in range(200))), ROSTER).tasks) == 201  # and one that verifies
    with pytest.raises(InvalidPlan, match="600 tasks, more than 500"):
        lint(plan(*(task(f"t{n}") for n in range(600))), ROSTER)


def small(id: str, **more: object) -> PlannedTask:
    return task(id, size=Size.S, **more)  # type: ignore[arg-type]


def test_small_tasks_of_one_specialist_are_joined_while_there_are_many() -> None:
    many = lint(plan(*(small(f"t{n}", title=f"Rename thing {n}") for n in range(15))), ROSTER)

    assert len(many.tasks) == 12 + 1  # and one that verifies
    told = "\n".join(f"{one.title}\n{one.description}" for one in many.tasks)
    assert all(f"Rename thing {n}" in told for n in range(15))
    assert "many-tasks" in rules(many)


def test_small_tasks_stay_apart_when_they_are_few_or_somebody_wrote_them_so() -> None:
    few = tuple(small(f"t{n}", title=f"Rename thing {n}") for n in range(5))
    many = tuple(small(f"t{n}", title=f"Rename thing {n}") for n in range(15))

    assert len(lint(plan(*few), ROSTER, strict=True).tasks) == 5
    assert len(lint(plan(*many), ROSTER, strict=True).tasks) == 15


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (("db/migrations/0001_users.sql",), ("db/migrations/0002_orders.sql",), "database migrations"),
        (("package.json",), ("web/package-lock.json",), "npm dependencies"),
        (("pyproject.toml", "src/a/**"), ("uv.lock", "src/b/**"), "Python dependencies"),
    ],
)
def test_tasks_that_change_what_only_one_can_change_wait_for_each_other(
    one: tuple[str, ...], other: tuple[str, ...], what: str
) -> None:
    checked = lint(plan(task("a", owns=one), task("b", owns=other)), ROSTER)

    assert needs(checked, "b") == ("a",)
    assert any(what in finding.message for finding in checked.findings)


def test_dependencies_of_two_languages_may_change_at_the_same_time() -> None:
    checked = lint(plan(task("a", owns=("package.json",)), task("b", owns=("pyproject.toml",))), ROSTER)

    assert needs(checked, "b") == ()


def test_more_than_twelve_tasks_are_remarked_on() -> None:
    assert "many-tasks" in rules(lint(plan(*(task(f"t{n}") for n in range(13))), ROSTER))
    assert "many-tasks" not in rules(lint(plan(*(task(f"t{n}") for n in range(3))), ROSTER))


def test_phases_are_recomputed_whatever_the_author_wrote() -> None:
    checked = lint(plan(task("a", phase=7), task("b", "a", phase=1), task("c", "b", phase=1)), ROSTER)

    assert [task.phase for task in checked.tasks] == [1, 2, 3]


def test_a_repeated_id_is_renamed_and_references_keep_meaning_the_first() -> None:
    checked = lint(plan(task("a", title="One"), task("a", title="Two"), task("b", "a")), ROSTER)

    assert [task.id for task in checked.tasks][:3] == ["a", "a-2", "b"]
    assert needs(checked, "b") == ("a",)
    assert "repeated-id" in rules(checked)


def test_a_repeated_id_in_a_file_is_refused_by_name() -> None:
    with pytest.raises(InvalidPlan, match="two tasks have the id 'a'"):
        lint(plan(task("a"), task("a")), ROSTER, strict=True)


def test_ids_become_slugs_and_references_follow() -> None:
    checked = lint(plan(task("Task One!"), task("B 2", "Task One!"), task("数据", "B 2")), ROSTER)

    assert [task.id for task in checked.tasks] == ["task-one", "b-2", "do"]
    assert needs(checked, "b-2") == ("task-one",)


def test_a_dependency_by_title_is_understood_when_the_title_is_unique() -> None:
    checked = lint(plan(task("a", title="Write the Schema"), task("b", "write the schema")), ROSTER)

    assert needs(checked, "b") == ("a",)


def test_a_dependency_on_nothing_is_dropped_from_a_models_plan_and_said() -> None:
    checked = lint(plan(task("a"), task("b", "subtask_9")), ROSTER)

    assert needs(checked, "b") == ()
    assert any("'subtask_9'" in finding.message and finding.task == "b" for finding in checked.findings)


def test_a_dependency_on_nothing_in_a_file_is_refused_by_name() -> None:
    with pytest.raises(InvalidPlan, match="'b' depends on 'subtask_9'"):
        lint(plan(task("a"), task("b", "subtask_9")), ROSTER, strict=True)


def test_a_cycle_is_broken_where_it_contradicts_the_list_and_said() -> None:
    checked = lint(plan(task("a", "c"), task("b", "a"), task("c", "b")), ROSTER)

    assert [needs(checked, id) for id in "abc"] == [(), ("a",), ("b",)]
    assert any(finding.rule == "cycle" and "a no longer waits for c" in finding.message for finding in checked.findings)


def test_a_cycle_in_a_file_is_refused_and_spelt_out() -> None:
    with pytest.raises(InvalidPlan, match=r"form a cycle: \w → \w → \w → \w"):
        lint(plan(task("a", "c"), task("b", "a"), task("c", "b")), ROSTER, strict=True)


def test_a_task_that_depends_on_itself_no_longer_does() -> None:
    assert needs(lint(plan(task("a", "a")), ROSTER), "a") == ()
    with pytest.raises(InvalidPlan, match="'a' depends on itself"):
        lint(plan(task("a", "a")), ROSTER, strict=True)


def test_tasks_that_may_write_the_same_files_wait_for_each_other() -> None:
    checked = lint(
        plan(task("a", owns=("src/**",)), task("b", owns=("src/api.py",)), task("c", owns=("docs/**",))), ROSTER
    )

    assert needs(checked, "b") == ("a",)
    assert needs(checked, "c") == ()
    assert "same-files" in rules(checked)


def test_of_two_that_write_the_same_files_the_lower_layer_goes_first() -> None:
    page = task("page", title="Build the page", owns=("app/**",))
    schema = task("schema", title="Define the schema", owns=("app/**",))

    assert needs(lint(plan(page, schema), ROSTER), "page") == ("schema",)


def test_tasks_already_in_order_get_no_further_edge() -> None:
    chain = (task("a", owns=("x",)), task("b", "a"), task("c", "b", owns=("x",)))

    assert needs(lint(plan(*chain), ROSTER), "c") == ("b",)


def test_a_scope_outside_the_project_is_left_out() -> None:
    checked = lint(plan(task("a", owns=("/etc/passwd", "../up", "~/home", "src/x.py"))), ROSTER)

    assert checked.tasks[0].owns == ("src/x.py",)
    with pytest.raises(InvalidPlan, match="not a path inside the project"):
        lint(plan(task("a", owns=("../up",))), ROSTER, strict=True)


def test_an_unknown_specialist_is_replaced_by_the_router_and_said() -> None:
    checked = lint(plan(task("a", title="Create a React component", agent="wizard")), ROSTER)

    assert checked.tasks[0].agent_type == "frontend-ui-engineer"
    assert checked.tasks[0].routing is not None
    assert any("'wizard'" in finding.message for finding in checked.findings)


def test_an_alias_becomes_the_specialists_name_without_a_remark() -> None:
    checked = lint(plan(task("a", agent="QA Engineer")), ROSTER)

    assert checked.tasks[0].agent_type == "qa-test-engineer"
    assert "unknown-agent" not in rules(checked)


def test_two_tasks_with_nearly_the_same_title_become_one_without_losing_words() -> None:
    first = task("a", title="Write the user guide", owns=("docs/a.md",))
    twin = task("b", "c", title="Write the User Guide.", owns=("docs/b.md",))

    checked = lint(plan(first, twin, task("c"), task("d", "b")), ROSTER)

    assert "b" not in {task.id for task in checked.tasks}
    assert needs(checked, "a") == ("c",)
    assert needs(checked, "d") == ("a",)
    assert "All of b" in checked.tasks[0].description
    assert checked.tasks[0].owns == ("docs/a.md", "docs/b.md")


def test_twins_with_work_between_them_stay_two() -> None:
    checked = lint(plan(task("a", title="Run it"), task("b", "a"), task("c", "b", title="Run it")), ROSTER)

    assert [task.id for task in checked.tasks] == ["a", "b", "c"]
    assert "same-title" in rules(checked)


def test_a_persons_twins_are_remarked_on_and_left() -> None:
    assert len(lint(plan(task("a", title="Run it"), task("b", title="Run it")), ROSTER, strict=True).tasks) == 2


def test_several_specialists_get_one_task_that_verifies_the_whole() -> None:
    checked = lint(plan(task("a"), task("b", agent="frontend-ui-engineer")), ROSTER)

    last = checked.tasks[-1]
    assert last.depends_on == ("a", "b")
    assert last.agent_type == "qa-test-engineer"
    assert "Reach the goal of this test" in last.description
    assert not last.expects_change


def test_a_small_plan_gets_no_verifying_task() -> None:
    assert len(lint(plan(task("a")), ROSTER).tasks) == 1
    assert len(lint(plan(task("a"), task("b"), task("c")), ROSTER).tasks) == 3


def test_a_plan_that_verifies_its_parts_gets_no_second_verifying_task() -> None:
    tested = plan(task("a"), task("b"), task("c"), task("t", "a", "b", "c", title="Test it all"), task("d", "t"))

    assert len(lint(tested, ROSTER).tasks) == 5


def test_a_persons_plan_gets_no_task_that_nobody_wrote() -> None:
    checked = lint(plan(task("a"), task("b", agent="frontend-ui-engineer")), ROSTER, strict=True)

    assert len(checked.tasks) == 2
    assert "no-verifying-task" in rules(checked)


def test_a_last_task_that_does_not_see_all_is_named_with_what_it_does_not_see() -> None:
    screens = task("b", agent="frontend-ui-engineer")
    whole = plan(task("a"), screens, task("t", "a", "b", title="Test it all"), task("c"))

    (found,) = [one for one in lint(whole, ROSTER, strict=True).findings if one.rule == "no-verifying-task"]

    assert found.message == "t does not check the whole: it does not wait for c"


def test_acceptance_is_derived_from_the_command_or_missed_aloud() -> None:
    checked = lint(plan(task("a", verify="make check"), task("b")), ROSTER)

    assert checked.tasks[0].acceptance == ("`make check` ends with exit code 0",)
    assert [finding.task for finding in checked.findings if finding.rule == "no-acceptance"] == ["b"]


def test_text_that_steers_a_terminal_does_not_survive() -> None:
    hostile = "\x1b]0;owned\x07Do\x1b[2J \u202eit\x00\nnow"
    checked = lint(plan(task("a", title=hostile, acceptance=(hostile,), description=hostile)), ROSTER).tasks[0]

    assert checked.title == "Do it now"
    assert checked.acceptance == ("Do it now",)
    assert checked.description == "Do it\nnow"


@pytest.mark.parametrize("command", ["make test\nrm -rf x", "make\x1b[2Ktest", "x" * 3_000, "make \u202etset"])
def test_a_command_that_hides_something_is_dropped_or_refused(command: str) -> None:
    assert lint(plan(task("a", verify=command)), ROSTER).tasks[0].verify is None
    with pytest.raises(InvalidPlan, match="verify command of 'a'"):
        lint(plan(task("a", verify=command)), ROSTER, strict=True)


def test_a_long_title_is_cut_at_a_word_and_a_missing_one_taken_from_the_description() -> None:
    long = lint(plan(task("a", title="word " * 60)), ROSTER).tasks[0]
    none = lint(plan(PlannedTask(id="a", title=" ", description="Write it. Then rest.", agent_type=BACKEND)), ROSTER)

    assert len(long.title) <= 80
    assert long.title.endswith("word…")
    assert none.tasks[0].title == "Write it. Then rest."


def test_a_task_without_any_words_is_refused() -> None:
    with pytest.raises(InvalidPlan, match="neither a title nor a description"):
        lint(plan(PlannedTask(id="a", title="\x1b[0m", description=" ", agent_type=BACKEND)), ROSTER)


IDS = st.sampled_from(["a", "b", "c", "d", "e", "", "A B", "ü", "x" * 60])
TEXTS = st.text(max_size=40) | st.sampled_from(["Do it", "do it", "Test the page", "src/**"])
TASKS = st.builds(
    PlannedTask,
    id=IDS,
    title=TEXTS,
    description=TEXTS,
    agent_type=st.sampled_from([BACKEND, "qa", "nobody", ""]),
    depends_on=st.lists(IDS, max_size=4).map(tuple),
    owns=st.lists(st.sampled_from(["src/**", "src/a.py", "docs/*", "../x", "**"]), max_size=2).map(tuple),
    verify=st.none() | TEXTS,
    size=st.sampled_from(Size),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(TASKS, min_size=1, max_size=9))
@example([PlannedTask(id="a", title="Do it", description="", agent_type=BACKEND, verify="make\tcheck")])
def test_whatever_a_model_plans_comes_out_valid_and_stays_as_it_is(tasks: list[PlannedTask]) -> None:
    try:
        once = lint(plan(*tasks), ROSTER)
    except InvalidPlan as refused:
        assert "neither a title nor a description" in refused.message
        return

    ids = [task.id for task in once.tasks]
    assert len(set(ids)) == len(ids) <= MAX_TASKS
    assert all(need in ids for task in once.tasks for need in task.depends_on)
    assert all(task.title and len(task.title) <= 80 and ROSTER.find(task.agent_type) for task in once.tasks)
    assert len(order(once.tasks)) == len(ids)
    assert lint(once, ROSTER).tasks == once.tasks


def test_titles_that_differ_in_a_number_are_different_work() -> None:
    checked = lint(
        plan(task("a", title="Add the widget for customer 7"), task("b", title="Add the widget for customer 8")), ROSTER
    )

    assert len(checked.tasks) == 2


def test_a_long_id_that_was_renamed_is_not_renamed_again() -> None:
    twice = plan(
        *(PlannedTask(id="x" * 60, title=f"Do part {name}", description="", agent_type=BACKEND) for name in "ab")
    )

    once = lint(twice, ROSTER)

    assert len({task.id for task in once.tasks}) == 2
    assert lint(once, ROSTER).tasks == once.tasks


def test_look_alikes_are_joined_even_when_one_join_opens_the_way_for_another() -> None:
    def same(id: str, *needs: str) -> PlannedTask:
        return PlannedTask(id=id, title="Write it", description="", agent_type=BACKEND, depends_on=needs)

    once = lint(plan(same("a"), same("c", "b"), same("b", "a")), ROSTER)

    assert [task.id for task in once.tasks] == ["a"]
    assert lint(once, ROSTER).tasks == once.tasks
