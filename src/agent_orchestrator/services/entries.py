"""What is shared, as the database holds it: put, found, bounded.

Everything has an author and a version. A limit is told to whoever runs into it
and nothing is cut short: half a value would be a wrong one.
"""

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from agent_orchestrator.domain.clock import Clock
from agent_orchestrator.domain.context import LISTS, USER, Entry, Kind
from agent_orchestrator.domain.errors import BadInput, NotFound, RefusedByState
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import Task
from agent_orchestrator.services.context_files import json_text
from agent_orchestrator.services.events import Events
from agent_orchestrator.stores import Store

VALUE_LIMIT = 64 * 1024
"""Bytes of one key's or result's JSON. What is bigger belongs in the repository, or is an artifact."""
KEYS_LIMIT = 200
"""Keys a goal may have. Every agent's view holds them all, one file each."""
VALUES_LIMIT = 2 * 1024 * 1024
"""Bytes of all keys of a goal, and again of all results: a view is rewritten often and must stay cheap."""
DISCOVERY_LIMIT = 4 * 1024
"""Bytes of one discovery: a finding fits, a log does not."""
DISCOVERIES_LIMIT = 300
"""Discoveries a goal may have: five or so from each task of a large goal."""
DISCOVERIES_EACH = 40
"""Discoveries of one author, so that one agent in a loop cannot take all the room."""
NOTE_LIMIT = 4 * 1024
"""Bytes of one note of the user's: it stands in every prompt."""
NOTES_LIMIT = 20
ARTIFACT_LIMIT = 5 * 1024 * 1024
"""Bytes of one artifact: a screenshot or a report fits, a build does not."""
ARTIFACTS_EACH = 20
"""Artifacts of one author."""
ARTIFACTS_LIMIT = 50 * 1024 * 1024
"""Bytes of all artifacts of a goal; views of dependents hold copies, often in memory."""
VERSIONS_KEPT = 10
"""Versions of one name that stay readable: enough to see what two agents fought about."""

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FOLDERS = {"results": Kind.RESULT, "discoveries": Kind.DISCOVERY, "notes": Kind.NOTE, "artifacts": Kind.ARTIFACT}


