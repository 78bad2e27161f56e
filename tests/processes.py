"""The processes of a project as the kernel knows them: what /proc says, whatever our own records say."""

import os
from collections.abc import Iterator
from pathlib import Path

MARK = b"ORCHESTRATE_RUN_ID="


def marked(place: Path) -> dict[int, str]:
    """Return pid and attempt of every living process that carries an attempt's mark and knows of *place*."""
    found = {}
    for entry in _others():
        try:
            environ = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if MARK in environ and os.fsencode(place) in environ and state not in "ZX":
            words = [word for word in environ.split(b"\0") if word.startswith(MARK)]
            found[int(entry.name)] = words[0].removeprefix(MARK).decode() if words else ""
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
    for entry in _others():
        try:
            yield int(entry.name), (entry / "cmdline").read_bytes()
        except OSError:
            continue


def _others() -> Iterator[Path]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield entry
