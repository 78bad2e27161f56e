"""Making sure that checks in a checkout run the checkout's code, with the user's tools.

The tools (pytest and all it needs) are often in a ``.venv`` in the user's folder,
and that one has the project itself installed *editable*: ``import shop`` finds
the user's files, so a broken checkout would pass its tests. Two things keep
that from happening: the checkout's folders come first in ``PYTHONPATH``, and
``guard/sitecustomize.py`` turns whatever still leads to the user's sources.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

VENVS = (".venv", "venv")
"""Where tools put a project's virtual environment."""
PORT_BASE = 20_000
PORTS_PER_SLOT = 20
_SLOTS = 600
_GUARD = Path(__file__).parent / "guard"
_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "pytest.ini")


def ports(slot: int) -> int:
    """Return ``ORCHESTRATE_PORT_BASE`` for *slot*, an agent's place among those running: 20 ports from there are its.

    20000 to 31999 lies below the ranges systems hand out for outgoing connections (32768 and up on Linux, 49152 and
    up on macOS).
    """
    return PORT_BASE + PORTS_PER_SLOT * (slot % _SLOTS)


def check_environment(
    project: Path, checkout: Path, environment: Mapping[str, str], *, top: Path | None = None
) -> dict[str, str]:
    """Return *environment* with ``CI=1``, the user's tools on ``PATH`` and the checkout first in import resolution.

    *project* and *checkout* are the corresponding folders in the user's files and
    in the checkout; *top* is the checkout's topmost folder if that is another.
    Entries of ``PATH``, ``PYTHONPATH`` and ``NODE_PATH`` that lead into the user's
    files are turned to their counterparts, but for a virtual environment's tools.
    """
    project, checkout = Path(project).resolve(), Path(checkout).resolve()
    top = Path(top).resolve() if top else checkout
    levels = len(checkout.relative_to(top).parts)
    user_top = project.parents[levels - 1] if levels else project
    found = dict(environment) | {"CI": "1"}
    found.pop("PYTHONHOME", None)
    for name in ("PYTHONPATH", "NODE_PATH"):
        entries = [_turned(entry, user_top, top) for entry in found.get(name, "").split(os.pathsep) if entry]
        found[name] = os.pathsep.join(entries)
    path = [_turned(entry, user_top, top) for entry in found.get("PATH", os.defpath).split(os.pathsep) if entry]
    venv = _venv((checkout, project, user_top), found.get("VIRTUAL_ENV"))
    if venv is not None:
        found["VIRTUAL_ENV"] = str(venv)
        path.insert(0, str(venv / "bin"))
    found["PATH"] = os.pathsep.join(dict.fromkeys(path))
    if project != checkout and (venv is not None or any((checkout / mark).exists() for mark in _MARKS)):
        found["ORCHESTRATE_PROJECT_FILES"], found["ORCHESTRATE_CHECKOUT_FILES"] = str(user_top), str(top)
        entries = [str(_GUARD), *_import_folders(checkout), *found["PYTHONPATH"].split(os.pathsep)]
        found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, entries)))
    return {key: value for key, value in found.items() if value or key in environment}


def _turned(entry: str, user_top: Path, top: Path) -> str:
    """Return the folder that corresponds to *entry* in the checkout, if it is one of the user's files."""
    place = os.path.normpath(entry)
    if not place.startswith("/") or _within(place, str(top)) is not None:
        return entry
    # Nearly every entry lies elsewhere, and this is done for each of them at every start: as text.
    known = _within(place, str(user_top))
    known = _within(os.path.realpath(place), str(user_top)) if known is None else known
    tools = known is not None and any((Path(place).parent / mark).exists() for mark in ("pyvenv.cfg", "conda-meta"))
    return entry if known is None or tools else str(top / known)


def _within(place: str, folder: str) -> str | None:
    """Return *place* relative to *folder*, None when it is not below it; both are normal paths."""
    if place == folder:
        return "."
    inside = folder if folder.endswith("/") else f"{folder}/"
    return place[len(inside) :] if place.startswith(inside) else None


def _venv(places: tuple[Path, ...], active: str | None) -> Path | None:
    """Return the environment whose tools to use: the checkout's own, the project's, or the one that is active."""
    known = [place / name for place in places for name in VENVS]
    known += [Path(active)] if active else []
    return next((place for place in known if (place / "pyvenv.cfg").is_file() and (place / "bin").is_dir()), None)


def _import_folders(checkout: Path) -> Iterator[str]:
    if (checkout / "src").is_dir():
        yield str(checkout / "src")
        modules = {
            entry.stem for entry in checkout.iterdir() if entry.suffix == ".py" or (entry / "__init__.py").exists()
        }
        if modules & sys.stdlib_module_names:
            return  # in front of the standard library such a folder would break every tool
    yield str(checkout)
