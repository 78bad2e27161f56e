"""A disk of our own that can be full: a file system in memory, in name spaces of the kernel's that need no privilege.

Its size is changed while it is used, so that it is full within a moment and costs no more memory than what is on it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

INSIDE = "CHAOS_IN_NAME_SPACES"
ENTER = ("unshare", "--user", "--map-root-user", "--mount")
ROOMY_BYTES = 4 << 30
"""No storm needs so much, and what is not used is not taken."""
PAGE_BYTES = 4096


def why_not() -> str:
    """Return why there can be no disk of our own here; nothing when there can."""
    if shutil.which(ENTER[0]) is None:
        return "there is no unshare"
    tried = ("mount -t tmpfs -o size=1m none /tmp && mount -o remount,size=2m /tmp",)
    ran = subprocess.run([*ENTER, "sh", "-c", *tried], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    said = ran.stderr.decode(errors="replace").strip().splitlines()
    return "" if ran.returncode == 0 else (said or ["name spaces are not allowed here"])[-1]


def is_inside() -> bool:
    """Say whether this process may mount."""
    return INSIDE in os.environ


def enter(words: Sequence[str]) -> None:
    """Become `python -m tests.chaos` with *words*, in name spaces of its own. Does not return."""
    os.environ[INSIDE] = "1"
    os.execvp(ENTER[0], [*ENTER, sys.executable, "-m", "tests.chaos", *words])


class SmallDisk:
    """A mounted file system, with room."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.is_full = False
        place.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", f"size={ROOMY_BYTES},mode=0755", "none", str(place))

    def fill(self, *, leave_bytes: int) -> None:
        """Take away all room but *leave_bytes*; with 0 there is not a page left."""
        self.is_full = True
        filler = self.place / "filler"
        for _ in range(100):
            used = self._used() + leave_bytes + PAGE_BYTES
            if _mount("-o", f"remount,size={used}", str(self.place), check=False):
                break  # else something was written meanwhile
        if not leave_bytes:
            with filler.open("ab", buffering=0) as file:
                try:
                    while file.write(bytes(PAGE_BYTES)) == PAGE_BYTES:
                        pass
                except OSError:
                    return

    def free(self) -> None:
        """Give the room back."""
        (self.place / "filler").unlink(missing_ok=True)
        _mount("-o", f"remount,size={ROOMY_BYTES}", str(self.place))
        self.is_full = False

    def close(self) -> None:
        """Let go of it; it is gone with the name space at the latest."""
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True, check=False)

    def _used(self) -> int:
        told = os.statvfs(self.place)
        return (told.f_blocks - told.f_bfree) * told.f_frsize


def _mount(*words: str, check: bool = True) -> bool:
    ran = subprocess.run(["mount", *words], capture_output=True, stdin=subprocess.DEVNULL, check=check)
    return ran.returncode == 0
