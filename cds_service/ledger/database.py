"""The database, SQLite or PostgreSQL: takes what the journals hand over, each entry once, and is asked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.decision.records import DecisionRecord, FeedbackEntry, FeedbackRecord, SealedComment
from cds_service.decision.snooze import Override
from cds_service.errors import LedgerError
from cds_service.ledger.database_url import READS_ONLY
from cds_service.ledger.journal import Entry
from cds_service.ledger.sqlite_files import empty_write_ahead_log
from cds_service.ledger.tables import OF_AN_ENTRY, call, card, comment, delivery, feedback

CALL: Final = "call"
FEEDBACK: Final = "feedback"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATING, _DELIVERING = 0x46444C47, 0x46444C48  # PostgreSQL's locks for the one process that does it
_ONE_MIGRATES: Final = Lock()  # Alembic's context is one for the whole process
_FAULTS_OF_VALUES: Final = ("22", "23", "54")  # SQLSTATE: data exception, constraint violated, program limit exceeded
_OF_AN_OVERRIDE: Final = [one.name for one in fields(Override) if one.name != "at"]
_STANDING: Final = ("outcome", "outcome_at", "said", "reason_system", "reason_code", "accepted_suggestions")
_COUNTED: Final = {"preserve_rowcount": True}  # else PostgreSQL tells no number for an insert
_AT_ONCE: Final = 400  # values in one query: SQLite allows 999

logging.getLogger("alembic").setLevel(logging.WARNING)  # a start is no news

_CALL = msgspec.json.Decoder(DecisionRecord)
_FEEDBACK = msgspec.json.Decoder(FeedbackRecord)


class UndeliverableError(LedgerError):
    """An entry that no attempt will bring into the database."""


class Database:
    """Holds the ledger's tables. Safe to use from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        """``engine`` connects on first use: the database may be down when the service starts."""
        self.engine = engine
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._insert = postgresql.insert if self._is_postgresql else sqlite.insert
        self._is_migrated = False

    def migrate(self) -> None:
        """Bring the tables to this release's shape, once. Raises sqlalchemy.exc.SQLAlchemyError."""
        if self._is_migrated:
            return
        with _ONE_MIGRATES, self.engine.begin() as connection:
            if self._is_postgresql:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        self._is_migrated = True

    # ---- taking over what the journals hold

    def deliver(self, journal: str, entries: Sequence[Entry]) -> None:
        """Take over entries of a journal, in order, all or none; those that are here already change nothing.

        Raises UndeliverableError where an entry is at fault, sqlalchemy.exc.SQLAlchemyError where the database is.
        """
        self.migrate()
        with self._delivering() as connection:
            reached = self._reached(connection, journal)
            fresh = [entry for entry in entries if entry.seq > reached]
            for kind, some in groupby(fresh, key=lambda entry: entry.kind):
                self._apply(connection, kind, [entry.body for entry in some])
            if fresh:
                _move_on(connection, journal, reached, fresh[-1].seq)

    def skip(self, journal: str, up_to: int) -> None:
        """Pass over an entry that was set aside."""
        with self._delivering() as connection:
            reached = self._reached(connection, journal)
            if up_to > reached:
                _move_on(connection, journal, reached, up_to)

    @contextmanager
    def _delivering(self) -> Iterator[sa.Connection]:
        """A transaction that no other delivery runs beside: a card and its feedback may come by different journals."""
        with self.engine.begin() as connection:
            if self._is_postgresql:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_DELIVERING)))
            yield connection

    def _reached(self, connection: sa.Connection, journal: str) -> int:
        """How far a journal was taken over."""
        connection.execute(self._insert(delivery).values(journal=journal, seq=0).on_conflict_do_nothing())
        return int(connection.execute(sa.select(delivery.c.seq).where(delivery.c.journal == journal)).scalar_one())

    def _apply(self, connection: sa.Connection, kind: str, bodies: list[bytes]) -> None:
        try:
            if kind == CALL:
                _apply_calls(connection, [_CALL.decode(body) for body in bodies])
            elif kind == FEEDBACK:
                for body in bodies:
                    self._apply_feedback(connection, _FEEDBACK.decode(body))
            else:
                raise UndeliverableError("an entry of a kind that this release does not know")
        except msgspec.MsgspecError as error:
            raise UndeliverableError(f"an entry that does not fit: {type(error).__name__}") from None
        except sa.exc.StatementError as error:
            if _is_of_the_entry(error):
                raise UndeliverableError(f"an entry that does not fit: {type(error).__name__}") from None
            raise

    def _apply_feedback(self, connection: sa.Connection, record: FeedbackRecord) -> None:
        for entry in record.entries:
            row = _feedback_row(record, entry)
            written = self._insert(feedback).values(row).on_conflict_do_nothing()
            kept = connection.execute(written, execution_options=_COUNTED)
            if kept.rowcount:
                _let_stand(connection, record.client, entry.card, row)
            if entry.comment is not None:
                first = row["received_at"] if kept.rowcount else _first_arrival(connection, row)
                self._keep_comment(connection, row, entry.comment, first)

    def _keep_comment(
        self, connection: sa.Connection, row: dict[str, Any], sealed: SealedComment, first: datetime
    ) -> None:
        """Keep what the user wrote with an entry: of several, that of the report which was received last.

        Its time counts from the first arrival of the entry, so that a repeat neither prolongs it nor brings it back.
        """
        expires_at = first + timedelta(days=sealed.keep_days)
        if row["received_at"] >= expires_at:
            return
        content = {"received_at": row["received_at"], "expires_at": expires_at, "secret": sealed.secret.encode()}
        written = self._insert(comment).values({name: row[name] for name in OF_AN_ENTRY} | content)
        is_later = comment.c.received_at <= row["received_at"]
        connection.execute(written.on_conflict_do_update(index_elements=OF_AN_ENTRY, set_=content, where=is_later))

    # ---- asking

    def clients_of(self, cards: Iterable[str]) -> dict[str, str]:
        """Card uuid → the client to whom it was shown, for those that are here."""
        found: dict[str, str] = {}
        with self.reading() as connection:
            for some in _in_parts(set(cards)):
                rows = connection.execute(sa.select(card.c.uuid, card.c.client).where(card.c.uuid.in_(some)))
                found.update((row.uuid, row.client) for row in rows)
        return found

    def overrides(
        self, client: str, patients: Sequence[str], recommendations: Sequence[str], since: datetime
    ) -> list[Override]:
        """The cards of these recommendations that stand dismissed for a patient, known by any of these hashes."""
        columns = (card.c[name] for name in _OF_AN_OVERRIDE)
        query = sa.select(*columns, card.c.outcome_at.label("at")).where(
            card.c.client == client,
            card.c.patient.in_(patients),
            card.c.recommendation_id.in_(recommendations),
            card.c.state == "returned",  # a dismissed list of folded ones says nothing of each
            card.c.outcome == "overridden",
            card.c.outcome_at >= since,
        )
        with self.reading() as connection:
            return [Override(**row._asdict()) for row in connection.execute(query)]

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that only reads. Raises LedgerError while the database cannot be had."""
        try:
            self.migrate()
            with self.engine.connect().execution_options(**{READS_ONLY: True}) as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"The ledger could not be read: {type(error).__name__}") from error

    def empty_write_ahead_log(self) -> None:
        """Leave nothing of what was deleted in SQLite's side file. PostgreSQL does that by itself, in its own time."""
        if not self._is_postgresql and self.engine.url.database:
            empty_write_ahead_log(Path(self.engine.url.database))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _apply_calls(connection: sa.Connection, records: Sequence[DecisionRecord]) -> None:
    """Many at once: a statement costs more than a row. A call that is here already is an IntegrityError."""
    connection.execute(sa.insert(call), [_call_row(record) for record in records])
    cards = [_card_row(record, number) for record in records for number in range(len(record.cards))]
    if not cards:
        return
    connection.execute(sa.insert(card), cards)
    for some in _in_parts({row["uuid"] for row in cards}):
        early = connection.execute(sa.select(feedback).where(feedback.c.card_uuid.in_(some))).all()
        for row in early:
            _let_stand(connection, row.client, row.card_uuid, row._asdict())


