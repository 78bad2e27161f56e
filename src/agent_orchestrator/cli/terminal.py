"""The two terminals of a planning session: one that draws, and one that only prints lines and reads lines.

The second is for screen readers (``--plain``), dumb terminals and pipes of a test. Both are a Door of the session.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from agent_orchestrator.cli import render, typed
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.text import clean
from agent_orchestrator.planning.partners import Stopped

COMPLETED_CHARS = 400
"""A longer line is pasted text: nothing in it is completed."""

ROWS_BESIDES = 3
"""Rows that a prompt and what was typed take, beside the plan and an answer."""
ENDLESS = 1 << 20
EDITED_LIMIT_BYTES = 4 * 1024 * 1024


class Plain:
    """Prints lines and reads lines. Nothing is drawn over, no colour, no cursor."""

    plain = True

    def __init__(self, folder: Path, name: Callable[[], str], show: Callable[[str, str], Sequence[str]]) -> None:
        self.folder = folder
        """Where an edited plan lies while the editor has it."""
        self.name = name
        self._show = show

    def line(self) -> str:
        """Return the next command. Raises KeyboardInterrupt and EOFError."""
        with suppress(ImportError):
            import readline  # noqa: F401 - lines longer than the terminal's own 4,096 bytes, and editing them
        return input("plan> ")

    def say(self, lines: Sequence[str]) -> None:
        """Print *lines*, cleaned: much of it was written by models and other people."""
        render.say([part for one in lines for part in _harmless(one)], folded=True)

    def ask(self, question: str, *, default: str = "") -> str:
        """Return the answer to *question*. Ctrl-C breaks it off; the end of the input ends the session."""
        try:
            return input(f"{clean(question)}: ").strip() or default
        except KeyboardInterrupt:
            render.say("")
            raise Stopped from None

    def show(self, what: str, argument: str) -> None:
        """Print a view."""
        lines = list(self._show(what, argument))
        render.say([click.unstyle(one) for one in lines] if self.plain else lines, folded=True)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Say what is waited for."""
        self.say([f"{what} … (Ctrl-C stops it)"])
        yield

    def edit(self, text: str, suffix: str) -> str:
        """Return *text* as the user's editor leaves it.

        Raises:
            BadInput: the editor could not be started, failed, or left something that is no text.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / f"{self.name()}{suffix}"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
        chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        kept = f"nothing was changed; what was written is in {file}"
        try:
            ended = subprocess.run([*shlex.split(chosen), str(file)], check=False).returncode
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise BadInput(f"the editor {chosen!r} could not be started: {reason}", hint="set EDITOR") from error
        except KeyboardInterrupt:
            raise Stopped from None
        if ended != 0:
            raise BadInput(f"the editor {chosen!r} ended with {ended}", hint=kept)
        try:
            with file.open("rb") as stream:
                content = stream.read(EDITED_LIMIT_BYTES + 1)
            if len(content) > EDITED_LIMIT_BYTES:
                raise BadInput("the file has become too big for a plan", hint=kept)
            return content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput("what the editor left is not UTF-8 text", hint=kept) from error


class Drawn(Plain):
    """A prompt below the plan, which stays in view.

    After a command that only looked, or was refused, the answer matters more: where both do not fit the terminal, the
    plan is left out until it is different, or until Enter alone asks for it.
    """

    plain = False

    def __init__(
        self,
        folder: Path,
        name: Callable[[], str],
        show: Callable[[str, str], Sequence[str]],
        *,
        view: Callable[[int, int], Sequence[str]],
        state: Callable[[], object],
        completions: Callable[[str], Iterable[tuple[str, str]]],
        history: Path,
        redact: Callable[[str], str],
    ) -> None:
        super().__init__(folder, name, show)
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import InMemoryHistory
        from prompt_toolkit.output import ColorDepth

        self._view = view
        self._state = state
        """Says by a value what the view shows: a command has changed something when it is another one."""
        self._drawn: object = None
        self._answer_stays = False
        self._said = 0
        """Lines that were printed since the last prompt."""
        self._pastes = typed.Pastes()
        depth = None if render.coloured() else ColorDepth.DEPTH_1_BIT
        self._commands: PromptSession[str] = PromptSession(
            message=self._message,
            history=typed.history(history, self._pastes, redact),
            completer=_completer(completions),
            complete_while_typing=False,
            reserve_space_for_menu=4,
            erase_when_done=True,
            color_depth=depth,
            key_bindings=_pasting(self._pastes),
        )
        self._answers: PromptSession[str] = PromptSession(
            history=InMemoryHistory(), color_depth=depth, key_bindings=_pasting(self._pastes)
        )

    def _message(self) -> Any:
        from prompt_toolkit.application import get_app
        from prompt_toolkit.formatted_text import ANSI

        size = get_app().output.get_size()
        view = self._view(size.columns, size.rows)
        fits = len(view) + self._said + ROWS_BESIDES <= size.rows
        return ANSI("\n".join([*view, "plan> "] if fits or not self._answer_stays else ["plan> "]))

    def line(self) -> str:
        """Return the next command. Raises KeyboardInterrupt and EOFError."""
        state = self._state()
        self._answer_stays, self._drawn = state == self._drawn, state
        shown = self._commands.prompt()
        line = self._pastes.whole(shown)
        self._said = 0
        if not line.strip():
            self._drawn = None
        self.say([render.paint(f"plan> {render.line(line)}", dim=True)] if line.strip() else [])
        if self._pastes.lost(shown):
            self.say(["what was pasted then is not kept: paste it again"])
            return ""
        return line

    def say(self, lines: Sequence[str]) -> None:
        """Print *lines*, cleaned of what steers a terminal; our own colours are put on afterwards."""
        if lines:
            self._said += len(lines)
            super().say(lines)

    def show(self, what: str, argument: str) -> None:
        """Print a view. The whole plan, just shown, is not drawn below itself."""
        lines = list(self._show(what, argument))
        self._said += ENDLESS if what == "plan" else len(lines)
        render.say(lines, folded=True)

    def ask(self, question: str, *, default: str = "") -> str:
        """Return the answer to *question*. Ctrl-C breaks it off; Ctrl-D ends the session."""
        try:
            return self._pastes.whole(self._answers.prompt(f"{clean(question)}: ")).strip() or default
        except KeyboardInterrupt:
            raise Stopped from None


def can_draw() -> bool:
    """Say whether the terminal can do more than print lines."""
    return os.environ.get("TERM", "dumb") not in {"dumb", "unknown", ""} and sys.stdin.isatty() and sys.stdout.isatty()


def _harmless(text: str) -> list[str]:
    return [one.expandtabs(4).rstrip() for one in clean(text).splitlines()] or [""]


def _pasting(pastes: typed.Pastes) -> Any:
    """Return key bindings that take a paste in: a long one into *pastes*, with a mark for it into the line."""
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.keys import Keys

    bindings = KeyBindings()

    @bindings.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        event.current_buffer.insert_text(pastes.short(text))

    return bindings


def _completer(completions: Callable[[str], Iterable[tuple[str, str]]]) -> Any:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class Words(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            typed = document.text_before_cursor
            if len(typed) > COMPLETED_CHARS:
                return
            begun = typed.rsplit(" ", 1)[-1]
            for word, about in completions(typed):
                if word.startswith(begun):
                    yield Completion(word, start_position=-len(begun), display_meta=about)

    return Words()
