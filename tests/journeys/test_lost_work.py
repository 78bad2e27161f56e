"""What agents destroy in the middle of a run comes back with one command, and nothing of the user's is in danger."""

import shutil
import signal
from pathlib import Path

import pytest

from calling import Caller

from .conftest import Begin, job
from .test_crashes import led, started, until

WORK = """write parser.py <<EOF
def parse(): return 1
EOF
write deep/notes.txt <<EOF
untracked, in a new folder
EOF
sh rm README.md
wait_for {go}
"""
DESTRUCTION = {
    "reset and clean": "git reset -q --hard && git clean -ffdxq",
    "stash dropped": "git stash -qu && git stash drop -q && git gc -q --prune=now",
    "branches deleted": "git add -A && git commit -qm x && git checkout -q --detach HEAD~1 && "
    "git branch -D $(git branch --format='%(refname:short)' | grep -v HEAD) && "
    "git reflog expire --expire=now --all && git gc -q --prune=now",
    "files overwritten": "echo gone > parser.py; rm -rf deep; git checkout -q -- .",
    "the checkout's .git deleted": "rm -rf .git deep parser.py",
    "the checkout deleted": 'rm -rf "$PWD"',
    "the user's .git deleted": "rm -rf .git deep parser.py {users}/.git",
}


def checkpoints(project: Caller, name: str) -> list[dict[str, object]]:
    asked = project("restore", name, "--list", "--json")
    found: list[dict[str, object]] = asked.json["checkpoints"] if asked.code == 0 else []
    return found


@pytest.fixture
def project(begin: Begin) -> Caller:
    project = begin()
    project.environ["ORCHESTRATE_CHECKPOINT_SECONDS"] = "1"
    return project


def at_work(project: Caller, tmp_path: Path, then: str) -> None:
    """Run an agent that works, is checkpointed, and then does *then*; return when the run has ended."""
    project("submit", job("job", WORK.format(go=tmp_path / "go") + then), "--max-attempts", "1", "--verify", "true")
    run = led(project)
    until(lambda: any(one["files"] == 3 for one in checkpoints(project, "job")), "its work is in a checkpoint")
    (tmp_path / "go").touch()
    run.wait(timeout=120)


def assert_all_is_there(folder: Path) -> None:
    assert (folder / "parser.py").read_text() == "def parse(): return 1\n"
    assert (folder / "deep" / "notes.txt").read_text() == "untracked, in a new folder\n"
    assert not (folder / "README.md").exists()


@pytest.mark.parametrize("way", DESTRUCTION)
def test_every_byte_of_a_checkpoint_comes_back_whatever_the_agent_destroys(
    project: Caller, tmp_path: Path, way: str
) -> None:
    at_work(project, tmp_path, f"sh {DESTRUCTION[way].replace('{users}', str(project.folder))}")

    restored = project("restore", "job", "--json")

    assert restored.code == 0, restored.out
    if "user's" not in way:
        notes = project("task", "job", "--json").json["attempts"][0]["notes"]
        assert [note for note in notes if "orchestrate restore" in note], notes
    (put,) = restored.json["restored"]
    if "user's" in way:
        assert put["branch"] is None
        assert_all_is_there(Path(put["folder"]))
        return
    assert put["branch"].startswith("orchestrate/restored/")
    project.git("worktree", "add", "-q", str(tmp_path / "look"), put["branch"])
    assert_all_is_there(tmp_path / "look")
    assert project.git("status", "--porcelain") == "", "nothing of the user's changed"


def test_the_work_of_a_killed_run_comes_back_without_another_run(project: Caller, tmp_path: Path) -> None:
    project("submit", job("job", WORK.format(go=tmp_path / "go")))
    run = led(project)
    until(lambda: started(tmp_path) == 1 and bool(checkpoints(project, "job")), "a checkpoint is taken")
    until(lambda: checkpoints(project, "job")[-1]["files"] == 3, "it holds everything")
    run.send_signal(signal.SIGKILL)
    run.wait()
    (tmp_path / "go").touch()

    assert project("restore", "job", "--into", str(tmp_path / "back")).code == 0

    assert_all_is_there(tmp_path / "back")
    assert project("run").code == 0


def test_a_lost_database_does_not_lose_the_work(project: Caller, tmp_path: Path) -> None:
    at_work(project, tmp_path, "exit 1")
    attempt = str(checkpoints(project, "job")[-1]["attempt"])
    shutil.rmtree(Path(project("config", "--json").json["paths"]["database"]).parent / "checkouts")
    Path(project("config", "--json").json["paths"]["database"]).unlink()

    assert project("restore", attempt, "--into", str(tmp_path / "back")).code == 0

    assert_all_is_there(tmp_path / "back")


def test_every_checkpoint_can_be_looked_at_side_by_side(project: Caller, tmp_path: Path) -> None:
    at_work(project, tmp_path, "sh git reset -q --hard && git clean -ffdxq")

    put = project("restore", "job", "--all", "--into", str(tmp_path / "all"), "--json").json["restored"]

    found = checkpoints(project, "job")
    assert [one["number"] for one in put] == [one["number"] for one in found] != []
    assert found[-1]["files"] == 0, "the newest is of after the reset"
    assert sum(one["is_default"] is True for one in found) == 1
    whole = next(one for one in put if one["number"] == next(f["number"] for f in found if f["is_default"]))
    assert_all_is_there(Path(whole["folder"]))


def test_restore_refuses_what_it_cannot_do_without_harm(project: Caller, tmp_path: Path) -> None:
    at_work(project, tmp_path, "exit 1")

    assert project("restore", "job", "--into", str(project.folder)).code == 5
    assert project("restore", "job", "--all").code == 2
    assert project("restore", "job", "--all", "--into", str(project.folder)).code == 5
    assert project("restore", "job", "--at", "99").code == 4
    assert project("restore", "nothing-like-it").code == 4
    assert (project.folder / "README.md").exists()


def test_landed_work_comes_back_after_the_users_repository_is_deleted(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    for name in ("one", "two"):
        project("submit", job(name, f"write {name}.txt {name}"), "--verify", "true")
    assert project("run").code == 0
    goals = {goal["id"]: goal["title"] for goal in project("status", "--json").json["goals"]}
    for entry in project.folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    for id, title in goals.items():
        assert project("restore", id, "--into", str(tmp_path / title)).code == 0
        assert (tmp_path / title / f"{title}.txt").read_text() == f"{title}\n"


def test_a_quick_attempt_that_is_landed_costs_no_checkpoint_and_one_that_is_not_gets_one(begin: Begin) -> None:
    project = begin()
    project("submit", job("good", "write good.txt good"), "--verify", "true")
    project("submit", job("bad", "write bad.txt bad"), "--verify", "false", "--max-attempts", "1")

    assert project("run").code == 6

    assert checkpoints(project, "good") == []
    assert [one["why"] for one in checkpoints(project, "bad")] == ["as it ended"]
