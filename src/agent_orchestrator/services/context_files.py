"""The files of the context view: private folders, reads that trust nothing, writes that are all or nothing.

Agents work beside us in these folders, with our own rights, and may put
anything there: links, pipes, devices, a folder where a file was. So every step
goes through the descriptor of a folder that was looked at, no link is followed,
and nothing is read beyond a limit.
"""

import errno
import json
import math
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from agent_orchestrator.domain.errors import NotReady

DEPTH_LIMIT = 40
"""Levels of nesting in a JSON value. Real data has a handful; thousands exhaust the stack of whoever reads it next."""
UNFINISHED = ".writing-"
"""Begins the name of a file of ours that is not whole yet."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder of the view."""

    path: Path
    descriptor: int

    @contextmanager
    def below(self, name: str, *, make: bool = True) -> Iterator["Folder"]:
        """Open the folder *name* in this one. What stands in its place and is no folder is taken away.

        Raises:
            FileNotFoundError: it is not there and *make* is false.
        """
        if make:
            _make(name, self.descriptor)
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:  # Linux and macOS name a link differently
                raise
            if not make:
                raise FileNotFoundError(name) from None
            os.unlink(name, dir_fd=self.descriptor)
            _make(name, self.descriptor)
            descriptor = os.open(name, _FOLDER, dir_fd=self.descriptor)
        try:
            yield Folder(self.path / name, descriptor)
        finally:
            os.close(descriptor)

    def names(self, limit: int) -> tuple[list[str], bool]:
        """Return what lies in the folder, at most *limit* names in order, and whether there was more."""
        with os.scandir(self.descriptor) as entries:
            found = [entry.name for entry in islice(entries, limit + 1)]
        found = [name for name in found if not name.startswith(UNFINISHED)]
        return sorted(found)[:limit], len(found) > limit

    def is_folder(self, name: str) -> bool:
        """Say whether *name* is a folder, and no link to one."""
        return stat.S_ISDIR(os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mode)

    def size(self, name: str) -> int | None:
        """Return the bytes of the plain file *name*, or None when there is none."""
        try:
            seen = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return None
        return seen.st_size if stat.S_ISREG(seen.st_mode) else None

    def read(self, name: str, limit: int) -> bytes:
        """Return the bytes of a plain file.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is a link, a folder, a pipe or a device, or larger than *limit* bytes.
        """
        _require_plain(os.stat(name, dir_fd=self.descriptor, follow_symlinks=False))
        # Looked at before, for opening a device can do something; and after, for it may have been changed meanwhile.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.descriptor)
        with os.fdopen(opened, "rb") as stream:
            _require_plain(os.fstat(opened))
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"larger than {limit:,} bytes")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Make *name* a file with *content*: a reader sees the old or the new one, never half of one."""
        unfinished = f"{UNFINISHED}{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(unfinished, flags, 0o600, dir_fd=self.descriptor), "wb") as stream:
            stream.write(content)
        try:
            os.rename(unfinished, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except IsADirectoryError:
            shutil.rmtree(name, ignore_errors=True, dir_fd=self.descriptor)
            os.rename(unfinished, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def write_json(self, name: str, document: object) -> None:
        """Write *document* for agents to read."""
        self.write(name, json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8"))

    def remove(self, name: str) -> None:
        """Take *name* away, with all that is in it; nothing happens when it is not there."""
        with suppress(FileNotFoundError):
            if self.is_folder(name):
                shutil.rmtree(name, ignore_errors=True, dir_fd=self.descriptor)
            else:
                os.unlink(name, dir_fd=self.descriptor)


@contextmanager
def own_folder(path: Path, *, make: bool = True) -> Iterator[Folder]:
    """Open *path* in a place where others may write too, such as the temporary directory.

    Raises:
        NotReady: it is a link, no folder, or somebody else's.
        FileNotFoundError: it is not there and *make* is false.
    """
    if make:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    try:
        descriptor = os.open(path, _FOLDER)
    except FileNotFoundError:
        if make:
            raise NotReady(f"{path} cannot be made", hint="set TMPDIR to a folder that exists") from None
        raise
    except OSError as error:
        raise _not_ours(path) from error
    try:
        seen = os.fstat(descriptor)
        if seen.st_uid != os.getuid():
            raise _not_ours(path)
        if stat.S_IMODE(seen.st_mode) & 0o077:
            os.fchmod(descriptor, 0o700)
        yield Folder(path, descriptor)
    finally:
        os.close(descriptor)


def value_of(content: bytes) -> Any:
    """Return the JSON value that a file holds.

    Raises:
        ValueError: it is not JSON in UTF-8 as every reader understands it, or nests too deep; says in a few words why.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    _require_flat(text)
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    json_text(value)
    return value


def json_text(value: object) -> str:
    """Return *value* as JSON text.

    Raises:
        ValueError: it is not a JSON value, has text that is not Unicode, or nests too deep.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("it has half a character in it (a lone surrogate)") from error
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a JSON value: {error}") from error
    _require_flat(text)
    return text


def _require_flat(text: str) -> None:
    """Refuse deep nesting before a parser goes down into it. Brackets inside strings do not count."""
    if text.count("[") + text.count("{") <= DEPTH_LIMIT:
        return
    depth, inside, escaped = 0, False, False
    for one in text:
        if inside:
            if escaped:
                escaped = False
            elif one == "\\":
                escaped = True
            elif one == '"':
                inside = False
        elif one == '"':
            inside = True
        elif one in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise ValueError(f"nested deeper than {DEPTH_LIMIT} levels")
        elif one in "]}":
            depth -= 1


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _make(name: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)


def _require_plain(seen: os.stat_result) -> None:
    if stat.S_ISLNK(seen.st_mode) or (stat.S_ISREG(seen.st_mode) and seen.st_nlink > 1):
        raise ValueError("a link; leave the file itself")
    if stat.S_ISDIR(seen.st_mode):
        raise ValueError("a folder; leave single files")
    if not stat.S_ISREG(seen.st_mode):
        raise ValueError("not a regular file")


def _not_ours(path: Path) -> NotReady:
    return NotReady(
        f"{path} is not ours", hint="another user made it; set TMPDIR to a folder of your own and start again"
    )
