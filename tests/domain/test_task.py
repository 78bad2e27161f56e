import pytest

from agent_orchestrator.domain.errors import RefusedByState
from agent_orchestrator.domain.goal import GOAL_NEXT, GoalState, goal_rank, title_of
from agent_orchestrator.domain.ids import GoalId, TaskId, attempt_id, new_agent_id, new_task_id, slug
from agent_orchestrator.domain.task import HELD, NEXT, OPEN, Task, TaskState, parse_priority


def a_task(state: TaskState) -> Task:
    return Task(id=TaskId("t1"), goal=GoalId("g1"), key="a", title="a", description="", specialist="x", state=state)


@pytest.mark.parametrize("state", TaskState)
@pytest.mark.parametrize("to", TaskState)
def test_a_task_becomes_only_what_the_table_allows(state: TaskState, to: TaskState) -> None:
    if to in NEXT[state]:
        assert a_task(state).moved(to, reason="r").state is to
    else:
        with pytest.raises(RefusedByState, match=f"{state} and cannot become {to}"):
            a_task(state).moved(to)


def test_every_state_can_be_left_and_done_only_for_the_queue() -> None:
    assert [state for state in TaskState if not NEXT[state]] == [TaskState.REPLACED], "its work is others' now"
    assert NEXT[TaskState.DONE] == {TaskState.READY, TaskState.BLOCKED}
    assert set(GOAL_NEXT) == set(GoalState)


def test_work_can_be_lost_from_every_held_state_and_none_skips_verification() -> None:
    for state in HELD:
        assert TaskState.FAILED in NEXT[state] and TaskState.CANCELLED in NEXT[state]
    assert [state for state in TaskState if TaskState.DONE in NEXT[state]] == [TaskState.LANDING]
    assert [state for state in TaskState if TaskState.LANDING in NEXT[state]] == [TaskState.VERIFYING]
    assert HELD < OPEN


@pytest.mark.parametrize(("text", "value"), [("high", 10), ("Normal", 50), ("low", 90), ("0", 0), ("100", 100)])
def test_priorities_are_names_or_numbers(text: str, value: int) -> None:
    assert parse_priority(text) == value


@pytest.mark.parametrize("text", ["101", "-1", "urgent", "", "1.5", "nan"])
def test_other_priorities_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_priority(text)


def test_waiting_moves_a_goal_up_so_that_nothing_starves() -> None:
    ten_hours = 10 * 3600 * 1000
    assert goal_rank(0, 50) > goal_rank(ten_hours - 1, 10)
    assert goal_rank(0, 50) < goal_rank(ten_hours + 1, 10)


def test_ids_are_short_and_safe_everywhere() -> None:
    ids = {new_task_id() for _ in range(2000)}
    assert len(ids) > 1990
    assert all(len(id) == 7 and id.isalnum() and id.islower() for id in ids)
    assert attempt_id(TaskId("tabc"), 2) == "tabc.2"
    assert new_agent_id("claude").startswith("claude-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write the parser!", "write-the-parser"),
        ("../../etc", "etc"),
        ("日本語", ""),
        ("Füge Bücher & Straßen hinzu", "fuge-bucher-strassen-hinzu"),
        ("Crear una tienda en línea", "crear-una-tienda-en-linea"),
        ("Łódź: dodaj płatność", "lodz-dodaj-platnosc"),
        ("a" * 60, "a" * 48),
        ("word " * 20, "word-" * 8 + "word"),
    ],
)
def test_slugs_hold_only_what_a_branch_name_may(text: str, expected: str) -> None:
    assert slug(text) == expected
    assert len(slug(text)) <= 48


def test_a_title_is_the_first_line_folded_and_capped() -> None:
    assert title_of("\n\n  Fix   the bug \nmore") == "Fix the bug"
    assert len(title_of("x" * 500)) == 80
