"""The morning after: accepting, rejecting and asking for more, with what each does to the branches and the queue."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pages
from calling import Caller
from chaos import small_disk

Json = dict[str, Any]
PATIENCE_S = 60.0


@pytest.fixture
def shop(tmp_path: Path) -> Caller:
    """A repository with tests, and a `claude` on PATH that does what ~/agent-script says."""
    home = tmp_path / "home2"
    environ = pages.lay_out(tmp_path, home)
    caller = Caller(home / "shop")
    caller.environ = {**environ, "ORCHESTRATE_RETRY_SECONDS": "0", "ORCHESTRATE_STOP_SECONDS": "1"}
    return caller


def agents_do(shop: Caller, script: str) -> None:
    Path(shop.environ["HOME"], "agent-script").write_text(script)


def done(shop: Caller, goal: str, script: str, *words: str) -> Json:
    """Submit a goal of one task, run it, and return the task."""
    agents_do(shop, script)
    task: Json = shop("submit", goal, *words, "--json").json["tasks"][0]
    assert shop("run").code == 0
    return dict(shop("task", task["id"], "--json").json)


def decide(shop: Caller, *words: str) -> Json:
    answer = shop("review", *words, "--json")
    assert answer.code == 0, answer
    return dict(answer.json)


def test_rejected_work_leaves_the_result_and_the_users_branch_and_is_done_again_with_the_reason(shop: Caller) -> None:
    before = shop.git("rev-parse", "main")
    task = done(shop, "Write the notes", "write notes.txt wrong")
    assert shop.git("show", "main:notes.txt") == "wrong"

    decided = decide(shop, task["id"], "--reject", "--comment", "They are wrong: say right")

    assert decided["decided"]["what"] == "rejected"
    assert not (shop.folder / "notes.txt").exists() and shop.git("status", "--porcelain") == ""
    after = shop("task", task["id"], "--json").json
    assert (after["state"], after["verdict"], after["commit"], after["attempts_used"]) == ("ready", None, None, 0)
    assert after["attempts"][0]["outcome"] == "rejected"

    agents_do(shop, 'if_prompt_contains "say right": write notes.txt right')
    assert shop("run").code == 0
    assert shop.git("show", "main:notes.txt") == "right"

    assert shop("undo", task["goal"]).code == 0
    assert shop.git("rev-parse", "main") == before, "undo takes out both deliveries"


def test_a_rejection_reverts_one_task_and_keeps_what_landed_beside_it(shop: Caller) -> None:
    shop("submit", "Add a health check endpoint, with tests and a line in the docs", "--decompose")
    assert shop("run").code == 0
    tasks = {one["key"]: one for one in shop("report", "--json").json["tasks"]}

    decided = decide(shop, tasks["docs"]["id"], "--reject")

    assert decided["decided"]["said"].endswith("and of main")
    assert "health" not in (shop.folder / "README.md").read_text()
    assert (shop.folder / "tests" / "test_health.py").exists(), "it landed at the same time"
    assert shop("run").code == 0
    assert "health" in (shop.folder / "README.md").read_text()


def test_a_branch_keeps_rejected_work_that_other_work_needs_until_it_is_done_again(shop: Caller) -> None:
    shop("submit", "Add a health check endpoint, with tests and a line in the docs", "--decompose")
    assert shop("run").code == 0
    report = shop("report", "--json").json
    tasks = {one["key"]: one for one in report["tasks"]}

    said = decide(shop, tasks["endpoint"]["id"], "--reject")["decided"]["said"]

    assert "tests" in said and "so main keeps it until it is done again" in said
    assert (shop.folder / "shop" / "health.py").exists()
    assert "shop/health.py" not in shop.git("ls-tree", "-r", "--name-only", report["result_branch"]).splitlines()
    assert shop("run").code == 0
    assert shop.git("rev-parse", "main") == shop.git("rev-parse", report["result_branch"])
    assert (shop.folder / "shop" / "health.py").exists()


def test_work_that_later_work_builds_on_is_not_torn_out(shop: Caller) -> None:
    first = done(shop, "Write the notes", "write notes.txt one")
    agents_do(shop, "write notes.txt two")
    shop("submit", "Write more", "--depends-on", first["id"])
    assert shop("run").code == 0
    tip = shop.git("rev-parse", "main")

    refused = shop("review", first["id"], "--reject", "--json")

    assert refused.code == 1 and "later work builds on" in refused.json["error"]["message"]
    assert shop("task", first["id"], "--json").json["state"] == "done"
    assert shop.git("rev-parse", "main") == tip


def test_a_rejection_leaves_a_branch_with_uncommitted_changes_alone_and_says_what_to_type(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write notes.txt wrong")
    readme = shop.folder / "README.md"
    readme.write_text("mine\n")

    decided = decide(shop, task["id"], "--reject")

    said = decided["decided"]["said"]
    assert "is still in main" in said and "take the work in" not in said
    assert readme.read_text() == "mine\n" and (shop.folder / "notes.txt").exists()
    result = shop("report", "--json").json["result_branch"]
    assert "notes.txt" not in shop.git("ls-tree", "--name-only", result)
    shop.git(*said.split("`")[1].split()[1:])
    assert not (shop.folder / "notes.txt").exists(), "what it says to type takes the work out"
    shop.git("checkout", "-q", "README.md")
    agents_do(shop, "write notes.txt right")
    assert shop("run").code == 0
    assert (shop.folder / "notes.txt").read_text() == "right\n"


def test_a_rejection_that_something_stood_in_the_way_of_is_finished_by_rejecting_once_more(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write notes.txt wrong")
    readme = shop.folder / "README.md"
    readme.write_text("mine\n")
    assert "is still in main" in decide(shop, task["id"], "--reject")["decided"]["said"]
    shop.git("checkout", "-q", "README.md")

    said = decide(shop, task["id"], "--reject")["decided"]["said"]

    assert said.startswith("rejected before") and said.endswith("and of main")
    assert not (shop.folder / "notes.txt").exists() and shop.git("status", "--porcelain") == ""
    assert shop("review", task["id"], "--reject").code == 5, "there is nothing left to take out"


FULL = """
import shutil, subprocess, sys
from pathlib import Path

