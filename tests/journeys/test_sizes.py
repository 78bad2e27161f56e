"""Much of everything: 200 tasks in one goal, 20 agents at once, a prompt and a result of a megabyte."""

from pathlib import Path

import pytest

from agent_orchestrator.app import build
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.services.goals import Submission

from .conftest import Begin

pytestmark = pytest.mark.timeout(300)

AGENTS, LAYERS = 20, 10
MEGABYTE = 1_000_000
SHOWN = 20_000
"""Characters that a summary, a commit message and a look at the queue stay below."""

IN_ORDER = """
prompt=$(cat)
of() { printf '%s\\n' "$prompt" | sed -n "s/^$1: //p"; }
for needed in $(of needs); do test -e "$needed" || exit 1; done
touch "$MEETING/$(of makes)"
if test "$(of needs)" = ""; then  # the first layer: nobody goes before all have come
    tries=0
    until test "$(ls "$MEETING" | wc -l)" -ge 20; do
        tries=$((tries + 1)); test $tries -le 500 || exit 1
        sleep 0.1
    done
fi
echo done > "$(of makes)"
"""


def test_200_tasks_run_in_their_order_20_at_once_and_land_each_as_a_commit(begin: Begin, tmp_path: Path) -> None:
    project = begin()
    (tmp_path / "meeting").mkdir()
    (tmp_path / "agent.sh").write_text(IN_ORDER)
    project.environ |= {
        "ORCHESTRATE_GENERIC_COMMAND": f"sh {tmp_path}/agent.sh",
        "ORCHESTRATE_PASS_ENV": "MEETING",
        "MEETING": str(tmp_path / "meeting"),
    }
    tasks = tuple(_task(layer, number) for layer in range(LAYERS) for number in range(AGENTS))
    app = build(project.folder, environ=project.environ)
    goal, _ = app.goals.accept(Plan(goal="Many", source="file", tasks=tasks), Submission(text="Many"))
    app.store.close()

    ran = project("run", "--max-agents", str(AGENTS), "--json", timeout_s=300)

    assert ran.code == 0, ran.err[-2000:]
    assert len(list(project.folder.glob("t*.txt"))) == len(tasks)
    assert len(project.git("log", "--format=%h", "--grep=^Attempt:").splitlines()) == len(tasks)
    attempts = [len(task["attempts"]) for task in ran.json["goals"][0]["tasks"]]
    assert attempts == [1] * len(tasks), "none had to be tried again"
    kept = list(Path(project("config", "--json").json["paths"]["state"]).glob("checkouts/*"))
    assert kept == [], "checkouts do not pile up"
    assert project("status", "--json").json["goals"][0]["id"] == goal.id


def _task(layer: int, number: int) -> PlannedTask:
    """Return a task that needs two of the layer before."""
    needs = [f"t{layer - 1}-{(number + step) % AGENTS}" for step in (0, 7)] if layer else []
    files = " ".join(f"{one}.txt" for one in needs)
    return PlannedTask(
        id=f"t{layer}-{number}",
        title=f"Make {layer}-{number}",
        description=f"needs: {files}\nmakes: t{layer}-{number}.txt",
        agent_type="generalist",
        depends_on=tuple(needs),
    )


def test_a_prompt_of_a_megabyte_reaches_the_agent_whole_and_its_long_answer_does_no_harm(
    begin: Begin, tmp_path: Path
) -> None:
    project = begin()
    (tmp_path / "agent.sh").write_text(
        "cat > prompt.txt\n"
        "echo 'the answer begins'\n"
        f"head -c {MEGABYTE} /dev/zero | tr '\\0' x\n"
        "echo\necho 'the answer ends'\n"
    )
    project.environ["ORCHESTRATE_GENERIC_COMMAND"] = f"sh {tmp_path}/agent.sh"
    wanted = "begin " + "word " * (MEGABYTE // 5) + "end-of-task"
    task = PlannedTask(id="t", title="Much", description=wanted, agent_type="generalist")
    app = build(project.folder, environ=project.environ)
    app.goals.accept(Plan(goal="Much", source="file", tasks=(task,)), Submission(text="Much"))
    app.store.close()

    ran = project("run", "--json")

    assert ran.code == 0, ran.err[-2000:]
    assert wanted in (project.folder / "prompt.txt").read_text()
    done = ran.json["goals"][0]["tasks"][0]
    assert "the answer ends" in done["summary"]
    assert len(done["summary"]) < SHOWN
    assert len(project.git("log", "-1", "--format=%B")) < SHOWN
    for look in (("status",), ("report",), ("task", done["id"]), ("logs", done["id"])):
        said = project(*look)
        assert said.code == 0, said.err
    assert len(project("status").out) < SHOWN


def test_a_goal_of_a_megabyte_is_refused_with_what_to_do(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "goal.txt").write_text("word " * (MEGABYTE // 5))

    said = begin()("submit", f"@{tmp_path}/goal.txt")

    assert said.code == 2
    assert "a goal may have" in said.err and "name that file" in said.err
    assert len(said.err.strip().splitlines()) <= 2
