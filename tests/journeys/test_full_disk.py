"""A night on a disk of its own that one check fills: what else there is to do is done, and why it failed is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import small_disk


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
@pytest.mark.parametrize("slowly", [False, True])
def test_a_check_that_fills_the_disk_fails_its_own_task_and_no_other(tmp_path: Path, slowly: bool) -> None:
    """Slowly: the run sees it while the check is at work, and pauses."""
    little = "head -c 9000000 /dev/zero >> big; sleep 0.2"
    fills = f"while {little}; do :; done; sleep 600" if slowly else "cat /dev/zero > big"

    inside = [*small_disk.ENTER, "sh", "-euc", NIGHT, sys.executable, str(tmp_path / "disk"), f"{fills}; false"]
    ran = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=300)

    assert ran.returncode == 0, ran.stderr
    goals = {goal["title"]: goal for goal in json.loads(ran.stdout)["goals"]}
    assert {title: goal["state"] for title, goal in goals.items()} == {"Fills": "failed", "Fits": "completed"}
    first, *_ = goals["Fills"]["tasks"][0]["attempts"]
    assert first["outcome"] == "rejected"
    assert "filled the disk each of the 2 times" in first["reason"]
    assert "came too late" not in ran.stderr
    assert (" paused: " in ran.stderr) or not slowly, ran.stderr


@pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")
def test_somebody_is_told_of_a_disk_that_an_agent_filled_to_the_last_page_and_the_run_can_be_stopped(
    tmp_path: Path,
) -> None:
    inside = [*small_disk.ENTER, "sh", "-euc", FILLED_BY_ITS_AGENT, sys.executable, str(tmp_path / "disk"), "true"]
    ran = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=300)

    assert ran.returncode == 0, ran.stderr
    (told,) = [json.loads(line) for line in (tmp_path / "notices").read_text().splitlines()]
    assert (told["kind"], told["title"]) == ("stopped", "Waiting: the disk is full")
    assert json.loads(ran.stdout)["stopped_by"] == "user"


PROJECT = r"""
mkdir "$1"
mount -t tmpfs -o size=120m none "$1"
cd "$1"
mkdir project state tmp home
cat > agent.sh <<'AGENT'
cat > /dev/null
echo done > done.txt
AGENT
export HOME="$1/home" XDG_STATE_HOME="$1/state" TMPDIR="$1/tmp" GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
export ORCHESTRATE_PROVIDER=generic ORCHESTRATE_GENERIC_COMMAND="sh $1/agent.sh" ORCHESTRATE_RETRY_SECONDS=0
cd project
git init -q -b main
git commit -q --allow-empty -m base
"""
NIGHT = f"""{PROJECT}
"$0" -P -m agent_orchestrator submit Fills --verify "$2" --max-attempts 2 --json > ../told
"$0" -P -m agent_orchestrator submit Fits --verify true --json > ../told
"$0" -P -m agent_orchestrator run --max-agents 2 --json || test $? = 6
"""
FILLED_BY_ITS_AGENT = f"""{PROJECT}
echo 'cat /dev/zero > big; exit 1' >> ../agent.sh
"$0" -P -m agent_orchestrator submit Fills --json > ../../told
export ORCHESTRATE_NOTIFY_COMMAND="cat >> $1/../notices; echo >> $1/../notices"
"$0" -P -m agent_orchestrator run --json &
run=$!
tries=0
until test -s ../../notices || test $tries = 900; do sleep 0.1; tries=$((tries + 1)); done
kill -TERM $run
code=0
wait $run || code=$?
test $code = 130
"""
