"""The verbs of a project that touch several nouns at once. Doors call them on ``App``, which tells what they raise."""

from typing import TYPE_CHECKING, Any

from agent_orchestrator.domain.errors import NotFound, NothingToDo, RefusedByState
from agent_orchestrator.domain.goal import Delivery

if TYPE_CHECKING:
    from agent_orchestrator.app import App
    from agent_orchestrator.domain.goal import Goal
    from agent_orchestrator.domain.task import Task
    from agent_orchestrator.runtime.reverifying import Reverified


def cancel(app: "App", name: str) -> "Goal | Task":
    """Cancel the task or else the goal that *name* names; what landed stays."""
    try:
        task = app.tasks.cancel(app.tasks.resolve(name).id)
    except NotFound:
        pass
    else:
        app.goals.give_up(task.goal)
        return task
    try:
        return app.goals.cancel(app.goals.resolve(name).id)
    except NotFound as error:
        raise NotFound(f"no task or goal {name!r}", hint=error.hint) from error


def resume(app: "App", provider: str | None) -> list[dict[str, Any]]:
    """Release *provider*, or all that are on hold; return the holds."""
    from agent_orchestrator.services.json_values import hold_json

    held = {hold.provider for hold in app.holds.current()}
    if provider is not None and provider not in held:
        app.lineup.provider(provider)
    released = app.holds.release(provider)
    if not released:
        who = provider or "no provider"
        raise NothingToDo(f"{who} is {'not ' if provider else ''}on hold", hint="orchestrate status shows holds")
    return [hold_json(hold) for hold in released]


def undo(app: "App", name: str) -> "Goal":
    """Take the delivered goal that *name* names back out of the user's branch."""
    app.notice_taken_in()
    found = app.goals.resolve(name)
    if found.delivery is Delivery.DELIVERED and found.delivered_to and found.delivered_from is None:
        own = [task.commit[:12] for task in reversed(app.store.tasks.of_goal(found.id)) if task.commit]
        raise RefusedByState(
            f"goal {found.id} was taken in by you, and where your branch was before cannot be told",
            hint=f"take it out by hand: git revert --no-edit {' '.join(own)}",
        )
    if found.delivered_to is None or found.delivery is not Delivery.DELIVERED:
        raise RefusedByState(
            f"goal {found.id} is not in your branch (delivery: {found.delivery})",
            hint=found.delivery_note or "only a delivered goal is taken back",
        )
    return app.goals.undone(app.landing.undo(found))


def verify(app: "App", name: str) -> "Reverified":
    """Run the checks of the landed task or else the goal that *name* names again."""
    from agent_orchestrator.runtime.reverifying import Reverification

    again = Reverification(store=app.store, events=app.events, landing=app.landing)
    try:
        task = app.tasks.resolve(name)
    except NotFound as missing:
        try:
            goal = app.goals.resolve(name)
        except NotFound as error:
            raise NotFound(f"no task or goal {name!r}", hint=missing.hint or error.hint) from error
        return again.goal(goal)
    return again.task(task)
