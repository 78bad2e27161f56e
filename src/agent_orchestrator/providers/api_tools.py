"""What the API's model may do in a checkout: run a command, read, write, edit, list and search files.

The file tools stay inside the checkout and the goal's context view, links followed to their end. That contains
mistakes, but it is no prison: a command can reach what its user can. Whatever goes wrong is told to the model in words
that say what to do instead. Standard library only.
"""

import fnmatch
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

SHELL_SECONDS = 600
"""How long a command may run by default: a test suite fits, and it is below the silence that ends an attempt."""
SEARCH_SECONDS = 60
GRACE_SECONDS = 2
"""Between asking a command that ran too long to end and killing it."""
SHOWN_CHARS = 30_000
"""Characters of a tool's output that the model sees, the first third and the end. Some 8,000 tokens."""
DISK_BYTES = 64 * 1024 * 1024
"""Output after which a command is ended: a loop that prints must not fill the disk."""
READ_BYTES = 4 * 1024 * 1024
"""The largest file that is read or edited as a whole."""
READ_LINES = 2_000
LINE_CHARS = 2_000
LISTED_FILES = 500
SKIPPED = (".git", "node_modules", ".venv", "__pycache__")
"""Folders that listing and searching leave out: never the work itself, and large."""
SECRETS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS")
"""Variables of ours that no command inherits."""


