"""Gemini CLI: what is started, what its recorded lines mean, and how attempts end."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.providers import SESSION_LOST, Finished, Said, Spent, Started, UsedTool, joined
from agent_orchestrator.providers.gemini import NO_LOGIN, Gemini
from providers import reading
from providers.reading import CLOCK, ending, read, recording

GEMINI = Gemini(clock=CLOCK, zone=UTC)


briefing = partial(reading.briefing, "/bin/gemini")


def test_a_new_session_has_all_permissions_trusts_its_folder_and_reads_role_and_prompt_on_stdin() -> None:
    command = GEMINI.command(briefing(model="gemini-2.5-pro"))

    assert command.argv == ("/bin/gemini", "-o", "stream-json", "--yolo", "--skip-trust", "-m", "gemini-2.5-pro")
    assert command.stdin == "You test.\n\nDo it."
    assert "GEMINI_CLI_IDE_SERVER_PORT" in command.without


def test_a_session_goes_on_by_its_id_without_its_role_again() -> None:
    command = GEMINI.command(briefing(session="s-1"))

    assert command.argv[-2:] == ("--resume", "s-1")
    assert command.stdin == "Do it."


def test_a_run_that_edits_is_read_from_start_to_finish() -> None:
    found = read(GEMINI, recording("gemini-edit"))

    started, *rest = joined(found.meanings)
    assert isinstance(started, Started)
    assert started.model == "gemini-2.5-pro"
    assert rest == [
        Said(text="I will create the file."),
        UsedTool(tool="write_file", detail="hello.txt"),
        Said(text="Now I commit it."),
        UsedTool(
            tool="run_shell_command",
            detail="git add -A && git commit -qm 'add hello' && git log --oneline | head -1",
        ),
        Said(text="Done: hello.txt was written and committed."),
        Spent(
            usage=Usage(
                input_tokens=1100, cached_tokens=2800, output_tokens=95, cost_micro_usd=9750, cost_is_estimate=True
            ),
            whole_session=False,
        ),
        Finished(ok=True, summary=""),
    ]
    assert GEMINI.conclude(0, found.last, found.limited, "").outcome is None


def test_what_the_model_thought_is_paid_as_output() -> None:
    used = {"input_tokens": 10, "cached": 4, "output_tokens": 3, "total_tokens": 20}
    line = json.dumps({"type": "result", "status": "success", "stats": {"models": {"gemini-9": used}}})

    (spent,) = read(GEMINI, [line]).of(Spent)

    assert isinstance(spent, Spent)
    assert spent.usage._replace(cost_micro_usd=0, cost_is_estimate=False) == Usage(
        input_tokens=6, cached_tokens=4, output_tokens=10
    )


def test_a_stream_that_breaks_is_no_success_although_the_exit_code_is_0() -> None:
    found = ending(GEMINI, recording("gemini-broken-stream"), 0)

    assert found.outcome == Outcome.LIMITED
    assert found.limited is not None
    assert found.limited.kind == HoldKind.OVERLOADED
    assert "without a finish reason" in found.reason


def test_a_capacity_that_is_used_up_holds_until_the_service_gives_more() -> None:
    words = "[API Error: You have exhausted your capacity on this model. Your quota will reset after 4h28m20s.]"
    line = json.dumps({"type": "result", "status": "error", "error": {"message": words}, "stats": {}})

    limited = ending(GEMINI, [line], 173).limited

    assert limited is not None
    assert limited.until == datetime(2026, 11, 21, 1, 10, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("exit_code", "stderr", "outcome", "words"),
    [
        (42, 'Error resuming session: Invalid session identifier "x".\n', Outcome.FAILED, SESSION_LOST),
        (42, "Error resuming session: No previous sessions found for this project.\n", Outcome.FAILED, SESSION_LOST),
        (NO_LOGIN, "Please set an Auth method in your settings.json\n", Outcome.LIMITED, "set an Auth method"),
        (0, "YOLO mode is enabled.\n", Outcome.FAILED, "without a final word"),
        (-15, "", Outcome.LOST, "SIGTERM"),
    ],
)
def test_without_a_last_word_the_exit_code_and_standard_error_decide(
    exit_code: int, stderr: str, outcome: Outcome, words: str
) -> None:
    found = GEMINI.conclude(exit_code, None, None, stderr)

    assert found.outcome == outcome
    assert words in found.reason


def test_a_full_session_is_not_gone_on_with() -> None:
    (line,) = [line for line in recording("gemini-failures") if "gemini_prompt_too_long" in line]

    found = ending(GEMINI, [json.dumps(json.loads(line)["line"])], 144)

    assert found.reason.startswith(SESSION_LOST)


def test_who_pays_is_told_by_files_and_variables_that_are_not_opened(tmp_path: Path) -> None:
    assert GEMINI.payer({}, tmp_path) == "nobody (not logged in)"
    folder = tmp_path / ".gemini"
    folder.mkdir()
    (folder / "settings.json").touch(mode=0o000)
    assert GEMINI.payer({}, tmp_path) == "whoever its settings.json names"
    (folder / "oauth_creds.json").touch(mode=0o000)
    assert GEMINI.payer({}, tmp_path) == "a Google login"
    assert GEMINI.payer({"GEMINI_API_KEY": "made-up"}, tmp_path) == "a Google login or GEMINI_API_KEY"
