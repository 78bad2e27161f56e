from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.runtime.scheduling import Situation, decide, shortly_before

NOW = datetime(2026, 3, 1, 22, tzinfo=UTC)
GOALS = (GoalId("g1"), GoalId("g2"))
EVENING = Situation(now=NOW, providers=("claude", "codex"), goals=GOALS, max_agents=3)


def test_free_slots_are_filled_by_the_preferred_provider() -> None:
    decision = decide(replace(EVENING, busy=1))

    assert (decision.slots, decision.provider, decision.goals) == (2, "claude", GOALS)


def test_nothing_starts_when_all_slots_are_taken_or_more() -> None:
    assert decide(replace(EVENING, busy=3)).slots == 0
    assert decide(replace(EVENING, busy=5)).slots == 0


def test_the_next_provider_stands_in_for_one_on_hold() -> None:
    assert decide(replace(EVENING, held=frozenset({"claude"}))).provider == "codex"
    assert decide(replace(EVENING, held=frozenset({"claude", "codex"}))).slots == 0


def test_while_all_are_on_hold_only_tasks_that_insist_on_another_provider_start() -> None:
    held = replace(EVENING, held=frozenset({"claude", "codex"}), task_providers={"demo": True})

    decision = decide(held)

    assert (decision.slots, decision.provider, decision.others) == (3, None, ("demo",))


def test_one_folder_takes_one_agent() -> None:
    assert decide(replace(EVENING, one_at_a_time=True)).slots == 1
    assert decide(replace(EVENING, one_at_a_time=True, busy=1)).slots == 0


def test_nothing_starts_while_stopping() -> None:
    assert decide(replace(EVENING, stopping=True)).slots == 0


def test_nothing_starts_shortly_before_the_deadline_and_it_says_so() -> None:
    assert decide(replace(EVENING, until=NOW + timedelta(hours=1))).slots == 3
    decision = decide(replace(EVENING, until=NOW + timedelta(minutes=1)))
    assert (decision.slots, decision.stopped_by) == (0, "deadline")


def test_a_start_is_paid_for_before_it_happens() -> None:
    budget = Budget(limit_micro_usd=1_000_000, reserve_micro_usd=400_000)

    assert decide(replace(EVENING, budget=budget, spent_micro_usd=600_000)).slots == 3
    assert decide(replace(EVENING, budget=budget, spent_micro_usd=600_001)).stopped_by == "budget"
    running = decide(replace(EVENING, budget=budget, spent_micro_usd=300_000, busy=1))
    assert (running.slots, running.stopped_by) == (0, "")


def test_what_a_planner_may_use_is_set_aside_and_takes_no_agents_place() -> None:
    budget = Budget(limit_micro_usd=1_000_000, reserve_micro_usd=400_000)

    assert decide(replace(EVENING, asking=2)).slots == 3
    waits = decide(replace(EVENING, budget=budget, spent_micro_usd=300_000, asking=1))
    assert (waits.slots, waits.stopped_by) == (0, ""), "it may use less, and then an agent may start"
    assert decide(replace(EVENING, exhausted=frozenset(GOALS), asking=1)).stopped_by == ""


def test_a_goal_whose_budget_is_used_up_waits_while_others_go_on() -> None:
    assert decide(replace(EVENING, exhausted=frozenset({GoalId("g1")}))).goals == (GoalId("g2"),)
    assert decide(replace(EVENING, exhausted=frozenset(GOALS))).stopped_by == "budget"


def test_while_the_runs_providers_wait_only_tasks_that_insist_on_another_may_start() -> None:
    waiting = replace(EVENING, held=frozenset({"claude", "codex"}), task_providers={"generic": True})

    decision = decide(waiting)

    assert (decision.slots, decision.provider, decision.others) == (3, None, ("generic",))


def test_a_provider_that_refused_lately_gets_no_more_agents_than_it_has_room_for() -> None:
    narrow = decide(replace(EVENING, room={"claude": 1}))
    full = decide(replace(EVENING, busy=1, room={"claude": 0}))
    alone = decide(replace(EVENING, busy=1, providers=("claude",), room={"claude": 0}))

    assert (narrow.slots, narrow.provider, narrow.stand_ins) == (1, "claude", ("codex",))
    assert (full.slots, full.provider) == (2, "codex")
    assert (alone.slots, alone.stopped_by) == (0, "")


def test_budgets_in_tokens_and_time_stop_starts_too() -> None:
    tokens = replace(EVENING, budget=Budget(limit_tokens=100_000), spent_tokens=60_000)
    time = replace(EVENING, budget=Budget(limit_seconds=600), worked_s=400)

    assert (decide(tokens).stopped_by, decide(time).stopped_by) == ("budget", "budget")


def test_the_end_of_a_night_is_prepared_by_minutes_and_that_of_a_short_run_by_less() -> None:
    night = shortly_before(NOW + timedelta(hours=8), NOW)
    short = shortly_before(NOW + timedelta(seconds=16), NOW)

    assert (night.last_start, night.wind_down) == (timedelta(minutes=2), timedelta(minutes=1))
    assert (short.last_start, short.wind_down) == (timedelta(seconds=4), timedelta(seconds=2))
    assert decide(replace(EVENING, until=NOW + timedelta(seconds=5), last_start=short.last_start)).slots == 3
