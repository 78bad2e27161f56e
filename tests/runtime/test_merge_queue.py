"""The merge queue at its edges; what it does with work is in the journeys."""

import threading

from agent_orchestrator.app import App
from agent_orchestrator.runtime.merge_queue import FIRST
from agent_orchestrator.runtime.supervisor import RunOptions
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