class ToolProblem(Exception):
    """The tool could not do it; the message is for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """The tools of one attempt."""

    root: Path
    """The checkout, absolute. Relative paths begin here and commands run here."""
    also: tuple[Path, ...] = ()
    """Further folders that the file tools may touch: the goal's context view."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    shell_seconds: float = SHELL_SECONDS
    offered: frozenset[str] | None = None
    """Tools that the model may use. None means all."""

    def use(self, name: str, given: Mapping[str, object]) -> str:
        """Return what the tool *name* answers to the input *given*.

        Raises:
            ToolProblem: there is no such tool, its input is wrong, or what it was to do failed.
        """
        tools: dict[str, Callable[[Mapping[str, object]], str]] = {
            "bash": self._bash,
            "read": self._read,
            "write": self._write,
            "edit": self._edit,
            "list": self._list,
            "search": self._search,
        }
        usable = [one for one in tools if self.offered is None or one in self.offered]
        if name not in usable:
            raise ToolProblem(f"there is no tool {name!r}; there are {', '.join(usable)}")
        try:
            return tools[name](given)
        except OSError as error:
            raise ToolProblem(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")) from error
        except ValueError as error:  # a NUL in a path, text that is none
            raise ToolProblem(str(error)) from error

    def _bash(self, given: Mapping[str, object]) -> str:
        command = _text(given, "command")
        seconds = min(self.shell_seconds, _number(given, "timeout_seconds", self.shell_seconds))
        shell = shutil.which("bash", path=self.environ_of_commands.get("PATH")) or "/bin/sh"
        code, output = self._run((shell, "-c", command), seconds)
        if code == 0:
            return output or "(no output)"
        return f"{output.rstrip()}\n[{_ended(code)}]".lstrip("\n")

    def _read(self, given: Mapping[str, object]) -> str:
        text = self._content(self._inside(_text(given, "path")))
        lines = text.split("\n")
        first = max(1, int(_number(given, "first_line", 1)))
        count = max(1, int(_number(given, "lines", READ_LINES)))
        shown = [f"{at}\t{line[:LINE_CHARS]}" for at, line in enumerate(lines[first - 1 :][:count], first)]
        if not shown:
            raise ToolProblem(f"the file has {len(lines)} lines, and line {first} is not among them")
        found, left = "\n".join(shown), len(lines) - (first - 1) - len(shown)
        if len(found) > SHOWN_CHARS:
            return f"{found[:SHOWN_CHARS]}\n[… cut here; read fewer lines at a time]"
        return f"{found}\n[… {left} more lines; first_line={first + len(shown)} reads on]" if left > 0 else found

    def _write(self, given: Mapping[str, object]) -> str:
        place = self._writable(_text(given, "path"))
        data = _text(given, "content").encode()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return f"wrote {len(data)} bytes"

    def _edit(self, given: Mapping[str, object]) -> str:
        place = self._writable(_text(given, "path"))
        old, new = _text(given, "old"), _text(given, "new")
        if not old:
            raise ToolProblem("old is empty; write creates a file")
        if old == new:
            raise ToolProblem("old and new are the same")
        text = self._content(place)
        times = text.count(old)
        if not times:
            raise ToolProblem("old does not occur in the file; read it and copy the text exactly, without line numbers")
        if times > 1 and given.get("all") is not True:
            raise ToolProblem(f"old occurs {times} times; give more of its surroundings, or all=true for each of them")
        place.write_bytes(text.replace(old, new).encode())
        return f"replaced {times} time{'s' if times > 1 else ''}"

    def _list(self, given: Mapping[str, object]) -> str:
        top = self._inside(_text(given, "path", "."))
        pattern = _text(given, "pattern", "*")
        found: list[str] = []
        for name in _files(top):
            if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern.removeprefix("**/")):
                found.append(name)
                if len(found) > LISTED_FILES:
                    return "\n".join(found[:LISTED_FILES]) + "\n[… more; narrow the pattern]"
        return "\n".join(found) or "(no file)"

    def _search(self, given: Mapping[str, object]) -> str:
        place = self._inside(_text(given, "path", "."))
        argv = ["grep", "-rnIE", *(f"--exclude-dir={name}" for name in SKIPPED)]
        if files := _text(given, "files", ""):
            argv.append(f"--include={files}")
        argv += ["-e", _text(given, "pattern"), "--", os.path.relpath(place, self.root)]
        code, output = self._run(argv, SEARCH_SECONDS)
        if code == 1:
            return "(no match)"
        if code:
            raise ToolProblem(output.strip() or _ended(code))
        return output

    def _inside(self, given: str) -> Path:
        """Return where *given* leads in the end, which must be inside. Raises ToolProblem."""
        place = Path(os.path.realpath(self.root / given))
        if not any(place.is_relative_to(os.path.realpath(room)) for room in (self.root, *self.also)):
            raise ToolProblem(f"{given} is outside of the working directory {self.root}")
        return place

    def _writable(self, given: str) -> Path:
        place = self._inside(given)
        if ".git" in place.relative_to(place.anchor).parts:
            raise ToolProblem("what is in .git is changed by git commands only")
        if place.exists() and not place.is_file():
            raise ToolProblem(f"{given} is not a file")
        return place

    def _content(self, place: Path) -> str:
        if place.is_dir():
            raise ToolProblem("it is a folder; list shows what is in it")
        if not place.is_file():
            raise ToolProblem("there is no such file")
        if place.stat().st_size > READ_BYTES:
            raise ToolProblem(f"the file has more than {READ_BYTES // 1024**2} MiB; use a command on it")
        try:
            return place.read_bytes().decode()
        except UnicodeDecodeError:
            raise ToolProblem("the file is no UTF-8 text; use a command on it") from None

    @property
    def environ_of_commands(self) -> dict[str, str]:
        """Return the environment without what pays for us."""
        return {name: value for name, value in self.environment.items() if name not in SECRETS}

    def _run(self, argv: list[str] | tuple[str, ...], seconds: float) -> tuple[int, str]:
        """Run *argv* in a process group of its own and return its exit code and what it printed.

        Its output goes to a file: what it leaves running in the background would keep a pipe open for ever.
        """
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(
                argv,
                cwd=self.root,
                env=self.environ_of_commands,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            why = _waited(process, out, time.monotonic() + seconds, seconds)
            output = _shown(out)
        if why:
            raise ToolProblem(f"{output.rstrip()}\n[it was ended: {why}]".lstrip("\n"))
        return process.returncode, output


def _waited(process: "subprocess.Popen[bytes]", out: BinaryIO, end: float, seconds: float) -> str:
    """Wait for *process*; return why it had to be ended, or nothing."""
    why = ""
    while not why:
        try:
            process.wait(0.2)
            return ""
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                why = f"it ran longer than {seconds:.0f} s"
            elif os.fstat(out.fileno()).st_size > DISK_BYTES:
                why = f"it printed more than {DISK_BYTES // 1024**2} MiB"
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    return why


def _shown(out: BinaryIO) -> str:
    """Return the output as text, its middle left out when it is long."""
    size = out.seek(0, os.SEEK_END)
    head = SHOWN_CHARS // 3
    out.seek(0)
    if size <= SHOWN_CHARS:
        return _decoded(out.read())
    first = _decoded(out.read(head))
    out.seek(size - (SHOWN_CHARS - head))
    return f"{first}\n[… {size - SHOWN_CHARS:,} bytes left out …]\n{_decoded(out.read())}"


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"ended by signal {-code}"


def _files(top: Path) -> Iterator[str]:
    """Yield the files below *top*, sorted, links to folders not followed."""
    for parent, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            yield (Path(parent) / name).relative_to(top).as_posix()


def _text(given: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise ToolProblem(f"{name} must be given as text")
    return value


def _number(given: Mapping[str, object], name: str, default: float) -> float:
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ToolProblem(f"{name} must be a number above 0")
    return value


def definitions(shell_seconds: float) -> list[dict[str, object]]:
    """Return the tools as the API wants them described."""
    path = {"type": "string", "description": "Relative to the working directory, or absolute inside it."}
    return [
        _tool(
            "bash",
            "Run a shell command in the working directory; returns its output and, unless it is 0, its exit code. "
            f"Ended after {shell_seconds:.0f} s. Nobody can type an answer: use options that do not ask. What should "
            "go on running is started with & at the end.",
            ("command",),
            command={"type": "string"},
            timeout_seconds={"type": "number", "description": "End it earlier."},
        ),
        _tool(
            "read",
            "Read a text file, with line numbers.",
            ("path",),
            path=path,
            first_line={"type": "integer", "description": "From 1."},
            lines={"type": "integer", "description": f"How many; {READ_LINES} unless given."},
        ),
        _tool(
            "write",
            "Create a file, or replace all of it; folders are made.",
            ("path", "content"),
            path=path,
            content={"type": "string"},
        ),
        _tool(
            "edit",
            "Replace text in a file. old must be exactly as in the file, spaces and all, and occur once.",
            ("path", "old", "new"),
            path=path,
            old={"type": "string"},
            new={"type": "string"},
            all={"type": "boolean", "description": "Replace every occurrence."},
        ),
        _tool(
            "list",
            f"List files below a folder whose path matches a pattern; {', '.join(SKIPPED)} are left out.",
            (),
            path=path,
            pattern={"type": "string", "description": "Such as *.py or src/*test*; * also matches /."},
        ),
        _tool(
            "search",
            "Search files for an extended regular expression, line by line, as grep -rnE does.",
            ("pattern",),
            pattern={"type": "string"},
            path=path,
            files={"type": "string", "description": "Only files whose name matches, such as *.py."},
        ),
    ]


def _tool(name: str, about: str, required: tuple[str, ...], **properties: object) -> dict[str, object]:
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"name": name, "description": about, "input_schema": schema}
