"""What is remembered: the contract of a store.

The store is the one truth. A submit, a completion and an approval are durable
before they are acknowledged. Every change happens inside
:meth:`Store.transaction`; reads outside one see the latest committed state.
What is promised of each noun is in ``rows.py`` and ``plan_rows.py``; one suite,
``tests/stores/test_contract.py``, is the rest of this contract and runs against
every implementation.

It names every noun and imports none: a command that looks at tasks does not pay
for messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from agent_orchestrator.domain.ids import GoalId, Token
    from agent_orchestrator.stores.plan_rows import PlanRows, ReplanRows
    from agent_orchestrator.stores.rows import (
        AgentRows,
        AttemptRows,
        BudgetRows,
        ContextRows,
        EventRows,
        GoalRows,
        HoldRows,
        LeadershipRow,
        MessageRows,
        TaskRows,
    )


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
    """What it was started with, for display: provider, until, budget; once it has ended also what it was stopped by."""


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