def _is_of_the_entry(error: sa.exc.StatementError) -> bool:
    """Whether it is the values that the database will never take, rather than the database that cannot be had."""
    if not isinstance(error, sa.exc.DBAPIError) or isinstance(error, sa.exc.DataError | sa.exc.IntegrityError):
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    return state[:2] in _FAULTS_OF_VALUES


def _move_on(connection: sa.Connection, journal: str, reached: int, to: int) -> None:
    """Note how far a journal was taken over. Raises where another process was faster: nothing is taken twice."""
    moved = connection.execute(
        sa.update(delivery).where(delivery.c.journal == journal, delivery.c.seq == reached).values(seq=to)
    )
    if moved.rowcount != 1:
        raise sa.exc.OperationalError("another process delivers this journal", None, Exception())


def _let_stand(connection: sa.Connection, client: str, uuid: str, row: dict[str, Any]) -> None:
    """What was reported last stands for the card; of two of the same time, the one with the greater digest."""
    is_later = sa.or_(
        card.c.outcome_at.is_(None),
        card.c.outcome_at < row["outcome_at"],
        sa.and_(
            card.c.outcome_at == row["outcome_at"],
            card.c.said < row["said"],
        ),
    )
    standing = {name: row[name] for name in _STANDING}
    connection.execute(sa.update(card).where(card.c.client == client, card.c.uuid == uuid, is_later).values(standing))


