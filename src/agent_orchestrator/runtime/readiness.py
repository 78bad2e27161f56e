"""What would spoil a night, found before the night.

Looks only: nothing is repaired, nothing of the project is executed. The one
program that is started beside the agents' own ``--version`` is ``git --version``.
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.domain.event import ChainCheck
from agent_orchestrator.domain.sandbox import Mechanism
from agent_orchestrator.planning.project_tests import ProjectTest
from agent_orchestrator.providers import Provider
from agent_orchestrator.runtime.clis import Installed, find
from agent_orchestrator.services.alive import is_alive
from agent_orchestrator.stores import Store
from agent_orchestrator.workspaces import NEEDS_FILES, Project, Sandbox

_IS_THERE = "import importlib.util, sys; sys.exit(3 * (importlib.util.find_spec(sys.argv[1]) is None))"
GIT_NEEDED = (2, 38)
"""``git merge-tree --write-tree`` came with 2.38 (October 2022); landing merges with it."""
DISK_FAILS, DISK_WARNS = 500 * 1024**2, 5 * 1024**3
"""Bytes free in the state folder. Each attempt has a checkout there; half a gigabyte is soon full of node_modules."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.rclone", "9p"}
)
"""Where SQLite's write-ahead log does not work: it needs shared memory (sqlite.org/wal.html, read 2026-11)."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Level(StrEnum):
    """How much a check's result matters."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    """A run would not start, or would lose something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Level
    detail: str
    hint: str = ""
    """What to do about it; empty when there is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Looks at the machine and the project."""

    folder: Path
    state: Path
    database: Path
    environ: Mapping[str, str]
    providers: Sequence[Provider]
    """Those that need an executable."""
    payer: Callable[[str], str]
    api_mode: bool
    """Whether the settings give work to the Anthropic API."""
    project: Callable[[], Project]
    test: Callable[[], ProjectTest | None]
    """The project's detected test command."""
    verify: str | None
    """The check that the settings name; it beats the detected one."""
    check_environment: Callable[[], Mapping[str, str]]
    """What checks find in their environment, as if they ran in the project's folder."""
    store: Callable[[], Store]
    chain: Callable[[], ChainCheck]
    distrusted: Callable[[], Sequence[str]]
    """Files of the repository by which agents would run something, and that nobody has trusted."""
    sandbox: Callable[[], Sandbox]
    """Raises NotReady when the one that was asked for cannot be had."""
    roster_problems: Callable[[], Sequence[str]] = tuple
    """Names the files of specialists that could not be read."""

    def checks(self) -> list[Check]:
        """Look at everything. A look that goes wrong is a failed check, never an error."""
        found: list[Check] = []
        for name, look in (
            ("python", self._python),
            ("sqlite", self._sqlite),
            ("git", self._git),
            ("agents", self._agents),
            ("api mode", self._api_mode),
            ("proxy", self._proxy),
            ("sandbox", self._sandbox),
            ("state", self._state),
            ("disk", self._disk),
            ("database", self._database),
            ("supervisor", self._supervisor),
            ("project", self._project),
            ("tests", self._tests),
            ("repository configuration", self._configuration),
            ("specialists", self._specialists),
        ):
            try:
                found += look()
            except OrchestratorError as error:
                found.append(Check(name=name, level=Level.FAIL, detail=error.message, hint=error.hint))
            except OSError as error:
                found.append(Check(name=name, level=Level.FAIL, detail=str(error)))
        return found

    def _python(self) -> Iterator[Check]:
        version = ".".join(str(part) for part in sys.version_info[:3])
        yield Check(name="python", level=Level.OK, detail=f"{version} ({sys.executable})")

    def _sqlite(self) -> Iterator[Check]:
        import apsw

        yield Check(name="sqlite", level=Level.OK, detail=f"{apsw.sqlite_lib_version()} (apsw)")

    def _git(self) -> Iterator[Check]:
        path = shutil.which("git", path=self.environ.get("PATH"))
        if path is None:
            yield Check(name="git", level=Level.FAIL, detail="not on PATH", hint="install git 2.38 or newer")
            return
        ran = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
        words = ran.stdout.split()
        version = words[2] if len(words) > 2 else "unknown"
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        fits = len(numbers) == 2 and numbers >= GIT_NEEDED
        hint = "" if fits else "install git 2.38 or newer"
        yield Check(name="git", level=Level.OK if fits else Level.FAIL, detail=f"{version} ({path})", hint=hint)

    def _agents(self) -> Iterator[Check]:
        present: dict[str, Installed] = {
            one.name: found for one in self.providers if (found := find(one, self.environ)) is not None
        }
        for provider in self.providers:
            installed = present.get(provider.name)
            if installed is None:
                yield Check(name=provider.name, level=Level.OK, detail="not installed", hint=provider.install)
                continue
            payer = self.payer(provider.name)
            unpaid = payer.startswith("nobody")
            yield Check(
                name=provider.name,
                level=Level.WARN if unpaid else Level.OK,
                detail=f"{installed.version} ({installed.path}); {payer} pays",
                hint=f"log in: run {provider.binary} once by hand" if unpaid else "",
            )
        if not present and not self.api_mode:
            hint = "install one of them, or set USE_API_MODE=true and a key; orchestrate demo needs neither"
            yield Check(name="agents", level=Level.FAIL, detail="no agent CLI is installed", hint=hint)

    def _api_mode(self) -> Iterator[Check]:
        payer = self.payer("api")
        unpaid = payer.startswith("nobody")
        if self.api_mode:
            detail = f"on: the Anthropic API does the work; {payer} pays"
            hint = "set ANTHROPIC_API_KEY, or USE_API_MODE=false" if unpaid else ""
            yield Check(name="api mode", level=Level.FAIL if unpaid else Level.OK, detail=detail, hint=hint)
        else:
            plans = (
                "no key" if unpaid else f"goals are planned by the Anthropic API unless told otherwise; {payer} pays"
            )
            yield Check(name="api mode", level=Level.OK, detail=f"off; {plans}")

    def _proxy(self) -> Iterator[Check]:
        names = [name for name in PROXIES if self.environ.get(name) or self.environ.get(name.lower())]
        yield Check(name="proxy", level=Level.OK, detail=f"{', '.join(names)} set" if names else "none set")

    def _sandbox(self) -> Iterator[Check]:
        found = self.sandbox()
        level, hint = Level.OK, ""
        if found.mechanism is Mechanism.NONE:
            level, hint = Level.WARN, "agents can reach what you can reach; on Linux install bubblewrap"
        yield Check(name="sandbox", level=level, detail=found.description, hint=hint)

    def _state(self) -> Iterator[Check]:
        elsewhere = "set XDG_STATE_HOME to a folder of yours on a local disk"
        place = _existing(self.state)
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            detail = f"{self.state} cannot be written: {error.strerror}"
            yield Check(name="state", level=Level.FAIL, detail=detail, hint=elsewhere)
            return
        kind = file_system(place, _mounts())
        if kind in NETWORK_FILE_SYSTEMS:
            detail = f"{self.state} is on a network file system ({kind}), where the database is not safe"
            yield Check(name="state", level=Level.FAIL, detail=detail, hint=elsewhere)
        else:
            yield Check(name="state", level=Level.OK, detail=f"{self.state} ({kind or 'unknown file system'})")

    def _disk(self) -> Iterator[Check]:
        free = shutil.disk_usage(_existing(self.state)).free
        level = Level.FAIL if free < DISK_FAILS else Level.WARN if free < DISK_WARNS else Level.OK
        hint = "" if level is Level.OK else "free some space; orchestrate cleanup shows what we can give back"
        yield Check(name="disk", level=level, detail=f"{free / 1024**3:.1f} GiB free for checkouts", hint=hint)

    def _database(self) -> Iterator[Check]:
        if not self.database.exists():
            yield Check(name="database", level=Level.OK, detail=f"{self.database}: none yet")
            return
        wrong = self.store().damage()
        detail = f"{self.database}: {wrong[0] if wrong else 'sound'}"
        hint = "stop the supervisor and move the file aside; snapshots lie beside it as *.snapshot" if wrong else ""
        yield Check(name="database", level=Level.FAIL if wrong else Level.OK, detail=detail, hint=hint)
        if wrong:
            return
        chain = self.chain()
        detail = chain.wrong or f"{chain.events} in the log, each as it was written"
        hint = "somebody changed the log: orchestrate events --check" if chain.wrong else ""
        yield Check(name="events", level=Level.FAIL if chain.wrong else Level.OK, detail=detail, hint=hint)

    def _supervisor(self) -> Iterator[Check]:
        latest = self.store().leadership.get() if self.database.exists() else None
        if latest is None or latest.ended_at is not None:
            yield Check(name="supervisor", level=Level.OK, detail="none runs")
        elif is_alive(latest):
            yield Check(name="supervisor", level=Level.OK, detail=f"process {latest.pid} runs, term {latest.term}")
        else:
            detail = f"process {latest.pid} ended without saying so; its agents may still be at work"
            yield Check(name="supervisor", level=Level.WARN, detail=detail, hint="orchestrate run takes its work over")

    def _project(self) -> Iterator[Check]:
        project = self.project()
        begin = "orchestrate init --git makes a repository with a first commit"
        if project.bare:
            detail = f"{self.folder} is a bare repository, without files to work on"
            yield Check(name="project", level=Level.FAIL, detail=detail, hint=NEEDS_FILES)
        elif project.head is None:
            lacks = "no commit yet" if project.root else "not a git repository"
            detail = f"{self.folder}: {lacks}; agents would work in the folder itself, one at a time"
            yield Check(name="project", level=Level.WARN, detail=detail, hint=begin)
        else:
            where = f"on {project.branch}" if project.branch else "HEAD is detached"
            hint = "" if project.branch else "check out a branch, or results stay on one of their own"
            level = Level.OK if project.branch else Level.WARN
            yield Check(name="project", level=level, detail=f"{project.root} {where} at {project.head[:10]}", hint=hint)
        if project.dirty:
            count = len(project.dirty)
            files = "1 file" if count == 1 else f"{count} files"
            detail = f"{files} with uncommitted changes would be left out"
            yield Check(name="changes", level=Level.WARN, detail=detail, hint="commit them, or run --include-dirty")
        if project.root is not None:
            known = "known" if project.identity else "unknown to git; our commits get a name of ours"
            yield Check(name="identity", level=Level.OK, detail=known)
            signs = "on; off for agents' and our commits" if project.signing else "off"
            yield Check(name="signing", level=Level.OK, detail=signs)
        for note in project.notes:
            yield Check(name="note", level=Level.WARN, detail=note)

    def _tests(self) -> Iterator[Check]:
        found = ProjectTest(command=self.verify, reason="the setting verify") if self.verify else self.test()
        if found is not None:
            detail, hint = f"{found.command} ({found.reason})", ""
            if lacks := self._lacks(found.command):
                detail = f"{detail} cannot be run: {lacks}. Work would be landed unverified"
                hint = "install it, into the project's .venv or for all; or set verify to what works here"
            yield Check(name="tests", level=Level.WARN if lacks else Level.OK, detail=detail, hint=hint)
            return
        hint = 'set verify = "…" in .orchestrate/config.toml, or give goals their own with --verify'
        yield Check(
            name="tests", level=Level.WARN, detail="no test command found: work would be landed unverified", hint=hint
        )

    def _lacks(self, command: str) -> str:
        """Return what is not here that *command* begins with: a program, or a module of Python's. It is not run.

        Nothing is said of a command that a shell takes apart.
        """
        try:
            words = shlex.split(command)
        except ValueError:
            return ""
        while words and "=" in words[0]:
            words.pop(0)
        if not words or any(character in command for character in ";&|$`<>()"):
            return ""
        environment = self.check_environment()
        program = shutil.which(words[0], path=environment.get("PATH"))
        if program is None:
            return "" if "/" in words[0] and (self.folder / words[0]).exists() else f"there is no {words[0]}"
        if words[1:2] != ["-m"] or len(words) < 3 or not words[0].rpartition("/")[2].startswith("python"):
            return ""
        looked = subprocess.run(
            [program, "-c", _IS_THERE, words[2].partition(".")[0]],
            cwd=self.folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
        return f"{words[0]} has no module {words[2]}" if looked.returncode == 3 else ""

    def _configuration(self) -> Iterator[Check]:
        for name in self.distrusted():
            detail = f"{name} makes agents run commands of this repository; it is left out until you trust it"
            hint = "read it; orchestrate run --trust takes it in"
            yield Check(name="repository configuration", level=Level.WARN, detail=detail, hint=hint)

    def _specialists(self) -> Iterator[Check]:
        for problem in self.roster_problems():
            hint = "fix the file or move it away; orchestrate specialists lists who there is"
            yield Check(name="specialists", level=Level.WARN, detail=f"not read: {problem}", hint=hint)


def _existing(path: Path) -> Path:
    """Return *path*, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if one.is_dir())


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def file_system(path: Path, mounts: str) -> str:
    """Return the type of *path*'s file system, by *mounts*, the text of ``/proc/self/mounts``; empty if unknown."""
    real, best, kind = path.resolve(), -1, ""
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        at = Path(words[1].encode("ascii", "ignore").decode("unicode_escape"))  # a space is written \040
        if real.is_relative_to(at) and len(at.parts) >= best:
            best, kind = len(at.parts), words[2]
    return kind
