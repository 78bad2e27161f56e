"""What an ended attempt, or a check of the base, amounts to. Pure: records in, words and outcomes out."""

from dataclasses import replace
from typing import assert_never

from agent_orchestrator.domain.attempt import Outcome
from agent_orchestrator.domain.errors import tells_no_room
from agent_orchestrator.domain.evidence import CheckResult, CheckRun
from agent_orchestrator.domain.hold import Hold, HoldKind
from agent_orchestrator.providers import Ending
from agent_orchestrator.runtime.follower import Follower
from agent_orchestrator.runtime.run_dir import ExitRecord, Why

DECIDED_BY_ROOM = frozenset(
    {
        Outcome.FAILED,
        Outcome.LOST,
        Outcome.NO_EVIDENCE,
        Outcome.REJECTED,
        Outcome.STALLED,
        Outcome.TIMED_OUT,
    }
)
"""Outcomes for which the disk is blamed when it was full meanwhile."""


def ending_of(follower: Follower) -> Ending:
    """Say how an attempt ended, from its exit record and from what it printed."""
    record = follower.exit()
    said_ok = follower.last is not None and follower.last.ok
    if record is None:
        if said_ok:
            return Ending(outcome=None)  # it was finished; only the record of its end is missing
        return Ending(outcome=Outcome.LOST, reason="its process vanished without an exit record")
    ours = follower.asked_to_stop
    if ours == "finished" and said_ok:
        return Ending(outcome=None)
    ending = follower.provider.conclude(record.rc, follower.last, follower.limited, follower.stderr())
    if ending.outcome is Outcome.LIMITED:
        return ending
    if ours:
        return Ending(outcome=Outcome.FAILED if follower.own_doing else Outcome.CANCELLED, reason=ours)
    ending = _by_limit(record, said_ok) or ending
    if ending.outcome is not None and (record.lacked_room or tells_no_room(f"{record.error} {follower.stderr()}")):
        outcome, reason = with_room_in_mind(ending.outcome, ending.reason)
        return replace(ending, outcome=outcome, reason=reason)
    return ending


def with_room_in_mind(outcome: Outcome, reason: str) -> tuple[Outcome, str]:
    """Return *outcome* and *reason* of an attempt that had no room on a disk: not its own failure, where it failed."""
    if outcome not in DECIDED_BY_ROOM:
        return outcome, reason
    return Outcome.NO_ROOM, f"the disk was full while it worked: {reason}"


def told_of_hold(hold: Hold) -> str:
    """Say who waits until when and why: the first time loudly when a person must act, then in few words."""
    until = f"{hold.until:%Y-%m-%d %H:%M} UTC"
    if hold.kind is HoldKind.LOGIN:
        if hold.refusals > 1:
            return f"{hold.provider}'s login is still refused; looked at again at {until}"
        return (
            f"LOGIN REFUSED: {hold.provider} waits for you. Log in, then: orchestrate resume {hold.provider}. "
            f"It is looked at again at {until}. ({hold.reason})"
        )
    again = f", refused {hold.refusals} times in a row" if hold.refusals > 1 else ""
    return f"{hold.provider} waits until {until} ({hold.kind.replace('_', ' ')}{again}): {hold.reason}"


def told_of_base(check: CheckRun) -> str:
    """Warn before the night of a check that will prove little: one that is red already or cannot be run."""
    match check.result:
        case CheckResult.NOT_AVAILABLE:
            last = next((line.strip() for line in reversed(check.tail.splitlines()) if line.strip()), "")
            said = f"cannot be run here, so nothing of it will be verified: {last}"
        case CheckResult.TIMED_OUT:
            said = "does not end on the base, so it can vouch for nothing"
        case CheckResult.FLAKY:
            said = "is flaky on the base"
        case _:
            bar = "only new failures will count" if check.failures else "nothing can be verified against it"
            said = f"fails on the base already; {bar}"
    return f"`{check.command}` {said}"


def _by_limit(record: ExitRecord, said_ok: bool) -> Ending | None:
    """Return the ending when the minder ended the attempt for a limit; None when the agent ended by itself."""
    match record.why:
        case Why.WALL_CLOCK:
            return Ending(outcome=Outcome.TIMED_OUT, reason="it ran longer than an attempt may")
        case Why.SILENCE:
            if said_ok:
                return Ending(outcome=None)
            return Ending(outcome=Outcome.STALLED, reason="no output, no CPU use and no file change for too long")
        case Why.OUTPUT_LIMIT:
            return Ending(outcome=Outcome.FAILED, reason="it printed more than an attempt may")
        case Why.MEMORY:
            return Ending(outcome=Outcome.FAILED, reason="it used more memory than an attempt may")
        case Why.ORPHANED:
            return Ending(outcome=Outcome.CANCELLED, reason="no supervisor came back in time, so its minder ended it")
        case Why.STOPPED | Why.KILLED:
            return Ending(outcome=Outcome.CANCELLED, reason="somebody asked its minder to end it")
        case Why.SPAWN_FAILED:
            return Ending(outcome=Outcome.FAILED, reason=f"it could not be started: {record.error}")
        case Why.EXITED:
            return None
        case _:
            assert_never(record.why)
