"""One snapshot of everything, used by status, watch and report, so that no two views disagree.

A snapshot is plain JSON values: the programs that call us get it as it is, and
the views for people are drawn from it. What a project has none of is not
imported: ``status`` is asked for often, and most of its time is imports.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from agent_orchestrator.domain.clock import spelt
from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.goal import GOAL_OPEN, Delivery, Goal
from agent_orchestrator.domain.task import Task, TaskState
from agent_orchestrator.services.alive import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent_orchestrator.domain.agent import Agent
    from agent_orchestrator.domain.attempt import Attempt
    from agent_orchestrator.domain.budget import Used
    from agent_orchestrator.domain.clock import Clock
    from agent_orchestrator.domain.event import Event
    from agent_orchestrator.domain.evidence import CheckRun, Concern, Evidence
    from agent_orchestrator.domain.hold import Hold
    from agent_orchestrator.domain.ids import AttemptId, GoalId, TaskId
    from agent_orchestrator.domain.usage import Usage
    from agent_orchestrator.stores import Leadership, Store

Json = dict[str, Any]

RUN_BUDGET = ("budget_micro_usd", "budget_tokens", "budget_seconds")
"""A run's ceilings, by their names among what its supervisor was started with."""
RECENT_GOALS = 5
"""Ended goals that a snapshot shows beside the open ones."""
WAITING_SHOWN = 50
"""Waiting tasks listed one by one; beyond that their number must do."""
DEAD_SHOWN = 1000
"""Failed tasks that the dead letter lists."""
WAITING = (TaskState.VERIFYING, TaskState.LANDING, TaskState.READY, TaskState.BLOCKED)
"""States of a task in which something else must come next, the nearest to its end first."""
GOALS_AT_ONCE = 20
"""Goals that a run works on at the same time; a test compares it with the supervisor's."""
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

    def __init__(self, store: Store, clock: Clock, project: Path, database: Path) -> None:
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
        run_used = self._run_used(leadership, now) if alive else None
        goals = self.store.goals.list(states=GOAL_OPEN, in_turn=True)
        recent = [goal for goal in self.store.goals.list(limit=RECENT_GOALS) if goal.state not in GOAL_OPEN]
        holds = self._holds(now)
        tasks = {goal.id: self._tasks(goal) for goal in [*goals, *recent]}
        return {
            "project": str(self.project),
            "database": str(self.database),
            "now": _time(now),
            "supervisor": {
                "running": alive,
                "pid": leadership.pid if leadership else None,
                "max_agents": leadership.max_agents if leadership else None,
                "since": _time(leadership.started_at) if leadership else None,
                "stopping": bool(leadership and leadership.stop_wished),
                "until": _time(_until(leadership)) if alive else None,
                "goal": _option(leadership, "goal") if alive else None,
                "budget_usd": _usd(_option(leadership, "budget_micro_usd")) if alive else None,
                "spent_usd": _usd(run_used.micro_usd) if run_used else None,
                "budget_tokens": _option(leadership, "budget_tokens") if alive else None,
                "spent_tokens": run_used.tokens if run_used else None,
                "budget_minutes": _minutes(_option(leadership, "budget_seconds")) if alive else None,
                "spent_minutes": _minutes(run_used.seconds) if run_used else None,
            },
            "counts": {state.value: count for state, count in self.store.tasks.counts().items()},
            "goals": [self._goal(goal, tasks[goal.id]) for goal in [*goals, *recent]],
            "running": [self._agent(agent, now) for agent in self.store.agents.list(living=True)],
            "waiting": self._waiting(goals, tasks, leadership if alive else None, run_used, holds, now),
            "failed": [_task(task) for task in self.store.tasks.in_states([TaskState.FAILED], limit=WAITING_SHOWN)],
            "holds": [hold_json(hold) for hold in holds],
            "spend": _usage(self.store.attempts.spent()),
        }

    def failed(self) -> list[Json]:
        """Return the dead letter: every failed task with all its attempts."""
        return [
            {
                **_task(task),
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
                **_task(task),
                "depends_on": [keys[need] for need in edges.get(task.id, []) if need in keys],
                "attempts": [self._attempt(attempt) for attempt in self.store.attempts.of_task(task.id)],
            }
            for task in tasks
        ]
        from agent_orchestrator.services import plan_changes
        from agent_orchestrator.services.figures import figures
        from agent_orchestrator.services.risks import ranked

        decided = self.decisions(goal.id)
        return {
            **self._goal(goal, tasks if len(tasks) <= PHASES_UP_TO else None),
            "text": goal.text,
            "now": _time(now),
            "needs_you": self._needs_you(goal, tasks, edges),
            "plan_changes": plan_changes.made(self.store, goal.id),
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
            {"at": _time(event.at), "seconds": event.data["seconds"]}
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

        Those that need a person come first, then the newest.
        """
        from datetime import timedelta

        since = self.clock.now() - timedelta(days=OTHERS_WITHIN_DAYS)
        asking = self.store.goals.asking()
        found: list[Json] = [
            {
                "id": one.id,
                "title": one.title,
                "state": one.state.value,
                "verdict": one.verdict.value if one.verdict else None,
                "delivery": one.delivery.value,
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
            **_task(task),
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
            "budget_usd": _usd(goal.budget_micro_usd),
            "budget_tokens": goal.budget_tokens,
            "budget_minutes": _minutes(goal.budget_seconds),
            "created_at": _time(goal.created_at),
            "started_at": _time(goal.started_at),
            "ended_at": _time(goal.ended_at),
            "counts": {state.value: count for state, count in counts.items() if count},
            "phases": _phases(tasks or ()),
            "spend": _usage(self.store.attempts.spent(goal=goal.id)),
            "changes_waiting": self.store.goals.asking().get(goal.id, 0),
        }

    def _base(self, goal: Goal) -> Json | None:
        """Return what the check on the goal's base showed; None when it was not run or has not ended."""
        found = None
        for event in self.store.events.after(goal=goal.id, limit=BASE_WITHIN):
            if event.type == "base.checked":
                found = {**event.data, "red": event.data.get("result") in RED, "at": _time(event.at)}
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
            return {"result": "not_checked", "reason": data.get("reason"), "at": _time(found[0].at)}
        return {**data, "at": _time(found[0].at)}

    def _needs_you(self, goal: Goal, tasks: Sequence[Task], edges: Mapping[TaskId, Sequence[TaskId]]) -> list[Json]:
        """Return what goes on only when a person does something, the most pressing first, each with its command."""
        awaited = {need for needs in edges.values() for need in needs}
        found: list[Json] = [
            {
                "what": "task_failed",
                "risk": "high" if task.id in awaited else "medium",
                "task": task.id,
                "key": task.key,
                "title": task.title,
                "why": task.reason,
                "command": f"orchestrate retry {task.id}",
            }
            for task in tasks
            if task.state is TaskState.FAILED
        ]
        if self.store.goals.asking().get(goal.id):
            from agent_orchestrator.services import plan_changes

            found += plan_changes.needs(self.store, goal.id)
        if goal.delivery is Delivery.WAITING:
            command = f"git merge {goal.result_branch}" if goal.result_branch else None
            found.append({"what": "not_delivered", "risk": "medium", "why": goal.delivery_note, "command": command})
        if goal.state in GOAL_OPEN:
            from agent_orchestrator.domain.hold import HoldKind

            for hold in self._holds(self.clock.now()):
                if hold.kind is HoldKind.LOGIN:
                    why = f"{hold.provider}'s login is refused: {hold.reason}"
                    command = f"orchestrate resume {hold.provider}"
                    found.append(
                        {"what": "login", "risk": "high", "provider": hold.provider, "why": why, "command": command}
                    )
            if not is_alive(self.store.leadership.get()):
                why = "it is not finished and no supervisor is running"
                found.append({"what": "not_running", "risk": "high", "why": why, "command": "orchestrate run"})
        return sorted(found, key=lambda one: one["risk"] != "high")

    def _holds(self, now: datetime) -> list[Hold]:
        return [hold for hold in self.store.holds.list() if hold.until > now]

    def _agent(self, agent: Agent, now: datetime) -> Json:
        title = key = None
        if agent.task:
            try:
                task = self.store.tasks.get(agent.task)
                title, key = task.title, task.key
            except NotFound:
                pass
        ended = agent.ended_at or now
        return {
            "id": agent.id,
            "provider": agent.provider,
            "specialist": agent.specialist,
            "state": agent.state.value,
            "task": agent.task,
            "task_key": key,
            "task_title": title,
            "attempt": agent.attempt,
            "pid": agent.pid,
            "doing": agent.doing,
            "elapsed_s": round((ended - agent.started_at).total_seconds(), 1) if agent.started_at else None,
            "silent_s": round((now - agent.seen_at).total_seconds(), 1)
            if agent.seen_at and not agent.ended_at
            else None,
            "stop_wished": agent.stop_wished,
            "started_at": _time(agent.started_at),
            "ended_at": _time(agent.ended_at),
        }

    def _run_used(self, leadership: Leadership | None, now: datetime) -> Used | None:
        """Return what the run has used so far; None when it has no ceiling to hold it against."""
        if leadership is None or not any(_option(leadership, name) is not None for name in RUN_BUDGET):
            return None
        from agent_orchestrator.domain.budget import Used

        since = leadership.started_at
        spent = self.store.attempts.spent(since=since)
        return Used.of(spent, self.store.attempts.worked_s(now=now, since=since))

    def _waiting(
        self,
        goals: Sequence[Goal],
        tasks: Mapping[GoalId, Sequence[Task] | None],
        leadership: Leadership | None,
        run_used: Used | None,
        holds: Sequence[Hold],
        now: datetime,
    ) -> list[Json]:
        """Return what is ready or blocked, each with what it waits for in words; *leadership* is a living one's."""
        held = {hold.provider: _until_when(hold, now) for hold in holds}
        narrowed = self._narrowed(now)
        served = _served(leadership)
        found: list[Json] = []
        for turn, goal in enumerate(goals):
            room = WAITING_SHOWN - len(found)
            if room <= 0:
                break
            known = tasks[goal.id]
            if known is None:
                waiting = self.store.tasks.in_states(WAITING, goal=goal.id, limit=room)
            else:
                waiting = sorted((task for task in known if task.state in WAITING), key=_line_up)[:room]
            if not waiting:
                continue
            needs = self.store.tasks.unmet_needs([task.id for task in waiting if task.unmet])
            stopped = self._why_nothing_starts(leadership, run_used, now)
            stopped = stopped or self._why_goal_stands(goal, leadership, turn, now)
            for task in waiting:
                why = _why(task, needs.get(task.id, ()), stopped, served, held, narrowed)
                found.append({**_task(task), "waits_for": why})
        return found

    def _narrowed(self, now: datetime) -> dict[str, str]:
        """Return the providers of which no further agent may start for now, each with why."""
        paces = self.store.holds.paces()
        if not paces:
            return {}
        at_work = Counter(agent.provider for agent in self.store.agents.list(living=True))
        return {
            pace.provider: f"fewer agents of {pace.provider} at once for now ({pace.kind.replace('_', ' ')})"
            for pace in paces
            if at_work[pace.provider] >= pace.width_at(now)
        }

    def _why_nothing_starts(self, leadership: Leadership | None, run_used: Used | None, now: datetime) -> str:
        """Say why nothing at all is being started; nothing when something may be."""
        if leadership is None:
            return "a supervisor: orchestrate run"
        if leadership.stop_wished:
            return "the next run: this one is stopping"
        until = _until(leadership)
        if until is not None and now >= until:
            return "the next run: this one is past its deadline"
        if run_used is not None:
            limits = [_option(leadership, name) for name in RUN_BUDGET]
            if short := _short(limits, run_used, self.store.tasks.counts(), _option(leadership, "set_aside")):
                return f"the run's budget: {short}"
        return ""

    def _why_goal_stands(self, goal: Goal, leadership: Leadership | None, turn: int, now: datetime) -> str:
        """Say why the run starts nothing of this goal, the *turn*-th in line; nothing when it may."""
        only = _option(leadership, "goal")
        if only is not None and only != goal.id:
            return f"another run: this one works on {only} only"
        limits = [goal.budget_micro_usd, goal.budget_tokens, goal.budget_seconds]
        if limits != [None, None, None]:
            from agent_orchestrator.domain.budget import Used

            rows = self.store.attempts
            used = Used.of(rows.spent(goal=goal.id), rows.worked_s(now=now, goal=goal.id))
            if short := _short(limits, used, self.store.tasks.counts(goal.id), _option(leadership, "set_aside")):
                return f"its goal's budget: {short}"
        if turn >= GOALS_AT_ONCE and only is None:
            return "an earlier goal"
        return ""

    def _attempt(self, attempt: Attempt) -> Json:
        return {
            "id": attempt.id,
            "number": attempt.number,
            "agent": attempt.agent,
            "provider": attempt.provider,
            "model": attempt.model,
            "cli_version": attempt.cli_version,
            "cli_path": attempt.cli_path,
            "outcome": attempt.outcome.value if attempt.outcome else None,
            "reason": attempt.reason,
            "doing": attempt.last_action,
            "summary": attempt.summary,
            "session": attempt.session,
            "workspace": attempt.workspace,
            "branch": attempt.branch,
            "base_commit": attempt.base_commit,
            "commit": attempt.commit,
            "prompt_sha256": attempt.prompt_sha256,
            "transcript": f"{attempt.run_dir}/stdout.log",
            "run_dir": attempt.run_dir,
            "usage": _usage(attempt.usage),
            "started_at": _time(attempt.started_at),
            "ended_at": _time(attempt.ended_at),
            "evidence": _evidence(self.store.attempts.evidence(attempt.id)),
        }

    def _brief(self, id: TaskId) -> Json:
        task = self.store.tasks.get(id)
        return {"id": task.id, "key": task.key, "title": task.title, "state": task.state.value}


def _phases(tasks: Sequence[Task]) -> list[Json]:
    """Return per phase its tasks and how many are in which state."""
    found: dict[int, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.phase, []).append(task)
    return [
        {
            "phase": phase,
            "counts": dict(Counter(task.state.value for task in found[phase])),
            "tasks": [
                {
                    "id": task.id,
                    "key": task.key,
                    "title": task.title,
                    "specialist": task.specialist,
                    "state": task.state.value,
                    "verdict": task.verdict.value if task.verdict else None,
                }
                for task in found[phase]
            ],
        }
        for phase in sorted(found)
    ]


def _line_up(task: Task) -> tuple[int, int, int]:
    """Return what orders waiting tasks: how far they are, then the order in which they will be claimed."""
    return WAITING.index(task.state), task.goal_rank, task.task_rank


def _short(limits: Sequence[int | None], used: Used, counts: Mapping[TaskState, int], aside: Any) -> str:
    """Say how a ceiling in micro-dollars, tokens and seconds forbids one more start; nothing when it does not.

    *aside* is what the run lets one attempt use, of the same kinds, if it limits that.
    """
    from agent_orchestrator.domain.budget import Budget

    budget, each = (
        Budget(limit_micro_usd=some[0], limit_tokens=some[1], limit_seconds=some[2])
        for some in (limits, aside or (None, None, None))
    )
    budget = budget.setting_aside(each)
    return budget.short(used, counts[TaskState.CLAIMED] + counts[TaskState.RUNNING])


def _why(
    task: Task,
    needs: Sequence[tuple[str, TaskState]],
    stopped: str,
    served: Sequence[str],
    held: Mapping[str, str],
    narrowed: Mapping[str, str],
) -> str:
    """Say what the task waits for; *needs* are the tasks it depends on that are not done, as key and state."""
    match task.state:
        case TaskState.VERIFYING:
            return "its checks"
        case TaskState.LANDING:
            return "being landed"
        case TaskState.READY:
            wanted = [task.provider] if task.provider else served or list(held)
            if held and all(name in held for name in wanted):
                return " or ".join(held[name] for name in wanted)
            if not stopped and wanted and all(name in held or name in narrowed for name in wanted):
                return " or ".join(held.get(name) or narrowed[name] for name in wanted)
            return stopped or "a free agent"
        case _:
            if needs:
                return ", ".join(f"{key} ({state})" for key, state in needs)
            if task.not_before is not None:
                return f"the pause after a failure ({task.reason})" if task.reason else "the end of a pause"
            return task.reason or "the next look"


def _task(task: Task) -> Json:
    return {
        "id": task.id,
        "goal": task.goal,
        "key": task.key,
        "title": task.title,
        "specialist": task.specialist,
        "state": task.state.value,
        "reason": task.reason,
        "phase": task.phase,
        "priority": task.priority,
        "tier": task.tier.value,
        "size": task.size.value,
        "provider": task.provider,
        "acceptance": list(task.acceptance),
        "owns": list(task.owns),
        "verify": task.verify,
        "attempts_used": task.attempts,
        "max_attempts": task.max_attempts,
        "not_before": _time(task.not_before),
        "verdict": task.verdict.value if task.verdict else None,
        "summary": task.summary,
        "commit": task.commit,
    }


def _evidence(evidence: Evidence | None) -> Json | None:
    if evidence is None:
        return None
    return {
        "files": list(evidence.files),
        "insertions": evidence.insertions,
        "deletions": evidence.deletions,
        "base_commit": evidence.base_commit,
        "commit": evidence.commit,
        "diffstat": evidence.diffstat,
        "notes": list(evidence.notes),
        "concerns": concerns_json(evidence.concerns),
        "advice": list(evidence.advice),
        "checks": checks_json(evidence.checks),
    }


def checks_json(checks: Sequence[CheckRun]) -> list[Json]:
    """Return runs of checks as plain JSON values."""
    return [
        {
            "command": check.command,
            "origin": check.origin,
            "result": check.result.value,
            "exit_code": check.exit_code,
            "duration_ms": check.duration_ms,
            "tail": check.tail,
            "failures": None if check.failures is None else list(check.failures),
            "tree": check.tree,
            "cached": check.cached,
        }
        for check in checks
    ]


def concerns_json(concerns: Sequence[Concern]) -> list[Json]:
    """Return concerns as plain JSON values."""
    return [
        {"kind": one.kind.value, "path": one.path, "detail": one.detail, "excuse": one.excuse, "lowers": one.lowers}
        for one in concerns
    ]


def hold_json(hold: Hold) -> Json:
    """Return a hold as every door tells it."""
    return {
        "provider": hold.provider,
        "kind": hold.kind.value,
        "until": _time(hold.until),
        "stated": hold.stated,
        "reason": hold.reason,
        "refusals": hold.refusals,
    }


def _until_when(hold: Hold, now: datetime) -> str:
    """Return who is waited for, until when in this machine's zone, and why: ``claude until 03:10 (usage limit)``."""
    if hold.kind == "login":
        return f"{hold.provider} (its login is refused)"
    until = hold.until.astimezone()
    form = (
        "%H:%M"
        if until.date() == now.astimezone().date()
        else "%a %H:%M"
        if (until - now).days < 6
        else "%Y-%m-%d %H:%M"
    )
    return f"{hold.provider} until {until:{form}} ({hold.kind.replace('_', ' ')})"


def _served(leadership: Leadership | None) -> tuple[str, ...]:
    """Return the providers a supervisor was started with."""
    named = (leadership.options or {}).get("providers") if leadership else None
    return tuple(str(name) for name in named) if isinstance(named, list) else ()


def _option(leadership: Leadership | None, name: str) -> Any:
    """Return what a supervisor was started with; None for one that was started without it."""
    return (leadership.options or {}).get(name) if leadership else None


def _until(leadership: Leadership | None) -> datetime | None:
    """Return the run's deadline, which was given in anybody's zone."""
    text = _option(leadership, "until")
    if text is None:
        return None
    from datetime import datetime

    return datetime.fromisoformat(text)


def _usd(micro_usd: int | None) -> float | None:
    return None if micro_usd is None else round(micro_usd / 1_000_000, 6)


def _minutes(seconds: int | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 1)


def _usage(usage: Usage) -> Json:
    return {
        "cost_usd": round(usage.cost_micro_usd / 1_000_000, 6),
        "cost_is_estimate": usage.cost_is_estimate,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else spelt(moment)
