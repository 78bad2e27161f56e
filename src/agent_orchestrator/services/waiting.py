"""What each waiting task waits for, in words: the answer to "why is nothing running?"."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from agent_orchestrator.domain.task import HELD, Task, TaskState
from agent_orchestrator.services.json_values import Json, task_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from agent_orchestrator.domain.budget import Used
    from agent_orchestrator.domain.goal import Goal
    from agent_orchestrator.domain.hold import Hold
    from agent_orchestrator.domain.ids import GoalId
    from agent_orchestrator.stores import Leadership, Store

RUN_BUDGET = ("budget_micro_usd", "budget_tokens", "budget_seconds")
"""A run's ceilings, by their names among what its supervisor was started with."""
WAITING_SHOWN = 50
"""Waiting tasks listed one by one; of more only the number is given."""
WAITING = (TaskState.VERIFYING, TaskState.LANDING, TaskState.READY, TaskState.BLOCKED)
"""States of a task in which something else must come next, the nearest to its end first."""
GOAL_BUDGET = "its goal's budget"
"""How the words begin for a task that only a larger budget lets start."""
GOALS_AT_ONCE = 20
"""Goals that a run works on at the same time; a test compares it with the supervisor's."""


class Waiting(NamedTuple):
    """What is ready or blocked at one moment, and why."""

    store: Store
    now: datetime
    leadership: Leadership | None
    """The living supervisor's; None without one."""
    used: Used | None
    """What its run has used; None when the run has no ceiling."""
    holds: Sequence[Hold]

    def told(self, goals: Sequence[Goal], tasks: Mapping[GoalId, Sequence[Task] | None]) -> list[Json]:
        """Return the first WAITING_SHOWN tasks of *goals*, in their turn, each with what it waits for in words.

        *tasks* are those of each goal; None has them read here.
        """
        held = {hold.provider: until_when(hold, self.now) for hold in self.holds}
        narrowed = self._narrowed()
        served = _served(self.leadership)
        stopped = self._why_nothing_starts()
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
            short = self._why_budget_stands(goal)
            if short and stopped and self._has_agents(goal):
                short = ""  # a run that died left them: what they hold is settled when the next one finds them
            standing = short or stopped or self._why_turn_stands(goal, turn)
            for task in waiting:
                why = _why(task, needs.get(task.id, ()), standing, served, held, narrowed)
                found.append({**task_json(task), "waits_for": why})
        return found

    def _narrowed(self) -> dict[str, str]:
        """Return the providers of which no further agent may start for now, each with why."""
        paces = self.store.holds.paces()
        if not paces:
            return {}
        at_work = Counter(agent.provider for agent in self.store.agents.list(living=True))
        return {
            pace.provider: f"fewer agents of {pace.provider} at once for now ({pace.kind.replace('_', ' ')})"
            for pace in paces
            if at_work[pace.provider] >= pace.width_at(self.now)
        }

    def _why_nothing_starts(self) -> str:
        """Say why nothing at all is being started; empty when something may be."""
        if self.leadership is None:
            return "a supervisor: orchestrate run"
        if self.leadership.stop_wished:
            return "the next run: this one is stopping"
        until = deadline(self.leadership)
        if until is not None and self.now >= until:
            return "the next run: this one is past its deadline"
        if self.used is not None:
            limits = [option(self.leadership, name) for name in RUN_BUDGET]
            if short := _short(limits, self.used, self.store.tasks.counts(), option(self.leadership, "set_aside")):
                return f"the run's budget: {short}"
        return ""

    def _why_budget_stands(self, goal: Goal) -> str:
        """Say why the goal's own budget lets none of its tasks start; empty when it does."""
        short = goal_short(self.store, goal, self.leadership, self.now)
        return f"{GOAL_BUDGET}: {short}" if short else ""

    def _has_agents(self, goal: Goal) -> bool:
        counts = self.store.tasks.counts(goal.id)
        return any(counts[state] for state in HELD)

    def _why_turn_stands(self, goal: Goal, turn: int) -> str:
        """Say why the run starts nothing of this goal, the *turn*-th in line; empty when it may."""
        only = option(self.leadership, "goal")
        if only is not None and only != goal.id:
            return f"another run: this one works on {only} only"
        return "an earlier goal" if turn >= GOALS_AT_ONCE and only is None else ""


def goal_short(store: Store, goal: Goal, leadership: Leadership | None, now: datetime) -> str:
    """Say in words how a goal's own budget forbids one more start; nothing when it does not."""
    limits = [goal.budget_micro_usd, goal.budget_tokens, goal.budget_seconds]
    if limits == [None, None, None]:
        return ""
    from agent_orchestrator.domain.budget import Used

    used = Used.of(store.attempts.spent(goal=goal.id), store.attempts.worked_s(now=now, goal=goal.id))
    return _short(limits, used, store.tasks.counts(goal.id), option(leadership, "set_aside"))


def run_used(store: Store, leadership: Leadership | None, now: datetime) -> Used | None:
    """Return what the run has used so far; None when it has no ceiling to hold it against."""
    if leadership is None or not any(option(leadership, name) is not None for name in RUN_BUDGET):
        return None
    from agent_orchestrator.domain.budget import Used

    since = leadership.started_at
    spent = store.attempts.spent(since=since)
    return Used.of(spent, store.attempts.worked_s(now=now, since=since))


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


def until_when(hold: Hold, now: datetime) -> str:
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


def option(leadership: Leadership | None, name: str) -> Any:
    """Return what a supervisor was started with; None for one that was started without it."""
    return (leadership.options or {}).get(name) if leadership else None


def deadline(leadership: Leadership | None) -> datetime | None:
    """Return the run's deadline, which was given in anybody's zone."""
    text = option(leadership, "until")
    if text is None:
        return None
    from datetime import datetime

    return datetime.fromisoformat(text)
