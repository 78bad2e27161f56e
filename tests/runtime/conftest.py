import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.runtime.process import Limits, Process, Spawn
from calling import wait_for
from runtime import trees

Start = Callable[..., Process]


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Path]:
    """The file in which a tree's processes testify; whatever of them a failed test leaves is ended."""
    path = tmp_path / "witness"
    yield path
    empty_looks = 0
    while empty_looks < 3:
        left = trees.living(path)
        empty_looks = 0 if left else empty_looks + 1
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def spawn(tmp_path: Path) -> Callable[..., Spawn]:
    """Make a Spawn: `spawn("sh", "-c", "...", grace_s=1, watch=...)`."""

    def make(*argv: str, name: str = "run", **given: Any) -> Spawn:
        limits = {key: given.pop(key) for key in tuple(given) if key in Limits.__slots__}
        defaults: dict[str, Any] = {
            "run_dir": tmp_path / name,
            "run_id": f"{tmp_path}-{name}",  # sweeps find by it, so it differs between workers and suites too
            "cwd": tmp_path,
            "env": {"PATH": os.environ["PATH"]},
        }
        return Spawn(argv=argv, limits=Limits(**{"grace_s": 0.3, **limits}), **{**defaults, **given})

    return make


@pytest.fixture
def start(spawn: Callable[..., Spawn], witness: Path) -> Iterator[Start]:
    """Start an agent; its minder is ended with the test."""
    started: list[Process] = []

    def make(*argv: str, **given: Any) -> Process:
        process = Process.start(spawn(*argv, **given))
        started.append(process)
        return process

    yield make
    for process in started:
        closed = process._lifeline < 0
        last = Process.adopt(process.run_dir) if closed else process
        if last is not None:
            last.kill()
            select.select([last], [], [], 30)
            last.close()
        with suppress(ChildProcessError):
            os.waitpid(process.minder.pid, 0)


@pytest.fixture
def tree(start: Start, witness: Path) -> Callable[..., Process]:
    """Start an agent of a shape of `trees`, and wait until it stands."""

    def make(shape: str, **given: Any) -> Process:
        process = start(sys.executable, "-I", "-S", trees.__file__, shape, str(witness), **given)
        wait_for(lambda: len(trees.witnessed(witness)) >= trees.SHAPES[shape])
        return process

    return make