folder, task = Path(sys.argv[1]), sys.argv[2]
kept = folder.with_name("kept")
shutil.copytree(folder, kept, symlinks=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=True)
shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)


def tell():
    words = [sys.executable, "-P", "-m", "agent_orchestrator", "review", task, "--reject", "--json"]
    print(subprocess.run(words, cwd=folder, capture_output=True, text=True).stdout.strip().replace("\\n", " "))
    words = ["git", "--no-optional-locks", "status", "--porcelain"]
    print(subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.strip())


with (folder / ".git" / "filler").open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
    file.truncate(file.tell() - 60_000)
tell()
(folder / ".git" / "filler").unlink()
tell()
print((folder / "big.txt").stat().st_size)
"""


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
def test_a_rejection_that_a_full_disk_breaks_off_leaves_the_folder_whole_and_is_finished_by_the_next(
    shop: Caller, tmp_path: Path
) -> None:
    (shop.folder / "big.txt").write_text("big\n" * 50_000)
    shop.git("add", "-A")
    shop.git("commit", "-q", "-m", "big")
    task = done(shop, "Make it small", "write big.txt small")
    inside = [*small_disk.ENTER, sys.executable, "-c", FULL, str(shop.folder), task["id"]]

    environ = {**shop.environ, "PATH": f"{shop.environ['PATH']}:{os.environ['PATH']}"}
    ran = subprocess.run(inside, env=environ, capture_output=True, text=True, check=False, timeout=240)

    assert ran.returncode == 0, ran.stderr
    full, whole, again, whole_again, size = ran.stdout.split("\n")[:5]
    assert "still in main, for the disk is full" in json.loads(full)["decided"]["said"]
    assert json.loads(again)["decided"]["said"].endswith("and of main")
    assert (whole, whole_again, size) == ("", "", "200000")


def test_a_rejection_takes_work_out_of_a_branch_that_has_gone_on_since(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write notes.txt wrong")
    (shop.folder / "mine.txt").write_text("mine\n")
    shop.git("add", "-A")
    shop.git("commit", "-q", "-m", "mine")

    said = decide(shop, task["id"], "--reject")["decided"]["said"]

    assert said.endswith("and of main")
    assert not (shop.folder / "notes.txt").exists() and (shop.folder / "mine.txt").exists()
    agents_do(shop, "write notes.txt right")
    assert shop("run").code == 0
    assert (shop.folder / "notes.txt").read_text() == "right\n" and (shop.folder / "mine.txt").exists()


def test_a_rejection_of_work_that_the_user_has_changed_since_says_how_to_take_it_out(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write notes.txt wrong")
    (shop.folder / "notes.txt").write_text("mine\n")
    shop.git("commit", "-q", "-am", "mine")

    said = decide(shop, task["id"], "--reject")["decided"]["said"]

    assert "later work changes the same lines (notes.txt)" in said and "ends in the commit that undoes it" in said
    assert (shop.folder / "notes.txt").read_text() == "mine\n"


def test_a_comment_goes_on_in_the_same_session_on_top_of_what_landed(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write notes.txt first")

    decide(shop, task["id"], "--comment", "Add a second line")
    agents_do(shop, 'if_prompt_contains "Add a second line": append notes.txt second')
    assert shop("run").code == 0

    after = shop("task", task["id"], "--json").json
    first, second = after["attempts"]
    assert (after["state"], after["verdict"]) == ("done", "verified")
    assert second["session"] == first["session"] and second["workspace"] == first["workspace"]
    assert shop.git("show", "main:notes.txt") == "first\nsecond"
    prompt = (Path(second["run_dir"]) / "prompt.txt").read_text()
    assert "is landed" in prompt and "not accepted yet" not in prompt
    assert prompt.count("Add a second line") == 1


def test_a_comment_on_a_failed_task_puts_it_back_with_the_comment(shop: Caller) -> None:
    agents_do(shop, "exit 1")
    task = shop("submit", "Write the notes", "--max-attempts", "1", "--json").json["tasks"][0]
    assert shop("run").code == 6

    decided = decide(shop, task["id"], "--comment", "Just write it")
    agents_do(shop, 'if_prompt_contains "Just write it": write notes.txt written')

    assert "nothing of it was landed" in decided["decided"]["said"]
    assert shop("run").code == 0
    assert shop.git("show", "main:notes.txt") == "written"


def test_accepted_work_is_not_shown_as_something_to_look_at_again(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write secrets.txt wrong")
    assert "secrets.txt" in decide(shop)["items"][0]["why"][0]
    assert "Look at first" in shop("report").out

    decided = decide(shop, task["id"], "--accept")

    assert decided["items"] == []
    assert "Look at first" not in shop("report").out
    assert "Nothing waits for a decision" in shop("review").out


def test_without_a_terminal_a_review_lists_what_to_type_and_decides_nothing(shop: Caller) -> None:
    task = done(shop, "Write the notes", "write notes.txt first")

    said = shop("review")

    assert said.code == 0
    for command in (f"diff {task['id']}", f"review {task['id']} --accept", f"review {task['id']} --reject"):
        assert f"orchestrate {command}" in said.out
    assert [one["type"] for one in events(shop) if one["type"].startswith("review.")] == []


def test_what_cannot_be_decided_is_refused_in_one_line(shop: Caller) -> None:
    task = shop("submit", "Write the notes", "--json").json["tasks"][0]

    for words in (["--accept"], ["--reject"], ["--comment", "more"]):
        answer = shop("review", task["id"], *words)
        assert answer.code == 5 and "is ready: nothing of it is landed" in answer.err
    assert shop("review", task["id"], "--accept", "--reject").code == 2
    assert shop("review", "--accept").code == 2
    assert shop("review", task["id"], "--comment", " ").code in {2, 5}


def test_a_review_on_a_terminal_heeds_single_keys_and_says_what_each_did(shop: Caller) -> None:
    for name in "one", "two", "three":
        shop("submit", f"Write {name}")
    agents_do(shop, "sh echo work > $ORCHESTRATE_TASK.txt")
    assert shop("run").code == 0
    goals = [one["id"] for one in shop("status", "--json").json["goals"]]
    keep, back, more = (shop("report", goal, "--json").json["tasks"][0]["id"] for goal in goals)

    accepted = typed(shop, keep, [("q quit", b"d"), ("q quit", b"x"), ("q quit", b"a")])
    rejected = typed(shop, back, [("q quit", b"r"), ("Why?", b"too little\n")])
    commented = typed(shop, more, [("q quit", b"c"), ("What more", b"\n"), ("q quit", b"c"), ("What more", b"more\n")])
    left = typed(shop, keep, [("q quit", b"q")])

    assert f"+++ b/{keep}.txt" in accepted and "accepted; it is" in accepted and "1 accepted; 0 left" in accepted
    assert "rejected and back in the queue" in rejected and "orchestrate run" in rejected
    assert "back in the queue with your comment" in commented
    assert "nothing decided; 1 left" in left
    decided = [(one["type"], one["task"], one["data"].get("comment")) for one in events(shop, "review")]
    assert decided == [
        ("review.accepted", keep, None),
        ("review.rejected", back, "too little"),
        ("review.commented", more, "more"),
    ]


def test_a_key_that_cannot_be_heeded_says_why_and_what_to_type(shop: Caller) -> None:
    agents_do(shop, "exit 1")
    task = shop("submit", "Write the notes", "--max-attempts", "1", "--json").json["tasks"][0]
    assert shop("run").code == 6

    shown = typed(shop, task["id"], [("q quit", b"a"), ("q quit", b"q")])

    assert "nothing of it is landed (orchestrate task" in " ".join(shown.split())


def events(shop: Caller, kind: str | None = None) -> list[Json]:
    import json

    narrowed = ["--type", kind] if kind else []
    return [json.loads(line) for line in shop("events", "-n", "1000", "--json", *narrowed).out.splitlines()]


def typed(shop: Caller, task: str, answers: list[tuple[str, bytes]]) -> str:
    """Review *task* on a terminal, typing each answer when its question has been shown; return all that was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        shop.argv("review", task),
        cwd=shop.folder,
        env={**shop.environ, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, from_here = b"", 0
    waiting = list(answers)
    end = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # how Linux says that the last writer has gone
                chunk = b""
            if not chunk:
                break
            shown += chunk
            if waiting and (place := shown.find(waiting[0][0].encode(), from_here)) >= 0:
                from_here = place + 1
                os.write(ours, waiting.pop(0)[1])
    finally:
        os.close(ours)
        if process.poll() is None and time.monotonic() >= end:
            process.kill()
        process.wait(PATIENCE_S)
    assert not waiting, shown.decode(errors="replace")
    return shown.decode(errors="replace")
