"""Goals of a run at their edges; how they are opened and delivered is in the journeys."""

from agent_orchestrator.app import App
from agent_orchestrator.domain.goal import Delivery, GoalState
from agent_orchestrator.runtime.happenings import Delivered
from agent_orchestrator.runtime.run_options import RunOptions
from steps import accept, planned


def test_a_goal_that_was_cancelled_while_it_was_delivered_stays_cancelled_and_its_result_is_known(app: App) -> None:
    goal, _ = accept(app, planned("a"))
    app.goals.update(goal.id, state=GoalState.EXECUTING)
    supervisor = app.assembly.supervisor(RunOptions(providers=("demo",)), log=lambda _: None)
    cancelled = app.goals.cancel(goal.id)
    ended = goal._replace(
        state=GoalState.FAILED, reason="1 failed", delivery=Delivery.WAITING, delivery_note="a branch"
    )

    supervisor.step(Delivered(ended))

    after = app.store.goals.get(goal.id)
    assert (after.state, after.reason) == (GoalState.CANCELLED, cancelled.reason)
    assert (after.delivery, after.delivery_note) == (Delivery.WAITING, "a branch")
