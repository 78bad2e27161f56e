"""Promises of docs/promises.md that no other test holds."""

import json
import os
import subprocess
from pathlib import Path

from agent_orchestrator.app import App
from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.clock import HandClock
from agent_orchestrator.services.tasks import RETRY_LIMIT
from calling import Caller
from looking import orchestrate
from steps import accept, claim, planned

AWKWARD = "check; then run | List<String> > out `id` && $(id) \"quoted\" 'so' 登録 é \\n 100% {} " + "long " * 2000


def test_an_agent_reads_every_character_of_its_goal(tmp_path: Path) -> None:
    call = Caller(tmp_path / "project")
    call.with_agent(tmp_path)
    (tmp_path / "agent.sh").write_text(f"cat > {tmp_path}/prompt; echo work > work.txt\n")
    call("submit", AWKWARD)

    call("run")

    assert AWKWARD.strip() in (tmp_path / "prompt").read_text()


def test_plans_and_goals_are_kept_in_the_state_folder_and_not_in_tmp(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    call = Caller(tmp_path / "project", ORCHESTRATE_PLANNER="rules", TMPDIR=str(temporary))
    plan = call("plan", "Build a REST API", "--name", "mine", "--json").json
    goal = call("submit", "x", "--json").json["goal"]["id"]

    database = Path(call("config", "--json").json["paths"]["database"])

    assert database.is_relative_to(call.environ["HOME"])
    assert list(temporary.iterdir()) == []
    assert call("plan-continue", "mine", "--json").json["plan"] == plan["plan"]
    assert call("report", goal, "--json").json["id"] == goal


def test_the_pauses_between_attempts_grow(here: App, clock: HandClock) -> None:
    accept(here, planned("a"))
    pauses = []
    for _ in range(2):
        failed = here.tasks.ended(claim(here), outcome=Outcome.REJECTED, reason="red")
        assert failed.not_before is not None
        pauses.append(failed.not_before - clock.now())
        clock.advance(RETRY_LIMIT)
        with here.store.transaction():
            here.store.tasks.release_due(now=clock.now())

    assert pauses[0] < pauses[1]


def test_looking_works_in_the_c_locale(here: App) -> None:
    accept(here, planned("a"), text="登録 form")
    folder = Path.cwd()
    environ = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    for words in ("status", "report", "task a", "events", "agents", "specialists", "plan-list", "config"):
        ran = subprocess.run(
            [*Caller(folder).argv(), *words.split()], cwd=folder, env=environ, capture_output=True, timeout=60
        )
        assert (ran.returncode, ran.stderr.decode("ascii", "replace").count("Traceback")) == (0, 0), words
        assert ran.stdout.isascii(), "what the locale cannot show becomes a question mark"


def test_a_status_for_programs_holds_what_the_one_for_people_shows(here: App) -> None:
    accept(here, planned("a"))

    document = json.loads(orchestrate("status", "--json").out)

    assert {"budget_usd", "spent_usd", "until", "goal"} <= set(document["supervisor"])
    assert document["goals"][0]["budget_usd"] is None
    assert document["goals"][0]["phases"][0]["tasks"][0]["specialist"] == "generalist"
