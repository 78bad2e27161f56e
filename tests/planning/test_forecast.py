from collections.abc import Callable
from dataclasses import replace
from math import exp
from random import Random

import pytest

from agent_orchestrator.cli.expectations import cost as cost_told
from agent_orchestrator.domain.finished import Finished
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import SIZE_MINUTES, Size, Tier
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.planning.forecast import Forecast, History, forecast
from agent_orchestrator.planning.why import why_edge, why_task

S, M, L = Size.S, Size.M, Size.L


def plan(*tasks: tuple[str, Size, tuple[str, ...]]) -> Plan:
    made = [
        PlannedTask(id=id, title=f"Do {id}", description="", agent_type="generalist", size=size, depends_on=needs)
        for id, size, needs in tasks
    ]
    return Plan(goal="g", source="rules", tasks=tuple(made)).with_phases()


FORK = plan(("a", S, ()), ("b", L, ("a",)), ("c", M, ("a",)), ("d", S, ("b", "c")))
WIDE = plan(*((f"t{n}", (S, M, L)[n % 3], (f"t{n - 4}",) if n > 3 else ()) for n in range(12)))


def history(count: int, minutes: Callable[[Size], float], cost: int | None = None, **more: object) -> History:
    """Return *count* finished tasks of each size that took so long, all by claude."""
    done = [Finished(size, Tier.STANDARD, "generalist", "claude", minutes(size) * 60, cost) for size in Size]
    return History(finished=done * count, provider="claude", **more)  # type: ignore[arg-type]


def test_the_critical_path_is_the_longest_way_in_minutes_not_in_tasks() -> None:
    long = plan(("a", S, ()), ("b", S, ("a",)), ("c", S, ("b",)), ("x", L, ()), ("y", S, ("x",)))

    assert forecast(FORK, 3).critical == ("a", "b", "d")
    assert forecast(long, 3).critical == ("x", "y")


def test_without_a_history_the_middle_is_what_is_assumed_of_the_sizes() -> None:
    one = plan(("a", M, ()))

    found = forecast(one, 3)

    assert found.from_tasks == 0
    assert found.p50_s == pytest.approx(SIZE_MINUTES[M] * 60, rel=0.05)
    assert found.p90_s > 1.7 * found.p50_s, "nothing is known: it may be much longer"
    assert forecast(FORK, 5).at_once == 2


def test_a_long_history_decides_and_a_short_one_only_moves_the_forecast() -> None:
    one = plan(("a", M, ()))

    many = forecast(one, 3, history(60, lambda size: SIZE_MINUTES[size] / 3))
    few = forecast(one, 3, history(1, lambda size: SIZE_MINUTES[size] / 3))

    assert many.p50_s == pytest.approx(SIZE_MINUTES[M] * 20, rel=0.1)
    assert many.p50_s < few.p50_s < forecast(one, 3).p50_s
    assert many.p90_s / many.p50_s < few.p90_s / few.p50_s, "what is known better is narrower"
    assert (many.from_tasks, few.from_tasks) == (180, 3)


def test_a_project_far_off_from_what_is_assumed_is_believed_at_once() -> None:
    found = forecast(plan(("a", M, ())), 1, history(1, lambda size: 0.02))

    assert found.p90_s < 60, "three tasks of a second each: not eighteen minutes"


def test_a_size_that_takes_other_than_the_rest_of_its_project_is_learned() -> None:
    slow = history(40, lambda size: SIZE_MINUTES[size] * (4 if size is L else 1))

    small, large = (forecast(plan(("a", size, ())), 1, slow).p50_s / 60 for size in (S, L))

    assert small == pytest.approx(SIZE_MINUTES[S], rel=0.25)
    assert large == pytest.approx(4 * SIZE_MINUTES[L], rel=0.25)


@pytest.mark.parametrize("agents", [1, 2, 3, 10])
def test_more_agents_never_end_later(agents: int) -> None:
    assert forecast(WIDE, agents + 1).p50_s <= forecast(WIDE, agents).p50_s
    assert forecast(WIDE, agents + 1).p90_s <= forecast(WIDE, agents).p90_s


def test_the_same_plan_has_the_same_forecast_every_time() -> None:
    told = history(5, lambda size: SIZE_MINUTES[size] * 1.5)

    assert forecast(WIDE, 3, told) == forecast(WIDE, 3, told)


def test_which_tasks_decide_the_end_is_told_also_when_it_is_a_lack_of_agents() -> None:
    wide = plan(("big", L, ()), *((f"small{n}", S, ()) for n in range(3)))

    many, one = (dict(forecast(wide, agents).decides) for agents in (4, 1))

    assert many["big"] > 0.9, "with agents enough only the big one is waited for"
    assert set(one.values()) == {1.0}, "with one agent each task keeps the others waiting"


def test_nine_of_ten_plans_end_before_their_p90_and_half_before_their_p50() -> None:
    """The promise of the figures, held against projects that are made up but differ as projects do."""
    random = Random(7)
    early, late, played = 0, 0, 120
    for number in range(played):
        minutes = a_project(random)
        tasks = [kind(random) for _ in range((0, 5, 30)[number % 3])]
        done = [Finished(size, tier, role, "claude", minutes(size, tier, role) * 60) for size, tier, role in tasks]
        chain = [kind(random) for _ in range(4)]
        made = plan(*((f"t{n}", size, (f"t{n - 1}",) if n else ()) for n, (size, _, _) in enumerate(chain)))
        wanted = [replace(t, tier=c[1], agent_type=c[2]) for t, c in zip(made.tasks, chain, strict=True)]
        found = forecast(replace(made, tasks=tuple(wanted)), 1, History(finished=done, provider="claude"))
        took = sum(minutes(*one) for one in chain) * 60
        early += took <= found.p50_s
        late += took > found.p90_s

    assert 0.4 < early / played < 0.6
    assert 0.05 < late / played < 0.16


