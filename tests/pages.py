"""The pages of the documentation, and running them: a page's blocks are one session of one user in one project.

What a block is says its language:

    bash, sh    commands, run in order; each block must end with exit code 0
    console     `$ ` before a command, below it what it shows; … stands for any text, alone on a line for any lines
    python      a program, run where the session stands
    toml        a project's configuration, loaded
    json        parsed, and checked against a schema when the page names one
    text, markdown, yaml    only looked at

HTML comments before a block say how it is run; readers do not see them:

    <!-- not run: WHY -->           the test is skipped and says why
    <!-- run: in an empty folder -->
    <!-- first: COMMAND -->         run before it
    <!-- exits: 6 -->               with which code its last command ends
    <!-- schema: status -->         of a json block: docs/schemas/status.json

A session begins in ~/shop, a git project with one test; `orchestrate`, and a `claude` that no model stands behind
(doubles/pretend_claude.py), are on PATH. What a command shows goes to a terminal of 110 columns; its standard input is
closed. Ids, times, sizes, versions, commits and the width of columns are not compared.
"""

import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import ioctl
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DOCS = CHECKOUT / "docs"
PAGES = [CHECKOUT / "README.md", *sorted(DOCS.glob("*.md"))]
PRETEND_CLAUDE = CHECKOUT / "tests" / "doubles" / "pretend_claude.py"
USER_HOME = "/home/ada"
"""Where the user of the pages lives."""
COLUMNS = 110
"""Of the user's terminal. A session's is wider by as much as its home has a longer name: so the same is cut to fit."""
SESSION_LIMIT_S = 500
TOOLS = (
    *("bash", "cat", "chmod", "cp", "cut", "date", "env", "git", "grep", "head", "ls", "mkdir", "mv", "rm", "sed"),
    *("sh", "sleep", "sort", "tail", "touch", "wc"),
)
"""All that a session finds on PATH beside Python and ours: an agent CLI of the developer's must not be found."""
FILES = {
    "README.md": "# Shop\n",
    "shop/__init__.py": "",
    "shop/prices.py": "def total(prices):\n    return sum(prices)\n",
    "tests/__init__.py": "",
    "tests/test_prices.py": (
        "import unittest\n\nfrom shop.prices import total\n\n\nclass Prices(unittest.TestCase):\n"
        "    def test_total(self):\n        self.assertEqual(total([1, 2]), 3)\n"
    ),
}
SHELL = {"bash", "sh", "console"}
RUN = {*SHELL, "python"}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--\s*(not run|run|first|exits|schema):\s*((?:(?!-->).)*?)\s*-->\s*\Z", re.DOTALL)
_VARYING = (
    (r"\x1b\[[0-9;]*[A-Za-z]|\r", ""),
    (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z?", "<moment>"),
    (r"\b\d\d:\d\d(:\d\d)?\b", "<time>"),
    (r"\b\d{4}-\d\d-\d\d\b", "<day>"),
    (r"\b\d+(\.\d+)? ?(ms|s|min|h|[KMG]iB)\b", "<size>"),
    (r"\b[gtp][2-9a-hjkmnp-z]{6}(\.\d+)?\b", "<id>"),
    (r"\b(claude|codex|demo|generic)-[2-9a-z]{5}\b", r"\1-<id>"),
    (r"\b(pid|process) \d+", r"\1 <number>"),
    (r"\b\d{3,7}(?=\s+/)", "<number>"),
    (r"-[0-9a-f]{8}\b", "-<hash>"),
    (r"\b(?=[a-f]*\d)[0-9a-f]{7,40}\b", "<hash>"),
    (r"\b\d+\.\d+\.\d+\b", "<version>"),
    (r"[ \t]+", " "),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    says: dict[str, str]
    """What the comments before it say."""

    def __str__(self) -> str:
        return f"{self.page.parent.name}/{self.page.name}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a session."""

    block: Block
    text: str
    exits: int = 0
    shows: str | None = None
    """What it must show. None: anything."""


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of *page* that have a language, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        before, says = text[: match.start()], {}
        while comment := _COMMENT.search(before):
            says[comment[1]] = comment[2]
            before = before[: comment.start()]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page=page, line=line, language=match[1], text=match[2], says=says))
    return found


