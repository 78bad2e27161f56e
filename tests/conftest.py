"""What every test stands on: a home of its own, loopback only, a hand-moved clock, a real store."""

import ipaddress
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.stores.sqlite import SqliteStore

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is in a shell's background, and every process we start would inherit it and not heed Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

KEPT_VARIABLES = {"PATH", "TMPDIR", "LANG", "TERM", "ORCHESTRATE_TEST_CLIS", "ORCHESTRATE_REQUIRE_CLIS"}


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty home and an environment that holds nothing of the developer's."""
    import os

    for name in list(os.environ):
        if name not in KEPT_VARIABLES and not name.startswith(("PYTEST_", "COV_", "PYENV_", "VIRTUAL_ENV")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ORCHESTRATE_SANDBOX", "off")  # whose tests switch it on; a witness is written anywhere
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Test")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "test@example.invalid")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Test")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "test@example.invalid")


@pytest.fixture
def own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system's temporary directory, in which views of a goal's context lie, be the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to anything but this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "state" / "tasks.db")
    yield opened
    opened.close()


@pytest.fixture
def app(tmp_path: Path, clock: HandClock) -> Iterator[App]:
    """A project in an empty folder, with a hand-moved clock."""
    import os

    folder = tmp_path / "project"
    folder.mkdir()
    built = build(folder, environ=dict(os.environ), clock=clock)
    yield built
    built.store.close()
