"""The view: files in which an agent reads what is shared and leaves what it wants to share.

Each task has a folder of its own, so that what lies there is its agent's and
nobody else's word. A view is made from the database, can be deleted at any time
and comes back. In it::

    goal.json  notes.json  discoveries.json  tasks/<key>.json      to read
    results/<key>.json     of what the task depends on; the task's own to write
    shared/<key>.json      to read and to write
    discoveries/<name>.md  to write, one finding each (.txt and .json too)
    more/<key>.json        to write, tasks that the goal needs besides
    artifacts/<name>       to write; artifacts/<task>/<name> of what the task depends on
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.context import Entry, Kind
from agent_orchestrator.domain.errors import BadInput, NotFound, NotReady, RefusedByState
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import GoalId, TaskId, slug
from agent_orchestrator.domain.task import HELD, Task
from agent_orchestrator.services.context_files import Folder, own_folder, value_of
from agent_orchestrator.services.entries import (
    ARTIFACT_LIMIT,
    ARTIFACTS_EACH,
    DISCOVERIES_EACH,
    DISCOVERY_LIMIT,
    KEYS_LIMIT,
    VALUE_LIMIT,
    Entries,
)
from agent_orchestrator.stores import Store

FORM = frozenset({"author", "version", "value", "also"})
"""What a file of ours in ``shared`` or ``results`` says."""
NAME_SHOWN = 60
"""Characters of a file's name that its author is told."""
FORM_ROOM = 4 * VALUE_LIMIT
"""Bytes of a shared file that are read: in our form it carries author, version and, after a conflict, both values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of the files that an agent left."""

    taken: tuple[str, ...] = ()
    """Addresses of what is new."""
    refused: tuple[str, ...] = ()
    """What was not taken in and why, in words for its author."""
    conflicts: tuple[str, ...] = ()
    """Keys that another agent wrote at the same time, in words for the author of the later version."""


