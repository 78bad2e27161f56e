"""Shutting commands in: bubblewrap where it works, else Landlock, else nothing, and saying which.

An agent with all permissions is the user, so the bounds come from outside: what a command of others may write is its
checkout, temporary folders, its provider's own state and caches of builds (`reach.py`); the user's files, their
repository and our database's folder are read-only. The network is shared: an agent has to reach its model.

With bubblewrap a command also sees no processes but its own, so it can neither signal ours nor read their environment,
and the sockets of the user's session are out of its way. Landlock keeps it from the environment of other processes too,
and from signalling them since Linux 6.12; sockets it does not know.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.domain.sandbox import Mechanism, SandboxMode
from agent_orchestrator.workspaces import Confined, Sandbox, landlock
from agent_orchestrator.workspaces.reach import ACCELERATORS, DEVICES, Access, Reach, nearest, parents

TRIAL_TIMEOUT_S = 20.0
"""For starting bubblewrap once to see whether it works. It takes 15 ms here (0.8.0, November 2026)."""

VARIABLE = "ORCHESTRATE_IN_SANDBOX"
"""Tells a command in which mechanism it runs. No setting is called so: an agent's `orchestrate` reads settings too."""

CONTAINER_SOCKETS = ("/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock")
"""Whoever may speak to one of these is root. Out of reach with ``strict``; tests that need containers would fail."""

