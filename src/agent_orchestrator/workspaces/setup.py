"""What makes a checkout usable, not just present."""

import os
import shutil
import subprocess
from pathlib import Path

from agent_orchestrator.domain.errors import WorkspaceProblem
from agent_orchestrator.workspaces import Setup


def make_usable(project: Path, checkout: Path, setup: Setup) -> tuple[str, ...]:
    """Copy the files that git does not carry and run the set-up command; return notes on what was done.

    Raises:
        WorkspaceProblem: the set-up command failed.
    """
    notes = []
    for name in setup.copy:
        source, target = project / name, checkout / name
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            notes.append(f"copied {name}")
    if setup.command:
        ran = subprocess.run(
            ["/bin/sh", "-c", setup.command],
            cwd=checkout,
            env={**os.environ, **setup.environment, "CI": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=setup.timeout_s,
            check=False,
        )
        if ran.returncode:
            raise WorkspaceProblem(f"the set-up command failed with exit code {ran.returncode}: {setup.command}")
        notes.append("ran the set-up command")
    return tuple(notes)
