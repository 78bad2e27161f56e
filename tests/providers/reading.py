"""What the tests of all providers share: reading a recording line by line, and an ordinary briefing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.providers import Briefing, Ending, Finished, Limited, Meaning, Provider, still_limited

RECORDINGS = Path(__file__).with_name("recordings")
CLOCK = HandClock(at=datetime(2026, 11, 20, 20, 42, tzinfo=UTC))
"""About when the recordings were made, so that their reset times lie ahead."""


@dataclass(frozen=True)
class Reading:
    meanings: tuple[Meaning, ...]
    last: Finished | None
    limited: Limited | None

    def of(self, kind: type[Meaning]) -> list[Meaning]:
        return [meaning for meaning in self.meanings if isinstance(meaning, kind)]


def read(provider: Provider, lines: list[str]) -> Reading:
    meanings: list[Meaning] = []
    last: Finished | None = None
    limited: Limited | None = None
    for line in lines:
        for meaning in provider.read(line):
            meanings.append(meaning)
            limited = still_limited(limited, meaning)
            last = meaning if isinstance(meaning, Finished) else last
    return Reading(tuple(meanings), last, limited)


def briefing(executable: str, **given: object) -> Briefing:
    """Return an ordinary briefing for the CLI *executable*, with what is *given* instead of its own."""
    ordinary = {
        "prompt": "Do it.",
        "role": "You test.",
        "workspace": Path("/w"),
        "run_dir": Path("/runs/t1.1"),
        "executable": executable,
    }
    return Briefing(**ordinary | given)


def recording(name: str) -> list[str]:
    return (RECORDINGS / f"{name}.jsonl").read_text().splitlines()


def ending(provider: Provider, lines: list[str], exit_code: int | None, stderr: str = "") -> Ending:
    found = read(provider, lines)
    return provider.conclude(exit_code, found.last, found.limited, stderr)
