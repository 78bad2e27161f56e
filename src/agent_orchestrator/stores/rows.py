"""The contract of a store, noun by noun: what it promises of goals, tasks, attempts and the rest.

Only type checkers read this file; nothing imports it at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from agent_orchestrator.domain.agent import Agent
    from agent_orchestrator.domain.attempt import Attempt
    from agent_orchestrator.domain.budget import Budget
    from agent_orchestrator.domain.context import Entry, Kind
    from agent_orchestrator.domain.event import ChainCheck, Event, Head
    from agent_orchestrator.domain.evidence import Evidence
    from agent_orchestrator.domain.finished import Finished
    from agent_orchestrator.domain.goal import Goal, GoalState
    from agent_orchestrator.domain.hold import Hold, Pace
    from agent_orchestrator.domain.ids import AgentId, AttemptId, GoalId, TaskId, Token
    from agent_orchestrator.domain.message import Message
    from agent_orchestrator.domain.task import Task, TaskState
    from agent_orchestrator.domain.usage import Usage
    from agent_orchestrator.stores import Leadership


class GoalRows(Protocol):
    """Goals."""

    def add(self, goal: Goal) -> None:
        """Remember a new goal. Raises RefusedByState if its id is taken."""
        ...

    def get(self, id: GoalId) -> Goal:
        """Return the goal. Raises NotFound."""
        ...

    def save(self, goal: Goal, *, was: GoalState) -> None:
        """Write every field, if its state is still *was*. Raises RefusedByState otherwise."""
        ...

    def asking(self) -> dict[GoalId, int]:
        """Return for each goal of which a change of the plan waits for a person how many do."""
        ...

    def find(self, text: str) -> list[Goal]:
        """Return goals whose id starts with *text*."""
        ...

    def count(self, states: Iterable[GoalState]) -> int:
        """Return how many goals are in one of *states*."""
        ...

    def undelivered(self) -> list[Goal]:
        """Return the goals whose result waits for the user to take it in."""
        ...

    def list(self, *, states: Iterable[GoalState] | None = None, limit: int = 200, in_turn: bool = False) -> list[Goal]:
        """Return goals, newest first; *in_turn* in the order in which they are worked on: by ``goal_rank``."""
        ...


class TaskRows(Protocol):
    """Tasks, their dependencies, and the queue."""

    def add(self, tasks: Sequence[Task], needs: Mapping[TaskId, Sequence[TaskId]]) -> None:
        """Remember new tasks and what each needs. A need that is done already does not count as unmet."""
        ...

    def taken(self, ids: Sequence[TaskId]) -> set[TaskId]:
        """Return those of *ids* that name a task already."""
        ...

    def get(self, id: TaskId) -> Task:
        """Return the task. Raises NotFound."""
        ...

    def find(self, text: str) -> list[Task]:
        """Return tasks whose id starts with *text* or whose key is, or starts with, *text*."""
        ...

    def with_words(self, words: Sequence[str]) -> list[Task]:
        """Return tasks whose key has every one of *words* between its dashes, the newest 20, oldest first."""
        ...

    def of_goal(self, goal: GoalId) -> list[Task]:
        """Return the goal's tasks in the order they were added."""
        ...

    def in_states(self, states: Iterable[TaskState], *, goal: GoalId | None = None, limit: int = 1000) -> list[Task]:
        """Return tasks in any of *states*, in scheduling order."""
        ...

    def claim(
        self,
        by: AgentId,
        token: Token,
        *,
        goals: Sequence[GoalId] | None,
        providers: Sequence[str],
        now: datetime,
        only_theirs: bool = False,
    ) -> Task | None:
        """Lease the first ready task in scheduling order to *by*, or return None.

        One statement, atomic across processes: two callers never get one task. Only tasks that insist on no
        provider or on one of *providers*, with *only_theirs* only the latter; only of *goals* when given.
        """
        ...

    def save(self, task: Task, *, was: Task) -> None:
        """Write what differs from *was*, if state and token in the store are still those of *was*.

        Raises:
            StaleLease: somebody else moved or claimed it since.
        """
        ...

    def release_dependents(self, id: TaskId, *, now: datetime) -> list[TaskId]:
        """Count *id* as met for all that need it; return those that became ready."""
        ...

    def hold_dependents(self, id: TaskId, *, now: datetime) -> list[TaskId]:
        """Count *id* as unmet again for all that need it; return those that were ready and are blocked now."""
        ...

    def release_due(self, *, now: datetime) -> list[TaskId]:
        """Make ready every blocked task whose pause is over and that misses nothing else; return them."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the earliest pause ends, or None."""
        ...

    def needs(self, id: TaskId) -> list[TaskId]:
        """Return what *id* depends on."""
        ...

    def unmet_needs(self, ids: Sequence[TaskId]) -> dict[TaskId, list[tuple[str, TaskState]]]:
        """Return key and state of what each of *ids* depends on and is not done, as far as there is any."""
        ...

    def needed_by(self, id: TaskId) -> list[TaskId]:
        """Return what depends on *id*."""
        ...

    def edges(self, goal: GoalId) -> dict[TaskId, list[TaskId]]:
        """Return every dependency within *goal*: task to what it needs."""
        ...

    def set_needs(self, needs: Mapping[TaskId, Sequence[TaskId]], *, now: datetime) -> None:
        """Replace what each of some tasks needs, and count anew what it misses.

        One that misses nothing any more becomes ready, one that does and was ready becomes blocked.
        """
        ...

    def set_ranks(self, ranks: Mapping[TaskId, tuple[int, int]]) -> None:
        """Store phase and scheduling rank per task, after the plan changed."""
        ...

    def providers(self) -> set[str]:
        """Return the providers that tasks insist on from which work may still come."""
        ...

    def counts(self, goal: GoalId | None = None) -> dict[TaskState, int]:
        """Return how many tasks are in each state, from maintained totals: the cost does not grow with the queue."""
        ...


