"""The tables of the journal, and how its file is opened.

Every table has the client in its key: what one EHR sends never meets what another was shown.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from cds_service.errors import LedgerError

APPLICATION_ID: Final = 0x46444C47  # "FDLG" in the file's header: this SQLite file is a foot drop ledger
SCHEMA_VERSION: Final = 1  # in the file's user_version; a migration reads it
BUSY_SECONDS: Final = 5.0  # how long to wait for another worker process that is writing

_TABLES: Final = (
    """
    CREATE TABLE decision (
        client TEXT NOT NULL,
        call_id TEXT NOT NULL,
        at TEXT NOT NULL,
        service_id TEXT NOT NULL,
        hook TEXT NOT NULL,
        hook_instance TEXT NOT NULL,
        knowledge_fingerprint TEXT NOT NULL,
        outcome TEXT NOT NULL,
        gaps TEXT NOT NULL,
        duration_ms REAL NOT NULL,
        PRIMARY KEY (client, call_id)
    )
    """,
    """
    CREATE TABLE card (
        client TEXT NOT NULL,
        call_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        uuid TEXT NOT NULL,
        recommendation_id TEXT NOT NULL,
        version TEXT NOT NULL,
        indicator TEXT NOT NULL,
        suggestion_uuids TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('returned', 'folded')),
        PRIMARY KEY (client, call_id, position)
    )
    """,
    "CREATE INDEX card_by_uuid ON card (client, uuid)",
    # An absent reason is '': in a key, SQLite takes every NULL for a different one.
    """
    CREATE TABLE feedback (
        client TEXT NOT NULL,
        card_uuid TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'overridden')),
        outcome_timestamp TEXT NOT NULL,
        accepted_suggestions TEXT NOT NULL,
        reason_system TEXT NOT NULL,
        reason_code TEXT NOT NULL,
        service_id TEXT NOT NULL,
        received_at TEXT NOT NULL,
        PRIMARY KEY (client, card_uuid, outcome, outcome_timestamp, accepted_suggestions, reason_system, reason_code)
    )
    """,
)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The connection of the one writer, to a file that is there, ours, of this version and in WAL mode.

    A commit in WAL mode with `synchronous=NORMAL` outlives the death of the process at once, and a power cut from the
    next checkpoint on. Raises `LedgerError` when the file cannot be had or is something else.
    """
    try:
        _create_private_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"The ledger {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise LedgerError(f"The ledger {path} cannot be opened: {error}") from error
    except LedgerError:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Readers do not hold up the writer."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _create_private_file(path: Path) -> None:
    """Make the file, and its folder if need be, readable by nobody else; SQLite gives its side files the same mode."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is ours or empty, switch it to WAL and create what is missing."""
    is_new = _is_new(connection, path)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(f"The ledger {path} is on a file system where SQLite cannot keep a write-ahead log.")
    connection.execute("PRAGMA synchronous = NORMAL")
    if is_new:
        _create_tables(connection, path)


def _create_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables, unless another worker process has done so in the meantime."""
    connection.execute("BEGIN IMMEDIATE")
    if _is_new(connection, path):
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is still empty. Raises `LedgerError` if it is not empty and not a ledger of this version."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    table_count = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (application_id, version, table_count) == (0, 0, 0):
        return True
    if application_id != APPLICATION_ID:
        raise LedgerError(f"{path} is a SQLite file, but not a ledger of this service.")
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {path} has schema version {version}; this release reads version {SCHEMA_VERSION}."
        )
    return False
