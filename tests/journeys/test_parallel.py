"""How many agents work at the same time, as the agents themselves witness it."""

from pathlib import Path

import pytest

from calling import wait_for
from doubles.scripted_agent import read_witness
from journeys.conftest import Begin, job


@pytest.mark.parametrize(("limit", "tasks"), [(3, 5), (10, 10)])
def test_as_many_agents_work_at_once_as_were_asked_for_and_never_more(
    begin: Begin, tmp_path: Path, limit: int, tasks: int
) -> None:
    project = begin()
    opened = tmp_path / "open"
    for number in range(tasks):
        project("submit", job(f"job{number}", f"wait_for {opened}\nwrite {number}.txt {number}"))
    witness = tmp_path / "witness"

    project("run", "--detach", "--max-agents", str(limit))
    wait_for(lambda: len(read_witness(witness)) == limit)
    counts = project("status", "--json").json["counts"]
    opened.touch()
    wait_for(lambda: not project("status", "--json").json["supervisor"]["running"], timeout_s=90)

    assert (counts["running"] + counts["claimed"], counts["ready"]) == (limit, tasks - limit)
    alive = most = 0
    for mark in read_witness(witness):
        alive += {"start": 1, "end": -1}.get(mark.what, 0)
        most = max(most, alive)
    assert (most, alive) == (limit, 0)
    assert project("status", "--json").json["counts"]["done"] == tasks
