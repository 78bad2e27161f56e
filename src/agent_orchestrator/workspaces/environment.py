"""Making sure that checks in a checkout run the checkout's code, with the user's tools.

The tools (pytest, a test runner, their dependencies) are often in a ``.venv`` in
the user's folder, and that one has the project itself installed *editable*: an
entry that sends ``import shop`` to the user's files. A broken checkout would pass
its tests. Python searches in this order (checked with CPython 3.11, setuptools
and hatchling layouts, 2025): ``PYTHONPATH``, the standard library,
site-packages, the entries of ``.pth`` files, and last the import finders that
setuptools appends to ``sys.meta_path``. So naming the checkout's folders in
``PYTHONPATH`` wins over all of these. Tools that put a finder *first* (meson-python,
scikit-build-core) cannot be beaten that way: with such a one the user's ``.venv`` is not used.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

VENVS = (".venv", "venv")
"""Where tools put a project's virtual environment."""
PORT_BASE = 20_000
PORTS_PER_SLOT = 20
_SLOTS = 600
_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "pytest.ini")
_MAPPING = re.compile(r"^MAPPING(?::[^=]*)?=\s*(\{.*?\})\s*$", re.M | re.S)


def ports(slot: int) -> int:
    """Return ``ORCHESTRATE_PORT_BASE`` for *slot*, an agent's place among those running: 20 ports from there are its.

    20000 is below the range systems hand out for outgoing connections (32768 on Linux, 49152 on macOS).
    """
    return PORT_BASE + PORTS_PER_SLOT * (slot % _SLOTS)


def check_environment(
    project: Path, checkout: Path, environment: Mapping[str, str], *, top: Path | None = None
) -> dict[str, str]:
    """Return *environment* with ``CI=1``, the user's tools on ``PATH`` and the checkout first in import resolution.

    *project* and *checkout* are the corresponding folders in the user's files and
    in the checkout; *top* is the checkout's topmost folder if that is another. Any
    ``PYTHONPATH``, ``NODE_PATH`` or ``PATH`` entry in the user's files is turned to its counterpart,
    but for the tools of a virtual environment.
    """
    project, checkout = Path(project).resolve(), Path(checkout).resolve()
    top = Path(top).resolve() if top else checkout
    user_top = _up(project, len(checkout.relative_to(top).parts))
    turned = _Turned(user_top=user_top, top=top)
    found = dict(environment)
    found["CI"] = "1"
    for name in ("PYTHONPATH", "NODE_PATH"):
        if found.get(name):
            found[name] = os.pathsep.join(turned.path(entry) for entry in found[name].split(os.pathsep) if entry)
    venv = _venv(project, checkout, user_top, found.get("VIRTUAL_ENV"))
    entries = [entry for entry in found.get("PATH", os.defpath).split(os.pathsep) if entry]
    entries = [entry if _is_tools(Path(entry)) else turned.path(entry) for entry in entries]
    found.pop("PYTHONHOME", None)
    if venv is None or (beyond_us(venv, user_top) and not venv.is_relative_to(top)):
        found.pop("VIRTUAL_ENV", None)
        entries = [entry for entry in entries if venv is None or Path(entry) != venv / "bin"]
    else:
        found["VIRTUAL_ENV"] = str(venv)
        entries = [str(venv / "bin"), *(entry for entry in entries if entry != str(venv / "bin"))]
    found["PATH"] = os.pathsep.join(entries)
    if venv is not None or any((checkout / mark).exists() for mark in _MARKS):
        ours = [*_import_folders(checkout), *_editable_folders(venv, turned)]
        rest = found.get("PYTHONPATH", "").split(os.pathsep)
        found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(entry for entry in (*ours, *rest) if entry))
    return found


