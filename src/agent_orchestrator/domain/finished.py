"""What a finished task took: what the next plan's forecast is made of."""

from typing import NamedTuple

from agent_orchestrator.domain.task import Size, Tier


class Finished(NamedTuple):
    """One task that is done, over all its attempts."""

    size: Size
    tier: Tier
    specialist: str
    provider: str
    """Whose work was landed."""
    seconds: float
    """From each attempt's start to its end, checks and landing included, added up; pauses between them are not."""
    cost_micro_usd: int | None = None
    """Over all attempts. None when none was reported, which is not the same as free."""
