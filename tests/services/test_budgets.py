"""What counts against budgets."""

from datetime import timedelta

from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock
from steps import accept, claim, land, planned


def slept(app: App, clock: HandClock, by: timedelta) -> None:
    clock.suspend(by)
    with app.store.transaction():
        app.events.record("machine.slept", seconds=by.total_seconds())


def test_what_the_machine_slept_while_agents_were_at_work_is_not_time_they_worked(app: App, clock: HandClock) -> None:
    goal, _ = accept(app, planned("a"), planned("b"))
    slept(app, clock, timedelta(hours=5))  # before anybody began
    first = claim(app)
    land(app, first)
    ended = claim(app)
    app.tasks.started(ended)
    clock.advance(timedelta(minutes=10))
    slept(app, clock, timedelta(hours=8))
    clock.advance(timedelta(minutes=5))

    assert app.budgets.used(goal=goal.id).seconds == 15 * 60
    app.tasks.handed_in(ended)
    clock.advance(timedelta(minutes=1))
    slept(app, clock, timedelta(hours=2))  # after all had ended
    assert app.budgets.used(goal=goal.id).seconds == 15 * 60
