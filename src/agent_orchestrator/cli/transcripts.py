"""Showing an attempt's transcript: what its lines mean, for a person or as NDJSON, or the bytes alone."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from agent_orchestrator.cli import doors, render
from agent_orchestrator.cli.ctrl_c import CtrlC
from agent_orchestrator.cli.render import line
from agent_orchestrator.domain.clock import spelt
from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.ids import AttemptId
from agent_orchestrator.providers import Finished, Limited, Meaning, Said, Spent, Started, UsedTool, joined
from agent_orchestrator.runtime.follower import tail
from agent_orchestrator.runtime.run_dir import State, state
from agent_orchestrator.runtime.transcript import Tailer
from agent_orchestrator.services.json_values import Json

if TYPE_CHECKING:
    from agent_orchestrator.app import App

LOOK_EVERY_S = 0.3
"""How often a growing transcript is looked at."""
STDERR_BYTES = 4_096
CHUNK_BYTES = 1 << 16
STARTING = frozenset({State.STARTING, State.NEVER_STARTED})


class Reading:
    """One attempt's transcript being shown."""

    def __init__(self, app: "App", attempt: Json) -> None:
        """Raise NotFound when the transcript is gone and nothing can write it any more."""
        self.app = app
        self.attempt = attempt
        self.run_dir = Path(attempt["run_dir"])
        self.file = self.run_dir / "stdout.log"
        self.provider = app.providers.get(attempt["provider"])
        """None for one that is not configured any more: then its lines are shown as they are."""
        if not self.file.exists() and not self.is_live():
            raise NotFound(f"the transcript of {attempt['id']} is gone: {self.file}", hint="cleanup may have freed it")

    def is_live(self) -> bool:
        """Say whether more may come: not written down as ended, and not proven to be."""
        if not self.app.reports.is_live(AttemptId(self.attempt["id"])):
            return False
        try:
            found = state(self.run_dir)
        except OSError:
            return False
        if found in STARTING:  # its checkout is being made; only a living supervisor will start it
            return self.app.supervision.current() is not None
        return found is State.RUNNING

    def copy(self, ctrl_c: CtrlC, *, follow: bool) -> None:
        """Write the transcript's bytes as they are to standard output."""
        out = sys.stdout.buffer
        offset = 0
        while True:
            live = follow and self.is_live()  # asked first: what it wrote before it ended is read below
            for chunk in self._chunks(offset):
                out.write(chunk)
                offset += len(chunk)
                ctrl_c.check()
            out.flush()
            if not live:
                return
            ctrl_c.sleep(LOOK_EVERY_S)

    def show(self, ctrl_c: CtrlC, *, follow: bool, as_json: bool, of: int) -> None:
        """Print what the transcript says, and the end of standard error once the attempt has ended."""
        attempt = self.attempt
        if not as_json:
            version = "" if attempt["cli_version"] in {None, "unknown"} else f" {attempt['cli_version']}"
            who = f"{attempt['agent']} ({attempt['provider']}{version})"
            render.say(render.paint(line(f"{attempt['id']}  {who}  attempt {attempt['number']} of {of}"), dim=True))
        said = ""
        for meaning in joined(self._meanings(ctrl_c, follow)):
            if as_json:
                doors.stream({"attempt": attempt["id"], **as_document(meaning)})
            elif lines := as_lines(meaning, after=said):
                render.say(lines)
            said = meaning.text if isinstance(meaning, Said) else said
        if self.is_live():
            if not as_json:
                doors.tell("it goes on: -f follows")
            return
        self._show_end(as_json)

    def _chunks(self, offset: int) -> Iterator[bytes]:
        """Return what the transcript holds from *offset* on; nothing while there is none."""
        if self.file.exists():
            with self.file.open("rb") as stream:
                stream.seek(offset)
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk

    def _show_end(self, as_json: bool) -> None:
        errors = self.app.redact(tail(self.run_dir / "stderr.log", STDERR_BYTES)).strip()
        if as_json:
            if errors:
                doors.stream({"attempt": self.attempt["id"], "kind": "stderr", "text": errors})
            return
        if errors:
            render.say([render.heading("the end of its standard error"), *render.block(errors, "  ", 30)])
        ended = self.app.store.attempts.get(AttemptId(self.attempt["id"]))
        if ended.outcome is not None:
            render.say(f"{render.state(ended.outcome.value)}  {line(ended.reason)}".rstrip())

    def _meanings(self, ctrl_c: CtrlC, follow: bool) -> Iterator[Meaning | str]:
        with Tailer(self.file) as tailer:
            while True:
                live = follow and self.is_live()  # asked first: what it wrote before it ended is read below
                for one in tailer.read():
                    ctrl_c.check()
                    yield from self._read(one.text)
                if tailer.behind:
                    continue
                if not live:
                    break
                ctrl_c.sleep(LOOK_EVERY_S)
            if not self.is_live() and (rest := tailer.finish()) is not None:
                yield from self._read(rest.text)

    def _read(self, text: str) -> Iterator[Meaning | str]:
        text = self.app.redact(text)  # while it runs, its file holds what it printed as it was
        if self.provider is None:
            yield text
        else:
            yield from self.provider.read(text)


def as_lines(meaning: Meaning | str, *, after: str = "") -> list[str]:
    """Return one meaning as lines for a person; empty when it tells a person nothing.

    *after* is what the agent said last: a summary that only says it again is left out.
    """
    match meaning:
        case str():
            return render.block(meaning, "")
        case Said():
            return render.block(meaning.text, "")
        case UsedTool():
            return ["  " + render.paint(line(f"> {meaning.tool} {meaning.detail}"), "cyan")]
        case Started():
            model = f" with {meaning.model}" if meaning.model else ""
            return [render.paint(line(f"session {meaning.session}{model}"), dim=True)]
        case Spent():
            return []
        case Limited():
            return [render.paint(line(f"limited ({meaning.kind}): {meaning.text}"), "yellow")]
        case Finished():
            told = [] if meaning.summary.strip() == after.strip() else render.block(meaning.summary, "  ")
            told += render.block(meaning.error, "  ") if meaning.error != meaning.summary else []
            word = "it says it is done" if meaning.ok else "it says it failed"
            return [render.paint(word + (":" if told else ""), None if meaning.ok else "red"), *told]
        case _:
            assert_never(meaning)


def as_document(meaning: Meaning | str) -> Json:
    """Return one meaning as plain JSON values."""
    match meaning:
        case str():
            return {"kind": "line", "text": meaning}
        case Said():
            return {"kind": "said", "text": meaning.text}
        case UsedTool():
            return {"kind": "used_tool", "tool": meaning.tool, "detail": meaning.detail}
        case Started():
            version = meaning.cli_version
            return {"kind": "started", "session": meaning.session, "model": meaning.model, "cli_version": version}
        case Spent():
            usage = meaning.usage
            return {
                "kind": "spent",
                "input_tokens": usage.input_tokens,
                "cached_tokens": usage.cached_tokens,
                "output_tokens": usage.output_tokens,
                "cost_usd": usage.cost_micro_usd / 1_000_000 or None,
                "cost_is_estimate": usage.cost_is_estimate,
                "whole_session": meaning.whole_session,
            }
        case Limited():
            until = spelt(meaning.until) if meaning.until else None
            return {"kind": "limited", "limit": meaning.kind.value, "until": until, "text": meaning.text}
        case Finished():
            return {"kind": "finished", "ok": meaning.ok, "summary": meaning.summary, "error": meaning.error}
        case _:
            assert_never(meaning)
