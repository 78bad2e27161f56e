"""Who lands first where several change the same files: the task that had to give way before.

Agents that work side by side and change the same lines land one after the other; each that lands makes the others
conflict. A task that is done again on top of what landed would conflict again whenever another one is quicker, and its
agents would be paid for nothing until a person has to look. So while it is being done again, work on the same files
waits for it. Nothing of this is written down: after a crash everything lands in the order in which it is found.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from agent_orchestrator.domain.attempt import Attempt, Outcome
from agent_orchestrator.domain.ids import GoalId, TaskId


@dataclass(frozen=True, slots=True)
class _Waiting:
    attempt: Attempt
    files: frozenset[str]
    go_on: Callable[[], None]


@dataclass(slots=True, kw_only=True)
class RightOfWay:
    """Remembers whose work conflicted, and keeps back what would make it conflict again. Any thread may ask."""

    is_coming: Callable[[TaskId], bool]
    """Whether a task is being done again, or will be in a moment: else nobody waits for it."""
    _first: dict[TaskId, tuple[GoalId, frozenset[str]]] = field(default_factory=dict, init=False)
    """Tasks that conflicted and the files they change, the one that conflicted first in front."""
    _waiting: list[_Waiting] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def settled(self, attempt: Attempt, outcome: Outcome, files: Collection[str] = ()) -> None:
        """Take note how *attempt*, which changed *files*, ended: a conflict gives its task the right of way, once.

        A second conflict keeps the task's place. Whatever else it comes to, its turn is over.
        """
        with self._lock:
            if outcome is Outcome.CONFLICT:
                self._first[attempt.task] = (attempt.goal, frozenset(files))
            else:
                self._first.pop(attempt.task, None)

    def wait(self, attempt: Attempt, files: Collection[str], go_on: Callable[[], None]) -> TaskId | None:
        """Keep *go_on* until nothing is before *attempt*, which changed *files*; return whom it waits for.

        None: it may land now, and *go_on* was not kept.
        """
        with self._lock:
            waiting = _Waiting(attempt, frozenset(files), go_on)
            ahead = self._ahead_of(waiting)
            if ahead is not None:
                self._waiting.append(waiting)
            return ahead

    def release(self, *, everyone: bool = False) -> None:
        """Let go on what nobody is before any more; with *everyone*, all that waits."""
        if not self._waiting:
            return
        with self._lock:
            free = [one for one in self._waiting if everyone or self._ahead_of(one) is None]
            self._waiting = [one for one in self._waiting if one not in free]
        for one in free:
            one.go_on()

    def _ahead_of(self, waiting: _Waiting) -> TaskId | None:
        for task, (goal, files) in self._first.items():
            if task == waiting.attempt.task:
                return None  # those that conflicted go in the order in which they did, or each would wait for the other
            if goal == waiting.attempt.goal and files & waiting.files and self.is_coming(task):
                return task
        return None
