"""Messages."""

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.domain.message import Message
from agent_orchestrator.stores.sql.columns import Database


class Messages:
    """The rows of table ``messages``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, message: Message) -> int:
        """Remember a message; return its position."""
        return self._db.insert(
            'INSERT INTO messages (goal, task, author, "to", body, at) VALUES (?, ?, ?, ?, ?, ?)',
            (message.goal, message.task, message.author, message.to, message.body, to_ms(message.at)),
        )

    def of_goal(self, goal: GoalId, *, task: TaskId | None = None, limit: int = 50) -> list[Message]:
        """Return the goal's newest messages, oldest first; with *task*, those about it or about no task."""
        rows = self._db.rows(
            "SELECT * FROM messages WHERE goal = ?1 AND (?2 IS NULL OR task IS NULL OR task = ?2) "
            "ORDER BY id DESC LIMIT ?3",
            (goal, task, limit),
        )
        return [Message(**{**row, "at": from_ms(row["at"])}) for row in reversed(rows)]
