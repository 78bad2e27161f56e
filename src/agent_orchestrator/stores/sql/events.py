"""The append-only log."""

import hashlib
import json
from collections.abc import Sequence

from agent_orchestrator.domain.clock import from_ms, to_ms
from agent_orchestrator.domain.event import ChainCheck, Event, Head
from agent_orchestrator.domain.ids import GoalId, TaskId
from agent_orchestrator.stores.sql.columns import Database, Row, Value

_COLUMNS = "at, type, goal, task, attempt, agent, token, data"
_BATCH = 1_000


def link(previous: str | None, content: "Sequence[Value]") -> str:
    """Return the hash of an event: SHA-256 over the hash before it and what its row holds, as JSON."""
    whole = json.dumps([previous or "", *content], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _event(row: Row) -> Event:
    return Event(**{**row, "at": from_ms(row["at"]), "data": json.loads(row["data"])})


class Events:
    """The rows of table ``events``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def append(self, event: Event) -> int:
        """Write one event, chained to the one before it; return its position."""
        values = (
            to_ms(event.at),
            event.type,
            event.goal,
            event.task,
            event.attempt,
            event.agent,
            event.token,
            json.dumps(dict(event.data), ensure_ascii=False) if event.data else "{}",
        )
        with self._db.transaction():  # nobody may write between the look at the last one and this one
            written = self._db.kept(values)
            last = self._db.row("SELECT hash FROM events ORDER BY seq DESC LIMIT 1")
            return self._db.insert(
                f"INSERT INTO events ({_COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*written, link(last["hash"] if last else None, written)),
            )

    def head(self) -> Head | None:
        """Return the last event's position and hash; None while there is none that is chained."""
        row = self._db.row("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
        return Head(seq=row["seq"], hash=row["hash"]) if row and row["hash"] else None

    def check(self, heads: Sequence[Head] = ()) -> ChainCheck:
        """Follow the chain from its beginning, and hold it against *heads* that were written down elsewhere."""
        sequences = {row["name"]: row["value"] for row in self._db.rows("SELECT name, value FROM sequences")}
        before = sequences.get("unchained_events", 0)
        known = {head.seq: head.hash for head in heads}
        seq, previous, wrong = before, None, ""
        while not wrong:
            rows = self._db.rows(
                f"SELECT seq, {_COLUMNS}, hash FROM events WHERE seq > ? ORDER BY seq LIMIT {_BATCH}", (seq,)
            )
            if not rows:
                break
            for row in rows:
                content = tuple(row.values())[1:-1]
                if row["seq"] != seq + 1:
                    wrong = f"event {seq + 1} is gone"
                elif row["hash"] != link(previous, content):
                    wrong = f"event {row['seq']} ({row['type']}) is not what was written, or what was before it is not"
                elif known.pop(row["seq"], row["hash"]) != row["hash"]:
                    wrong = f"event {row['seq']} ({row['type']}) or one before it was written again, with a new chain"
                if wrong:
                    break
                seq, previous = row["seq"], row["hash"]
        drawn = self._db.row("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        highest = max([drawn["seq"] if drawn else 0, *(at for at in known)])
        if not wrong and highest > seq:
            wrong = f"event {seq + 1} is gone" + (f", and all up to {highest}" if highest > seq + 1 else "")
        return ChainCheck(first=before + 1, events=max(0, seq - before), heads=len(heads), wrong=wrong)

    def after(
        self,
        seq: int = 0,
        *,
        goal: GoalId | None = None,
        task: TaskId | None = None,
        types: Sequence[str] = (),
        limit: int = 500,
    ) -> list[Event]:
        """Return events after position *seq*, oldest first; only of *types*, or of the kinds before their dot."""
        where, values = _narrowed(goal, task, types)
        sql = f"SELECT seq, {_COLUMNS} FROM events WHERE seq > ?{where} ORDER BY seq LIMIT ?"
        rows = self._db.rows(sql, (seq, *values, limit))
        return [_event(row) for row in rows]

    def last(
        self, count: int, *, goal: GoalId | None = None, task: TaskId | None = None, types: Sequence[str] = ()
    ) -> list[Event]:
        """Return the last *count* events, oldest first."""
        where, values = _narrowed(goal, task, types)
        sql = f"SELECT seq, {_COLUMNS} FROM events WHERE 1{where} ORDER BY seq DESC LIMIT ?"
        rows = self._db.rows(sql, (*values, count))
        return [_event(row) for row in reversed(rows)]


def _narrowed(goal: GoalId | None, task: TaskId | None, types: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    where, values = "", []
    for column, value in (("goal", goal), ("task", task)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(str(value))
    if types:
        where += " AND (" + " OR ".join(["type = ? OR substr(type, 1, length(?) + 1) = ? || '.'"] * len(types)) + ")"
        values += [value for one in types for value in (one, one, one)]
    return where, tuple(values)
