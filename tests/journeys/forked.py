"""One process that has loaded the program and forks it for every command: what a start costs is paid once.

    python forked.py        (asked in lines of JSON on standard input, answers with each command's exit code)

What it forks is the whole program in a process of its own, killed as any other; only the loading of modules is shared.
With a `step` it is killed at that durable step, as by `killed_at.py`.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

HEAVY = ("api_child", "minder", "nursery_child", "demo_child", "__main__")
"""Modules that are programs of their own."""


class Forks:
    """Asks such a process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=120)
        self._process.stdout.close()

    def __call__(
        self, words: tuple[str, ...], folder: Path, environ: dict[str, str], into: Path, *, timeout_s: float, step: int
    ) -> tuple[int, str, str]:
        """Run one command to its end; return its exit code and what it wrote, by way of files in *into*."""
        out, err = into / "stdout", into / "stderr"
        asked = {"words": words, "cwd": str(folder), "env": environ, "out": str(out), "err": str(err), "step": step}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise AssertionError(f"{' '.join(words)} did not end within {timeout_s} s")
        code = json.loads(self._process.stdout.readline())
        return code, out.read_text(), err.read_text()


def serve() -> None:
    """Fork a command for every line, until there are no more."""
    _load()
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _leave(_become(asked))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # its answer


def _load() -> None:
    import agent_orchestrator
    from agent_orchestrator import cli

    run = cli.run
    for found in pkgutil.walk_packages(agent_orchestrator.__path__, "agent_orchestrator."):
        if found.name.rpartition(".")[2] not in HEAVY:
            importlib.import_module(found.name)
    cli.run = run  # which the module of the command `run` has taken the place of
    gc.freeze()  # what is loaded stays, and need not be looked at in every fork


def _leave(code: int) -> NoReturn:
    """End as Python does, but for taking everything apart that was loaded."""
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads and what they have left to do
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _become(asked: dict[str, Any]) -> int:
    """Be the command that was *asked* for, and return its exit code."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        descriptor = os.open(name, flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0)  # noqa: SIM115 # as long as the process lives
    sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115
    from killed_at import live

    from agent_orchestrator.cli import run

    try:
        live(asked["step"], asked["words"]) if asked["step"] else run(asked["words"])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


if __name__ == "__main__":
    serve()
