"""One snapshot of everything, used by status, watch and report, so that no two views disagree.

A snapshot is plain JSON values: the programs that call us get it as it is, and
the views for people are drawn from it. What a project has none of is not
imported: ``status`` is asked for often, and most of its time is imports.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.goal import GOAL_ENDED, GOAL_OPEN, Delivery, Goal
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.services.alive import is_alive
from agent_orchestrator.services.json_values import (
    Json,
    agent_json,
    attempt_json,
    hold_json,
    minutes,
    phases_json,
    task_json,
    time,
    usage_json,
    usd,
)
from agent_orchestrator.services.waiting import WAITING_SHOWN, Waiting, deadline, option, run_used

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from agent_orchestrator.domain.agent import Agent
    from agent_orchestrator.domain.attempt import Attempt
    from agent_orchestrator.domain.budget import Used
    from agent_orchestrator.domain.clock import Clock
    from agent_orchestrator.domain.event import Event
    from agent_orchestrator.domain.hold import Hold
    from agent_orchestrator.domain.ids import AttemptId, GoalId, TaskId
    from agent_orchestrator.stores import Leadership, Store

RECENT_GOALS = 5
"""Ended goals that a snapshot shows beside the open ones, and beside those of which a person is asked something."""
DEAD_SHOWN = 1000
"""Failed tasks that the dead letter lists."""
PHASES_UP_TO = 500
"""Tasks a goal may have and still be shown by phase: a view is drawn twice a second."""
OTHERS_WITHIN_DAYS = 1
"""How long ago a goal may have ended and still be named beside the newest one's report: a night, generously."""
BASE_WITHIN = 500
"""Events of a goal among which its base check is looked for. It is one of the first: it runs as the goal begins."""
SLEEPS_SHOWN = 20
"""Times the machine slept that a report tells of, the last ones."""
RED = frozenset({"failed", "timed_out", "flaky"})
"""What a check of the base can show that a person should know."""


