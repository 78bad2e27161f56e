"""What leads up to a run and what is said after it, shared by the commands that run something."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent_orchestrator.app import App
from agent_orchestrator.cli import columns, doors, exits, live, render
from agent_orchestrator.domain.budget import Budget
from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.domain.goal import GOAL_OPEN, Isolation

if TYPE_CHECKING:
    from agent_orchestrator.runtime.run_options import RunOptions
    from agent_orchestrator.runtime.running import Ran

FILES_NAMED = 5
"""Files with uncommitted changes that are named; of more only the number is given."""


def make_ready(
    app: App, *, yes: bool, ask: bool, include_dirty: bool, trust: bool = False, budget: Budget | None = None
) -> None:
    """Say who works and who pays, in what state the project is, and put it under git when that is wished.

    *budget* is the run's own.

    Raises:
        NotReady: no provider is installed, the isolation that was asked for is impossible here, or the folder is the
            whole home folder.
    """
    for name, error in app.lineup.unusable().items():
        doors.tell(f"{name} is left out: {error.message}")
    for name in app.run_providers():
        provider = app.lineup.provider(name)
        if provider.is_demo:
            doors.tell("DEMO: the agents follow a script; no model is asked and the work is a show")
        else:
            doors.tell(f"{provider.title} works here; {app.lineup.payer(name)} pays")
    doors.tell(f"sandbox: {app.sandbox.description}")
    _tell_holds(app)
    project = app.project()
    if project.head is None and app.is_whole_home and app.settings.isolation is not Isolation.SHARED:
        hint = "cd into a project; --isolation shared if this is meant"
        raise NotReady(f"{app.folder} is not a project: agents would work on everything in it", hint=hint)
    if project.head is None and not project.bare and app.settings.isolation is not Isolation.SHARED:
        _offer_git(app, has_repository=project.root is not None, yes=yes, ask=ask)
        project = app.project()
    if project.dirty and include_dirty:
        doors.tell(f"{_files(project.dirty)} with uncommitted changes {_are(project.dirty)} taken along")
    elif project.dirty:
        doors.tell(
            f"{_files(project.dirty)} with uncommitted changes {_are(project.dirty)} left out; "
            "--include-dirty takes them along"
        )
    if project.head is not None and project.branch is None:
        doors.tell("HEAD is detached: results stay on a branch of their own")
    _settle_trust(app, project.root or app.folder, trust=trust, ask=ask)
    for note in project.notes:
        doors.tell(f"note: {columns.one_line(note)}")
    _tell_ceilings(app, budget)


def _tell_holds(app: App) -> None:
    """Say which of the run's providers waits already: without it a run that begins on hold is silent for hours."""
    from agent_orchestrator.services.json_values import hold_json, time

    now = time(app.clock.now())
    for hold in app.holds.current():
        if hold.provider in app.run_providers():
            waits = render.hold(hold_json(hold), now)
            doors.tell(f"{waits}; to use it now: orchestrate resume {hold.provider}")


def _tell_ceilings(app: App, of_run: Budget | None) -> None:
    """Say of budgets that they cannot be reached where agents do not report what they use."""
    silent = [name for name in app.run_providers() if not app.lineup.provider(name).reports_usage]
    ceilings = [of_run, budget(app.settings.task_budget), budget(app.settings.attempt_budget)]
    ceilings += [app.budgets.of_goal(goal.id) for goal in app.goals_of_run()]
    if not silent or not any(one and one.limit_seconds is None for one in ceilings):
        return
    doors.tell(
        f"{', '.join(silent)} reports neither dollars nor tokens, so a budget of them bounds only how many start "
        "at once; minutes bound it too: --budget 90m"
    )


def _settle_trust(app: App, root: Path, *, trust: bool, ask: bool) -> None:
    """Ask once, and before anything starts, whether agents may run what the repository's settings name."""
    names = app.trust.asks(root)
    if not names:
        return
    shown = ", ".join(columns.one_line(name) for name in names[:FILES_NAMED]) + (
        ", …" if len(names) > FILES_NAMED else ""
    )
    if not trust and ask and doors.interactive():
        doors.tell(f"This repository's settings make agents run commands by themselves: {shown}")
        trust = click.confirm("Have you read them, and shall agents obey them?", default=False, err=True)
    if trust:
        app.trust.give(root)
        doors.tell(f"trusted as they are now: {shown}")
    else:
        doors.tell(f"left out because they make agents run commands: {shown} (orchestrate run --trust takes them in)")


