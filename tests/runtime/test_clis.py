import os
from pathlib import Path

import pytest

from agent_orchestrator.domain.errors import NotReady
from agent_orchestrator.providers.generic import Generic
from agent_orchestrator.runtime.clis import Remembered


def put(agent: Path, version: str) -> None:
    """Put a program that says *version* and counts how often it is asked in place, as an update does."""
    new = agent.with_name("new")
    new.write_text(f'#!/bin/sh\necho asked >> "{agent}.asked"\necho {version}\n')
    new.chmod(0o700)
    new.replace(agent)


def asked(agent: Path) -> int:
    return len(Path(f"{agent}.asked").read_text().splitlines())


def test_a_program_is_asked_for_its_version_once_as_long_as_it_is_the_same(tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    put(agent, "1.0")
    remembered = Remembered({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    provider = Generic(words=("agent",), version_argv=("--version",))

    versions = [remembered.require(provider).version for _ in range(3)]
    put(agent, "2.0.1")
    versions.append(remembered.require(provider).version)

    assert versions == ["1.0", "1.0", "1.0", "2.0.1"]
    assert asked(agent) == 2


def test_a_program_that_is_gone_is_not_remembered(tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    put(agent, "1.0")
    remembered = Remembered({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    remembered.require(Generic(words=("agent",)))
    agent.unlink()

    with pytest.raises(NotReady, match="agent is not"):
        remembered.require(Generic(words=("agent",)))
