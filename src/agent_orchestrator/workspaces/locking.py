"""Waiting for a lock of the kernel's, which is gone with the process that holds it."""

import fcntl
import time

PAUSE_S = 0.02


def take(lock: int, within_s: float) -> bool:
    """Take the exclusive lock on the open file *lock*, trying again for *within_s* seconds; say whether it was had.

    Raises:
        OSError: this file system has no such locks.
    """
    patience = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > patience:
                return False
            time.sleep(PAUSE_S)
        else:
            return True
