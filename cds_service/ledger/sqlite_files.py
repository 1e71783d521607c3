"""The SQLite files of the ledger: the journal's, and that of a SQLite database. Nobody else can read them."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from cds_service.errors import LedgerError

APPLICATION_ID: Final = 0x46444A4C  # "FDJL" in the file's header: this SQLite file is a journal of ours
LEDGER_ID: Final = 0x46444C32  # "FDL2": this SQLite file is a ledger of ours, its tables are made by Alembic
SCHEMA_VERSION: Final = 1  # in the file's user_version
BUSY_SECONDS: Final = 5.0  # how long to wait for another process that is writing

_TABLES: Final = (
    "CREATE TABLE journal (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)",
    # AUTOINCREMENT: a number is never given twice, also not after its entry is gone
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE set_aside (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL)",
)


def open_journal_file(path: Path) -> sqlite3.Connection:
    """The connection of the one writer, to a file that is there, ours, of this version and in WAL mode.

    A commit in WAL mode with `synchronous=NORMAL` outlives the death of the process at once, and a power cut from the
    next checkpoint on. Raises `LedgerError` when the file cannot be had or is something else.
    """
    try:
        _create_private_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"The journal {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise LedgerError(f"The journal {path} cannot be opened: {error}") from error
    except LedgerError:
        connection.close()
        raise
    return connection


def claim_ledger_file(path: Path) -> None:
    """Make the file of a SQLite database, or see that it is a ledger of this release. Raises LedgerError."""
    try:
        _create_private_file(path)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            if application_id == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.execute(f"PRAGMA application_id = {LEDGER_ID}")
            elif application_id != LEDGER_ID:
                raise LedgerError(f"{path} is a SQLite file, but not a ledger of this release: move it away.")
            connection.execute("COMMIT")
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"The ledger {path} cannot be opened: {error}") from error


def empty_write_ahead_log(path: Path) -> None:
    """Bring what a write-ahead log holds into its file, and empty it: it has pages as they were before a deletion.

    Where somebody reads or writes for longer than a moment it is left for the next time. Raises `LedgerError`.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=1.0, uri=True)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise LedgerError(f"The write-ahead log of {path} cannot be emptied: {error}") from error


def _create_private_file(path: Path) -> None:
    """Make the file, and its folder if need be, readable by nobody else; SQLite gives its side files the same mode."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is ours or empty, switch it to WAL and create what is missing."""
    is_new = _is_new(connection, path)
    if _write_ahead(connection) != "wal":
        raise LedgerError(f"The journal {path} is on a file system where SQLite cannot keep a write-ahead log.")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    if is_new:
        _create_tables(connection, path)


def _write_ahead(connection: sqlite3.Connection) -> str:
    """Switch the file to WAL; returns its mode then. SQLite itself does not wait for another that does so too."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)


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
    """Whether the file is still empty. Raises `LedgerError` if it is something else than a journal of this version."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    table_count = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (application_id, version, table_count) == (0, 0, 0):
        return True
    if application_id != APPLICATION_ID:
        raise LedgerError(f"{path} is a SQLite file, but not a journal of this service.")
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"The journal {path} has schema version {version}; this release reads version {SCHEMA_VERSION}."
        )
    return False
