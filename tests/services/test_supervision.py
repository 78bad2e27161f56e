"""Is the supervisor alive? Asked of real processes."""

import subprocess
from datetime import UTC, datetime

import pytest

from agent_orchestrator.services.alive import is_alive, process_identity
from agent_orchestrator.stores import Leadership
from calling import wait_for


def term(pid: int) -> Leadership:
    now = datetime.now(UTC)
    identity = {"identity": process_identity(pid)}
    return Leadership(term=1, pid=pid, started_at=now, seen_at=now, max_agents=1, options=identity)


@pytest.mark.skipif(not process_identity(1), reason="needs /proc")
def test_a_process_that_died_and_was_not_collected_is_not_alive() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        leadership = term(process.pid)
        assert is_alive(leadership)

        process.kill()

        wait_for(lambda: process_identity(process.pid).endswith("/ended"))
        assert not is_alive(leadership)
