"""The processes of a project as the kernel knows them: what /proc says, whatever our own records say."""

import os
from collections.abc import Iterator
from pathlib import Path

MARK = b"ORCHESTRATE_RUN_ID="


def marked(place: Path) -> dict[int, str]:
    """Return pid and attempt of every living process that carries an attempt's mark and knows of *place*."""
    found, name = {}, os.fsencode(place)
    for pid in _others():
        environ = _read(f"/proc/{pid}/environ")
        if MARK in environ and name in environ and _lives(pid):
            words = [word for word in environ.split(b"\0") if word.startswith(MARK)]
            found[pid] = words[0].removeprefix(MARK).decode() if words else ""
    return found


def minders(state: Path) -> list[int]:
    """Return the minders whose attempts are kept below *state*."""
    return [pid for pid, words in _commands() if b"minder" in words and os.fsencode(state) in words]


def naming(place: Path) -> dict[int, str]:
    """Return pid and command line of every other process whose command line names *place*."""
    return {
        pid: words.replace(b"\0", b" ").decode(errors="replace")
        for pid, words in _commands()
        if os.fsencode(place) in words
    }


def holders(files: dict[int, str]) -> set[tuple[str, int]]:
    """Return which of *files* (inode to name) are locked by `flock` now, each with its holder's pid. No lock is tried.

    Who tried one would be seen by the one who wants it.
    """
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and (name := files.get(int(words[5].rsplit(":", 1)[1]))) is not None:
            found.add((name, int(words[4])))
    return found


def _commands() -> Iterator[tuple[int, bytes]]:
    for pid in _others():
        yield pid, _read(f"/proc/{pid}/cmdline")


def _lives(pid: int) -> bool:
    return _read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1] not in {b"", b"Z", b"X"}


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _read(file: str) -> bytes:
    """Return the content of one of /proc's files; nothing when its process is gone, or not ours to look at."""
    try:
        with open(file, "rb", buffering=0) as opened:
            return opened.read()
    except OSError:
        return b""
