"""Goals."""

from collections.abc import Iterable

from agent_orchestrator.domain.errors import NotFound, RefusedByState
from agent_orchestrator.domain.goal import AGE_PER_POINT_MS, Delivery, Goal, GoalState, Isolation
from agent_orchestrator.domain.ids import GoalId
from agent_orchestrator.domain.task import Verdict
from agent_orchestrator.stores.sql.columns import (
    Database,
    Row,
    Value,
    assignments,
    insertion,
    like_prefix,
    moment,
    placeholders,
    time_of,
    written,
)

_SELECT = (
    "SELECT goals.*, ceilings.micro_usd AS budget_micro_usd, ceilings.tokens AS budget_tokens, "
    "ceilings.seconds AS budget_seconds FROM goals LEFT JOIN ceilings ON ceilings.goal = goals.id"
)
_IN_TURN = f"created_at + priority * {AGE_PER_POINT_MS}, goals.rowid"
"""The order of ``goal_rank``."""


def _row(goal: Goal) -> dict[str, Value]:
    return {
        "id": goal.id,
        "text": goal.text,
        "title": goal.title,
        "state": goal.state,
        "reason": goal.reason,
        "priority": goal.priority,
        "source": goal.source,
        "notice": goal.notice,
        "verify": goal.verify,
        "isolation": goal.isolation,
        "base_commit": goal.base_commit,
        "base_branch": goal.base_branch,
        "result_branch": goal.result_branch,
        "delivery": goal.delivery,
        "delivery_note": goal.delivery_note,
        "delivered_from": goal.delivered_from,
        "delivered_to": goal.delivered_to,
        "verdict": goal.verdict,
        "demo": int(goal.demo),
        "created_at": moment(goal.created_at),
        "started_at": moment(goal.started_at),
        "ended_at": moment(goal.ended_at),
    }


def _goal(row: Row) -> Goal:
    return Goal(
        **{
            **row,
            "state": GoalState(row["state"]),
            "isolation": Isolation(row["isolation"]) if row["isolation"] else None,
            "delivery": Delivery(row["delivery"]),
            "verdict": Verdict(row["verdict"]) if row["verdict"] else None,
            "demo": bool(row["demo"]),
            "created_at": time_of(row["created_at"]),
            "started_at": time_of(row["started_at"]),
            "ended_at": time_of(row["ended_at"]),
        }
    )


class Goals:
    """The rows of table ``goals``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, goal: Goal) -> None:
        """Remember a new goal."""
        if self._db.row("SELECT 1 FROM goals WHERE id = ?", (goal.id,)):
            raise RefusedByState(f"goal {goal.id} exists already")
        row = _row(goal)
        self._db.change(insertion("goals", row), written(row))

    def get(self, id: GoalId) -> Goal:
        """Return the goal."""
        row = self._db.row(f"{_SELECT} WHERE goals.id = ?", (id,))
        if row is None:
            raise NotFound(f"no goal {id}")
        return _goal(row)

    def save(self, goal: Goal, *, was: GoalState) -> None:
        """Write every field, if its state is still *was*."""
        row = _row(goal)
        changed = self._db.change(
            f"UPDATE goals SET {assignments(row)} WHERE id = ? AND state = ?", (*written(row), goal.id, was)
        )
        if not changed:
            raise RefusedByState(f"goal {goal.id} is no longer {was}")

    def asking(self) -> dict[GoalId, int]:
        """Return for each goal of which a change of the plan waits for a person how many do."""
        rows = self._db.rows("SELECT goal, count(*) AS n FROM replans WHERE state = 'waiting' GROUP BY goal")
        return {GoalId(row["goal"]): row["n"] for row in rows}

    def find(self, text: str) -> list[Goal]:
        """Return goals whose id starts with *text*."""
        rows = self._db.rows(f"{_SELECT} WHERE id >= ? AND id < ? LIMIT 10", like_prefix(text))
        return [_goal(row) for row in rows]

    def count(self, states: Iterable[GoalState]) -> int:
        """Return how many goals are in one of *states*."""
        chosen = tuple(states)
        row = self._db.row(f"SELECT count(*) AS n FROM goals WHERE state IN ({placeholders(chosen)})", chosen)
        assert row is not None
        return int(row["n"])

    def undelivered(self) -> list[Goal]:
        """Return the goals whose result waits for the user to take it in."""
        return [_goal(row) for row in self._db.rows(f"{_SELECT} WHERE delivery = ?", (Delivery.WAITING,))]

    def list(self, *, states: Iterable[GoalState] | None = None, limit: int = 200, in_turn: bool = False) -> list[Goal]:
        """Return goals, newest first; *in_turn* in the order in which they are worked on."""
        chosen = tuple(states) if states is not None else ()
        where = f"WHERE state IN ({placeholders(chosen)})" if states is not None else ""
        order = _IN_TURN if in_turn else "created_at DESC, goals.rowid DESC"
        rows = self._db.rows(f"{_SELECT} {where} ORDER BY {order} LIMIT ?", (*chosen, limit))
        return [_goal(row) for row in rows]
