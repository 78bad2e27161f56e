"""One agent's one try at a task: its lease, its process, its session, what it cost and how it ended."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent_orchestrator.domain.ids import AgentId, AttemptId, GoalId, TaskId, Token
from agent_orchestrator.domain.usage import Usage as Usage  # named here too: an attempt is what uses


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    """Its work was landed. Only we say so, never the agent."""
    FAILED = "failed"
    """The agent ended with an error of its own."""
    NO_EVIDENCE = "no_evidence"
    """The agent says it is done and nothing changed."""
    REJECTED = "rejected"
    """The checks failed on its work."""
    CONFLICT = "conflict"
    """Its work does not merge with what landed before it."""
    STALLED = "stalled"
    """No output, no CPU and no file change for too long."""
    TIMED_OUT = "timed_out"
    LOST = "lost"
    """Its process vanished without an exit record: a crash of the machine, or somebody's kill -9."""
    LIMITED = "limited"
    """A usage limit, a 429 or an overload. Costs no attempt."""
    CANCELLED = "cancelled"
    """We or the user stopped it. Costs no attempt."""
    NO_ROOM = "no_room"
    """It came to nothing while a disk that it uses was full. Costs no attempt, unless that happens again and again."""
    FENCED = "fenced"
    """It came too late: somebody else holds the task."""


FREE = frozenset({Outcome.LIMITED, Outcome.CANCELLED, Outcome.NO_ROOM, Outcome.FENCED, Outcome.SUCCEEDED})
"""Outcomes that are not charged against ``max_attempts``."""
NO_ROOM_FREE = 3
"""So often in a row a full disk costs a task nothing. From then on it is charged: its agent may be what fills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One row of the attempts, as a value."""

    id: AttemptId
    task: TaskId
    goal: GoalId
    number: int
    """From 1, counting free attempts too: it names the branch and the run folder."""
    token: Token
    agent: AgentId
    provider: str
    run_dir: str
    """Absolute path of the folder with the prompt, the transcript and the exit record."""
    outcome: Outcome | None = None
    """None while it runs."""
    reason: str = ""
    cli_version: str | None = None
    cli_path: str | None = None
    model: str | None = None
    workspace: str | None = None
    """Absolute path where the agent worked. A session is resumed only there."""
    branch: str | None = None
    base_commit: str | None = None
    commit: str | None = None
    """The agent's collected work, before landing."""
    session: str | None = None
    """The provider's own session id, from its first lines. None until it said one."""
    resumes: AttemptId | None = None
    """The attempt whose session and checkout this one continues."""
    pid: int | None = None
    """The agent's process. The proof of identity is in the run folder's pid.json, not here."""
    stdout_offset: int = 0
    """Bytes of its output already read; reading continues there after a crash of ours."""
    last_action: str = ""
    usage: Usage = Usage()
    prompt_sha256: str | None = None
    feedback: str = ""
    """What the next attempt must know: failing tests, conflict, reason. Goes into its prompt."""
    summary: str = ""
    """What its agent said it did, cleaned and capped. Data, not evidence."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
