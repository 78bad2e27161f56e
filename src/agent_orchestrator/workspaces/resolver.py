"""What names stand for in a repository, asked of one git that stays.

An attempt asks some ten times which commit a branch is at or which tree a
commit has. A process each costs 5 ms; a question to a ``git cat-file`` that
runs already costs a fiftieth. It answers from the files as they are at that
moment: refs are read for each question, and packs that came later are found.
"""

import contextlib
import os
import select
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import git

ANSWER_WITHIN_S = 60.0
"""For one answer. It takes well under a millisecond; a minute is a disk that has stopped."""
_ANSWER_BYTES = 4096
_ASKED = ("cat-file", "--batch-check=%(objectname) %(objecttype)")


class Resolver:
    """Answers for one repository. Safe to use from several threads; ends with its last user, or with this process."""

    def __init__(self, *, root: Path, config: Mapping[str, str]) -> None:
        """Answer for the repository around *root*; git is started with the first question."""
        self._root = root
        self._config = config
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def resolve(self, name: str) -> str | None:
        """Return the object that *name* stands for, such as ``refs/heads/main^{commit}``; None when there is none.

        Raises:
            WorkspaceProblem: git cannot read the repository, or does not answer.
        """
        if "\n" in name or not name:
            return None
        with self._lock:
            for _ in range(2):  # the first may have been ended by somebody since the last question
                with contextlib.suppress(OSError):
                    if answer := self._ask(name):
                        found, _, rest = answer.partition(" ")
                        return found if rest in ("commit", "tree", "blob", "tag") else None
                self._end()
        raise WorkspaceProblem(f"git cannot read the repository {self._root}")

    def _ask(self, name: str) -> str:
        """Return one line of answer; empty when git ended instead."""
        if self._process is None:
            self._process = git.start(*_ASKED, cwd=self._root, config=self._config)
            weakref.finalize(self, _end, self._process)
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        os.write(asked.fileno(), os.fsencode(name) + b"\n")
        until, answer = time.monotonic() + ANSWER_WITHIN_S, b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([answers], [], [], max(0.0, until - time.monotonic()))
            chunk = os.read(answers.fileno(), _ANSWER_BYTES) if ready else b""
            if not chunk:
                return ""
            answer += chunk
        return os.fsdecode(answer).rstrip("\n")

    def _end(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
