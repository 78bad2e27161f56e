"""Numbered migrations, applied once, under a lock, after a snapshot.

The schema's version is SQLite's own ``user_version``. A file newer than this
program is refused rather than guessed at.
"""

import os

import apsw

from agent_orchestrator.domain.errors import StoreUnusable

FOLDER = os.path.join(os.path.dirname(__file__), "schema", "sqlite")  # noqa: PTH118, PTH120  see places.py
LATEST = 7
"""The highest number in the folder; a test compares. Kept as a constant so that a start reads no folder."""


def upgrade(connection: apsw.Connection, path: str | None) -> None:
    """Bring the database to the latest schema.

    Several processes may call this at once: the first upgrades, the others find nothing left to do. Before an
    existing schema is changed, a snapshot is written beside the file.

    Raises:
        StoreUnusable: the file was written by a newer version.
    """
    version = connection.pragma("user_version")
    if version == LATEST:
        return
    if version > LATEST:
        raise StoreUnusable(
            f"the database {path} was written by a newer version (schema {version}, this program knows {LATEST})",
            hint="upgrade agent-orchestrator, or set ORCHESTRATE_DB to another file",
        )
    from pathlib import Path

    if version > 0 and path is not None:
        snapshot = Path(f"{path}.v{version}.snapshot")
        if not snapshot.exists():
            connection.execute("VACUUM INTO ?", (str(snapshot),))
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for file in sorted(Path(FOLDER).glob("*.sql")):
            number = int(file.name.split("_", 1)[0])
            if number > connection.pragma("user_version"):
                connection.execute(file.read_text(encoding="utf-8"))
                connection.pragma("user_version", number)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
