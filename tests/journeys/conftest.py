"""A real repository, the installed command as a user calls it, and agents that do as a script says."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calling import Caller

from .forked import Forks

SCRIPTED_AGENT = Path(__file__).parent.parent / "doubles" / "scripted_agent.py"

Begin = Callable[..., Caller]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Make a repository with one commit of *files*; runs in it use the scripted agent."""

    def begin(name: str = "project", **files: str) -> Caller:
        caller = Caller(
            tmp_path / name,
            XDG_STATE_HOME=str(tmp_path / "state"),
            ORCHESTRATE_GENERIC_COMMAND=f"{sys.executable} {SCRIPTED_AGENT}",
            ORCHESTRATE_PROVIDER="generic",
            ORCHESTRATE_PASS_ENV="SCRIPTED_*",
            ORCHESTRATE_RETRY_SECONDS="0",
            ORCHESTRATE_STOP_SECONDS="1",
            SCRIPTED_AGENT_WITNESS=str(tmp_path / "witness"),
        )
        for path, text in {"README.md": "A project.\n", **files}.items():
            (caller.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (caller.folder / path).write_text(text)
        caller.begin_repository()
        return caller

    return begin


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """What makes commands by forking. Its own environment is nobody's: each command brings one."""
    with Forks() as opened:
        yield opened


def job(name: str, script: str) -> str:
    """Return a goal whose agent does *script*, known to the witness as *name*."""
    return f"{name}\n\n```script\nlabel {name}\n{script}\n```\n"
