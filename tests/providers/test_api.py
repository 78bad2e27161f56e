"""API mode: what is started, what the child's recorded lines mean, and how attempts end."""

import ast
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

import agent_orchestrator
from agent_orchestrator.domain.attempt import Outcome, Usage
from agent_orchestrator.domain.hold import HoldKind
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.providers import SESSION_LOST, Finished, Question, Said, Spent, Started, UsedTool
from agent_orchestrator.providers.api import Api
from providers import reading
from providers.reading import CLOCK, RECORDINGS, ending, read, recording

API = Api(clock=CLOCK, zone=UTC, python="/opt/python")


briefing = partial(reading.briefing, "", run_dir=Path("/runs/g1/t1.1"))


def option(argv: tuple[str, ...], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_our_own_python_is_started_with_the_role_in_a_file_and_the_prompt_on_stdin() -> None:
    command = API.command(briefing())

    assert command.argv[:2] == ("/opt/python", "-I")
    assert command.argv[2].endswith("api_child.py")
    assert option(command.argv, "--role") == "/runs/g1/t1.1/role.md"
    assert command.files == {"role.md": "You test."}
    assert command.stdin == "Do it."
    assert "--resume" not in command.argv


def test_a_session_is_kept_with_the_attempt_that_began_it_and_found_again_from_a_later_one() -> None:
    first = API.command(briefing())
    session = option(first.argv, "--session")
    again = API.command(briefing(run_dir=Path("/runs/g1/t1.2"), session=session))

    assert session == "t1.1"
    assert "--resume" in again.argv
    assert option(again.argv, "--session") == session
    assert option(again.argv, "--conversation") == option(first.argv, "--conversation")


@pytest.mark.parametrize("session", ["../../etc", "/etc/passwd", ".", "..", "a/b", "a\0b", ""])
def test_a_session_of_a_strange_name_leads_to_no_other_folder(session: str) -> None:
    command = API.command(briefing(session=session))

    assert option(command.argv, "--conversation") == "/runs/g1/t1.1/conversation.jsonl"


@pytest.mark.parametrize(
    ("tier", "model", "expected"),
    [
        (Tier.LIGHT, None, "claude-haiku-5-5"),
        (Tier.STANDARD, None, "claude-sonnet-5-5"),
        (Tier.HEAVY, None, "claude-opus-5-5"),
        (Tier.LIGHT, "opus", "claude-opus-5-5"),
        (Tier.LIGHT, "claude-of-mine", "claude-of-mine"),
    ],
)
def test_a_tier_has_its_model_and_a_named_model_beats_it(tier: Tier, model: str | None, expected: str) -> None:
    assert option(API.command(briefing(tier=tier, model=model)).argv, "--model") == expected


def test_a_run_that_edits_is_read_from_start_to_finish() -> None:
    found = read(API, recording("api-edit"))
    once = Usage(
        input_tokens=1900,
        cached_tokens=4000,
        output_tokens=120,
        cost_micro_usd=900 * 2 + 2500 + 400 + 1200,
        cost_is_estimate=True,
    )

    assert found.meanings == (
        Started(
            session="t-7k2m.1", model="claude-sonnet-5-5", cli_version="anthropic 2.11.0", cwd="/home/ada/checkout"
        ),
        Said(text="I write it."),
        Spent(usage=once, whole_session=False),
        UsedTool(tool="write", detail="/home/ada/checkout/hello.txt"),
        UsedTool(tool="bash", detail="cat hello.txt; false"),
        UsedTool(tool="edit", detail="../x"),
        Said(text="It says hi."),
        Spent(usage=once, whole_session=False),
        Finished(ok=True, summary="It says hi."),
    )
    assert ending(API, recording("api-edit"), 0).outcome is None


def test_a_stream_that_broke_is_paid_for_and_asked_for_again() -> None:
    found = read(API, recording("api-broken-stream"))

    assert [spent.usage.output_tokens for spent in found.of(Spent)] == [1, 10]  # type: ignore[attr-defined]
    assert found.last is not None and found.last.ok


def failure(case: str) -> tuple[list[str], int]:
    lines = [json.loads(line) for line in (RECORDINGS / "api-failures.jsonl").read_text().splitlines()]
    mine = [line for line in lines if line["case"] == case]
    return [json.dumps(line["line"]) for line in mine], mine[0]["exit_code"]


@pytest.mark.parametrize(
    ("case", "kind", "until"),
    [
        ("rate_limit", HoldKind.RATE_LIMIT, "structured"),
        ("overloaded", HoldKind.OVERLOADED, None),
        ("overloaded_mid", HoldKind.OVERLOADED, None),
        ("drop", HoldKind.OVERLOADED, None),
        ("invalid_key", HoldKind.LOGIN, None),
        ("forbidden", HoldKind.LOGIN, None),
        ("no_credit", HoldKind.LOGIN, None),
        ("spend_limit", HoldKind.USAGE_LIMIT, "in words"),
    ],
)
def test_a_limit_costs_no_attempt_and_says_until_when_if_the_service_did(
    case: str, kind: HoldKind, until: str | None
) -> None:
    lines, exit_code = failure(case)
    found = ending(API, lines, exit_code)

    assert found.outcome is Outcome.LIMITED
    assert found.limited is not None and found.limited.kind is kind
    assert (found.limited.until is not None) is (until is not None)
    if until == "structured":
        assert found.limited.until == datetime.fromtimestamp(json.loads(lines[0])["until"], UTC)


@pytest.mark.parametrize("case", ["server_error", "refusal"])
def test_an_error_of_the_api_is_a_failed_attempt_with_its_words(case: str) -> None:
    found = ending(API, *failure(case))

    assert found.outcome is Outcome.FAILED
    assert ("500" in found.reason) is (case == "server_error")
    assert not found.reason.startswith(SESSION_LOST)


@pytest.mark.parametrize("case", ["prompt_too_long", "lost"])
def test_a_conversation_that_cannot_go_on_is_a_lost_session(case: str) -> None:
    found = ending(API, *failure(case))

    assert found.outcome is Outcome.FAILED
    assert found.reason.startswith(SESSION_LOST)


@pytest.mark.parametrize(("code", "outcome"), [(0, Outcome.FAILED), (1, Outcome.FAILED), (-9, Outcome.LOST)])
def test_an_end_without_a_last_word_is_no_success(code: int, outcome: Outcome) -> None:
    assert ending(API, recording("api-edit")[:-1], code).outcome is outcome


def test_a_question_carries_its_schema_in_a_file_and_the_answer_is_handed_on_as_it_is() -> None:
    schema = {"type": "object", "properties": {"tasks": {"type": "array"}}}
    command = API.ask(Question(prompt="Plan.", schema=schema, run_dir=Path("/q"), executable=""))

    assert command is not None
    assert json.loads(command.files["schema.json"]) == schema
    assert option(command.argv, "--schema") == "/q/schema.json"
    assert API.answer('{"api":"result","ok":true,"answer":"not JSON"}\n', {}) == "not JSON"
    assert API.answer('{"api":"result","ok":false,"error":"x","answer":"{}"}\n', {}) is None
    assert API.answer("", {}) is None


def test_the_key_pays_and_a_login_of_claude_does_not(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").write_text("{}")

    assert API.payer({}, tmp_path) == "nobody (ANTHROPIC_API_KEY is not set)"
    assert API.payer({"ANTHROPIC_API_KEY": "made-up"}, tmp_path) == "ANTHROPIC_API_KEY"
    local = {"ANTHROPIC_API_KEY": "made-up", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    assert API.payer(local, tmp_path) == "ANTHROPIC_API_KEY at http://127.0.0.1:1"


def test_only_the_child_imports_the_sdk_and_only_when_it_works() -> None:
    importers = {}
    root = Path(agent_orchestrator.__file__).parent
    for file in root.rglob("*.py"):
        tree = ast.parse(file.read_text())
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        if any(name.split(".")[0] in {"anthropic", "httpx2"} for name in names):
            importers[file.name] = [
                node for node in tree.body if isinstance(node, ast.Import) and node.names[0].name == "anthropic"
            ]

    assert importers == {"api_child.py": []}
