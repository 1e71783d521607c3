"""Looking after the ledger: what it holds in numbers, what it holds line by line, and letting go of what is old."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from cds_service.errors import LedgerError
from cds_service.ledger.database import Database
from cds_service.ledger.tables import OF_AN_ENTRY, call, card, comment, feedback

_TIMES: Final = ((call, call.c.at), (card, card.c.at), (feedback, feedback.c.received_at))
_WITH_COMMENTS: Final = (*_TIMES, (comment, comment.c.outcome_at))
_HAS_NO_ENTRY: Final = ~sa.exists().where(*(feedback.c[name] == comment.c[name] for name in OF_AN_ENTRY))
_AT_ONCE: Final = 1000


def stats(database: Database) -> dict[str, Any]:
    """How many calls, cards, reports and comments there are, from when to when."""
    found: dict[str, Any] = {}
    with database.reading() as connection:
        for table, when in _WITH_COMMENTS:
            count, first, last = connection.execute(
                sa.select(sa.func.count(), sa.func.min(when), sa.func.max(when))
            ).one()
            found[table.name] = {
                "rows": count,
                "first": first.isoformat() if first else None,
                "last": last.isoformat() if last else None,
            }
    return found


def export(database: Database, since: datetime | None = None) -> Iterator[str]:
    """Every row as a line of JSON with the name of its table, the oldest first. Comments are left out."""
    with database.reading() as connection:
        for table, when in _TIMES:
            query = sa.select(table).order_by(when)
            if since is not None:
                query = query.where(when >= since)
            for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
                yield json.dumps({"table": table.name, **row._asdict()}, default=_as_text)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def purge(database: Database, before: datetime) -> dict[str, int]:
    """Delete what is older, a comment with its report; how many rows of each table. Raises LedgerError."""
    with _deleting(database) as connection:
        gone = {
            table.name: int(connection.execute(sa.delete(table).where(when < before)).rowcount)
            for table, when in _TIMES
        }
        gone[comment.name] = int(connection.execute(sa.delete(comment).where(_HAS_NO_ENTRY)).rowcount)
        return gone


def expire(database: Database, at: datetime) -> int:
    """Delete the comments whose time is over; how many. Raises LedgerError."""
    with _deleting(database) as connection:
        return int(connection.execute(sa.delete(comment).where(comment.c.expires_at <= at)).rowcount)


@contextmanager
def _deleting(database: Database) -> Iterator[sa.Connection]:
    """A transaction after which nothing of what it deleted is left lying about, as far as that is in our hands."""
    try:
        database.migrate()
        with database.engine.begin() as connection:
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise LedgerError(f"The ledger could not be purged: {type(error).__name__}") from error
    database.empty_write_ahead_log()
