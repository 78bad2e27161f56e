"""What makes a checkout usable: files that were never committed, dependencies, the operator's set-up command.

Everything is copied, nothing linked: a link lets a check read the user's files
where it should read the checkout's, and lets an agent write to them.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import Setup
from agent_orchestrator.workspaces.environment import check_environment, ports

__all__ = ["DEPENDENCIES", "Ready", "check_environment", "make_usable", "ports", "user_modules", "without_venv"]

COPY_LIMIT_BYTES = 100 * 1024 * 1024
"""For one entry of ``Setup.copy``: it is meant for settings and fixtures."""
DEPENDENCIES_LIMIT_BYTES = 2 * 1024 * 1024 * 1024
DEPENDENCIES_LIMIT_FILES = 300_000
"""For one ``node_modules``. Beyond that a set-up command with the package manager's cache is quicker than a copy."""
PACKAGE_DEPTH = 3
"""How far below the top packages of a workspace are looked for."""
DEPENDENCIES = ("node_modules/", ".venv/", "venv/")
"""Folders that hold what was installed, never what was built from the project's own sources."""
_INSTALLERS = ("npm ", "npm\t", "pnpm", "yarn", "bun ")
_TAIL_BYTES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What set-up did."""

    notes: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()
    """What was put into the checkout, relative to its top; folders end in ``/``. Nobody's work."""


def make_usable(*, project: Path, project_top: Path, checkout: Path, checkout_top: Path, setup: Setup) -> Ready:
    """Make *checkout* usable, from the files in *project*; both may lie below their repositories' tops.

    Files that are already there are left alone.

    Raises:
        WorkspaceProblem: the set-up command failed or took too long; its last words are in the message.
    """
    notes: list[str] = []
    copied: list[str] = []
    below = checkout.relative_to(checkout_top)
    for name in setup.copy:
        if _copy_entry(project, checkout, name, notes):
            copied.append((below / name).as_posix() + ("/" if (checkout / name).is_dir() else ""))
    if setup.command is None or not any(word in f"{setup.command} " for word in _INSTALLERS):
        for folder in _packages(checkout_top):
            if _copy_modules(project_top, checkout_top, folder, notes):
                copied.append((folder / "node_modules").as_posix() + "/")
    if setup.command is not None:
        checkout.mkdir(parents=True, exist_ok=True)
        environment = without_venv(_plain_environment(), project_top) | {"CI": "1"} | dict(setup.environment)
        argv: tuple[str, ...] = ("sh", "-c", setup.command)
        if setup.sandbox is not None:
            confined = setup.sandbox.around(argv, write=(checkout_top,))
            argv, environment = confined.argv, environment | dict(confined.environment)
        _run(setup.command, argv, checkout, environment, setup.timeout_s)
    return Ready(notes=tuple(notes), copied=tuple(copied))


def user_modules(project_top: Path) -> str:
    """Return what changes when the user installs other packages: npm rewrites these with every install."""
    seen = []
    for place in (project_top / "node_modules", project_top / "node_modules" / ".package-lock.json"):
        with suppress(OSError):
            seen.append(str(place.stat().st_mtime_ns))
    return "-".join(seen)


def without_venv(environment: Mapping[str, str], project_top: Path) -> dict[str, str]:
    """Return *environment* without any active virtual environment, or one in the user's project.

    With it on PATH, ``pip install -e .`` in a checkout would make the user's own
    environment import the checkout.
    """
    found = dict(environment)
    active = found.pop("VIRTUAL_ENV", None)
    found.pop("PYTHONHOME", None)
    gone = {str(Path(active) / "bin")} if active else set()
    entries = [entry for entry in found.get("PATH", os.defpath).split(os.pathsep) if entry and entry not in gone]
    kept = [
        entry
        for entry in entries
        if not ((Path(entry).parent / "pyvenv.cfg").is_file() and Path(entry).resolve().is_relative_to(project_top))
    ]
    return found | {"PATH": os.pathsep.join(kept)}