@dataclass(frozen=True, slots=True)
class View:
    """The views of one project's tasks."""

    store: Store
    entries: Entries
    name: str
    """The project's name in the state directory, which no other project has: two folders may be called the same."""

    def path(self, task: Task) -> Path:
        """Return where *task*'s view is, or will be."""
        return self._top() / self.name / task.goal / task.id

    def write(self, goal: Goal, task: Task, briefing: Mapping[str, object]) -> Path:
        """Write all that *task*'s agent may read, and return the folder.

        Raises:
            NotReady: the place in the temporary directory belongs to somebody else, or cannot be written.
        """
        try:
            try:
                self._write(goal, task, briefing)
            except FileNotFoundError:  # the goal's folder went with its last view, or somebody deletes them: once more
                self._write(goal, task, briefing)
        except OSError as error:
            raise NotReady(
                f"cannot write the context view {self.path(task)}: {error.strerror or error}",
                hint="make room there or set TMPDIR to another folder",
            ) from error
        return self.path(task)

    def refresh(self, goal: GoalId) -> None:
        """Let the agents at work see what is new. Only a hint: what fails is seen with the next attempt.

        What an agent changed in its own view stays as it left it.
        """
        for task in self.store.tasks.in_states(HELD, goal=goal):
            with suppress(OSError, NotReady), self._open(task, make=False) as folder:
                self._write_shared(folder, goal, keep_changes=True)

    def drop(self, task: Task) -> None:
        """Take *task*'s view away, and the folders around it that are empty then: nobody will read it any more."""
        with suppress(OSError, NotReady), own_folder(self._top(), make=False) as top:
            with top.below(self.name, make=False) as project:
                with project.below(task.goal, make=False) as folder:
                    folder.remove(task.id)
                os.rmdir(task.goal, dir_fd=project.descriptor)
            os.rmdir(self.name, dir_fd=top.descriptor)

    def take_in(
        self, task: Task, *, since: datetime | None, report: Callable[[Task, object], object] | None = None
    ) -> TakenIn:
        """Read what *task*'s agent, at work *since* then, left in its view into the database.

        What it says of more work goes to *report*.
        """
        taking = _Taking(self, task, since, report)
        try:
            with self._open(task, make=False) as folder:
                for name in ("results", "shared", "discoveries", "artifacts", "more"):
                    with suppress(FileNotFoundError), folder.below(name, make=False) as part:
                        getattr(taking, name)(part)
        except FileNotFoundError:
            pass  # somebody deleted the view: nothing was left
        except (OSError, NotReady) as error:
            taking.refused.append(f"the view cannot be read: {error}")
        return TakenIn(taken=tuple(taking.taken), refused=tuple(taking.refused), conflicts=tuple(taking.conflicts))

    def document(self, entry: Entry) -> bytes:
        """Return the file that shows a key: author, version, value, and what was written at the same time."""
        shown: dict[str, object] = {"author": entry.author, "version": entry.version, "value": entry.value}
        if entry.beside is not None:
            others = [one for one in self.entries.versions(entry) if one.version == entry.beside]
            shown["also"] = [{"author": one.author, "version": one.version, "value": one.value} for one in others]
        return json.dumps(shown, ensure_ascii=False, indent=1).encode()

    def earlier(self, entry: Entry) -> set[bytes]:
        """Return the files that showed earlier versions of a key."""
        return {self.document(one) for one in self.entries.versions(entry)}

    def before(self, task: Task) -> set[TaskId]:
        """Return every task that *task* depends on, at any distance."""
        edges = self.store.tasks.edges(task.goal)
        found: set[TaskId] = set()
        waiting = [*edges.get(task.id, ())]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(edges.get(one, ()))
        return found

    def keys_before(self, task: Task) -> set[str]:
        """Return the keys of every task that *task* depends on, at any distance."""
        ids = self.before(task)
        return {one.key for one in self.store.tasks.of_goal(task.goal) if one.id in ids} if ids else set()

    def _write(self, goal: Goal, task: Task, briefing: Mapping[str, object]) -> None:
        with self._open(task) as folder:
            folder.write_json("goal.json", {"id": goal.id, "goal": goal.text, "title": goal.title, "demo": goal.demo})
            with folder.below("tasks") as part:
                part.write_json(result_file(task), briefing)
            for name in ("discoveries", "more"):
                with folder.below(name):
                    pass
            self._write_shared(folder, task.goal, keep_changes=False)
            self._write_from_before(folder, task)

    def _write_shared(self, folder: Folder, goal: GoalId, *, keep_changes: bool) -> None:
        """Write what every task of the goal sees."""
        with folder.below("shared") as part:
            for entry in self.entries.newest(goal, Kind.KEY):
                name, wanted = f"{entry.name}.json", self.document(entry)
                if not (keep_changes and self._stays(part, name, entry, wanted)):
                    part.write(name, wanted)
        for kind, name in ((Kind.DISCOVERY, "discoveries.json"), (Kind.NOTE, "notes.json")):
            listed = [
                {"author": one.author, "at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}", "text": one.value}
                for one in self.entries.newest(goal, kind)
            ]
            content = json.dumps(listed, ensure_ascii=False, indent=1).encode()
            if folder.size(name) != len(content):  # a list only grows
                folder.write(name, content)

    def _stays(self, part: Folder, name: str, entry: Entry, wanted: bytes) -> bool:
        """Say whether a key's file is as *wanted* already, or as the agent left it when it had changed the key."""
        if part.size(name) is None:
            return False
        try:
            there = part.read(name, FORM_ROOM)
        except (ValueError, OSError):
            return False
        return there == wanted or there not in self.earlier(entry)

    def _write_from_before(self, folder: Folder, task: Task) -> None:
        """Write results and artifacts of what the task depends on."""
        before = self.keys_before(task)
        with folder.below("results") as part:
            for entry in self.entries.newest(task.goal, Kind.RESULT):
                if entry.name in before and entry.name == slug(entry.name):
                    part.write(f"{entry.name}.json", self.document(entry))
        with folder.below("artifacts") as part:
            for entry in self.entries.newest(task.goal, Kind.ARTIFACT):
                author, _, name = entry.name.partition("/")
                if author not in before or author != slug(author):
                    continue
                with part.below(author) as theirs, suppress(NotFound):
                    if theirs.size(name) != entry.bytes:
                        theirs.write(name, self.entries.file(entry).read_bytes())

    @contextmanager
    def _open(self, task: Task, *, make: bool = True) -> Iterator[Folder]:
        with ExitStack() as stack:
            folder = stack.enter_context(own_folder(self._top(), make=make))
            for name in (self.name, task.goal, task.id):
                folder = stack.enter_context(folder.below(name, make=make))
            yield folder

    def _top(self) -> Path:
        return Path(tempfile.gettempdir()) / f"agent_orchestrator-{os.getuid()}"


def result_file(task: Task) -> str:
    """Return the name of *task*'s own file: its key if that is a plain one, as every plan's is, else its id."""
    return f"{task.key if task.key == slug(task.key) else task.id}.json"


