import pytest

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import SIZE_MINUTES, Size
from agent_orchestrator.planning.forecast import LONGEST_MINUTES, forecast
from agent_orchestrator.planning.why import why_edge, why_task

S, M, L = Size.S, Size.M, Size.L


def plan(*tasks: tuple[str, Size, tuple[str, ...]]) -> Plan:
    made = [
        PlannedTask(id=id, title=f"Do {id}", description="", agent_type="generalist", size=size, depends_on=needs)
        for id, size, needs in tasks
    ]
    return Plan(goal="g", source="rules", tasks=tuple(made)).with_phases()


FORK = plan(("a", S, ()), ("b", L, ("a",)), ("c", M, ("a",)), ("d", S, ("b", "c")))


def test_the_critical_path_is_the_longest_way_in_minutes_not_in_tasks() -> None:
    long = plan(("a", S, ()), ("b", S, ("a",)), ("c", S, ("b",)), ("x", L, ()), ("y", S, ("x",)))

    assert forecast(FORK, 3).critical == ("a", "b", "d")
    assert forecast(long, 3).critical == ("x", "y")


def test_with_agents_enough_it_takes_what_the_critical_path_takes() -> None:
    found = forecast(FORK, 5)

    assert found.likely_minutes == 2 * SIZE_MINUTES[S] + SIZE_MINUTES[L]
    assert found.longest_minutes == 2 * LONGEST_MINUTES[S] + LONGEST_MINUTES[L]
    assert found.at_once == 2


def test_with_one_agent_it_takes_the_sum() -> None:
    assert forecast(FORK, 1).likely_minutes == sum(SIZE_MINUTES[task.size] for task in FORK.tasks)


@pytest.mark.parametrize("agents", [1, 2, 3, 10])
def test_more_agents_never_end_later_and_never_before_the_critical_path(agents: int) -> None:
    wide = plan(*((f"t{n}", (S, M, L)[n % 3], (f"t{n - 4}",) if n > 3 else ()) for n in range(30)))
    path = sum(SIZE_MINUTES[task.size] for task in wide.tasks if task.id in forecast(wide, 1).critical)

    assert path <= forecast(wide, agents + 1).likely_minutes <= forecast(wide, agents).likely_minutes


def test_why_one_task_waits_for_another_is_told_also_when_it_does_not() -> None:
    a, b, c, d = FORK.tasks

    assert why_edge(FORK, b, a) == ["b waits for a: it needs its result (Do a)"]
    assert why_edge(FORK, d, a)[0].startswith("d waits for a by way of others: a → ")
    assert "other way round" in why_edge(FORK, a, d)[0]
    assert "neither waits" in why_edge(FORK, b, c)[0]
    assert "critical path" in " ".join(why_task(FORK, b)) and "critical path" not in " ".join(why_task(FORK, c))
