"""Checkpoints come when they are due, one at a time, and never take more than a twentieth of the time."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.runtime.checkpointing import RESTS, Checkpointing
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.transcript import Tailer
from agent_orchestrator.workspaces import Setup
from calling import wait_for
from steps import accept, claim, planned

EVERY_S = 60.0


@pytest.fixture
def follower(app: App, tmp_path: Path) -> Follower:
    """An attempt with changed files."""
    for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "base")):
        subprocess.run(["git", *words], cwd=app.folder, check=True)
    accept(app, planned("one"))
    attempt = claim(app)
    workspace = app.workspaces.open(
        attempt.id, base=app.workspaces.base(attempt.goal, include_dirty=False), setup=Setup()
    )
    (workspace.path / "work.txt").write_text("1")
    tailer = Tailer(tmp_path / "stdout.log")
    return Follower(attempt=attempt, provider=app.providers["demo"], process=None, workspace=workspace, tailer=tailer)


@pytest.fixture
def checkpointing(app: App) -> Checkpointing:
    return Checkpointing(
        workspaces=app.workspaces,
        saves=app.saves,
        store=app.store,
        events=app.events,
        clock=app.clock,
        every_s=EVERY_S,
        log=lambda _: None,
    )


def test_a_checkpoint_is_taken_when_it_is_due_and_not_before(
    app: App, follower: Follower, checkpointing: Checkpointing
) -> None:
    checkpointing.look([follower], 100.0)
    checkpointing.look([follower], 100.0 + EVERY_S - 1)
    checkpointing.look([follower], 100.0 + EVERY_S)
    checkpointing.shut_down()

    assert [one.why for one in app.saves.of(follower.attempt.id)] == ["while it ran"]


def test_after_a_slow_one_the_thread_rests_nineteen_times_as_long(
    app: App, follower: Follower, checkpointing: Checkpointing, clock: HandClock
) -> None:
    class Slow:
        """Takes ten seconds by the hand-moved clock, and does the real thing."""

        def checkpoint(self, *words: object, **more: object) -> object:
            clock.advance(timedelta(seconds=10))
            return app.workspaces.checkpoint(*words, **more)  # type: ignore[arg-type]

    checkpointing.workspaces = Slow()  # type: ignore[assignment]
    began = clock.monotonic()
    checkpointing.look([follower], began)
    checkpointing.look([follower], began + EVERY_S)
    wait_for(lambda: not checkpointing._at_work)
    assert follower.workspace is not None
    (follower.workspace.path / "work.txt").write_text("2")

    ended = began + 10
    checkpointing.look([follower], ended + RESTS * 10 - 1)
    assert not checkpointing._at_work
    checkpointing.look([follower], ended + RESTS * 10)
    checkpointing.shut_down()

    assert len(app.saves.of(follower.attempt.id)) == 2
