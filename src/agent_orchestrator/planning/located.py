"""Where the values of a plan's file stand, so that an error can name its line."""

from agent_orchestrator.domain.errors import InvalidPlan

Places = dict[str, int]
"""Where each value stands: a place such as ``tasks[2].owns`` to its line, counted from 1."""


class Located(InvalidPlan):
    """An error whose message names its line already."""
