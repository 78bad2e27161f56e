"""Ctrl-C in a view that stays: it ends the view between two steps, never in the midst of one."""

import signal
import time
from types import FrameType, TracebackType
from typing import Self


class CtrlC:
    """A block that Ctrl-C ends well, at its next ``check()`` or ``sleep()``.

    Python raises KeyboardInterrupt wherever it happens to be. While a module is imported or a class is made that turns
    into another error, or kills the process after it has ended well; in a finalizer it is lost. So the first Ctrl-C is
    only noted; the second, for a step that hangs, is raised where it comes. Where it is ignored, as in the background
    of a shell, it stays so.
    """

    def __init__(self) -> None:
        """Note nothing yet."""
        self._asked = self._asleep = self._answers = False

    def __enter__(self) -> Self:
        """Answer Ctrl-C from here on."""
        self._answers = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._answers:
            signal.signal(signal.SIGINT, self.press)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Leave it to Python again; the block that it ended has ended well."""
        if self._answers:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return kind is not None and issubclass(kind, KeyboardInterrupt)

    def check(self) -> None:
        """End the block when Ctrl-C was pressed."""
        if self._asked:
            raise KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        """Sleep, and end the block as soon as Ctrl-C is pressed."""
        self._asleep = True
        self.check()
        time.sleep(seconds)
        self._asleep = False

    def press(self, number: int, frame: FrameType | None) -> None:
        """Note it, as a handler of signals does; raise KeyboardInterrupt in a sleep and the second time."""
        if self._asked or self._asleep:
            raise KeyboardInterrupt
        self._asked = True
