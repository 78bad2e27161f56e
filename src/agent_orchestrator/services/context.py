"""What agents are told, and what they leave for each other.

The truth is in the database. The folder under the temporary directory is a view
of it: JSON files that agents read, and places where they may write. What an
agent wrote is data with its author's name; it is checked, capped and never
trusted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.context import Entry, Kind
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services.context_view import TakenIn, View
from agent_orchestrator.services.entries import Entries
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a dependent is told of one task it waited for."""

    task: Task
    files: tuple[str, ...]
    """What the task changed, as seen by us."""
    data: object = None
    """What its agent left in ``results/<task>.json``; None if nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a task's agent is told beside its task."""

    results: tuple[Result, ...] = ()
    notes: tuple[Entry, ...] = ()
    keys: tuple[Entry, ...] = ()
    discoveries: tuple[Entry, ...] = ()
    artifacts: tuple[Entry, ...] = ()
    parallel: Mapping[tuple[str, int], Entry] | None = None
    """Key and version to what another author wrote at the same time."""


class ContextManager:
    """Gather what a task's agent must know, and take in what it leaves."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        events: Events,
        state: Path,
        *,
        report: Callable[[Task, object], object] | None = None,
    ) -> None:
        """Serve the project whose folder in the state directory is *state*.

        *report* takes in what an agent says of more work, as decoded JSON, or raises BadInput or RefusedByState.
        """
        self.store = store
        self.events = events
        self._report = report
        self._entries = Entries(store, clock, events, state / "artifacts")
        self.view = View(store, self._entries, state.name)

    # Putting and finding, for every door

    def put(self, goal: GoalId, key: str, value: object, *, by: Task | None = None, over: int | None = None) -> Entry:
        """Set a key that every task of *goal* sees; *by* is the task whose agent says it, None the user.

        With *over* only if the key's newest version is that one (0: only if there is none). Earlier versions stay
        readable; one that somebody else wrote since *by* began is named in ``beside``.

        Raises:
            BadInput: the key or the value (a JSON value of at most 64 KiB) cannot be one, or a limit is reached.
            RefusedByState: the key is at another version than *over*.
        """
        if over is not None:
            entry = self._entries.put_over(goal, key, value, by=by, version=over)
        else:
            entry = self._entries.put(goal, key, value, by=by, since=self._began(by))
        self.view.refresh(goal)
        return entry

    def discover(self, goal: GoalId, value: object, *, by: Task | None = None) -> Entry:
        """Add something that was found out to the goal's list, which later prompts carry. Raises BadInput."""
        entry = self._entries.discover(goal, value, by=by)
        self.view.refresh(goal)
        return entry

    def note(self, goal: GoalId, text: str) -> Entry:
        """Add a note of the user's, at most 4 KiB, which every later prompt of *goal* carries. Raises BadInput."""
        entry = self._entries.note(goal, text)
        self.view.refresh(goal)
        return entry

    def keep(self, goal: GoalId, name: str, content: bytes, *, by: Task | None = None) -> Entry:
        """Keep a file that is not for the repository, at most 5 MiB, for the tasks that depend on *by*.

        Raises:
            BadInput: the name cannot be one, or a limit is reached.
        """
        return self._entries.keep(goal, name, content, by=by)

    def everything(self, goal: GoalId) -> list[Entry]:
        """Return the newest version of everything that is shared in *goal*, in the order of writing."""
        return self._entries.newest(goal)

    def get(self, goal: GoalId, address: str, version: int | None = None) -> Entry:
        """Return what *address* names: ``api``, ``results/parser``, ``discoveries/3``, ``artifacts/parser/log.txt``.

        Raises:
            NotFound: there is no such thing, or not in that version.
        """
        return self._entries.find(goal, address, version)

    def versions(self, entry: Entry) -> list[Entry]:
        """Return the versions of *entry* that are kept, oldest first."""
        return self._entries.versions(entry)

    def file(self, entry: Entry) -> Path:
        """Return where an artifact's bytes lie. Raises NotFound when they were cleaned up."""
        return self._entries.file(entry)

    # Telling an agent

    def told(self, task: Task, *, since: datetime | None = None) -> Told:
        """Return what *task*'s agent is told; with *since* only what is newer, but all notes, because they are the
        user's.
        """
        everything = self._entries.newest(task.goal)
        news = [entry for entry in everything if since is None or entry.at > since]
        keys = tuple(entry for entry in news if entry.kind is Kind.KEY)
        artifacts = [entry for entry in news if entry.kind is Kind.ARTIFACT]
        before = self.view.keys_before(task) if artifacts else set()
        return Told(
            results=tuple(self.results(task)) if since is None else (),
            notes=tuple(entry for entry in everything if entry.kind is Kind.NOTE),
            keys=keys,
            discoveries=tuple(
                entry for entry in news if entry.kind is Kind.DISCOVERY and (entry.by_user or entry.author != task.key)
            ),
            artifacts=tuple(entry for entry in artifacts if entry.name.partition("/")[0] in before),
            parallel={
                (entry.name, entry.beside): one
                for entry in keys
                if entry.beside is not None
                for one in self._entries.versions(entry)
                if one.version == entry.beside
            },
        )

    def results(self, task: Task) -> list[Result]:
        """Return the results of everything *task* depends on."""
        left = {entry.name: entry.value for entry in self._entries.newest(task.goal, Kind.RESULT)}
        found = []
        for need in self.store.tasks.needs(task.id):
            before = self.store.tasks.get(need)
            evidence = self.store.attempts.evidence(before.attempt) if before.attempt else None
            found.append(Result(task=before, files=evidence.files if evidence else (), data=left.get(before.key)))
        return found

    def write_view(self, goal: Goal, task: Task) -> Path:
        """Write the files that *task*'s agent reads, and return their folder.

        Raises:
            NotReady: the place in the temporary directory belongs to somebody else, or cannot be written.
        """
        results = [
            {
                "task": result.task.key,
                "title": result.task.title,
                "summary": result.task.summary,
                "verdict": result.task.verdict,
                "commit": result.task.commit,
                "files": list(result.files),
                "data": result.data,
            }
            for result in self.results(task)
        ]
        messages = self.store.messages.of_goal(goal.id, task=task.id)
        briefing = {
            "id": task.id,
            "key": task.key,
            "title": task.title,
            "description": task.description,
            "specialist": task.specialist,
            "acceptance": list(task.acceptance),
            "owns": list(task.owns),
            "goal": goal.text,
            "results_of_dependencies": results,
            "messages": [{"author": message.author, "body": message.body} for message in messages],
        }
        return self.view.write(goal, task, briefing)

    def take_in(self, task: Task, *, since: datetime | None = None) -> TakenIn:
        """Read what the agent of *task*, at work *since* then, left in its view; what is new is shown to the others."""
        taken = self.view.take_in(task, since=since, report=self._report)
        if taken.refused:
            with self.store.transaction():
                self.events.record("context.refused", task=task, refused=list(taken.refused))
        if taken.taken:
            self.view.refresh(task.goal)
        return taken

    def drop_view(self, task: Task) -> None:
        """Take *task*'s view away, when nobody will read it any more."""
        self.view.drop(task)

    def _began(self, by: Task | None) -> datetime | None:
        """Return when the attempt began that works on the task; None when that is not known."""
        return self.store.attempts.get(by.attempt).started_at if by is not None and by.attempt else None
