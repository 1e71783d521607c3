"""The ledger in one SQLite file beside the service."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cds_service.decision.records import CardRecord, DecisionRecord, FeedbackEntry, FeedbackReport
from cds_service.errors import LedgerError
from cds_service.ledger.group_writer import GroupWriter
from cds_service.ledger.row import card_from, card_rows, decision_from, decision_row, feedback_from, feedback_row
from cds_service.ledger.schema import open_for_reading, open_for_writing

_INSERT_DECISION: Final = "INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_CARD: Final = "INSERT INTO card VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_FEEDBACK: Final = "INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_IS_SHOWN: Final = "SELECT EXISTS (SELECT 1 FROM card WHERE client = ? AND uuid = ?)"
_SELECT_DECISION: Final = "SELECT * FROM decision WHERE client = ? AND call_id = ?"
_SELECT_CARDS: Final = """
    SELECT uuid, recommendation_id, version, indicator, suggestion_uuids, state
    FROM card WHERE client = ? AND call_id = ? ORDER BY position
"""
_SELECT_LATEST_FEEDBACK: Final = """
    SELECT card_uuid, outcome, outcome_timestamp, accepted_suggestions, reason_system, reason_code
    FROM feedback WHERE client = ? AND card_uuid = ? ORDER BY outcome_timestamp DESC, rowid DESC LIMIT 1
"""


class Journal:
    """Keeps decisions and feedback in one SQLite file. Several worker processes may share the file.

    It does not delete, does not aggregate, and does not check that a client is who it says: callers have done that.
    Safe to use from any thread and any event loop.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises `LedgerError` when that cannot be done."""
        self._path = path.absolute()
        self._writer = GroupWriter(open_for_writing(self._path))

    async def record(self, record: DecisionRecord) -> None:
        """Keep one call with its cards; returns after the commit that holds it.

        Raises `LedgerError` when it could not be kept, also for a call id that this client has already.
        """
        decision, cards = decision_row(record), card_rows(record)

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(_INSERT_DECISION, decision)
            if cards:
                connection.executemany(_INSERT_CARD, cards)

        await self._writer.write(insert)

    async def record_feedback(
        self, client: str, service_id: str, entries: Sequence[FeedbackEntry], received_at: datetime
    ) -> FeedbackReport:
        """Keep what users did with cards, all entries or none; an entry that is known already changes nothing.

        Feedback on a card that is not in the journal is kept too: it may overtake the record of its card.
        Raises `LedgerError` when it could not be kept.
        """
        rows = [feedback_row(client, service_id, entry, received_at) for entry in entries]

        def insert(connection: sqlite3.Connection) -> FeedbackReport:
            stored = sum(connection.execute(_INSERT_FEEDBACK, row).rowcount for row in rows)
            shown = sum(connection.execute(_IS_SHOWN, (client, entry.card)).fetchone()[0] for entry in entries)
            return FeedbackReport(stored=stored, repeated=len(rows) - stored, unknown=len(rows) - shown)

        return await self._writer.write(insert)

    async def decision_for(self, client: str, call_id: str) -> DecisionRecord | None:
        """The record of one call of a client."""
        decisions = await self._read(_SELECT_DECISION, client, call_id)
        cards = await self._read(_SELECT_CARDS, client, call_id)
        return decision_from(decisions[0], cards) if decisions else None

    async def cards_shown(self, client: str, call_id: str) -> tuple[CardRecord, ...]:
        """The cards of one call of a client, in the order of the answer; none for a call that is not known."""
        return tuple(card_from(row) for row in await self._read(_SELECT_CARDS, client, call_id))

    async def feedback_for(self, client: str, card_uuid: str) -> FeedbackEntry | None:
        """What stands for a card: the entry with the latest outcome timestamp, of equals the last to arrive."""
        rows = await self._read(_SELECT_LATEST_FEEDBACK, client, card_uuid)
        return feedback_from(rows[0]) if rows else None

    def close(self) -> None:
        """Write what is waiting, then close. Calling it again does nothing; reading stays possible."""
        self._writer.close()

    async def _read(self, query: str, *parameters: str) -> list[Any]:
        try:
            return await asyncio.to_thread(self._fetch, query, parameters)
        except sqlite3.Error as error:
            raise LedgerError(f"The ledger could not be read: {error}") from error

    def _fetch(self, query: str, parameters: tuple[str, ...]) -> list[Any]:
        with closing(open_for_reading(self._path)) as connection:
            return connection.execute(query, parameters).fetchall()
