"""Which notices are due, read from the log: each once, however often a supervisor starts.

A notice is written down as due before it is sent. One that is lost in a crash
between the two is not sent again: being told twice at night is worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent_orchestrator.domain.clock import Clock, spelt
from agent_orchestrator.domain.event import Event
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState
from agent_orchestrator.domain.hold import Hold, HoldKind
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.notice import Notice, NoticeKind
from agent_orchestrator.domain.text import clean
from agent_orchestrator.services.events import Events
from agent_orchestrator.services.waiting import until_when
from agent_orchestrator.stores import Store

TELLING = ("task.failed", "replan.waiting", "goal.completed", "goal.failed", "run.paused")
"""Events that may be worth a notice."""
REMEMBERED = 500
"""Notices of earlier runs that are not repeated, the last ones."""
SAME_NEWS = timedelta(minutes=5)
"""A goal that ends this soon after the notice that it needs somebody is not told of again."""
TEXT_LIMIT = 300
"""Characters of a title or a text: a lock screen shows fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Nothing has moved for long."""

    seconds: float
    since: int
    """Position in the log of the last event before."""


class Notices:
    """Reads the log from where it stood when the run began."""

    def __init__(self, store: Store, clock: Clock, events: Events, project: str) -> None:
        """Speak of the project named *project*."""
        self._store, self._clock, self._events = store, clock, events
        self._project = _short(project)
        self._began = clock.now()
        self._seq = max((event.seq for event in events.last(1)), default=0)
        due = events.last(REMEMBERED, types=("notice.due",))
        self._said: dict[str, datetime] = {str(event.data.get("key")): event.at for event in due}

    def due(self, *, holds: Sequence[Hold], all_held: bool, stopped_by: str, quiet: Quiet | None) -> list[Notice]:
        """Return what is to be told now, written down as told.

        *all_held*: no provider of the run may take work, because of *holds*. *stopped_by* as in ``Outlook``.
        *quiet* is None unless nothing moves although something should.
        """
        found = [notice for event in self._news() if (notice := self._of_event(event)) is not None]
        held = [notice for hold in holds if (notice := self._of_hold(hold, all_held, stopped_by)) is not None]
        found += held
        if stopped_by in {"budget", "deadline"} or (stopped_by == "limit" and not held):
            found += self._stopped(stopped_by)
        if quiet is not None:
            found.append(self._stuck(quiet))
        return [notice for notice in found if self._is_new(notice)]

    def of_pause(self, number: int) -> Notice:
        """Return what is told when a run waits for room on the disk; *number* tells one time from another."""
        text = f"{self._project}: the disk is full; agents go on, and the run does when there is room"
        return _of_project(NoticeKind.STOPPED, f"disk:{number}", "Waiting: the disk is full", text)

    def _news(self) -> list[Event]:
        news = self._store.events.after(self._seq, types=TELLING)
        self._seq = news[-1].seq if news else self._seq
        return news

    def _is_new(self, notice: Notice) -> bool:
        if notice.key in self._said:
            return False
        self._said[notice.key] = self._clock.now()
        with self._store.transaction():
            self._events.record("notice.due", goal=notice.goal, kind=notice.kind, key=notice.key, title=notice.title)
        return True

    def _of_event(self, event: Event) -> Notice | None:
        if event.type == "run.paused":
            return self.of_pause(event.seq)
        if event.goal is None:
            return None
        goal = self._store.goals.get(event.goal)
        if event.type == "task.failed":
            return self._needs_you(goal, f"the task {event.data.get('title')} failed: {event.data.get('reason')}")
        if event.type == "replan.waiting":
            titles = event.data.get("titles")
            named = ", ".join(map(str, titles)) if isinstance(titles, list) else ""
            return self._needs_you(goal, f"its plan is to be changed ({event.data.get('reason')}): {named}")
        if goal.state is GoalState.COMPLETED:
            if goal.delivery is Delivery.WAITING:
                return self._needs_you(goal, f"it is done, and not in your branch: {goal.delivery_note}")
            asks = " A change of its plan waits for you." if goal.id in self._store.goals.asking() else ""
            return self._finished(goal, f"completed, {goal.verdict}.{asks} {goal.delivery_note}")
        if goal.state is not GoalState.FAILED:
            return None  # somebody took it up again meanwhile
        told = self._said.get(self._needs_key(goal.id))
        if told is None:
            return self._needs_you(goal, f"it failed: {goal.reason}")
        is_news = self._clock.now() - told > SAME_NEWS
        return self._finished(goal, f"it ended, failed: {goal.reason}") if is_news else None

    def _needs_key(self, goal: GoalId) -> str:
        """Return the key under which a person is told of the goal once until they have done something about it."""
        again = self._events.last(
            REMEMBERED, goal=goal, types=("task.retried", "review", "replan.applied", "replan.declined")
        )
        return f"needs_you:{goal}:{again[-1].seq if again else 0}"

    def _needs_you(self, goal: Goal, why: str) -> Notice:
        return _of_goal(NoticeKind.NEEDS_YOU, self._needs_key(goal.id), f"Needs you: {goal.title}", why, goal.id)

    def _finished(self, goal: Goal, how: str) -> Notice:
        ended = spelt(goal.ended_at) if goal.ended_at else "?"
        return _of_goal(NoticeKind.FINISHED, f"finished:{goal.id}:{ended}", f"Finished: {goal.title}", how, goal.id)

    def _of_hold(self, hold: Hold, all_held: bool, stopped_by: str) -> Notice | None:
        if hold.kind is HoldKind.LOGIN:
            key, title = f"login:{hold.provider}:{hold.since:%Y-%m-%d}", f"Needs you: {hold.provider} is not logged in"
            return _of_project(NoticeKind.NEEDS_YOU, key, title, f"{self._project}: {hold.reason}")
        if not all_held or hold.kind is not HoldKind.USAGE_LIMIT:
            return None  # other providers go on, or it is over in a moment
        key = f"limit:{hold.provider}:{spelt(hold.until) if hold.stated else format(hold.since, '%Y-%m-%d')}"
        then = "the run has ended: orchestrate run" if stopped_by == "limit" else "it goes on by itself"
        text = f"{self._project}: all work waits for {until_when(hold, self._clock.now())}; {then}"
        return _of_project(NoticeKind.STOPPED, key, f"Waiting: {hold.provider} has reached its usage limit", text)

    def _stopped(self, by: str) -> list[Notice]:
        left = len(self._store.goals.list(states=(GoalState.READY, GoalState.EXECUTING)))
        if not left:
            return []
        text = f"{self._project}: the {by} is reached, {left} goal{'s are' if left > 1 else ' is'} not finished"
        key = f"stopped:{by}:{self._began.isoformat()}"  # not to the second: a run that may start nothing is quick
        return [_of_project(NoticeKind.STOPPED, key, f"Stopped: the {by} is reached", text)]

    def _stuck(self, quiet: Quiet) -> Notice:
        text = f"{self._project}: nothing has moved for {quiet.seconds / 60:.0f} minutes, and nothing says why"
        return _of_project(NoticeKind.STUCK, f"stuck:{quiet.since}", "Stuck: no work goes on", text)


def _of_goal(kind: NoticeKind, key: str, title: str, text: str, goal: GoalId) -> Notice:
    command = f"orchestrate report {goal}"
    return Notice(kind=kind, key=key, title=_short(title), text=_short(text), command=command, goal=goal)


def _of_project(kind: NoticeKind, key: str, title: str, text: str) -> Notice:
    return Notice(kind=kind, key=key, title=_short(title), text=_short(text), command="orchestrate status")


def _short(text: str) -> str:
    words = " ".join(clean(text).split())
    return words if len(words) <= TEXT_LIMIT else words[: TEXT_LIMIT - 1].rstrip() + "…"
