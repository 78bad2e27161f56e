"""Claude Code: what is started, what its recorded lines mean, and how attempts end."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.providers import (
    SESSION_LOST,
    Finished,
    Limited,
    Question,
    Said,
    Spent,
    Started,
    UsedTool,
)
from agent_orchestrator.providers.claude import Claude
from providers import reading
from providers.reading import CLOCK, RECORDINGS, ending, read, recording

CLAUDE = Claude(clock=CLOCK)
RUN = Path("/runs/t1.1")


briefing = partial(reading.briefing, "/bin/claude")


def result(**given: object) -> str:
    return json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "Done."} | given)


def test_a_new_session_is_started_with_all_permissions_the_role_in_a_file_and_the_prompt_on_stdin() -> None:
    command = CLAUDE.command(briefing())

    assert command.argv == (
        "/bin/claude",
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        "--dangerously-skip-permissions",
        "--append-system-prompt-file",
        "/runs/t1.1/role.md",
    )
    assert command.files == {"role.md": "You test."}
    assert command.stdin == "Do it."


def test_a_session_goes_on_with_its_id_and_gets_its_role_again() -> None:
    argv = CLAUDE.command(briefing(session="abc")).argv

    assert argv[-4:] == ("--append-system-prompt-file", "/runs/t1.1/role.md", "--resume", "abc")


def test_the_model_chosen_is_named_and_without_one_the_cli_chooses() -> None:
    assert "--model" not in CLAUDE.command(briefing(tier=Tier.HEAVY)).argv

    argv = CLAUDE.command(briefing(model="mine")).argv

    assert argv[argv.index("--model") + 1] == "mine"


def test_the_limits_of_a_role_become_arguments_and_are_said_to_be_kept() -> None:
    command = CLAUDE.command(briefing(tools=("Read", "Grep"), denied_tools=("WebFetch",), max_turns=7))

    assert " ".join(command.argv).count("--tools Read,Grep --strict-mcp-config --disallowedTools WebFetch") == 1
    assert command.argv[command.argv.index("--max-turns") + 1] == "7"
    assert command.keeps == {"tools", "denied_tools", "max_turns"}
    assert command.notes == ()


def test_a_tool_that_cannot_be_narrowed_is_left_out_and_said() -> None:
    command = CLAUDE.command(briefing(tools=("Read", "Bash(git log:*)")))

    assert command.argv[command.argv.index("--tools") + 1] == "Read"
    assert "Bash(git log:*)" in command.notes[0]


def test_tools_of_servers_are_not_built_in_and_that_they_are_not_restricted_is_said() -> None:
    command = CLAUDE.command(briefing(tools=("mcp__github__get_issue",)))

    assert command.argv[command.argv.index("--tools") + 1] == ""
    assert "--strict-mcp-config" not in command.argv
    assert "MCP servers" in command.notes[0]


def test_a_role_without_limits_adds_no_argument() -> None:
    argv = CLAUDE.command(briefing()).argv

    assert not {"--tools", "--disallowedTools", "--max-turns", "--strict-mcp-config"} & set(argv)


def test_the_variables_of_an_unattended_run_are_set_and_the_users_own_retries_are_kept() -> None:
    ours = CLAUDE.command(briefing()).environment
    theirs = CLAUDE.command(briefing(environment={"CLAUDE_CODE_MAX_RETRIES": "1"})).environment

    assert ours["DISABLE_AUTOUPDATER"] == ours["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"
    assert ours["CLAUDE_CODE_MAX_RETRIES"] == "6"
    assert "CLAUDE_CODE_MAX_RETRIES" not in theirs


def test_only_root_says_that_it_is_in_a_sandbox() -> None:
    assert "IS_SANDBOX" not in Claude().command(briefing()).environment
    assert Claude(root=True).command(briefing()).environment["IS_SANDBOX"] == "1"


@pytest.mark.parametrize(
    ("provider", "extra", "withheld"),
    [
        (Claude(has_login=True), {}, True),
        (Claude(has_login=True, uses_key=True), {}, False),
        (Claude(has_login=False), {}, False),
        (Claude(has_login=True), {"ANTHROPIC_BASE_URL": "http://localhost:1"}, False),
    ],
)
def test_a_key_is_withheld_when_there_is_a_login_that_it_would_bill_instead(
    provider: Claude, extra: dict[str, str], withheld: bool
) -> None:
    environment = {"ANTHROPIC_API_KEY": "made-up"} | extra

    command = provider.command(briefing(environment=environment))
    question = provider.ask(
        Question(prompt="?", schema={}, run_dir=RUN, executable="/bin/claude", environment=environment)
    )

    assert ("ANTHROPIC_API_KEY" in command.without) is withheld
    assert question is not None
    assert ("ANTHROPIC_API_KEY" in question.without) is withheld


def test_the_marks_of_an_enclosing_run_are_always_withheld() -> None:
    assert {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"} <= CLAUDE.command(briefing()).without


def test_who_pays_is_said_from_what_exists_not_from_what_it_holds(tmp_path: Path) -> None:
    key = {"ANTHROPIC_API_KEY": "made-up"}
    assert CLAUDE.payer({}, tmp_path) == "nobody (not logged in)"
    assert CLAUDE.payer(key, tmp_path) == "ANTHROPIC_API_KEY"
    assert CLAUDE.payer({"CLAUDE_CODE_USE_BEDROCK": "1"} | key, tmp_path) == "Amazon Bedrock"

    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").touch(mode=0o000)

    assert CLAUDE.payer(key, tmp_path) == "a claude.ai login"
    assert Claude(uses_key=True).payer(key, tmp_path) == "ANTHROPIC_API_KEY"


def test_a_run_that_edits_is_read_from_start_to_finish() -> None:
    found = read(CLAUDE, recording("claude-edit"))

    assert found.meanings == (
        Started(
            session="1341b877-34f9-4e65-a58d-a8495f6fc11d",
            model="claude-opus-5-5",
            cli_version="2.1.329",
            cwd="/home/ada/checkout",
        ),
        Said(text="I will create the file."),
        UsedTool(tool="Write", detail="/home/ada/checkout/hello.txt"),
        Said(text="Now I commit it."),
        UsedTool(tool="Bash", detail="git add -A && git commit -qm 'add hello' && git log --oneline | head -1"),
        Said(text="Done: hello.txt was written and committed."),
        Spent(
            usage=Usage(input_tokens=3900, cached_tokens=2800, output_tokens=95, cost_micro_usd=18_060),
            whole_session=True,
        ),
        Finished(ok=True, summary="Done: hello.txt was written and committed."),
    )
    assert CLAUDE.conclude(0, found.last, found.limited, "").outcome is None


def test_of_a_subagent_acts_count_but_not_its_words_and_the_last_of_two_results_counts() -> None:
    found = read(CLAUDE, recording("claude-subagent"))

    assert Said(text="Hello.") not in found.meanings
    assert len(found.of(Started)) == len(found.of(Finished)) == 2
    spent = found.of(Spent)[-1]
    assert isinstance(spent, Spent)
    assert (spent.usage.input_tokens, spent.usage.cost_micro_usd, spent.whole_session) == (1200, 5500, True)


def test_what_a_resumed_run_spent_is_told_for_the_whole_session() -> None:
    (spent,) = read(CLAUDE, recording("claude-resumed")).of(Spent)

    assert isinstance(spent, Spent)
    assert spent.whole_session
    assert (spent.usage.input_tokens, spent.usage.cost_micro_usd) == (1800, 7400)


def test_a_structured_answer_is_taken_and_prose_is_not() -> None:
    answer = CLAUDE.answer("\n".join(recording("claude-schema")), {})

    assert answer is not None
    assert [task["id"] for task in json.loads(answer)["tasks"]] == ["t1", "t2"]
    assert CLAUDE.answer(result(result='{"tasks": []}'), {}) is None
    assert CLAUDE.answer("\n".join(recording("claude-schema-exhausted")), {}) is None


def test_a_question_is_asked_without_tools_and_with_its_schema() -> None:
    schema = {"type": "object"}

    command = CLAUDE.ask(Question(prompt="Plan it.", schema=schema, run_dir=RUN, executable="/bin/claude"))

    assert command is not None
    assert command.argv[command.argv.index("--tools") + 1] == ""
    assert json.loads(command.argv[command.argv.index("--json-schema") + 1]) == schema
    assert "--dangerously-skip-permissions" not in command.argv
    assert command.stdin == "Plan it."


@pytest.mark.parametrize(
    ("name", "exit_code", "outcome", "reason"),
    [
        ("claude-background-job", 143, None, ""),
        ("claude-permission-denied", 0, None, ""),
        ("claude-mcp", 0, None, ""),
        ("claude-limit-warning", 0, None, ""),
        ("claude-interrupted", 0, Outcome.FAILED, "claude was interrupted"),
        ("claude-max-turns", 1, Outcome.FAILED, "Reached maximum number of turns (2)"),
        ("claude-max-budget", 1, Outcome.FAILED, "Reached maximum budget ($0.3)"),
        ("claude-lost-session", 1, Outcome.FAILED, SESSION_LOST + "No conversation found with session ID"),
        ("claude-prompt-too-long", 1, Outcome.FAILED, SESSION_LOST + "its context is full"),
        ("claude-rate-limit", 1, Outcome.LIMITED, "API Error: Request rejected (429)"),
        ("claude-overloaded", 1, Outcome.LIMITED, "API Error: 529 Overloaded"),
        ("claude-usage-limit", 1, Outcome.LIMITED, "usage limit reached (five hour)"),
    ],
)
def test_a_recorded_run_ends_as_it_did(name: str, exit_code: int, outcome: Outcome | None, reason: str) -> None:
    found = ending(CLAUDE, recording(name), exit_code)

    assert found.outcome == outcome
    assert found.reason.startswith(reason)


def test_a_rejected_window_holds_until_the_second_it_states_not_the_minute_of_the_text() -> None:
    limited = ending(CLAUDE, recording("claude-usage-limit"), 1).limited

    assert limited is not None
    assert limited.kind == HoldKind.USAGE_LIMIT
    assert limited.until == datetime(2026, 11, 20, 22, 42, 30, tzinfo=UTC)


FAILURES = {
    "rate_limit": HoldKind.RATE_LIMIT,
    "usage_limit": HoldKind.RATE_LIMIT,  # with a key and no headers the service's text does not say more
    "overloaded": HoldKind.OVERLOADED,
    "server_error": HoldKind.OVERLOADED,
    "invalid_key": HoldKind.LOGIN,
    "drop": HoldKind.OVERLOADED,
    "hang": HoldKind.OVERLOADED,
    "refused": HoldKind.OVERLOADED,
    "nokey": HoldKind.LOGIN,
}


@pytest.mark.parametrize("case", (RECORDINGS / "claude-failures.jsonl").read_text().splitlines())
def test_a_failure_of_the_service_is_a_limit_and_a_recovered_one_is_none(case: str) -> None:
    seen = json.loads(case)
    name = seen["case"].removeprefix("claude_").removeprefix("d_").removeprefix("r2_")

    found = ending(CLAUDE, [json.dumps(seen["line"])], seen["exit_code"])

    if seen["exit_code"] == 0:
        assert found.outcome is None
    else:
        assert found.outcome == Outcome.LIMITED
        assert found.limited is not None
        assert found.limited.kind == FAILURES[name]


@pytest.mark.parametrize(
    "line",
    [
        result(result="I wrote the page about 'You've hit your usage limit · resets 3am (UTC)' and its test."),
        result(result="Now 'Limit reached · resets 3am' is read, and has a test."),
        result(result="Handled 429 Too Many Requests with Retry-After."),
        result(subtype="error_max_turns", is_error=True, result="usage limit", terminal_reason="max_turns"),
        json.dumps({"type": "system", "subtype": "api_retry", "error_status": 429, "error": "rate_limit"}),
        json.dumps({"type": "rate_limit_event", "rate_limit_info": {"status": "allowed_warning", "resetsAt": 2e9}}),
        json.dumps({"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "isUsingOverage": True}}),
        json.dumps(
            {"type": "assistant", "message": {"content": [{"type": "text", "text": "API Error: 529 Overloaded"}]}}
        ),
    ],
)
def test_what_only_speaks_of_a_limit_is_none(line: str) -> None:
    assert read(CLAUDE, [line]).of(Limited) == []


@pytest.mark.parametrize(
    "text",
    [
        "Claude AI usage limit reached|1795214550",
        "5-hour limit reached ∙ resets 3am",
        "Opus weekly limit reached ∙ resets Tue, 6:00 AM",
        "You've hit your org's monthly limit · resets Dec 1 at 9am (UTC)",
    ],
)
def test_a_limit_given_out_as_a_good_result_is_a_limit(text: str) -> None:
    found = ending(CLAUDE, [result(result=text)], 0)

    assert found.outcome == Outcome.LIMITED


def test_work_after_a_limit_means_that_it_is_over() -> None:
    lines = recording("claude-usage-limit")[:2] + recording("claude-edit")[1:2]

    found = ending(CLAUDE, lines, -15)

    assert found.outcome == Outcome.LOST


@pytest.mark.parametrize(
    ("exit_code", "stderr", "outcome", "words"),
    [
        (1, "--dangerously-skip-permissions cannot be used with root/sudo privileges", Outcome.FAILED, "as root"),
        (1, "Invalid API key · Please run /login", Outcome.LIMITED, "/login"),
        (1, "error: unknown option '--frobnicate'", Outcome.FAILED, "--frobnicate"),
        (0, "", Outcome.FAILED, "without a final word"),
        (143, "", Outcome.LOST, "SIGTERM"),
        (-9, "", Outcome.LOST, "SIGKILL"),
        (-11, "", Outcome.FAILED, "SIGSEGV"),
        (None, "", Outcome.FAILED, "could not be started"),
    ],
)
def test_without_a_result_the_exit_code_and_standard_error_decide(
    exit_code: int | None, stderr: str, outcome: Outcome, words: str
) -> None:
    found = CLAUDE.conclude(exit_code, None, None, stderr)

    assert found.outcome == outcome
    assert words in found.reason


def test_a_good_last_word_stands_even_if_the_process_had_to_be_killed_after_it() -> None:
    assert CLAUDE.conclude(-9, Finished(ok=True, summary="Done."), None, "").outcome is None


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1, "free", None, True, 10**400])
def test_a_cost_that_is_no_amount_is_estimated_not_believed(cost: object) -> None:
    line = result(total_cost_usd=cost, usage={"input_tokens": 100, "output_tokens": 10})

    for spent in read(CLAUDE, [line]).of(Spent):
        assert isinstance(spent, Spent)
        assert spent.usage.cost_is_estimate
        assert spent.usage.cost_micro_usd > 0
