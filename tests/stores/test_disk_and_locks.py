"""What a machine that loses its power, and a program that keeps the database to itself, can do to the queue: little."""

import shutil
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from agent_orchestrator.domain.errors import StoreUnusable
from agent_orchestrator.domain.event import Event
from agent_orchestrator.stores import sqlite
from agent_orchestrator.stores.sqlite import SqliteStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FRAME_HEADER = 24


def record(store: SqliteStore, number: int) -> None:
    """One transaction of two rows: both are there afterwards, or neither."""
    with store.transaction():
        for half in ("first", "second"):
            store.events.append(Event(type=half, at=NOW, data={"number": number}))


def test_every_commit_is_flushed_before_it_is_acknowledged(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")

    (flushes,) = store._connections.rows("PRAGMA synchronous")
    (journal,) = store._connections.rows("PRAGMA journal_mode")
    store.close()

    assert (list(flushes.values()), list(journal.values())) == ([2], ["wal"])  # 2 is FULL


def test_a_log_that_was_cut_anywhere_holds_whole_transactions_from_the_first_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    for number in range(12):
        record(store, number)
    database, log = tmp_path / "tasks.db", tmp_path / "tasks.db-wal"
    whole = log.read_bytes()
    page = int.from_bytes(whole[8:12], "big")
    survived = []

    for cut in [
        *range(0, len(whole), (FRAME_HEADER + page) // 2),
        len(whole),
    ]:  # between two frames, and in the midst of one
        place = tmp_path / f"cut-{cut}"
        place.mkdir()
        shutil.copy(database, place)
        (place / log.name).write_bytes(whole[:cut])
        with closing(apsw.Connection(str(place / database.name))) as cut_store:
            assert cut_store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            try:
                rows = cut_store.execute("SELECT type, data FROM events ORDER BY seq").fetchall()
            except apsw.SQLError:  # the cut is before the tables were made
                rows = []
        assert [kind for kind, _ in rows] == ["first", "second"] * (len(rows) // 2)
        survived.append(len(rows) // 2)
    store.close()

    assert survived == sorted(survived)
    assert survived[-1] == 12 and len(set(survived)) >= 12


def test_a_database_that_another_program_keeps_for_a_while_is_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db")
    other = apsw.Connection(str(tmp_path / "tasks.db"))
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    release.start()

    record(store, 1)

    release.join()
    other.close()
    assert len(store.events.after()) == 2
    store.close()


def test_a_database_that_is_never_given_back_is_told_and_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteStore(tmp_path / "tasks.db").close()
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    store = SqliteStore(tmp_path / "tasks.db")
    with closing(apsw.Connection(str(tmp_path / "tasks.db"))) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StoreUnusable, match="another program kept"):
            record(store, 1)

        other.execute("ROLLBACK")
    assert store.events.after() == []
    store.close()
