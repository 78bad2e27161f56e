"""Repositories in which real agent CLIs work, shut in with a model server."""

import os
from pathlib import Path

import pytest

from calling import Caller
from doubles import real_clis
from doubles.model_server import ModelServer

BASE = {
    "calc.py": "def add(a, b):\n    return a + b\n",
    "test_calc.py": (
        "import unittest\nfrom calc import add\n\n\n"
        "class Calc(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
    ),
}


MODELS = {"gemini": "gemini-2.5-pro", "opencode": "scripted/scripted"}
"""For those that need one named."""


def wanted(cli: str) -> str:
    """Return *cli*; where it is not installed the test is skipped, or fails if it was required."""
    if real_clis.find_cli(cli) is None:
        if os.environ.get(real_clis.REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{cli} is required and not installed")
        pytest.skip(f"{cli} is not installed; .ci/install-clis gets it")
    return cli


def project(tmp_path: Path, server: ModelServer, cli: str, *, subscription: bool = False) -> Caller:
    """Return a repository in which the real *cli* works, shut in with the model server."""
    home = tmp_path / "home"
    home.mkdir()
    caller = Caller(tmp_path / "project")
    caller.environ = {
        **real_clis.clean_env(home, server, subscription=subscription),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "ORCHESTRATE_RETRY_SECONDS": "0",
        "ORCHESTRATE_PROVIDER": cli,
        "ORCHESTRATE_PLANNER": cli,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    for name, text in BASE.items():
        (caller.folder / name).write_text(text)
    caller.begin_repository()
    return caller


def release(here: Caller, provider: str) -> None:
    """End the hold, as its time would."""
    from agent_orchestrator.app import build

    app = build(here.folder, environ=here.environ)
    assert app.holds.end(provider)
    app.store.close()


def project_by_rules(tmp_path: Path, server: ModelServer, cli: str) -> Caller:
    """Return such a repository for any of the four, planned by rules."""
    here = project(tmp_path, server, cli)
    here.timeout_s = 360
    here.environ["ORCHESTRATE_PLANNER"] = "rules"
    if cli in MODELS:
        here.environ[f"ORCHESTRATE_{cli.upper()}_MODEL"] = MODELS[cli]
    return here
