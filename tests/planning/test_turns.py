from graphlib import TopologicalSorter
from itertools import combinations
from random import Random

from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import Size
from agent_orchestrator.planning.lint import lint
from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.turns import in_turn


def waits_for(needs: dict[str, list[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for id in TopologicalSorter(needs).static_order():  # raises at a cycle
        found[id] = set(needs[id]).union(*(found[need] for need in needs[id]))
    return found


def test_of_every_pair_one_waits_for_the_other_without_a_cycle_and_without_a_needless_dependency() -> None:
    for seed in range(60):
        random = Random(seed)
        ids = [f"t{n}" for n in range(random.randint(2, 14))]
        needs = {id: [one for one in ids[:at] if random.random() < 0.15] for at, id in enumerate(ids)}
        pairs = [pair for pair in combinations(ids, 2) if random.random() < 0.5]
        minutes = {id: random.choice([6, 18, 50]) for id in ids}

        added = in_turn(minutes, needs, pairs)

        whole = {id: [*needs[id], *(first for first, later in added if later == id)] for id in ids}
        above = waits_for(whole)
        assert all(one in above[other] or other in above[one] for one, other in pairs)
        for first, later in added:
            without = {**whole, later: [need for need in whole[later] if need != first]}
            assert first not in waits_for(without)[later], "it follows from others"


def test_who_has_a_long_way_behind_goes_first_although_it_is_listed_later() -> None:
    minutes = {"small": 6, "big": 50, "after": 50}

    assert in_turn(minutes, {"small": [], "big": [], "after": ["big"]}, [("small", "big")]) == [("big", "small")]
    assert in_turn(minutes, {"small": [], "big": [], "after": ["small"]}, [("big", "small")]) == [("small", "big")]


def test_of_alike_tasks_the_first_listed_goes_first_and_a_lower_layer_always() -> None:
    def linted(*tasks: PlannedTask) -> dict[str, tuple[str, ...]]:
        made = lint(Plan(goal="g", source="file", tasks=tasks), Roster(), strict=True)
        return {task.id: task.depends_on for task in made.tasks}

    def task(id: str, title: str, size: Size = Size.M, *needs: str) -> PlannedTask:
        return PlannedTask(
            id=id, title=title, description=title, agent_type="generalist", size=size, owns=("app.py",),
            depends_on=needs, acceptance=("It works.",),
        )  # fmt: skip

    alike = linted(task("a", "Rename one"), task("b", "Rename another"))
    layered = linted(task("page", "Build the user interface", Size.L), task("schema", "Design the schema", Size.S))

    assert alike == {"a": (), "b": ("a",)}
    assert layered == {"page": ("schema",), "schema": ()}
