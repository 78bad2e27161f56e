import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Attempt, Outcome, Usage
from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Evidence
from agent_orchestrator.domain.task import TaskState
from agent_orchestrator.runtime.process import Process, Spawn
from calling import wait_for
from looking import HOSTILE, is_harmless, orchestrate
from steps import accept, claim, fail, land, planned

ORCHESTRATE = (sys.executable, "-m", "agent_orchestrator")


def line(kind: str, **values: object) -> str:
    return json.dumps({"demo": kind, **values}) + "\n"


TRANSCRIPT = (
    line("said", text="I look around")
    + "not json\n"
    + line("used", tool="Bash", detail="ls -la")
    + line("said", text=HOSTILE)
    + line("finished", ok=True, summary="All done")
)


def demo_attempt(
    app: App, tmp_path: Path, transcript: str = TRANSCRIPT, *, errors: str = "", provider: str = "demo"
) -> Attempt:
    """Start an attempt of the demo provider whose transcript is *transcript*."""
    accept(app, planned("a"))
    claimed = app.tasks.claim(provider, run_dir=lambda task, number: tmp_path / "runs" / f"{task.id}.{number}")
    assert claimed is not None
    attempt = app.tasks.started(claimed[1])
    run_dir = Path(attempt.run_dir)
    run_dir.mkdir(parents=True)
    (run_dir / "stdout.log").write_text(transcript)
    (run_dir / "stderr.log").write_text(errors)
    return attempt


def test_a_task_names_a_checkout_only_while_it_is_there(here: App, tmp_path: Path) -> None:
    attempt = demo_attempt(here, tmp_path)
    checkout = tmp_path / "checkout"
    here.tasks.progressed(replace(attempt, workspace=str(checkout)))
    checkout.mkdir()

    there = orchestrate("task", "a").out
    checkout.rmdir()
    gone = orchestrate("task", "a").out

    assert str(checkout) in there
    assert str(checkout) not in gone and attempt.run_dir in gone


def test_a_task_shows_its_attempts_evidence_cost_and_transcript(here: App) -> None:
    _, tasks = accept(here, planned("a"), planned("b", "a"))
    first = here.tasks.started(claim(here))
    check = CheckRun(
        command="pytest",
        origin="project",
        result=CheckResult.FAILED,
        exit_code=1,
        duration_ms=90_000,
        tail="\n".join(f"line {number}" for number in range(100)),
    )
    evidence = Evidence(checks=(check,), files=("a.py", "b.py"), insertions=7, deletions=2, notes=("outside: b.py",))
    spent = replace(first, usage=Usage(cost_micro_usd=1_500_000, cost_is_estimate=True), model="opus")
    here.tasks.ended(spent, outcome=Outcome.REJECTED, reason="`pytest` failed", evidence=evidence)

    out = orchestrate("task", "a").out

    for part in (
        "Attempt 1  rejected",
        "`pytest` failed (exit 1, 1 min)",
        "line 99",
        "88 lines before",
        "2 files +7 -2",
        "about $1.50 (estimate)",
        "outside: b.py",
        f"{first.run_dir}/stdout.log",
        "needed by   b (blocked)",
        "attempts    1 of 3",
    ):
        assert part in out, part
    assert "line 3\n" not in out
    document = json.loads(orchestrate("task", tasks["b"].id, "--json").out)
    assert [need["key"] for need in document["depends_on"]] == ["a"]


def test_logs_show_what_the_agent_said_and_did_and_nothing_that_steers(here: App, tmp_path: Path) -> None:
    attempt = demo_attempt(here, tmp_path, errors="warning: \x1b[31mred\n")
    fail(here, attempt, outcome=Outcome.NO_EVIDENCE, reason="nothing changed")

    said = orchestrate("logs", "a")

    order = [
        "I look around",
        "> Bash ls -la",
        "Fix login",
        "it says it is done",
        "All done",
        "warning: red",
        "no_evidence",
    ]
    places = [said.out.find(part) for part in order]
    assert -1 not in places and places == sorted(places)
    assert is_harmless(said.out + said.err)
    assert "not json" not in said.out


def test_logs_in_json_are_one_document_a_line(here: App, tmp_path: Path) -> None:
    attempt = demo_attempt(here, tmp_path)

    found = [json.loads(one) for one in orchestrate("logs", attempt.task, "--json").lines]

    assert [one["kind"] for one in found] == ["said", "used_tool", "said", "finished"]
    assert {one["attempt"] for one in found} == {attempt.id}


def test_raw_logs_are_the_agents_own_bytes(here: App, tmp_path: Path) -> None:
    demo_attempt(here, tmp_path)

    done = subprocess.run([*ORCHESTRATE, "logs", "a", "--raw"], capture_output=True, timeout=120)

    assert done.stdout == TRANSCRIPT.encode()


def test_raw_logs_are_refused_to_a_terminal(here: App, tmp_path: Path) -> None:
    demo_attempt(here, tmp_path, "\x1b]52;c;evil\x07\n")
    ours, theirs = os.openpty()

    done = subprocess.run(
        [*ORCHESTRATE, "logs", "a", "--raw"], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, timeout=60
    )

    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2 and b"--raw | less" in done.stderr


