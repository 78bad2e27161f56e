"""Without room a run waits, says so, and goes on by itself. Real full disks: tests/chaos."""

import errno
import os
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.errors import AlreadyRunning, DiskFull, lacks_room
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.domain.task import TaskState
from agent_orchestrator.runtime import room, spawner
from agent_orchestrator.runtime.happenings import NotPrepared
from agent_orchestrator.runtime.process import Spawn
from agent_orchestrator.runtime.run_options import Outlook, RunOptions
from calling import wait_for


@pytest.fixture
def demo(tmp_path: Path) -> App:
    """A repository with one commit and one task, where a scripted demo agent works without pauses."""
    folder = tmp_path / "project"
    folder.mkdir()
    app = build(folder, environ={**os.environ}, flags={"provider": "demo", "planner": "rules", "demo_pace": "0"})
    app.begin_repository()
    app.submit("Describe the project", verify="true", agent="generalist")
    return app


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for more than any disk has."""
    monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 80)
    monkeypatch.setattr(room, "ENOUGH_BYTES", 1 << 80)


@pytest.mark.usefixtures("no_room")
def test_a_run_without_room_starts_nothing_leads_on_and_finishes_when_there_is_room(
    demo: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    other = build(demo.folder, environ={**os.environ}, flags={"provider": "demo"})
    refused: list[type[BaseException]] = []

    def give_room() -> None:
        wait_for(lambda: any("paused: less than" in line for line in said))
        assert other.tasks.store.tasks.counts()[TaskState.READY] == 1
        try:
            other.run()
        except AlreadyRunning as error:
            refused.append(type(error))
        monkeypatch.setattr(room, "ENOUGH_BYTES", 0)
        monkeypatch.setattr(room, "RESERVE_BYTES", 0)

    giver = threading.Thread(target=give_room)
    giver.start()
    ran = demo.run(log=said.append)
    giver.join()

    assert ran.ok and refused == [AlreadyRunning]
    kinds = [event.type for event in demo.events.after() if event.type.startswith("run.")]
    assert kinds == ["run.paused", "run.resumed"]
    assert demo.supervision.current() is None


@pytest.mark.usefixtures("no_room")
def test_a_run_that_waits_for_room_heeds_a_stop_and_its_deadline(demo: App) -> None:
    said: list[str] = []

    def stop() -> None:
        wait_for(lambda: any("paused:" in line for line in said))
        build(demo.folder, environ={**os.environ}).supervision.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    ran = demo.run(log=said.append)
    stopper.join()
    assert ran.stopped_by == "user"

    ran = demo.run(until=demo.clock.now() + timedelta(seconds=3), log=said.append)
    assert ran.stopped_by == "deadline"
    assert demo.tasks.store.tasks.counts()[TaskState.READY] == 1


def test_a_run_that_is_being_stopped_does_not_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, over, said = tmp_path / "began", tmp_path / "over", list[str]()
    works = f"trap : TERM; touch {began}; until test -e {over}; do sleep 0.1; done; echo done > done.txt"
    environ = {
        **os.environ,
        "ORCHESTRATE_GENERIC_COMMAND": f'sh -c "{works}"',
        "ORCHESTRATE_STOP_SECONDS": "600",
    }
    (tmp_path / "project").mkdir()
    app = build(tmp_path / "project", environ=environ, flags={"provider": "generic", "planner": "rules"})
    app.begin_repository()
    app.submit("Describe the project", verify="true", agent="generalist")

    def stop() -> None:
        wait_for(began.exists)
        build(app.folder, environ=environ).supervision.stop()
        wait_for(lambda: any(line.startswith("stopping") for line in said))
        monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 80)
        monkeypatch.setattr(room, "ENOUGH_BYTES", 1 << 80)

    stopper = threading.Thread(target=stop)
    stopper.start()
    ran = app.run(log=said.append)
    stopper.join()

    assert ran.stopped_by == "user"
    assert "the disk is full: what is at work is left to the next run" in said
    assert not any("paused" in line for line in said)
    monkeypatch.undo()
    over.touch()
    assert app.run(log=said.append).ok, "it was taken over"


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo No space left on device >&2; exit 1"])
def test_an_agent_that_fails_while_the_disk_is_full_has_used_up_no_attempt(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    agent = f"if test -e {seen}; then echo done > done.txt; else touch {seen}; {script}; fi"
    environ = {**os.environ, "ORCHESTRATE_GENERIC_COMMAND": f"sh -c '{agent}'", "ORCHESTRATE_RETRY_SECONDS": "0"}
    (tmp_path / "project").mkdir()
    app = build(tmp_path / "project", environ=environ, flags={"provider": "generic", "planner": "rules"})
    app.begin_repository()
    app.submit("Describe the project", verify="test -e done.txt", agent="generalist")
    reserve_bytes = 0 if "echo" in script else 1 << 60  # the words of what failed are believed too
    monkeypatch.setattr(spawner, "Spawn", partial(Spawn, reserve_bytes=reserve_bytes))

    ran = app.run()

    assert ran.ok
    (task,) = app.store.tasks.of_goal(ran.goals[0].id)
    outcomes = [attempt.outcome for attempt in app.store.attempts.of_task(task.id)]
    assert (outcomes, task.attempts) == ([Outcome.NO_ROOM, Outcome.SUCCEEDED], 0)


def test_an_attempt_that_could_not_be_made_ready_on_a_full_disk_is_not_given_up(
    demo: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = demo.supervisor(RunOptions(providers=("demo",)), log=lambda _: None)
    monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 80)

    with pytest.raises(DiskFull, match="unable to write"):
        supervisor.step(NotPrepared(AttemptId("t1.1"), "git failed: unable to write an object"))


def test_a_run_that_goes_on_and_lacks_room_at_once_each_time_ends_with_that(
    demo: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_EVERY_S", 0.001)
    runs: list[RunOptions] = []

    class Refused:
        def __init__(self, options: RunOptions) -> None:
            runs.append(options)

        def run(self) -> Outlook:
            raise DiskFull("a file may not grow so large")

    with pytest.raises(DiskFull, match="so large"):
        room.run_while_there_is_room(
            cast("Any", Refused),
            RunOptions(providers=("demo",)),
            leader=demo.assembly.leader(),
            room=demo.assembly.room(),
            store=demo.store,
            events=demo.events,
            clock=demo.clock,
            log=lambda _: None,
        )
    assert len(runs) == room.FRUITLESS + 1


def test_room_is_asked_for_and_a_quota_found_by_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = room.Room(folders=(tmp_path, tmp_path))
    place.need(1.0)
    assert place.is_back() and list(tmp_path.iterdir()) == []

    gone = room.Room(folders=(tmp_path / "gone",))
    assert not gone.is_back(), "nothing can be written there"

    monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 80)
    place.need(1.5)  # it was looked at a moment ago
    with pytest.raises(DiskFull, match="free under"):
        place.need(2.5)


def test_an_error_that_came_from_a_full_disk_is_known_as_one() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("the view could not be written") from error
    except RuntimeError as error:
        assert lacks_room(error)
    assert lacks_room(DiskFull("full"))
    assert not lacks_room(OSError(errno.EACCES, "no")) and not lacks_room(None)
