"""What a task may take, learned from what the tasks before it took and held back by what is assumed of any.

Every figure is looked at as a multiple of what is assumed for a task of its size, in logarithms: twice as long is as
far from the assumption as half as long. What the project, a size, a tier, a specialist and a provider each add is
estimated together, each drawn towards "adds nothing" (a ridge regression, which is a normal prior on every effect). And
no task counts as farther off than the number of its like makes believable. So three finished tasks move a forecast a
little and two hundred decide it, whatever the three were. What is not known yet stays uncertain in what
is drawn, and all tasks of one draw share it: a project that is slower than assumed is slower in all of its tasks.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

PROJECT_SPREAD = 0.5
"""How far a project may lie from what is assumed of any, one standard deviation: a factor of 1.6, either way."""
KIND_SPREAD = 0.25
"""How far a size, a tier, a specialist or a provider may lie from the rest of its project: a factor of 1.3."""
TASK_SPREAD = 0.6
"""How far one task lies from others of its kind, before any was seen: a factor of 1.8, either way."""
TASK_SPREAD_WEIGHT = 6
"""Finished tasks that it takes until the spread that was seen counts as much as the one assumed."""

FAR_OFF = 1.5
"""Standard deviations from the assumption beyond which one task counts as one that lies just so far off."""
BELIEVED_TASKS = 20
"""Finished tasks of a size that let one count as twice as far off. A toy that took three seconds, or an attempt that
slept through the night, says little of its project; sixty of a second each do."""

Traits = tuple[tuple[str, str], ...]
"""What kind of task it is, such as ``(("size", "M"), ("specialist", "qa-test-engineer"))``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """How many times what is assumed tasks are expected to take, as logarithms that add up trait by trait."""

    traits: tuple[tuple[str, str], ...]
    """Every trait that an effect was estimated for. The first effect is the project's, which every task shares."""
    effects: tuple[float, ...]
    """The project's, then one for each trait."""
    root: tuple[tuple[float, ...], ...]
    """Lower triangular root of the effects' precision: how well each is known, and how they hang together."""
    spread: float
    """Standard deviation of one task around its kind."""

    def drawn(self, normals: Sequence[float]) -> "Drawn":
        """Return one way in which the effects may lie in truth, made of as many standard *normals* as effects."""
        shifts = _solved_upward(self.root, normals)
        effects = [effect + shift for effect, shift in zip(self.effects, shifts, strict=True)]
        return Drawn(dict(zip(self.traits, effects[1:], strict=True)), effects[0])

    def typical(self, traits: Traits) -> float:
        """Return what is expected of a task of these *traits*: half of such tasks take more."""
        return Drawn(dict(zip(self.traits, self.effects[1:], strict=True)), self.effects[0]).of(traits)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The effect of each trait: as estimated, or as it may be in truth."""

    by_trait: dict[tuple[str, str], float]
    project: float

    def of(self, traits: Traits) -> float:
        """Return how many times what is assumed a task of these *traits* takes, as a logarithm."""
        return self.project + sum(self.by_trait[trait] for trait in traits)


def expected(
    seen: Sequence[tuple[Traits, float]], wanted: Iterable[Traits], *, project_spread: float = PROJECT_SPREAD
) -> Expectation:
    """Return what to expect of tasks of the *wanted* traits, from what was *seen*: traits and multiple (logarithm).

    *project_spread* is wide where the assumption is worth little. Pure: the same figures give the same expectation.
    """
    traits = tuple(sorted({trait for told in (*(one for one, _ in seen), *wanted) for trait in told}))
    column = {trait: at for at, trait in enumerate(traits, start=1)}
    rows = [((0, *(column[trait] for trait in told)), value) for told, value in _held_back(seen, project_spread)]
    size = len(traits) + 1
    together = [[0.0] * size for _ in range(size)]
    towards = [0.0] * size
    for places, value in rows:
        for one in places:
            towards[one] += value
            for other in places:
                together[one][other] += 1
    if rows:  # a project that lies far off is no reason to think its tasks scatter: then the assumption was wrong
        middle = sum(value for _, value in rows) / len(rows)
        believed = len(rows) / (len(rows) + BELIEVED_TASKS)
        project_spread = sqrt(project_spread**2 + believed * max(0.0, middle**2 - project_spread**2) / 2)
    spread = TASK_SPREAD
    for _ in range(3):  # how far tasks scatter and what the effects are decide each other; more rounds change nothing
        precision = 1 / spread**2
        matrix = [[precision * entry for entry in row] for row in together]
        for at in range(size):
            matrix[at][at] += 1 / (KIND_SPREAD if at else project_spread) ** 2
        root = _root(matrix)
        effects = _solved_upward(root, _solved_downward(root, [precision * entry for entry in towards]))
        missed = sum((value - sum(effects[at] for at in places)) ** 2 for places, value in rows)
        used = sum(1 for at in range(size) if together[at][at] * precision > matrix[at][at] / 2) if rows else 0
        freedom = max(1.0, len(rows) - used) if rows else 0.0
        seen_weight = missed * len(rows) / freedom if rows else 0.0
        spread = sqrt((TASK_SPREAD_WEIGHT * TASK_SPREAD**2 + seen_weight) / (TASK_SPREAD_WEIGHT + len(rows)))
    return Expectation(traits=traits, effects=tuple(effects), root=tuple(map(tuple, root)), spread=spread)


def _held_back(seen: Sequence[tuple[Traits, float]], project_spread: float) -> list[tuple[Traits, float]]:
    """Return what was *seen* with nothing farther off than the number of tasks of its size makes believable."""
    sizes = Counter(_size(told) for told, _ in seen)
    far = FAR_OFF * sqrt(project_spread**2 + TASK_SPREAD**2)
    limits = {size: far * (1 + count / BELIEVED_TASKS) for size, count in sizes.items()}
    return [(told, max(-limits[_size(told)], min(limits[_size(told)], value))) for told, value in seen]


def _size(told: Traits) -> str:
    return next((value for name, value in told if name == "size"), "")


def _root(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the lower triangular matrix whose product with its transpose is *matrix* (Cholesky)."""
    size = len(matrix)
    root = [[0.0] * size for _ in range(size)]
    for row in range(size):
        for column in range(row + 1):
            left = matrix[row][column] - sum(root[row][at] * root[column][at] for at in range(column))
            root[row][column] = sqrt(left) if row == column else left / root[column][column]
    return root


def _solved_downward(root: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Solve root · x = values."""
    found: list[float] = []
    for row, value in enumerate(values):
        found.append((value - sum(root[row][at] * found[at] for at in range(row))) / root[row][row])
    return found


def _solved_upward(root: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Solve transpose(root) · x = values."""
    size = len(values)
    found = [0.0] * size
    for row in range(size - 1, -1, -1):
        left = values[row] - sum(root[at][row] * found[at] for at in range(row + 1, size))
        found[row] = left / root[row][row]
    return found
