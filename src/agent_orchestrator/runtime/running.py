"""One run from beginning to end, as every door leads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import NothingToDo
from agent_orchestrator.domain.goal import Delivery, Goal, GoalState
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.runtime.run_options import Outlook, RunOptions
from agent_orchestrator.services.goals import Goals


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a run ended."""

    goals: tuple[Goal, ...]
    """What it was about: open when it began, or added while it ran."""
    stopped_by: str
    """``user``, ``deadline``, ``budget``, ``limit`` or empty."""
    asking: Mapping[GoalId, int] = field(default_factory=dict)
    """How many changes of their plans wait for a person, of goals of which any does."""

    @property
    def ok(self) -> bool:
        """True when all is completed, delivered where there was a branch to deliver to, and no plan asks anybody.

        A result that could not be taken into its branch needs a person; on a detached HEAD there was no such branch.
        """
        return not self.asking and all(
            goal.state is GoalState.COMPLETED
            and not (goal.delivery is Delivery.WAITING and goal.base_branch is not None)
            for goal in self.goals
        )


def goals_of_run(goals: Goals, only: GoalId | None) -> list[Goal]:
    """Return the goals a run would work on. Raises NothingToDo when *only* is over already."""
    found = goals.open(only)
    if only is not None and not found:
        state = goals.resolve(only).state
        raise NothingToDo(f"goal {only} is {state}", hint=f"orchestrate report {only}")
    return found


def lead(goals: Goals, clock: Clock, options: RunOptions, run: Callable[[], Outlook]) -> Ran:
    """Lead the project until its work is done by calling *run*, and say how it ended.

    Raises:
        AlreadyRunning: another supervisor does.
    """
    began = clock.now()
    before = [goal.id for goal in goals_of_run(goals, options.goal)]
    outlook = run()
    added = [one.id for one in goals.recent() if one.created_at and one.created_at >= began]
    ids = before + [id for id in reversed(added) if id not in before and options.goal is None]
    asking = {id: count for id, count in goals.asking().items() if id in ids}
    return Ran(goals=tuple(goals.resolve(id) for id in ids), stopped_by=outlook.stopped_by, asking=asking)
