"""What a test can make the model say: turns, the tool calls in them, and ways to fail.

These values know nothing of a wire format; `model_dialects` puts them into the words of each API.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Dialect: TypeAlias = Literal["anthropic", "responses", "chat", "gemini"]
"""The APIs that are spoken: Anthropic Messages, OpenAI Responses and Chat Completions, Gemini generateContent."""

FailureKind = Literal[
    "rate_limit",
    "usage_limit",
    "overloaded",
    "server_error",
    "invalid_key",
    "forbidden",
    "no_credit",
    "spend_limit",
    "prompt_too_long",
    "no_model",
    "hang",
    "drop",
    "hang_mid",
    "drop_mid",
    "overloaded_mid",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Create or replace a file, with the file tool of whichever agent asks."""

    path: str
    """Absolute, or relative to the folder the agent works in."""
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Run a command with the shell tool of whichever agent asks."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Give a structured answer: through the tool the caller wants it in if there is one, else as JSON text."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTool:
    """Call one named tool, whether or not the agent offers it."""

    name: str
    input: Json


Action: TypeAlias = Write | Shell | Answer | CallTool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A way for a request to go wrong.

    `hang` never answers, `drop` resets the connection; with `_mid` they do so halfway through a stream, and
    `overloaded_mid` sends an error there. The rest are HTTP errors in the shape of the API that
    was asked.
    """

    kind: FailureKind
    times: int | None = None
    """Fail the first so many requests for this turn of this scenario, then answer. None: always."""
    resets_in_seconds: int = 3600
    """For usage_limit and spend_limit: how far away the reset is."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent as well, e.g. `{"retry-after": "3"}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts, in Anthropic's sense: input does not include what was read from the cache."""

    input_tokens: int = 100
    output_tokens: int = 10
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer of the model."""

    text: str = ""
    actions: Sequence[Action] = ()
    usage: Usage = Usage()
    failure: Failure | None = None
    hold: threading.Event | None = None
    """Do not answer before this is set (or the server closes): a test's way to keep agents in mid-task."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Extra headers of the successful answer."""
    stop: str | None = None
    """Anthropic's stop_reason, such as refusal or max_tokens; None: what fits the actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for an answer, whatever API it came by."""

    dialect: Dialect
    model: str
    stream: bool
    exchanges: Sequence[tuple[Literal["system", "user", "assistant", "tool"], str]]
    """Who said what, oldest first."""
    tools: Mapping[str, Json]
    """What the agent offers, by name; a tool of a namespace is `NAMESPACE/NAME`."""
    schema: Json | None
    """The JSON schema the answer should have, if the caller asked for one."""
    answer_tool: str | None
    """The tool that must carry the structured answer; None: as text."""

    @property
    def system(self) -> str:
        """Everything the agent put into the system or developer role."""
        return "\n".join(text for role, text in self.exchanges if role == "system")

    @property
    def prompt(self) -> str:
        """The newest user text."""
        return next((text for text, _ in self.prompts()), "")

    def prompts(self) -> list[tuple[str, int]]:
        """Return each user text with the number of assistant turns after it, newest first.

        Neighbouring user messages are one text: CLIs put notes of their own before or after what the user wrote.
        """
        found: list[tuple[str, int]] = []
        turns_after = 0
        run: list[str] = []
        for role, text in reversed(self.exchanges):
            if role == "user":
                run.append(text)
                continue
            if run and role != "system":
                found.append(("\n".join(reversed(run)), turns_after))
                run = []
            turns_after += role == "assistant"
        if run:
            found.append(("\n".join(reversed(run)), turns_after))
        return found


Scenario: TypeAlias = Sequence[Turn] | Callable[[Asked], Sequence[Turn]]
"""The model's turns in order, the last one repeated for ever; or a function that makes them from the request."""
