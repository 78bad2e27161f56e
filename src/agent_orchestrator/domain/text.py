"""Make text from agents and other outsiders safe to show: it can say anything, but not steer a terminal or a reader."""

from __future__ import annotations

import re

_SEQUENCES = r"""
    (?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?                      # CSI: colours, cursor, erasing
    | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])              # OSC, DCS, SOS, PM, APC: titles, links, clipboard ...
      [^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?              # ... with their payload; an open one ends with its line
    | \x1b[ -/]*[0-~]?                                     # every other escape sequence
    """

_CONTROLS = (
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u00ad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff"  # soft hyphen, joiners, zero width
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # bidirectional marks, embeddings, overrides, isolates
    "\u2028\u2029"  # line and paragraph separator
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # interlinear annotation, invisible tags
    "\ud800-\udfff"  # lone surrogates: not printable, they fail at the first encoding
    "]"
)


def clean(text: str) -> str:
    """Return *text* without anything that a terminal obeys or a reader cannot see; tab and newline stay.

    Removed: escape sequences with their payload, C0 and C1 controls, bidirectional and zero-width controls, line and
    paragraph separators, lone surrogates. Everything printable stays as it is; joined emoji fall into their parts.
    """
    if text.isascii() and text.isprintable():
        return text  # most texts; and a command that shows only such never compiles the patterns
    return re.sub(_CONTROLS, "", re.sub(_SEQUENCES, "", text.replace("\r\n", "\n"), flags=re.VERBOSE))
