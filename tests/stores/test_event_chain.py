"""The log is a chain: what anybody changes in it afterwards is found and named."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from agent_orchestrator.domain.event import Event
from agent_orchestrator.services.anchors import FILE, Anchors
from agent_orchestrator.stores import migrate
from agent_orchestrator.stores.sql.events import link
from agent_orchestrator.stores.sqlite import SqliteStore
from calling import Caller

NOW = datetime(2026, 11, 21, tzinfo=UTC)
COLUMNS = ("at", "type", "goal", "task", "attempt", "agent", "token", "data", "hash")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with forty events."""
    file = tmp_path / "tasks.db"
    write(SqliteStore(file), 40)
    return file


def write(store: SqliteStore, count: int) -> None:
    for number in range(count):
        store.events.append(Event(type=f"kind.{number}", at=NOW, token=None, data={"number": number, "é": None}))


def tamper(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


def test_a_log_that_nobody_touched_is_whole(path: Path) -> None:
    found = SqliteStore(path).events.check()

    assert (found.first, found.events, found.wrong) == (1, 40, "")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE events SET data = '{}' WHERE seq = 17", "event 17 (kind.16) is not what was written"),
        ("UPDATE events SET at = at + 1 WHERE seq = 40", "event 40"),
        ("UPDATE events SET hash = NULL WHERE seq = 3", "event 3"),
        ("UPDATE events SET seq = 41 WHERE seq = 40", "event 40 is gone"),
        ("DELETE FROM events WHERE seq = 9", "event 9 is gone"),
        ("DELETE FROM events WHERE seq > 38", "event 39 is gone, and all up to 40"),
        ("DELETE FROM events", "event 1 is gone, and all up to 40"),
        (
            "INSERT INTO events (at, type, data, hash) SELECT at, type, data, hash FROM events WHERE seq = 40",
            "event 41",
        ),
        ("UPDATE sequences SET value = 20 WHERE name = 'unchained_events'", "event 21"),
    ],
)
def test_what_was_changed_removed_or_put_in_is_named(path: Path, sql: str, named: str) -> None:
    tamper(path, sql)

    assert SqliteStore(path).events.check().wrong.startswith(named)


def test_whatever_is_changed_in_any_row_is_found(path: Path) -> None:
    draw = random.Random(1)
    with closing(sqlite3.connect(path)) as connection:
        for _ in range(1_000):
            seq, column = draw.randint(1, 40), draw.choice(COLUMNS)
            value = draw.choice([None, 0, "", "kind.1", "{}", draw.randint(-5, 10**13), draw.random()])
            before = connection.execute(f"SELECT {column} FROM events WHERE seq = ?", (seq,)).fetchone()[0]
            if value == before or (value is None and column in {"at", "type", "data"}):
                continue
            connection.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (value, seq))
            after = connection.execute(f"SELECT {column} FROM events WHERE seq = ?", (seq,)).fetchone()[0]
            if after != before:
                connection.commit()
                assert SqliteStore(path).events.check().wrong, (seq, column, before, value)
            connection.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (before, seq))
            connection.commit()
    assert not SqliteStore(path).events.check().wrong


def test_a_chain_that_was_computed_anew_does_not_end_where_the_anchor_says(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path)
    anchors = Anchors(store, tmp_path)
    anchors.drop(1.0)
    write(store, 3)
    anchors.drop(2.0)  # not yet: it is the same minute
    assert len((tmp_path / FILE).read_text().splitlines()) == 1
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0

    def forge(changed: Callable[[tuple[object, ...]], tuple[object, ...]]) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            previous = None
            for seq, *content, _ in connection.execute(
                f"SELECT seq, {', '.join(COLUMNS)} FROM events ORDER BY seq"
            ).fetchall():
                written = changed(tuple(content)) if seq == 30 else tuple(content)
                previous = link(previous, written)  # type: ignore[arg-type]
                connection.execute("UPDATE events SET at = ?, hash = ? WHERE seq = ?", (written[0], previous, seq))

    forge(lambda content: (1, *content[1:]))

    assert store.events.check().wrong == "", "the database alone cannot tell"
    assert anchors.check().wrong.startswith("event 40 (kind.39) or one before it was written again")
    assert anchors.check().heads == 1


def test_what_an_older_version_wrote_stays_and_the_chain_begins_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    connection = apsw.Connection(str(path))
    for file in sorted(Path(migrate.FOLDER).glob("*.sql")):
        if "event_chain" in file.name:
            break
        connection.execute(file.read_text())
        connection.pragma("user_version", int(file.name[:4]))
    connection.execute("INSERT INTO events (at, type, data) VALUES (1, 'old.one', '{}'), (2, 'old.two', '{}')")
    connection.close()

    store = SqliteStore(path)
    write(store, 2)

    found = store.events.check()
    assert (found.first, found.events, found.wrong) == (3, 2, "")
    assert [event.type for event in store.events.after()] == ["old.one", "old.two", "kind.0", "kind.1"]


def test_processes_that_write_at_once_make_one_chain(path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from datetime import UTC, datetime\n"
        "from agent_orchestrator.domain.event import Event\n"
        "from agent_orchestrator.stores.sqlite import SqliteStore\n"
        "store = SqliteStore(Path(sys.argv[1]))\n"
        "for n in range(40): store.events.append(Event(type='x', at=datetime.now(UTC), data={'n': n}))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-P", "-c", program, str(path)]) for _ in range(4)]
    assert [writer.wait(timeout=100) for writer in writers] == [0] * 4

    found = SqliteStore(path).events.check()
    assert (found.events, found.wrong) == (200, "")


def test_a_secret_in_an_event_is_taken_out_and_the_chain_is_of_what_is_written(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tasks.db", redact=lambda text: text.replace("hunter2-hunter2", "[secret]"))
    store.events.append(Event(type="said", at=NOW, data={"text": "it is hunter2-hunter2"}))

    assert store.events.after()[0].data == {"text": "it is [secret]"}
    assert store.events.check().wrong == ""


def test_a_person_and_a_program_are_told_of_a_changed_log(tmp_path: Path) -> None:
    call = Caller(tmp_path / "project", XDG_STATE_HOME=str(tmp_path / "state"))
    accepted = call("submit", "Build it", "--agent", "generalist")
    assert accepted.code == 0, accepted.err
    whole = call("events", "--check")
    assert whole.code == 0 and whole.out.startswith("whole")
    database = next((tmp_path / "state").glob("orchestrate/*/tasks.db"))

    tamper(database, "UPDATE events SET type = 'goal.cancelled' WHERE seq = 1")

    told = call("events", "--check", "--json")
    assert told.code == 1 and told.json["wrong"].startswith("event 1 (goal.cancelled) is not what was written")
    checks = call("doctor", "--json").json["checks"]
    assert next(one for one in checks if one["name"] == "events")["level"] == "fail"
