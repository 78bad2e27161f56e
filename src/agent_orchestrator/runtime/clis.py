"""Which agent CLIs are on this machine, where, and in which version."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.domain.text import clean
from agent_orchestrator.providers import Provider

VERSION_TIMEOUT_S = 20
"""A CLI that cannot say its version in 20 s will not do work either; slow disks need several seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A provider that can be started here."""

    path: str
    """Absolute, links resolved at the time of looking: an update in the middle of a run may replace the link."""
    version: str
    """First line of what it printed; ``unknown`` when it printed nothing usable."""


def find(provider: Provider, environ: Mapping[str, str]) -> Installed | None:
    """Return where *provider*'s executable is and its version, or None when it is not on PATH."""
    if provider.binary is None:
        return Installed(path="", version="built in")
    path = _executable(provider, environ)
    return None if path is None else Installed(path=path, version=_version(path, provider, environ))


def on_path(provider: Provider, environ: Mapping[str, str]) -> bool:
    """Say whether *provider* could be started here, without starting anything."""
    return provider.binary is None or shutil.which(provider.binary, path=environ.get("PATH")) is not None


def require(provider: Provider, environ: Mapping[str, str]) -> Installed:
    """Return where *provider*'s executable is.

    Raises:
        NotReady: it is not installed; the hint is the line that installs it.
    """
    found = find(provider, environ)
    if found is None:
        raise NotReady(f"{provider.name} is not installed ({provider.binary} is not on PATH)", hint=provider.install)
    return found


class Remembered:
    """What was found, for as long as the file that was asked stays the same: asking costs a process, for some a second.

    A program that was updated in the middle of a run is asked again.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Look in the PATH of *environ*."""
        self._environ = environ
        self._found: dict[str, tuple[tuple[int, ...], Installed]] = {}

    def require(self, provider: Provider) -> Installed:
        """Return where *provider*'s executable is. Raises NotReady when it is not there, or no longer."""
        path = _executable(provider, self._environ)
        identity = (
            () if path is None else _identity(path)
        )  # before it is asked: a swap meanwhile is then seen next time
        known = self._found.get(provider.name)
        if known is not None and identity and known[0] == identity and known[1].path == path:
            return known[1]
        found = require(provider, self._environ)
        self._found[provider.name] = identity, found
        return found


def _executable(provider: Provider, environ: Mapping[str, str]) -> str | None:
    path = None if provider.binary is None else shutil.which(provider.binary, path=environ.get("PATH"))
    return None if path is None else str(Path(path).absolute())


def _identity(path: str) -> tuple[int, ...]:
    """Return what changes when the program behind *path* does, links followed; empty when it has just gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _version(path: str, provider: Provider, environ: Mapping[str, str]) -> str:
    if not provider.version_argv:
        return "unknown"
    try:
        ran = subprocess.run(
            [path, *provider.version_argv],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = clean(ran.stdout.decode("utf-8", "replace")).strip().splitlines()
    return lines[0][:80] if ran.returncode == 0 and lines else "unknown"
