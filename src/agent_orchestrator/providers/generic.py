"""Any other agent that is a command line, such as ``my-agent --prompt {prompt_file}``: the user's template.

Nothing is known of such an agent but its lines and its exit code; what it did is seen by looking at the work.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.clock import Clock, SystemClock
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import (
    Briefing,
    Command,
    Ending,
    Finished,
    Limited,
    Meaning,
    Provider,
    Said,
    conclusion,
    fields,
    limits,
)

PLACEHOLDERS = ("prompt_file", "workspace", "role_file", "model", "run_dir")
PROMPT_FILE = "prompt.md"
ROLE_FILE = "role.md"
LAST_LINES = 3
"""Lines at the end of standard error in which a limit is looked for. Further up they may speak of the work."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def split(template: str) -> tuple[str, ...]:
    """Return the words of *template*, split once as a shell would; placeholders are filled in later, word by word.

    Raises:
        BadInput: it is empty, a quote is open, its program is a placeholder, or a placeholder is unknown.
    """
    try:
        words = tuple(shlex.split(template))
    except ValueError as error:
        raise BadInput(f"the agent command {template!r} cannot be read: {error}", hint="close its quotes") from error
    if not words or _PLACEHOLDER.search(words[0]):
        raise BadInput(
            f"the agent command {template!r} names no program",
            hint="write it like: my-agent --cwd {workspace}",
        )
    for name in _PLACEHOLDER.findall(" ".join(words)):
        if name not in PLACEHOLDERS:
            known = " ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise BadInput(f"the agent command knows no {{{name}}}", hint=f"use one of {known}")
    return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Generic:
    """The provider ``generic``."""

    words: tuple[str, ...]
    """The command's words with their placeholders; see :func:`split`."""
    clock: Clock = field(default_factory=SystemClock)
    zone: tzinfo | None = None
    environment: tuple[str, ...] = ()
    """Nothing beyond the basics: whose key an unknown agent needs is the user's to say."""
    name: str = "generic"
    install: str = "install the program that your agent command names, or correct the command"
    version_argv: tuple[str, ...] = ()
    """Never asked: a program that does not know the question might take it for work."""
    is_demo: bool = False
    reports_usage: bool = False

    @property
    def title(self) -> str:
        """The program's name."""
        return Path(self.words[0]).name

    @property
    def binary(self) -> str | None:
        """The template's first word: a name on PATH, or a path."""
        return self.words[0]

    def command(self, briefing: Briefing) -> Command:
        """Return the template with its placeholders filled in; the prompt is also on standard input.

        Where no model is named, a word with ``{model}`` goes, and with a word that is just that the option before it. A
        role that the template does not ask for is the head of the prompt.
        """
        values = {
            "prompt_file": str(briefing.run_dir / PROMPT_FILE),
            "role_file": str(briefing.run_dir / ROLE_FILE),
            "workspace": str(briefing.workspace),
            "run_dir": str(briefing.run_dir),
            "model": briefing.model or "",
        }
        argv = [briefing.executable]
        for word in self.words[1:]:
            if "{model}" in word and not briefing.model:
                if word == "{model}" and len(argv) > 1 and argv[-1].startswith("-"):
                    argv.pop()
                continue
            argv.append(_PLACEHOLDER.sub(lambda found: values[found[1]], word))
        takes_role = any("{role_file}" in word for word in self.words)
        prompt = briefing.prompt if takes_role or not briefing.role else f"{briefing.role}\n\n{briefing.prompt}"
        files = {PROMPT_FILE: prompt} | ({ROLE_FILE: briefing.role} if takes_role else {})
        writes = (str(briefing.run_dir),) if any("{run_dir}" in word for word in self.words) else ()
        return Command(argv=tuple(argv), stdin=prompt, files=files, writes=writes)

    def for_model(self, model: str) -> Provider:
        """Return itself: its lines name the model, or no price depends on it."""
        del model
        return self

    def read(self, line: str) -> tuple[Meaning, ...]:
        """Every line that is not blank is something said; one that reads like a refusal may be why it ends.

        That counts only if it is the last line and the exit code is not 0: what an agent says may be about its task.
        """
        words = fields.text(line).strip()
        if not words:
            return ()
        end = words[-fields.DETAIL_LIMIT :]
        limited = self._limited(end, end)
        return (Said(text=words), limited) if limited else (Said(text=words),)

    def conclude(self, exit_code: int | None, last: Finished | None, limited: Limited | None, stderr: str) -> Ending:
        """Exit code 0 means: look at the work. Else the end of what it printed tells a limit from a failure."""
        del last  # read() never says it
        if exit_code == 0:
            return Ending(outcome=None)
        words = conclusion.tail(stderr, LAST_LINES)
        telling = next((line.strip() for line in reversed(stderr.splitlines()) if limits.refusal(line)), words)
        found = self._limited(words, telling) or limited
        if found is None or exit_code is None:
            return conclusion.crashed(exit_code, stderr, who=self.title)
        return Ending(outcome=Outcome.LIMITED, reason=found.text, limited=found)

    def _limited(self, words: str, telling: str) -> Limited | None:
        kind = limits.refusal(words)
        if kind is None:
            return None
        until = None if kind == HoldKind.LOGIN else limits.reset_time(words, self.clock.now(), self.zone)
        return Limited(kind=kind, until=until, text=telling[: fields.DETAIL_LIMIT])

    def payer(self, environment: Mapping[str, str], home: Path) -> str:
        """We cannot know."""
        del environment, home
        return f"whoever {self.title} is set up with"
