"""Run one of the operator's own shell commands to its end, whatever it does, and keep what it printed last.

A command may watch for changes for ever, read a terminal that is not there, leave a daemon behind, print a gigabyte or
kill its own shell. It therefore runs under a minder like any agent: when `run` returns, its whole process tree is gone.

The minder also watches us: a file that we hold locked while we live is its supervisor's lock, so a command does not
outlive a crash of ours by more than some seconds. `end_abandoned` makes sure of it before the next one starts.
"""

import fcntl
import os
import secrets
import select
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_orchestrator.domain.errors import OrchestratorError
from agent_orchestrator.runtime.minder import is_held
from agent_orchestrator.runtime.process import Limits, Process, Spawn
from agent_orchestrator.runtime.run_dir import State, Why, exit_record, state
from agent_orchestrator.runtime.sweeping import sweep
from agent_orchestrator.workspaces import Confined

READ_BYTES = 4 << 20
"""How much of the end of an output is read. Runners name what failed at the end."""

_OWNER = "owner"
_LOOK_S = 0.5
"""Longest time until a wish to stop is seen."""
ORPHAN_S = 5.0
"""How long a command, or a question, goes on after whoever started it was killed: nobody would read its result."""
_PATIENCE_S = 60.0
"""How long after its limits a minder may need before we stop waiting for it."""


class CommandStopped(OrchestratorError):
    """The run is being stopped, so the command was ended before it had shown anything."""

    code = "stopped"
    exit_code = 130
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    exit_code: int | None
    """Minus the signal's number if one killed the shell. None when it was ended by a limit or never started."""
    why: Why | None
    """None when even its minder vanished."""
    error: str
    """Why it could not be started; usually empty."""
    duration_ms: int
    output: str
    """The end of stdout and stderr in the order in which they were written; not cleaned."""
    whole: bool
    """False when the output was longer than `READ_BYTES`."""
    lacked_room: bool = False
    """Whether a disk that it uses was full, or nearly, while it ran. So it may have been where no record is left."""


def run(
    command: str,
    folder: Path,
    *,
    run_dirs: Path,
    environment: Mapping[str, str],
    limits: Limits,
    stop_wished: Callable[[], bool],
    confine: Callable[[tuple[str, ...]], Confined] = lambda argv: Confined(argv=argv),
    start: Callable[[Spawn], Process] = Process.start,
) -> Ended:
    """Run *command* with ``/bin/sh -c`` in *folder* and return how it ended, once all its processes are gone.

    *confine* puts it into a sandbox; *start* starts its minder.

    Raises:
        CommandStopped: *stop_wished* became true meanwhile.
        OSError: its minder could not be started.
    """
    run_dir = run_dirs / secrets.token_hex(8)
    run_dir.mkdir(mode=0o700, parents=True)
    try:
        with owned(run_dir) as owner:
            confined = confine(("/bin/sh", "-c", f"exec 2>&1\n{command}"))  # one file for both, or their order is lost
            spawn = Spawn(
                run_dir=run_dir,
                run_id=f"command-{run_dir.name}",
                argv=confined.argv,
                has_watcher=confined.has_watcher,
                cwd=folder,
                env={**environment, **confined.environment},
                limits=limits,
                supervisor_lock=owner,
                orphan_ttl_s=ORPHAN_S,
                record_patience_s=0,
                watch=folder,
            )
            with start(spawn) as process:
                _wait(process, limits, stop_wished)
            return _ended(run_dir)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def end_abandoned(run_dirs: Path) -> None:
    """End the commands of owners that died, so that no two work in one checkout; wait until they are gone."""
    if not run_dirs.is_dir():
        return
    for run_dir in run_dirs.iterdir():
        if not _is_abandoned(run_dir):
            continue
        process = Process.adopt(run_dir)
        if process is not None:
            with process:
                process.kill()
                select.select([process], [], [], _PATIENCE_S)
        elif state(run_dir) is State.VANISHED:
            sweep(run_dir)
        if state(run_dir) not in {State.STARTING, State.RUNNING}:
            shutil.rmtree(run_dir, ignore_errors=True)


@contextmanager
def owned(run_dir: Path) -> Iterator[Path]:
    """Hold a lock that says: whoever started this command is alive."""
    made = run_dir / f"{_OWNER}.new"
    fd = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield made.rename(run_dir / _OWNER)  # it is never seen unlocked while its owner lives
    finally:
        os.close(fd)


def _is_abandoned(run_dir: Path) -> bool:
    """Say whether the owner died: the file that it held locked is there, and nobody holds it."""
    owner = run_dir / _OWNER
    return owner.exists() and not is_held(owner)


def _wait(process: Process, limits: Limits, stop_wished: Callable[[], bool]) -> None:
    """Wait until the minder has ended. It keeps the limits; we only stop waiting if even that fails."""
    looks = int((limits.wall_s + limits.grace_s + _PATIENCE_S) / _LOOK_S) + 1
    try:
        for _ in range(looks):
            if select.select([process], [], [], _LOOK_S)[0]:
                return
            if stop_wished():
                raise CommandStopped("the check was stopped", hint="it is run again when the run goes on")
        process.kill()
        select.select([process], [], [], _PATIENCE_S)
    except BaseException:
        process.kill()
        select.select([process], [], [], _PATIENCE_S)
        raise


def _ended(run_dir: Path) -> Ended:
    record = exit_record(run_dir)
    if record is None and state(run_dir) is State.VANISHED:
        sweep(run_dir)
    output, whole = _tail(run_dir / "stdout.log")
    return Ended(
        exit_code=record.rc if record and record.why is Why.EXITED else None,
        why=record.why if record else None,
        error=(record.error or "") if record else "",
        duration_ms=record.duration_ms if record else 0,
        output=output,
        whole=whole,
        lacked_room=record is None or record.lacked_room,
    )


def _tail(log: Path) -> tuple[str, bool]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ_BYTES))
            return file.read(READ_BYTES).decode("utf-8", "replace"), size <= READ_BYTES
    except FileNotFoundError:
        return "", True
