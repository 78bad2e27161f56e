"""Secrets that agents and checks print: after a run they are nowhere."""

from pathlib import Path

from journeys.conftest import Begin, job

CANARIES = {f"CANARY_{number}_API_KEY": f"canary-{number:02}-" + f"{number:02}x" * 8 for number in range(30)}
SHAPED = "ghp_" + "Zz9" * 12


def test_thirty_keys_that_an_agent_and_its_check_print_are_found_nowhere(begin: Begin, tmp_path: Path) -> None:
    caller = begin(**{"test.sh": "env | grep CANARY; echo checked; test -f done.txt\n"})
    caller.environ |= CANARIES | {"ORCHESTRATE_PASS_ENV": "SCRIPTED_*,CANARY_*", "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    script = """
    sh env | grep CANARY
    sh env | grep CANARY >&2; env | grep CANARY | base64 -w0
    sh echo "ghp_$(printf Zz9%.0s 1 2 3 4 5 6 7 8 9 10 11 12)"
    sh "$ORCHESTRATE_CLI" context put --discovery "I found $(env | grep CANARY | sort | head -c 3000)"
    if_prompt_contains "last attempt": write done.txt done
    unless_prompt_contains "last attempt": write other.txt not yet
    commit Print all
    """
    submitted = caller("submit", job("work", script), "--verify", "sh test.sh", "--max-attempts", "2")
    assert submitted.code == 0, submitted.err
    ran = caller("run", timeout_s=300)
    shown = [caller(*words) for words in (["report"], ["report", "--json"], ["status", "--json"], ["events", "--json"])]
    shown += [caller(*words) for words in (["logs", "work"], ["logs", "work", "--json"], ["task", "work", "--json"])]
    shown_task = caller("task", "work")

    assert ran.code in {0, 6}
    secrets = [*CANARIES.values(), SHAPED]
    assert not [one for answer in (*shown, shown_task) for one in secrets if one in answer.out + answer.err + ran.err]
    assert "checked" in shown_task.out, "the check was run, and its output kept"
    left = [path for top in (tmp_path / "state", tmp_path / "tmp") for path in top.rglob("*") if path.is_file()]
    found = {path for path in left for one in secrets if one.encode() in path.read_bytes()}
    assert found == set()
    assert any(path.name == "stdout.log" and b"****" in path.read_bytes() for path in left)
    assert any(path.name.startswith("tasks.db") for path in left)
