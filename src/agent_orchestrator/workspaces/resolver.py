"""What names stand for in a repository, asked of one git that stays.

An attempt asks some ten times which commit a branch is at or which tree a
commit has. A process each costs 5 ms; a question to a ``git cat-file`` that
runs already costs a fiftieth. It answers from the files as they are at that
moment: refs are read for each question, and packs that came later are found.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces.standing import Standing

_ASKED = ("cat-file", "--batch-check=%(objectname) %(objecttype)")


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
        if "\n" in name or not name:
            return None
        for _ in range(2):  # the first may have been ended by somebody since the last question
            if answer := self._git.ask(os.fsencode(name) + b"\n"):
                found, _, rest = answer[0].partition(" ")
                return found if rest in ("commit", "tree", "blob", "tag") else None
        raise WorkspaceProblem(f"git cannot read the repository {self._root}")