def test_logs_of_what_never_started_or_is_gone_say_so(here: App, tmp_path: Path) -> None:
    accept(here, planned("later"))
    assert orchestrate("logs", "later").code == 3
    here.tasks.cancel(here.tasks.resolve("later").id)

    attempt = demo_attempt(here, tmp_path)
    assert orchestrate("logs", "a", "--attempt", "2").code == 4
    (Path(attempt.run_dir) / "stdout.log").unlink()
    said = orchestrate("logs", "a")
    assert said.code == 4 and "gone" in said.err


def test_a_provider_that_is_not_configured_any_more_still_has_readable_logs(here: App, tmp_path: Path) -> None:
    demo_attempt(here, tmp_path, "plain words\n", provider="forgotten")

    assert "plain words" in orchestrate("logs", "a").out


@pytest.fixture
def agent(here: App, tmp_path: Path) -> Iterator[tuple[Attempt, Process, Path]]:
    """A real process under its minder: says one thing, waits for a file, says another without a newline, and ends."""
    accept(here, planned("a"))
    claimed = here.tasks.claim("demo", run_dir=lambda task, number: tmp_path / f"{task.id}.{number}")
    assert claimed is not None
    attempt, go = claimed[1], tmp_path / "go"
    script = 'printf "%s" "$1"; while [ ! -e "$3" ]; do sleep 0.05; done; printf "%s" "$2"'
    first, second = line("said", text="before"), line("said", text="after").rstrip("\n")
    process = Process.start(
        Spawn(
            run_dir=Path(attempt.run_dir),
            run_id=str(tmp_path),
            argv=("sh", "-c", script, "sh", first, second, str(go)),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
        )
    )
    here.tasks.started(attempt)
    yield attempt, process, go
    go.touch()
    wait_for(lambda: process.exit() is not None)
    process.close()
    with suppress(ChildProcessError):
        os.waitpid(process.minder.pid, 0)


def test_followed_logs_show_what_comes_and_end_with_the_attempt(
    agent: tuple[Attempt, Process, Path], tmp_path: Path
) -> None:
    _, process, go = agent
    wait_for(lambda: (process.run_dir / "pid.json").exists())
    said = tmp_path / "said"
    with said.open("wb") as out:
        following = subprocess.Popen([*ORCHESTRATE, "logs", "a", "-f"], stdout=out, stderr=subprocess.STDOUT)
    wait_for(lambda: b"before" in said.read_bytes())
    assert following.poll() is None

    go.touch()

    assert following.wait(120) == 0
    assert said.read_text().count("before") == said.read_text().count("after") == 1


def test_a_goal_that_is_to_be_retried_is_told_how(here: App) -> None:
    goal, _ = accept(here, planned("a"))

    said = orchestrate("retry", goal.id)

    assert said.code == 2
    assert f"{goal.id} is a goal" in said.err and "orchestrate status --failed" in said.err
    assert orchestrate("retry", "nothing").code == 4


def test_a_retry_gives_attempts_back_and_keeps_the_comment(here: App) -> None:
    goal, _ = accept(here, planned("a"))
    failed = fail(here, claim(here), outcome=Outcome.FAILED, reason="no")

    said = orchestrate("retry", "a", "--comment", "use tomllib")

    assert said.code == 0 and "orchestrate run" in said.out
    assert here.store.tasks.get(failed.id).state is TaskState.READY
    assert [one.body for one in here.messages.of_goal(goal.id)] == ["use tomllib"]
    assert orchestrate("retry", "a").code == 5


def test_work_that_changed_nothing_has_no_diff(here: App) -> None:
    accept(here, planned("a"))

    said = orchestrate("diff", "a")

    assert said.code == 3 and "Traceback" not in said.err


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_diff_is_the_landed_commit_against_its_base_and_cleaned(here: App) -> None:
    git(here.folder, "init", "-q", "-b", "main")
    (here.folder / "a.txt").write_text("old\n")
    git(here.folder, "add", "-A")
    git(here.folder, "commit", "-qm", "Base")
    base = git(here.folder, "rev-parse", "HEAD")
    (here.folder / "a.txt").write_text("new \x1b]52;c;evil\x07words\n")
    git(here.folder, "commit", "-qam", "Work")
    commit = git(here.folder, "rev-parse", "HEAD")
    accept(here, planned("a"))
    attempt = claim(here)
    land(here, attempt)
    landed = here.store.tasks.get(attempt.task)
    with here.store.transaction():
        here.store.tasks.save(landed._replace(commit=commit), was=landed)
        here.store.attempts.add_evidence(attempt.id, Evidence(base_commit=base, commit=commit, files=("a.txt",)))

    said = orchestrate("diff", "a")

    assert said.code == 0 and "-old" in said.out and "+new words" in said.out
    assert is_harmless(said.out)
    document = json.loads(orchestrate("diff", "a", "--json").out)
    assert (document["base"], document["commit"], document["landed"]) == (base, commit, True)
    assert "a.txt" in orchestrate("diff", "a", "--stat").out
