"""What was typed in a planning session: long pastes as marks in the line, and a history that keeps them whole.

A line of the history is one of the file, in prompt_toolkit's own form. What is long stands in it as it was pasted, and
becomes a mark again when it is recalled; so nothing lies beside the file that could be lost or forgotten.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

SHOWN_CHARS = 2_000
"""A longer paste stands in the line as a mark. Drawing one line of 100,000 characters took prompt_toolkit 3.0 half a
minute, and nobody reads them there."""

KEPT_CHARS = 200_000
"""A longer line is not kept, only that there was one: as many as a goal may have."""

HISTORY_LIMIT_BYTES = 2 * 1024 * 1024
"""A history that has become larger is cut to its newest half."""

_MARK = re.compile(r"\[pasted (?:earlier )?\d+: [\d,]+ characters\]")


class Pastes:
    """What long pastes were, by the marks that stand for them in a line."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()

    def short(self, text: str, *, earlier: bool = False) -> str:
        """Return *text*, or a mark for it where it is long; *earlier*: it comes from the history."""
        if len(text) <= SHOWN_CHARS:
            return text
        kind = "pasted earlier" if earlier else "pasted"
        self._numbers[kind] += 1
        mark = f"[{kind} {self._numbers[kind]}: {len(text):,} characters]"
        self._texts[mark] = text
        return mark

    def whole(self, line: str) -> str:
        """Return *line* with what was pasted in the place of its marks."""
        return _MARK.sub(lambda mark: self._texts.get(mark[0], mark[0]), line)

    def lost(self, line: str) -> bool:
        """Say whether a mark of *line* stands for what is not kept any more."""
        return any(mark not in self._texts for mark in _MARK.findall(line))


def history(file: Path, pastes: Pastes, redact: Callable[[str], str]) -> Any:
    """Return the history in *file*, a private file that is made if it is not there.

    What is kept there has no secrets in it, as *redact* knows them; what was typed in this very session is recalled as
    it was typed.
    """
    from prompt_toolkit.history import FileHistory

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)

    class Typed(FileHistory):
        def load_history_strings(self) -> Iterable[str]:
            return [pastes.short(line, earlier=True) for line in super().load_history_strings()]

        def store_string(self, string: str) -> None:
            whole = redact(pastes.whole(string))
            super().store_string(whole if len(whole) <= KEPT_CHARS else redact(string))
            _cut(file)

    return Typed(str(file))


def _cut(file: Path) -> None:
    """Leave the newest lines of a history that has become too large, always the last. One that cannot be cut stays."""
    with suppress(OSError):
        if file.stat().st_size <= HISTORY_LIMIT_BYTES:
            return
        lines = file.read_bytes().split(b"\n# ")  # each begins with its time; what was typed stands behind a "+"
        kept, room = lines[-1:], HISTORY_LIMIT_BYTES // 2 - len(lines[-1])
        for line in reversed(lines[1:-1]):
            room -= len(line) + 3
            if room < 0:
                break
            kept.insert(0, line)
        beside = file.with_name(f".{file.name}.new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(b"".join(b"\n# " + line for line in kept))
        beside.replace(file)
