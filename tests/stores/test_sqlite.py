"""What only the SQLite store promises: its file, its modes, its upgrades, and plain words for what goes wrong."""

import os
import resource
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import apsw
import pytest

from agent_orchestrator.domain.errors import StoreUnusable
from agent_orchestrator.stores import migrate
from agent_orchestrator.stores.sqlite import SqliteStore


def test_the_latest_schema_number_is_the_highest_file() -> None:
    assert max(int(file.name.split("_")[0]) for file in Path(migrate.FOLDER).glob("*.sql")) == migrate.LATEST


def test_only_the_user_can_read_the_database(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state" / "tasks.db")
    with store.transaction():
        store.draw_token()

    for path in (tmp_path / "state", *(tmp_path / "state").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    store.close()


def test_looking_at_an_untouched_project_leaves_no_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state" / "tasks.db", create=False)

    assert store.goals.list() == []
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_what_was_shared_before_there_were_versions_is_kept_by_the_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    connection = apsw.Connection(str(path))
    connection.execute((Path(migrate.FOLDER) / "0001_start.sql").read_text())
    connection.execute(
        "INSERT INTO shared VALUES ('g1', 'api', 'a', '{\"port\": 1}', 5), ('g1', 'results/b', 'b', '2', 6)"
    )
    connection.pragma("user_version", 1)
    connection.close()

    store = SqliteStore(path)

    found = [(one.address, one.version, one.author, one.value, one.by_user) for one in store.context.newest("g1")]
    assert found == [("api", 1, "a", {"port": 1}, False), ("results/b", 1, "b", 2, False)]
    assert (tmp_path / "tasks.db.v1.snapshot").exists()
    store.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("user_version", migrate.LATEST + 1)
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreUnusable, match="newer version"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is not a database at all, only text " * 40, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_file_is_told_in_plain_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tasks.db"
    path.write_bytes(content)

    with pytest.raises(StoreUnusable, match="damaged") as told:
        SqliteStore(path)
    assert "SELECT" not in str(told.value)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnusable, match="cannot use the database"):
        SqliteStore(tmp_path / "file" / "tasks.db")


def test_a_read_only_file_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write read-only files")
    store = SqliteStore(tmp_path / "tasks.db")
    store.close()
    for file in tmp_path.iterdir():
        file.chmod(0o400)

    with pytest.raises(StoreUnusable, match="cannot be written"):
        read_only = SqliteStore(tmp_path / "tasks.db")
        with read_only.transaction():
            read_only.draw_token()


def test_a_full_disk_refuses_the_write_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    program = textwrap.dedent(
        """
        import resource, signal, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from agent_orchestrator.domain.errors import StoreUnusable
        from agent_orchestrator.domain.event import Event
        from agent_orchestrator.stores.sqlite import SqliteStore
        store = SqliteStore(Path(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        acknowledged = 0
        try:
            while True:
                with store.transaction():
                    store.events.append(Event(type="x", at=datetime.now(UTC), data={"pad": "x" * 20_000}))
                acknowledged += 1
        except StoreUnusable as error:
            print(acknowledged, error.message)
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120, check=True
    )

    acknowledged, message = ran.stdout.split(" ", 1)
    assert "refused a write" in message
    assert int(acknowledged) > 0
    store = SqliteStore(path)
    assert len(store.events.after(limit=10_000)) == int(acknowledged)
    store.close()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 600_000  # the limit was the child's own
