"""What is remembered: the contract of a store.

The store is the one truth. A submit, a completion and an approval are durable
before they are acknowledged. Every change happens inside
:meth:`Store.transaction`; reads outside one see the latest committed state.
One suite, ``tests/stores/test_contract.py``, is the rest of this contract and
runs against every implementation.

It names every noun and imports none: a command that looks at tasks does not pay
for messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
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
    from agent_orchestrator.domain.replan import Replan, State
    from agent_orchestrator.domain.task import Task, TaskState
    from agent_orchestrator.domain.usage import Usage


class Leadership(NamedTuple):
    """Who serves this project: the latest supervisor and what it was told."""

    term: int
    """Increases with every supervisor; a write of an earlier term is refused."""
    pid: int
    started_at: datetime
    seen_at: datetime
    max_agents: int
    ended_at: datetime | None = None
    stop_wished: int = 0
    """0 go on, 1 wind down and save, 2 stop at once."""
    options: Mapping[str, object] | None = None
    """What it was started with, for display: provider, until, budget."""


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
        """Return how long agents and planners were at work, added up, in seconds; agents at work now until *now*."""
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


class PlanRow(NamedTuple):
    """A saved plan as it is now."""

    state: str
    """``planning``, ``approved``, ``executed`` or ``rejected``."""
    document: Mapping[str, object]
    goal: GoalId | None
    """The goal it became."""
    version: int = 1
    approved: str | None = None
    """The fingerprint of what was approved. None when nothing is."""


class PlanVersionRow(NamedTuple):
    """One version of a plan, as it was saved."""

    version: int
    kind: str
    """``edit``, ``undo`` or ``redo``."""
    what: str
    """What was done, in words."""
    document: Mapping[str, object]
    at: datetime
    who: str = ""
    """Who made it, of a plan that was worked on already: ``user``, or the key of a task."""
    why: str = ""


class PlanRows(Protocol):
    """Plans, one version after another; a planning session is a plan being edited."""

    def add(self, id: str, document: Mapping[str, object], *, goal_text: str, now: datetime) -> None:
        """Remember a new plan as its JSON document, version 1, in state ``planning``."""
        ...

    def get(self, id: str) -> PlanRow:
        """Return the plan. Raises NotFound."""
        ...

    def add_version(
        self,
        id: str,
        document: Mapping[str, object],
        *,
        after: int,
        kind: str,
        what: str,
        goal_text: str,
        now: datetime,
    ) -> bool:
        """Remember the version after version *after*, not approved, or return False when that is not the newest."""
        ...

    def versions(self, id: str) -> list[PlanVersionRow]:
        """Return every version, the first first."""
        ...

    def of_goal(self, goal: GoalId) -> str | None:
        """Return the id of the plan that became *goal*, or None."""
        ...

    def add_running_version(
        self, id: str, document: Mapping[str, object], *, after: int, what: str, who: str, why: str, now: datetime
    ) -> bool:
        """Remember the version after version *after* of a plan that is worked on; False when that is not the newest."""
        ...

    def approve(self, id: str, fingerprint: str, *, now: datetime) -> None:
        """Move the plan to ``approved``, as what it is now."""
        ...

    def rename(self, id: str, name: str) -> None:
        """Give the plan the id *name*, which no plan has, its versions and talk with it."""
        ...

    def say(self, id: str, who: str, text: str, *, now: datetime) -> None:
        """Remember that something was said about the plan."""
        ...

    def said(self, id: str, limit: int) -> list[tuple[str, str]]:
        """Return who said what about the plan, the last *limit* of it, oldest first."""
        ...

    def set_state(self, id: str, state: str, *, goal: GoalId | None, now: datetime) -> None:
        """Move the plan to ``approved``, ``executed`` or ``rejected``."""
        ...

    def find(self, text: str) -> list[str]:
        """Return ids that start with *text*."""
        ...

    def list(self, limit: int = 100) -> list[tuple[str, str, str, datetime]]:
        """Return id, state, goal text and time of change, newest first."""
        ...


class ReplanRows(Protocol):
    """Wished changes of plans that are worked on, and the tasks that came of them."""

    def put(self, replan: Replan) -> int:
        """Remember a wished change; it replaces an undecided one of its kind and task. Return its number."""
        ...

    def get(self, id: int) -> Replan:
        """Return the wished change. Raises NotFound."""
        ...

    def move(
        self,
        id: int,
        state: State,
        *,
        was: State,
        now: datetime,
        reason: str = "",
        by: str = "",
        tasks: Sequence[Mapping[str, object]] | None = None,
        why: str | None = None,
    ) -> bool:
        """Move it from *was* to *state*, with *tasks* and *why* when given; say whether it was still there."""
        ...

    def due(self, goal: GoalId | None = None) -> list[Replan]:
        """Return what the supervisor is to decide on, the oldest first."""
        ...

    def waiting(self, goal: GoalId | None = None) -> list[Replan]:
        """Return what waits for a person, the oldest first."""
        ...

    def of_task(self, task: TaskId) -> list[Replan]:
        """Return all that was ever wished by or for the task, the oldest first."""
        ...

    def add_origins(self, goal: GoalId, tasks: Sequence[TaskId], *, parent: TaskId, depth: int, unasked: bool) -> None:
        """Remember from which task new ones came, at which depth, and whether nobody was asked."""
        ...

    def depth(self, task: TaskId) -> int:
        """Return how far the task is from the plan that a person saw: 0 for one of that plan."""
        ...

    def unasked(self, goal: GoalId) -> int:
        """Return how many tasks were added to the goal without asking anybody."""
        ...

    def parents(self, goal: GoalId) -> dict[TaskId, TaskId]:
        """Return for each task that was added to the goal the one that it came from."""
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

    def end(self, term: int, *, now: datetime) -> None:
        """Mark the term as ended, if it is still the latest."""
        ...


class Store(Protocol):
    """Everything that is remembered of one project."""

    @property
    def goals(self) -> GoalRows:
        """Goals."""
        ...

    @property
    def tasks(self) -> TaskRows:
        """Tasks and the queue."""
        ...

    @property
    def attempts(self) -> AttemptRows:
        """Attempts and their evidence."""
        ...

    @property
    def agents(self) -> AgentRows:
        """Agents."""
        ...

    @property
    def events(self) -> EventRows:
        """The log."""
        ...

    @property
    def holds(self) -> HoldRows:
        """Providers that wait."""
        ...

    @property
    def messages(self) -> MessageRows:
        """Messages."""
        ...

    @property
    def context(self) -> ContextRows:
        """What agents share."""
        ...

    @property
    def plans(self) -> PlanRows:
        """Plans."""
        ...

    @property
    def replans(self) -> ReplanRows:
        """Wished changes of plans that are worked on."""
        ...

    @property
    def budgets(self) -> BudgetRows:
        """Ceilings on spend."""
        ...

    @property
    def leadership(self) -> LeadershipRow:
        """The supervisor's terms."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Make everything inside one atomic, durable change.

        Nested uses join the outermost. An exception undoes everything.

        Raises:
            StoreUnusable: the disk is full, the file is read-only or broken, or another program kept it locked.
        """
        ...

    def draw_token(self) -> Token:
        """Return the next fencing token. Only inside a transaction."""
        ...

    def damage(self) -> list[str]:
        """Look the whole store over and return what is wrong with it, in its own words; empty when it is sound."""
        ...

    def close(self) -> None:
        """Close this thread's connection."""
        ...
