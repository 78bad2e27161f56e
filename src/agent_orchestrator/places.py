"""Where things are: the project a folder lies in, what we remember of it, the user's own configuration.

It needs the environment and the file system but no setting, so a command that only looks at a project loads little.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple  # no pathlib: a quarter of what looking at a project cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CONFIG_FOLDER = ".orchestrate"
_OWNER = "project.json"
"""In a project's state folder: which project that is. Its name is only a hash of the path."""
_DOT_ENV_NAMES = frozenset({"ANTHROPIC_API_KEY", "MAX_AGENTS", "USE_API_MODE"})
"""Names a project's ``.env`` may set. Endpoints, paths and commands are not among them."""


def with_dot_env(folder: Path | str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with the allowed names of the user's and the project's ``.env``; real variables win."""
    found = dict(environ)
    for file, allowed in ((f"{folder}/.env", _DOT_ENV_NAMES), (f"{_config_home(environ)}/.env", None)):
        if not os.path.isfile(file):  # noqa: PTH113
            continue
        from dotenv import dotenv_values

        for name, value in dotenv_values(file, interpolate=False).items():
            ours = allowed is None and (name in _DOT_ENV_NAMES or name.startswith("ORCHESTRATE_"))
            if value and (ours or (allowed is not None and name in allowed)):
                found.setdefault(name, value)
    return found


def config_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's own configuration."""
    return _path(_config_home(environ))


def project_at(start: Path | str) -> str:
    """Return the project *start* lies in: the nearest folder upward with ``.orchestrate`` or ``.git``, else itself.

    The user's home folder is never taken for a project just because it is under version control.
    """
    here = os.path.realpath(start)
    home = _plain(os.environ.get("HOME") or "/nonexistent")
    for folder in (here, *_above(here)):
        if folder != here and folder == home:
            break
        if os.path.isdir(f"{folder}/{CONFIG_FOLDER}") or os.path.exists(f"{folder}/.git"):  # noqa: PTH110, PTH112
            return folder
    return here


class Checkout(NamedTuple):
    """A folder of ours in which an agent works, and the user's project that it belongs to."""

    project: Path
    database: Path
    attempt: str
    """The attempt that it was made for, such as ``t4hw9ab.1``."""


def remember_project(state: Path, folder: Path, database: Path) -> None:
    """Write down whose the folder *state* is, so that an agent in a checkout below it is led to its project."""
    import json

    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = state / f".{_OWNER}.{os.getpid()}"
    unfinished.write_text(json.dumps({"folder": str(folder), "database": str(database)}), encoding="utf-8")
    unfinished.replace(state / _OWNER)


def checkout(start: Path | str, environ: Mapping[str, str]) -> Checkout | None:
    """Return the agent's checkout that *start* lies in, or None.

    A checkout is a repository of its own and would pass for a project; what an agent asks there is meant for the
    user's project.
    """
    home = os.path.realpath(_state_home(environ))
    place = os.path.realpath(start)
    if not place.startswith(home + os.sep):
        return None
    name, _, rest = place[len(home) + 1 :].partition(os.sep)
    kind, _, rest = rest.partition(os.sep)
    owner = _path(f"{home}/{name}/{_OWNER}")
    if kind != "checkouts" or not rest or not owner.is_file():
        return None
    import json

    try:
        known = json.loads(owner.read_text(encoding="utf-8"))
        return Checkout(_path(known["folder"]), _path(known["database"]), rest.partition(os.sep)[0])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def project_state(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return where everything about the project at *folder* is kept: outside it, beyond ``git clean`` and syncing."""
    return _path(_project_state(folder, environ))


def database_path(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the project's database file; ``ORCHESTRATE_DB`` overrides it."""
    return _path(database_at(folder, environ))


def database_at(folder: Path | str, environ: Mapping[str, str]) -> str:
    """Return the same as :func:`database_path`, as text."""
    override = environ.get("ORCHESTRATE_DB")
    if override:
        return _plain(override if override.startswith("/") else f"{os.getcwd()}/{override}")  # noqa: PTH109
    return f"{_project_state(folder, environ)}/tasks.db"


def _config_home(environ: Mapping[str, str]) -> str:
    return _plain(f"{environ.get('XDG_CONFIG_HOME') or f'{_home(environ)}/.config'}/orchestrate")


def _state_home(environ: Mapping[str, str]) -> str:
    """Return the folder of everything we remember, of all projects.

    The same place on macOS: its usual folder has a space in its name, which breaks builds in checkouts kept there.
    """
    return _plain(f"{environ.get('XDG_STATE_HOME') or f'{_home(environ)}/.local/state'}/orchestrate")


def _project_state(folder: Path | str, environ: Mapping[str, str]) -> str:
    real = os.path.realpath(folder)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", real.rpartition("/")[2]).strip("-.") or "root"
    return f"{_state_home(environ)}/{name[:40]}-{zlib.crc32(os.fsencode(real)):08x}"


def _home(environ: Mapping[str, str]) -> str:
    return os.path.expanduser(environ.get("HOME") or "~")  # noqa: PTH111


def _above(folder: str) -> Iterator[str]:
    while folder != "/":
        folder = folder.rpartition("/")[0] or "/"
        yield folder


def _plain(place: str) -> str:
    """Return *place* as a Path writes it: without doubled slashes and dots that stand for the folder itself."""
    names = "/".join(name for name in place.split("/") if name not in ("", "."))
    return f"/{names}" if place.startswith("/") else names or "."


def _path(place: str) -> Path:
    from pathlib import Path

    return Path(place)
