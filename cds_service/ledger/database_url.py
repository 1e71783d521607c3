"""From `CDS_DATABASE_URL` to an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from cds_service.errors import LedgerError

_EXPECTED: Final = (
    "Use sqlite:///relative/path, sqlite:////absolute/path, sqlite:// for a ledger that is gone with the process, or "
    "postgresql://user:password@host/database."
)
_CONNECT_SECONDS: Final = 5
READS_ONLY: Final = "reads_only"  # the execution option of a connection that writes nothing


def sqlite_path(database_url: str) -> Path | None:
    """The file that a SQLite URL names; None for one that names no file. Raises LedgerError for an unusable URL."""
    rest = database_url.removeprefix("sqlite://")
    path = rest.removeprefix("/")
    if not rest:
        return None
    if not rest.startswith("/") or not path or path.endswith("/") or "?" in path or path.startswith(":memory:"):
        raise LedgerError(f"The database URL names no file, or has options, which are not supported. {_EXPECTED}")
    return Path(path)


def is_sqlite(database_url: str) -> bool:
    """Whether a URL names SQLite. Raises LedgerError for one that names neither SQLite nor PostgreSQL.

    The message repeats the scheme and no more: the rest may hold a password.
    """
    scheme, separator, _ = database_url.partition("://")
    if not separator or scheme not in ("sqlite", "postgresql"):
        named = f"{scheme.partition('+')[0]} databases" if separator else "a value that is not a URL"
        raise LedgerError(f"The database URL names {named}; only SQLite and PostgreSQL are supported. {_EXPECTED}")
    return scheme == "sqlite"


def sqlite_engine(path: Path) -> sa.Engine:
    """An engine for a file; a transaction that may write waits for others that do, one that reads for nobody."""
    url = sa.URL.create("sqlite", database=str(path))  # not as text: a path may hold what a URL would read otherwise
    engine = sa.create_engine(url, connect_args={"timeout": _CONNECT_SECONDS, "isolation_level": None})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        reads_only = connection.get_execution_options().get(READS_ONLY)
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def postgresql_engine(database_url: str) -> sa.Engine:
    """An engine for a PostgreSQL server, by psycopg."""
    try:
        url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError):  # the latter quotes what it cannot read
        raise LedgerError(f"The database URL cannot be read. {_EXPECTED}") from None
    return sa.create_engine(
        url,
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": "-c statement_timeout=10000 -c lock_timeout=5000",
            "keepalives_idle": 10,
            "tcp_user_timeout": 10_000,
        },
        hide_parameters=True,
    )
