"""Run the checks of landed work again, later, in a clean checkout of what landed: do they still hold?

Nothing that is remembered of earlier runs counts, and nothing is moved. A failure is judged as it was then, against
the base; what lowered the verdict then lowers it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_orchestrator.domain.errors import NothingToDo, RefusedByState
from agent_orchestrator.domain.evidence import CheckRun, Concern, Evidence
from agent_orchestrator.domain.goal import Goal, Isolation
from agent_orchestrator.domain.task import Task, TaskState, Verdict
from agent_orchestrator.runtime.landing import Landing
from agent_orchestrator.runtime.scrutiny import judge
from agent_orchestrator.runtime.verification import CheckCommand, choose, verdict
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverified:
    """What running the checks again showed."""

    subject: Task | Goal
    commit: str
    """What was checked out."""
    verdict_then: Verdict | None
    verdict: Verdict
    """What the checks and all that was seen of the work let us say now."""
    checks: tuple[CheckRun, ...]
    concerns: tuple[Concern, ...]
    """What lowered the verdict when it landed; of a goal that of all its tasks."""
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether it is verified now."""
        return self.verdict is Verdict.VERIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverification:
    """Runs checks again and writes down what they showed."""

    store: Store
    events: Events
    landing: Landing

    def task(self, task: Task) -> Reverified:
        """Run the check that accepted *task* again, on the commit that landed it.

        Raises:
            RefusedByState: it is not landed.
            NothingToDo: it changed no file, or no check accepted it.
            WorkspaceProblem: the commit is gone.
        """
        goal = self.store.goals.get(task.goal)
        if task.state is not TaskState.DONE:
            raise RefusedByState(f"task {task.id} is {task.state}, not landed", hint=f"orchestrate task {task.id}")
        self._need_commits(goal)
        evidence = self._evidence(task)
        if task.commit is None:
            raise NothingToDo(f"task {task.id} landed no files: its result is an answer")
        command = _command(evidence) or self.landing.check_for(task, goal)
        if command is None:
            raise NothingToDo(
                f"no check accepted task {task.id}", hint="name one: the setting verify, or submit --verify"
            )
        run = self._run(command, task.commit, evidence.base_commit or f"{task.commit}^")
        return self._told(task, task.commit, (run,), _weighty(evidence), self._notes(goal, task.commit))

    def goal(self, goal: Goal) -> Reverified:
        """Run the project's check and every task's own on all that *goal* landed, together.

        Raises:
            NothingToDo: nothing of it is landed, or there is no check.
            WorkspaceProblem: the commit is gone.
        """
        self._need_commits(goal)
        commit = self.landing.workspaces.tip(goal.result_branch) if goal.result_branch else None
        commit = commit or goal.delivered_to
        tasks = [task for task in self.store.tasks.of_goal(goal.id) if task.commit is not None]
        if commit is None or not tasks:
            raise NothingToDo(f"nothing of goal {goal.id} is landed", hint=f"orchestrate report {goal.id}")
        commands: dict[str, CheckCommand] = {}
        for command in (self.landing.suite(tasks[-1], goal), *(_own(task, goal) for task in tasks)):
            if command is not None:
                commands.setdefault(command.command, command)
        if not commands:
            raise NothingToDo(f"goal {goal.id} has no check", hint="name one: the setting verify, or submit --verify")
        runs = tuple(self._run(command, commit, goal.base_commit) for command in commands.values())
        concerns = tuple(one for task in tasks for one in _weighty(self._evidence(task)))
        return self._told(goal, commit, runs, concerns, self._notes(goal, commit))

    def _need_commits(self, goal: Goal) -> None:
        if goal.isolation is Isolation.SHARED:
            raise RefusedByState(
                f"the agents of goal {goal.id} worked in the folder itself: no commit says what they left",
                hint="run your check there",
            )

    def _run(self, command: CheckCommand, commit: str, base: str | None) -> CheckRun:
        tree = self.landing.workspaces.tree(commit)
        return self.landing.verification.again(command, tree=tree, base=base)

    def _evidence(self, task: Task) -> Evidence:
        found = self.store.attempts.evidence(task.attempt) if task.attempt is not None else None
        return found or Evidence()

    def _notes(self, goal: Goal, commit: str) -> tuple[str, ...]:
        holders = [name for name in (goal.base_branch, goal.result_branch) if name is not None]
        if any(self.landing.workspaces.contains(name, commit) for name in holders):
            return ()
        return (f"neither {' nor '.join(holders)} holds {commit[:10]} any more",) if holders else ()

    def _told(
        self,
        subject: Task | Goal,
        commit: str,
        runs: Sequence[CheckRun],
        concerns: tuple[Concern, ...],
        notes: tuple[str, ...],
    ) -> Reverified:
        """Put together what was seen and write it down."""
        said = {judge(run, concerns) for run in runs}
        worst = next((one for one in (Verdict.REJECTED, Verdict.UNVERIFIED) if one in said), Verdict.VERIFIED)
        found = Reverified(
            subject=subject,
            commit=commit,
            verdict_then=subject.verdict,
            verdict=worst,
            checks=tuple(runs),
            concerns=concerns,
            notes=notes,
        )
        failing = next((run for run in runs if verdict(run) is not Verdict.VERIFIED), runs[0])
        data: dict[str, Any] = {
            "commit": commit,
            "verdict": worst,
            "command": failing.command,
            "result": failing.result,
            "exit_code": failing.exit_code,
        }
        with self.store.transaction():
            if isinstance(subject, Goal):
                self.events.record("goal.verified_again", goal=subject, **data)
            else:
                self.events.record("task.verified_again", task=subject, **data)
        return found


def _own(task: Task, goal: Goal) -> CheckCommand | None:
    """Return the check that is the task's alone."""
    return choose(task, goal, None) if task.verify else None


def _command(evidence: Evidence) -> CheckCommand | None:
    """Return the command whose result is in the evidence."""
    check = next((one for one in reversed(evidence.checks) if one.command), None)
    return CheckCommand(command=check.command, origin=check.origin) if check is not None else None


def _weighty(evidence: Evidence) -> tuple[Concern, ...]:
    return tuple(one for one in evidence.concerns if one.lowers)
