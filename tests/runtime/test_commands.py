"""A command or a question comes to its end and is told of, also where the disk or its minder does not play along."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_orchestrator.providers.claude import Claude
from agent_orchestrator.runtime.asking import NoAnswer, ask
from agent_orchestrator.runtime.clis import Installed
from chaos import small_disk

on_our_disk = pytest.mark.skipif(bool(small_disk.why_not()), reason=f"no disk of our own: {small_disk.why_not()}")


@on_our_disk
def test_a_command_that_is_stopped_on_a_full_disk_does_not_keep_us_waiting_for_its_record(tmp_path: Path) -> None:
    assert on_a_disk(tmp_path, "tried('sleep 600', stop_wished=lambda: fill() or True)") == ["CommandStopped", "[]"]


@on_our_disk
def test_a_command_whose_end_a_full_disk_kept_from_being_recorded_lacked_room(tmp_path: Path) -> None:
    told = on_a_disk(tmp_path, "tried('while test -e $DISK/room; do sleep 0.1; done', stop_wished=fill)")
    assert told == ["None None True", "[]"]


def test_a_question_whose_minder_was_killed_is_not_waited_for(tmp_path: Path) -> None:
    killer = tmp_path / "claude"
    killer.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    killer.chmod(0o700)

    with pytest.raises(NoAnswer):
        ask(
            Claude(),
            Installed(path=str(killer), version="1"),
            "What is to be done?",
            {"type": "object"},
            environ={"PATH": os.environ["PATH"]},
            pass_env=(),
            model=None,
            state=tmp_path,
            timeout_s=100_000,
        )


def on_a_disk(tmp_path: Path, words: str) -> list[str]:
    """Return the lines that a script prints which runs commands on a disk of 3 MiB, and which minders it left."""
    inside = [*small_disk.ENTER, sys.executable, "-c", ON_A_DISK + words, str(tmp_path), str(Path(__file__).parents[1])]
    ran = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=240)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


ON_A_DISK = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from processes import naming
from agent_orchestrator.runtime.commands import CommandStopped, run
from agent_orchestrator.runtime.process import Limits

disk = Path(sys.argv[1], "disk")
disk.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)], check=True)
environment = {"PATH": os.environ["PATH"], "DISK": str(disk)}


(disk / "room").touch()


def fill():
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    (disk / "room").unlink(missing_ok=True)


def tried(command, stop_wished):
    given = {"run_dirs": disk / "runs", "environment": environment, "limits": Limits(), "stop_wished": stop_wished}
    try:
        ended = run(command, disk, **given)
        print(ended.exit_code, ended.why, ended.lacked_room)
    except CommandStopped as error:
        print(type(error).__name__)
    print([words for words in naming(disk / "runs").values()])


"""
