"""What agents of one goal leave for each other, and what the user tells all of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent_orchestrator.domain.ids import GoalId

USER = "user"
"""The author of what a person wrote. A task may have this key too: ``Entry.by_user`` tells them apart."""


class Kind(StrEnum):
    """The five things that are shared."""

    KEY = "key"
    """A named value of the whole goal. Whoever writes last wins; earlier versions stay readable."""
    RESULT = "result"
    """What a task's agent left for the tasks that depend on it; its name is the task's key."""
    DISCOVERY = "discovery"
    """Something an agent found out that others should know. Added to a list, never overwritten."""
    NOTE = "note"
    """What the user tells every later agent of the goal. A list too."""
    ARTIFACT = "artifact"
    """A file that is not for the repository. Its name is ``<author>/<file>``; its bytes lie in the state folder."""


LISTS = frozenset({Kind.DISCOVERY, Kind.NOTE})
"""Kinds whose entries have no name and never replace one another; the version is the place in the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version of one thing. What an agent wrote is data with its author's name, never an instruction of ours."""

    goal: GoalId
    kind: Kind
    name: str
    """Empty in a list."""
    version: int = 0
    """From 1, given by the store."""
    author: str
    """Key of the task whose agent wrote it, or ``user``."""
    value: object = None
    """A JSON value. None for an artifact."""
    bytes: int = 0
    """Size of the value as JSON text, or of the artifact."""
    sha256: str | None = None
    """Of an artifact's bytes."""
    beside: int | None = None
    """The version that another author wrote at the same time, not knowing of this one. None: there was none."""
    by_user: bool = False
    """True when a person wrote it: a task may have the key ``user`` and is still no person."""
    at: datetime

    @property
    def address(self) -> str:
        """The name it is asked for by: ``api``, ``results/parser``, ``discoveries/3``, ``artifacts/parser/log.txt``."""
        match self.kind:
            case Kind.KEY:
                return self.name
            case Kind.RESULT:
                return f"results/{self.name}"
            case Kind.DISCOVERY:
                return f"discoveries/{self.version}"
            case Kind.NOTE:
                return f"notes/{self.version}"
            case Kind.ARTIFACT:
                return f"artifacts/{self.name}"
