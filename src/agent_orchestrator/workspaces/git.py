"""The only place that runs git, hardened.

Git runs programs that its configuration names: hooks, a file-system monitor,
pagers, filters, diff and merge drivers. A repository an agent worked in, or one
the user was handed, must not get to choose what we execute. So every call
overrides those settings, drops every variable that points git elsewhere, and
never asks a question. What cannot be overridden by one name, because the name
is the repository's own (``filter.<name>.clean``), is found by
:func:`read_config` and blanked by :func:`blanked`.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from agent_orchestrator.domain.errors import DiskFull, NotReady, OrchestratorError, WorkspaceProblem, tells_no_room

TIMEOUT_S = 300.0
"""For one git command. Nothing here talks to a network; five minutes is a very large checkout on a slow disk."""
GRACE_S = 5.0
"""For a git that is asked to end. It does within milliseconds, unless the disk has stopped."""

MERGES_IN_MEMORY = (2, 38)
"""``git merge-tree --write-tree`` came with it (October 2022)."""

NEUTRAL = {
    "core.fsync": "committed",  # git leaves out loose objects, and a landed commit must outlive a power cut
    "core.fsyncMethod": "batch",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.editor": "true",
    "core.sshCommand": "false",
    "core.askPass": "true",
    "core.quotePath": "false",
    "core.trustctime": "true",  # an agent can set a file's mtime back, not its ctime
    "core.checkStat": "default",
    "color.ui": "false",
    "commit.gpgSign": "false",
    "credential.helper": "",
    "gc.auto": "0",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "merge.autoStash": "false",
    "merge.verifySignatures": "false",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "tag.gpgSign": "false",
    "tag.forceSignAnnotated": "false",
}

_KEPT = {
    b"GIT_AUTHOR_EMAIL",
    b"GIT_AUTHOR_NAME",
    b"GIT_CEILING_DIRECTORIES",
    b"GIT_COMMITTER_EMAIL",
    b"GIT_COMMITTER_NAME",
    b"GIT_CONFIG_GLOBAL",
    b"GIT_CONFIG_NOSYSTEM",
    b"GIT_CONFIG_SYSTEM",
    b"GIT_EXEC_PATH",
}
"""The user's own choice of configuration and name. All other ``GIT_*`` (GIT_DIR, GIT_INDEX_FILE, …) would point us
somewhere else: we may have been started from inside a hook."""

_COMMAND_KEYS = re.compile(r"(filter|merge|diff)\.(.+)\.(clean|smudge|process|required|driver|command|textconv)", re.S)

_NO_ROOM = ("Out of diskspace", "couldn't write '")
"""Git 2.39's own words for an index, and for a ref, that finds no room."""

