"""What is different in the next attempt, told through the queue."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.attempt import Attempt, Outcome, Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Evidence
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.task import Task, TaskState, Tier
from agent_orchestrator.services.goals import Submission
from steps import accept, claim, planned


def red(tree: str, *failures: str) -> Evidence:
    check = CheckRun(
        command="make test", origin="project", result=CheckResult.FAILED, exit_code=1, duration_ms=1, tail="",
        failures=failures or None, tree=tree,
    )  # fmt: skip
    return Evidence(checks=(check,), files=("a.py",), insertions=1)


def supervised_by(app: App, *providers: str) -> None:
    with app.store.transaction():
        options = {"providers": list(providers)}
        app.store.leadership.begin(pid=os.getpid(), max_agents=3, options=options, now=app.clock.now())


def reject(app: App, clock: HandClock, evidence: Evidence, stand_ins: tuple[str, ...] = ()) -> tuple[Task, Attempt]:
    app.tasks.release_due()
    claimed = app.tasks.claim(
        "claude", run_dir=lambda task, number: Path(f"/runs/{task.id}.{number}"), stand_ins=stand_ins, others=stand_ins
    )
    assert claimed is not None
    attempt = claimed[1]
    after = app.tasks.ended(attempt, outcome=Outcome.REJECTED, reason="`make test` failed", evidence=evidence)
    clock.advance(timedelta(hours=1))
    return after, attempt


def test_the_same_failure_twice_gets_a_better_model_then_another_provider_then_a_person(
    app: App, clock: HandClock
) -> None:
    supervised_by(app, "claude", "codex")
    accept(app, replace(planned("a"), tier=Tier.STANDARD))
    with app.store.transaction():
        task = app.store.tasks.in_states([TaskState.READY])[0]
        app.store.tasks.save(task._replace(max_attempts=10), was=task)

    seen = [reject(app, clock, red("t1", "test_a"), ("codex",)) for _ in range(4)]

    assert [task.tier for task, _ in seen] == [Tier.STANDARD, *[Tier.HEAVY] * 3]
    assert [attempt.provider for _, attempt in seen] == ["claude", "claude", "claude", "codex"]
    last = seen[-1][0]
    assert last.state is TaskState.FAILED, "four of ten attempts, and no more"
    assert "changed the same and failed in the same way" in last.reason
    types = [event.type for event in app.events.last(100) if event.type == "task.escalated"]
    assert len(types) == 2


def test_attempts_that_come_nearer_have_all_their_tries(app: App, clock: HandClock) -> None:
    accept(app, planned("a"))

    states = [reject(app, clock, red(f"t{number}", f"test_{number}"))[0].state for number in range(3)]

    assert states == [TaskState.BLOCKED, TaskState.BLOCKED, TaskState.FAILED]
    assert app.reports.failed()[0]["reason"] == "`make test` failed"


def test_a_person_who_retries_a_loop_gets_fresh_attempts(app: App, clock: HandClock) -> None:
    app = build(app.folder, environ={**os.environ, "ORCHESTRATE_CLAUDE_MODEL": "opus"}, clock=clock)
    accept(app, planned("a"))
    for _ in range(2):
        task, _ = reject(app, clock, red("t1", "test_a"))
    assert task.state is TaskState.FAILED, "one model for everything, one provider: nothing is left to change"

    app.tasks.retry(task.id, comment="The port is 8081.")

    again, _ = reject(app, clock, red("t1", "test_a"))
    assert (again.state, again.attempts) == (TaskState.BLOCKED, 1)
    app.store.close()


def test_a_task_whose_own_budget_is_used_up_goes_to_a_person_and_a_retry_renews_it(app: App, clock: HandClock) -> None:
    plan = Plan(goal="Build it", source="rules", tasks=(planned("a"),))
    app.goals.accept(plan, Submission(text="Build it", task_budget=Budget(limit_tokens=1_000)))
    attempt = app.tasks.started(claim(app))

    spent = replace(attempt, usage=Usage(input_tokens=900, cached_tokens=10**6, output_tokens=100))
    after = app.tasks.ended(spent, outcome=Outcome.REJECTED, reason="red")

    assert (after.state, after.reason) == (
        TaskState.FAILED,
        "red (its budget is used up: 1,000 of 1,000 tokens)",
    )
    clock.advance(timedelta(minutes=1))
    app.tasks.retry(after.id)
    again = claim(app)
    left = app.budgets.for_attempt(again, Budget(limit_tokens=10**9))
    assert left is not None and left.limit_tokens == 1_000


@pytest.mark.parametrize(("spent", "told"), [(7_000_000, False), (8_000_000, True)])
def test_at_four_fifths_of_a_budget_it_is_said_once(app: App, spent: int, told: bool) -> None:
    goal, _ = app.goals.accept(
        Plan(goal="Build it", source="rules", tasks=(planned("a"),)),
        Submission(text="Build it", budget=Budget(limit_micro_usd=10_000_000)),
    )
    attempt = app.tasks.started(claim(app))
    app.tasks.progressed(replace(attempt, usage=Usage(cost_micro_usd=spent)))

    shares = [app.budgets.nearly_used(goal.id) for _ in range(2)]

    assert shares == [0.8 if told else None, None]


def test_time_that_agents_work_counts_added_up(app: App, clock: HandClock) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    first = app.tasks.started(claim(app))
    app.tasks.started(claim(app))
    clock.advance(timedelta(minutes=1))
    app.tasks.ended(first, outcome=Outcome.REJECTED, reason="red")
    clock.advance(timedelta(seconds=30))

    assert app.budgets.used(goal=goal.id).seconds == 60 + 90
