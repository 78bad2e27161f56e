"""Real git in temporary folders, with nobody's configuration."""

import os
from pathlib import Path

import pytest

from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.workspaces import Setup
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces
from workspaces.scenes import Attempt, Repo, Start, put


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    root = tmp_path / "project"
    root.mkdir()
    repo = Repo(root)
    repo.git("init", "-q", "-b", "main")
    repo.git("config", "user.name", "Ada")
    repo.git("config", "user.email", "ada@example.org")
    put(root / "lib" / "deep.txt", "deep\n")
    repo.commit("first", a__txt="one\ntwo\nthree\n", b__txt="bee\n", __gitignore="*.log\nbuild/\n")
    return repo


@pytest.fixture
def workspaces(repo: Repo, tmp_path: Path) -> CheckoutWorkspaces:
    return CheckoutWorkspaces(folder=repo.root, state=tmp_path / "state")


@pytest.fixture
def start(workspaces: CheckoutWorkspaces, repo: Repo) -> Start:
    """Open a workspace on the user's HEAD, or on another commit."""

    def start(id: str = "t4hw9ab.1", base: str | None = None, setup: Setup | None = None) -> Attempt:
        base = base or repo.git("rev-parse", "HEAD")
        workspace = workspaces.open(AttemptId(id), base=base, setup=setup or Setup())
        return Attempt(workspaces, workspace, AttemptId(id))

    return start
