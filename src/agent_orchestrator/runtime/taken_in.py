"""Noticing that the user took a result into their branch themselves, as the report asked them to.

It is looked for whenever somebody looks at goals whose result waits, and only
then: git is asked once for each of them, and not at all where none waits.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.goal import Delivery, Goal
from agent_orchestrator.services.goals import Goals
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import Delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """Goals whose result waits, compared with the user's branches."""

    store: Store
    goals: Goals
    look: Callable[[Goal, Sequence[str]], Delivered | None]
    """Says how the user's branch came to contain a goal's result, given its landed commits; None when it does not."""

    def notice(self) -> None:
        """Write down as delivered what is in the user's branch by now.

        Looking must work where git does not, or where nothing can be written: then all stays as it is.
        """
        for goal in self.store.goals.undelivered():
            with suppress(OrchestratorError):
                landed = [task.commit for task in self.store.tasks.of_goal(goal.id) if task.commit]
                found = self.look(goal, landed)
                if found is not None:
                    self._write(goal, found)

    def _write(self, goal: Goal, found: Delivered) -> None:
        with self.store.transaction():
            if self.store.goals.get(goal.id).delivery is not Delivery.WAITING:
                return
            self.goals.taken_in(
                goal._replace(
                    delivery=Delivery.DELIVERED,
                    delivery_note=found.note,
                    delivered_from=found.moved_from,
                    delivered_to=found.moved_to,
                )
            )
