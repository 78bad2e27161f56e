"""The command by which an agent calls ``orchestrate``: for its own project, from wherever it stands.

An agent works in a checkout, perhaps with our command not on its PATH and with
the imports of the project it works on. So it is given a script of two lines
that names our own Python, which ignores PYTHONPATH, and the project. It is not
put on the PATH, where it would hide a command of the same name that a project
may have.
"""

import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path


def write_launcher(state: Path, folder: Path, environ: Mapping[str, str]) -> Path:
    """Write the script into *state* for the project in *folder*, if it is not there as it should be; return it."""
    variables = {"ORCHESTRATE_PROJECT": str(folder)}
    for name in ("ORCHESTRATE_DB", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):  # where the supervisor looked
        if environ.get(name):
            variables[name] = environ[name]
    words = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    content = f'#!/bin/sh\n{words} exec {shlex.quote(sys.executable)} -E -P -m agent_orchestrator "$@"\n'
    script = state / "agent-orchestrate"
    if not (script.is_file() and script.read_bytes() == os.fsencode(content)):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = script.with_name(f".{script.name}.{secrets.token_hex(4)}")
        unfinished.write_bytes(os.fsencode(content))
        unfinished.chmod(0o700)
        unfinished.replace(script)
    return script
