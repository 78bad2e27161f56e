"""A program that calls ``orchestrate`` as a tool: submit a goal, run the queue, read the report.

    cd your/project && python path/to/program.py "Add a health check endpoint" "python -m pytest -q"

Every command answers one JSON document with ``--json``; exit codes are documented in ``orchestrate --help``.
"""

import json
import subprocess
import sys
from typing import Any

DONE, PARTLY, LIMITED = 0, 6, 7
"""Exit codes of a run that ended: all done, some tasks need a person, stopped by a budget or a deadline."""


def orchestrate(verb: str, *words: str, accepted: tuple[int, ...] = (DONE,)) -> dict[str, Any]:
    """Run one command and return its answer. What it tells people goes to standard error, past us."""
    ran = subprocess.run(["orchestrate", verb, "--json", *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    answer: dict[str, Any] = json.loads(ran.stdout)
    if ran.returncode not in accepted:
        error = answer.get("error", {"message": f"exit code {ran.returncode}", "hint": ""})
        raise SystemExit(f"orchestrate {verb}: {error['message']} ({error['hint']})")
    return answer


def main(goal: str, check: str) -> int:
    submitted = orchestrate("submit", f"--verify={check}", "--max-attempts=2", "--", goal)["goal"]
    ran = orchestrate("run", f"--goal={submitted['id']}", accepted=(DONE, PARTLY, LIMITED))
    report = orchestrate("report", submitted["id"])

    print(f"{report['title']}: {report['state']}, {report['verdict'] or 'no verdict'}")
    for task in report["tasks"]:
        print(f"  {task['title']}: {task['state']}, {len(task['attempts'])} attempts")
    return int(ran["exit_code"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: program.py GOAL CHECK")
    sys.exit(main(sys.argv[1], sys.argv[2]))
