"""Remember what checks showed of which tree: passes to rely on, bases that failed before, tests that are flaky.

One small file that any number of threads and processes share. Its loss costs time and nothing else.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.clock import Clock, to_ms

KEPT_MS = 24 * 3600 * 1000
"""A day: what a check depends on besides tree and environment, such as installed tools, changes between nights."""
FLAKY_KEPT_MS = 30 * 24 * 3600 * 1000
KEPT_RECORDS, KEPT_FLAKY = 100, 1_000

_FORMAT = 1
"""Of a stored record. Raise it with every change to `Look` or `Record`: older ones are then not found."""
_KINDS = ("records", "flaky", "filled")


class End(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    NOT_RUNNABLE = "not_runnable"
    NO_TESTS = "no_tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What running the command on one tree showed."""

    end: End
    exit_code: int | None
    duration_ms: int
    tail: str
    names: tuple[str, ...] | None = None
    """The failing tests. None when nothing failed, and when the output does not tell."""
    cut_short: str = ""
    """Why more tests may fail than are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All looks at one tree, and the latest that failed, or else the latest."""

    look: Look
    passes: int
    fails: int
    names: tuple[str, ...] | None
    """Every test that failed in any look. None when a failing look did not tell."""
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMemory:
    """What is known, by tree, command and environment."""

    clock: Clock
    folder: Path
    """Holds ``known.json`` and its lock."""
    environment: Mapping[str, str]
    """Part of what a result is kept by."""

    def _key(self, command: str, tree: str) -> str:
        environment = sorted(self.environment.items())
        return hashlib.sha256(json.dumps([_FORMAT, tree, command, environment]).encode()).hexdigest()

    def known(self, command: str, tree: str) -> Record | None:
        """Return what *command* showed on *tree* within the last day, None if nothing is known."""
        with self._content() as memory:
            stored = memory["records"].get(self._key(command, tree))
        if stored is None or stored["at_ms"] < to_ms(self.clock.now()) - KEPT_MS:
            return None
        look = stored.pop("look")
        return Record(
            **{**stored, "names": _tuple(stored["names"])},
            look=Look(**{**look, "end": End(look["end"]), "names": _tuple(look["names"])}),
        )

    def flaky(self) -> set[str]:
        """Return the tests that once both failed and passed on one same tree, whoever made that tree."""
        since = to_ms(self.clock.now()) - FLAKY_KEPT_MS
        with self._content() as memory:
            return {name for name, at_ms in memory["flaky"].items() if at_ms >= since}

    def keep(self, command: str, tree: str, look: Look) -> None:
        """Add a look at *tree*. Never one that did not end by itself: it may end the next time."""
        earlier = self.known(command, tree)
        now_ms = to_ms(self.clock.now())
        with self._content() as memory:
            records, flaky = memory["records"], memory["flaky"]
            records[self._key(command, tree)] = asdict(record(look, earlier, now_ms))
            for name in _differing(earlier, look):
                flaky[name] = now_ms
            memory["records"] = dict(sorted(records.items(), key=lambda item: item[1]["at_ms"])[-KEPT_RECORDS:])
            memory["flaky"] = dict(sorted(flaky.items(), key=lambda item: item[1])[-KEPT_FLAKY:])

    def filled(self, command: str, tree: str) -> int:
        """Return how often within the last day *command* filled the disk on *tree*."""
        with self._content() as memory:
            times: list[int] = memory["filled"].get(self._key(command, tree), [])
        return sum(at_ms >= to_ms(self.clock.now()) - KEPT_MS for at_ms in times)

    def note_filled(self, command: str, tree: str) -> None:
        """Remember that *command* filled the disk on *tree*: what it left was removed, and there was room."""
        now_ms = to_ms(self.clock.now())
        with self._content() as memory:
            key, since = self._key(command, tree), now_ms - KEPT_MS
            before = {name: [at_ms for at_ms in times if at_ms >= since] for name, times in memory["filled"].items()}
            memory["filled"] = {
                **{name: times for name, times in before.items() if times},
                key: [*before.get(key, []), now_ms],
            }

    @contextmanager
    def _content(self) -> Iterator[dict[str, Any]]:
        """Give what is known to the block, which may change it and has it alone; what it changed is written afterwards.

        A file that cannot be understood counts as empty.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / "known.json"
        lock = os.open(self.folder / "known.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # held for some file reads, never while a check runs
            text = path.read_bytes() if path.exists() else b""
            memory = _parsed(text)
            yield memory
            new = json.dumps(memory).encode()
            if new != text:
                partial = path.with_suffix(".partial")
                partial.write_bytes(new)
                partial.replace(path)
        finally:
            os.close(lock)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        memory = json.loads(text)
    except ValueError:
        memory = {}
    if not isinstance(memory, dict) or not all(isinstance(memory.get(name, {}), dict) for name in _KINDS):
        memory = {}
    return {**{name: {} for name in _KINDS}, **memory}


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def record(look: Look, earlier: Record | None, at_ms: int) -> Record:
    """Return *earlier* with one more look."""
    failed = look.end is not End.PASSED
    if earlier is None:
        return Record(look=look, passes=int(not failed), fails=int(failed), names=look.names, at_ms=at_ms)
    names = earlier.names
    if failed:
        told = look.names is not None and (earlier.names is not None or not earlier.fails)
        names = tuple(sorted({*(earlier.names or ()), *(look.names or ())})) if told else None
    return Record(
        look=look if failed or not earlier.fails else earlier.look,
        passes=earlier.passes + (not failed),
        fails=earlier.fails + failed,
        names=names,
        at_ms=at_ms,
    )


def _differing(earlier: Record | None, look: Look) -> set[str]:
    """Return the tests that failed in one look at a tree and not in another that reached them."""
    if earlier is None:
        return set()
    before, now = set(earlier.names or ()), set(look.names or ())
    passed = look.end is End.PASSED
    differing = before - now if passed or (look.names is not None and not look.cut_short) else set()
    reached = earlier.passes > 0 or (earlier.names is not None and not earlier.look.cut_short)
    return differing | (now - before if reached else set())
