"""Codex: what is started, what its recorded lines mean, and how attempts end."""

import json
import tomllib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.providers import SESSION_LOST, Finished, Question, Said, Spent, Started, UsedTool
from agent_orchestrator.providers.codex import ROLE_LIMIT, Codex, toml_string
from providers import reading
from providers.reading import CLOCK, ending, read, recording

CODEX = Codex(clock=CLOCK, zone=UTC, model="gpt-5.4")


briefing = partial(reading.briefing, "/bin/codex")


def test_a_new_thread_is_started_in_its_folder_with_the_role_as_a_setting_and_the_prompt_on_stdin() -> None:
    command = CODEX.command(briefing())

    assert command.argv == (
        "/bin/codex",
        "exec",
        "--json",
        "--dangerously-bypass-approvals-and-sandbox",
        "--skip-git-repo-check",
        "-C",
        "/w",
        "-m",
        "gpt-5.4",
        "-c",
        'developer_instructions="You test."',
        "-",
    )
    assert command.stdin == "Do it."


def test_a_thread_goes_on_without_a_folder_and_without_its_role_again() -> None:
    command = CODEX.command(briefing(session="th-1", model="other"))

    assert command.argv[1:3] == ("exec", "resume")
    assert command.argv[-4:] == ("-m", "other", "th-1", "-")
    assert "-C" not in command.argv
    assert "-c" not in command.argv


def test_a_role_too_long_for_an_argument_heads_the_prompt() -> None:
    command = CODEX.command(briefing(role="r" * (ROLE_LIMIT + 1)))

    assert "-c" not in command.argv
    assert command.stdin.startswith("rrr")
    assert command.stdin.endswith("\n\nDo it.")


@pytest.mark.parametrize("text", ['quote " and \\ back', "line\nline\ttab", "ünï 🐦", "\x00\x1b\x7f", "'''"])
def test_any_role_survives_as_toml(text: str) -> None:
    assert tomllib.loads("role = " + toml_string(text)) == {"role": text}


def test_a_run_that_edits_is_read_from_start_to_finish() -> None:
    found = read(CODEX, recording("codex-edit"))

    assert found.meanings == (
        Started(session="01a1faae-f368-70e2-aec3-495c56b280ec"),
        Said(text="I will create the file."),
        UsedTool(tool="edit", detail="/home/ada/checkout/hello.txt"),
        Said(text="Now I commit it."),
        UsedTool(
            tool="shell",
            detail="/bin/bash -lc \"git add -A && git commit -qm 'add hello' && git log --oneline | head -1\"",
        ),
        Said(text="Done: hello.txt was written and committed."),
        Spent(
            usage=Usage(
                input_tokens=1100,
                cached_tokens=2800,
                output_tokens=95,
                cost_micro_usd=4875,
                cost_is_estimate=True,
            ),
            whole_session=True,
        ),
        Finished(ok=True, summary=""),
    )
    assert CODEX.conclude(0, found.last, found.limited, "").outcome is None


def test_used_tokens_are_never_free_even_of_a_model_nobody_knows() -> None:
    line = json.dumps({"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 0}})

    (spent,) = read(Codex(model="from-tomorrow"), [line]).of(Spent)

    assert isinstance(spent, Spent)
    assert spent.usage.cost_micro_usd >= 1
    assert spent.usage.cost_is_estimate


def test_tokens_are_priced_by_the_model_that_the_tasks_tier_chose() -> None:
    line = json.dumps({"type": "turn.completed", "usage": {"input_tokens": 1_000_000, "output_tokens": 0}})

    (spent,) = read(Codex().for_model("gpt-5.4-mini"), [line]).of(Spent)

    assert isinstance(spent, Spent)
    assert spent.usage.cost_micro_usd == 750_000


def test_an_error_that_is_being_retried_is_not_the_end() -> None:
    lines = recording("codex-invalid-key")

    assert read(CODEX, lines[:-1]).last is None
    assert ending(CODEX, lines[:-1] + recording("codex-edit")[-2:], 0).outcome is None


def test_a_usage_limit_holds_until_the_date_in_its_text_read_in_the_machines_zone() -> None:
    line = recording("codex-usage-limit")[-1].replace("Jan 1st, 2100 12:00 AM", "Nov 23rd, 2026 4:15 AM")

    limited = ending(Codex(clock=CLOCK, zone=ZoneInfo("Asia/Tokyo")), [line], 1).limited

    assert limited is not None
    assert limited.until == datetime(2026, 11, 22, 19, 16, tzinfo=UTC), "the seconds are cut off"


@pytest.mark.parametrize(
    ("exit_code", "stderr", "outcome", "words"),
    [
        (
            1,
            "Error: thread/resume: thread/resume failed: no rollout found for thread id 1",
            Outcome.FAILED,
            SESSION_LOST,
        ),
        (-15, "Reading prompt from stdin...\n", Outcome.LOST, "SIGTERM"),
        (2, "error: unexpected argument '--x' found\nReading prompt from stdin...\n", Outcome.FAILED, "'--x' found"),
        (0, "", Outcome.FAILED, "without a final word"),
    ],
)
def test_without_a_last_word_the_exit_code_and_standard_error_decide(
    exit_code: int, stderr: str, outcome: Outcome, words: str
) -> None:
    found = CODEX.conclude(exit_code, None, None, stderr)

    assert found.outcome == outcome
    assert words in found.reason
    assert "Reading prompt" not in found.reason


def test_a_full_thread_is_not_gone_on_with() -> None:
    message = "Codex ran out of room in the model's context window. Start a new thread."
    line = json.dumps({"type": "turn.failed", "error": {"message": message}})

    assert ending(CODEX, [line], 1).reason.startswith(SESSION_LOST)


def test_a_question_is_asked_read_only_and_answered_in_a_file() -> None:
    schema = {"type": "object"}
    run_dir = Path("/runs/q")

    command = CODEX.ask(Question(prompt="Plan it.", schema=schema, run_dir=run_dir, executable="/bin/codex"))

    assert command is not None
    assert command.argv[-5:] == ("--output-schema", "/runs/q/schema.json", "-o", "/runs/q/answer.json", "-")
    assert json.loads(command.files["schema.json"]) == schema
    assert "read-only" in command.argv


def test_an_answer_is_json_or_none() -> None:
    printed = "\n".join(recording("codex-schema"))

    assert CODEX.answer(printed, {"answer.json": '{"tasks": []}\n'}) == '{"tasks": []}'
    from_lines = CODEX.answer(printed, {})
    assert from_lines is not None
    assert len(json.loads(from_lines)["tasks"]) == 2
    assert CODEX.answer(printed, {"answer.json": "Here is the plan."}) is None
    assert CODEX.answer(printed + "\n" + recording("codex-usage-limit")[-1], {}) is None


def test_who_pays_is_said_from_what_exists(tmp_path: Path) -> None:
    assert CODEX.payer({}, tmp_path) == "nobody (not logged in)"

    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "auth.json").touch(mode=0o000)

    assert CODEX.payer({}, tmp_path) == "a codex login"
    assert CODEX.payer({"CODEX_API_KEY": "made-up"}, tmp_path) == "CODEX_API_KEY"
