import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.errors import Ambiguous, BadInput, InvalidPlan, NotFound, RefusedByState
from agent_orchestrator.domain.goal import GoalState
from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.domain.task import TaskState, Verdict
from agent_orchestrator.services.goals import Submission
from steps import accept, claim, fail, land, planned


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), (" \n\t", "empty"), ("a\0b", "NUL"), ("x" * 1_000_000, "1,000,000 bytes")],
)
def test_a_text_that_cannot_be_a_goal_is_refused(app: App, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        app.goals.accept(Plan(goal="x", source="rules", tasks=(planned("a"),)), Submission(text=text))
    assert app.goals.recent() == []


@pytest.mark.parametrize(
    "text", ["$(touch x) `id`; rm -rf /", "--help", "\x1b]0;title\x07 emoji \U0001f680", "two\nlines", "'; DROP TABLE"]
)
def test_any_other_text_is_kept_to_the_letter(app: App, text: str) -> None:
    goal, _ = accept(app, planned("a"), text=text)
    assert app.goals.resolve(goal.id).text == text


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ((), "no tasks"),
        ((planned("a", "b"), planned("b", "a")), "cycle: (a → b → a|b → a → b)"),
        ((planned("a", "a"),), "cycle: a → a"),
        ((planned("a", "ghost"),), "depends on ghost"),
        ((planned("a"), planned("a")), "2 tasks named a"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_whole_and_its_fault_named(
    app: App, tasks: tuple[object, ...], words: str
) -> None:
    with pytest.raises(InvalidPlan, match=words):
        app.goals.accept(Plan(goal="x", source="file", tasks=tasks), Submission(text="x"))  # type: ignore[arg-type]
    assert app.goals.recent() == []
    assert sum(app.store.tasks.counts().values()) == 0


def test_a_goal_is_verified_only_if_all_its_tasks_are(app: App) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    land(app, claim(app))
    assert app.goals.settle(goal.id) is None
    land(app, claim(app), Verdict.UNVERIFIED)

    over = app.goals.settle(goal.id)

    assert over is not None
    assert (over.state, over.verdict) == (GoalState.COMPLETED, Verdict.UNVERIFIED)


def test_a_goal_whose_every_task_was_cancelled_is_cancelled_and_did_not_fail(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))
    app.tasks.cancel(tasks["b"].id)
    assert app.goals.settle(goal.id) is None
    app.tasks.cancel(tasks["a"].id)

    over = app.goals.settle(goal.id)

    assert over is not None
    assert (over.state, over.reason) == (GoalState.CANCELLED, "every task was cancelled by the user")


def test_cancelling_the_last_task_cancels_its_goal_also_a_failed_one(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b"))
    fail(app, claim(app), outcome=Outcome.FAILED, reason="no")
    app.cancel(tasks["a"].id)
    assert app.store.goals.get(goal.id).state is not GoalState.CANCELLED

    app.cancel(tasks["b"].id)

    assert app.store.goals.get(goal.id).state is GoalState.CANCELLED


def test_a_goal_is_not_over_while_something_can_still_come(app: App) -> None:
    goal, _ = accept(app, planned("a"), planned("b"), planned("c", "b"))
    fail(app, claim(app), outcome=Outcome.FAILED, reason="no")

    assert app.goals.settle(goal.id) is None


def test_a_task_added_to_a_goal_waits_for_what_it_names(app: App) -> None:
    goal, tasks = accept(app, planned("a"))

    again, added = app.goals.extend(planned("a"), [tasks["a"]], Submission(text="More"))

    assert again.id == goal.id
    assert (added.key, added.state, added.phase) == ("a-2", TaskState.BLOCKED, 2)


def test_a_task_added_to_an_ended_goal_reopens_it(app: App) -> None:
    goal, tasks = accept(app, planned("a"))
    land(app, claim(app))
    app.goals.update(goal.id, state=GoalState.EXECUTING)
    app.goals.update(goal.id, state=GoalState.COMPLETED)

    again, added = app.goals.extend(planned("b"), [tasks["a"]], Submission(text="More"))

    assert again.state is GoalState.EXECUTING
    assert added.state is TaskState.READY


def test_tasks_of_two_goals_cannot_be_waited_for_together(app: App) -> None:
    _, one = accept(app, planned("a"))
    _, two = accept(app, planned("a"))
    with pytest.raises(BadInput, match="different goals"):
        app.goals.extend(planned("b"), [one["a"], two["a"]], Submission(text="More"))


def test_a_cancelled_goal_takes_its_waiting_tasks_along_and_stays_cancelled(app: App) -> None:
    goal, tasks = accept(app, planned("a"), planned("b", "a"))

    assert app.goals.cancel(goal.id).state is GoalState.CANCELLED

    assert {app.store.tasks.get(task.id).state for task in tasks.values()} == {TaskState.CANCELLED}
    assert app.tasks.claim("claude", run_dir=lambda *_: app.folder) is None
    with pytest.raises(RefusedByState):
        app.goals.cancel(goal.id)


def test_goals_are_named_by_an_unambiguous_start_or_last(app: App) -> None:
    with pytest.raises(NotFound):
        app.goals.resolve("last")
    first, _ = accept(app, planned("a"))
    accept(app, planned("a"))

    assert app.goals.resolve(first.id).id == first.id
    with pytest.raises(Ambiguous):
        app.goals.resolve("g")
    with pytest.raises(NotFound):
        app.goals.resolve("zzz")


def test_an_id_that_is_taken_is_drawn_again(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    _, tasks = accept(app, planned("a"))
    draws = iter([tasks["a"].id, "tfresh2", "tfresh3", "tfresh3", "tfresh4"])
    monkeypatch.setattr("agent_orchestrator.services.goals.new_task_id", lambda: next(draws))

    _, more = accept(app, planned("a"), planned("b"))

    assert {task.id for task in more.values()} == {"tfresh2", "tfresh3"}
