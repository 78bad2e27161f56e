"""Steps that many tests take: put a plan into the queue, claim, land, fail."""

from pathlib import Path

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import Task, Verdict
from agent_orchestrator.services.goals import Submission


def planned(id: str, *depends_on: str) -> PlannedTask:
    return PlannedTask(id=id, title=f"Do {id}", description="", agent_type="generalist", depends_on=depends_on)


def accept(
    app: App, *tasks: PlannedTask, text: str = "Build it", source: str = "rules"
) -> tuple[Goal, dict[str, Task]]:
    goal, added = app.goals.accept(Plan(goal=text, source=source, tasks=tasks), Submission(text=text))
    return goal, {task.key: task for task in added}


def claim(app: App) -> Attempt:
    claimed = app.tasks.claim("claude", run_dir=lambda task, number: Path(f"/runs/{task.id}.{number}"))
    assert claimed is not None
    return claimed[1]


def land(app: App, attempt: Attempt, verdict: Verdict = Verdict.VERIFIED) -> None:
    app.tasks.started(attempt)
    app.tasks.handed_in(attempt)
    app.tasks.landing(attempt, Evidence())
    app.tasks.finished(attempt, verdict=verdict, commit="abc", evidence=Evidence())


def fail(app: App, attempt: Attempt, *, outcome: Outcome, reason: str, evidence: Evidence | None = None) -> Task:
    """End *attempt* as the last one that its task has: the task goes to the dead letter."""
    task = app.store.tasks.get(attempt.task)
    with app.store.transaction():
        app.store.tasks.save(task._replace(max_attempts=task.attempts + 1), was=task)
    return app.tasks.ended(attempt, outcome=outcome, reason=reason, evidence=evidence)