def kind(random: Random) -> tuple[Size, Tier, str]:
    return random.choice(list(Size)), random.choice(list(Tier)), random.choice(["api", "pages", "tests", "docs"])


def a_project(random: Random) -> Callable[[Size, Tier, str], float]:
    """Return how long its tasks take: the project, each kind of work and each task are slow or quick by chance."""
    pace = random.gauss(0, 0.6)
    kinds: dict[str, float] = {}

    def minutes(size: Size, tier: Tier, role: str) -> float:
        beside = sum(kinds.setdefault(one, random.gauss(0, 0.25)) for one in (size, tier, role))
        return SIZE_MINUTES[size] * exp(pace + beside + random.gauss(0, 0.6))

    return minutes


# What it may cost


def by_price(usage: Usage, tier: Tier) -> int | None:
    """Two dollars for a million tokens that are new, by every model."""
    return usage.input_tokens * 2


def costs(found: Forecast) -> tuple[float, float]:
    assert found.cost is not None
    return found.cost.p50_micro_usd / 1e6, found.cost.p90_micro_usd / 1e6


def test_a_cost_that_nothing_is_known_of_is_not_known_and_the_reason_is_told() -> None:
    for known in (
        History(provider="codex", unpriced="nobody knows"),
        history(40, lambda size: 5.0, cost=None, unpriced="nobody knows"),
        replace(history(40, lambda size: 5.0, cost=900_000), provider="codex", unpriced="nobody knows"),
    ):
        found = forecast(FORK, 3, known)
        assert (found.cost, found.cost_unknown) == (None, "nobody knows")


def test_costs_of_the_history_are_taken_without_knowing_a_price() -> None:
    likely, most = costs(forecast(FORK, 3, history(40, lambda size: 5.0, cost=1_000_000)))

    assert likely == pytest.approx(4.0, rel=0.15), "four tasks at a dollar"
    assert 4 < most < 10


def test_without_a_history_the_cost_is_of_assumed_tokens_by_the_price_of_the_tiers_model() -> None:
    found = forecast(FORK, 3, History(provider="claude", priced=by_price))

    minutes = sum(SIZE_MINUTES[task.size] for task in FORK.tasks)
    assert costs(found)[0] == pytest.approx(minutes * 10_000 * 2 / 1e6, rel=0.3)
    assert found.cost is not None and found.cost.from_tasks == 0


def test_a_model_that_the_cli_chooses_itself_is_assumed_until_three_tasks_have_told_their_cost() -> None:
    assumed = {"assumed": by_price, "assumed_model": "opus by its own choice"}
    known, guessed = (forecast(FORK, 3, History(provider="claude", **more)) for more in ({"priced": by_price}, assumed))
    some, many = (forecast(FORK, 3, history(count, lambda size: 5.0, cost=9_000_000, **assumed)) for count in (0, 60))
    one = history(1, lambda size: 5.0, cost=9_000_000, **assumed)
    few = forecast(FORK, 3, replace(one, finished=one.finished[:2]))

    assert known.cost and guessed.cost and few.cost and many.cost and some.cost
    assert (known.cost.assumed, guessed.cost.assumed) == ("tokens", "tokens, and opus by its own choice")
    assert costs(guessed)[0] == pytest.approx(costs(known)[0], rel=0.2)
    assert costs(guessed)[1] > 1.3 * costs(known)[1], "less is known, and that shows"
    assert (few.cost.from_tasks, few.cost.assumed) == (2, guessed.cost.assumed)
    assert (many.cost.from_tasks, many.cost.assumed) == (180, "") and costs(many)[0] == pytest.approx(36, rel=0.25)
    assert cost_told(guessed).endswith("(assumed: tokens, and opus by its own choice)")
    assert cost_told(few).endswith("(mostly assumed: tokens, and opus by its own choice)")
    assert "assumed" not in cost_told(many)


def test_a_tier_without_a_price_leaves_the_whole_cost_unknown() -> None:
    heavy = replace(FORK, tasks=(replace(FORK.tasks[0], tier=Tier.HEAVY), *FORK.tasks[1:]))
    known = History(provider="claude", priced=lambda usage, tier: None if tier is Tier.HEAVY else 1)

    assert forecast(heavy, 3, known).cost is None
    assert forecast(FORK, 3, known).cost is not None


def test_what_was_paid_beats_what_the_price_table_says() -> None:
    dear = history(60, lambda size: 5.0, cost=9_000_000, priced=by_price)

    assert costs(forecast(FORK, 3, dear))[0] == pytest.approx(36, rel=0.25)


def test_why_one_task_waits_for_another_is_told_also_when_it_does_not() -> None:
    a, b, c, d = FORK.tasks

    assert why_edge(FORK, b, a) == ["b waits for a: it needs its result (Do a)"]
    assert why_edge(FORK, d, a)[0].startswith("d waits for a by way of others: a → ")
    assert "other way round" in why_edge(FORK, a, d)[0]
    assert "neither waits" in why_edge(FORK, b, c)[0]
    assert "critical path" in " ".join(why_task(FORK, b)) and "critical path" not in " ".join(why_task(FORK, c))
