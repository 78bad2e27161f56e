"""What is changed before a task is tried again, once the same attempt has failed twice in the same way. Pure.

An attempt that failed as the one before it did is not simply repeated. First a
more capable model has a try, then another provider; when there is neither and
the last two attempts changed the same and failed in the same tests, a person
gets the task before all attempts are used up.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent_orchestrator.domain.attempt import FREE, Attempt, Outcome
from agent_orchestrator.domain.evidence import Evidence
from agent_orchestrator.domain.task import Tier

REPEATS = 2
"""Failures of the same kind in a row that make a repetition."""
JUDGED = frozenset({Outcome.REJECTED, Outcome.NO_EVIDENCE})
"""Outcomes that tell of the work itself: only these show a loop. A crash or a silence may be over the next time."""

_CHANGING = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One charged attempt, as far as it can be compared with the next."""

    kind: str
    """The same for attempts that failed in the same way: the outcome with the failing tests, or with the reason."""
    work: str
    """The same for attempts that changed the same."""
    judged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is changed before the next attempt; nothing, by default."""

    tier: Tier | None = None
    """Raise the task to this tier."""
    avoid: str = ""
    """Let another provider than this try."""
    give_up: str = ""
    """Why no further attempt is made."""
    may_split: bool = False
    """Whether smaller tasks may do the work instead, when this was the last attempt: it failed as the one before."""


def failure(attempt: Attempt, outcome: Outcome, reason: str, evidence: Evidence | None) -> Failure:
    """Return what of an ended attempt can be compared with the next one."""
    checks = evidence.checks if evidence is not None else ()
    failing = checks[-1].failures if checks else None
    what = "\n".join(sorted(failing)) if failing else _CHANGING.sub("#", reason)
    if evidence is None:
        work = attempt.commit or ""
    elif evidence.change:  # not the tree that was checked: what others landed meanwhile is in it
        work = evidence.change
    elif checks and checks[-1].tree:
        work = checks[-1].tree
    else:
        work = f"{'/'.join(evidence.files)} +{evidence.insertions} -{evidence.deletions}"
    return Failure(kind=f"{outcome}: {what}", work=work, judged=outcome in JUDGED)


def is_charged(outcome: Outcome | None) -> bool:
    """Say whether an attempt that ended so counts."""
    return outcome is not None and outcome not in FREE


def repeats(failures: Sequence[Failure]) -> int:
    """Return how many of the last failures were of one kind."""
    count = 0
    for one in reversed(failures):
        if one.kind != failures[-1].kind:
            break
        count += 1
    return count


def step(failures: Sequence[Failure], *, tier_above: Tier | None, provider: str, another: bool) -> Step:
    """Return what to change after *failures*, the task's charged attempts since a person last asked for it.

    *tier_above* is the next tier in which *provider*, who failed last, would use another model; None without one.
    *another* says whether a further provider may try that has not been turned to yet.
    """
    count = repeats(failures)
    if count < REPEATS:
        return Step()
    if tier_above is not None:
        return Step(tier=tier_above, may_split=True)
    if another:
        return Step(avoid=provider, may_split=True)
    last, before = failures[-1], failures[-2]
    if last.judged and last.work == before.work:
        return Step(give_up=f"{count} attempts in a row changed the same and failed in the same way", may_split=True)
    return Step(may_split=True)
