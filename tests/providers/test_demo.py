"""The demo: scripted agents as real processes, in a real repository, with a failure that is mended by its evidence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.providers import Briefing, Ending, Finished, Said, Spent, UsedTool, demo_child
from agent_orchestrator.providers.demo import Demo, lay_out, plan
from providers.reading import Reading, read

DEMO = Demo(pace="0")
TASKS = {task["id"]: task for task in plan()["tasks"]}  # type: ignore[attr-defined]
SUITE = "python3 -m unittest discover -q -s tests -t ."


def environment() -> dict[str, str]:
    """A PATH on which python3 is the Python that runs the tests, and no git configuration of this machine's user."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "demo@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }


def git(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def check(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a task's check, as its plan words it."""
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )


def prompt(task: str, evidence: str = "") -> str:
    head = f"You work on one task of a larger goal. Task t1 ({task}): {TASKS[task]['title']}"
    return f"{head}\n\n## The task\n{TASKS[task]['description']}\n\n{evidence}\n\n## How to work\n- Do it.\n"


def work(folder: Path, text: str) -> tuple[Reading, Ending]:
    """Run one scripted agent to its end, as a supervisor would."""
    command = DEMO.command(Briefing(prompt=text, role="", workspace=folder, run_dir=folder, executable=""))
    ran = subprocess.run(
        command.argv,
        input=command.stdin,
        cwd=folder,
        env={**environment(), **command.environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = read(DEMO, ran.stdout.splitlines())
    return found, DEMO.conclude(ran.returncode, found.last, found.limited, ran.stderr)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "ledger"
    lay_out(folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Begin")
    return folder


def land(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


def test_the_demos_project_is_green_to_begin_with_and_no_task_is_done_yet(project: Path) -> None:
    assert check(project, SUITE).returncode == 0
    for task in TASKS.values():
        if task["verify"] != SUITE:
            assert check(project, task["verify"]).returncode != 0


def test_the_first_attempt_fails_its_check_and_the_second_mends_it_because_it_is_told_of_the_failure(
    project: Path,
) -> None:
    work(project, prompt("entry"))
    land(project, "entry")
    verify = TASKS["summary"]["verify"]

    first, ended = work(project, prompt("summary"))
    failure = check(project, verify)

    assert ended.outcome is None
    assert first.last == Finished(ok=True, summary="Scripted demo: by_category sums the entries of a month.")
    assert failure.returncode != 0

    git(project, "clean", "-fdq")
    work(project, prompt("summary", "A different failure: test_money is red."))
    assert check(project, verify).returncode != 0

    git(project, "clean", "-fdq")
    work(project, prompt("summary", f"```text\n{failure.stderr}\n```"))
    assert check(project, verify).returncode == 0


def test_the_whole_plan_works_out_and_its_branches_merge_without_conflict(project: Path) -> None:
    """Tasks of one phase start from the same commit; afterwards the project has its features and a green suite."""
    for phase in sorted({task["phase"] for task in TASKS.values()}):
        start = git(project, "rev-parse", "HEAD")
        for name in [name for name, task in TASKS.items() if task["phase"] == phase]:
            git(project, "switch", "-qc", name, start)
            work(project, prompt(name))
            if (failed := check(project, TASKS[name]["verify"])).returncode:
                work(project, prompt(name, failed.stderr))
            assert check(project, TASKS[name]["verify"]).returncode == 0, name
            changed = git(project, "status", "--porcelain", "--untracked-files=all").splitlines()
            assert {line[2:].strip() for line in changed} == set(TASKS[name]["owns"])
            land(project, name)
            git(project, "switch", "-q", "main")
            git(project, "merge", "-q", "--no-edit", name)
    ran = check(project, SUITE)

    assert ran.returncode == 0, ran.stderr
    assert "Ran 18 tests" in ran.stderr


def test_only_one_task_of_the_plan_is_flawed(project: Path) -> None:
    flawed = {name for name, task in TASKS.items() if "\nwhen failing " in task["description"]}

    assert flawed == {"summary"}


def test_the_plan_is_a_graph_with_phases_as_its_dependencies_make_them() -> None:
    for task in TASKS.values():
        assert task["phase"] == 1 + max((TASKS[need]["phase"] for need in task["depends_on"]), default=0)
    assert sum(task["phase"] == 2 for task in TASKS.values()) == 3


def test_each_step_is_told_and_nothing_is_said_to_have_been_spent(project: Path) -> None:
    found, _ = work(project, prompt("entry"))

    assert [type(meaning) for meaning in found.meanings] == [Said, UsedTool, Said, UsedTool, Said, Spent, Finished]
    (spent,) = found.of(Spent)
    assert isinstance(spent, Spent)
    assert spent.usage.cost_micro_usd == spent.usage.output_tokens == 0


def test_a_task_without_a_script_gets_a_file_that_says_no_work_was_done(tmp_path: Path) -> None:
    found, ended = work(tmp_path, "You work on one task of a larger goal. Task t9 (add-login): Add a login\n\nDo it.")

    assert [file.name for file in tmp_path.iterdir()] == ["DEMO-add-login.md"]
    assert "no work was done" in (tmp_path / "DEMO-add-login.md").read_text()
    assert found.last is not None
    assert "no work was done" in found.last.summary
    assert ended.outcome is None


def test_two_scriptless_prompts_that_begin_alike_write_two_files(tmp_path: Path) -> None:
    work(tmp_path, "Please help.\nOne.")
    work(tmp_path, "Please help.\nTwo.")

    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/demo-out.txt", ".git/hooks/pre-commit", "link/out.txt", "."])
def test_a_script_that_writes_outside_of_its_folder_fails(tmp_path: Path, name: str) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)

    _, ended = work(inside, f"Task:\n```demo\nwrite {name}\n| x\n```\n")

    assert ended.outcome == Outcome.FAILED
    assert "outside" in ended.reason
    assert list(outside.iterdir()) == []
    assert [file.name for file in inside.iterdir()] == ["link"]


def test_a_line_that_is_no_script_fails_the_attempt_and_says_which(tmp_path: Path) -> None:
    _, ended = work(tmp_path, "```demo\nsay hello\nrun rm -rf /\n```\n")

    assert ended.outcome == Outcome.FAILED
    assert "run rm -rf /" in ended.reason


def test_the_demo_lays_its_project_only_into_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    with pytest.raises(FileExistsError):
        lay_out(tmp_path)


def test_the_plan_is_plain_json_and_says_that_it_is_a_demo() -> None:
    whole = json.loads(json.dumps(plan()))

    assert whole["source"] == "demo"
    assert "no model is asked" in whole["notice"]
    assert all(demo_child.read_prompt(task["description"])[0] for task in whole["tasks"])
