"""Who can be given a task: the specialists that come with us, the user's own, and the project's.

A specialist is a Markdown file with front matter. Files are read when the
roster is first asked for something, because a plain ``submit`` must be quick.
Of several files with one name the nearest to the work counts, in this order:

1. ``.orchestrate/agents`` of the project
2. ``.claude/agents`` of the project, where Claude Code keeps its own
3. ``agents`` in the user's configuration folder of ours
4. ``~/.claude/agents``
5. the ones that come with us

The project's folders are read as somebody else's text: what a link leads to
outside the project is not read.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from agent_orchestrator.domain.errors import BadInput, NotFound
from agent_orchestrator.domain.ids import slug
from agent_orchestrator.domain.specialist import GENERALIST, Specialist
from agent_orchestrator.planning.role_file import parse_specialist as parse_specialist

BUILT_IN = Path(__file__).with_name("specialists")

PROJECT_FOLDER = Path(".orchestrate") / "agents"
"""Where a project keeps specialists of its own, relative to its root."""

CLAUDE_FOLDER = Path(".claude") / "agents"
"""Where Claude Code keeps a project's subagents, relative to its root."""

ORIGINS = ("built in", "user .claude", "user", "project .claude", "project")
"""Where a specialist can come from, the weakest first."""

FILE_LIMIT_BYTES = 64 * 1024
"""A role's file is a page of prose; anything this big is something else."""

FILES_LIMIT = 200
"""Files read per folder, in name order: a folder pointed at by mistake must not be read for minutes."""

DEPTH_LIMIT = 3
"""Folders within a folder of roles that are looked into; collections sort theirs by subject."""

_OTHER_FORMS = frozenset({".yaml", ".yml", ".json", ".toml"})


@dataclass(frozen=True, eq=False)
class Roster:
    """The specialists of one project, read once, on first use. Compared by identity: files change between two reads."""

    project: Path | None = None
    """The project's root. None means no project's own specialists."""
    user: Path | None = None
    """The user's configuration folder; its ``agents`` folder is read. None means none."""
    claude: Path | None = None
    """The user's folder of Claude Code, usually ``~/.claude``; its ``agents`` folder is read. None means none."""

    @cached_property
    def _read(self) -> tuple[dict[str, Specialist], tuple[str, ...]]:
        everyone: dict[str, Specialist] = {}
        problems: list[str] = []
        for origin, folder, within in self._folders():
            seen: dict[str, Path] = {}
            if within is not None and not _inside(folder, within):
                problems.append(f"{folder}: it is a link that leads out of the project")
                continue
            for path in _files(folder, problems):
                try:
                    member = _member(path, origin, within)
                except (BadInput, OSError, UnicodeDecodeError) as error:
                    if origin == ORIGINS[0]:
                        raise
                    problems.append(f"{path}: {_reason(error)}")
                    continue
                if member.name in seen:
                    problems.append(f"{path}: {seen[member.name].name} names a specialist {member.name} already")
                    continue
                seen[member.name] = path
                everyone[member.name] = member
        return everyone, tuple(problems)

    def _folders(self) -> Iterator[tuple[str, Path, Path | None]]:
        """Yield origin, folder, and the folder that its files must not lead out of; the weakest first."""
        yield ORIGINS[0], BUILT_IN, None
        if self.claude is not None:
            yield ORIGINS[1], self.claude / "agents", None
        if self.user is not None:
            yield ORIGINS[2], self.user / "agents", None
        if self.project is not None:
            yield ORIGINS[3], self.project / CLAUDE_FOLDER, self.project
            yield ORIGINS[4], self.project / PROJECT_FOLDER, self.project

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Every accepted spelling to a name. A name beats an alias, and the alias of a nearer file a farther one's."""
        nearest_last = sorted(self, key=lambda member: ORIGINS.index(member.origin))
        aliases = {slug(alias): member.name for member in nearest_last for alias in member.aliases}
        return aliases | {member.name: member.name for member in self}

    @property
    def problems(self) -> tuple[str, ...]:
        """Files of the user's or the project's that could not be read as specialists, each once, with the reason."""
        return self._read[1]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the generalist last, otherwise in alphabetical order."""
        return tuple(sorted(self._read[0], key=lambda name: (name == GENERALIST, name)))

    def __iter__(self) -> Iterator[Specialist]:
        """Yield the specialists in the order of ``names``."""
        return (self._read[0][name] for name in self.names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._read[0])

    def find(self, name: str) -> Specialist | None:
        """Return the specialist called *name*, by name or alias, whatever its case and separators; None if absent."""
        known = self._names.get(slug(name))
        return None if known is None else self._read[0][known]

    def get(self, name: str) -> Specialist:
        """Return the specialist called *name*, by name or alias.

        Raises:
            BadInput: *name* is empty.
            NotFound: nobody has that name; the hint names those that are close, else everyone.
        """
        if not name.strip():
            raise BadInput("a specialist needs a name", hint="known: " + ", ".join(self.names))
        if found := self.find(name):
            return found
        import difflib

        close = difflib.get_close_matches(slug(name), list(self._names), n=3, cutoff=0.5)
        meant = list(dict.fromkeys(self._names[spelling] for spelling in close))
        hint = f"did you mean {' or '.join(meant)}?" if meant else "known: " + ", ".join(self.names)
        raise NotFound(f"there is no specialist called {name!r}", hint=hint)


def _member(path: Path, origin: str, within: Path | None) -> Specialist:
    if within is not None and not _inside(path, within):
        raise BadInput("it is a link that leads out of the project", hint="put the file itself there")
    member = parse_specialist(_text(path), origin=origin, fallback_name=path.stem, file=str(path))
    if origin.endswith(".claude") and member.model and member.provider is None:
        return replace(member, provider="claude")  # whose names for models they are
    return member


def _inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, BadInput):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return getattr(error, "strerror", None) or str(error)


def _files(folder: Path, problems: list[str]) -> list[Path]:
    """Return the files of *folder* and the folders in it that can be roles, in name order; none if it is not there.

    Links to folders are not followed: they can lead round in a circle.
    """
    found: list[Path] = []
    for visited, (here, folders, names) in enumerate(os.walk(folder)):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < DEPTH_LIMIT else []
        for name in sorted(names):
            path = Path(here) / name
            if path.suffix in _OTHER_FORMS:
                problems.append(f"{path}: a specialist is Markdown with front matter (name.md), not {path.suffix}")
            elif path.suffix == ".md" and path.stem.lower() != "readme" and path.is_file():
                found.append(path)
        if len(found) > FILES_LIMIT or visited > FILES_LIMIT:
            problems.append(f"{folder}: too much in it; only the first {FILES_LIMIT} files were read")
            return found[:FILES_LIMIT]
    return found


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise BadInput(f"it is larger than {FILE_LIMIT_BYTES // 1024} KiB")
    return content.decode()
