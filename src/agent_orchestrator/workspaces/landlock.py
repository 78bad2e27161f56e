"""Confine ourselves with Landlock, then become the command: the sandbox that needs no other program.

Run as a program, standard library only::

    python -I -S -E landlock.py '{"/": 1, "/home/ada": 0, "/home/ada/checkout": 2}' COMMAND [ARGUMENT...]

The rules say what may be done with a path and everything below it, the nearest one counting: 0 nothing, 1 read, 2 read
and write (`reach.Access`). They hold for the command and all that it starts, for ever: there is no way back. The
numbers are those of the kernel's ``linux/landlock.h`` (6.12, read November 2026).

A grant of the kernel covers everything below its path and nothing can be taken out of it again. So a folder with less
allowed somewhere below it is granted entry by entry. That is done here and not by our caller: a folder may have more
entries than a command line has room for (Linux takes 128 KiB an argument).

Not covered by it: connecting to Unix sockets, and changing a file's mode, owner and times.
"""

import ctypes
import errno
import json
import os
import stat
import struct
import sys
from collections.abc import Iterator, Mapping
from typing import NoReturn  # 3 ms; the command to come is slower

ABI_NEEDED = 2
"""Linux 5.19. The first version (5.13) refuses to move a file into another folder, whatever is granted: npm, cargo and
many more fail on that, so it is not used."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_CAPABILITIES = 64
"""More than there are. Root without them is a user like any other; with them it reads the environment of others since
Linux 6.16 (CAP_PERFMON), whatever Landlock says."""

_NOTHING, _MAY_READ, _MAY_WRITE = 0, 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE = 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
"""What may be granted on a file; the rest is about folders."""
_SIGNALS = 2
"""LANDLOCK_SCOPE_SIGNAL: no signals to processes outside."""


def abi() -> int:
    """Return the version of Landlock that this kernel offers, 0 when it offers none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))))


def confine(rules: Mapping[str, int]) -> None:
    """Let this process and its children do what *rules* say, and nothing elsewhere.

    Paths are absolute and without symbolic links; those that do not exist are left out. What is open already stays
    usable; regular files among the three standard descriptors can also be opened again, as ``> /dev/stderr`` does.

    Raises:
        OSError: the kernel refuses.
    """
    version = abi()
    everything = (1 << 13) - 1 | 1 << 13  # all of the first version, and moving between folders
    if version >= 3:
        everything |= _TRUNCATE
    ruleset = struct.pack("=QQQ", everything, 0, _SIGNALS) if version >= 6 else struct.pack("=Q", everything)
    libc = _libc()
    fd = _checked(libc.syscall(_CREATE_RULESET, ruleset, ctypes.c_size_t(len(ruleset)), ctypes.c_uint32(0)))
    for path, access in _grants(rules):
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        _grant(libc, fd, place, _READ if access == _MAY_READ else everything)
        os.close(place)
    for standard in (0, 1, 2):
        if stat.S_ISREG(os.fstat(standard).st_mode):
            _grant(libc, fd, standard, everything)
    if os.geteuid() == 0:
        for capability in range(_CAPABILITIES):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # what the kernel does not know it refuses
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(fd), ctypes.c_uint32(0)))
    os.close(fd)


def _grants(rules: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Give what to grant. In a folder that is granted entry by entry, as it is now, nothing new can be made."""
    for path, access in rules.items():
        if access != _NOTHING:
            less = [one for one, its in rules.items() if its < access and _is_below(one, path)]
            for granted in _without(path, less):
                yield granted, access


def _without(path: str, less: list[str]) -> Iterator[str]:
    if path in less:
        return
    if not any(_is_below(one, path) for one in less):
        yield path
        return
    try:
        entries = [entry.path for entry in os.scandir(path) if not entry.is_symlink()]
    except OSError:
        return
    for entry in entries:
        yield from _without(entry, less)


def _is_below(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def _grant(libc: ctypes.CDLL, ruleset: int, place: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        rights &= _OF_FILES
    rule = struct.pack("=Qi", rights, place)
    try:
        _checked(libc.syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0)))
    except OSError as error:
        if error.errno != errno.EBADFD:  # a pipe or a socket: not part of any file system, and not governed
            raise


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "Landlock")
    return result


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def main(argv: list[str]) -> None:
    """Run the program; see the module's docstring. Ends with 126 when it cannot confine, 127 without the command."""
    try:
        confine(json.loads(argv[1]))
    except (OSError, ValueError) as error:
        _end(126, f"cannot confine: {error}")
    try:
        os.execvp(argv[2], argv[2:])  # noqa: S606  no shell is what we want
    except OSError as error:
        _end(127, f"cannot execute {argv[2]!r}: {error.strerror}")


def _end(code: int, text: str) -> NoReturn:
    sys.stderr.write(f"sandbox: {text}\n")
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv)
