"""The only place that runs git.

A repository's own configuration can make plain git commands run programs:
fsmonitor, hooks, an ssh command, filters. Here they are switched off on every
call, so that looking at an untrusted clone runs nothing of it. Argument lists
only; git's words reach the user in one line.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import NotReady, WorkspaceProblem
from agent_orchestrator.domain.text import clean

TIMEOUT_S = 600
"""Seconds one git command may take; a checkout of a huge repository on a slow disk takes minutes."""

_NEUTRAL = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat", "-c", "gc.auto=0"),
    *("-c", "core.sshCommand=false", "-c", "protocol.ext.allow=never", "-c", "submodule.recurse=false"),
    *("-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false", "-c", "maintenance.auto=false"),
    *("-c", "core.quotePath=false", "-c", "merge.conflictStyle=merge", "-c", "advice.detachedHead=false"),
)
_OUT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one git command gave back."""

    code: int
    out: str
    error: str

    @property
    def lines(self) -> list[str]:
        """Standard output in lines, without empty ones."""
        return [line for line in self.out.splitlines() if line]


def git(
    *arguments: str,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    data: str | None = None,
    check: bool = True,
    timeout_s: float = TIMEOUT_S,
) -> Result:
    """Run git in *cwd* and return what it said.

    Raises:
        WorkspaceProblem: it failed and *check* is on, or it took longer than *timeout_s*.
        NotReady: git is not installed.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _OUT}
    try:
        ran = subprocess.run(
            ["git", *_NEUTRAL, *arguments],
            cwd=cwd,
            env={
                **inherited,
                "GIT_OPTIONAL_LOCKS": "0",
                "GIT_TERMINAL_PROMPT": "0",
                "LC_ALL": "C",
                **(environment or {}),
            },
            input=None if data is None else data.encode("utf-8", "surrogateescape"),
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkspaceProblem(f"git {arguments[0]} did not end within {timeout_s:.0f} s") from error
    except FileNotFoundError as error:
        if not cwd.is_dir():
            raise WorkspaceProblem(f"{cwd} is gone") from error
        raise NotReady("git is not installed", hint="install it (Debian: apt-get install git)") from error
    result = Result(
        code=ran.returncode,
        out=ran.stdout.decode("utf-8", "surrogateescape"),
        error=clean(ran.stderr.decode("utf-8", "replace")),
    )
    if check and result.code:
        said = (result.error.strip() or result.out.strip() or f"exit code {result.code}").splitlines()
        raise WorkspaceProblem(f"git {arguments[0]}: {said[-1] if said else result.code}")
    return result
