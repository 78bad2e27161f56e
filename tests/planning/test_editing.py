"""Changes to a plan: each does what it says, is validated, or is refused and changes nothing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_orchestrator.domain.errors import BadInput, NotFound, OrchestratorError
from agent_orchestrator.domain.plan import Plan, PlannedTask, Question, Routing, order
from agent_orchestrator.domain.task import Size
from agent_orchestrator.planning.changes import KEYS
from agent_orchestrator.planning.comparing import difference, in_words
from agent_orchestrator.planning.decisions import decided
from agent_orchestrator.planning.editing import changed, find_task
from agent_orchestrator.planning.quoting import OF_GOAL, OF_SEVERAL, halves
from agent_orchestrator.planning.roster import Roster

ROSTER = Roster()
BACKEND = "backend-systems-engineer"


def task(id: str, *needs: str, **more: Any) -> PlannedTask:
    known: dict[str, Any] = {"title": f"Do {id}", "description": f"All of {id}", "agent_type": BACKEND}
    return PlannedTask(id=id, depends_on=needs, acceptance=("It is done.",), **{**known, **more})


def plan(*tasks: PlannedTask, **more: Any) -> Plan:
    return Plan(goal="Reach the goal of this test", source="rules", tasks=tasks, **more).with_phases()


CHAIN = plan(task("a"), task("b", "a"), task("c", "b"), task("d", "b"))


def edges(found: Plan) -> dict[str, tuple[str, ...]]:
    return {one.id: one.depends_on for one in found.tasks}


def do(start: Plan, *changes: dict[str, Any]) -> Plan:
    return changed(start, changes, ROSTER)


def test_what_waited_for_a_removed_task_waits_for_what_it_waited_for() -> None:
    assert edges(do(CHAIN, {"op": "remove", "task": "b"})) == {"a": (), "c": ("a",), "d": ("a",)}


def test_the_last_task_is_not_removed() -> None:
    with pytest.raises(BadInput, match="only task"):
        do(plan(task("a")), {"op": "remove", "task": "a"})


def test_an_added_task_stands_where_it_is_told_to_and_finds_its_specialist() -> None:
    found = do(CHAIN, {"op": "add", "title": "Write the user guide", "depends_on": ["1"], "before": ["c"]})

    added = find_task(found, "write-the-user-guide")
    assert (added.agent_type, added.depends_on) == ("documentation-writer", ("a",))
    assert edges(found)["c"] == ("b", "write-the-user-guide")
    assert [one.id for one in found.tasks].index(added.id) < [one.id for one in found.tasks].index("c")


def test_a_split_task_keeps_its_outer_edges_its_scope_and_what_it_promised() -> None:
    start = plan(task("a"), task("b", "a", owns=("src/**",), verify="make test", size=Size.L), task("c", "b"))

    side_by_side = do(start, {"op": "split", "task": "b", "into": ["Store it", "Show it"], "in_order": True})
    free = do(
        start, {"op": "split", "task": "b", "into": [{"title": "One", "owns": ["x"]}, {"title": "Two", "owns": ["y"]}]}
    )

    assert edges(side_by_side) == {"a": (), "store-it": ("a",), "show-it": ("store-it",), "c": ("show-it",)}
    assert {one.owns for one in side_by_side.tasks[1:3]} == {("src/**",)}
    assert (side_by_side.tasks[2].verify, side_by_side.tasks[2].acceptance) == ("make test", ("It is done.",))
    assert {one.size for one in side_by_side.tasks[1:3]} == {Size.M}
    assert edges(free) == {"a": (), "one": ("a",), "two": ("a",), "c": ("one", "two")}
    assert "do only this part" in side_by_side.tasks[1].description


def test_parts_that_may_write_the_same_files_wait_for_each_other() -> None:
    start = plan(task("b", owns=("src/**",)))

    found = do(start, {"op": "split", "task": "b", "into": ["Store it", "Show it"]})

    assert edges(found)["show-it"] == ("store-it",)
    assert "same-files" in {one.rule for one in found.findings}


def test_merged_tasks_are_one_with_all_that_they_had() -> None:
    start = plan(
        task("a"), task("b", "a", owns=("x",), verify="one", priority=10), task("c", "a", verify="two"), task("d", "c")
    )

    found = do(start, {"op": "merge", "tasks": ["c", "b"], "title": "Do both"})

    whole = find_task(found, "b")
    assert (whole.title, whole.owns, whole.verify, whole.priority) == ("Do both", ("x",), "(one) && (two)", 10)
    assert "All of b" in whole.description and "All of c" in whole.description
    assert edges(found) == {"a": (), "b": ("a",), "d": ("b",)}


def test_what_was_split_and_merged_again_says_each_thing_once() -> None:
    goal = "Mend the import of orders.\nIt loses one in ten."
    start = plan(replace(task("import"), title="Mend the import", description=goal))
    apart = do(start, {"op": "split", "task": "import", "into": ["Find it", "Mend it"], "in_order": True})

    (whole,) = do(apart, {"op": "merge", "tasks": ["1", "2"], "title": "Find and mend"}).tasks

    assert whole.description.splitlines()[:5] == ["Find it", "", "Mend it", "", OF_SEVERAL]
    assert whole.description.count(goal) == 1
    assert "only this part" not in whole.description


def test_merged_parts_of_several_wholes_keep_what_each_is_a_part_of() -> None:
    start = plan(replace(task("a"), description=f"Read it.\n\n{OF_GOAL}\n\nOne."), task("b"))

    (whole,) = do(start, {"op": "merge", "tasks": ["a", "b"], "title": "Both"}).tasks

    own, quoted = halves(whole.description)
    assert "Read it." in own and "All of b" in own and quoted == f"{OF_GOAL}\n\nOne."


def test_merging_round_a_task_between_is_refused_for_it_would_be_a_cycle() -> None:
    with pytest.raises(BadInput, match="cycle"):
        do(CHAIN, {"op": "merge", "tasks": ["a", "c"]})


def test_a_cycle_is_refused_and_spelt_out() -> None:
    with pytest.raises(BadInput, match=r"cycle: .*a.* → "):
        do(CHAIN, {"op": "depend", "task": "a", "on": ["c"]})


def test_dependencies_are_made_and_taken_away() -> None:
    more = do(CHAIN, {"op": "depend", "task": "d", "on": ["c"]})
    less = do(more, {"op": "undepend", "task": "d", "on": ["b"]})

    assert (edges(more)["d"], edges(less)["d"]) == (("b", "c"), ("c",))
    with pytest.raises(BadInput, match="does not wait for a"):
        do(CHAIN, {"op": "undepend", "task": "d", "on": ["a"]})


def test_an_order_that_keeps_two_from_the_same_files_comes_back_and_says_so() -> None:
    start = do(plan(task("a", owns=("x",)), task("b", "a", owns=("x",))), {"op": "assume", "text": "Nothing."})

    found = do(start, {"op": "undepend", "task": "b", "on": ["a"]})

    assert edges(found)["b"] == ("a",)
    assert [one.message for one in found.findings if one.rule == "same-files"] == ["b waits for a: both may write x"]


def test_fields_are_set_and_read_as_in_a_file() -> None:
    fields = {"size": "L", "priority": "high", "owns": ["src/a.py"], "verify": "make", "id": "new-name"}

    found = do(CHAIN, {"op": "modify", "task": "b", "set": fields})

    set_ = find_task(found, "new-name")
    assert (set_.size, set_.priority, set_.owns, set_.verify) == (Size.L, 10, ("src/a.py",), "make")
    assert edges(found)["c"] == edges(found)["d"] == ("new-name",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"op": "dance"}, "no change 'dance'"),
        ({"op": "remove"}, "remove needs 'task'"),
        ({"op": "remove", "task": "a", "now": 1}, "remove has no 'now'"),
        ({"op": "remove", "task": "zzz"}, "no task 'zzz'"),
        ({"op": "remove", "task": "7"}, "no task 7"),
        ({"op": "modify", "task": "a", "set": {"sise": "L"}}, "no 'sise'"),
        ({"op": "modify", "task": "a", "set": {"size": "XL"}}, "a.size"),
        ({"op": "modify", "task": "a", "set": {"id": "b"}}, "a task 'b' already"),
        ({"op": "modify", "task": "a", "set": {"agent_type": "nobody"}}, "no specialist"),
        ({"op": "modify", "task": "a", "set": {"owns": ["../x"]}}, "not a path inside"),
        ({"op": "modify", "task": "a", "set": {"verify": "a\nb"}}, "verify command"),
        ({"op": "split", "task": "a", "into": ["one"]}, "two or more"),
        ({"op": "merge", "tasks": ["a"]}, "two or more"),
        ({"op": "move", "task": "a"}, "before"),
        ({"op": "move", "task": "a", "before": "a"}, "beside itself"),
        ({"op": "answer", "question": 1, "answer": "x"}, "no question 1"),
        ({"op": "route", "task": "a", "to": "cook"}, "no specialist"),
        ({"op": "add", "title": "X", "id": "a"}, "a task 'a' already"),
        ("remove a", "a change is an object"),
    ],
)
def test_a_change_that_cannot_be_meant_is_refused_with_the_reason(change: Any, said: str) -> None:
    with pytest.raises((BadInput, NotFound), match=said):
        do(CHAIN, change)


def test_one_assumption_too_many_is_refused_not_dropped() -> None:
    with pytest.raises(BadInput, match="change 21: a plan has 20 assumptions at most"):
        do(CHAIN, *({"op": "assume", "text": f"It is {n}."} for n in range(21)))


def test_of_several_changes_the_wrong_one_is_named_by_its_number() -> None:
    with pytest.raises(NotFound, match="change 2: there is no task 'b'"):
        do(CHAIN, {"op": "remove", "task": "b"}, {"op": "remove", "task": "b"})


def test_the_order_of_the_list_is_changed() -> None:
    assert list(edges(do(CHAIN, {"op": "move", "task": "d", "before": "c"}))) == ["a", "b", "d", "c"]
    assert list(edges(do(CHAIN, {"op": "move", "task": "1", "after": "4"}))) == ["b", "c", "d", "a"]


def test_a_task_goes_to_who_is_named_or_to_whom_its_words_speak_for() -> None:
    named = do(CHAIN, {"op": "route", "task": "a", "to": "qa-test-engineer"})
    assert (named.tasks[0].agent_type, named.tasks[0].routing.reason) == ("qa-test-engineer", "named by the user")  # type: ignore[union-attr]

    words = do(plan(task("a", title="Write the README and the user guide")), {"op": "route", "task": "a"})
    assert words.tasks[0].agent_type == "documentation-writer"


DATABASE = Question(text="Which database?", default="SQLite.", tasks=("b",))
CHECK = Question(text="Which command checks it?", default="None.", sets="verify")


def test_answers_and_assumptions_reach_the_tasks_that_they_touch_and_no_other() -> None:
    start = plan(task("a"), task("b"), questions=(DATABASE,), assumptions=("Python 3.12.",))

    asked, answered = decided(start), decided(do(start, {"op": "answer", "question": 1, "answer": "PostgreSQL"}))

    assert "Python 3.12." in asked.tasks[0].description and "database" not in asked.tasks[0].description
    assert "nobody was asked:\n- Which database? SQLite." in asked.tasks[1].description
    assert "The user decided:\n- Which database? PostgreSQL" in answered.tasks[1].description
    assert "SQLite" not in answered.tasks[1].description


def test_the_command_that_somebody_names_checks_every_task_without_one_also_later_ones() -> None:
    start = plan(task("a", verify="own"), task("b"), questions=(CHECK,))

    answered = do(start, {"op": "answer", "question": 1, "answer": "make test"})
    again = do(answered, {"op": "answer", "question": 1, "answer": "make all"}, {"op": "add", "title": "Something new"})

    assert [one.verify for one in answered.tasks] == ["own", "make test"]
    assert [one.verify for one in again.tasks] == ["own", "make all", "make all"]


def test_a_question_follows_the_tasks_it_is_about_and_goes_with_the_last() -> None:
    start = plan(task("a"), task("b"), questions=(DATABASE,))

    split = do(start, {"op": "split", "task": "b", "into": ["Store it", "Show it"]})

    assert split.questions[0].tasks == ("store-it", "show-it")
    assert do(start, {"op": "remove", "task": "b"}).questions == ()
    assert do(start, {"op": "merge", "tasks": ["a", "b"]}).questions[0].tasks == ("a",)


def test_a_task_is_found_by_number_id_start_and_words() -> None:
    found = plan(task("api-users", title="Build the users API"), task("api-tests"), task("3"))

    assert [find_task(found, name).id for name in ("1", "api-u", "users build", "2", "3")] == [
        "api-users",
        "api-users",
        "api-users",
        "api-tests",
        "3",
    ]
    with pytest.raises(NotFound, match="api-users, api-tests"):
        find_task(found, "api")


def test_what_a_change_did_is_told_in_words() -> None:
    after = do(CHAIN, {"op": "remove", "task": "b"}, {"op": "modify", "task": "a", "set": {"title": "Begin"}})

    assert in_words(difference(CHAIN, after)) == [
        "- b: Do b",
        "~ a: title Do a → Begin",
        "~ c: waits for a; no longer waits for b",
        "~ d: waits for a; no longer waits for b",
    ]
    assert not difference(CHAIN, CHAIN)


NAMES = st.sampled_from(["a", "b", "c", "d", "1", "9", "new", ""])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | NAMES | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(KEYS)),
            st.dictionaries(
                st.sampled_from(sorted({key for must, may in KEYS.values() for key in (*must, *may)})),
                NAMES | st.lists(NAMES, max_size=3) | ANYTHING,
                max_size=4,
            ),
        ),
        max_size=6,
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_gives_a_sound_plan_or_a_reason(asked: list[tuple[str, dict[str, Any]]]) -> None:
    found = CHAIN
    for op, keys in asked:
        allowed = {key: value for key, value in keys.items() if key in {*KEYS[op][0], *KEYS[op][1]}}
        try:
            found = changed(found, [{"op": op, **allowed}], ROSTER)
        except OrchestratorError as error:
            assert error.message
    assert sorted(order(found.tasks)) == sorted(one.id for one in found.tasks)
    assert all(set(one.depends_on) <= set(edges(found)) and one.title for one in found.tasks)


QUOTING = f"Add a fine for late books\n\n{OF_GOAL}\n\n- Add a fine for late books\n- Document the command in the README"
BY_PLACE = Routing(specialist=BACKEND, confidence=0.2, reason="by its place among the parts")


@pytest.mark.parametrize(
    "fields", [{"owns": ["loans/models.py"]}, {"description": QUOTING + "\n"}, {"title": "Add fines for late books"}]
)
def test_a_changed_task_is_not_given_to_whom_only_the_rest_of_the_goal_speaks_for(fields: dict[str, Any]) -> None:
    start = plan(task("a", title="Add a fine for late books", description=QUOTING, routing=BY_PLACE), task("b", "a"))

    changed = do(start, {"op": "modify", "task": "a", "set": fields}).tasks[0]

    assert (changed.agent_type, changed.routing) == (BACKEND, BY_PLACE)
    assert do(start, {"op": "route", "task": "a"}).tasks[0].agent_type == "generalist"


def test_a_changed_task_goes_to_whom_its_new_words_or_files_clearly_speak_for() -> None:
    start = plan(task("a", title="Add a fine for late books", description=QUOTING, routing=BY_PLACE), task("b", "a"))

    said = {"title": "Write pytest unit tests for the fines"}
    assert do(start, {"op": "modify", "task": "a", "set": said}).tasks[0].agent_type == "qa-test-engineer"
    files = {"owns": ["README.md"]}
    assert do(start, {"op": "modify", "task": "a", "set": files}).tasks[0].agent_type == "documentation-writer"


@pytest.mark.parametrize("no", ["none", "None.", "no", "-", "nothing", "keiner"])
def test_who_answers_that_no_command_checks_the_work_gets_no_check_of_that_name(no: str) -> None:
    asked = Question(text="Which command checks the work?", default="None.", sets="verify")
    start = plan(task("a"), task("b", "a", verify="make b"), questions=(asked,))

    denied = do(start, {"op": "answer", "question": 1, "answer": no})
    changed = do(start, {"op": "answer", "question": 1, "answer": "make t"})
    taken_back = do(changed, {"op": "answer", "question": 1, "answer": no}, {"op": "add", "title": "More"})

    assert [one.verify for one in denied.tasks] == [None, "make b"]
    assert [one.verify for one in taken_back.tasks] == [None, "make b", None]
    assert not any(
        no in text or "make t" in text for one in (*denied.tasks, *taken_back.tasks) for text in one.acceptance
    )
    assert [one.verify for one in do(taken_back, {"op": "answer", "question": 1, "answer": "make u"}).tasks] == [
        "make u",
        "make b",
        "make u",
    ]


@pytest.mark.parametrize("last", ["Test both", "Document all of these"])
def test_a_part_of_a_divided_task_that_is_about_the_others_waits_for_them(last: str) -> None:
    parts = ["Store the choice", "Add the switch", last]

    found = do(CHAIN, {"op": "split", "task": "b", "into": parts})

    third = find_task(found, "4")
    assert {one.id: one.depends_on for one in found.tasks[1:4]} == {
        "store-the-choice": ("a",),
        "add-the-switch": ("a",),
        third.id: ("store-the-choice", "add-the-switch"),
    }
    assert edges(found)["c"] == (third.id,)
