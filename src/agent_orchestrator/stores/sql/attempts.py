"""Attempts and their evidence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent_orchestrator.domain.errors import NotFound
from agent_orchestrator.domain.usage import Usage
from agent_orchestrator.stores.sql.columns import (
    Database,
    Row,
    Value,
    assignments,
    insertion,
    moment,
    time_of,
    written,
)

if TYPE_CHECKING:
    from datetime import datetime

    from agent_orchestrator.domain.attempt import Attempt
    from agent_orchestrator.domain.evidence import Evidence
    from agent_orchestrator.domain.finished import Finished
    from agent_orchestrator.domain.ids import AttemptId, GoalId, TaskId

_USAGE = ("input_tokens", "cached_tokens", "output_tokens", "cost_micro_usd", "cost_is_estimate")
_BORN_WITH = frozenset({"id", "task", "goal", "number", "token", "agent", "provider", "run_dir"})
_COLUMNS = (
    "id, task, goal, number, token, agent, provider, run_dir, outcome, reason, cli_version, cli_path, model, "
    'workspace, branch, base_commit, "commit", session, resumes, pid, stdout_offset, last_action, '
    "input_tokens, cached_tokens, output_tokens, cost_micro_usd, cost_is_estimate, prompt_sha256, feedback, "
    "started_at, ended_at, summary"
)
_UNPRICED = (
    "attempts.cost_micro_usd = 0 AND attempts.outcome IS NOT NULL "
    "AND attempts.outcome NOT IN ('limited', 'cancelled', 'no_room', 'fenced')"
)
"""Attempts that ended as work does and whose cost nobody told."""
_NARROWED = (
    "(?1 IS NULL OR attempts.goal = ?1) AND (?2 IS NULL OR attempts.task = ?2) "
    "AND (?3 IS NULL OR attempts.started_at >= ?3)"
)

# What questions to planners used stands in the log, of tasks that were to be divided. Those are few: it is quick.
_QUESTIONS = """
    SELECT json_extract(data, '$.input_tokens') AS input_tokens, json_extract(data, '$.cached_tokens') AS cached_tokens,
           json_extract(data, '$.output_tokens') AS output_tokens,
           json_extract(data, '$.cost_micro_usd') AS cost_micro_usd,
           json_extract(data, '$.cost_is_estimate') AS cost_is_estimate, json_extract(data, '$.seconds') AS seconds
    FROM events WHERE type = 'replan.asked' AND (?3 IS NULL OR at >= ?3) AND task IN (
        SELECT task FROM replans WHERE kind = 'split' AND (?1 IS NULL OR goal = ?1) AND (?2 IS NULL OR task = ?2)
    )
"""

# How much of the time from an agent's start to its end, or to ?4, the machine slept: each sleep ended when it was told.
_ASLEEP = """
    SELECT coalesce(sum(max(0,
        min(sleeps.at, coalesce(agents.ended_at, ?4))
        - max(sleeps.at - json_extract(sleeps.data, '$.seconds') * 1000, agents.started_at)
    )), 0) FROM events AS sleeps
    WHERE sleeps.type = 'machine.slept' AND sleeps.at > agents.started_at
"""

_ATTEMPTS_PER_TASK = 4
"""Attempts that are looked at for each finished task that is asked for. With more failures fewer tasks are found."""
# rowids grow with time: attempts are never deleted. "latest" may name a task twice, when a review had it done again.
_FINISHED = """
    WITH newest AS (SELECT rowid AS at, task, goal, provider, outcome FROM attempts ORDER BY rowid DESC LIMIT ?),
    latest AS (
        SELECT max(at) AS at, task, goal, provider FROM newest WHERE outcome = 'succeeded'
        GROUP BY task ORDER BY max(at) DESC LIMIT ?
    )
    SELECT tasks.size, tasks.tier, tasks.specialist, latest.provider,
           sum(attempts.ended_at - attempts.started_at) AS ms, sum(attempts.cost_micro_usd) AS cost
    FROM latest
    JOIN tasks ON tasks.id = latest.task
    JOIN goals ON goals.id = latest.goal
    JOIN attempts ON attempts.task = latest.task
    WHERE goals.demo = 0 AND tasks.state = 'done' AND attempts.started_at IS NOT NULL AND attempts.ended_at IS NOT NULL
    GROUP BY latest.task ORDER BY latest.at DESC