class _Taking:
    """One round of taking in: what is new, what is refused, in which words."""

    def __init__(
        self,
        view: View,
        task: Task,
        since: datetime | None,
        report: Callable[[Task, object], object] | None,
    ) -> None:
        self._view, self._task, self._since, self._report = view, task, since, report
        self._entries = view.entries
        newest = self._entries.newest(task.goal)
        self._known = {(entry.address, entry.version) for entry in newest}
        self._keys = {entry.name: entry for entry in newest if entry.kind is Kind.KEY}
        self._before = view.keys_before(task)
        self.taken: list[str] = []
        self.refused: list[str] = []
        self.conflicts: list[str] = []

    def results(self, part: Folder) -> None:
        own, theirs = result_file(self._task), {f"{key}.json" for key in self._before}
        for name in self._names(part, len(theirs) + 10):
            if name == own:
                self._take(
                    part, name, VALUE_LIMIT, lambda it: self._entries.put_result(self._task, _plain(value_of(it)))
                )
            elif name not in theirs:
                self._refuse(part, name, f"only results/{own} is yours")

    def shared(self, part: Folder) -> None:
        seen: set[str] = set()
        for name in self._names(part, 2 * KEYS_LIMIT):
            key = name.removesuffix(".json").lower()
            if not name.endswith(".json"):
                self._refuse(part, name, "only files named <key>.json are read here")
            elif key in seen:
                self._refuse(part, name, f"{key} is there twice, in capitals and in small letters")
            else:
                seen.add(key)
                entry = self._take(part, name, FORM_ROOM, partial(self._set_key, key))
                if entry is not None and entry.beside is not None and self._is_new(entry):
                    self._tell_of(entry)

    def discoveries(self, part: Folder) -> None:
        for name in self._names(part, DISCOVERIES_EACH):
            if name.endswith(".json"):
                self._take(part, name, DISCOVERY_LIMIT, lambda it: self._discover(value_of(it)))
            elif name.endswith((".md", ".txt")):
                self._take(part, name, DISCOVERY_LIMIT, lambda it: self._discover(it.decode("utf-8-sig")))
            else:
                self._refuse(part, name, "a discovery is a file named .md, .txt or .json")

    def artifacts(self, part: Folder) -> None:
        for name in self._names(part, ARTIFACTS_EACH + len(self._before)):
            if not (name in self._before and part.is_folder(name)):
                self._take(part, name, ARTIFACT_LIMIT, partial(self._keep, name))

    def more(self, part: Folder) -> None:
        own = result_file(self._task)
        for name in self._names(part, 10):
            if name != own:
                self._refuse(part, name, f"only more/{own} is read: one report of a task")
            elif self._report is not None:
                self._take(part, name, VALUE_LIMIT, self._more)

    def _more(self, content: bytes) -> None:
        assert self._report is not None
        self._report(self._task, value_of(content))

    def _discover(self, value: object) -> Entry:
        return self._entries.discover(self._task.goal, value, by=self._task)

    def _keep(self, name: str, content: bytes) -> Entry:
        return self._entries.keep(self._task.goal, name, content, by=self._task)

    def _names(self, part: Folder, limit: int) -> list[str]:
        names, more = part.names(limit)
        if more:
            self.refused.append(f"{part.path.name}: more than {limit} files; the rest was not looked at")
        return names

    def _set_key(self, key: str, content: bytes) -> Entry | None:
        """Set a key to what a file holds; None when the agent left the file as the view wrote it."""
        current = self._keys.get(key)
        if current is not None and content in self._view.earlier(current):
            return None
        value, seen = value_of(content), None
        if isinstance(value, Mapping) and {"author", "value"} <= set(value) <= FORM:
            seen = value.get("version")  # our own form, with another value in it
        known = seen if isinstance(seen, int) and not isinstance(seen, bool) else None
        return self._entries.put(self._task.goal, key, _plain(value), by=self._task, since=self._since, seen=known)

    def _take(self, part: Folder, name: str, limit: int, put: Callable[[bytes], Entry | None]) -> Entry | None:
        """Read one file and put in what it holds; whatever is wrong with it is told."""
        try:
            entry = put(part.read(name, limit))
        except FileNotFoundError:
            return None
        except (BadInput, RefusedByState) as error:
            self._refuse(part, name, error.message + (f" ({error.hint})" if error.hint else ""))
        except UnicodeDecodeError:
            self._refuse(part, name, "not UTF-8 text")
        except OSError as error:
            self._refuse(part, name, error.strerror or str(error))
        except ValueError as error:
            self._refuse(part, name, str(error))
        else:
            if entry is not None and self._is_new(entry):
                self.taken.append(entry.address)
            return entry
        return None

    def _is_new(self, entry: Entry) -> bool:
        return (entry.address, entry.version) not in self._known

    def _tell_of(self, entry: Entry) -> None:
        assert entry.beside is not None
        other = self._entries.find(entry.goal, entry.name, entry.beside)
        self.conflicts.append(
            f"{entry.name}: {other.author} wrote it at the same time (version {other.version}); yours is version "
            f"{entry.version} and holds, both stay readable"
        )

    def _refuse(self, part: Folder, name: str, why: str) -> None:
        shown = "".join(one if one.isprintable() else "?" for one in name)
        shown = shown if len(shown) <= NAME_SHOWN else f"{shown[:NAME_SHOWN]}…"
        self.refused.append(f"{part.path.name}/{shown}: {why}")


def _plain(value: Any) -> Any:
    """Return the value in a file of our own form, as the view wrote it, or the whole of any other."""
    return value["value"] if isinstance(value, Mapping) and {"author", "value"} <= set(value) <= FORM else value
