"""How a saved plan is to be queued, beside what stands in it."""

from typing import Any, NamedTuple


class Wishes(NamedTuple):
    """What somebody said once, with the plan or when it is queued. What is left out is as for any goal."""

    priority: int | None = None
    """0 to 100, low numbers first; for tasks without a priority of their own."""
    budget: str | None = None
    """Ceiling on what the goal may use, as ``submit --budget`` takes it."""
    verify: str | None = None
    """Shell command that checks each task that names none."""
    context: str = ""
    """Words for every agent, beside its task."""

    def over(self, earlier: "Wishes") -> "Wishes":
        """Return these where they are said, else the *earlier* ones."""
        return Wishes(
            priority=earlier.priority if self.priority is None else self.priority,
            budget=self.budget or earlier.budget,
            verify=self.verify or earlier.verify,
            context=self.context or earlier.context,
        )

    def as_json(self) -> dict[str, Any]:
        """Return them as they are stored and told to programs."""
        return self._asdict()


def wishes_from_json(data: object) -> Wishes:
    """Return what :meth:`Wishes.as_json` wrote; a plan saved without any has none."""
    return Wishes(**data) if isinstance(data, dict) else Wishes()