class AttemptRows(Protocol):
    """Attempts and their evidence."""

    def add(self, attempt: Attempt) -> None:
        """Remember a new attempt: the intent to start, before anything starts."""
        ...

    def get(self, id: AttemptId) -> Attempt:
        """Return the attempt. Raises NotFound."""
        ...

    def save(self, attempt: Attempt) -> None:
        """Write every field of an existing attempt but those it was born with: what it is at, by whom, and where."""
        ...

    def of_task(self, task: TaskId) -> list[Attempt]:
        """Return the task's attempts, oldest first."""
        ...

    def open(self) -> list[Attempt]:
        """Return the attempts that have no outcome yet."""
        ...

    def spent(self, *, goal: GoalId | None = None, task: TaskId | None = None, since: datetime | None = None) -> Usage:
        """Return the sum of what attempts used, and planners who were asked about their tasks."""
        ...

    def worked_s(
        self, *, now: datetime, goal: GoalId | None = None, task: TaskId | None = None, since: datetime | None = None
    ) -> int:
        """Return how long agents and planners were at work, added up, in seconds; agents at work now until *now*.

        What the machine slept meanwhile does not count.
        """
        ...

    def finished(self, limit: int) -> list[Finished]:
        """Return what tasks that are done took, the newest *limit* at most, the newest first; no demo's.

        The cost does not grow with the history: it looks at the newest attempts only.
        """
        ...

    def add_evidence(self, attempt: AttemptId, evidence: Evidence) -> None:
        """Remember what we saw of its work; replaces earlier evidence of the same attempt."""
        ...

    def evidence(self, attempt: AttemptId) -> Evidence | None:
        """Return what we saw of its work, or None."""
        ...


class AgentRows(Protocol):
    """Agents."""

    def add(self, agent: Agent) -> None:
        """Remember a new life of an agent."""
        ...

    def get(self, id: AgentId) -> Agent:
        """Return the agent. Raises NotFound."""
        ...

    def save(self, agent: Agent) -> None:
        """Write what changes in its life, except the wish to stop, which only :meth:`wish_stop` sets."""
        ...

    def wish_stop(self, id: AgentId) -> None:
        """Write down that somebody wants it stopped."""
        ...

    def find(self, text: str) -> list[Agent]:
        """Return agents whose id starts with *text*, living ones first."""
        ...

    def list(self, *, living: bool = True, limit: int = 200) -> list[Agent]:
        """Return agents, newest first."""
        ...


