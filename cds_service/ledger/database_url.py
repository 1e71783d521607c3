"""From `CDS_DATABASE_URL` to an open ledger."""

from pathlib import Path

from cds_service.errors import LedgerError
from cds_service.ledger.journal import Journal
from cds_service.ledger.memory import MemoryLedger

_EXPECTED = (
    "Use sqlite:///relative/path, sqlite:////absolute/path, or sqlite:// for a ledger that lives in memory only."
)


def open_ledger(database_url: str) -> Journal | MemoryLedger:
    """Open the ledger that `database_url` names, creating its file if there is none.

    Raises `LedgerError` for any other URL. The message repeats the scheme and no more: the rest may hold a password.
    """
    scheme, separator, rest = database_url.partition("://")
    if not separator or scheme != "sqlite":
        named = f"{scheme.partition('+')[0]} databases" if separator else "a value that is not a URL"
        raise LedgerError(
            f"The database URL names {named}; only SQLite is supported so far, PostgreSQL comes later. {_EXPECTED}"
        )
    if not rest:
        return MemoryLedger()
    path = rest.removeprefix("/")
    if not rest.startswith("/") or not path or path.endswith("/") or "?" in path or path.startswith(":memory:"):
        raise LedgerError(f"The database URL names no file, or has options, which are not supported. {_EXPECTED}")
    return Journal(Path(path))
