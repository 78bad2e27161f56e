"""Who can be given a task: the specialists that come with us, the user's own, and the project's.

A specialist is a Markdown file with front matter. Files are read when the
roster is first asked for something, because a plain ``submit`` must be quick.
A project's file replaces a user's of the same name, which replaces ours.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent_orchestrator.domain.errors import BadInput, NotFound
from agent_orchestrator.domain.ids import slug
from agent_orchestrator.domain.specialist import GENERALIST, Specialist
from agent_orchestrator.domain.task import Tier

BUILT_IN = Path(__file__).with_name("specialists")

PROJECT_FOLDER = Path(".orchestrate") / "agents"
"""Where a project keeps specialists of its own, relative to its root."""

FILE_LIMIT_BYTES = 256 * 1024
"""A role's file is a page of prose; anything this big is something else."""

FILES_LIMIT = 200
"""Files read per folder, in name order: a folder pointed at by mistake must not be read for minutes."""

_KEY = re.compile(r"^([A-Za-z][\w-]*)\s*:\s*(.*)$")
_LISTS = ("words", "paths", "aliases")


def parse_specialist(text: str, *, origin: str, fallback_name: str = "") -> Specialist:
    """Return the specialist that a Markdown file with front matter describes.

    Front matter is ``key: value`` lines between two ``---`` lines. A list is ``[a, b]``, ``a, b`` or ``- a`` lines; an
    indented line continues the value above it. Keys that are not ours are ignored, so that files written for other
    tools can be used. *fallback_name* is taken when the file names no one.

    Raises:
        BadInput: no front matter, a line that is neither key nor continuation, a name that is no slug, an unknown
            tier, or no prompt.
    """
    front, prompt = _split(text, origin)
    name = str(front.get("name") or fallback_name).strip()
    if not name or slug(name) != name:
        raise BadInput(
            f"{origin}: {name!r} is not a specialist's name", hint="use small letters, digits and hyphens, at most 48"
        )
    tier = str(front.get("tier") or Tier.STANDARD).lower()
    if tier not in set(Tier):
        raise BadInput(f"{origin}: tier {tier!r} is unknown", hint=f"use one of {', '.join(Tier)}")
    if not prompt.strip():
        raise BadInput(f"{origin}: the file has no text after its front matter", hint="write the role's prompt there")
    words, paths, aliases = (_items(front.get(key, "")) for key in _LISTS)
    return Specialist(
        name=name,
        description=" ".join(front.get("description", "").split()) or name,
        prompt=prompt.strip() + "\n",
        words=words,
        paths=paths,
        aliases=aliases,
        tier=Tier(tier),
        provider=front.get("provider") or None,
        model=front.get("model") or None,
        origin=origin,
    )


def _split(text: str, origin: str) -> tuple[dict[str, str], str]:
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        raise BadInput(f"{origin}: no front matter", hint="begin the file with a line --- and name: and description:")
    front: dict[str, str] = {}
    key = ""
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() == "---":
            return front, "\n".join(lines[number:])
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if found := _KEY.match(line):
            key = found[1].lower()
            front[key] = _unquoted(found[2].strip())
        elif key and line[0] in " \t-":
            item = line.strip()
            front[key] = f"{front[key]}, {item[2:]}" if item.startswith("- ") else f"{front[key]} {item}"
        else:
            raise BadInput(f"{origin}: line {number} of its front matter is not `key: value`")
    raise BadInput(f"{origin}: its front matter has no end", hint="close it with a line ---")


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return "" if value in {"|", ">", "|-", ">-"} else value


def _items(value: str) -> tuple[str, ...]:
    inner = value.strip().removeprefix("[").removesuffix("]")
    parts = (_unquoted(part.strip()) for part in inner.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


@dataclass(frozen=True, eq=False)
class Roster:
    """The specialists of one project, read once, on first use. Compared by identity: files change between two reads."""

    project: Path | None = None
    """The project's root. None means no project's own specialists."""
    user: Path | None = None
    """The user's configuration folder; its ``agents`` folder is read. None means none."""

    @cached_property
    def _read(self) -> tuple[dict[str, Specialist], tuple[str, ...]]:
        everyone: dict[str, Specialist] = {}
        problems: list[str] = []
        folders = [(BUILT_IN, "built in")]
        if self.user is not None:
            folders.append((self.user / "agents", "user"))
        if self.project is not None:
            folders.append((self.project / PROJECT_FOLDER, "project"))
        for folder, origin in folders:
            for path in _files(folder):
                try:
                    member = parse_specialist(_text(path), origin=origin, fallback_name=slug(path.stem))
                except (BadInput, OSError, UnicodeDecodeError) as error:
                    if origin == "built in":
                        raise
                    problems.append(f"{path}: {error}")
                else:
                    everyone[member.name] = member
        return everyone, tuple(problems)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Every accepted spelling to a name. A name beats an alias, and a later file's alias an earlier one's."""
        aliases = {slug(alias): member.name for member in self for alias in member.aliases}
        return aliases | {member.name: member.name for member in self}

    @property
    def problems(self) -> tuple[str, ...]:
        """Files of the user's or the project's that could not be read as specialists, with the reason."""
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


def _files(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".md" and path.is_file())
    except OSError:  # no such folder, or not ours to read: then it has no specialists for us
        return []
    return [path for path in found if path.stem.lower() != "readme"][:FILES_LIMIT]


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise BadInput(f"larger than {FILE_LIMIT_BYTES // 1024} KiB")
    return content.decode()