PLAIN_MERGE = "git merge-file --marker-size=%L %A %O %B"
"""Stands in for a repository's own merge driver: git's built-in merge. An empty driver is a fatal error in git 2.39."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a git command printed."""

    code: int
    out: bytes
    error: str

    @property
    def text(self) -> str:
        """Standard output with trailing newlines removed; bytes that are not UTF-8 become U+FFFD."""
        return self.out.decode("utf-8", "replace").rstrip("\n")

    @property
    def names(self) -> list[str]:
        """NUL-separated output, such as paths, in a form that goes back to the operating system unchanged."""
        return [os.fsdecode(part) for part in self.out.split(b"\0") if part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of git's configuration."""

    scope: str
    """``system``, ``global``, ``local``, ``worktree`` or ``command``."""
    key: str
    """Section and variable in lower case, the part between as written."""
    value: str


def git(
    *args: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    config: Mapping[str, str] | None = None,
    input: bytes | None = None,
    timeout_s: float = TIMEOUT_S,
    check: bool = True,
    limit_bytes: int | None = None,
    held: int | None = None,
) -> Result:
    """Run git with *args* in *cwd* and return what it printed.

    *env* is added last; *config* overrides settings on top of ``NEUTRAL``. With
    *limit_bytes* output ends there and git is stopped, which is then no failure.
    The descriptor *held* is open in git too, for as long as it lives.

    Raises:
        WorkspaceProblem: git failed (only with *check*), or took longer than *timeout_s*.
        DiskFull: it failed because there is no room.
        NotReady: there is no git.
    """
    process = start(
        *args,
        cwd=cwd,
        env=env,
        config=config,
        stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE if limit_bytes is None else subprocess.DEVNULL,
        held=held,
    )
    if limit_bytes is not None:
        return _first(process, limit_bytes, timeout_s)
    try:
        out, error_bytes = process.communicate(input, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise WorkspaceProblem(f"git {args[0]} did not end within {timeout_s:.0f} s in {cwd}") from error
    except BaseException:
        _end(process)
        raise
    result = Result(code=process.returncode, out=out, error=error_bytes.decode("utf-8", "replace"))
    if check and result.code != 0:
        raise failed(f"git {args[0]} failed", result)
    return result


def failed(what: str, result: Result) -> OrchestratorError:
    """Return *what* failed as an error: DiskFull where git had no room, so that it is done again when there is some."""
    told = f"{what}: {one_line(result)}"
    if tells_no_room(result.error) or any(words in result.error for words in _NO_ROOM):
        return DiskFull(told, hint="free some space and repeat")
    return WorkspaceProblem(told)


def start(
    *args: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    config: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.PIPE,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int = subprocess.DEVNULL,
    held: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start git, as hardened as :func:`git` runs it, and leave its pipes and its end to the caller.

    Raises:
        WorkspaceProblem: *cwd* is gone.
        NotReady: there is no git.
    """
    try:
        return subprocess.Popen(
            ["git", "--no-pager", *args],
            executable=_program(os.environ.get("PATH")),
            cwd=cwd,
            env=_environment(config or {}, env or {}),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=() if held is None else (held,),
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        _program.cache_clear()
        if not Path(cwd).is_dir():
            raise WorkspaceProblem(f"the folder {cwd} is gone") from error
        raise NotReady("git is not installed", hint="install git 2.38 or newer, then run this again") from error


def one_line(result: Result) -> str:
    """Return git's own words about a failure in one line."""
    lines = [line.strip() for line in result.error.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("hint:", "warning:"))] or lines
    named = next((at for at, line in enumerate(lines) if line.startswith(("fatal:", "error:"))), 0)
    words = " ".join(lines[named:]) or result.text or f"exit code {result.code}"
    return " ".join(words.split())[:400]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a repository is; all absolute."""

    root: Path
    """Top of the working tree."""
    git_dir: Path
    common: Path
    """Where refs and objects are: differs from *git_dir* in a linked worktree."""


def places(cwd: Path) -> Places:
    """Return where the repository around *cwd* is.

    Raises:
        WorkspaceProblem: there is none, it has no working tree, or git refuses it; in git's own words.
        NotReady: this git does not know what we ask, as git before 2.13 does not.
    """
    asked = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    lines = _lines(git("rev-parse", *asked, cwd=cwd))
    if len(lines) != len(asked):  # a path may hold a newline
        lines = [os.fsdecode(git("rev-parse", one, cwd=cwd).out).removesuffix("\n") for one in asked]
    found = [Path(cwd, line) for line in lines]  # the last one is told relative to the folder
    if not all(line and place.is_dir() for line, place in zip(lines, found, strict=True)):
        raise NotReady(f"git does not tell where the repository of {cwd} is", hint="install git 2.38 or newer")
    root, git_dir, common = found
    return Places(root=root, git_dir=git_dir, common=common.resolve())


def need_merging(cwd: Path) -> None:
    """Raise NotReady when this git cannot merge in memory, which all landing rests on: better before the night."""
    found = version(cwd)
    if found < MERGES_IN_MEMORY:
        told = ".".join(map(str, found))
        raise NotReady(
            f"git {told} cannot merge in memory", hint="install git 2.38 or newer, or use --isolation shared"
        )


def _lines(result: Result) -> list[str]:
    return os.fsdecode(result.out).removesuffix("\n").split("\n")


def version(cwd: Path) -> tuple[int, int]:
    """Return git's major and minor version."""
    found = re.search(r"(\d+)\.(\d+)", git("version", cwd=cwd).text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def read_config(cwd: Path) -> tuple[Setting, ...]:
    """Return every setting git sees in *cwd*, in the order in which later ones win."""
    parts = git("config", "--show-scope", "--includes", "--list", "-z", cwd=cwd).out.split(b"\0")
    settings = []
    for scope, entry in zip(parts[0::2], parts[1::2], strict=False):
        key, _, value = entry.decode("utf-8", "replace").partition("\n")
        settings.append(Setting(scope=scope.decode(), key=key, value=value))
    return tuple(setting for setting in settings if setting.scope != "command")


def blanked(settings: tuple[Setting, ...]) -> dict[str, str]:
    """Return the overrides that keep a repository's own filters and merge drivers from running.

    git-lfs may run, if its command is the one ``git lfs install`` writes and it is
    there to be run. What else the user's global configuration names is the
    user's, and stays.
    """
    overrides: dict[str, str] = {}
    for setting in settings:
        found = _COMMAND_KEYS.fullmatch(setting.key)
        lfs_works = is_lfs(setting) and shutil.which("git-lfs") is not None
        theirs = setting.scope in ("local", "worktree") or is_lfs(setting)
        if found is None or not theirs or lfs_works:
            continue
        kind, name = found[1], found[2]
        match kind:
            case "filter":
                overrides |= {f"filter.{name}.{part}": "" for part in ("clean", "smudge", "process")}
                overrides[f"filter.{name}.required"] = "false"
            case "merge":
                overrides[f"merge.{name}.driver"] = PLAIN_MERGE
            case _:
                pass  # diff drivers: every diff we ask for says --no-ext-diff --no-textconv
    return overrides


def is_lfs(setting: Setting) -> bool:
    """Say whether *setting* is one of those ``git lfs install`` writes, to the letter."""
    if not setting.key.startswith("filter.lfs."):
        return False
    words = setting.value.split()
    return setting.key.endswith(".required") or (
        words[:2] in (["git-lfs", "clean"], ["git-lfs", "smudge"], ["git-lfs", "filter-process"])
        and all(re.fullmatch(r"--skip|--|%f", word) for word in words[2:])
    )


@lru_cache(maxsize=8)
def _program(path: str | None) -> str:
    """Return where git is, looked for once: else each start of it tries every folder of PATH."""
    return shutil.which("git", path=path) or "git"


def _environment(config: Mapping[str, str], extra: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return git's environment, in bytes as the system has it: it is made for every git."""
    inherited = os.environb.items()
    environment = {key: value for key, value in inherited if not key.startswith(b"GIT_") or key in _KEPT}
    return environment | _overriding(tuple(config.items())) | {os.fsencode(k): os.fsencode(v) for k, v in extra.items()}


@lru_cache(maxsize=64)
def _overriding(config: tuple[tuple[str, str], ...]) -> dict[bytes, bytes]:
    """Return the variables by which git heeds ``NEUTRAL`` and *config* and asks nobody anything."""
    overrides = {**NEUTRAL, **dict(config)}
    found = {
        "GIT_CONFIG_COUNT": str(len(overrides)),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
        "GIT_PAGER": "cat",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
    }
    for number, (key, value) in enumerate(overrides.items()):
        # Not `-c key=value`: a filter's name may hold a "=".
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {os.fsencode(name): os.fsencode(value) for name, value in found.items()}


def _first(process: "subprocess.Popen[bytes]", limit_bytes: int, timeout_s: float) -> Result:
    assert process.stdout is not None
    alarm = threading.Timer(timeout_s, _kill_group, [process])
    alarm.start()
    try:
        with process.stdout:
            out = process.stdout.read(limit_bytes + 1)
        if len(out) > limit_bytes:
            _kill_group(process)
        process.wait()
    finally:
        alarm.cancel()
    return Result(code=0, out=out[:limit_bytes], error="")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End git and read what it still says; asked to, it takes its lock files away, which a killed one cannot."""
    _kill_group(process, signal.SIGTERM)
    try:
        process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        process.communicate()


def _kill_group(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
