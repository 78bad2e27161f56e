"""Running a command in this process as the ``orchestrate`` script would, and what hostile authors write."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from agent_orchestrator.cli import run

HOSTILE = (
    "Fix\x1b[31m login\x1b]52;c;cm0gLXJm\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\ \u202egnp.exe\u202c"
    " \x9b2J\x00 <script>alert(1)</script> [a](javascript:x) `code` | pipe\nsecond line\r\n" + "x" * 1000
)
"""A title as a stranger may write it: colours, clipboard, hidden link, reversed text, C1, markup, lines, length."""

FORBIDDEN = ("\x1b", "\x9b", "\x07", "\x00", "\u202e", "\u202c", "\r")
"""What no view may pass on to a terminal."""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def orchestrate(*words: str, stdin: str = "", encoding: str = "utf-8") -> Said:
    """Run one command in the current folder, not on a terminal."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n") for _ in range(2))
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    code: Any = None
    try:
        with redirect_stdout(out), redirect_stderr(err):
            run(list(words))
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdin = before
    said = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        said.append(stream.read())
    return Said(code, *said)


def is_harmless(text: str) -> bool:
    """Say whether nothing in *text* can steer a terminal."""
    return not any(one in text for one in FORBIDDEN)