_NAME_SPACES = ("--unshare-user", "--unshare-pid")
_SAME_PROCESSES = ("--unshare-user",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """No sandbox."""

    reason: str
    mechanism: Mechanism = Mechanism.NONE

    @property
    def description(self) -> str:
        """None, and why."""
        return f"none ({self.reason})"

    def around(
        self,
        argv: Sequence[str],
        *,
        write: Iterable[Path | str] = (),
        read: Iterable[Path | str] = (),
        guard: Iterable[Path | str] = (),
    ) -> Confined:
        """Return *argv* as it is."""
        del write, read, guard
        return Confined(argv=tuple(argv))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """Name spaces made by ``bwrap``."""

    program: str
    reach: Reach
    own_processes: bool = True
    """Whether the command gets a process name space. Inside containers the kernel often refuses the /proc it needs."""
    mechanism: Mechanism = Mechanism.BUBBLEWRAP

    @property
    def description(self) -> str:
        """Which, and what is missing of it."""
        lacks = "" if self.own_processes else "; other processes stay visible: this machine refuses a /proc of its own"
        return f"bubblewrap{_strictly(self.reach)}{lacks}"

    def around(
        self,
        argv: Sequence[str],
        *,
        write: Iterable[Path | str] = (),
        read: Iterable[Path | str] = (),
        guard: Iterable[Path | str] = (),
    ) -> Confined:
        """Return *argv* behind ``bwrap`` and its mounts, the outer ones first."""
        write, read = list(write), list(read)
        rules = self.reach.rules(write=write, read=read)
        rules |= {place: Access.READ for place in self.reach.places(guard) if nearest(place, rules) is Access.WRITE}
        words = [self.program, "--die-with-parent", *(_NAME_SPACES if self.own_processes else _SAME_PROCESSES)]
        words += ["--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev"]
        for name in ACCELERATORS:
            words += ["--dev-bind-try", f"/dev/{name}", f"/dev/{name}"]
        words += ["--proc", "/proc"] if self.own_processes else []
        session = f"/run/user/{os.getuid()}"
        hidden = [session] if Path(session).is_dir() else []
        for place in hidden:
            words += ["--tmpfs", place]
        if self.reach.strict:
            for socket in CONTAINER_SOCKETS:
                words += ["--ro-bind", "/dev/null", socket] if Path(socket).exists() else []
        for path in sorted(rules, key=lambda one: one.count("/") if one != "/" else 0):
            words += _mount(path, rules)
        if self.reach.strict:
            for link, target in self.reach.links([*write, *read]):
                words += ["--symlink", str(target), str(link)]
        return Confined(argv=(*words, "--", *argv), environment=_told(self.mechanism, self.reach), has_watcher=True)

    def refusal(self) -> str:
        """Return why a command cannot be started in it; empty when it can."""
        try:
            ran = subprocess.run(
                self.around(["/bin/true"]).argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TRIAL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        said = ran.stderr.decode("utf-8", "replace").strip().removeprefix("bwrap: ")
        return "" if ran.returncode == 0 else (said.splitlines() or [f"exit code {ran.returncode}"])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landlock:
    """Rules of the kernel, taken on by our own program just before it becomes the command."""

    reach: Reach
    passed_over: str = ""
    """Why it is not bubblewrap."""
    mechanism: Mechanism = Mechanism.LANDLOCK

    @property
    def description(self) -> str:
        """Which, and why it is not the better one."""
        return f"landlock{_strictly(self.reach)}" + (f" ({self.passed_over})" if self.passed_over else "")

    def around(
        self,
        argv: Sequence[str],
        *,
        write: Iterable[Path | str] = (),
        read: Iterable[Path | str] = (),
        guard: Iterable[Path | str] = (),
    ) -> Confined:
        """Return *argv* behind our program. *guard* is not kept: a grant on a folder holds for all in it."""
        del guard
        rules = self.reach.rules(write=write, read=read)
        environment = _told(self.mechanism, self.reach)
        for folder in self.reach.temporary:
            # With the user's files in it, it could be granted only without what comes into it later: useless for
            # temporary files, which have a folder of ours then.
            if any(one.startswith(f"{folder}/") and access < Access.WRITE for one, access in rules.items()):
                del rules[str(folder)]
                private = str(self._private())
                rules[private] = Access.WRITE
                environment |= {"TMPDIR": private}
        rules |= {f"/dev/{name}": Access.WRITE for name in (*DEVICES, *ACCELERATORS)}
        told = json.dumps(rules)
        program = (sys.executable, "-I", "-S", "-E", landlock.__file__)
        return Confined(argv=(*program, told, *argv), environment=environment)

    def _private(self) -> Path:
        folder = self.reach.state / "tmp"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder.resolve()


def choose(mode: SandboxMode, reach: Reach, *, path: str | None = None, abi: int | None = None) -> Sandbox:
    """Return the best sandbox that works here. *path* is where ``bwrap`` is looked for; *abi* stands for the kernel's.

    Raises:
        NotReady: ``strict`` was asked for and none works.
    """
    if mode is SandboxMode.OFF:
        return Open(reason="switched off")
    reach = replace(reach, strict=mode is SandboxMode.STRICT)
    program = shutil.which("bwrap", path=path or reach.environ.get("PATH"))
    refusal = "bubblewrap is not installed"
    if program is not None:
        for own_processes in (True, False):
            found = Bubblewrap(program=program, reach=reach, own_processes=own_processes)
            refusal = found.refusal()
            if not refusal:
                return found
        refusal = f"bubblewrap does not work here: {refusal}"
    version = landlock.abi() if abi is None else abi
    if version >= landlock.ABI_NEEDED:
        return Landlock(reach=reach, passed_over=refusal)
    reason = f"{refusal}; {_no_landlock(version)}"
    if mode is SandboxMode.STRICT:
        raise NotReady(
            f"no sandbox works here: {reason}", hint="install bubblewrap, or use --sandbox auto to run without one"
        )
    return Open(reason=reason)


def _no_landlock(version: int) -> str:
    if sys.platform != "linux":
        return "Landlock is part of Linux"
    return "this kernel has no Landlock" if version == 0 else "this kernel's Landlock is too old: 5.19 is needed"


def _mount(path: str, rules: Mapping[str, Access]) -> Iterator[str]:
    """Give the mount that makes the rule of *path* hold; none where the one above says the same: each takes time."""
    above = nearest(next(parents(path)), rules) if path != "/" else Access.READ
    match rules[path]:
        case Access.WRITE if above is not Access.WRITE:
            yield from ("--bind", path, path)
        case Access.READ if above is not Access.READ:
            yield from ("--ro-bind", path, path)
        case Access.NOTHING if Path(path).is_dir():
            yield from ("--tmpfs", path)
        case _:
            pass


def _strictly(reach: Reach) -> str:
    return ", strict" if reach.strict else ""


def _told(mechanism: Mechanism, reach: Reach) -> dict[str, str]:
    """Return variables for the command. Git ends with an error when it may not read the user's configuration."""
    return {VARIABLE: str(mechanism)} | ({"GIT_CONFIG_GLOBAL": os.devnull} if reach.strict else {})
