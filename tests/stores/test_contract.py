"""What every store promises. Runs against each implementation; today there is one."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent_orchestrator.domain.agent import Agent, AgentState
from agent_orchestrator.domain.attempt import Attempt, Outcome, Usage
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.context import Entry, Kind
from agent_orchestrator.domain.errors import NotFound, RefusedByState, StaleLease
from agent_orchestrator.domain.event import Event
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Evidence
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState, Isolation
from agent_orchestrator.domain.hold import Hold, HoldKind
from agent_orchestrator.domain.ids import AgentId, GoalId, TaskId, Token, attempt_id, new_goal_id, new_task_id
from agent_orchestrator.domain.message import Message
from agent_orchestrator.domain.task import Size, Task, TaskState, Tier, Verdict
from agent_orchestrator.stores import Store
from agent_orchestrator.stores.sqlite import SqliteStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA, BOB = AgentId("ada"), AgentId("bob")
Opener = Callable[[], Store]


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """Opens the same store again and again, as another process would."""
    opened: list[Store] = []

    def again() -> Store:
        opened.append(SqliteStore(tmp_path / "tasks.db"))
        return opened[-1]

    yield again
    for one in opened:
        one.close()


@pytest.fixture
def store(opener: Opener) -> Store:
    return opener()


def a_goal(store: Store, **changes: object) -> Goal:
    goal = Goal(id=new_goal_id(), text="Build it", title="Build it", state=GoalState.READY, created_at=NOW)
    goal = goal._replace(**changes)  # type: ignore[arg-type]
    with store.transaction():
        store.goals.add(goal)
    return goal


def a_task(goal: Goal, key: str, **changes: object) -> Task:
    task = Task(
        id=new_task_id(), goal=goal.id, key=key, title=key, description="", specialist="generalist",
        state=TaskState.READY,
    )  # fmt: skip
    return task._replace(**changes)  # type: ignore[arg-type]


def add(store: Store, *tasks: Task, needs: dict[TaskId, list[TaskId]] | None = None) -> None:
    with store.transaction():
        store.tasks.add(tasks, needs or {})


def claim(store: Store, by: AgentId = ADA, goals: list[GoalId] | None = None) -> Task | None:
    with store.transaction():
        return store.tasks.claim(by, store.draw_token(), goals=goals, providers=["claude"], now=NOW)


def finish(store: Store, task: Task) -> list[TaskId]:
    done = task
    for state in (TaskState.RUNNING, TaskState.VERIFYING, TaskState.LANDING, TaskState.DONE):
        done = done.moved(state)
    with store.transaction():
        store.tasks.save(done, was=task)
        return store.tasks.release_dependents(task.id, now=NOW)


def test_everything_of_a_goal_and_a_task_comes_back_as_it_was_written(store: Store, opener: Opener) -> None:
    goal = a_goal(
        store,
        text='Ünïcode, "quotes", \'; -- and\nnewlines \U0001f680',
        isolation=Isolation.CHECKOUT,
        delivery=Delivery.WAITING,
        verdict=Verdict.VERIFIED,
        demo=True,
        started_at=NOW,
    )
    task = a_task(
        goal, "a", owns=("src/*", "a b"), acceptance=("it works",), tier=Tier.HEAVY, size=Size.L, verify="make test",
        not_before=NOW, verdict=Verdict.UNVERIFIED, cancel_wished=True, expects_change=False, created_at=NOW,
    )  # fmt: skip
    add(store, task)

    other = opener()

    assert other.goals.get(goal.id) == goal
    assert other.tasks.get(task.id) == task


def test_what_is_not_there_is_told(store: Store) -> None:
    for look in (
        lambda: store.goals.get(GoalId("gnone")),
        lambda: store.tasks.get(TaskId("tnone")),
        lambda: store.agents.get(AgentId("none")),
        lambda: store.plans.get("none"),
    ):
        with pytest.raises(NotFound, match="none"):
            look()


def test_two_claims_never_get_one_task(store: Store, opener: Opener) -> None:
    goal = a_goal(store)
    add(store, a_task(goal, "only"))

    first, second = claim(store, ADA), claim(opener(), BOB)

    assert first is not None and first.holder == ADA
    assert second is None


def test_processes_that_claim_at_once_share_the_queue_without_loss_or_repeat(store: Store, tmp_path: Path) -> None:
    goal = a_goal(store)
    add(store, *[a_task(goal, f"t{number}") for number in range(120)])
    program = textwrap.dedent(
        """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from agent_orchestrator.stores.sqlite import SqliteStore
        store = SqliteStore(Path(sys.argv[1]))
        while True:
            with store.transaction():
                token, now = store.draw_token(), datetime.now(UTC)
                task = store.tasks.claim(sys.argv[2], token, goals=None, providers=[], now=now)
            if task is None:
                break
            print(task.key, task.token)
        """
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "tasks.db"), f"worker-{number}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    printed = [worker.communicate(timeout=120)[0].split() for worker in workers]

    keys = [word for words in printed for word in words[::2]]
    tokens = [word for words in printed for word in words[1::2]]
    assert all(worker.returncode == 0 for worker in workers)
    assert sorted(keys) == sorted(f"t{number}" for number in range(120))
    assert len(set(tokens)) == 120


def test_claims_come_in_scheduling_order(store: Store) -> None:
    late = a_goal(store)
    early = a_goal(store)
    add(store, a_task(late, "x", goal_rank=2, task_rank=0))
    add(store, a_task(early, "b", goal_rank=1, task_rank=5), a_task(early, "a", goal_rank=1, task_rank=-5))

    claimed = [claim(store), claim(store), claim(store)]

    assert [task.key for task in claimed if task] == ["a", "b", "x"]


def test_a_claim_takes_only_what_it_may(store: Store) -> None:
    wanted, other = a_goal(store), a_goal(store)
    add(store, a_task(other, "other-goal"), a_task(wanted, "for-codex", provider="codex"))
    assert claim(store, goals=[wanted.id]) is None

    add(store, a_task(wanted, "for-claude", provider="claude"))

    task = claim(store, goals=[wanted.id])
    assert task is not None and task.key == "for-claude"


def test_dependents_become_ready_only_when_the_last_need_is_done(store: Store) -> None:
    goal = a_goal(store)
    a, b, c = (a_task(goal, key) for key in "abc")
    add(store, a, b, c, needs={c.id: [a.id, b.id]})
    assert store.tasks.get(c.id).state is TaskState.BLOCKED
    first, second = claim(store), claim(store)
    assert first is not None and second is not None and claim(store) is None

    assert finish(store, first) == []
    assert finish(store, second) == [c.id]
    assert store.tasks.get(c.id).state is TaskState.READY


def test_dependents_wait_again_for_a_need_that_was_taken_back(store: Store) -> None:
    goal = a_goal(store)
    a, b, c = (a_task(goal, key) for key in "abc")
    add(store, a, b, c, needs={b.id: [a.id], c.id: [a.id]})
    first = claim(store)
    assert first is not None
    finish(store, first)
    running = claim(store)
    assert running is not None and running.id == b.id

    with store.transaction():
        assert store.tasks.hold_dependents(a.id, now=NOW) == [c.id]

    assert [store.tasks.get(one.id).unmet for one in (b, c)] == [1, 1]
    assert store.tasks.get(b.id).state is TaskState.CLAIMED, "who is at work stays at work"
    assert claim(store) is None
    with store.transaction():
        assert store.tasks.release_dependents(a.id, now=NOW) == [c.id]
    assert [store.tasks.get(one.id).unmet for one in (b, c)] == [0, 0]


def test_a_need_that_was_done_before_does_not_block(store: Store) -> None:
    goal = a_goal(store)
    a = a_task(goal, "a")
    add(store, a)
    claimed = claim(store)
    assert claimed is not None
    finish(store, claimed)

    b = a_task(goal, "b")
    add(store, b, needs={b.id: [a.id]})

    assert store.tasks.get(b.id).state is TaskState.READY


def test_a_write_with_an_old_token_changes_nothing(store: Store) -> None:
    goal = a_goal(store)
    add(store, a_task(goal, "a"))
    old = claim(store, ADA)
    assert old is not None
    with store.transaction():
        store.tasks.save(old.moved(TaskState.READY)._replace(holder=None), was=old)
    new = claim(store, BOB)
    assert new is not None and new.token > old.token

    with pytest.raises(StaleLease), store.transaction():
        store.tasks.save(old.moved(TaskState.RUNNING), was=old)

    assert store.tasks.get(old.id) == new


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    goal = a_goal(store)
    with pytest.raises(RuntimeError), store.transaction():
        store.tasks.add([a_task(goal, "a")], {})
        with store.transaction():
            store.events.append(Event(type="task.added", at=NOW))
        raise RuntimeError

    assert store.tasks.of_goal(goal.id) == []
    assert store.events.after() == []


def test_a_goal_is_saved_only_from_the_state_it_was_read_in(store: Store) -> None:
    goal = a_goal(store)
    with pytest.raises(RefusedByState), store.transaction():
        store.goals.save(goal._replace(state=GoalState.COMPLETED), was=GoalState.EXECUTING)
    assert store.goals.get(goal.id).state is GoalState.READY


def test_pauses_end_at_their_time_and_not_before(store: Store) -> None:
    goal = a_goal(store)
    task = a_task(goal, "a", state=TaskState.BLOCKED, not_before=NOW + timedelta(minutes=1))
    add(store, task)

    assert store.tasks.next_due() == NOW + timedelta(minutes=1)
    with store.transaction():
        assert store.tasks.release_due(now=NOW) == []
        assert store.tasks.release_due(now=NOW + timedelta(minutes=1)) == [task.id]
    assert store.tasks.get(task.id).state is TaskState.READY


def test_counts_follow_every_move(store: Store) -> None:
    one, two = a_goal(store), a_goal(store)
    add(store, a_task(one, "a"), a_task(one, "b"), a_task(two, "a"))
    claim(store)

    counts = store.tasks.counts()
    assert (counts[TaskState.READY], counts[TaskState.CLAIMED], counts[TaskState.DONE]) == (2, 1, 0)
    assert sum(store.tasks.counts(one.id).values()) == 2
    assert sum(store.tasks.counts(two.id).values()) == 1


def test_names_are_found_by_their_start(store: Store) -> None:
    goal = a_goal(store)
    task = a_task(goal, "write-parser")
    add(store, task, a_task(goal, "write-docs"))

    assert [found.id for found in store.tasks.find(task.id[:4])] == [task.id]
    assert {found.key for found in store.tasks.find("write")} == {"write-parser", "write-docs"}
    assert store.tasks.find("%") == []
    assert [found.id for found in store.goals.find(goal.id[:5])] == [goal.id]


def attempted(store: Store, task: Task, *, minutes: int, outcome: Outcome, cost: int = 0, number: int = 1) -> None:
    attempt = Attempt(
        id=attempt_id(task.id, number), task=task.id, goal=task.goal, number=number, token=Token(number), agent=ADA,
        provider="claude", run_dir="/r", outcome=outcome, usage=Usage(cost_micro_usd=cost),
        started_at=NOW, ended_at=NOW + timedelta(minutes=minutes),
    )  # fmt: skip
    with store.transaction():
        store.attempts.add(attempt)


def test_what_finished_tasks_took_is_told_over_all_their_attempts_the_newest_first(store: Store) -> None:
    goal, demo = a_goal(store), a_goal(store, demo=True)
    done = {key: a_task(goal, key, state=TaskState.DONE, size=Size.L, tier=Tier.HEAVY) for key in ("old", "new")}
    shown, failed = a_task(demo, "shown", state=TaskState.DONE), a_task(goal, "failed", state=TaskState.FAILED)
    add(store, *done.values(), shown, failed)
    attempted(store, done["old"], minutes=5, outcome=Outcome.REJECTED, cost=100)
    attempted(store, done["old"], minutes=7, outcome=Outcome.SUCCEEDED, cost=50, number=2)
    attempted(store, done["old"], minutes=1, outcome=Outcome.SUCCEEDED, number=3)  # a review had it done again
    attempted(store, shown, minutes=1, outcome=Outcome.SUCCEEDED)
    attempted(store, failed, minutes=1, outcome=Outcome.REJECTED)
    attempted(store, done["new"], minutes=9, outcome=Outcome.SUCCEEDED)

    found = store.attempts.finished(200)

    assert [(one.seconds, one.cost_micro_usd) for one in found] == [(540, None), (780, 150)]
    assert (found[0].size, found[0].tier, found[0].specialist, found[0].provider) == (
        Size.L, Tier.HEAVY, "generalist", "claude",
    )  # fmt: skip
    assert store.attempts.finished(1) == found[:1]


def test_a_sum_of_costs_says_when_an_ended_attempt_told_none(store: Store) -> None:
    goal = a_goal(store)
    task = a_task(goal, "a")
    add(store, task)
    told = Attempt(
        id=attempt_id(task.id, 1), task=task.id, goal=goal.id, number=1, token=Token(7), agent=ADA, provider="claude",
        run_dir="/run", usage=Usage(cost_micro_usd=700), outcome=Outcome.FAILED, started_at=NOW,
    )  # fmt: skip
    limited = replace(told, id=attempt_id(task.id, 2), number=2, token=Token(8), usage=Usage(), outcome=Outcome.LIMITED)
    silent = replace(told, id=attempt_id(task.id, 3), number=3, token=Token(9), usage=Usage())
    sums = []
    for one in told, limited, silent:
        store.attempts.add(one)
        store.attempts.save(one)
        sums.append(store.attempts.spent(goal=goal.id))

    assert [(one.cost_micro_usd, one.cost_is_partial) for one in sums] == [(700, False), (700, False), (700, True)]


def test_an_attempt_its_evidence_and_its_cost_are_kept(store: Store) -> None:
    goal = a_goal(store)
    task = a_task(goal, "a")
    add(store, task)
    attempt = Attempt(
        id=attempt_id(task.id, 1), task=task.id, goal=goal.id, number=1, token=Token(7), agent=ADA, provider="claude",
        run_dir="/run", usage=Usage(input_tokens=5, output_tokens=6, cost_micro_usd=700), started_at=NOW,
    )  # fmt: skip
    check = CheckRun(
        command="make test", origin="project", result=CheckResult.FAILED, exit_code=2, duration_ms=3, tail="boom",
        failures=("test_a",), tree="abc",
    )  # fmt: skip
    evidence = Evidence(checks=(check,), files=("a.py",), insertions=3, commit="def", notes=("look",))
    with store.transaction():
        store.attempts.add(attempt)
        store.attempts.add_evidence(attempt.id, evidence)

    assert store.attempts.get(attempt.id) == attempt
    assert store.attempts.evidence(attempt.id) == evidence
    assert [one.id for one in store.attempts.open()] == [attempt.id]
    with store.transaction():
        store.attempts.save(replace(attempt, outcome=Outcome.REJECTED))
    assert store.attempts.open() == []
    assert store.attempts.evidence(attempt.id) == evidence
    assert store.attempts.spent(goal=goal.id).cost_micro_usd == 700
    assert store.attempts.spent(since=NOW + timedelta(seconds=1)).cost_micro_usd == 0


def test_saving_an_agent_does_not_lose_a_wish_that_it_stops(store: Store) -> None:
    agent = Agent(id=ADA, provider="claude", specialist="x", started_at=NOW)
    with store.transaction():
        store.agents.add(agent)
        store.agents.wish_stop(ADA)
        store.agents.save(replace(agent, state=AgentState.WORKING, doing="reading"))

    found = store.agents.get(ADA)
    assert found.stop_wished and found.doing == "reading"
    assert [one.id for one in store.agents.list(living=True)] == [ADA]


def test_events_are_read_in_order_and_narrowed(store: Store) -> None:
    goal = a_goal(store)
    with store.transaction():
        for number in range(5):
            event = Event(type="x", at=NOW, goal=goal.id if number % 2 else None, data={"n": number, "s": "ü"})
            store.events.append(event)

    assert [event.data["n"] for event in store.events.after(2)] == [2, 3, 4]
    assert [event.data["n"] for event in store.events.after(goal=goal.id)] == [1, 3]
    assert [event.data["n"] for event in store.events.last(2)] == [3, 4]


def test_goals_are_read_in_the_order_in_which_their_tasks_are_claimed(store: Store) -> None:
    later = NOW + timedelta(hours=1)
    ids = {
        name: a_goal(store, priority=priority, created_at=at).id
        for name, priority, at in (("old", 50, NOW), ("low", 90, NOW), ("new", 50, later), ("urgent", 10, later))
    }
    a_goal(store, state=GoalState.COMPLETED)

    found = [goal.id for goal in store.goals.list(states=[GoalState.READY], in_turn=True)]

    assert found == [ids[name] for name in ("urgent", "old", "new", "low")]
    assert [goal.id for goal in store.goals.list(states=[GoalState.READY], in_turn=True, limit=1)] == [ids["urgent"]]


def test_a_goal_comes_with_its_ceiling(store: Store) -> None:
    goal = a_goal(store)
    assert store.goals.get(goal.id).budget_micro_usd is None

    with store.transaction():
        store.budgets.put(goal.id, Budget(limit_micro_usd=5_000_000))

    assert store.goals.get(goal.id).budget_micro_usd == store.goals.list()[0].budget_micro_usd == 5_000_000


def test_tasks_are_found_by_whole_words_of_their_keys(store: Store) -> None:
    goal = a_goal(store)
    add(store, a_task(goal, "fix-payment-leak"), a_task(goal, "fix-payments"), a_task(goal, "leak"))

    def found(*words: str) -> list[str]:
        return [task.key for task in store.tasks.with_words(words)]

    assert found("leak", "payment") == ["fix-payment-leak"]
    assert found("leak") == ["fix-payment-leak", "leak"]
    assert found("pay") == found() == found("100%") == []


def test_events_are_narrowed_by_type_or_by_the_kind_before_the_dot(store: Store) -> None:
    with store.transaction():
        for type in ("task.done", "task.failed", "tasks", "goal.failed"):
            store.events.append(Event(type=type, at=NOW))

    def types(*wanted: str) -> list[str]:
        return [event.type for event in store.events.last(10, types=wanted)]

    assert types("task") == ["task.done", "task.failed"]
    assert types("task.failed", "goal") == ["task.failed", "goal.failed"]
    assert types("%") == []
    assert [event.type for event in store.events.after(1, types=["task"])] == ["task.failed"]


def test_holds_messages_and_budgets_are_kept(store: Store) -> None:
    goal = a_goal(store)
    hold = Hold(provider="claude", kind=HoldKind.USAGE_LIMIT, until=NOW, stated=True, reason="r", since=NOW)
    with store.transaction():
        store.holds.put(hold)
        store.holds.put(replace(hold, reason="again"))
        store.messages.add(Message(id=0, goal=goal.id, author="user", to="@all", body="hello", at=NOW))
        store.budgets.put(goal.id, Budget(limit_micro_usd=5))

    assert [one.reason for one in store.holds.list()] == ["again"]
    assert [one.body for one in store.messages.of_goal(goal.id)] == ["hello"]
    assert store.budgets.get(goal.id) == Budget(limit_micro_usd=5)
    with store.transaction():
        assert store.holds.drop("claude") and not store.holds.drop("claude")


def test_a_later_term_fences_an_earlier_supervisor(store: Store) -> None:
    with store.transaction():
        first = store.leadership.begin(pid=1, max_agents=3, options={}, now=NOW)
        second = store.leadership.begin(pid=2, max_agents=3, options={}, now=NOW)

    assert second.term == first.term + 1
    with pytest.raises(StaleLease), store.transaction():
        store.leadership.renew(first.term, now=NOW)
    with store.transaction():
        store.leadership.wish(stop=1, max_agents=5)
        renewed = store.leadership.renew(second.term, now=NOW)
    assert (renewed.stop_wished, renewed.max_agents) == (1, 5)


def test_a_plan_moves_from_planning_to_executed(store: Store) -> None:
    goal = a_goal(store)
    with store.transaction():
        store.plans.add("plan-x-1", {"tasks": []}, goal_text="Build", now=NOW)
        store.plans.set_state("plan-x-1", "executed", goal=goal.id, now=NOW)

    assert store.plans.get("plan-x-1") == ("executed", {"tasks": []}, goal.id, 1, None)
    assert store.plans.find("plan-x") == ["plan-x-1"]
    assert [row[0] for row in store.plans.list()] == ["plan-x-1"]


def test_every_version_of_a_plan_is_kept_and_who_comes_late_changes_nothing(store: Store) -> None:
    with store.transaction():
        store.plans.add("p", {"n": 1}, goal_text="Build", now=NOW)
        store.plans.approve("p", "hash", now=NOW)
    assert store.plans.get("p") == ("approved", {"n": 1}, None, 1, "hash")

    more = {"goal_text": "Build it", "now": NOW}
    with store.transaction():
        assert store.plans.add_version("p", {"n": 2}, after=1, kind="edit", what="more", **more)
        assert not store.plans.add_version("p", {"n": 3}, after=1, kind="edit", what="late", **more)

    assert store.plans.get("p") == ("planning", {"n": 2}, None, 2, None)
    kept = [(one.version, one.kind, one.what, one.document) for one in store.plans.versions("p")]
    assert kept == [(1, "edit", "planned", {"n": 1}), (2, "edit", "more", {"n": 2})]
    with store.transaction():
        store.plans.set_state("p", "executed", goal=None, now=NOW)
        assert not store.plans.add_version("p", {"n": 3}, after=2, kind="edit", what="too late", **more)


def test_a_plan_that_gets_another_name_keeps_its_versions_and_what_was_said(store: Store) -> None:
    with store.transaction():
        store.plans.add("p", {"n": 1}, goal_text="Build", now=NOW)
        store.plans.add("q", {"n": 5}, goal_text="Other", now=NOW)
        for who, text in (("you", "why?"), ("claude", "because"), ("you", "thanks")):
            store.plans.say("p", who, text, now=NOW)
        store.plans.say("q", "you", "not of p", now=NOW)
        store.plans.rename("p", "mine")

    assert [one.document for one in store.plans.versions("mine")] == [{"n": 1}]
    assert store.plans.said("mine", 2) == [("claude", "because"), ("you", "thanks")]
    assert store.plans.find("p") == []
    assert [one.document for one in store.plans.versions("q")] == [{"n": 5}]


def test_a_plan_that_is_removed_leaves_nothing_and_others_as_they_are(store: Store) -> None:
    with store.transaction():
        for name in ("p", "q"):
            store.plans.add(name, {"n": name}, goal_text="Build", now=NOW)
            store.plans.say(name, "you", "why?", now=NOW)
        store.plans.remove("p")

    assert [row[0] for row in store.plans.list()] == ["q"]
    assert (store.plans.versions("p"), store.plans.said("p", 9)) == ([], [])
    assert [one.document for one in store.plans.versions("q")] == [{"n": "q"}]
    assert store.plans.said("q", 9) == [("you", "why?")]


def test_the_providers_that_open_tasks_insist_on_are_known(store: Store) -> None:
    goal = a_goal(store)
    add(store, a_task(goal, "a"), a_task(goal, "b", provider="codex"), a_task(goal, "c", provider="claude"))
    done = claim(store, goals=[goal.id])
    while done is not None and done.provider is None:
        done = claim(store, goals=[goal.id])
    assert done is not None
    finish(store, done)

    assert store.tasks.providers() == {"codex"}


def shared(goal: Goal, kind: Kind, name: str, value: object, **changes: object) -> Entry:
    return replace(Entry(goal=goal.id, kind=kind, name=name, author="a", value=value, bytes=10, at=NOW), **changes)  # type: ignore[arg-type]


def test_what_is_shared_has_versions_and_the_newest_few_stay(store: Store) -> None:
    goal, other = a_goal(store), a_goal(store)
    with store.transaction():
        numbers = [store.context.add(shared(goal, Kind.KEY, "api", {"port": n}), keep=3) for n in range(5)]
        store.context.add(shared(other, Kind.KEY, "api", "theirs"), keep=3)

    assert numbers == [1, 2, 3, 4, 5]
    assert [one.version for one in store.context.versions(goal.id, Kind.KEY, "api")] == [3, 4, 5]
    assert [one.value for one in store.context.newest(goal.id)] == [{"port": 4}]
    assert store.context.totals(goal.id, Kind.KEY) == (1, 10)


def test_discoveries_and_notes_are_lists_that_only_grow(store: Store) -> None:
    goal = a_goal(store)
    with store.transaction():
        for n in range(4):
            store.context.add(shared(goal, Kind.DISCOVERY, "", f"found {n}"), keep=2)
        store.context.add(shared(goal, Kind.NOTE, "", "mind the tests", by_user=True, author="user"), keep=2)

    assert [one.value for one in store.context.newest(goal.id, Kind.DISCOVERY)] == [f"found {n}" for n in range(4)]
    note = store.context.newest(goal.id, Kind.NOTE)[0]
    assert (note.by_user, note.address, note.at) == (True, "notes/1", NOW)