class EventRows(Protocol):
    """The append-only log."""

    def append(self, event: Event) -> int:
        """Write one event; return its position."""
        ...

    def after(
        self,
        seq: int = 0,
        *,
        goal: GoalId | None = None,
        task: TaskId | None = None,
        types: Sequence[str] = (),
        limit: int = 500,
    ) -> list[Event]:
        """Return events after position *seq*, oldest first; only of *types*, or of the kinds before their dot."""
        ...

    def last(
        self, count: int, *, goal: GoalId | None = None, task: TaskId | None = None, types: Sequence[str] = ()
    ) -> list[Event]:
        """Return the last *count* events, oldest first; narrowed as in ``after``."""
        ...

    def head(self) -> Head | None:
        """Return the last event's position and hash; None while there is none that is chained."""
        ...

    def check(self, heads: Sequence[Head] = ()) -> ChainCheck:
        """Follow the chain from its beginning, and hold it against *heads* that were written down elsewhere."""
        ...


class HoldRows(Protocol):
    """Providers that wait."""

    def put(self, hold: Hold) -> None:
        """Set the provider's hold; a later reset replaces an earlier one."""
        ...

    def drop(self, provider: str) -> bool:
        """Remove the provider's hold; say whether there was one."""
        ...

    def pace(self, provider: str) -> Pace | None:
        """Return how carefully the provider is to be used, or None: as if it had never refused."""
        ...

    def paces(self) -> list[Pace]:
        """Return every pace there is."""
        ...

    def set_pace(self, pace: Pace) -> None:
        """Set how carefully the provider is to be used."""
        ...

    def drop_pace(self, provider: str) -> None:
        """Forget that the provider ever refused."""
        ...

    def list(self) -> list[Hold]:
        """Return all holds, the earliest end first."""
        ...


class MessageRows(Protocol):
    """Messages."""

    def add(self, message: Message) -> int:
        """Remember a message; return its position."""
        ...

    def of_goal(self, goal: GoalId, *, task: TaskId | None = None, limit: int = 50) -> list[Message]:
        """Return the goal's newest messages, oldest first; with *task*, those about it or about no task."""
        ...


class ContextRows(Protocol):
    """What agents share, and the user's notes, in versions."""

    def add(self, entry: Entry, *, keep: int) -> int:
        """Remember one more version; return its number. Of a named thing the newest *keep* versions stay."""
        ...

    def newest(self, goal: GoalId, kind: Kind | None = None) -> list[Entry]:
        """Return the newest version of everything of the goal, in the order of writing; lists whole."""
        ...

    def versions(self, goal: GoalId, kind: Kind, name: str) -> list[Entry]:
        """Return every version of one thing that is kept, oldest first; of a list, with an empty *name*, all of it."""
        ...

    def totals(self, goal: GoalId, kind: Kind) -> tuple[int, int]:
        """Return how many things of a kind the goal has, and their bytes, newest versions only."""
        ...


class BudgetRows(Protocol):
    """Ceilings on spend."""

    def put(self, goal: GoalId, budget: Budget | None, each_task: Budget | None = None) -> None:
        """Set a goal's ceiling and that of each of its tasks."""
        ...

    def get(self, goal: GoalId) -> Budget | None:
        """Return a goal's ceiling, or None."""
        ...

    def of_each_task(self, goal: GoalId) -> Budget | None:
        """Return the ceiling of each of a goal's tasks, or None."""
        ...


class LeadershipRow(Protocol):
    """The supervisor's own row."""

    def begin(self, *, pid: int, max_agents: int, options: Mapping[str, object], now: datetime) -> Leadership:
        """Start a new term. The caller holds the project's file lock."""
        ...

    def get(self) -> Leadership | None:
        """Return the latest term, or None when there never was one."""
        ...

    def renew(self, term: int, *, now: datetime, max_agents: int | None = None) -> Leadership:
        """Write a sign of life; return the row with its wishes. Raises StaleLease when a later term has begun."""
        ...

    def wish(self, *, stop: int | None = None, max_agents: int | None = None) -> None:
        """Write down what somebody wants of the running supervisor."""
        ...

    def end(self, term: int, *, now: datetime, stopped_by: str = "") -> None:
        """Mark the term as ended, if it is still the latest; *stopped_by* goes to its options."""
        ...
