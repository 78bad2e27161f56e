"""benchmarks/plans.py finds what is right and what is wrong about plans: on small sets of our own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pages import CHECKOUT

GOAL: dict[str, Any] = {
    "goal": "- Add a table of orders to the database\n- Add an endpoint that lists orders\n- Add a page of orders",
    "kind": "multi",
    "size": {"min": 3, "max": 5},
    "aspects": [
        {"id": "table", "any": "table of", "agents": ["data-architect-governance", "backend-systems-engineer"]},
        {"id": "list", "any": "endpoint", "agents": ["backend-systems-engineer"]},
        {"id": "page", "any": "page of", "agents": ["frontend-ui-engineer"]},
    ],
    "order": [["table", "list"], ["list", "page"]],
    "parallel": [],
    "specialists": {"required": ["frontend-ui-engineer"], "forbidden": []},
}
TITLE = {"title": "Make the navbar responsive", "body": "", "gold": "frontend-ui-engineer", "accept": []}
GRAPH = {
    "tasks": [
        {"id": "a", "depends_on": [], "size": "S", "priority": 1, "dur": 5},
        {"id": "b", "depends_on": [], "size": "M", "priority": 1, "dur": 15},
        {"id": "c", "depends_on": ["b"], "size": "L", "priority": 1, "dur": 40},
    ],
    "conflicts": [["a", "b"]],
}


def scored(folder: Path, **sets: object) -> tuple[int, dict[str, float], str]:
    """Return exit code, figures by name and what was printed."""
    words = []
    for name, content in sets.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(content))
        words += [f"--{name}", str(file)]
    ran = subprocess.run(
        [sys.executable, str(CHECKOUT / "benchmarks" / "plans.py"), *words, "--markdown"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    rows = [line.split(" | ") for line in ran.stdout.splitlines()[2:]]
    return ran.returncode, {row[1]: float(row[2]) for row in rows}, ran.stdout + ran.stderr


def test_a_plan_that_has_what_the_goal_needs_meets_every_bar(tmp_path: Path) -> None:
    code, figures, shown = scored(tmp_path, goals=[GOAL])

    assert code == 0, shown
    assert figures["composite"] > 0.95 and figures["order, of all pairs"] == 1.0


def test_a_plan_that_lacks_what_was_asked_or_turns_it_round_misses_its_bars(tmp_path: Path) -> None:
    lacking = {**GOAL, "aspects": [{**one, "any": "no such words"} for one in GOAL["aspects"]]}
    turned = {**GOAL, "order": [["page", "table"], ["list", "table"]]}

    assert scored(tmp_path, goals=[lacking])[0] == 1
    code, figures, _ = scored(tmp_path, goals=[turned])
    assert (code, figures["order, of all pairs"]) == (1, 0.0)


def test_titles_are_right_when_anyone_who_would_do_gets_them(tmp_path: Path) -> None:
    right = {**TITLE, "accept": ["frontend-ui-engineer"]}
    wrong = {**TITLE, "gold": "llm-architect", "accept": ["llm-architect"]}

    assert scored(tmp_path, titles=[right, right])[1]["lenient"] == 1.0
    assert scored(tmp_path, titles=[right, wrong])[1]["lenient"] == 0.5
    assert scored(tmp_path, titles=[wrong, wrong])[0] == 1, "the confident half is wrong"


def test_a_graph_is_played_in_the_order_of_the_queue_and_conflicts_never_meet(tmp_path: Path) -> None:
    code, figures, shown = scored(tmp_path, graphs=[GRAPH])

    assert code == 0, shown
    assert figures["makespan by the lower bound, geometric mean"] == 1.0, "b and c, 55 minutes; a waits for b"
    assert figures["makespan by the best found, worst"] == 1.0