def beyond_us(venv: Path, user_top: Path) -> tuple[str, ...]:
    """Return the files in *venv* that send imports to *user_top* ahead of ``PYTHONPATH``."""
    finders = []
    for site in _sites(venv):
        for file in site.glob("*.py"):
            if "editable" not in file.name or file.name.startswith("__editable__"):
                continue
            text = file.read_text("utf-8", "replace")
            if str(user_top) in text:
                finders.append(file.name)
        for file in site.glob("__editable__*finder.py"):
            theirs = {name: at for name, at in _mapping(file).items() if Path(at).is_relative_to(user_top)}
            if any(_import_root(name, at) is None for name, at in theirs.items()):
                finders.append(file.name)  # a package whose folder has another name: no search path can say that
    return tuple(sorted(finders))


class _Turned:
    """Turns paths in the user's files into their counterparts in the checkout."""

    def __init__(self, *, user_top: Path, top: Path) -> None:
        self.user_top, self.top = user_top, top

    def path(self, entry: str) -> str:
        place = Path(os.path.normpath(entry))
        if place.is_relative_to(self.top) or not place.is_absolute():
            return entry
        for known in (place, place.resolve()):
            if known.is_relative_to(self.user_top):
                return str(self.top / known.relative_to(self.user_top))
        return entry


def _up(path: Path, levels: int) -> Path:
    return path.parents[levels - 1] if levels else path


def _is_tools(folder: Path) -> bool:
    """Say whether *folder* is the ``bin`` of a virtual environment."""
    return (folder.parent / "pyvenv.cfg").is_file()


def _venv(project: Path, checkout: Path, user_top: Path, active: str | None) -> Path | None:
    """Return the environment whose tools to use: the checkout's own, the project's, or the one that is active."""
    places = [checkout, *([project] if project == user_top else [project, user_top])]
    known = [place / name for place in places for name in VENVS]
    if active:
        known.append(Path(active))
    return next((place for place in known if (place / "pyvenv.cfg").is_file() and (place / "bin").is_dir()), None)


def _import_folders(checkout: Path) -> Iterator[str]:
    source = checkout / "src"
    if source.is_dir():
        yield str(source)
        modules = {
            entry.stem for entry in checkout.iterdir() if entry.suffix == ".py" or (entry / "__init__.py").exists()
        }
        if modules & sys.stdlib_module_names:
            return  # such a folder in front of the standard library would break every tool
    yield str(checkout)


def _editable_folders(venv: Path | None, turned: _Turned) -> Iterator[str]:
    """Yield the checkout's counterparts of all folders of the user's that *venv* imports from."""
    for site in _sites(venv) if venv else ():
        for file in sorted(site.glob("*.pth")):
            for line in file.read_text("utf-8", "replace").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    yield from _counterpart(os.path.join(site, line.strip()), turned)  # noqa: PTH118  keeps ".."
        for file in sorted(site.glob("__editable__*finder.py")):
            for name, at in _mapping(file).items():
                if (root := _import_root(name, at)) is not None:
                    yield from _counterpart(str(root), turned)


def _counterpart(folder: str, turned: _Turned) -> Iterator[str]:
    place = turned.path(folder)
    if place != folder and Path(place).is_relative_to(turned.top) and Path(place).is_dir():
        yield place


def _import_root(name: str, at: str) -> Path | None:
    """Return the folder from which module *name* is found at path *at*; None when their names differ."""
    parts = name.split(".")
    place = Path(at).with_suffix("") if at.endswith(".py") else Path(at)
    return place.parents[len(parts) - 1] if list(place.parts[-len(parts) :]) == parts else None


def _mapping(file: Path) -> dict[str, str]:
    """Return package name to folder from a finder that setuptools wrote (since 64, 2022)."""
    found = _MAPPING.search(file.read_text("utf-8", "replace"))
    try:
        mapping = ast.literal_eval(found[1]) if found else {}
    except (ValueError, SyntaxError):
        return {}
    return {str(name): str(target) for name, target in mapping.items()} if isinstance(mapping, dict) else {}


def _sites(venv: Path) -> list[Path]:
    return sorted(venv.glob("lib/python3*/site-packages"))
