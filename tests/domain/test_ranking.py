from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.ranking import ranks
from agent_orchestrator.domain.task import Size, Task


def a_task(id: str, *, size: Size = Size.M, priority: int = 50) -> Task:
    return Task(
        id=TaskId(id), goal=GoalId("g"), key=id, title=id, description="", specialist="x", size=size, priority=priority
    )


def ordered(tasks: list[Task], needs: dict[str, list[str]]) -> list[str]:
    found = ranks(tasks, {TaskId(id): [TaskId(need) for need in all_of] for id, all_of in needs.items()})
    return sorted(found, key=lambda one: found[one][1])


def test_the_longest_remaining_way_goes_first() -> None:
    tasks = [a_task("short"), a_task("long-1"), a_task("long-2"), a_task("long-3")]

    assert ordered(tasks, {"long-2": ["long-1"], "long-3": ["long-2"]})[:2] == ["long-1", "long-2"]


def test_priority_breaks_ties_but_is_no_band_above_the_critical_path() -> None:
    tasks = [a_task("normal"), a_task("urgent", priority=10), a_task("start"), a_task("end")]

    order = ordered(tasks, {"end": ["start"]})

    assert order[0] == "start"
    assert order.index("urgent") < order.index("normal")


def test_a_task_lends_its_priority_to_what_it_waits_for() -> None:
    tasks = [a_task("plain-1"), a_task("plain-2"), a_task("lender-1"), a_task("lender-2", priority=0)]

    order = ordered(tasks, {"plain-2": ["plain-1"], "lender-2": ["lender-1"]})

    assert order[0] == "lender-1"


def test_of_two_tasks_the_longer_one_goes_first() -> None:
    assert ordered([a_task("small", size=Size.S), a_task("large", size=Size.L)], {})[0] == "large"


def test_phases_are_the_longest_way_from_the_start() -> None:
    found = ranks(
        [a_task("a"), a_task("b"), a_task("c")], {TaskId("c"): [TaskId("a"), TaskId("b")], TaskId("b"): [TaskId("a")]}
    )

    assert {id: phase for id, (phase, _) in found.items()} == {"a": 1, "b": 2, "c": 3}
