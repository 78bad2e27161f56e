"""Any other agent: the user's command line is filled in word by word and never seen by a shell."""

from functools import partial
from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import Said
from agent_orchestrator.providers.generic import Generic, split
from providers import reading
from providers.reading import ending

briefing = partial(
    reading.briefing, "/opt/bin/my-agent", workspace=Path("/w/a b; rm -rf $HOME"), run_dir=Path("/runs/{model}")
)


def test_placeholders_are_filled_in_word_by_word_and_never_split_again() -> None:
    agent = Generic(words=split("my-agent --cwd {workspace} '--note=two words' --in={prompt_file}"))

    command = agent.command(briefing())

    assert command.argv == (
        "/opt/bin/my-agent",
        "--cwd",
        "/w/a b; rm -rf $HOME",
        "--note=two words",
        "--in=/runs/{model}/prompt.md",
    )
    assert agent.binary == "my-agent"


def test_the_role_goes_to_its_own_file_if_asked_for_and_else_to_the_head_of_the_prompt() -> None:
    with_file = Generic(words=split("my-agent {role_file} {prompt_file}")).command(briefing())
    without = Generic(words=split("my-agent")).command(briefing())

    assert with_file.files == {"prompt.md": "Do it.", "role.md": "You test."}
    assert without.stdin == without.files["prompt.md"] == "You test.\n\nDo it."


def test_a_model_that_is_not_named_leaves_no_empty_option_behind() -> None:
    agent = Generic(words=split("my-agent --fast --model {model} -x"))

    assert agent.command(briefing()).argv[1:] == ("--fast", "-x")
    assert agent.command(briefing(model="big")).argv[1:] == ("--fast", "--model", "big", "-x")


def test_a_model_inside_of_a_word_takes_the_word_along_when_none_is_named() -> None:
    agent = Generic(words=split("my-agent --fast --model=openai/{model} -x"))

    assert agent.command(briefing()).argv[1:] == ("--fast", "-x")
    assert agent.command(briefing(model="big")).argv[1:] == ("--fast", "--model=openai/big", "-x")


@pytest.mark.parametrize("template", ["", "   ", "agent 'open", "{workspace} run", "agent {promt_file}"])
def test_a_template_that_cannot_be_meant_is_refused(template: str) -> None:
    with pytest.raises(BadInput):
        split(template)


@pytest.mark.parametrize(
    ("exit_code", "stderr", "outcome", "kind"),
    [
        (0, "429 Too Many Requests", None, None),
        (1, "working\nError: 429 Too Many Requests, retry-after: 60", Outcome.LIMITED, HoldKind.RATE_LIMIT),
        (1, "litellm: You've hit your usage limit", Outcome.LIMITED, HoldKind.USAGE_LIMIT),
        (1, "usage limit docs\n1\n2\n3\nTypeError: no", Outcome.FAILED, None),
        (3, "TypeError: no", Outcome.FAILED, None),
        (-9, "", Outcome.LOST, None),
        (None, "no such file", Outcome.FAILED, None),
    ],
)
def test_its_exit_code_and_last_lines_decide(
    exit_code: int | None, stderr: str, outcome: Outcome | None, kind: HoldKind | None
) -> None:
    found = Generic(words=("my-agent",)).conclude(exit_code, None, None, stderr)

    assert found.outcome == outcome
    assert (found.limited.kind if found.limited else None) == kind


def test_the_reason_of_a_limit_is_the_line_that_tells_it_from_its_beginning() -> None:
    stderr = f"starting\nError: You've hit your usage limit. Try again in 5 hours.\n{'x' * 280}\n"

    found = Generic(words=("my-agent",)).conclude(1, None, None, stderr)

    assert found.reason == "Error: You've hit your usage limit. Try again in 5 hours."


def test_every_line_is_something_said() -> None:
    agent = Generic(words=("my-agent",))

    assert agent.read("  thinking…\n") == (Said(text="thinking…"),)
    assert agent.read(" \n") == ()


@pytest.mark.parametrize(
    ("lines", "exit_code", "outcome"),
    [
        (["working", "Error: 429 Too Many Requests"], 1, Outcome.LIMITED),
        (["Error: 429 Too Many Requests", "so I tried again", "TypeError: no"], 1, Outcome.FAILED),
        (["The client now retries on a rate limit error."], 0, None),
    ],
)
def test_a_refusal_that_it_prints_last_counts_when_it_ends_in_an_error(
    lines: list[str], exit_code: int, outcome: Outcome | None
) -> None:
    assert ending(Generic(words=("my-agent",)), lines, exit_code).outcome == outcome