def _first_arrival(connection: sa.Connection, row: dict[str, Any]) -> datetime:
    """When an entry that is here already was received."""
    is_it = (feedback.c[name] == row[name] for name in OF_AN_ENTRY)
    first: datetime = connection.execute(sa.select(feedback.c.received_at).where(*is_it)).scalar_one()
    return first


def _call_row(record: DecisionRecord) -> dict[str, Any]:
    return {
        "client": record.client,
        "call_id": record.call_id,
        "at": record.at,
        "tenant": record.tenant,
        "service_id": record.service_id,
        "hook": record.hook,
        "hook_instance": record.hook_instance,
        "knowledge_fingerprint": record.knowledge_fingerprint,
        "outcome": record.outcome,
        "gaps": [gap._asdict() for gap in record.gaps],
        "parse_ms": record.timings.parse,
        "fetch_ms": record.timings.fetch,
        "decide_ms": record.timings.decide,
        **record.whom._asdict(),
    }


def _card_row(record: DecisionRecord, position: int) -> dict[str, Any]:
    one = record.cards[position]
    return {
        "client": record.client,
        "call_id": record.call_id,
        "position": position,
        "uuid": one.uuid,
        "at": record.at,
        "hook": record.hook,
        "recommendation_id": one.recommendation_id,
        "version": one.version,
        "indicator": one.indicator,
        "suggestion_uuids": list(one.suggestion_uuids),
        "state": one.state,
        "sides": one.sides,
        **record.whom._asdict(),
    }


def _feedback_row(record: FeedbackRecord, entry: FeedbackEntry) -> dict[str, Any]:
    accepted = json.dumps(sorted(entry.accepted_suggestions), separators=(",", ":"))
    says = (entry.outcome, accepted, entry.reason_system or "", entry.reason_code or "")
    return {
        "client": record.client,
        "card_uuid": entry.card,
        "outcome_at": entry.outcome_timestamp,
        "said": sha256("\0".join(says).encode()).hexdigest(),
        "outcome": entry.outcome,
        "accepted_suggestions": accepted,
        "reason_system": entry.reason_system or "",
        "reason_code": entry.reason_code or "",
        "service_id": record.service_id,
        "received_at": record.received_at,
    }


def _in_parts(values: set[str]) -> Iterator[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
