"""Failures of the real CLIs against a service that refuses, breaks off or is not there: each is read as what it was."""

import json
from datetime import UTC

import pytest

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import Provider
from agent_orchestrator.providers.codex import Codex
from agent_orchestrator.providers.gemini import Gemini
from agent_orchestrator.providers.opencode import OpenCode
from providers.reading import CLOCK, RECORDINGS, ending

FAILURES = {
    "rate_limit": HoldKind.RATE_LIMIT,
    "usage_limit": HoldKind.USAGE_LIMIT,
    "no_credit": HoldKind.USAGE_LIMIT,
    "overloaded": HoldKind.OVERLOADED,
    "server_error": HoldKind.OVERLOADED,
    "invalid_key": HoldKind.LOGIN,
    "forbidden": HoldKind.LOGIN,
    "nokey": HoldKind.LOGIN,
    "drop": HoldKind.OVERLOADED,
    "drop_mid": HoldKind.OVERLOADED,
    "stream_error": HoldKind.OVERLOADED,
    "hang_mid": HoldKind.OVERLOADED,
    "prompt_too_long": None,
    "not_found": None,
    "no_model": None,
}
"""What was arranged, and the hold that it asks for; None where waiting would not help."""
PROVIDERS: list[Provider] = [
    Codex(clock=CLOCK, zone=UTC, model="gpt-5.4"),
    Gemini(clock=CLOCK, zone=UTC),
    OpenCode(clock=CLOCK, zone=UTC, model="openai/gpt-5.4"),
]
RECORDED = [
    pytest.param(provider, line, id=json.loads(line)["case"])
    for provider in PROVIDERS
    for line in (RECORDINGS / f"{provider.name}-failures.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(("provider", "recorded"), RECORDED)
def test_a_run_that_failed_is_told_by_its_status_and_its_text(provider: Provider, recorded: str) -> None:
    seen = json.loads(recorded)
    arranged = seen["case"].split("_", 1)[1]
    for prefix in ("d_", "r1_", "flaky_"):
        arranged = arranged.removeprefix(prefix)

    found = ending(provider, [json.dumps(seen["line"])], seen["exit_code"])

    assert (found.limited.kind if found.limited else None) == FAILURES[arranged]
    assert found.outcome == (Outcome.LIMITED if FAILURES[arranged] else Outcome.FAILED)
