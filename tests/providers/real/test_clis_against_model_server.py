"""The real claude and codex do what our providers rely on, against a scripted model.

Each test looks at effects (git, files, exit codes, the events a provider reads), not at what the agent said of itself.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent_orchestrator.providers import Spent
from agent_orchestrator.providers.codex import Codex, sessions_folder
from doubles.model_server import Answer, Failure, ModelServer, Scenario, Shell, Turn, Usage, Write

pytestmark = pytest.mark.real

CleanEnv = Callable[..., dict[str, str]]

RUN_SECONDS = 100
CLAUDE = ("-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions")
CODEX = ("exec", "--json", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check")
PLAN = {"tasks": [{"id": "t1", "title": "Write the parser"}, {"id": "t2", "title": "Write the command"}]}
SCHEMA = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "title": {"type": "string"}},
                "required": ["id", "title"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["tasks"],
    "additionalProperties": False,
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repository")


def new_repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Test")
    git(folder, "config", "user.email", "test@example.invalid")
    git(folder, "commit", "-q", "--allow-empty", "-m", "Start")
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip()


def run(argv: list[str], prompt: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, input=prompt, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )


def printed(done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    """The events of type *kind*, in order."""
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events, done.stderr
    return [event for event in events if event["type"] == kind]


def commit_file(path: str, content: str) -> Scenario:
    return [
        Turn(text="I write it.", actions=[Write(path=path, content=content)], usage=Usage(input_tokens=1200)),
        Turn(actions=[Shell(command=f"git add -A && git commit -qm 'Add {path}'")]),
        Turn(text="Done."),
    ]


def test_claude_edits_and_commits(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("Add the parser", commit_file("parser.py", "GRÜSSE = 1\n"))

    done = run([str(real_claude), *CLAUDE], "Add the parser.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert git(repository, "log", "--format=%s") == "Add parser.py\nStart"
    assert git(repository, "show", "HEAD:parser.py") == "GRÜSSE = 1"
    assert printed(done, "result")[-1]["usage"]["input_tokens"] == 1400
    assert [request.turn for request in model_server.requests] == [0, 1, 2]


def test_claude_replaces_a_file_on_the_attempt_whose_prompt_has_the_evidence(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("assert 1 == 2", commit_file("parser.py", "right\n"), name="mended")
    model_server.when("Add the parser", commit_file("parser.py", "wrong\n"), name="first")
    env = clean_env(tmp_path / "home", model_server)

    run([str(real_claude), *CLAUDE], "Add the parser.", repository, env)
    run([str(real_claude), *CLAUDE], "Add the parser. It failed: assert 1 == 2", repository, env)

    assert git(repository, "show", "HEAD~1:parser.py") == "wrong"
    assert git(repository, "show", "HEAD:parser.py") == "right"


def test_claude_gives_structured_output(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("", [Turn(actions=[Answer(value=PLAN)]), Turn(text="There.")], answering="tasks", name="plan")

    argv = [str(real_claude), *CLAUDE, "--json-schema", json.dumps(SCHEMA)]
    done = run(argv, "Plan it.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert printed(done, "result")[-1]["structured_output"] == PLAN


def test_claude_exits_0_without_structured_output_when_the_model_writes_prose(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("Plan it", [Turn(text="First we should think about it.")])

    argv = [str(real_claude), *CLAUDE, "--json-schema", json.dumps(SCHEMA)]
    done = run(argv, "Plan it.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert "structured_output" not in printed(done, "result")[-1]


def test_claude_calls_a_rate_limit_a_success_with_an_error(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("Add the parser", [Turn(failure=Failure(kind="rate_limit"))])

    done = run([str(real_claude), *CLAUDE], "Add the parser.", repository, clean_env(tmp_path / "home", model_server))

    result = printed(done, "result")[-1]
    assert done.returncode == 1
    assert (result["subtype"], result["is_error"], result["api_error_status"]) == ("success", True, 429)
    assert result["terminal_reason"] == "api_error"
    assert len(model_server.requests) == 2  # CLAUDE_CODE_MAX_RETRIES=1


def test_claude_outlives_one_overload(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    overloaded = Turn(
        text="I write it.",
        actions=[Write(path="late.txt", content="late\n")],
        failure=Failure(kind="overloaded", times=1),
    )
    model_server.when("Add the parser", [overloaded, Turn(text="Done.")])

    done = run([str(real_claude), *CLAUDE], "Add the parser.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert (repository / "late.txt").read_text() == "late\n"
    assert [request.failure is not None for request in model_server.requests] == [True, False, False]


def test_claude_with_a_login_says_when_its_usage_limit_resets_and_goes_on_in_the_same_session(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    write, commit, done_turn = commit_file("parser.py", "x = 1\n")  # type: ignore[misc]
    limited = Turn(actions=commit.actions, failure=Failure(kind="usage_limit", times=1, resets_in_seconds=5000))
    model_server.when("Add the parser", [write, limited, done_turn])
    env = clean_env(tmp_path / "home", model_server, subscription=True)

    before = int(time.time())
    stopped = run([str(real_claude), *CLAUDE], "Add the parser.", repository, env)

    limit = printed(stopped, "rate_limit_event")[-1]["rate_limit_info"]
    assert stopped.returncode == 1
    assert limit["status"] == "rejected"
    assert before + 5000 <= limit["resetsAt"] <= int(time.time()) + 5000
    assert git(repository, "log", "--format=%s") == "Start"

    session = printed(stopped, "result")[-1]["session_id"]
    resumed = run([str(real_claude), *CLAUDE, "--resume", session], "Go on.", repository, env)

    assert resumed.returncode == 0
    assert git(repository, "log", "--format=%s") == "Add parser.py\nStart"


def test_codex_edits_and_commits(
    model_server: ModelServer, real_codex: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("Add the parser", commit_file("parser.py", "GRÜSSE = 1\n"))

    done = run([str(real_codex), *CODEX], "Add the parser.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert git(repository, "log", "--format=%s") == "Add parser.py\nStart"
    assert git(repository, "show", "HEAD:parser.py") == "GRÜSSE = 1"
    assert printed(done, "turn.completed")[-1]["usage"]["input_tokens"] == 1400


def test_codex_gives_structured_output_in_its_last_message(
    model_server: ModelServer, real_codex: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("", [Turn(actions=[Answer(value=PLAN)])], answering="tasks", name="plan")
    schema, last = tmp_path / "schema.json", tmp_path / "last"
    schema.write_text(json.dumps(SCHEMA))

    argv = [str(real_codex), *CODEX, "--output-schema", str(schema), "-o", str(last)]
    done = run(argv, "Plan it.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert json.loads(last.read_text()) == PLAN


def test_codex_does_not_check_the_answer_against_the_schema(
    model_server: ModelServer, real_codex: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("Plan it", [Turn(text="First we should think about it.")])
    schema, last = tmp_path / "schema.json", tmp_path / "last"
    schema.write_text(json.dumps(SCHEMA))

    argv = [str(real_codex), *CODEX, "--output-schema", str(schema), "-o", str(last)]
    done = run(argv, "Plan it.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 0
    assert last.read_text() == "First we should think about it."


def test_codex_writes_down_what_it_used_where_its_sessions_id_says_and_a_resumed_one_counts_on(
    model_server: ModelServer, real_codex: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    model_server.when("Add the parser", commit_file("parser.py", "x = 1\n"))
    model_server.when("Go on", [Turn(text="There is no more to do.", usage=Usage(input_tokens=700))])
    env = clean_env(tmp_path / "home", model_server)
    codex = Codex(sessions=sessions_folder(env, tmp_path / "home"))

    done = run([str(real_codex), *CODEX], "Add the parser.", repository, env)
    session = printed(done, "thread.started")[0]["thread_id"]
    first = logged(codex, session)
    resumed = run([str(real_codex), CODEX[0], "resume", *CODEX[1:], session, "-"], "Go on.", repository, env)
    second = logged(codex, session)

    assert [one.usage.input_tokens for one in first] == [1200, 1300, 1400], "after each answer"
    assert first[-1] == spent(codex, done)
    assert second[: len(first)] == first, "it goes on in the same file"
    assert second[-1].usage.input_tokens == 2100
    assert second[-1] == spent(codex, resumed)


def logged(codex: Codex, session: str) -> list[Spent]:
    """What codex wrote down of a session, in its one file."""
    where = codex.session_log(session)
    assert where is not None
    (file,) = (file for folder in where.folders for file in folder.glob(f"*{where.ending}"))
    told = (codex.read_log(line) for line in file.read_text().splitlines())
    return [one for one in told if one is not None]


def spent(codex: Codex, done: subprocess.CompletedProcess[str]) -> Spent:
    """What codex printed as it ended."""
    (last,) = (meaning for line in done.stdout.splitlines() for meaning in codex.read(line) if type(meaning) is Spent)
    return last


@pytest.mark.parametrize(("kind", "words"), [("rate_limit", "last status: 429"), ("usage_limit", "usage limit")])
def test_codex_fails_its_turn_at_a_429_without_trying_again(
    model_server: ModelServer,
    real_codex: Path,
    clean_env: CleanEnv,
    repository: Path,
    tmp_path: Path,
    kind: Any,
    words: str,
) -> None:
    model_server.when("Add the parser", [Turn(failure=Failure(kind=kind))])

    done = run([str(real_codex), *CODEX], "Add the parser.", repository, clean_env(tmp_path / "home", model_server))

    assert done.returncode == 1
    assert words in printed(done, "turn.failed")[-1]["error"]["message"]
    assert len(model_server.requests) == 1


def test_several_agents_share_one_model_server(
    model_server: ModelServer, real_claude: Path, real_codex: Path, clean_env: CleanEnv, tmp_path: Path
) -> None:
    names = ("claude-1", "claude-2", "codex-1", "codex-2")
    for name in names:
        model_server.when(f"Work as {name}.", commit_file(f"{name}.txt", f"{name}\n"))
    folders = {name: new_repository(tmp_path / name) for name in names}

    def work(name: str) -> subprocess.CompletedProcess[str]:
        argv = [str(real_claude), *CLAUDE] if "claude" in name else [str(real_codex), *CODEX]
        return run(argv, f"Work as {name}.", folders[name], clean_env(tmp_path / f"home-{name}", model_server))

    with ThreadPoolExecutor(len(names)) as at_once:
        results = dict(zip(names, at_once.map(work, names), strict=True))

    for name, done in results.items():
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    for name, folder in folders.items():
        assert git(folder, "show", f"HEAD:{name}.txt") == name
        assert git(folder, "log", "--format=%s") == f"Add {name}.txt\nStart"


def limited_run(
    server: ModelServer, claude: Path, env: dict[str, str], folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    server.when("Add the parser", commit_file("parser.py", "x = 1\n"))
    return run([str(claude), *CLAUDE, *arguments], "Add the parser.", folder, env)


def test_claude_offers_the_model_only_the_tools_of_a_role_also_with_all_permissions(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    env = clean_env(tmp_path / "home", model_server)

    done = limited_run(model_server, real_claude, env, repository, "--tools", "Read,Bash(git log:*),NoSuchTool")

    assert printed(done, "system")[0]["tools"] == ["Read"]
    assert git(repository, "log", "--format=%s") == "Start"
    assert not (repository / "parser.py").exists()


def test_claude_takes_a_forbidden_tool_away(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    env = clean_env(tmp_path / "home", model_server)

    done = limited_run(model_server, real_claude, env, repository, "--disallowedTools", "Bash,Monitor")

    offered = printed(done, "system")[0]["tools"]
    assert "Bash" not in offered and "Write" in offered
    assert git(repository, "log", "--format=%s") == "Start"


def test_claude_ends_in_an_error_after_so_many_turns(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path
) -> None:
    env = clean_env(tmp_path / "home", model_server)

    done = limited_run(model_server, real_claude, env, repository, "--max-turns", "1")

    result = printed(done, "result")[-1]
    assert done.returncode == 1
    assert (result["subtype"], result["is_error"]) == ("error_max_turns", True)
    assert (repository / "parser.py").exists()
    assert git(repository, "log", "--format=%s") == "Start"


@pytest.mark.parametrize("alias", ["haiku", "sonnet", "opus"])
def test_claude_knows_the_aliases_that_role_files_use(
    model_server: ModelServer, real_claude: Path, clean_env: CleanEnv, repository: Path, tmp_path: Path, alias: str
) -> None:
    model_server.when("Say", [Turn(text="Done.")])

    done = run(
        [str(real_claude), *CLAUDE, "--model", alias], "Say.", repository, clean_env(tmp_path / "home", model_server)
    )

    assert printed(done, "system")[0]["model"].startswith(f"claude-{alias}-")
    assert model_server.requests[-1].body["model"].startswith(f"claude-{alias}-")


AT_ONCE = 6


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_agents_that_start_at_once_in_one_home_all_work_and_leave_its_configuration_whole(
    model_server: ModelServer,
    real_claude: Path,
    real_codex: Path,
    clean_env: CleanEnv,
    tmp_path: Path,
    name: str,
) -> None:
    """Each of them writes into what they share: the first start, and one in a home that is known already."""
    argv = {"claude": [str(real_claude), *CLAUDE], "codex": [str(real_codex), *CODEX]}[name]
    home = tmp_path / "home"
    env = clean_env(home, model_server)
    for number in range(2 * AT_ONCE):
        model_server.when(f"Work as number {number}.", commit_file(f"{number}.txt", f"{number}\n"))
    folders = [new_repository(tmp_path / f"r{number}") for number in range(2 * AT_ONCE)]
    begin = threading.Barrier(AT_ONCE)

    def work(number: int) -> subprocess.CompletedProcess[str]:
        begin.wait()
        return run(argv, f"Work as number {number}.", folders[number], env)

    with ThreadPoolExecutor(AT_ONCE) as at_once:
        for batch in (range(AT_ONCE), range(AT_ONCE, 2 * AT_ONCE)):
            for number, done in zip(batch, at_once.map(work, batch), strict=True):
                assert done.returncode == 0, (number, done.stdout, done.stderr)
                assert git(folders[number], "show", f"HEAD:{number}.txt") == str(number)
            shared = [home / ".claude.json"] if name == "claude" else [home / ".codex" / "auth.json"]
            assert all(isinstance(json.loads(file.read_text()), dict) for file in shared)
            assert not [file for file in home.rglob("*") if "corrupt" in file.name], "its owner found it broken"
    if name == "codex":
        assert tomllib.loads((home / ".codex" / "config.toml").read_text())["model_provider"] == "scripted"
