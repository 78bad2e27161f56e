"""Six examples and three workflows as people of another orchestrator know them, typed as they stand in its README.

The lines are to the letter, but that the command is found on PATH instead of in the current folder, and that a plan
which is meant to be named later is given its name (``--name``). ``claude`` is a script that speaks as the real one.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calling import Answer, Caller, wait_for

SCRIPTED_CLAUDE = Path(__file__).parent.parent / "doubles" / "scripted_claude.py"


class Desk:
    """A person's desk: a project, ``orchestrate`` and ``claude`` on PATH."""

    def __init__(self, folder: Path) -> None:
        self.claude = folder / "claude"
        binaries = folder / "bin"
        for made in (self.claude, binaries):
            made.mkdir()
        self.caller = Caller(
            folder / "project",
            XDG_STATE_HOME=str(folder / "state"),
            PATH=f"{binaries}:{os.environ['PATH']}",
            ORCHESTRATE_VERIFY="true",
            ORCHESTRATE_RETRY_SECONDS="0",
            PAGER="cat",
        )
        commands = {
            "orchestrate": self.caller.argv(),
            "claude": [sys.executable, str(SCRIPTED_CLAUDE), str(self.claude)],
        }
        for name, argv in commands.items():
            (binaries / name).write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
            (binaries / name).chmod(0o755)
        (self.caller.folder / "README.md").write_text("A project.\n")
        self.caller.begin_repository()

    def plans(self, words: str, *tasks: dict[str, Any]) -> None:
        """Let claude plan a goal with these *words* so."""
        (self.claude / "plans.json").write_text(json.dumps({words: tasks}))

    def holds_back(self, *keys: str) -> None:
        """Let the agents of these tasks wait in the middle of their work."""
        for key in keys:
            (self.claude / f"wait-{key}").touch()

    def lets_go(self) -> None:
        for file in self.claude.glob("wait-*"):
            file.unlink()

    def types(self, line: str, *, code: int = 0) -> Answer:
        """Type a line of the README into a shell; it must end with *code*."""
        ran = subprocess.run(
            ["sh", "-c", line.replace("./orchestrate", "orchestrate")],
            cwd=self.caller.folder,
            env=self.caller.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert ran.returncode == code, (line, ran.stdout, ran.stderr)
        assert "Traceback" not in ran.stderr
        return Answer(ran.returncode, ran.stdout, ran.stderr)

    def answers(self, line: str, typed: str) -> str:
        """Type a line on a terminal, and *typed* at what it asks; return all that was shown."""
        code, shown = self.caller.in_shell(
            "sh", "-c", line.replace("./orchestrate", "orchestrate"), typed=typed.encode()
        )
        assert code == 0, shown
        return shown

    def watches(self, words: str) -> str:
        """Watch a command with the system's ``watch`` for a moment; return what it showed, or would, were it there."""
        line = words.replace("./orchestrate", "orchestrate")
        if shutil.which("watch") is None:
            return self.types(shlex.split(words)[-1]).out
        return self.caller.in_shell("sh", "-c", f"timeout 1.5 watch {line}", typed=b"")[1]

    @contextmanager
    def meanwhile(self, line: str, *, code: int = 0) -> Iterator[None]:
        """Leave a line running as in another terminal; in the end the agents are let go and it must end with *code*."""
        argv = ["sh", "-c", f"exec {line.replace('./orchestrate', 'orchestrate')}"]
        log = self.claude / "meanwhile.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv, cwd=self.caller.folder, env=self.caller.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            yield
        finally:
            self.lets_go()
            ended = process.wait(timeout=100)
        assert ended == code, log.read_text()

    def status(self) -> Any:
        return self.caller("status", "--json").json

    def works_on(self, *keys: str) -> bool:
        """Say whether exactly these tasks' agents are at work and have said so."""
        running = self.status()["running"]
        return {agent["task_key"] for agent in running if agent["doing"]} == set(keys)

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.claude / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def task(id: str, title: str, specialist: str, *needs: str) -> dict[str, Any]:
    return {
        "id": id, "title": title, "description": f"{title}.", "agent_type": specialist, "depends_on": list(needs),
        "tier": "standard", "size": "M", "owns": [], "acceptance": [f"{title} is there"], "verify": None,
        "expects_change": True,
    }  # fmt: skip


def rows(shown: str, word: str) -> list[str]:
    return [" ".join(line.split()) for line in shown.splitlines() if word in line]


def test_example_1_a_web_application_is_planned_approved_and_looked_at_the_next_morning(desk: Desk) -> None:
    desk.plans(
        "task management app",
        task("schema", "Database schema design", "specifications-engineer"),
        task("backend", "FastAPI backend setup", "backend-systems-engineer"),
        task("frontend", "React frontend components", "frontend-ui-engineer"),
        task("tests", "Integration tests", "qa-test-engineer", "frontend"),
        task("docs", "Documentation", "documentation-writer", "tests"),
    )
    desk.holds_back("frontend")

    shown = desk.answers(
        './orchestrate plan "Build a task management app with React frontend and FastAPI backend"', "p\ny\n"
    )
    assert "Queue this plan? [y/N]" in shown and "phase 3" in shown

    with desk.meanwhile("./orchestrate run --max-agents 3"):
        wait_for(lambda: desk.status()["counts"]["done"] == 2 and desk.works_on("frontend"))
        shown = desk.types("./orchestrate status").out
        done = " ".join(rows(shown, "Completed"))
        assert "Database schema design (specifications-engineer)" in done
        assert "FastAPI backend setup (backend-systems-engineer)" in done
        (progress,) = rows(shown, "In Progress")
        assert "React frontend components (frontend-ui-engineer)" in progress
        assert [row.split()[3] for row in rows(shown, "Pending")][:2] == ["tests", "docs"]

    assert "completed, verified" in desk.types("./orchestrate status").out
    assert (desk.caller.folder / "docs.md").exists()


def test_example_2_a_data_pipeline_is_split_among_specialists_and_its_code_is_there_in_the_morning(desk: Desk) -> None:
    desk.plans(
        "ETL pipeline",
        task("design", "Design data model and governance policies", "data-architect-governance"),
        task("spark", "Build Apache Spark job for transformation", "data-pipeline-engineer", "design"),
        task("events", "Set up S3 events and Lambda triggers", "aws-cloud-architect", "design"),
        task("dag", "Create Airflow DAG for orchestration", "data-pipeline-engineer", "spark", "events"),
        task("quality", "Build data quality validation checks", "data-science-analyst", "spark"),
    )
    (desk.claude / "files.json").write_text(json.dumps({"spark": {"pipelines/sales_etl.py": "print('etl')\n"}}))

    queued = desk.types(
        './orchestrate submit "Create an ETL pipeline to process daily sales data from S3 to Snowflake" --decompose'
    )
    assert queued.out.count("data-pipeline-engineer") == 2
    for specialist in ("data-architect-governance", "aws-cloud-architect", "data-science-analyst"):
        assert queued.out.count(specialist) == 1

    desk.types("./orchestrate run --max-agents 5")

    assert "completed, verified" in desk.types("./orchestrate status").out
    assert "sales_etl.py" in desk.types("ls -la pipelines/").out
    assert desk.types("cat pipelines/sales_etl.py").out == "print('etl')\n"


def test_example_3_a_named_plan_is_executed_and_its_agents_are_watched(desk: Desk) -> None:
    desk.plans(
        "churn prediction",
        task("features", "Designing feature engineering pipeline", "ml-systems-architect"),
        task("churn-model-training", "Performing EDA and statistical analysis", "data-science-analyst"),
        task("serving", "Building model serving API", "backend-systems-engineer"),
    )
    desk.holds_back("features", "churn-model-training", "serving")

    shown = desk.answers('./orchestrate plan "Build a customer churn prediction system" --name ml-project-001', "q\n")
    assert "orchestrate execute-plan ml-project-001" in shown

    with desk.meanwhile("./orchestrate execute-plan ml-project-001"):
        wait_for(lambda: desk.works_on("features", "churn-model-training", "serving"))
        assert "running" in desk.types("./orchestrate task churn-model-training").out
        agents = desk.types("./orchestrate agents  # See which specialists are active").out
        for specialist in ("ml-systems-architect", "data-science-analyst", "backend-systems-engineer"):
            assert specialist in agents
        assert "I work on serving." in agents

    assert "done, verified" in desk.types("./orchestrate task churn-model-training").out
    assert desk.types("./orchestrate agents").out.strip() == "no agent is at work"


def test_example_4_microservices_are_built_in_the_order_that_their_dependencies_ask_for(desk: Desk) -> None:
    desk.caller.environ["ORCHESTRATE_PLANNER"] = "rules"
    desk.types(
        './orchestrate submit "Convert monolithic app to microservices with user, order, and payment services" -d'
    )
    assert "1 ready" in desk.watches("-n 10 './orchestrate status'")

    desk.types("./orchestrate run")

    ended: set[str] = set()
    keys = {one["id"]: one for one in desk.caller("report", "last", "--json").json["tasks"]}
    assert len({one["phase"] for one in keys.values()}) == 4
    for line in desk.caller("events", "-n", "1000", "--json").out.splitlines():
        event = json.loads(line)
        if event["type"] == "task.claimed":
            assert set(keys[event["task"]]["depends_on"]) <= ended
        if event["type"] == "task.done":
            ended.add(keys[event["task"]]["key"])
    assert len(ended) == len(keys) == 6


def test_example_5_a_small_feature_goes_to_the_specialist_that_is_named(desk: Desk) -> None:
    desk.types(
        './orchestrate submit "Add OAuth2 authentication to existing Flask app" '
        "--agent backend-systems-engineer --priority high"
    )

    desk.types("./orchestrate run --max-agents 1")

    (call,) = desk.calls()
    assert "Add OAuth2 authentication to existing Flask app" in call["prompt"]
    assert desk.caller("report", "last", "--json").json["tasks"][0]["specialist"] == "backend-systems-engineer"
    assert "server side" in call["role"]
    assert {"-p", "--dangerously-skip-permissions"} <= set(call["argv"])


def test_example_6_a_weekend_begins_with_an_approved_plan_and_ends_with_its_diff(desk: Desk) -> None:
    desk.plans(
        "admin dashboard",
        task("users", "User management", "frontend-ui-engineer"),
        task("analytics", "Analytics", "data-science-analyst"),
        task("reporting", "Reporting", "backend-systems-engineer", "users", "analytics"),
    )
    desk.holds_back("users", "analytics")
    desk.answers(
        "./orchestrate plan "
        '"Implement complete admin dashboard with user management, analytics, and reporting" --name dashboard-project',
        "p\nn\nq\n",
    )

    with desk.meanwhile("./orchestrate execute-plan dashboard-project"):
        wait_for(lambda: desk.works_on("users", "analytics"))
        again = desk.types("./orchestrate run --max-agents 8", code=5)
        assert "now runs up to 8 agents" in again.err
        assert desk.status()["supervisor"]["max_agents"] == 8

    assert "completed, verified" in desk.types("./orchestrate status").out
    assert desk.types("git diff").out == "", "results are committed, not left lying about"
    assert desk.types("git diff --stat HEAD~3").out.count("|") == 3, "one commit for each task"


def test_the_daily_workflow_shows_the_night_and_goes_on(desk: Desk) -> None:
    desk.types('./orchestrate submit "Write the notes"')
    desk.types("./orchestrate run")

    assert "completed, verified" in desk.types("./orchestrate status").out
    desk.types("./orchestrate agents")
    assert "write-the-notes.md" in desk.types("git diff HEAD~1").out
    desk.types('./orchestrate submit "Fix bugs found in overnight testing" --priority high')
    assert "completed (verified)" in desk.types("./orchestrate run").out


def test_the_sprint_workflow_finds_what_is_in_progress_by_searching_for_it(desk: Desk) -> None:
    desk.plans(
        "Sprint 23 goals",
        task("api", "API v2", "backend-systems-engineer"),
        task("ui", "Mobile responsive UI", "frontend-ui-engineer"),
        task("speed", "Performance optimization", "backend-systems-engineer", "api"),
    )
    desk.holds_back("api", "ui")
    desk.answers(
        './orchestrate plan "Sprint 23 goals: API v2, mobile responsive UI, performance optimization"', "p\ny\n"
    )

    with desk.meanwhile("./orchestrate run"):
        wait_for(lambda: desk.works_on("api", "ui"))
        standup = desk.types('./orchestrate status | grep "In Progress"').out
        assert len(standup.splitlines()) == 2
        assert "API v2 (backend-systems-engineer)" in standup and "Mobile responsive UI" in standup


def test_the_hotfix_workflow_goes_before_everything_and_is_watched_by_a_name_of_ones_own(desk: Desk) -> None:
    desk.types('./orchestrate submit "Tidy the imports"')
    desk.types(
        './orchestrate submit "URGENT: Fix memory leak in payment processing service" '
        "  --agent backend-systems-engineer   --priority high"
    )
    assert "ready" in desk.types("./orchestrate task payment-leak-fix").out

    desk.types("./orchestrate run --max-agents 1")

    claimed = [json.loads(line) for line in desk.caller("events", "--type", "task.claimed", "--json").out.splitlines()]
    assert [one["data"]["title"].split()[0] for one in claimed] == ["URGENT:", "Tidy"]
    assert "done, verified" in desk.watches("'./orchestrate task payment-leak-fix'")
