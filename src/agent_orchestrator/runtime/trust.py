"""What of a repository makes programs run by itself, and whether its user has said that it may.

An agent CLI reads settings from the folder that it works in: hooks, servers of tools, plug-ins. Whoever wrote the
repository decides with them what runs, before the agent has done anything. So they count only when the user has looked
at them: trust is given to the contents, byte for byte, once and before a run. During a run nobody is asked: what is new
or changed, an agent's own work among it, is left out.

Which CLI runs what was seen with planted commands (November 2026): claude 2.1.329 runs hooks and servers of tools in a
folder it was never asked about, opencode 1.18.33 servers and plug-ins; codex 0.169.0 leaves out what it was not told to
trust itself.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETTINGS = (
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".mcp.json",
    ".gemini/settings.json",
    ".gemini/extensions",
    "opencode.json",
    "opencode.jsonc",
    ".opencode",
)
"""Files and folders of a repository by which an agent CLI runs something without being asked."""
PLAIN_KEYS = frozenset({"$schema", "permissions", "model", "includeCoAuthoredBy", "outputStyle", "language"})
"""What settings of claude may say without running anything; a file that says no more needs no trust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the user has trusted in one project."""

    record: Path
    """The file that remembers it, in the state folder."""

    def asks(self, folder: Path) -> tuple[str, ...]:
        """Return the files below *folder* that would run something and are not trusted as they are; sorted."""
        found = active(folder)
        return () if not found or _digest(found) in self._given() else tuple(sorted(found))

    def give(self, folder: Path) -> None:
        """Remember that the user trusts what *folder* has now."""
        given = [*self._given(), _digest(active(folder))]
        self.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.record.with_name(f".{self.record.name}.{os.getpid()}")
        unfinished.write_text(json.dumps({"sha256": list(dict.fromkeys(given))}), encoding="utf-8")
        unfinished.chmod(0o600)
        unfinished.replace(self.record)

    def _given(self) -> list[str]:
        try:
            found = json.loads(self.record.read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [one for one in found if isinstance(one, str)]


def active(folder: Path) -> dict[str, str]:
    """Return the files below *folder* by which an agent CLI would run something, with the hash of their contents."""
    found = {}
    for name in SETTINGS:
        for file in _files(folder / name):
            try:
                with file.open("rb") as stream:
                    content = stream.read()
            except OSError:
                continue
            if name.startswith(".claude/") and _says_nothing_active(content):
                continue
            kind = f"{file.readlink()} " if file.is_symlink() else ""
            found[str(file.relative_to(folder))] = hashlib.sha256(kind.encode() + content).hexdigest()
    return found


def _files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from sorted(one for one in place.rglob("*") if one.is_file())
    elif place.is_file():
        yield place


def _says_nothing_active(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except ValueError:
        return False
    return isinstance(document, dict) and document.keys() <= PLAIN_KEYS


def _digest(found: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()
