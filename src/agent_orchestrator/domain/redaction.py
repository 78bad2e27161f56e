"""Take secrets out of text before it is kept or shown: the values of the environment's keys, and what looks like one.

An agent prints what it reads, and it may read a key. What it printed goes on into transcripts, events, evidence,
prompts and reports. Names of variables stay; values go. A secret that is cut in two by whoever printed it, or that
is hidden in a way of its own, is not found: this keeps accidents from spreading, not a thief from stealing.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

LEAST_CHARACTERS = 8
"""Shorter values are words of everyday text; taking those out would spoil it and hide nothing."""

HIDDEN = "[redacted]"

_NAME_OF_SECRETS = r"(?i)(key|token|secret|passw(or)?d|passphrase|credential|private|auth|_pat|_dsn)(?![a-z])|_pat$"
_PLAIN_VALUE = r"(?i)true|false|yes|none|disabled|enabled|[/~.][\w./~-]*|[\d.:]+"
"""Switches, paths and numbers, such as SSH_AUTH_SOCK or NO_PASSWORD=true."""

_SHAPES = (
    ("PRIVATE KEY", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    ("sk-", r"\bsk-(?:(?:ant|proj|svcacct|or)-[\w-]{16,}|[A-Za-z0-9]{20,})"),  # Anthropic, OpenAI, OpenRouter
    ("k_live_", r"\b[sr]k_live_[A-Za-z0-9]{16,}"),  # Stripe
    ("k_test_", r"\b[sr]k_test_[A-Za-z0-9]{16,}"),
    ("whsec_", r"\bwhsec_[A-Za-z0-9+/=]{16,}"),
    ("gh", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),  # GitHub
    ("github_pat_", r"\bgithub_pat_\w{22,}"),
    ("glpat-", r"\bglpat-[\w-]{20,}"),
    ("xox", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),  # Slack
    ("xapp-", r"\bxapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{16,}"),
    ("AKIA", r"\bAKIA[A-Z0-9]{16}\b"),
    ("ASIA", r"\bASIA[A-Z0-9]{16}\b"),
    ("secret_access_key", r"secret_access_key[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}"),
    ("SECRET_ACCESS_KEY", r"SECRET_ACCESS_KEY[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}"),
    ("AIza", r"\bAIza[\w-]{35}"),  # Google
    ("ya29.", r"\bya29\.[\w-]{20,}"),
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-AgE", r"\bpypi-AgE[\w-]{20,}"),
    ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),
    ("dop_v1_", r"\bdop_v1_[a-f0-9]{64}"),
    ("SG.", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("shp", r"\bshp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}"),
    ("eyJ", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),  # JSON Web Token
    ("://", r"(?<=://)[^\s/:@]{1,100}:[^\s/@]{3,200}(?=@)"),
    ("uthorization", r"(?<=uthorization: )(?:[Bb]earer|[Bb]asic) [\w.~+/=-]{8,}"),
)
"""Of each shape a text that it cannot do without, to pass over it quickly, and the shape."""


class Redactor:
    """Knows the secrets of one environment."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Know the values in *environ* of variables whose names speak of secrets, beside well-known shapes."""
        self._forms = sorted(
            {form for value in _secrets(environ or {}) for form in _forms(value)}, key=len, reverse=True
        )

    def __call__(self, text: str) -> str:
        """Return *text* without its secrets."""
        return self._replaced(text, lambda _: HIDDEN)

    def masked(self, text: str) -> str:
        """Return *text* with a ``*`` in the place of each character of a secret: of the same length, newlines kept."""
        return self._replaced(text, lambda secret: re.sub(r"[^\n]", "*", secret))

    def _replaced(self, text: str, by: Callable[[str], str]) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, by(form))
        for needed, shape in _SHAPES:
            if needed in text:
                text = re.sub(shape, lambda found: by(found[0]), text)
        return text


def _secrets(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if (
            len(value) >= LEAST_CHARACTERS
            and re.search(_NAME_OF_SECRETS, name)
            and not re.fullmatch(_PLAIN_VALUE, value)
        ):
            yield value


def _forms(value: str) -> Iterable[str]:
    """Return the ways in which a value is commonly written: as it is, in JSON, in a URL, in base64 at any offset."""
    import base64
    from urllib.parse import quote

    data = value.encode("utf-8", "surrogateescape")
    yield value
    yield data.decode("latin-1")  # as `masked` sees the bytes of a file
    yield json.dumps(value)[1:-1]
    yield quote(data, safe="")
    for before in range(3):
        # Of the characters of base64, those that depend on what stands before or after the value are left out.
        encoded = base64.b64encode(b"\0" * before + data).decode()
        whole = encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(whole) >= LEAST_CHARACTERS:
            yield whole
            yield whole.replace("+", "-").replace("/", "_")