@dataclass(frozen=True, slots=True)
class Entries:
    """Put things in and find them again. An author is a task; None is the user."""

    store: Store
    clock: Clock
    events: Events
    artifacts: Path
    """The folder of the artifacts' bytes, in the state folder."""

    def put(
        self,
        goal: GoalId,
        key: str,
        value: object,
        *,
        by: Task | None,
        since: datetime | None = None,
        seen: int | None = None,
    ) -> Entry:
        """Set *key* to *value*; the earlier versions stay readable. The same value again changes nothing.

        *seen* is the version the author knew; when it is not known, *since* is when the author began. A newer version
        of somebody else's was written at the same time: it is named in the new one's ``beside``.

        Raises:
            BadInput: the key or the value cannot be one, or a limit is reached.
        """
        key = checked_key(key)
        text = _checked(value, VALUE_LIMIT, f"the value of {key}")
        with self.store.transaction():
            before = self.store.context.versions(goal, Kind.KEY, key)
            current = before[-1] if before else None
            if current is not None and json_text(current.value) == text:
                return current
            self._require_room(goal, Kind.KEY, text, new=current is None, replaced=current)
            beside = None
            if current is not None and (current.author, current.by_user) != _author(by):
                parallel = current.version > seen if seen is not None else since is not None and current.at > since
                beside = current.version if parallel else None
            return self._add(goal, Kind.KEY, key, value, len(text.encode()), by=by, beside=beside)

    def put_over(self, goal: GoalId, key: str, value: object, *, by: Task | None, version: int) -> Entry:
        """Set *key* only if its newest version is *version* (0: if there is none).

        Raises:
            RefusedByState: it is not.
            BadInput: as :meth:`put`.
        """
        key = checked_key(key)
        with self.store.transaction():
            before = self.store.context.versions(goal, Kind.KEY, key)
            newest = before[-1].version if before else 0
            if newest != version:
                raise RefusedByState(f"{key} is at version {newest}, not {version}", hint="read it again and decide")
            return self.put(goal, key, value, by=by, seen=version)

    def put_result(self, task: Task, value: object) -> Entry:
        """Set what *task*'s agent leaves for the tasks that depend on it. Raises BadInput."""
        text = _checked(value, VALUE_LIMIT, "the result")
        with self.store.transaction():
            before = self.store.context.versions(task.goal, Kind.RESULT, task.key)
            current = before[-1] if before else None
            if current is not None and json_text(current.value) == text:
                return current
            self._require_room(task.goal, Kind.RESULT, text, new=False, replaced=current)
            return self._add(task.goal, Kind.RESULT, task.key, value, len(text.encode()), by=task)

    def discover(self, goal: GoalId, value: object, *, by: Task | None) -> Entry:
        """Add a discovery to the goal's list; one that its author told before is not added twice. Raises BadInput."""
        value = value.strip() if isinstance(value, str) else value
        if value in ("", None):
            raise BadInput("the discovery is empty")
        text = _checked(value, DISCOVERY_LIMIT, "the discovery")
        with self.store.transaction():
            known = self.store.context.newest(goal, Kind.DISCOVERY)
            own = [entry for entry in known if (entry.author, entry.by_user) == _author(by)]
            for entry in own:
                if json_text(entry.value) == text:
                    return entry
            if len(own) >= DISCOVERIES_EACH:
                raise BadInput(f"{DISCOVERIES_EACH} discoveries of one author are enough")
            if len(known) >= DISCOVERIES_LIMIT:
                raise BadInput(f"the goal has {DISCOVERIES_LIMIT} discoveries already")
            return self._add(goal, Kind.DISCOVERY, "", value, len(text.encode()), by=by)

    def note(self, goal: GoalId, text: str) -> Entry:
        """Add a note of the user's, which every later prompt of the goal will carry. Raises BadInput."""
        if not text.strip():
            raise BadInput("the note is empty")
        size = len(_checked(text.strip(), NOTE_LIMIT, "the note").encode())
        with self.store.transaction():
            if self.store.context.totals(goal, Kind.NOTE)[0] >= NOTES_LIMIT:
                raise BadInput(
                    f"the goal has {NOTES_LIMIT} notes already, and every prompt carries them",
                    hint="put more into a file of the project and name it in a task",
                )
            return self._add(goal, Kind.NOTE, "", text.strip(), size, by=None)

    def keep(self, goal: GoalId, name: str, content: bytes, *, by: Task | None) -> Entry:
        """Keep a copy of a file that is not for the repository, under its author's name. Raises BadInput."""
        if not _FILE.fullmatch(name):
            raise BadInput(f"{name!r} cannot name an artifact", hint="up to 100 of the characters A-Z a-z 0-9 . _ -")
        if len(content) > ARTIFACT_LIMIT:
            raise BadInput(f"{name} has {len(content):,} bytes; an artifact may have {ARTIFACT_LIMIT:,}")
        author, _ = _author(by)
        full, digest = f"{author}/{name}", hashlib.sha256(content).hexdigest()
        with self.store.transaction():
            known = {entry.name: entry for entry in self.store.context.newest(goal, Kind.ARTIFACT)}
            current = known.get(full)
            if current is not None and current.sha256 == digest and self._file(goal, digest).exists():
                return current
            others = sum(entry.bytes for entry in known.values() if entry is not current)
            if others + len(content) > ARTIFACTS_LIMIT:
                raise BadInput(f"the goal's artifacts would have more than {ARTIFACTS_LIMIT:,} bytes with {name}")
            own = sum(entry.author == author for entry in known.values())
            if current is None and own >= ARTIFACTS_EACH:
                raise BadInput(f"{ARTIFACTS_EACH} artifacts of one author are enough")
            self._write(goal, digest, content)
            return self._add(goal, Kind.ARTIFACT, full, None, len(content), by=by, sha256=digest)

    def newest(self, goal: GoalId, kind: Kind | None = None) -> list[Entry]:
        """Return the newest version of everything of the goal, in the order of writing."""
        return self.store.context.newest(goal, kind)

    def versions(self, entry: Entry) -> list[Entry]:
        """Return the versions of *entry* that are kept, oldest first; of a list's entry only itself."""
        if entry.kind in LISTS:
            return [entry]
        return self.store.context.versions(entry.goal, entry.kind, entry.name)

    def find(self, goal: GoalId, address: str, version: int | None = None) -> Entry:
        """Return what *address* names: ``api``, ``results/parser``, ``discoveries/3``, ``artifacts/parser/log.txt``.

        Raises:
            NotFound: there is no such thing, or not in that version.
        """
        folder, slash, rest = address.partition("/")
        kind = _FOLDERS.get(folder, Kind.KEY) if slash else Kind.KEY
        name = rest if kind is not Kind.KEY else address.lower()
        if kind in LISTS:
            name, version = "", int(rest) if rest.isascii() and rest.isdigit() else 0
        found = self.store.context.versions(goal, kind, name)
        if version is not None:
            found = [entry for entry in found if entry.version == version]
        if not found:
            which = f" in version {version}" if version is not None and kind not in LISTS else ""
            raise NotFound(f"goal {goal} has no {address}{which}", hint="orchestrate context list shows what there is")
        return found[-1]

    def file(self, entry: Entry) -> Path:
        """Return where an artifact's bytes lie.

        Raises:
            NotFound: they were cleaned up.
        """
        assert entry.sha256 is not None, "only an artifact has bytes"
        path = self._file(entry.goal, entry.sha256)
        if not path.is_file():
            raise NotFound(
                f"the bytes of {entry.address} are gone", hint="orchestrate cleanup frees those of old goals"
            )
        return path

    def _add(
        self,
        goal: GoalId,
        kind: Kind,
        name: str,
        value: object,
        size: int,
        *,
        by: Task | None,
        beside: int | None = None,
        sha256: str | None = None,
    ) -> Entry:
        author, by_user = _author(by)
        entry = Entry(
            goal=goal,
            kind=kind,
            name=name,
            author=author,
            by_user=by_user,
            value=value,
            bytes=size,
            sha256=sha256,
            beside=beside,
            at=self.clock.now(),
        )
        entry = replace(entry, version=self.store.context.add(entry, keep=VERSIONS_KEPT))
        record, what = partial(self.events.record, goal=goal, task=by), entry.address
        record("context.put", what=what, version=entry.version, author=author, bytes=size)
        if beside is not None:
            record("context.conflict", what=what, versions=[beside, entry.version], author=author)
        return entry

    def _require_room(self, goal: GoalId, kind: Kind, text: str, *, new: bool, replaced: Entry | None) -> None:
        count, size = self.store.context.totals(goal, kind)
        if new and count >= KEYS_LIMIT:
            raise BadInput(f"the goal has {KEYS_LIMIT} keys already", hint="put several facts under one key")
        if size - (replaced.bytes if replaced else 0) + len(text.encode()) > VALUES_LIMIT:
            raise BadInput(f"the goal's {kind.value}s would have more than {VALUES_LIMIT:,} bytes")

    def _file(self, goal: GoalId, digest: str) -> Path:
        return self.artifacts / goal / digest

    def _write(self, goal: GoalId, digest: str, content: bytes) -> None:
        path = self._file(goal, digest)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{digest}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(content)
        unfinished.replace(path)


def checked_key(key: str) -> str:
    """Return *key* in the form in which it is kept: lower case, for some file systems know no other.

    Raises:
        BadInput: it cannot be a key.
    """
    lowered = key.lower()
    if not _KEY.fullmatch(lowered):
        raise BadInput(
            f"{key[:80]!r} cannot be a key", hint="up to 64 of the characters a-z 0-9 . _ - and a letter or digit first"
        )
    return lowered


def _author(by: Task | None) -> tuple[str, bool]:
    return (USER, True) if by is None else (by.key, False)


def _checked(value: object, limit: int, what: str) -> str:
    try:
        text = json_text(value)
    except ValueError as error:
        raise BadInput(f"{what} cannot be kept: {error}") from error
    size = len(text.encode())
    if size > limit:
        raise BadInput(f"{what} has {size:,} bytes; the limit is {limit:,}")
    return text
