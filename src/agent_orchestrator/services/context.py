"""What agents are told, and what they leave for each other.

The truth is in the database. The folder under the temporary directory is a view
of it: JSON files that agents read and two places where they may write. It can
be deleted at any time and comes back with the next attempt. What an agent wrote
is data with its author's name; it is checked, capped and never trusted.
"""

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.domain.goal import Goal
from agent_orchestrator.domain.ids import GoalId, slug
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

FILE_LIMIT = 64 * 1024
"""Bytes of one file that an agent may leave. Bigger things belong into the repository."""
FILES_LIMIT = 50
"""Files per attempt that are looked at; an agent that leaves more is writing a log, not a discovery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a dependent is told of one task it waited for."""

    task: Task
    files: tuple[str, ...]
    """What the task changed, as seen by us."""
    data: object = None
    """What its agent left in ``results/<task>.json``; None if nothing."""


@dataclass(frozen=True, slots=True)
class ContextManager:
    """Gather what a task's agent must know, and take in what it leaves."""

    store: Store
    clock: Clock
    events: Events
    project: Path

    def results(self, task: Task) -> list[Result]:
        """Return the results of everything *task* depends on."""
        shared = self.store.messages.shared(task.goal)
        found = []
        for need in self.store.tasks.needs(task.id):
            before = self.store.tasks.get(need)
            evidence = self.store.attempts.evidence(before.attempt) if before.attempt else None
            _, data = shared.get(f"results/{before.key}", ("", None))
            found.append(Result(task=before, files=evidence.files if evidence else (), data=data))
        return found

    def shared(self, goal: GoalId) -> dict[str, tuple[str, object]]:
        """Return the goal's shared keys, without the tasks' results: author and value."""
        everything = self.store.messages.shared(goal)
        return {key: value for key, value in everything.items() if not key.startswith("results/")}

    def write_view(self, goal: Goal, task: Task) -> Path:
        """Write the files that *task*'s agent reads, and return the goal's folder.

        Raises:
            NotReady: the place in the temporary directory belongs to somebody else.
        """
        folder = self._folder(goal.id)
        for name in ("tasks", "results", "shared"):
            _private(folder / name)
        _write_json(
            folder / "goal.json",
            {"id": goal.id, "goal": goal.text, "title": goal.title, "demo": goal.demo},
        )
        _write_json(
            folder / "tasks" / f"{task.key}.json",
            {
                "id": task.id,
                "key": task.key,
                "title": task.title,
                "description": task.description,
                "specialist": task.specialist,
                "acceptance": list(task.acceptance),
                "owns": list(task.owns),
                "goal": goal.text,
                "results_of_dependencies": [
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
                ],
                "messages": [
                    {"author": message.author, "body": message.body}
                    for message in self.store.messages.of_goal(goal.id, task=task.id)
                ],
            },
        )
        for key, (author, value) in self.shared(goal.id).items():
            _write_json(folder / "shared" / f"{key}.json", {"author": author, "value": value})
        return folder

    def take_in(self, goal: GoalId, task: Task) -> list[str]:
        """Read what the agent of *task* left in the view into the database; return what was refused and why."""
        folder = self._folder(goal)
        refused: list[str] = []
        known = self.store.messages.shared(goal)
        taken: dict[str, object] = {}
        own_result = folder / "results" / f"{task.key}.json"
        for file in [own_result, *sorted((folder / "shared").glob("*.json"))[:FILES_LIMIT]]:
            try:
                value = _read_json(file)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                refused.append(f"{file.name}: {error}")
                continue
            key = f"results/{task.key}" if file == own_result else slug(file.stem)
            if isinstance(value, Mapping) and set(value) == {"author", "value"}:
                value = value["value"]  # our own form, as the view wrote it
            if key and known.get(key, ("", None))[1] != value:
                taken[key] = value
        with self.store.transaction():
            for key, value in taken.items():
                self.store.messages.put_shared(goal, key, value, author=task.key, now=self.clock.now())
            if taken or refused:
                self.events.record("context.taken_in", task=task, keys=sorted(taken), refused=refused)
        return refused

    def _folder(self, goal: GoalId) -> Path:
        """Return the goal's folder, made so that only this user can enter it."""
        top = Path(tempfile.gettempdir()) / f"agent_orchestrator-{os.getuid()}"
        project = top / (slug(self.project.name) or "project")
        for folder in (top, project, project / goal):
            _private(folder)
        return project / goal


def _private(folder: Path) -> None:
    """Make *folder* if needed; refuse one that is a link, is somebody else's, or is open to others."""
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise NotReady(
            f"{folder} is not ours", hint="another user made it; set TMPDIR to a folder of your own and start again"
        )
    if stat.S_IMODE(seen.st_mode) & 0o077:
        folder.chmod(0o700)


def _write_json(file: Path, document: object) -> None:
    """Write *document* so that a reader sees the old or the new file, never half of one; never through a link."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(document, stream, ensure_ascii=False, indent=1)
    Path(temporary).replace(file)


def _read_json(file: Path) -> Any:
    """Read a small regular file as JSON; a link, a pipe or a large file raises."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a regular file")
        text = stream.read(FILE_LIMIT + 1)
    if len(text) > FILE_LIMIT:
        raise ValueError(f"larger than {FILE_LIMIT:,} bytes")
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")
