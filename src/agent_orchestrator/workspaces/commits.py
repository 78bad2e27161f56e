"""Commit objects, written by one git that stays.

A commit is a few lines of text (gitformat in ``git help cat-file``). We put
them together as ``git commit-tree`` does, and ``git hash-object`` checks their
form and writes the object; that one reads any number of them from one start.
What is not plain enough for it is left to ``git commit-tree``.
"""

import os
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agent_orchestrator.workspaces.standing import Standing

_ASKED = ("hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths")
_OBJECT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_CRUD = "".join(map(chr, range(33))) + ".,:;<>\"\\'"
"""What git takes off both ends of a name and an address (``ident.c`` of git 2.39)."""
_INSIDE = str.maketrans("", "", "\n<>")


class CommitWriter:
    """Writes commits of one repository. Safe to use from several threads."""

    def __init__(self, *, root: Path, scratch: Path, config: Mapping[str, str]) -> None:
        """Write into the repository around *root*; *scratch* is a folder for a commit's text, on its way to git."""
        self._scratch = scratch
        self._git = Standing(*_ASKED, root=root, config=config)

    def write(
        self, tree: str, *, parents: tuple[str, ...], author: tuple[str, str], committer: tuple[str, str], message: str
    ) -> str | None:
        """Return the id of a new commit of now; None when git has to be asked the long way: nothing was written.

        *author* and *committer* are name and address.
        """
        text = commit_text(tree, parents=parents, author=author, committer=committer, message=message, when=moment())
        self._scratch.mkdir(parents=True, exist_ok=True)
        file = self._scratch / f"commit-{secrets.token_hex(6)}"
        if text is None or "\n" in str(file):
            return None
        try:
            file.write_bytes(text)
            answer = self._git.ask(os.fsencode(file) + b"\n")
        finally:
            with suppress(OSError):
                file.unlink()
        return answer[0] if answer and _OBJECT.fullmatch(answer[0]) else None


def moment() -> str:
    """Return the present as git writes it: seconds since the epoch, and the offset of the local time."""
    now = int(time.time())
    east = (time.localtime(now).tm_gmtoff or 0) // 60
    hours, minutes = divmod(abs(east), 60)
    return f"{now} {'-' if east < 0 else '+'}{hours:02}{minutes:02}"


def commit_text(
    tree: str,
    *,
    parents: tuple[str, ...],
    author: tuple[str, str],
    committer: tuple[str, str],
    message: str,
    when: str,
) -> bytes | None:
    """Return a commit's text; None when a name is empty, or the tree and the parents are not given by their ids."""
    people = [(_cleaned(name), _cleaned(email)) for name, email in (author, committer)]
    if not all(name for name, _ in people) or not all(map(_OBJECT.fullmatch, (tree, *parents))):
        return None
    lines = [
        f"tree {tree}",
        *(f"parent {parent}" for parent in dict.fromkeys(parents)),
        *(
            f"{role} {name} <{email}> {when}"
            for role, (name, email) in zip(("author", "committer"), people, strict=True)
        ),
        "",
        message.replace("\0", ""),
    ]
    return "\n".join(lines).encode("utf-8", "replace")


def _cleaned(text: str) -> str:
    return text.strip(_CRUD).translate(_INSIDE)
