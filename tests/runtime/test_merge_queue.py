"""The merge queue at its edges; what it does with work is in the journeys."""

import os
import threading
from pathlib import Path

import pytest

from agent_orchestrator.app import App, build
from agent_orchestrator.runtime.merge_queue import FIRST
from agent_orchestrator.runtime.run_options import RunOptions
from calling import wait_for
from steps import accept, claim, planned


def test_what_a_crash_left_half_done_may_still_wait_in_line_as_the_run_ends(app: App) -> None:
    accept(app, planned("one"))
    attempt = claim(app)
    said: list[str] = []
    queue = app.supervisor(RunOptions(providers=("demo",)), log=said.append)._merge_queue
    gate = threading.Event()
    queue._line.put(FIRST, lambda: wait_for(gate.is_set))
    queue.take_again(attempt)

    closing = threading.Thread(target=queue.shut_down)
    closing.start()
    wait_for(lambda: queue._saving._shutdown)
    gate.set()
    closing.join()

    assert said == []
    assert [one.id for one in app.tasks.store.attempts.open()] == [attempt.id], "the next run finds it"


@pytest.mark.parametrize("was", ["handed in", "never started"])
def test_a_secret_in_the_files_of_an_attempt_that_a_crash_left_is_masked(was: str, tmp_path: Path) -> None:
    secret = "sk-canary-0123456789abcdef"
    (tmp_path / "project").mkdir()
    app = build(tmp_path / "project", environ={**os.environ, "SHOP_API_KEY": secret}, flags={"provider": "demo"})
    accept(app, planned("one"))
    attempt = claim(app)
    if was == "handed in":
        app.tasks.started(attempt)
        app.tasks.handed_in(attempt)
    transcript = Path(attempt.run_dir) / "stdout.log"
    transcript.parent.mkdir(parents=True)
    transcript.write_text(f"the key is {secret}\n")

    supervisor = app.supervisor(RunOptions(providers=("demo",)), log=lambda _: None)
    supervisor._recover()
    supervisor._merge_queue.shut_down()

    assert transcript.read_text() == f"the key is {'*' * len(secret)}\n"
