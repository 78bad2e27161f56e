"""A git that stays and answers one question after another: a process for each costs a hundred times as much."""

import contextlib
import os
import select
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

from agent_orchestrator.workspaces import git

ANSWER_WITHIN_S = 60.0
"""For one answer. It takes well under a millisecond; a minute is a disk that has stopped."""
_CHUNK_BYTES = 1 << 16


class Standing:
    """One such git. Safe to use from several threads; ends with its last user, or with this process."""

    def __init__(self, *args: str, root: Path, config: Mapping[str, str], env: Mapping[str, str] | None = None) -> None:
        """Run git with *args* in *root*; it is started with the first question."""
        self._args, self._root, self._config, self._env = args, root, config, env
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: bytes, *, lines: int = 1) -> list[str]:
        """Return the answer of so many *lines*.

        Empty when git ended, or did not answer in time; then the next question is put to a new git.
        """
        answer = self.ask_for(question, lambda so_far: so_far.count(b"\n") >= lines)
        return os.fsdecode(answer).removesuffix("\n").split("\n") if answer else []

    def ask_for(self, question: bytes, is_whole: Callable[[bytes], bool]) -> bytes:
        """Return the answer once *is_whole* says so of all that came; empty when ``ask`` would be."""
        with self._lock:
            with contextlib.suppress(OSError):  # it was ended by somebody since the last question
                if answer := self._ask(question, is_whole):
                    return answer
            if self._process is not None:
                _end(self._process)
                self._process = None
            return b""

    def _ask(self, question: bytes, is_whole: Callable[[bytes], bool]) -> bytes:
        if self._process is None:
            self._process = git.start(*self._args, cwd=self._root, config=self._config, env=self._env)
            weakref.finalize(self, _end, self._process)
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        os.write(asked.fileno(), question)
        until, answer = time.monotonic() + ANSWER_WITHIN_S, b""
        while not is_whole(answer):
            ready, _, _ = select.select([answers], [], [], max(0.0, until - time.monotonic()))
            chunk = os.read(answers.fileno(), _CHUNK_BYTES) if ready else b""
            if not chunk:
                return b""
            answer += chunk
        return answer


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
