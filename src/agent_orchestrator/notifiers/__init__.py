"""How "look now" travels. A hint, never the truth: lose one and a poll still finds the work."""

from typing import Protocol


class Notifier(Protocol):
    """Wakes the supervisor of one project."""

    def wake(self) -> None:
        """Ask whoever listens to look now. Never blocks, never fails; nobody may be listening."""
        ...

    def listen(self) -> int | None:
        """Start listening; return a file descriptor that becomes readable on a wake, or None where there is none."""
        ...

    def drain(self) -> None:
        """Forget the wakes received so far."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...