class Reports:
    """Read-only views of one project."""

    def __init__(self, store: Store, clock: Clock, project: str, database: str) -> None:
        """Look at the project in folder *project*, whose store is the file *database*."""
        self.store = store
        self.clock = clock
        self.project = project
        self.database = database

    def snapshot(self) -> Json:
        """Return what is going on: counts, open and recent goals, running agents, what waits and why, holds, spend."""
        now = self.clock.now()
        leadership = self.store.leadership.get()
        alive = is_alive(leadership)
        used = run_used(self.store, leadership if alive else None, now)
        goals = self.store.goals.list(states=GOAL_OPEN, in_turn=True)
        recent = self.store.goals.list(states=GOAL_ENDED, limit=RECENT_GOALS)
        shown = {goal.id for goal in (*goals, *recent)}
        asking = [self.store.goals.get(id) for id in self.store.goals.asking() if id not in shown]
        recent += asking
        holds = self._holds(now)
        tasks = {goal.id: self._tasks(goal) for goal in [*goals, *recent]}
        leader = leadership if alive else None
        waiting = Waiting(store=self.store, now=now, leadership=leader, used=used, holds=holds)
        return {
            "project": self.project,
            "database": self.database,
            "now": time(now),
            "supervisor": _supervisor(leadership, alive, used),
            "counts": {state.value: count for state, count in self.store.tasks.counts().items()},
            "goals": [self._goal(goal, tasks[goal.id]) for goal in [*goals, *recent]],
            "ended_before": self.store.goals.count(GOAL_ENDED) - len(recent),
            "running": [self._agent(agent, now) for agent in self.store.agents.list(living=True)],
            "waiting": waiting.told(goals, tasks),
            "failed": [task_json(task) for task in self.store.tasks.in_states([TaskState.FAILED], limit=WAITING_SHOWN)],
            "holds": [hold_json(hold) for hold in holds],
            "spend": usage_json(self.store.attempts.spent()),
        }

    def failed(self) -> list[Json]:
        """Return the dead letter: every failed task with all its attempts."""
        return [
            {
                **task_json(task),
                "depends_on": [self.store.tasks.get(need).key for need in self.store.tasks.needs(task.id)],
                "attempts": [self._attempt(attempt) for attempt in self.store.attempts.of_task(task.id)],
            }
            for task in self.store.tasks.in_states([TaskState.FAILED], limit=DEAD_SHOWN)
        ]

    def goal(self, goal: Goal) -> Json:
        """Return everything about one goal: what needs a person, its base, its tasks in order with their attempts."""
        now = self.clock.now()
        tasks = self.store.tasks.of_goal(goal.id)
        edges = self.store.tasks.edges(goal.id)
        keys = {task.id: task.key for task in tasks}
        told: list[Json] = [
            {
                **task_json(task),
                "depends_on": [keys[need] for need in edges.get(task.id, []) if need in keys],
                "attempts": [self._attempt(attempt) for attempt in self.store.attempts.of_task(task.id)],
            }
            for task in tasks
        ]
        from agent_orchestrator.services import plan_changes
        from agent_orchestrator.services.figures import figures
        from agent_orchestrator.services.needs import needs_you
        from agent_orchestrator.services.risks import ranked

        decided = self.decisions(goal.id)
        return {
            **self._goal(goal, tasks if len(tasks) <= PHASES_UP_TO else None),
            "text": goal.text,
            "now": time(now),
            "needs_you": needs_you(self.store, goal, tasks, edges, self._holds(now), now),
            "plan_changes": plan_changes.made(self.store, goal.id),
            "planners_asked": plan_changes.asked(self._all(goal.id, ("replan.asked",)), keys),
            "look_first": [{**one, "decision": decided.get(one["task"])} for one in ranked(told)],
            "base": self._base(goal),
            "check": self._goal_check(goal),
            "figures": figures(told),
            "slept": self._slept(goal),
            "tasks": told,
        }

    def decisions(self, goal: GoalId) -> dict[str, str]:
        """Return what a person last decided in review on each task: ``accepted``, ``rejected`` or ``commented``.

        A decision holds until the task is landed again.
        """
        found: dict[str, str] = {}
        for event in self._all(goal, ("review", "task.done")):
            if event.task is None:
                continue
            if event.type == "task.done":
                found.pop(event.task, None)
            else:
                found[event.task] = event.type.partition(".")[2]
        return found

    def _slept(self, goal: Goal) -> list[Json]:
        """Return when the machine slept while the goal was worked on, and for how long."""
        if goal.started_at is None:
            return []
        until = goal.ended_at or self.clock.now()
        return [
            {"at": time(event.at), "seconds": event.data["seconds"]}
            for event in self.store.events.last(SLEEPS_SHOWN, types=("machine.slept",))
            if goal.started_at <= event.at <= until
        ]

    def _all(self, goal: GoalId, types: Sequence[str]) -> Iterator[Event]:
        """Yield every event of some types, oldest first."""
        seq = 0
        while batch := self.store.events.after(seq, goal=goal, types=types, limit=BASE_WITHIN):
            yield from batch
            seq = batch[-1].seq

    def others(self, goal: Goal) -> list[Json]:
        """Return the goals beside *goal* that are open or ended within the last day, in brief.

        Those that need a person come first, then the newest. ``needs`` has what each needs of its own: that no
        supervisor runs, or a login is refused, is said once for all.
        """
        from datetime import timedelta

        from agent_orchestrator.services.needs import needs_you

        since = self.clock.now() - timedelta(days=OTHERS_WITHIN_DAYS)
        asking = self.store.goals.asking()
        found: list[Json] = [
            {
                "id": one.id,
                "title": one.title,
                "state": one.state.value,
                "verdict": one.verdict.value if one.verdict else None,
                "delivery": one.delivery.value,
                "needs": [
                    need
                    for need in needs_you(self.store, one, self.store.tasks.of_goal(one.id), {}, (), self.clock.now())
                    if need["what"] != "not_running"
                ],
                "needs_you": bool(self.store.tasks.counts(one.id)[TaskState.FAILED])
                or one.delivery is Delivery.WAITING
                or one.id in asking,
            }
            for one in self.store.goals.list()
            if one.id != goal.id and (one.state in GOAL_OPEN or (one.ended_at is not None and one.ended_at >= since))
        ]
        return sorted(found, key=lambda one: not one["needs_you"])

    def task(self, id: TaskId) -> Json:
        """Return everything about one task."""
        task = self.store.tasks.get(id)
        goal = self.store.goals.get(task.goal)
        return {
            **task_json(task),
            "description": task.description,
            "goal_title": goal.title,
            "demo": goal.demo,
            "depends_on": [self._brief(need) for need in self.store.tasks.needs(id)],
            "needed_by": [self._brief(need) for need in self.store.tasks.needed_by(id)],
            "attempts": [
                {**self._attempt(attempt), "notes": self._notes(attempt)} for attempt in self.store.attempts.of_task(id)
            ],
        }

    def evidence(self, id: TaskId) -> Json:
        """Return all that the task's verdict rests on, in one document. Raises NothingToDo when there is nothing."""
        from agent_orchestrator.services.proofs import proof

        return proof(self, id)

    def _notes(self, attempt: Attempt) -> list[str]:
        """Return what was noted when the attempt started, such as a limit of its role that its agent cannot keep."""
        events = self.store.events.after(0, task=attempt.task)
        return [str(one.data["note"]) for one in events if one.type == "attempt.note" and one.attempt == attempt.id]

    def is_live(self, id: AttemptId) -> bool:
        """Say whether an agent may still be at work on the attempt, as far as is written down."""
        from agent_orchestrator.domain.agent import AgentState

        attempt = self.store.attempts.get(id)
        if attempt.outcome is not None:
            return False
        return self.store.agents.get(attempt.agent).state is not AgentState.ENDED

    def agents(self, *, living: bool = True) -> list[Json]:
        """Return agents with what each does now, newest first."""
        now = self.clock.now()
        return [self._agent(agent, now) for agent in self.store.agents.list(living=living)]

    def _tasks(self, goal: Goal) -> list[Task] | None:
        """Return the goal's tasks, read once for all that is shown of them; None when they are more than PHASES_UP_TO.

        Of those only the first few that wait are read.
        """
        count = sum(self.store.tasks.counts(goal.id).values())
        return self.store.tasks.of_goal(goal.id) if count <= PHASES_UP_TO else None

    def _goal(self, goal: Goal, tasks: Sequence[Task] | None) -> Json:
        counts = self.store.tasks.counts(goal.id)
        return {
            "id": goal.id,
            "title": goal.title,
            "state": goal.state.value,
            "reason": goal.reason,
            "source": goal.source,
            "notice": goal.notice,
            "demo": goal.demo,
            "verdict": goal.verdict.value if goal.verdict else None,
            "delivery": goal.delivery.value,
            "delivery_note": goal.delivery_note,
            "result_branch": goal.result_branch,
            "base_branch": goal.base_branch,
            "base_commit": goal.base_commit,
            "isolation": goal.isolation.value if goal.isolation else None,
            "priority": goal.priority,
            "budget_usd": usd(goal.budget_micro_usd),
            "budget_tokens": goal.budget_tokens,
            "budget_minutes": minutes(goal.budget_seconds),
            "created_at": time(goal.created_at),
            "started_at": time(goal.started_at),
            "ended_at": time(goal.ended_at),
            "counts": {state.value: count for state, count in counts.items() if count},
            "phases": phases_json(tasks or ()),
            "spend": usage_json(self.store.attempts.spent(goal=goal.id)),
            "changes_waiting": self.store.goals.asking().get(goal.id, 0),
        }

    def _base(self, goal: Goal) -> Json | None:
        """Return what the check on the goal's base showed; None when it was not run or has not ended."""
        found = None
        for event in self.store.events.after(goal=goal.id, limit=BASE_WITHIN):
            if event.type == "base.checked":
                found = {**event.data, "red": event.data.get("result") in RED, "at": time(event.at)}
            elif event.type == "base.not_checked":
                found = {"result": "not_checked", "reason": event.data.get("reason"), "red": False}
        return found

    def _goal_check(self, goal: Goal) -> Json | None:
        """Return what the check on everything landed together showed; None when there was none, or not yet."""
        found = self.store.events.last(1, goal=goal.id, types=("goal.checked", "goal.not_checked"))
        if not found:
            return None
        data = found[0].data
        if found[0].type == "goal.not_checked":
            return {"result": "not_checked", "reason": data.get("reason"), "at": time(found[0].at)}
        return {**data, "at": time(found[0].at)}

    def _holds(self, now: datetime) -> list[Hold]:
        return [hold for hold in self.store.holds.list() if hold.until > now]

    def _agent(self, agent: Agent, now: datetime) -> Json:
        task = None
        if agent.task:
            with suppress(NotFound):
                task = self.store.tasks.get(agent.task)
        return agent_json(agent, task, now)

    def _attempt(self, attempt: Attempt) -> Json:
        return attempt_json(attempt, self.store.attempts.evidence(attempt.id))

    def _brief(self, id: TaskId) -> Json:
        task = self.store.tasks.get(id)
        return {"id": task.id, "key": task.key, "title": task.title, "state": task.state.value}


def _supervisor(leadership: Leadership | None, alive: bool, used: Used | None) -> Json:
    """Return who leads the project, and by which bounds a run that goes on; *used* is what it has used of them."""
    return {
        "running": alive,
        "pid": leadership.pid if leadership else None,
        "max_agents": leadership.max_agents if leadership else None,
        "since": time(leadership.started_at) if leadership else None,
        "stopping": bool(leadership and leadership.stop_wished),
        "until": time(deadline(leadership)) if alive else None,
        "goal": option(leadership, "goal") if alive else None,
        "budget_usd": usd(option(leadership, "budget_micro_usd")) if alive else None,
        "spent_usd": usd(used.micro_usd) if used else None,
        "budget_tokens": option(leadership, "budget_tokens") if alive else None,
        "spent_tokens": used.tokens if used else None,
        "budget_minutes": minutes(option(leadership, "budget_seconds")) if alive else None,
        "spent_minutes": minutes(used.seconds) if used else None,
    }
