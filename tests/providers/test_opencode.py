"""opencode: what is started, what its recorded lines mean, and how attempts end."""

import json
from datetime import UTC, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import SESSION_LOST, Finished, Said, Spent, Started, UsedTool
from agent_orchestrator.providers.opencode import CONFIG, OpenCode
from providers import reading
from providers.reading import CLOCK, ending, read, recording

OPENCODE = OpenCode(clock=CLOCK, zone=UTC, model="openai/gpt-5.4")

WAITING = (
    'timestamp=2026-11-21T09:29:05.844Z level=ERROR run=5a5b6300 message="stream error" providerID=stub modelID=m1 '
    'small=false agent=build mode=primary error.error="AI_APICallError: The usage limit has been reached"\n'
)
"""The last of its log while it waits for as long as the service's ``retry-after`` said."""


briefing = partial(reading.briefing, "/bin/opencode")


def test_a_new_session_has_all_permissions_a_title_of_ours_the_role_as_instructions_and_the_prompt_on_stdin() -> None:
    command = OPENCODE.command(briefing(model="a/b"))

    assert command.argv[:5] == ("/bin/opencode", "run", "--format", "json", "--auto")
    assert command.argv[-4:] == ("-m", "a/b", "--title", "t1.1")
    assert command.stdin == "Do it."
    assert command.files == {"role.md": "You test."}
    assert json.loads(command.environment[CONFIG]) == {"instructions": ["/runs/t1.1/role.md"]}
    assert command.environment["OPENCODE_DISABLE_AUTOUPDATE"] == "1"


def test_a_session_goes_on_by_its_id_with_its_role_again() -> None:
    command = OPENCODE.command(briefing(session="ses_1"))

    assert command.argv[-2:] == ("-s", "ses_1")
    assert "--title" not in command.argv
    assert CONFIG in command.environment


def test_a_configuration_in_the_users_environment_is_added_to_and_a_broken_one_is_left_to_opencode() -> None:
    own = {CONFIG: '{"model": "a/b", "instructions": ["house.md"]}'}

    added = OPENCODE.command(briefing(environment=own)).environment[CONFIG]

    assert json.loads(added) == {"model": "a/b", "instructions": ["house.md", "/runs/t1.1/role.md"]}
    assert OPENCODE.command(briefing(environment={CONFIG: "{model"})).environment[CONFIG] == "{model"


def test_a_run_that_edits_is_read_from_start_to_finish() -> None:
    found = read(OPENCODE, recording("opencode-edit"))

    sessions = {meaning.session for meaning in found.meanings if isinstance(meaning, Started)}
    assert len(sessions) == 1
    assert [meaning for meaning in found.meanings if not isinstance(meaning, Started | Spent)] == [
        Said(text="I will create the file."),
        UsedTool(tool="write", detail="/home/ada/checkout/hello.txt"),
        Said(text="Now I commit it."),
        UsedTool(tool="bash", detail="git add -A && git commit -qm 'add hello' && git log --oneline | head -1"),
        Said(text="Done: hello.txt was written and committed."),
        Finished(ok=True, summary=""),
    ]
    whole = Usage()
    for spent in found.of(Spent):
        assert isinstance(spent, Spent)
        assert not spent.whole_session
        whole = whole.plus(spent.usage)
    assert whole == Usage(
        input_tokens=1100, cached_tokens=2800, output_tokens=95, cost_micro_usd=4875, cost_is_estimate=True
    )
    assert OPENCODE.conclude(0, found.last, found.limited, "").outcome is None


def test_a_cost_that_it_reports_is_taken_as_it_is() -> None:
    tokens = {"input": 5, "output": 2, "reasoning": 3, "cache": {"read": 7, "write": 4}}
    line = json.dumps({"type": "step_finish", "part": {"reason": "tool-calls", "tokens": tokens, "cost": 0.0021}})

    (spent,) = OPENCODE.read(line)

    assert spent == Spent(
        usage=Usage(input_tokens=9, cached_tokens=7, output_tokens=5, cost_micro_usd=2100), whole_session=False
    )


def test_a_run_that_stops_after_a_tool_has_no_last_word() -> None:
    lines = recording("opencode-edit")

    assert ending(OPENCODE, lines[:4], 0).outcome == Outcome.FAILED
    assert ending(OPENCODE, lines[:4], -15).outcome == Outcome.LOST


def test_a_limit_holds_as_long_as_the_service_said() -> None:
    (line,) = [line for line in recording("opencode-failures") if "opencode_usage_limit" in line]
    event = json.loads(line)["line"]
    in_its_body = ending(OPENCODE, [json.dumps(event)], 1).limited
    event["error"]["data"] |= {"responseBody": "{}", "responseHeaders": {"retry-after": "120"}}
    in_a_header = ending(OPENCODE, [json.dumps(event)], 1).limited

    assert in_its_body is not None and in_its_body.until is not None
    assert in_a_header is not None
    assert in_a_header.until == CLOCK.now() + timedelta(seconds=120)


def test_a_stream_that_breaks_again_and_again_is_the_services_trouble() -> None:
    found = ending(OPENCODE, recording("opencode-broken-stream"), 1)

    assert found.outcome == Outcome.LIMITED
    assert found.limited is not None
    assert found.limited.kind == HoldKind.OVERLOADED


@pytest.mark.parametrize(
    ("exit_code", "stderr", "outcome", "words"),
    [
        (1, "\x1b[91m\x1b[1mError: \x1b[0mSession not found\n", Outcome.FAILED, SESSION_LOST),
        (-15, WAITING, Outcome.LIMITED, "The usage limit has been reached"),
        (-15, WAITING + "timestamp=2026-11-21T10:00:00Z level=ERROR message=other\n", Outcome.LOST, "SIGTERM"),
        (-15, "", Outcome.LOST, "SIGTERM"),
        (0, "", Outcome.FAILED, "without a final word"),
    ],
)
def test_without_a_last_word_the_exit_code_and_its_log_decide(
    exit_code: int, stderr: str, outcome: Outcome, words: str
) -> None:
    found = OPENCODE.conclude(exit_code, None, None, stderr)

    assert found.outcome == outcome
    assert words in found.reason


def test_a_full_session_is_not_gone_on_with() -> None:
    (line,) = [line for line in recording("opencode-failures") if "opencode_prompt_too_long" in line]

    found = ending(OPENCODE, [json.dumps(json.loads(line)["line"])], 1)

    assert found.reason.startswith(SESSION_LOST)


def test_who_pays_is_told_by_files_and_variables_that_are_not_opened(tmp_path: Path) -> None:
    assert OPENCODE.payer({}, tmp_path).startswith("nobody (not logged in")
    (tmp_path / ".local/share/opencode").mkdir(parents=True)
    (tmp_path / ".local/share/opencode/auth.json").touch(mode=0o000)
    assert OPENCODE.payer({}, tmp_path) == "an opencode login"
    assert OPENCODE.payer({"OPENAI_API_KEY": "made-up"}, tmp_path) == "an opencode login or OPENAI_API_KEY"
    assert OPENCODE.payer({CONFIG: "{}"}, tmp_path / "other") == "whoever its configuration names"
