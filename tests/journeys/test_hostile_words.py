"""Goals, agents and folders that try to make us run, show, read or write what we should not."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

from journeys.conftest import Begin, job

SHELL = (
    *("$(touch {c})", "`touch {c}`", "; touch {c}", "\ntouch {c}\n", "| touch {c} #", "&& touch {c}"),
    *("--upload-pack=touch {c}", "-oProxyCommand=touch {c}", "'; touch {c}; '", '"; touch {c}; "'),
    *("../../{c}", "%s%n{{}}", "--help", "@file"),
)
SQL = (
    *("'; DROP TABLE tasks; --", "' OR '1'='1", '" OR 1=1 --', "NEAR(a b)", '"*'),
    "%' AND 1=0 UNION SELECT * FROM goals --",
)
STEERING = (
    "\x1b[2J\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b]8;;http://evil\x1b\\x\x9b31m"
    "\u202eetanimod\u2066\u2028\x85\x08\x0c"
)
OWN_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


def test_the_words_of_a_goal_are_never_run_and_never_part_of_a_query(begin: Begin, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    caller = begin()
    words = [one.format(c=canary) for one in (*SHELL, *SQL)]

    answers = [caller("submit", f"--context=x {one}", "--", f"Do {one} well") for one in words]
    looked = [caller("task", "--", one).code for one in words]
    status = caller("status", "--json")

    assert [answer.err for answer in answers if answer.code != 0] == []
    assert set(looked) <= {0, 2, 4}, "found, nothing meant, or not found"
    assert status.code == 0 and len(status.json["goals"]) == len(words)
    assert not canary.exists()


def test_an_attempt_with_a_hostile_goal_runs_nothing_of_it_and_leaves_nothing_that_others_may_read(
    begin: Begin, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    caller = begin(**{"steer.py": f"print({STEERING!a})\n"})
    title = " ".join(one.format(c=canary).strip() for one in SHELL)
    script = f"""
    sh python3 steer.py; python3 steer.py >&2; python3 steer.py > a.txt; cp a.txt "$(cat a.txt | tr -d '/')"
    commit $(touch {canary}) `touch {canary}`
    """
    old = os.umask(0o022)  # what a login shell usually has
    try:
        submitted = caller("submit", "--verify", "cat a.txt", "--", f"{title}\n{job('hostile', script)}")
        ran = caller("run", timeout_s=120)
    finally:
        os.umask(old)

    assert submitted.code == 0 and ran.code == 0, submitted.err + ran.err
    assert not canary.exists()
    state = tmp_path / "state" / "orchestrate"
    readable = [
        path
        for path in state.rglob("*")
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077 and not _shielded(path, state)
    ]
    assert readable == []
    environ = {**caller.environ, "TERM": "xterm-256color", "FORCE_COLOR": "1"}
    for words in (
        ["status"],
        ["report"],
        ["events"],
        ["logs", "tou"],
        ["task", "tou"],
        ["diff", "tou"],
        ["plan-list"],
        ["agents"],
    ):
        shown = subprocess.run(caller.argv(*words), cwd=caller.folder, env=environ, capture_output=True, timeout=120)
        left = OWN_COLOURS.sub(b"", shown.stdout + shown.stderr).decode()
        assert ("etanimod" in left) or words[0] not in {"logs", "diff"}, "what it said is shown, cleaned"
        assert all(one == "\n" or one == "\t" or one.isprintable() for one in left), (words, left)


def _shielded(path: Path, top: Path) -> bool:
    """Say whether a folder above *path*, below or at *top*, keeps everybody else out."""
    return any(stat.S_IMODE(one.stat().st_mode) & 0o077 == 0 for one in path.parents if one.is_relative_to(top))


def test_nothing_is_loaded_from_the_folder_that_a_command_is_called_in(begin: Begin, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = f"open({str(canary)!r}, 'w').close()\n"
    names = ("json.py", "sitecustomize.py", "usercustomize.py", "click.py", "agent_orchestrator.py", "_vendor.pth")
    caller = begin(
        **dict.fromkeys(names, evil), **{".env": "ORCHESTRATE_DB=/nowhere/x.db\nORCHESTRATE_PLANNER=claude\n"}
    )
    caller("submit", job("work", "write a.txt a\ncommit Work"), "--verify", "test -f a.txt")

    ran = caller("run", timeout_s=120)

    assert ran.code == 0, ran.err
    assert not canary.exists()
    assert caller("config", "planner").out.strip() == "auto"
    assert sys.path[0] != str(caller.folder)
