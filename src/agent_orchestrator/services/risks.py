"""What a person should look at first: each thing's risk, and why, from what was seen of the work.

A rank is advice for fifteen minutes in the morning, never a gate: what is landed
has passed its checks or says that it had none. Pure: parts of a report in, values out.
"""

from collections.abc import Sequence
from enum import IntEnum
from fnmatch import fnmatchcase

from agent_orchestrator.services.json_values import Json
from agent_orchestrator.services.reviews import REJECTED

MANY_LINES, VERY_MANY_LINES = 400, 1500
"""Changed lines beyond which a change is hard to review in one sitting."""
SENSITIVE = (
    "*.github/workflows/*",
    "*.gitlab-ci.yml",
    "*jenkinsfile*",
    "*dockerfile*",
    "*migration*",
    "*auth*",
    "*crypt*",
    "*password*",
    "*payment*",
    "*permission*",
    "*secret*",
    "*token*",
    "*.env*",
)
"""Paths, in lower case, where a mistake costs more than elsewhere: who may do what, money, data, what CI runs."""
ANSWER = "the result is an answer; no file changed"
"""The one note of evidence that tells of no risk."""


class Risk(IntEnum):
    """How much a mistake here would cost, and how likely it stays unseen; a higher one is looked at first."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    def __str__(self) -> str:
        return self.name.lower()


def of_work(task: Json) -> tuple[Risk, list[str]]:
    """Return the risk of a landed task of a report, and why, the worst first; low when nothing speaks against it."""
    evidence = next((one["evidence"] for one in reversed(task["attempts"]) if one["evidence"]), None)
    doubts = _of_concerns(evidence)
    found = [
        *doubts,
        *_of_checks(task, evidence, doubted=bool(doubts)),
        *_of_changes(evidence),
        *_of_attempts(task["attempts"]),
    ]
    found.sort(key=lambda one: -one[0])
    return max((risk for risk, _ in found), default=Risk.LOW), [why for _, why in found]


def ranked(tasks: Sequence[Json]) -> list[Json]:
    """Return the landed ones of a report's *tasks*, those to look at first before the others."""
    found = []
    for task in tasks:
        if task["state"] == "done":
            risk, why = of_work(task)
            found.append((risk, len(why), {**_named(task), "risk": str(risk), "why": why}))
    return [one for _, _, one in sorted(found, key=lambda one: (-one[0], -one[1]))]


def _named(task: Json) -> Json:
    return {"task": task["id"], "key": task["key"], "title": task["title"], "verdict": task["verdict"]}


def _of_checks(task: Json, evidence: Json | None, *, doubted: bool) -> list[tuple[Risk, str]]:
    check = evidence["checks"][-1] if evidence and evidence["checks"] else None
    if doubted and check is not None and check["result"] == "passed":
        return []
    if task["verdict"] == "verified":
        flaky = check is not None and check["result"] == "flaky"
        return [(Risk.MEDIUM, "its check failed once and passed on the same tree")] if flaky else []
    if check is not None and check["result"] in {"base_is_red", "no_new_failures"}:
        return [(Risk.MEDIUM, "its check failed before the work too, so it vouches for little")]
    return [(Risk.HIGH, "no check vouches for it")]


def _of_concerns(evidence: Json | None) -> list[tuple[Risk, str]]:
    """Return what lowered the verdict of work whose check passed."""
    return [
        (
            Risk.HIGH,
            f"{one['path']}: {one['detail']}" if one["path"] and one["path"] not in one["detail"] else one["detail"],
        )
        for one in (evidence["concerns"] if evidence else ())
        if one["lowers"]
    ]


def _of_changes(evidence: Json | None) -> list[tuple[Risk, str]]:
    if evidence is None:
        return []
    found = [(Risk.MEDIUM, note) for note in evidence["notes"] if note != ANSWER]
    found += [(Risk.LOW, f"{one['detail']} ({one['excuse']})") for one in evidence["concerns"] if not one["lowers"]]
    lines = evidence["insertions"] + evidence["deletions"]
    if lines > MANY_LINES:
        found.append((Risk.HIGH if lines > VERY_MANY_LINES else Risk.MEDIUM, f"it changes {lines:,} lines"))
    touched = [file for file in evidence["files"] if any(fnmatchcase(file.lower(), glob) for glob in SENSITIVE)]
    if touched:
        more = f" and {len(touched) - 3} more" if len(touched) > 3 else ""
        found.append((Risk.MEDIUM, f"it touches {', '.join(touched[:3])}{more}"))
    return found


def _of_attempts(attempts: Sequence[Json]) -> list[tuple[Risk, str]]:
    outcomes = [one["outcome"] for one in attempts]
    found = []
    if "conflict" in outcomes:
        found.append((Risk.MEDIUM, "it was done again after a conflict"))
    by_person = [one for one in attempts if one["outcome"] == "rejected" and one["reason"].startswith(REJECTED)]
    if by_person:
        found.append((Risk.LOW, "it was done again after a rejection in review"))
    rejected = outcomes.count("rejected") - len(by_person)
    if rejected:
        found.append((Risk.LOW, f"its checks rejected {rejected} earlier attempt{'s' if rejected > 1 else ''}"))
    return found