"""


def _row(attempt: Attempt) -> dict[str, Value]:
    return {
        "id": attempt.id,
        "task": attempt.task,
        "goal": attempt.goal,
        "number": attempt.number,
        "token": attempt.token,
        "agent": attempt.agent,
        "provider": attempt.provider,
        "run_dir": attempt.run_dir,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "cli_version": attempt.cli_version,
        "cli_path": attempt.cli_path,
        "model": attempt.model,
        "workspace": attempt.workspace,
        "branch": attempt.branch,
        "base_commit": attempt.base_commit,
        "commit": attempt.commit,
        "session": attempt.session,
        "resumes": attempt.resumes,
        "pid": attempt.pid,
        "stdout_offset": attempt.stdout_offset,
        "last_action": attempt.last_action,
        "input_tokens": attempt.usage.input_tokens,
        "cached_tokens": attempt.usage.cached_tokens,
        "output_tokens": attempt.usage.output_tokens,
        "cost_micro_usd": attempt.usage.cost_micro_usd,
        "cost_is_estimate": int(attempt.usage.cost_is_estimate),
        "prompt_sha256": attempt.prompt_sha256,
        "feedback": attempt.feedback,
        "started_at": moment(attempt.started_at),
        "ended_at": moment(attempt.ended_at),
        "summary": attempt.summary,
    }


def _attempt(row: Row) -> Attempt:
    from agent_orchestrator.domain.attempt import Attempt, Outcome

    usage = _usage({name: row.pop(name) for name in _USAGE})
    return Attempt(
        **{
            **row,
            "outcome": Outcome(row["outcome"]) if row["outcome"] else None,
            "usage": usage,
            "started_at": time_of(row["started_at"]),
            "ended_at": time_of(row["ended_at"]),
        }
    )


def _usage(row: Row) -> Usage:
    partial = bool(row.get("cost_is_partial")) and bool(row["cost_micro_usd"])
    return Usage(**{**row, "cost_is_estimate": bool(row["cost_is_estimate"]), "cost_is_partial": partial})


class Attempts:
    """The rows of table ``attempts``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, attempt: Attempt) -> None:
        """Remember a new attempt: the intent to start, before anything starts."""
        row = _row(attempt)
        self._db.change(insertion("attempts", row), written(row))

    def get(self, id: AttemptId) -> Attempt:
        """Return the attempt."""
        row = self._db.row(f"SELECT {_COLUMNS} FROM attempts WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"no attempt {id}")
        return _attempt(row)

    def save(self, attempt: Attempt) -> None:
        """Write every field of an existing attempt but those that it is born with."""
        row = {column: value for column, value in _row(attempt).items() if column not in _BORN_WITH}
        self._db.change(f"UPDATE attempts SET {assignments(row)} WHERE id = ?", (*written(row), attempt.id))

    def of_task(self, task: TaskId) -> list[Attempt]:
        """Return the task's attempts, oldest first."""
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM attempts WHERE task = ? ORDER BY number", (task,))
        return [_attempt(row) for row in rows]

    def open(self) -> list[Attempt]:
        """Return the attempts that have no outcome yet."""
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM attempts WHERE outcome IS NULL ORDER BY token")
        return [_attempt(row) for row in rows]

    def spent(self, *, goal: GoalId | None = None, task: TaskId | None = None, since: datetime | None = None) -> Usage:
        """Return the sum of what attempts used, and planners who were asked about their tasks."""
        sums = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in _USAGE[:-1])
        columns = ", ".join(_USAGE)
        row = self._db.row(
            f"SELECT {sums}, coalesce(max(cost_is_estimate), 0) AS cost_is_estimate, "
            "coalesce(max(cost_is_partial), 0) AS cost_is_partial FROM ("
            f"SELECT {columns}, {_UNPRICED} AS cost_is_partial FROM attempts WHERE {_NARROWED} "
            f"UNION ALL SELECT {columns}, cost_micro_usd = 0 FROM ({_QUESTIONS}))",
            (goal, task, moment(since)),
        )
        assert row is not None
        return _usage(row)

    def worked_s(
        self, *, now: datetime, goal: GoalId | None = None, task: TaskId | None = None, since: datetime | None = None
    ) -> int:
        """Return how long agents and planners were at work, added up, in seconds; agents at work now until *now*.

        What the machine slept meanwhile does not count.
        """
        row = self._db.row(
            f"SELECT coalesce(sum(coalesce(agents.ended_at, ?4) - agents.started_at - ({_ASLEEP})), 0) + "
            f"(SELECT coalesce(sum(seconds), 0) * 1000 FROM ({_QUESTIONS})) AS ms "
            f"FROM attempts JOIN agents ON agents.id = attempts.agent WHERE {_NARROWED}",
            (goal, task, moment(since), moment(now)),
        )
        assert row is not None
        return int(row["ms"]) // 1000

    def finished(self, limit: int) -> list[Finished]:
        """Return what tasks that are done took, the newest *limit* at most, the newest first."""
        from agent_orchestrator.domain.finished import Finished
        from agent_orchestrator.domain.task import Size, Tier

        rows = self._db.rows(_FINISHED, (limit * _ATTEMPTS_PER_TASK, limit))
        return [
            Finished(
                size=Size(row["size"]),
                tier=Tier(row["tier"]),
                specialist=row["specialist"],
                provider=row["provider"],
                seconds=row["ms"] / 1000,
                cost_micro_usd=row["cost"] or None,
            )
            for row in rows
        ]

    def add_evidence(self, attempt: AttemptId, evidence: Evidence) -> None:
        """Remember what we saw of its work; replaces earlier evidence of the same attempt."""
        from dataclasses import asdict  # the rest of this module is in every command, and gets along without

        document = json.dumps(asdict(evidence), ensure_ascii=False)
        self._db.change("UPDATE attempts SET evidence = ? WHERE id = ?", (document, attempt))

    def evidence(self, attempt: AttemptId) -> Evidence | None:
        """Return what we saw of its work, or None."""
        row = self._db.row("SELECT evidence FROM attempts WHERE id = ?", (attempt,))
        return _evidence(json.loads(row["evidence"])) if row and row["evidence"] else None


def _evidence(document: dict[str, object]) -> Evidence:
    """Return evidence as it was written, also by a version that knew fewer fields."""
    from agent_orchestrator.domain.evidence import CheckResult, CheckRun, Concern, ConcernKind, Evidence

    data: Row = dict(document)
    checks = tuple(
        CheckRun(
            **{
                **check,
                "result": CheckResult(check["result"]),
                "failures": None if check["failures"] is None else tuple(check["failures"]),
            }
        )
        for check in data.pop("checks")
    )
    concerns = tuple(Concern(**{**one, "kind": ConcernKind(one["kind"])}) for one in data.pop("concerns", ()))
    lists: Row = {name: tuple(data.pop(name, ())) for name in ("files", "notes", "advice")}
    return Evidence(**{**data, **lists}, checks=checks, concerns=concerns)
