"""Every error a user, a program or an agent can be told about, in one tree.

Each class carries the exit status and the HTTP status it becomes, so a door
needs one ``except``. The message says what happened and to what; the hint says
what to do next. Raise where the rule is, catch only at a door.
"""

from errno import EDQUOT, ENOSPC


class OrchestratorError(Exception):
    """Something went wrong that we understand."""

    code = "error"
    exit_code = 1
    http_status = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Say what happened in *message* (one line) and what to do next in *hint* (one line, may be empty)."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class Internal(OrchestratorError):
    """A fault of ours that nobody foresaw. What was acknowledged before it is safe."""

    code = "internal"


class BadInput(OrchestratorError):
    """What was asked cannot be meant: a wrong option, an impossible value, an empty goal."""

    code = "bad_input"
    exit_code = 2
    http_status = 400


class InvalidPlan(BadInput):
    """A plan breaks a rule that repair must not bend: a cycle somebody wrote, a dependency on nothing."""

    code = "invalid_plan"


class Ambiguous(BadInput):
    """A short name fits more than one thing."""

    code = "ambiguous"


class NothingToDo(OrchestratorError):
    """The request is fine and there is nothing for it to act on."""

    code = "nothing_to_do"
    exit_code = 3
    http_status = 404


class NotFound(OrchestratorError):
    """No such goal, task, agent, plan or specialist."""

    code = "not_found"
    exit_code = 4
    http_status = 404


class RefusedByState(OrchestratorError):
    """The thing exists, but its state forbids what was asked."""

    code = "refused_by_state"
    exit_code = 5
    http_status = 409


class StaleLease(OrchestratorError):
    """The caller no longer holds the task; someone else may be working on it, so its write changed nothing."""

    code = "stale_lease"
    exit_code = 5
    http_status = 409


class AlreadyRunning(OrchestratorError):
    """Another supervisor serves this project."""

    code = "already_running"
    exit_code = 5
    http_status = 409


class NotReady(OrchestratorError):
    """The environment lacks something that must be there before anything starts."""

    code = "not_ready"
    exit_code = 8
    http_status = 503


class StoreUnusable(NotReady):
    """The database cannot be used as it is: newer than we are, corrupt, read-only, or the disk is full."""

    code = "store_unusable"


class DiskFull(StoreUnusable):
    """There is no room for what must be written. Nothing was acknowledged; it can be repeated when there is room."""

    code = "disk_full"


class WorkspaceProblem(OrchestratorError):
    """Git or the file system refused something that an attempt needs; nothing of the user's was changed."""

    code = "workspace"


NO_ROOM = ("No space left on device", "Disk quota exceeded")
"""How the C library names the two where no other language is set; most programs pass its words on."""


def tells_no_room(text: str) -> bool:
    """Say whether *text*, from a program that failed, names a used up disk or quota."""
    return any(words in text for words in NO_ROOM)


def lacks_room(error: BaseException | None) -> bool:
    """Say whether *error*, or what it came from, is that a disk or a quota is used up."""
    while error is not None:
        if isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}):
            return True
        error = error.__cause__ or error.__context__
    return False
