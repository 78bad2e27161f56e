"""Where things are: the project a folder lies in, what we remember of it, the user's own configuration.

It needs the environment and the file system but no setting, so a command that only looks at a project loads little.
"""

import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

CONFIG_FOLDER = ".orchestrate"
_OWNER = "project.json"
"""In a project's state folder: which project that is. Its name is only a hash of the path."""
_DOT_ENV_NAMES = frozenset({"ANTHROPIC_API_KEY", "MAX_AGENTS", "USE_API_MODE"})
"""Names a project's ``.env`` may set. Endpoints, paths and commands are not among them."""


def with_dot_env(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with the allowed names of the user's and the project's ``.env``; real variables win."""
    found = dict(environ)
    for file, allowed in ((folder / ".env", _DOT_ENV_NAMES), (config_home(environ) / ".env", None)):
        if not file.is_file():
            continue
        from dotenv import dotenv_values

        for name, value in dotenv_values(file, interpolate=False).items():
            ours = allowed is None and (name in _DOT_ENV_NAMES or name.startswith("ORCHESTRATE_"))
            if value and (ours or (allowed is not None and name in allowed)):
                found.setdefault(name, value)
    return found


def config_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's own configuration."""
    return (
        Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".config")
        / "orchestrate"
    )


def state_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of everything we remember.

    The same place on macOS: its usual folder has a space in its name, which breaks builds in checkouts kept there.
    """
    home = Path(environ.get("HOME") or "~").expanduser()
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "orchestrate"


def project_folder(start: Path) -> Path:
    """Return the project *start* lies in: the nearest folder upward with ``.orchestrate`` or ``.git``, else itself.

    The user's home folder is never taken for a project just because it is under version control.
    """
    start = start.resolve()
    home = Path(os.environ.get("HOME") or "/nonexistent")
    for folder in (start, *start.parents):
        if folder != start and folder == home:
            break
        if (folder / CONFIG_FOLDER).is_dir() or (folder / ".git").exists():
            return folder
    return start


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


def checkout(start: Path, environ: Mapping[str, str]) -> Checkout | None:
    """Return the agent's checkout that *start* lies in, or None.

    A checkout is a repository of its own and would pass for a project; what an agent asks there is meant for the
    user's project.
    """
    home = os.path.realpath(state_home(environ))
    place = os.path.realpath(start)
    if not place.startswith(home + os.sep):
        return None
    name, _, rest = place[len(home) + 1 :].partition(os.sep)
    kind, _, rest = rest.partition(os.sep)
    owner = Path(home, name, _OWNER)
    if kind != "checkouts" or not rest or not owner.is_file():
        return None
    import json

    try:
        known = json.loads(owner.read_text(encoding="utf-8"))
        return Checkout(Path(known["folder"]), Path(known["database"]), rest.partition(os.sep)[0])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def project_state(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return where everything about the project at *folder* is kept: outside it, beyond ``git clean`` and syncing."""
    real = folder.resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", real.name).strip("-.") or "root"
    return state_home(environ) / f"{name[:40]}-{zlib.crc32(os.fsencode(real)):08x}"


def database_path(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the project's database file; ``ORCHESTRATE_DB`` overrides it."""
    override = environ.get("ORCHESTRATE_DB")
    return Path(override).absolute() if override else project_state(folder, environ) / "tasks.db"
