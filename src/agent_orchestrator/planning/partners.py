"""Whom a planning session works with: the door it speaks through, the keeper it remembers by, the models it asks."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.decomposer import Complete


class Stopped(Exception):
    """A person broke a question off. What they were at is not done; everything before it is."""


class Door(Protocol):
    """How a session speaks with a person."""

    def say(self, lines: Sequence[str]) -> None:
        """Show *lines*."""
        ...

    def ask(self, question: str, *, default: str = "") -> str:
        """Return an answer, *default* for an empty one. Raises Stopped when it is broken off, EOFError at the end."""
        ...

    def edit(self, text: str, suffix: str) -> str:
        """Return *text* as an editor leaves it. Raises BadInput when the editor fails: then nothing was edited."""
        ...

    def busy(self, what: str) -> AbstractContextManager[None]:
        """Say for as long as it lasts that something is waited for."""
        ...

    def show(self, what: str, argument: str) -> None:
        """Show a view: ``plan`` (all of it), ``task``, ``graph``, ``forecast``, ``expected`` (in short), ``help``."""
        ...


class Keeper(Protocol):
    """How a session remembers."""

    @property
    def name(self) -> str:
        """What the plan is called."""
        ...

    def change(self, plan: Plan, *, after: int, what: str, kind: str) -> int:
        """Remember a version and return its number. Raises RefusedByState when version *after* is not the newest."""
        ...

    def newest(self) -> "tuple[int, str | None, list[tuple[str, str, Plan]]]":
        """Return the newest version, what is approved, and kind, words and plan of every version, the first first."""
        ...

    def approve(self, fingerprint: str) -> None:
        """Write down that the plan is agreed to. Raises RefusedByState when it is another by now."""
        ...

    def rename(self, name: str) -> None:
        """Give the plan a name."""
        ...

    def say(self, who: str, text: str) -> None:
        """Remember what was said."""
        ...

    def said(self) -> list[tuple[str, str]]:
        """Return who said what."""
        ...

    def export(self, file: str, text: str) -> None:
        """Write *text* to *file*. Raises BadInput when it cannot be written, or something else stands there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Whom a session can talk with."""

    name: str
    complete: Complete