def _offer_git(app: App, *, has_repository: bool, yes: bool, ask: bool) -> None:
    lacks = "has no commit yet" if has_repository else "is not a git repository"
    if not yes and ask and doors.interactive():
        doors.tell(f"{app.folder} {lacks}; with one, each agent gets its own checkout and you can undo.")
        yes = click.confirm("Make a first commit of everything in it?", default=True, err=True)
    if yes:
        app.begin_repository()
        doors.tell(f"made a first commit in {app.folder}")
    else:
        doors.tell(
            f"{app.folder} {lacks}: agents work in the folder itself, one at a time, and cannot be undone "
            "(orchestrate init --git makes a first commit)"
        )


def lead(app: App, options: "RunOptions") -> "Ran":
    """Lead the project until its work is done, in this thread, where signals arrive, and say how it ended.

    What happens meanwhile is shown on standard error: a live view on a terminal, lines elsewhere.

    Raises:
        AlreadyRunning: another supervisor does.
    """
    return app.lead(options, lambda: live.while_running(app, lambda log: app.supervise(options, log=log)))


def as_json(app: App, ran: "Ran") -> dict[str, Any]:
    """Return what a program is told of a run that has ended."""
    goals = [app.reports.goal(goal) for goal in ran.goals]
    return {"goals": goals, "stopped_by": ran.stopped_by or None, "exit_code": exit_code(ran)}


def tell(ran: "Ran") -> None:
    """Print one line for each goal: id, state and verdict, what became of the result, the report's command."""
    rows = []
    for goal in ran.goals:
        judged = f"{goal.state} ({goal.verdict})" if goal.verdict else str(goal.state)
        demo = "scripted demo: " if goal.demo else ""
        asks = f"needs you: {_changes(ran.asking[goal.id])} for you; " if goal.id in ran.asking else ""
        note = f"{demo}{asks}{goal.reason or goal.delivery_note or 'not finished'}"
        rows.append((goal.id, judged, goal.title, note, f"orchestrate report {goal.id}"))
    columns.show(rows)
    if ran.stopped_by and any(goal.state in GOAL_OPEN for goal in ran.goals):
        # It may have been the run's budget, which the next run has anew, or a goal's, which it has not.
        then = "orchestrate status says how it goes on" if ran.stopped_by == "budget" else "orchestrate run"
        doors.tell(f"stopped by the {ran.stopped_by}; what is left stays in the queue: {then}")
    for id, count in ran.asking.items():
        doors.tell(f"needs you: {_changes(count)} for you; look: orchestrate plan-continue {id}")


def _changes(count: int) -> str:
    return "1 change of its plan waits" if count == 1 else f"{count} changes of its plan wait"


def exit_code(ran: "Ran") -> int:
    """Return 0 when all is completed and delivered, however the run was ended; else the code that says why not."""
    if ran.stopped_by == "user":
        return exits.INTERRUPTED
    if ran.ok:
        return 0
    left = any(goal.state in GOAL_OPEN for goal in ran.goals)
    return exits.LIMITED if ran.stopped_by and left else exits.PARTLY


def budget(text: str | None) -> Budget | None:
    """Parse ``--budget``. Raises BadInput."""
    from agent_orchestrator.domain.budget import parse_budget

    return parse_budget(text) if text else None


def deadline(until: str | None, span: str | None, now: datetime) -> datetime | None:
    """Parse ``--until`` and ``--for``; the earlier one counts. Raises BadInput."""
    from agent_orchestrator.domain.deadline import parse_moment, parse_span

    moments = [parse_moment(until, now)] if until else []
    moments += [now + parse_span(span)] if span else []
    return min(moments, default=None)


def _files(names: tuple[str, ...]) -> str:
    shown = ", ".join(columns.one_line(name) for name in names[:FILES_NAMED])
    more = ", …" if len(names) > FILES_NAMED else ""
    return f"{len(names)} file{'s' if len(names) > 1 else ''} ({shown}{more})"


def _are(names: tuple[str, ...]) -> str:
    return "are" if len(names) > 1 else "is"
