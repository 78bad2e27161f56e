"""The contract of a store for plans: their versions, and the changes that are wished while they are worked on.

Only type checkers read this file; nothing imports it at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from agent_orchestrator.domain.ids import GoalId, TaskId
    from agent_orchestrator.domain.replan import Replan, State
    from agent_orchestrator.stores import PlanRow, PlanVersionRow


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

    def remove(self, id: str) -> None:
        """Forget the plan, its versions and its talk."""
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
