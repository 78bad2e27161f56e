import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_orchestrator.domain.redaction import HIDDEN, Redactor

CANARY = 'canary/of+a"key'


@pytest.mark.parametrize(
    "told",
    [
        CANARY,
        json.dumps(CANARY),
        quote(CANARY, safe=""),
        *(base64.b64encode(b"x" * before + CANARY.encode() + b"tail").decode() for before in range(4)),
        base64.urlsafe_b64encode(b"user:" + CANARY.encode()).decode(),
    ],
)
def test_the_value_of_a_key_is_taken_out_in_every_common_spelling(told: str) -> None:
    redact = Redactor({"SOME_API_KEY": CANARY})

    assert HIDDEN in redact(f"before {told} after")
    assert not any(part in redact(told) for part in (CANARY, quote(CANARY), "canary"))


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-" + "a1B2" * 8,
        "sk-proj-" + "a1B2" * 8,
        "sk-" + "a1B2" * 8,
        "sk_live_" + "a1B2" * 6,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "xoxb-" + "1234-" * 5,
        "AKIA" + "A1B2" * 4,
        "AIza" + "a1B2c" * 7,
        "ya29." + "a1B2" * 8,
        "npm_" + "a1B2" * 9,
        "pypi-AgE" + "a1B2" * 8,
        "hf_" + "a1B2" * 9,
        "dop_v1_" + "a1b2" * 16,
        "SG." + "a1B2" * 5 + "." + "a1B2" * 5,
        "shpat_" + "a1b2" * 8,
        "whsec_" + "a1B2" * 6,
        "eyJhbGciOiJ9." + "eyJzdWIiOiJ9." + "a1B2" * 5,
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_key_is_taken_out_whoevers_it_is(secret: str) -> None:
    redact = Redactor()

    assert redact(f"found: {secret} in a file") == f"found: {HIDDEN} in a file"
    assert len(redact.masked(secret)) == len(secret)


def test_passwords_in_addresses_and_headers_are_taken_out() -> None:
    redact = Redactor()

    assert redact("postgres://bob:hunter22@db/app") == f"postgres://{HIDDEN}@db/app"
    assert "abcdefghij" not in redact("Authorization: Bearer abcdefghij")


def test_paths_switches_and_short_values_are_no_secrets() -> None:
    environ = {"SSH_AUTH_SOCK": "/tmp/agent.17", "NO_PASSWORD": "disabled", "KEY": "short", "KEYBOARD": "de-nodeadkeys"}

    text = "/tmp/agent.17 disabled short de-nodeadkeys, a task-force at gh"

    assert Redactor(environ)(text) == text


@given(st.text())
def test_masking_keeps_length_and_lines(text: str) -> None:
    masked = Redactor({"TOKEN": CANARY}).masked(text + CANARY + text)

    assert len(masked) == len(text + CANARY + text)
    assert masked.count("\n") == (text + CANARY + text).count("\n")
    assert CANARY not in masked