def _plain_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def _copy_entry(project: Path, checkout: Path, name: str, notes: list[str]) -> bool:
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise WorkspaceProblem(f"cannot copy {name!r} into a checkout", hint="name a file inside the project folder")
    source, target = project / relative, checkout / relative
    if not source.exists() or os.path.lexists(target):
        return False
    size = source.stat().st_size if source.is_file() else _size(source)[0]
    if size > COPY_LIMIT_BYTES:
        notes.append(f"{name} was not copied: {size // 2**20} MiB is above {COPY_LIMIT_BYTES // 2**20} MiB")
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=False, ignore_dangling_symlinks=True)
    else:
        shutil.copy2(source, target)  # follows a link: the copy is a file
    return True


def _packages(top: Path) -> Iterator[Path]:
    """Yield the folders below *top*, relative to it, that hold a ``package.json``."""
    for here, folders, files in os.walk(top):
        relative = Path(here).relative_to(top)
        if "package.json" in files:
            yield relative
        deep = len(relative.parts) >= PACKAGE_DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if name not in (".git", "node_modules"))


def _copy_modules(project_top: Path, checkout_top: Path, folder: Path, notes: list[str]) -> bool:
    source, target = project_top / folder / "node_modules", checkout_top / folder / "node_modules"
    if source.is_symlink() or not source.is_dir() or os.path.lexists(target):
        return False
    name = (folder / "node_modules").as_posix()
    size, files = _size(source)
    if size > DEPENDENCIES_LIMIT_BYTES or files > DEPENDENCIES_LIMIT_FILES:
        notes.append(f"{name} was not copied: {files} files, {size // 2**20} MiB; use a set-up command instead")
        return False
    _copy_tree(source, target)
    _mend_links(source, target, project_top, checkout_top, notes)
    return True


def _copy_tree(source: Path, target: Path) -> None:
    # cp shares the blocks where the file system can (Btrfs, XFS, APFS), which Python 3.11 does not.
    reflink = ("--reflink=auto",) if os.uname().sysname == "Linux" else ("-c",)
    for extra in (reflink, ()):
        done = subprocess.run(["cp", "-a", *extra, str(source), str(target)], capture_output=True, check=False)
        if done.returncode == 0:
            return
        shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def _mend_links(source: Path, target: Path, project_top: Path, checkout_top: Path, notes: list[str]) -> None:
    """Make every link in the copy stay in the checkout if it stayed in the project; say which lead elsewhere."""
    outside = []
    for link in _links(target):
        told = os.readlink(link)  # noqa: PTH115  a Path would drop a trailing slash's meaning
        original = source / link.relative_to(target)
        leads_to = Path(os.path.normpath(original.parent / told))
        place = next((at for at in (leads_to, leads_to.resolve()) if at.is_relative_to(project_top)), None)
        if place is None:
            outside.append(str(link.relative_to(checkout_top)))
            if not Path(told).is_absolute():
                link.unlink()
                link.symlink_to(leads_to)  # as it was relative, it would lead to a place of ours now
        else:
            counterpart = checkout_top / place.relative_to(project_top)
            link.unlink()
            link.symlink_to(os.path.relpath(counterpart, link.parent.resolve()))
    if outside:
        shown = ", ".join(outside[:3])
        notes.append(f"links that lead outside the project still do: {shown}" + (" …" if len(outside) > 3 else ""))


def _links(top: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(top):
        for name in (*folders, *files):
            place = Path(here, name)
            if place.is_symlink():
                yield place


def _size(top: Path) -> tuple[int, int]:
    size = count = 0
    for here, _, files in os.walk(top):
        for name in files:
            with suppress(OSError):
                size += os.lstat(os.path.join(here, name)).st_size  # noqa: PTH118  hot for large folders
                count += 1
    return size, count


def _run(command: str, argv: tuple[str, ...], cwd: Path, environment: dict[str, str], timeout_s: int) -> None:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what a finished command left running
            process.wait()
        if code == 0:
            return
        output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL_BYTES))
        tail = " ".join(output.read().decode("utf-8", "replace").split())[-300:]
    how = f"did not end within {timeout_s} s" if code is None else f"ended with exit code {code}"
    raise WorkspaceProblem(
        f"the set-up command {how}: {tail or 'it printed nothing'}", hint=f"try it in a fresh clone: {command}"
    )
