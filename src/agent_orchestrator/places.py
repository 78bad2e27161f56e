"""Where things are: the project a folder lies in, what we remember of it, the user's own configuration.

Needs the environment and the file system, and no setting: what only looks at a project pays for nothing more.
"""

import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

CONFIG_FOLDER = ".orchestrate"
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


def project_state(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return where everything about the project at *folder* is kept: outside it, beyond ``git clean`` and syncing."""
    real = folder.resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", real.name).strip("-.") or "root"
    return state_home(environ) / f"{name[:40]}-{zlib.crc32(os.fsencode(real)):08x}"


def database_path(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the project's database file; ``ORCHESTRATE_DB`` overrides it."""
    override = environ.get("ORCHESTRATE_DB")
    return Path(override).absolute() if override else project_state(folder, environ) / "tasks.db"
