"""The ledger: a journal beside the service, a database behind it, and a courier between the two."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from cds_service.decision.insight import Figures
from cds_service.decision.records import DecisionRecord, FeedbackEntry, FeedbackRecord, FeedbackReport
from cds_service.decision.snooze import Override
from cds_service.errors import ForbiddenError, LedgerError
from cds_service.ledger.courier import Courier
from cds_service.ledger.database import CALL, FEEDBACK, Database
from cds_service.ledger.database_url import is_sqlite, postgresql_engine, sqlite_engine, sqlite_path
from cds_service.ledger.figures import LedgerFigures
from cds_service.ledger.journal import Journal
from cds_service.ledger.pseudonyms import Pseudonymizer, random_pseudonyms, read_pseudonyms
from cds_service.ledger.sqlite_files import claim_ledger_file

_ENCODE: Final = msgspec.json.Encoder().encode
_LAST_DELIVERY: Final = 5.0
_LOOK_UP_SECONDS: Final = 0.5
_RECENT_CARDS: Final = 10_000


class Ledger:
    """Keeps calls and feedback. Holds nothing of the patient or the user but keyed hashes, and comments encrypted."""

    def __init__(
        self, journal: Journal, database: Database, folder: Path | None = None, keep: timedelta | None = None
    ) -> None:
        """``folder``, that of a ledger which nobody keeps, is removed in the end. ``keep``: how long rows stay."""
        self.journal = journal
        self.database = database
        self.courier = Courier(journal, database, keep)
        self._figures = LedgerFigures(database)
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._folder = folder
        self.courier.start()

    async def record(self, record: DecisionRecord) -> None:
        """Keep a call; returns when it is safe from a crash of this process. Raises LedgerError, JournalFullError."""
        _require_time_zones(record.at)
        await self.journal.append(CALL, _ENCODE(record))
        self.courier.call()
        for card in record.cards:  # feedback may come before the courier has gone
            if card.uuid:
                self._recent[card.uuid] = record.client
        while len(self._recent) > _RECENT_CARDS:
            self._recent.popitem(last=False)

    async def record_feedback(
        self, client: str, service_id: str, entries: Sequence[FeedbackEntry], received_at: datetime
    ) -> FeedbackReport:
        """Keep what users did with cards; the same report twice is one.

        Raises ForbiddenError, and keeps nothing, where a card was shown to another client; LedgerError.
        """
        _require_time_zones(received_at, *(entry.outcome_timestamp for entry in entries))
        owners, looked_up = await self._owners({entry.card for entry in entries})
        if any(owner != client for owner in owners.values()):
            raise ForbiddenError("card")
        if entries:
            await self.journal.append(
                FEEDBACK, _ENCODE(FeedbackRecord(client, service_id, received_at, tuple(entries)))
            )
            self.courier.call()
        return FeedbackReport(frozenset(entry.card for entry in entries) - owners.keys() if looked_up else None)

    async def _owners(self, cards: set[str]) -> tuple[dict[str, str], bool]:
        """Card → its client, for those that are known; and whether all were looked up, also in the database."""
        known = {card: self._recent[card] for card in cards if card in self._recent}
        if len(known) == len(cards):
            return known, True
        if self.courier.is_stuck:
            return known, False
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                return known | await asyncio.to_thread(self.database.clients_of, cards - known.keys()), True
        except (LedgerError, TimeoutError):
            return known, False

    async def overrides(
        self, client: str, patients: Sequence[str], recommendations: Sequence[str], since: datetime
    ) -> list[Override]:
        """The cards of these recommendations that were dismissed for a patient, as in `Database.overrides`."""
        if self.courier.is_stuck:
            raise LedgerError("the database cannot be had")
        return await asyncio.to_thread(self.database.overrides, client, patients, recommendations, since)

    @property
    def figures(self) -> Figures:
        """What `/insight` shows."""
        return self._figures

    @property
    def health(self) -> dict[str, object]:
        """How the ledger is: whether the database takes what the journal holds, and how much waits."""
        return {
            "database": "cannot be had" if self.courier.is_stuck else "up",
            "journal": {"waiting": self.journal.depth, "limit": self.journal.limit},
        }

    def close(self) -> None:
        """Deliver what can be delivered, and let go. Calling it again does nothing."""
        self.courier.stop(_LAST_DELIVERY)
        self.journal.close()
        self.database.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def open_ledger(
    database_url: str,
    journal_file: Path | None = None,
    journal_limit: int = 100_000,
    keep: timedelta | None = None,
) -> Ledger:
    """The ledger of a database URL. The journal's file stands beside a SQLite database, unless it is named.

    A PostgreSQL that cannot be had is waited for; raises LedgerError for anything that waiting will not mend.
    """
    if not is_sqlite(database_url):
        path = journal_file or Path("foot-drop-cds.journal.sqlite3")
        return Ledger(Journal(path, journal_limit), open_database(database_url), keep=keep)
    named = sqlite_path(database_url)
    folder = None if named else Path(tempfile.mkdtemp(prefix="foot-drop-cds-"))
    path = named or (folder or Path()) / "ledger.sqlite3"
    journal = Journal(journal_file or path.with_suffix(f".journal{path.suffix or '.sqlite3'}"), journal_limit)
    claim_ledger_file(path.absolute())
    database = Database(sqlite_engine(path.absolute()))
    with database.reading():  # makes the tables now, so that no call waits for that
        pass
    return Ledger(journal, database, folder, keep)


def open_database(database_url: str) -> Database:
    """The database alone, for looking after it. Raises LedgerError."""
    if not is_sqlite(database_url):
        return Database(postgresql_engine(database_url))
    path = sqlite_path(database_url)
    if path is None:
        raise LedgerError("a ledger that is gone with the process cannot be looked at from outside")
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}")
    claim_ledger_file(path.absolute())
    return Database(sqlite_engine(path.absolute()))


def open_pseudonyms(database_url: str, key_file: Path | None) -> Pseudonymizer:
    """The hashes of a ledger, by the keys of a file; for a ledger that nobody keeps by a key that nobody keeps.

    Raises LedgerError where PostgreSQL, which replicas share, is given no file for the key that they share.
    """
    if key_file is not None:
        return read_pseudonyms(key_file)
    if not is_sqlite(database_url):
        raise LedgerError("PostgreSQL needs CDS_LEDGER_KEY_FILE: every replica has to make the same hashes.")
    path = sqlite_path(database_url)
    return read_pseudonyms(path.with_suffix(".key")) if path else random_pseudonyms()


def _require_time_zones(*moments: datetime) -> None:
    if any(moment.tzinfo is None for moment in moments):
        raise ValueError("a time without a time zone names no instant")
