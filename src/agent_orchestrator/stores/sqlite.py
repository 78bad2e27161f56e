"""The store on SQLite: connections, pragmas, transactions, and errors in plain words.

SQLite comes through apsw, which carries a current SQLite in its wheel. The one
that distributions ship may have the WAL-reset bug (3.7.0 to 3.51.2, fixed in
3.51.3 of 2026-03-13), and several processes on one file are its precondition.

Every write transaction is ``BEGIN IMMEDIATE``: a transaction that reads first
and writes later fails at once with "database is locked", whatever the busy
timeout says. Commits are ``synchronous=FULL``: in a power-loss model 200 of 200
acknowledged commits were lost with NORMAL and none with FULL.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import apsw

from agent_orchestrator.domain.errors import DiskFull, StoreUnusable
from agent_orchestrator.domain.ids import Token
from agent_orchestrator.stores import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from agent_orchestrator.stores.sql.agents import Agents
    from agent_orchestrator.stores.sql.attempts import Attempts
    from agent_orchestrator.stores.sql.budgets import Budgets
    from agent_orchestrator.stores.sql.context import Context
    from agent_orchestrator.stores.sql.events import Events
    from agent_orchestrator.stores.sql.goals import Goals
    from agent_orchestrator.stores.sql.holds import Holds
    from agent_orchestrator.stores.sql.leadership import LeadershipTerms
    from agent_orchestrator.stores.sql.messages import Messages
    from agent_orchestrator.stores.sql.plans import Plans
    from agent_orchestrator.stores.sql.replans import Replans
    from agent_orchestrator.stores.sql.tasks import Tasks

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another. 16 processes claiming at once waited at most 0.2 s; 50 ms gave errors."""

JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes the write-ahead log may keep after a checkpoint."""

_NEEDS_ROOM = frozenset(
    {
        apsw.SQLITE_IOERR_WRITE,
        apsw.SQLITE_IOERR_FSYNC,
        apsw.SQLITE_IOERR_TRUNCATE,
        apsw.SQLITE_IOERR_SHMOPEN,
        apsw.SQLITE_IOERR_SHMSIZE,
        apsw.SQLITE_IOERR_SHMMAP,
    }
)
"""Failures as which a full disk shows itself where it is not called that: by the time one looks there may be room."""
FULL_BELOW = 1024 * 1024
"""Bytes that are free on a disk on which a failed write is put down to its being full."""

USERS_WORDS = ("INTO goals", "UPDATE goals", "INTO plans", "INTO tasks")
"""Statements that write goals, plans and tasks as their user or planner worded them."""
SHORTEST_SECRET = 8
"""Characters. Most of what is written is ids and states, and not worth a look."""

Value = None | int | float | str | bytes
Row = dict[str, Any]


class Connections:
    """One SQLite file, opened once per thread; runs statements and transactions."""

    def __init__(self, path: str | None, redact: Callable[[str], str] | None = None) -> None:
        """Open or create the file at *path*; None means an empty database in memory, for one thread.

        *redact* takes secrets out of every text before it is written, but for what the user asked for in their own
        words: an agent must read those as they were typed.

        Raises:
            StoreUnusable: newer than this program, broken, not a database, or not writable.
        """
        self.path = path
        self._redact = redact
        self._local = threading.local()
        if path is not None:
            _prepare(path)
        with _plainly(path):
            migrate.upgrade(self._connection(), path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one atomic, durable change; nested uses join the outermost."""
        if getattr(self._local, "inside", False):
            yield
            return
        connection = self._connection()
        with _plainly(self.path):
            connection.execute("BEGIN IMMEDIATE")
            self._local.inside = True
            try:
                yield
                connection.execute("COMMIT")
            finally:
                self._local.inside = False
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement and return its rows, read to the end: an open RETURNING cursor keeps the write lock."""
        with _plainly(self.path):
            cursor = self._connection().execute(sql, parameters)
            try:
                names = [column[0] for column in cursor.get_description()]
            except apsw.ExecutionCompleteError:  # there is no row, or the statement returns none
                return []
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        """Run one statement and return its first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def change(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run one writing statement and return how many rows it changed."""
        with _plainly(self.path):
            connection = self._connection()
            connection.execute(sql, self._kept(sql, parameters))
            return connection.changes()

    def insert(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run one INSERT and return the new row's integer key."""
        with _plainly(self.path):
            connection = self._connection()
            connection.execute(sql, self._kept(sql, parameters))
            return connection.last_insert_rowid()

    def many(self, sql: str, parameters: Iterable[Sequence[Value]]) -> None:
        """Run one writing statement for each row of *parameters*."""
        with _plainly(self.path):
            self._connection().executemany(sql, (self._kept(sql, one) for one in parameters))

    def kept(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return *values* as they are written, without the secrets that were in them."""
        return tuple(self._kept("", values))

    def _kept(self, sql: str, parameters: Sequence[Value]) -> Sequence[Value]:
        """Return *parameters* as they may be written down."""
        redact = self._redact
        if redact is None or any(words in sql for words in USERS_WORDS):
            return parameters
        return [redact(one) if isinstance(one, str) and len(one) >= SHORTEST_SECRET else one for one in parameters]

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = apsw.Connection(":memory:" if self.path is None else self.path)
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            connection.execute(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                f"PRAGMA journal_size_limit={JOURNAL_SIZE_LIMIT}"
            ).fetchall()
            self._local.connection = connection
        return connection


class SqliteStore:
    """One project's database. Safe to share between threads: each gets its own connection.

    A noun's queries, and with them the noun, are imported when they are first asked for.
    """

    def __init__(self, path: "Path | str", *, create: bool = True, redact: Callable[[str], str] | None = None) -> None:
        """Open the database at *path*, creating or upgrading it; *redact* takes secrets out of what is written.

        When *create* is false and no file is there, an empty database in memory stands in, so that looking at a
        project leaves no file behind.

        Raises:
            StoreUnusable: newer than this program, broken, not a database, or not writable.
        """
        file = os.fspath(path)
        connections = Connections(file if create or os.path.exists(file) else None, redact)  # noqa: PTH110
        self._connections = connections
        self.transaction = connections.transaction
        self.close = connections.close

    @cached_property
    def goals(self) -> "Goals":
        """Goals."""
        from agent_orchestrator.stores.sql.goals import Goals

        return Goals(self._connections)

    @cached_property
    def tasks(self) -> "Tasks":
        """Tasks and the queue."""
        from agent_orchestrator.stores.sql.tasks import Tasks

        return Tasks(self._connections)

    @cached_property
    def attempts(self) -> "Attempts":
        """Attempts and their evidence."""
        from agent_orchestrator.stores.sql.attempts import Attempts

        return Attempts(self._connections)

    @cached_property
    def agents(self) -> "Agents":
        """Agents."""
        from agent_orchestrator.stores.sql.agents import Agents

        return Agents(self._connections)

    @cached_property
    def events(self) -> "Events":
        """The log."""
        from agent_orchestrator.stores.sql.events import Events

        return Events(self._connections)

    @cached_property
    def holds(self) -> "Holds":
        """Providers that wait."""
        from agent_orchestrator.stores.sql.holds import Holds

        return Holds(self._connections)

    @cached_property
    def messages(self) -> "Messages":
        """Messages."""
        from agent_orchestrator.stores.sql.messages import Messages

        return Messages(self._connections)

    @cached_property
    def context(self) -> "Context":
        """What agents share."""
        from agent_orchestrator.stores.sql.context import Context

        return Context(self._connections)

    @cached_property
    def plans(self) -> "Plans":
        """Plans."""
        from agent_orchestrator.stores.sql.plans import Plans

        return Plans(self._connections)

    @cached_property
    def replans(self) -> "Replans":
        """Wished changes of plans that are worked on."""
        from agent_orchestrator.stores.sql.replans import Replans

        return Replans(self._connections)

    @cached_property
    def budgets(self) -> "Budgets":
        """Ceilings on spend."""
        from agent_orchestrator.stores.sql.budgets import Budgets

        return Budgets(self._connections)

    @cached_property
    def leadership(self) -> "LeadershipTerms":
        """The supervisor's terms."""
        from agent_orchestrator.stores.sql.leadership import LeadershipTerms

        return LeadershipTerms(self._connections)

    def draw_token(self) -> Token:
        """Return the next fencing token. Only inside a transaction."""
        row = self._connections.row("UPDATE sequences SET value = value + 1 WHERE name = 'token' RETURNING value")
        assert row is not None
        return Token(row["value"])

    def damage(self) -> list[str]:
        """Run SQLite's quick check and return what it finds."""
        found = [str(value) for row in self._connections.rows("PRAGMA quick_check(20)") for value in row.values()]
        return [] if found == ["ok"] else found


def _prepare(path: str) -> None:
    """Create folder and file so that only the user can read them; -wal and -shm take the file's mode."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnusable(
            f"cannot use the database {path}: {error.strerror}",
            hint="check the folder's owner and mode, or set ORCHESTRATE_DB to another place",
        ) from error


@contextmanager
def _plainly(path: str | None) -> Iterator[None]:
    """Turn the database's errors into words a person can act on, never SQL."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreUnusable(
            f"the database {path} is damaged ({error})",
            hint="move it aside; snapshots made before upgrades lie beside it as *.snapshot",
        ) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        kind = DiskFull if _is_full(path) else StoreUnusable  # the log beside it could not be made
        raise kind(
            f"the database {path} cannot be written ({error})",
            hint="check the owner and mode of the file and its folder",
        ) from error
    except (apsw.FullError, apsw.IOError) as error:
        # The shared index of the log is a file too: where it cannot grow, SQLite tells a failed write, not a full disk.
        full = isinstance(error, apsw.FullError) or getattr(error, "extendedresult", 0) in _NEEDS_ROOM or _is_full(path)
        kind = DiskFull if full else StoreUnusable
        raise kind(
            f"the disk under {path} refused a write ({error}); nothing was acknowledged",
            hint="free some space and repeat",
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreUnusable(
            f"another program kept {path} locked for {BUSY_TIMEOUT_MS // 1000} s", hint="end that program and repeat"
        ) from error


def _is_full(path: str | None) -> bool:
    try:
        from shutil import disk_usage  # 2.5 ms, which looking at a project does not pay

        return path is not None and disk_usage(os.path.dirname(path)).free < FULL_BELOW  # noqa: PTH120
    except OSError:
        return False
