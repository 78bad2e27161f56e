"""How tightly agents are shut in."""

from enum import StrEnum


class SandboxMode(StrEnum):
    """What the user asked for; what a machine can do is another matter."""

    AUTO = "auto"
    """The best that works here, or none, said aloud: a first run must not fail because of the machine."""
    OFF = "off"
    STRICT = "strict"
    """Nothing of the home folder is readable but what the work needs. Where no sandbox works, nothing starts."""


class Mechanism(StrEnum):
    """What shuts them in."""

    BUBBLEWRAP = "bubblewrap"
    """Name spaces of their own for files and processes, made by the program ``bwrap``; the network is shared."""
    LANDLOCK = "landlock"
    """Rules of the Linux kernel for files; processes and the rest are shared."""
    NONE = "none"
