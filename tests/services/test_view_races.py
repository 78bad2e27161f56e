"""The context view while somebody swaps its folders for links: nothing is written elsewhere."""

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.errors import NotReady
from steps import accept, planned

ROUNDS = 300
"""Views written while the swapping goes on. Each has some twenty steps that a swap can fall between."""


pytestmark = pytest.mark.usefixtures("own_tmp")


def top(tmp_path: Path) -> Path:
    return tmp_path / f"agent_orchestrator-{os.getuid()}"


def test_folders_that_are_swapped_for_links_meanwhile_lead_nothing_astray(app: App, tmp_path: Path) -> None:
    goal, tasks = accept(app, planned("a"))
    view = app.context.write_view(goal, tasks["a"])
    victim, ended = tmp_path / "victim", threading.Event()
    victim.mkdir()
    (victim / "goal.json").write_text("mine")

    def swap() -> None:
        while not ended.is_set():
            for name in ("shared", "tasks", "results"):
                with suppress(OSError):
                    (view / name).rename(view / f"{name}.aside")
                    (view / name).symlink_to(victim)
                with suppress(OSError):
                    (view / name).unlink()
                    (view / f"{name}.aside").rename(view / name)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(ROUNDS):
            with suppress(OSError, NotReady):
                app.context.write_view(goal, tasks["a"])
    finally:
        ended.set()
        swapper.join()

    assert [(path.name, path.read_text()) for path in victim.iterdir()] == [("goal.json", "mine")]


@pytest.mark.parametrize("kind", ["pipe", "file", "link to nothing"])
def test_what_is_no_folder_in_the_views_place_is_refused(app: App, tmp_path: Path, kind: str) -> None:
    goal, tasks = accept(app, planned("a"))
    match kind:
        case "pipe":
            os.mkfifo(top(tmp_path))
        case "file":
            top(tmp_path).write_text("")
        case _:
            top(tmp_path).symlink_to(tmp_path / "nowhere")

    with pytest.raises(NotReady):
        app.context.write_view(goal, tasks["a"])

    assert not (tmp_path / "nowhere").exists()


def test_a_folder_of_somebody_elses_is_refused(app: App, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    goal, tasks = accept(app, planned("a"))
    top(tmp_path).mkdir(mode=0o777)
    os.chown(top(tmp_path), 65534, 65534)

    with pytest.raises(NotReady, match="is not ours"):
        app.context.write_view(goal, tasks["a"])

    assert list(top(tmp_path).iterdir()) == []


def test_a_folder_that_others_may_enter_is_shut_before_anything_is_put_there(app: App, tmp_path: Path) -> None:
    goal, tasks = accept(app, planned("a"))
    top(tmp_path).mkdir()
    top(tmp_path).chmod(0o777)

    with suppress(NotReady):
        app.context.write_view(goal, tasks["a"])

    assert stat.S_IMODE(top(tmp_path).stat().st_mode) & 0o077 == 0 or list(top(tmp_path).iterdir()) == []
