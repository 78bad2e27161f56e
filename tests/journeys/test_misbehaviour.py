"""Agents that lie, break, hang and leave things behind: none is called done, none takes the run along."""

import sys

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission
from calling import Caller

from .conftest import Begin, job
from .test_crashes import marks, minders, until

WRITE = "write a.txt <<EOF\na\nEOF"


def one_attempt(project: Caller, script: str, *options: str) -> dict[str, object]:
    project("submit", job("job", script), "--max-attempts", "1", *options)
    ran = project("run", "--json")
    task = ran.json["goals"][0]["tasks"][0]
    attempt: dict[str, object] = task["attempts"][0]
    return {**attempt, "state": task["state"], "code": ran.code}


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("say All done, tests pass.", "no_evidence"),
        ("say Done.\nexit 0", "no_evidence"),
        ("garbage", "no_evidence"),
        (f"{WRITE}\nexit 3", "failed"),
        (f"{WRITE}\ncrash", "failed"),
        ("crash", "failed"),
    ],
)
def test_an_agent_that_did_not_do_it_is_never_done(begin: Begin, script: str, outcome: str) -> None:
    project = begin()

    ended = one_attempt(project, script)

    assert (ended["state"], ended["code"]) == ("failed", 6)
    assert ended["outcome"] == outcome or (outcome == "failed" and ended["outcome"] == "lost"), ended["reason"]
    assert not (project.folder / "a.txt").exists()


@pytest.mark.parametrize("noise", ["garbage", "flood 5", "longline 5"])
def test_whatever_an_agent_prints_its_work_is_judged_by_itself(begin: Begin, noise: str) -> None:
    project = begin()

    ended = one_attempt(project, f"{noise}\n{WRITE}")

    assert (ended["state"], ended["code"]) == ("done", 0), ended["reason"]


@pytest.mark.parametrize("left", ["daemon", "daemon_clean_env", "child_ignore_term"])
def test_what_an_agent_leaves_running_is_ended(begin: Begin, left: str) -> None:
    project = begin()

    ended = one_attempt(project, f"{left}\n{WRITE}")

    assert ended["state"] == "done", ended["reason"]
    until(lambda: not marks(project) and not minders(project), "every process of ours has ended")


def test_an_agent_that_eats_the_memory_is_ended_and_what_it_wrote_is_kept(begin: Begin) -> None:
    project = begin()
    project.environ["ORCHESTRATE_MEMORY_MB"] = "150"
    eat = f"""sh {sys.executable} -c "import time; kept = bytearray(400_000_000); time.sleep(50)" """

    ended = one_attempt(project, f"{WRITE}\n{eat}")

    assert (ended["state"], ended["outcome"]) == ("failed", "failed")
    assert ended["reason"] == "it used more memory than an attempt may"
    assert project.git("show", f"{ended['branch']}:a.txt") == "a"


def test_an_agent_that_breaks_its_checkout_loses_no_work(begin: Begin) -> None:
    project = begin()

    ended = one_attempt(project, f"{WRITE}\nsh rm -rf .git")

    assert ended["state"] == "done", ended["reason"]
    assert (project.folder / "a.txt").read_text() == "a\n"


def test_a_limit_holds_the_provider_costs_nothing_and_is_waited_out(begin: Begin) -> None:
    project = begin()
    script = "limit You've hit your usage limit. Try again in 1 hours 5 minutes."
    project("submit", job("held", script), "--max-attempts", "1")

    ran = project("run", "--no-wait", "--json")

    assert ran.code == 7
    task = project("task", "held", "--json").json
    assert (task["state"], task["attempts_used"], task["attempts"][0]["outcome"]) == ("ready", 0, "limited")
    hold = project("status", "--json").json["holds"][0]
    assert (hold["provider"], hold["stated"]) == ("generic", True)


def test_a_task_that_had_to_give_way_lands_before_others_that_change_the_same_files(begin: Begin) -> None:
    project = begin(**{"f.txt": "base\n"})
    app = build(project.folder, environ=project.environ)
    landed = f"while ! git -C {project.folder} log --all | grep -q 'Task: .*first'; do sleep 0.1; done"
    asked = (
        f"XDG_STATE_HOME={project.environ['XDG_STATE_HOME']} {sys.executable} -m agent_orchestrator task third --json"
    )
    handed_in = f'cd {project.folder}; until {asked} | grep -q \'"state": "verifying"\'; do sleep 0.1; done'
    again = project.folder.parent / "again"
    first = "write f.txt first"
    # It conflicts with the first and is done again. Meanwhile the third is through, and must not land now.
    second = (
        f"unless_prompt_contains conflicts: sh {landed}\n"
        f"if_prompt_contains conflicts: sh touch {again}; {handed_in}\n"
        "append f.txt second"
    )
    third = f"unless_prompt_contains conflicts: wait_for {again} 60\nappend f.txt third"
    scripts = {"first": first, "second": second, "third": third}
    tasks = [
        PlannedTask(id=name, title=name, description=job(name, script), agent_type="generalist")
        for name, script in scripts.items()
    ]
    app.goals.accept(Plan(goal="Three of one file", source="file", tasks=tuple(tasks)), Submission(text="Three"))
    app.store.close()

    ran = project("run", "--max-agents", "3", timeout_s=200)

    assert ran.code == 0, ran.err
    ended = {name: project("task", name, "--json").json["attempts"] for name in scripts}
    outcomes = {name: [one["outcome"] for one in attempts] for name, attempts in ended.items()}
    assert outcomes == {
        "first": ["succeeded"],
        "second": ["conflict", "succeeded"],
        "third": ["conflict", "succeeded"],
    }
    assert "waits to land" in ran.err
    assert (project.folder / "f.txt").read_text() == "first\nsecond\nthird\n"


def test_work_that_conflicts_with_what_landed_is_done_again_on_top_of_it(begin: Begin) -> None:
    project = begin(**{"f.txt": "base\n"})
    app = build(project.folder, environ=project.environ)
    tasks = []
    for side in ("left", "right"):
        script = (
            f"if_prompt_contains conflicts: write f.txt left and right\n"
            f"unless_prompt_contains conflicts: write f.txt {side}"
        )
        tasks.append(PlannedTask(id=side, title=side, description=job(side, script), agent_type="generalist"))
    app.goals.accept(Plan(goal="Both sides", source="file", tasks=tuple(tasks)), Submission(text="Both sides"))
    app.store.close()

    assert project("run", "--max-agents", "2").code == 0

    ended = [project("task", side, "--json").json["attempts"] for side in ("left", "right")]
    assert sorted([one["outcome"] for one in attempts] for attempts in ended) == [
        ["conflict", "succeeded"],
        ["succeeded"],
    ]
    assert (project.folder / "f.txt").read_text() == "left and right\n"
    notes = [note for attempts in ended for one in attempts if one["evidence"] for note in one["evidence"]["notes"]]
    assert len(notes) == 2 and all("after the conflict, lines of" in note for note in notes), notes
