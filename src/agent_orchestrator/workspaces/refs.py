"""What an agent's checkout shows of the user's branches, remote branches and tags, asked of git only when one moved.

Each checkout lists them, and between two checkouts they hardly ever change, while ours do with every landing. Git
replaces the file of a ref by another one whenever it moves, so files that are the same by inode, size and time of
change hold the same refs. Looking at them takes a tenth of the processor time of a ``git for-each-ref``.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

KINDS = ("refs/heads", "refs/remotes", "refs/tags")
"""What is shown. Notes, replacements and refs of other tools stay with the user."""
_LISTS = ("packed-refs", "reftable/tables.list")
"""Files that name many refs at once: the second in a repository of git's newer format (git 2.45)."""

Sign = tuple[tuple[str, int, int, int], ...]


class ShownRefs:
    """The refs of one repository, as lines of a ``packed-refs`` file. Safe to use from several threads."""

    def __init__(self, common: Path, *, hidden: str, read: Callable[[], bytes]) -> None:
        """Serve the repository whose refs are in *common*; *read* lists them all, and those under *hidden* are ours."""
        self._common = common
        self._hidden = hidden
        self._read = read
        self._lock = threading.Lock()
        self._known: tuple[Sign, bytes] | None = None

    def lines(self) -> bytes:
        """Return the refs as they are now."""
        with self._lock:
            sign = self._sign()  # before they are read: what moves in between is seen the next time
            if sign is not None and self._known is not None and self._known[0] == sign:
                return self._known[1]
            ours = f" {self._hidden}/".encode()
            lines = b"".join(line for line in self._read().splitlines(keepends=True) if ours not in line)
            self._known = (sign, lines) if sign is not None else None
            return lines

    def _sign(self) -> Sign | None:
        """Return what changes with every ref that is shown; None when a file cannot be looked at."""
        seen = []
        try:
            for name in _LISTS:
                with suppress(FileNotFoundError):
                    seen.append(_seen(self._common / name))
            seen += [_seen(entry) for entry in self._loose()]
        except OSError:
            return None
        return tuple(sorted(seen))

    def _loose(self) -> Iterator[os.DirEntry[str]]:
        """Return the files that hold one ref each. Raises OSError when a folder cannot be read."""
        waiting = list(KINDS)
        while waiting:
            folder = waiting.pop()
            if folder == self._hidden:
                continue
            with suppress(FileNotFoundError), os.scandir(self._common / folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}/{entry.name}")
                    else:
                        yield entry


def _seen(file: Path | os.DirEntry[str]) -> tuple[str, int, int, int]:
    status = file.stat()
    return os.fspath(file), status.st_ino, status.st_size, status.st_mtime_ns
