"""The examples run as they stand, in a project of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").iterdir())
AIDER, OVERNIGHT, OWN_AGENT, PROGRAM = EXAMPLES

AGENT = """#!/bin/sh
[ "${1-}" != --version ] || exit 0
cat > /dev/null
[ ! -e fails ] || exit 1
echo work >> work-$ORCHESTRATE_GOAL.txt
"""
"""The shortest agent that leaves work behind; in a project with a file ``fails`` it breaks down."""


@pytest.fixture(autouse=True)
def _own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the launcher on PATH and let runs use AGENT."""
    folder = tmp_path / "bin"
    folder.mkdir()
    launcher, agent = folder / "orchestrate", folder / "agent"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m agent_orchestrator "$@"\n')
    agent.write_text(AGENT)
    for file in (launcher, agent):
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("ORCHESTRATE_GENERIC_COMMAND", str(agent))
    monkeypatch.setenv("ORCHESTRATE_PROVIDER", "generic")
    monkeypatch.setenv("ORCHESTRATE_RETRY_SECONDS", "0")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README").write_text("hello\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def break_the_agent(project: Path) -> None:
    (project / "fails").touch()
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "Let the agent fail")


def call(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_read_in_a_minute_and_has_a_test_here(example: Path) -> None:
    assert len(example.read_text().splitlines()) <= 60
    assert example in {AIDER, OVERNIGHT, OWN_AGENT, PROGRAM}


def test_a_night_works_on_every_goal_and_ends_with_their_reports(project: Path) -> None:
    night = call(project, OVERNIGHT, "2099-01-01T07:30", "Add a health check", "-- write the notes")

    assert night.returncode == 0, night.stderr
    assert night.stdout.count("Nothing needs you.") == 2
    assert len(list(project.glob("work-*.txt"))) == 2, "both goals are in the user's branch"
    assert git(project, "status", "--porcelain") == ""


def test_a_night_that_ended_in_need_of_a_person_says_so_by_its_exit_code(project: Path) -> None:
    break_the_agent(project)

    night = call(project, OVERNIGHT, "2099-01-01T07:30", "Add a health check")

    assert night.returncode == 6
    assert "Nothing needs you." not in night.stdout


def test_a_night_does_not_begin_where_it_would_be_spoiled(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATE_GENERIC_COMMAND")
    monkeypatch.setenv("ORCHESTRATE_PROVIDER", "generic")

    night = call(project, OVERNIGHT, "07:30", "Add a health check")

    assert night.returncode != 0
    assert "phase 1" not in night.stdout


def test_an_agent_of_ones_own_edits_a_file_and_its_work_is_verified_and_delivered(tmp_path: Path) -> None:
    answer = call(tmp_path, OWN_AGENT, tmp_path / "sample")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith("\napple\nbanana\n")
    assert "completed (verified)" in answer.stdout
    assert "Add apple to the list" in git(tmp_path / "sample", "log", "-1", "--format=%s")


def test_a_program_submits_runs_and_reads_the_report(project: Path) -> None:
    answer = call(project, sys.executable, PROGRAM, "- do it; $(now)", "ls work-*.txt")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0].endswith(": completed, verified")
    assert answer.stdout.splitlines()[1].endswith(": done, 1 attempts")


def test_a_program_is_told_that_a_task_needs_a_person(project: Path) -> None:
    break_the_agent(project)

    answer = call(project, sys.executable, PROGRAM, "Do it", "true")

    assert answer.returncode == 6, answer.stderr
    assert answer.stdout.splitlines()[1].endswith(": failed, 2 attempts")


def test_a_program_passes_on_what_is_wrong_and_what_to_do(project: Path) -> None:
    answer = call(project, sys.executable, PROGRAM, " ", "true")

    assert answer.returncode == 1
    assert answer.stderr.startswith("orchestrate submit: the goal is empty (say what you want")


AIDER_DOUBLE = """#!/bin/sh
# Does what a run of aider 0.86.2 was seen to do: a change, a cache in the project, or an error and exit code 0.
for word in "$@"; do
    case $before in --message-file) message=$word ;; --model) model=$word ;; esac
    before=$word
done
mkdir .aider.tags.cache.v4
echo "Aider v0.86.2 with ${model-no model}"
if [ ! -e fails ]; then cat "$message" >> asked.txt; exit 0; fi
echo "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for"
echo "requests"
echo "The API provider has rate limited you. Try again later or check your quotas."
"""


@pytest.fixture
def with_aider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aider = tmp_path / "bin" / "aider"
    aider.write_text(AIDER_DOUBLE)
    aider.chmod(0o755)
    monkeypatch.setenv("ORCHESTRATE_GENERIC_COMMAND", f"{AIDER} {{prompt_file}} {{run_dir}} {{model}}")
    monkeypatch.setenv("ORCHESTRATE_GENERIC_MODEL", "openai/gpt-5.4")


@pytest.mark.usefixtures("with_aider")
def test_aider_works_and_nothing_of_its_own_is_landed(project: Path) -> None:
    call(project, "orchestrate", "submit", "Write down what you are asked", "--verify", "grep -q asked asked.txt")

    ran = call(project, "orchestrate", "run")

    assert ran.returncode == 0, ran.stderr
    assert git(project, "show", "--name-only", "--format=", "HEAD") == "asked.txt"
    assert "with openai/gpt-5.4" in call(project, "orchestrate", "logs", "write-down-what-you-are-asked").stdout


@pytest.mark.usefixtures("with_aider")
def test_a_limit_that_aider_ends_well_with_is_a_limit(project: Path) -> None:
    break_the_agent(project)
    call(project, "orchestrate", "submit", "Write down what you are asked", "--max-attempts", "1")

    ran = call(project, "orchestrate", "run", "--no-wait", "--json")

    assert ran.returncode == 7, ran.stderr
    task = json.loads(ran.stdout)["goals"][0]["tasks"][0]
    assert [one["outcome"] for one in task["attempts"]] == ["limited"]
    assert task["attempts_used"] == 0
