"""Runs at the start of every Python in a check: what would be imported from the user's files comes from the checkout.

The user's virtual environment usually has the project installed *editable*: a
``.pth`` line, or a finder in ``sys.meta_path``, that leads to the user's files.
Naming the checkout in ``PYTHONPATH`` beats most of these, but not a finder that
puts itself first (meson-python, scikit-build-core), and not for a package the
agent renamed: then the user's old copy would be found, and a broken checkout
would pass. Here both are turned to the checkout, or refused.

Written for any Python 3.6 or newer the user may have; standard library only, and no pathlib: every start pays for it.
"""
# ruff: noqa: PTH100, PTH110, PTH112, PTH118, PTH120

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location

_THEIRS = os.environ.get("ORCHESTRATE_PROJECT_FILES", "")
_OURS = os.environ.get("ORCHESTRATE_CHECKOUT_FILES", "")
_HERE = os.path.dirname(os.path.abspath(__file__))
_LIBRARIES = tuple(os.path.realpath(os.path.join(at, "lib")) + os.sep for at in (sys.prefix, sys.base_prefix))
"""An interpreter may lie in the project, as a conda environment does; it is a tool, not a source."""


def _turned(path: str) -> str:
    """Return the checkout's counterpart of *path*; *path* itself when it is none of the user's sources."""
    place = os.path.realpath(path)
    if not (place + os.sep).startswith(_THEIRS + os.sep) or (place + os.sep).startswith((_OURS + os.sep, *_LIBRARIES)):
        return path
    folder = place
    while len(folder) > len(_THEIRS):  # an environment in the project holds tools, not the project
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            return path
        folder = os.path.dirname(folder)
    return _OURS + place[len(_THEIRS) :]


class _Guard:
    """Asks all finders, and turns what they find."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):  # type: ignore[no-untyped-def]  # its types would have to be imported
        refused = None
        for finder in list(sys.meta_path):
            ask = getattr(finder, "find_spec", None)
            spec = None if finder is cls or ask is None else ask(name, path, target)
            if spec is None:
                continue
            found = spec.origin if spec.has_location else None
            folders = [str(folder) for folder in spec.submodule_search_locations or ()]
            moved = [_turned(folder) for folder in folders]
            if (found is None or _turned(found) == found) and moved == folders:
                return spec
            refused = found or folders[0]
            if found is None:
                kept = [folder for folder in moved if os.path.isdir(folder)]
                spec = PathFinder.find_spec(name, [os.path.dirname(folder) for folder in kept]) if kept else None
                if spec is not None:
                    return spec
            elif os.path.exists(_turned(found)):
                return spec_from_file_location(
                    name, _turned(found), submodule_search_locations=moved if spec.submodule_search_locations else None
                )
        if refused is not None:
            raise ModuleNotFoundError(
                f"No module named {name!r} in the checkout; the user's own, {refused}, is not used",
                name=name,
            )
        return None


def _other_sitecustomize() -> None:
    """Run the ``sitecustomize`` that this one hides, if there is one."""
    rest = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


if _THEIRS and _OURS:
    sys.path[:] = [_turned(entry) if entry else entry for entry in sys.path]
    sys.meta_path.insert(0, _Guard)
if __name__ == "sitecustomize":
    _other_sitecustomize()
