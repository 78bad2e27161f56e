"""What every provider promises, whatever it is fed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.domain.errors import BadInput
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import (
    Briefing,
    Ending,
    Finished,
    Limited,
    Meaning,
    Provider,
    Said,
    Spent,
    Started,
    UsedTool,
    joined,
    still_limited,
)
from agent_orchestrator.providers.all import AUTO, providers
from agent_orchestrator.runtime.masking import FILES
from providers.reading import RECORDINGS, briefing

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ALL = providers(
    clock=HandClock(at=NOW),
    environ={},
    home=Path("/nonexistent"),
    root=False,
    generic_command="my-agent {prompt_file}",
)
LINES = [line for file in sorted(RECORDINGS.glob("*.jsonl")) for line in file.read_text().splitlines()]
KINDS = ["system", "assistant", "result", "rate_limit_event", "thread.started", "item.started", "item.completed"]
KINDS += ["turn.completed", "turn.failed", "said", "used", "spent", "finished"]
KINDS += ["session", "text", "tool", "usage", "limit"]
KINDS += ["init", "message", "tool_use", "error", "step_start", "step_finish"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def check(provider: Provider, line: str) -> None:
    meanings = provider.read(line)
    for meaning in meanings:
        assert isinstance(meaning, Meaning)
        if isinstance(meaning, Spent):
            usage = meaning.usage
            assert min(usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.cost_micro_usd) >= 0
        if isinstance(meaning, Limited) and meaning.until is not None:
            assert NOW < meaning.until < NOW + timedelta(days=40)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=150, deadline=None, database=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail(name: str, data: bytes) -> None:
    check(ALL[name], data.decode("utf-8", "replace"))
    check(ALL[name], data.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=300, deadline=None, database=None)
@given(data=st.data())
def test_no_value_in_a_known_field_makes_a_reader_fail(name: str, data: st.DataObject) -> None:
    """A recorded line with one of its values, at any depth, replaced by anything."""
    event = json.loads(data.draw(st.sampled_from(LINES)))
    event = event.get("line", event)
    place = event
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[key], dict) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(JSON)

    check(ALL[name], json.dumps(event))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=150, deadline=None, database=None)
@given(kind=st.sampled_from(KINDS), rest=st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_no_invented_event_makes_a_reader_fail(name: str, kind: str, rest: dict[str, object]) -> None:
    check(ALL[name], json.dumps(rest | {"type": kind, "demo": kind, "api": kind}))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("claude", r'{"type":"assistant","message":{"content":[{"type":"text","text":"a\ud800b"}]}}'),
        ("codex", r'{"type":"item.completed","item":{"type":"agent_message","text":"a\ud800b"}}'),
        ("opencode", r'{"type":"text","part":{"text":"a\ud800b"}}'),
        ("demo", r'{"demo":"said","text":"a\ud800b"}'),
        ("api", r'{"api":"text","text":"a\ud800b"}'),
        ("generic", "a\ud800b"),
    ],
)
def test_half_a_character_does_not_reach_what_is_stored(name: str, line: str) -> None:
    assert ALL[name].read(line) == (Said(text="a?b"),)


def test_half_a_character_in_a_part_of_what_is_said_does_not_reach_what_is_stored() -> None:
    line = r'{"type":"message","role":"assistant","content":"a\ud800b","delta":true}'

    assert ALL["gemini"].read(line) == (Said(text="a?b", is_part=True),)


def test_words_that_come_in_parts_are_put_together_until_something_else_comes() -> None:
    parts = [Said(text="I wr", is_part=True), Said(text="ite.\n", is_part=True)]
    act, whole = UsedTool(tool="write"), Said(text="Whole.")

    assert [*joined([*parts, act, *parts, whole])] == [Said(text="I write."), act, Said(text="I write."), whole]
    assert [*joined([Said(text=" \n", is_part=True), act, *parts])] == [act, Said(text="I write.")]


@pytest.mark.parametrize("name", [name for name in ALL if name != "generic"])
@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{",
        '{"type": "res',
        "{" * 100_000,
        '{"a":' * 100_000,
        "[" * 200_000,
        '{"type":"result","total_cost_usd":' + "9" * 100_000 + "}",
        '{"type":"result","total_cost_usd":NaN}',
        '{"type":"from_next_year","demo":"too"}',
        '{"type":"result"}' + " " * 9_000_000,
        "\ufeff{}",
    ],
    ids=range(13),
)
def test_what_is_no_known_line_means_nothing(name: str, line: str) -> None:
    assert ALL[name].read(line) == ()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("exit_code", [None, 0, 1, 2, 130, 143, 255, 99999, -2, -9, -11, -99])
@pytest.mark.parametrize("stderr", ["", "boom\n", "429 Too Many Requests\n"])
def test_every_end_has_a_reason_unless_it_is_to_look_at_the_work(name: str, exit_code: int | None, stderr: str) -> None:
    found = ALL[name].conclude(exit_code, None, None, stderr)

    assert isinstance(found, Ending)
    assert bool(found.reason) is (found.outcome is not None)
    assert (found.limited is not None) is (found.outcome == "limited")


@pytest.mark.parametrize("name", ALL)
def test_a_command_runs_what_was_found_and_keeps_the_prompt_out_of_its_arguments(name: str) -> None:
    prompt = "mend the parser " * 20_000
    command = ALL[name].command(
        Briefing(
            prompt=prompt,
            role="r" * 200_000,
            workspace=Path("/w"),
            run_dir=Path("/r"),
            executable="/opt/agent",
        )
    )

    assert prompt in command.stdin
    assert max(map(len, command.argv)) < 128 * 1024
    assert ALL[name].binary is None or command.argv[0] == "/opt/agent"


def limit(until: datetime | None, kind: HoldKind = HoldKind.USAGE_LIMIT) -> Limited:
    return Limited(kind=kind, until=until, text="")


SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)


@pytest.mark.parametrize("name", ALL)
def test_every_file_that_an_attempt_is_given_is_masked_when_it_has_ended(name: str) -> None:
    given = ALL[name].command(briefing("/bin/agent", role="You test.", model="m"))

    assert set(given.files) <= set(FILES)


@pytest.mark.parametrize(
    ("before", "meaning", "after"),
    [
        (None, limit(SOON), limit(SOON)),
        (limit(None), limit(SOON), limit(SOON)),
        (limit(SOON), limit(None), limit(SOON)),
        (limit(SOON), limit(LATER), limit(LATER)),
        (limit(LATER), limit(SOON), limit(LATER)),
        (limit(LATER), limit(None, HoldKind.LOGIN), limit(None, HoldKind.LOGIN)),
        (limit(SOON), Said(text="on"), None),
        (limit(SOON), UsedTool(tool="Bash"), None),
        (limit(SOON), Finished(ok=True, summary=""), None),
        (limit(SOON), Finished(ok=False, summary=""), limit(SOON)),
        (limit(SOON), Started(session="s"), limit(SOON)),
    ],
)
def test_a_limit_stands_until_work_goes_on(before: Limited | None, meaning: Meaning, after: Limited | None) -> None:
    assert still_limited(before, meaning) == after


def made(environ: dict[str, str], home: Path, command: str | None = None) -> dict[str, Provider]:
    return providers(clock=HandClock(), environ=environ, home=home, root=False, generic_command=command)


def test_every_provider_is_listed_under_its_own_name_and_the_demo_comes_last(tmp_path: Path) -> None:
    assert list(made({}, tmp_path)) == [*AUTO, "api", "demo"]
    assert list(made({}, tmp_path, "my-agent")) == [*AUTO, "generic", "api", "demo"]
    assert [name for name, provider in ALL.items() if provider.is_demo] == ["demo"]
    assert all(provider.name == name for name, provider in ALL.items())


def test_a_broken_command_of_the_users_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="promt"):
        made({}, tmp_path, "my-agent {promt}")


def test_cloud_credentials_reach_claude_only_when_it_works_through_that_cloud(tmp_path: Path) -> None:
    assert "AWS_*" not in made({"AWS_PROFILE": "p"}, tmp_path)["claude"].environment
    assert "AWS_*" in made({"CLAUDE_CODE_USE_BEDROCK": "1"}, tmp_path)["claude"].environment
    assert "AWS_*" not in made({"CLAUDE_CODE_USE_BEDROCK": "0"}, tmp_path)["claude"].environment
