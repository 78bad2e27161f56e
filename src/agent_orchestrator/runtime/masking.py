"""Take secrets out of the files of an ended attempt: what it printed, and the prompt it was given.

While an agent works, its transcript is written by the agent itself, past us; once it has ended nobody writes there any
more. Each character of a secret becomes a ``*``, so that every offset stays what it was: a supervisor that reads on, or
one that reads again after a crash, finds the same lines.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from agent_orchestrator.domain.redaction import Redactor

FILES = ("stdout.log", "stderr.log", "prompt.txt", "prompt.md", "role.md", "conversation.jsonl")
CHUNK_BYTES = 1 << 20
"""A file is read in parts of this size, cut at the end of a line; a secret in two lines of two parts is missed."""


def mask_files(run_dir: Path, redact: Redactor) -> None:
    """Mask the secrets in the files of *run_dir*. A file that cannot be read or written stays as it is."""
    for name in FILES:
        with suppress(OSError):
            _mask(run_dir / name, redact)


def _mask(file: Path, redact: Redactor) -> None:
    with file.open("r+b") as stream:
        for start, part in _parts(stream.read):
            text = part.decode("latin-1")  # one character for each byte, whatever the bytes mean
            masked = redact.masked(text)
            if masked != text:
                after = stream.tell()
                stream.seek(start)
                stream.write(masked.encode("latin-1"))
                stream.seek(after)


def _parts(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield offset and bytes of the parts of a file: whole lines, unless a line is longer than a part."""
    start, rest = 0, b""
    while chunk := read(CHUNK_BYTES):
        data = rest + chunk
        cut = data.rfind(b"\n") + 1 or len(data)
        yield start, data[:cut]
        start, rest = start + cut, data[cut:]
    if rest:
        yield start, rest
