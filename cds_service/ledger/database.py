"""The database, SQLite or PostgreSQL: takes what the journals hand over, each entry once, and is asked."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.decision.records import (
    RECORD_CORRECTION,
    DecisionRecord,
    FeedbackEntry,
    FeedbackRecord,
    SealedComment,
)
from cds_service.decision.snooze import Override
from cds_service.errors import LedgerError
from cds_service.ledger import counting
from cds_service.ledger.counting import Counts
from cds_service.ledger.database_url import READS_ONLY
from cds_service.ledger.journal import Entry
from cds_service.ledger.sqlite_files import empty_write_ahead_log
from cds_service.ledger.tables import OF_AN_ENTRY, call, card, comment, delivery, feedback, figure

CALL: Final = "call"
FEEDBACK: Final = "feedback"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATING, _DELIVERING = 0x46444C47, 0x46444C48  # PostgreSQL's locks for the one process that does it
_ONE_MIGRATES: Final = Lock()  # Alembic's context is one for the whole process
_FAULTS_OF_VALUES: Final = ("22", "23", "54")  # SQLSTATE: data exception, constraint violated, program limit exceeded
_OF_AN_OVERRIDE: Final = [one.name for one in fields(Override) if one.name not in ("shown", "at")]
_STANDING: Final = ("outcome", "outcome_at", "said", "reason_system", "reason_code", "accepted_suggestions")
_KEY_OF_A_CARD: Final = ("client", "call_id", "position")
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
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
            self._add(connection, self._apply(connection, fresh))
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

    def _apply(self, connection: sa.Connection, entries: Sequence[Entry]) -> Counts:
        """Take over entries; what they add to the figures. Calls first: whatever comes first, the end is the same."""
        try:
            calls = [_CALL.decode(entry.body) for entry in entries if entry.kind == CALL]
            reports = [_FEEDBACK.decode(entry.body) for entry in entries if entry.kind == FEEDBACK]
            counts = _insert_calls(connection, calls)
            touched = {one.uuid for record in calls for one in record.cards if one.uuid}
            touched |= self._insert_feedback(connection, reports)
            counts.update(_settle(connection, touched))
        except msgspec.MsgspecError as error:
            raise UndeliverableError(f"an entry that does not fit: {type(error).__name__}") from None
        except sa.exc.StatementError as error:
            if _is_of_the_entry(error):
                raise UndeliverableError(f"an entry that does not fit: {type(error).__name__}") from None
            raise
        if len(calls) + len(reports) < len(entries):
            raise UndeliverableError("an entry of a kind that this release does not know")
        return counts

    def _insert_feedback(self, connection: sa.Connection, records: Sequence[FeedbackRecord]) -> set[str]:
        """Keep what was reported, a repeat once; the cards it is about."""
        entries = [(_feedback_row(record, entry), entry.comment) for record in records for entry in record.entries]
        if entries:
            connection.execute(self._insert(feedback).on_conflict_do_nothing(), [row for row, _ in entries])
        for row, sealed in entries:
            if sealed is not None:
                self._keep_comment(connection, row, sealed)
        return {row["card_uuid"] for row, _ in entries}

    def _keep_comment(self, connection: sa.Connection, row: dict[str, Any], sealed: SealedComment) -> None:
        """Keep what the user wrote with an entry: of several, that of the report which was received last.

        Its time counts from the first arrival of the entry, so that a repeat neither prolongs it nor brings it back.
        """
        expires_at = _first_arrival(connection, row) + timedelta(days=sealed.keep_days)
        if row["received_at"] >= expires_at:
            return
        content = {"received_at": row["received_at"], "expires_at": expires_at, "secret": sealed.secret.encode()}
        written = self._insert(comment).values({name: row[name] for name in OF_AN_ENTRY} | content)
        is_later = comment.c.received_at <= row["received_at"]
        connection.execute(written.on_conflict_do_update(index_elements=OF_AN_ENTRY, set_=content, where=is_later))

    def _add(self, connection: sa.Connection, counts: Counts) -> None:
        """Add to what is counted already."""
        rows = [{**key._asdict(), "count": count} for key, count in sorted(counts.items()) if count]
        if rows:
            insert = self._insert(figure)
            add = {"count": figure.c.count + insert.excluded.count}
            connection.execute(insert.on_conflict_do_update(index_elements=list(figure.primary_key), set_=add), rows)

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
        """The cards of these recommendations that stand dismissed for a patient, known by any of these hashes.

        An offer to correct the record is among them also where it was accepted.
        """
        columns = (card.c[name] for name in _OF_AN_OVERRIDE)
        query = sa.select(*columns, card.c.at.label("shown"), card.c.outcome_at.label("at")).where(
            card.c.client == client,
            card.c.patient.in_(patients),
            card.c.recommendation_id.in_(recommendations),
            card.c.state == "returned",  # a dismissed list of folded ones says nothing of each
            card.c.outcome.in_(("overridden", "accepted")),  # by the index: most cards of a patient have no outcome
            sa.or_(card.c.outcome == "overridden", card.c.recommendation_id == RECORD_CORRECTION),
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


def _insert_calls(connection: sa.Connection, records: Sequence[DecisionRecord]) -> Counts:
    """Keep calls and their cards; what they add to the figures. A call that is here already is an IntegrityError."""
    counts: Counts = Counter()
    for record in records:
        counts.update(counting.of_call(record))
    cards = [_card_row(record, number) for record in records for number in range(len(record.cards))]
    if records:
        connection.execute(sa.insert(call), [_call_row(record) for record in records])
    if cards:
        connection.execute(sa.insert(card), cards)
    return counts


def _settle(connection: sa.Connection, uuids: set[str]) -> Counts:
    """Let what was reported last stand for each card; of two of the same time, the one with the greater digest.

    What that changes in the figures is returned. A card or a report that is not here yet is settled when it comes.
    """
    counts: Counts = Counter()
    changes = []
    for some in _in_parts(uuids):
        told = sa.select(feedback).where(feedback.c.card_uuid.in_(some))
        rows = connection.execute(told.order_by(feedback.c.outcome_at, feedback.c.said)).mappings()
        last = {(row["client"], row["card_uuid"]): {name: row[name] for name in _STANDING} for row in rows}
        if not last:
            continue
        for row in connection.execute(sa.select(card).where(card.c.uuid.in_(some))).mappings():
            before: dict[str, Any] = dict(row)
            standing = last.get((before["client"], before["uuid"]), before)
            if _rank(standing) > _rank(before):
                counts.update(counting.of_change(before, before | standing))
                changes.append({f"of_{name}": before[name] for name in _KEY_OF_A_CARD} | standing)
    if changes:
        this = (card.c[name] == sa.bindparam(f"of_{name}") for name in _KEY_OF_A_CARD)
        connection.execute(sa.update(card).where(*this), changes)
    return counts


def _rank(standing: dict[str, Any]) -> tuple[datetime, str]:
    """By this the last report is found: when it was done, then its digest."""
    return (standing["outcome_at"], standing["said"]) if standing["outcome_at"] else (_NEVER, "")


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


def _first_arrival(connection: sa.Connection, row: dict[str, Any]) -> datetime:
    """When an entry that is here was received first."""
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
