"""The real CLIs and a model server for them. `doubles.real_clis` says how they are found and shut in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles import real_clis
from doubles.model_server import ModelServer


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server
        assert server.outside == (), "an agent tried to reach the network"


@pytest.fixture
def real_claude() -> Path:
    return _found("claude")


@pytest.fixture
def real_codex() -> Path:
    return _found("codex")


@pytest.fixture
def clean_env() -> Callable[..., dict[str, str]]:
    """`clean_env(home, server, subscription=False)`: the whole environment for a CLI."""
    return real_clis.clean_env


def _found(name: str) -> Path:
    path = real_clis.find_cli(name)
    if path is None:
        reason = f"{name} is not in {real_clis.FOLDER_VARIABLE} or PATH; .ci/install-clis gets it"
        if os.environ.get(real_clis.REQUIRE_VARIABLE) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
