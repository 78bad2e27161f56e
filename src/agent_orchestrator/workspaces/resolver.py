"""What names stand for in a repository, asked of one git that stays.

An attempt asks some ten times which commit a branch is at or which tree a
commit has. A process each costs 5 ms; a question to a ``git cat-file`` that
runs already costs a fiftieth. It answers from the files as they are at that
moment: refs are read for each question, and packs that came later are found.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces.standing import Standing

_ASKED = ("cat-file", "--batch-command=%(objectname) %(objecttype) %(objectsize)")
"""Git 2.36 knows it; merging in memory needs 2.38."""
_TYPES = ("commit", "tree", "blob", "tag")


class Resolver:
    """Answers for one repository. Safe to use from several threads; ends with its last user, or with this process."""

    def __init__(self, *, root: Path, config: Mapping[str, str]) -> None:
        """Answer for the repository around *root*; git is started with the first question."""
        self._root = root
        self._git = Standing(*_ASKED, root=root, config=config)

    def resolve(self, name: str) -> str | None:
        """Return the object that *name* stands for, such as ``refs/heads/main^{commit}``; None when there is none.

        Raises:
            WorkspaceProblem: git cannot read the repository, or does not answer.
        """
        found = self._described(name)
        return found[0] if found else None

    def content(self, name: str, *, limit: int) -> bytes | None:
        """Return what an object holds; None when there is none, or it holds more than *limit* bytes.

        Raises:
            WorkspaceProblem: as in ``resolve``.
        """
        found = self._described(name)
        if found is None or found[1] > limit:
            return None
        answer = self._ask(f"contents {found[0]}", _is_whole)
        return answer.partition(b"\n")[2][:-1]

    def _described(self, name: str) -> tuple[str, int] | None:
        """Return id and size in bytes of what *name* stands for."""
        if "\n" in name or not name:
            return None
        words = os.fsdecode(self._ask(f"info {name}", lambda answer: answer.endswith(b"\n"))).split()
        is_found = len(words) == 3 and words[1] in _TYPES and words[2].isdigit()
        return (words[0], int(words[2])) if is_found else None

    def _ask(self, question: str, is_whole: Callable[[bytes], bool]) -> bytes:
        for _ in range(2):  # the first may have been ended by somebody since the last question
            if answer := self._git.ask_for(os.fsencode(question) + b"\n", is_whole):
                return answer
        raise WorkspaceProblem(f"git cannot read the repository {self._root}")


def _is_whole(answer: bytes) -> bool:
    """Say whether *answer* is a line that describes an object with all of it, or that says why there is none."""
    end = answer.find(b"\n")
    words = answer[: max(0, end)].split()
    return end >= 0 and (len(words) != 3 or not words[2].isdigit() or len(answer) >= end + 1 + int(words[2]) + 1)