def commands(found: list[Block]) -> Iterator[Command]:
    """Yield what the blocks of one page run, in order."""
    for number, block in enumerate(found):
        if block.language not in RUN or "not run" in block.says:
            continue
        if "run" in block.says:
            assert block.says["run"] == "in an empty folder", block
            yield Command(block=block, text=f"mkdir ~/empty-{number} && cd ~/empty-{number}")
        if "first" in block.says:
            yield Command(block=block, text=block.says["first"])
        exits = int(block.says.get("exits", 0))
        if block.language == "console":
            parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
            for at, part in enumerate(parts):
                typed, _, shown = part.partition("\n")
                yield Command(block=block, text=typed, shows=shown, exits=exits if at == len(parts) - 1 else 0)
        elif block.language == "python":
            yield Command(block=block, text=f"python3 - <<'PROGRAM'\n{block.text}PROGRAM", exits=exits)
        else:
            text = block.text if exits else f"set -e\n{block.text}set +e"
            yield Command(block=block, text=text, exits=exits)


def run(found: list[Command], folder: Path) -> None:
    """Run a session in *folder*, which is empty. Fails at the first command that does not do as its page says."""
    home = folder.resolve() / "home"
    environ = lay_out(folder.resolve(), home)
    script = folder / "session.sh"
    script.write_text("".join(f"{{\n{one.text}\n}}\nprintf '\\036%d\\036' $?\n" for one in found))
    try:
        said = _on_terminal(script, home / "shop", environ)
    finally:
        for place in {home / "shop", *home.glob("empty-*")}:  # what a page left at work
            stop = [str(folder / "bin" / "orchestrate"), "stop", "--now", "--wait"]
            subprocess.run(stop, cwd=place, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    parts = said.split("\036")
    for at, command in enumerate(found):
        told = f"{command.block}\n$ {command.text}\n{parts[2 * at] if 2 * at < len(parts) else ''}"
        assert 2 * at + 1 < len(parts), f"the session ended in {told}"
        assert int(parts[2 * at + 1]) == command.exits, f"exit code {parts[2 * at + 1]} of {told}"
        assert "Traceback" not in parts[2 * at], told
        if command.shows is not None:
            assert (wrong := differs(command.shows, parts[2 * at], home)) == "", f"not shown: {wrong}\n{told}"


def differs(wanted: str, shown: str, home: Path) -> str:
    """Return the first line of *wanted* that *shown* does not have in its place; empty when a page is right."""
    said = "".join(f"{line}\n" for line in _stable(shown.replace(str(home), USER_HOME)))
    pattern, lines = "", _stable(wanted)
    for line in lines:
        pattern += r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        if re.match(pattern, said) is None:
            return line
    return "" if re.fullmatch(pattern, said) else f"nothing more after {lines[-1] if lines else 'the command'!r}"


def _stable(text: str) -> list[str]:
    """Return the lines of *text* that say something, without what differs from run to run."""
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def lay_out(folder: Path, home: Path) -> dict[str, str]:
    """Make home, PATH and project of a session, and return its environment."""
    for place in (folder / "bin", home / ".claude", home / "shop"):
        place.mkdir(parents=True)
    (home / ".claude" / ".credentials.json").write_text("{}")  # its presence alone says that there is a login
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is needed"
        (folder / "bin" / tool).symlink_to(found)
    for name, argument in (("orchestrate", "-P -m agent_orchestrator"), ("claude", PRETEND_CLAUDE), ("python3", "")):
        launcher = folder / "bin" / name
        launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" {argument} "$@"\n')
        launcher.chmod(0o755)
    environ = {
        "PATH": str(folder / "bin"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "TZ": _where_it_is_noon(),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    shop = home / "shop"
    for name, text in FILES.items():
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text(text)
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.invalid\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin the shop"]):
        subprocess.run(["git", *words], cwd=shop, env=environ, check=True, stdin=subprocess.DEVNULL)
    return environ


def _where_it_is_noon() -> str:
    """Return a time zone in which it is about noon: what a page says of 07:30 must not come true while it is run."""
    ahead = 12 - datetime.now(UTC).hour
    return f"NOON{-ahead:+d}"


def _on_terminal(script: Path, folder: Path, environ: dict[str, str]) -> str:
    """Run *script* and return what it showed on a terminal."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS + len(environ["HOME"]) - len(USER_HOME), 0, 0))
    process = subprocess.Popen(
        ["bash", str(script)],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, end = b"", time.monotonic() + SESSION_LIMIT_S
    while time.monotonic() < end:
        ended = process.poll() is not None  # asked first: what it wrote before it ended is read below
        if select.select([ours], [], [], 0.1)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # how Linux says that the last writer has gone
                break
        elif ended:
            break
    os.close(ours)
    with suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, 9)
    process.wait()
    return shown.decode(errors="replace")
