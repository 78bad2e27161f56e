"""What keeps a project in order around its runs: looking ahead, cleaning up, bringing lost work back."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_orchestrator.app import App
    from agent_orchestrator.domain.goal import Goal
    from agent_orchestrator.domain.ids import GoalId, TaskId
    from agent_orchestrator.runtime.housekeeping import Housekeeping
    from agent_orchestrator.runtime.readiness import Readiness
    from agent_orchestrator.runtime.restoring import Restoring
    from agent_orchestrator.workspaces import Delivered


def readiness(app: "App") -> "Readiness":
    """Return the checks that look for what would spoil a night."""
    from agent_orchestrator.runtime.readiness import Readiness

    return Readiness(
        folder=app.folder,
        state=app.state,
        database=app.database,
        environ=app.environ,
        providers=[one for one in app.providers.values() if one.binary is not None],
        payer=app.lineup.payer,
        api_mode="api" in app.lineup.asked_for,
        project=app.project,
        test=lambda: app.profile.test,
        verify=app.settings.verify,
        check_environment=app.assembly.check_environment,
        store=lambda: app.store,
        chain=lambda: app.anchors.check(),
        distrusted=lambda: app.trust.asks(app.project().root or app.folder),
        sandbox=lambda: app.sandbox,
        roster_problems=lambda: app.roster.problems,
    )


def housekeeping(app: "App") -> "Housekeeping":
    """Return what frees the disk of what ended work left behind."""
    from agent_orchestrator.runtime.housekeeping import Housekeeping
    from agent_orchestrator.runtime.leftovers import Retention

    return Housekeeping(
        store=app.store,
        clock=app.clock,
        state=app.state,
        project=app.folder,
        workspaces=lambda: app.workspaces,
        saves=app.saves,
        retention=Retention(
            checkouts=timedelta(days=app.settings.checkout_days),
            transcripts=timedelta(days=app.settings.transcript_days),
            disk_bytes=app.settings.disk_gib * 2**30,
        ),
    )


def notice_taken_in(app: "App") -> None:
    """Write down which waiting results the user has taken into their branch themselves."""
    from agent_orchestrator.runtime.taken_in import TakenIn
    from agent_orchestrator.workspaces.delivery import taken_in
    from agent_orchestrator.workspaces.repository import Repository

    def look(goal: "Goal", landed: "Sequence[str]") -> "Delivered | None":
        if goal.result_branch is None:
            return None
        return taken_in(
            repository(), branch=goal.result_branch, into=goal.base_branch, base=goal.base_commit, landed=landed
        )

    @cache
    def repository() -> Repository:  # not the workspaces', which look at the whole working tree first
        return Repository.find(app.folder, app.state)

    TakenIn(store=app.store, goals=app.goals, look=look).notice()


def restoring(app: "App") -> "Restoring":
    """Return what brings checkpoints back."""
    from agent_orchestrator.runtime.restoring import Restoring

    def resolve(name: str) -> "TaskId | GoalId":
        try:
            return app.tasks.resolve(name, loosely=True).id
        except NotFound as error:
            try:
                return app.goals.resolve(name).id
            except NotFound:
                raise error from None

    return Restoring(saves=app.saves, state=app.state, resolve=resolve)
