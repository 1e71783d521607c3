"""The local journal: what was acknowledged and is not in the database yet, in one SQLite file beside the service.

Everything that the ledger keeps goes through it, whether the database is up or down: an entry is committed here before
its call is acknowledged, is taken over by the database in order, and is forgotten only then. So the death of this
process loses nothing, and the database's speed and failures never reach the clinician.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from cds_service.errors import JournalFullError
from cds_service.ledger.group_writer import GroupWriter
from cds_service.ledger.sqlite_files import empty_write_ahead_log, open_journal_file

_TAKE: Final = "SELECT seq, kind, body FROM entry ORDER BY seq LIMIT ?"


class Entry(NamedTuple):
    """One entry: its number, which only grows, its kind, and the record as JSON."""

    seq: int
    kind: str
    body: bytes


class Journal:
    """An outbox with group commits. Several processes may share one file; each entry is delivered once all the same.

    Safe to use from any thread and any event loop.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """Open or create the file; ``limit`` is the most entries that may wait. Raises LedgerError."""
        self._path = path.absolute()
        connection = open_journal_file(self._path)
        self.id = _id_of(connection)
        self.limit = limit
        self._stored = _count(connection)
        self._on_their_way = 0
        self._counting = Lock()
        self._writer = GroupWriter(connection)

    @property
    def depth(self) -> int:
        """How many entries wait."""
        return self._stored

    async def append(self, kind: str, body: bytes) -> None:
        """Keep an entry; returns after the commit that holds it. Raises JournalFullError, LedgerError."""
        with self._counting:
            if self._stored + self._on_their_way >= self.limit:
                raise JournalFullError
            self._on_their_way += 1

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO entry (kind, body) VALUES (?, ?)", (kind, body))

        await self._writer.write(insert, self._count_stored, self._count_lost)

    def _count_stored(self, _: None) -> None:
        with self._counting:
            self._stored += 1
            self._on_their_way -= 1

    def _count_lost(self) -> None:
        with self._counting:
            self._on_their_way -= 1

    def take(self, most: int) -> list[Entry]:
        """The entries that have waited longest."""
        return [Entry(*row) for row in self._writer.write_and_wait(lambda c: c.execute(_TAKE, (most,)).fetchall())]

    def forget(self, up_to: int) -> None:
        """Let go of the entries up to this number: the database has them."""

        def delete(connection: sqlite3.Connection) -> int:
            connection.execute("DELETE FROM entry WHERE seq <= ?", (up_to,))
            return _count(connection)

        def note(left: int) -> None:
            with self._counting:
                self._stored = left

        self._writer.write_and_wait(delete, note)

    def set_aside(self, entries: Sequence[Entry]) -> None:
        """Keep entries that the database will never take where they hold up nobody."""
        rows = [(entry.seq, entry.kind, entry.body) for entry in entries]
        self._writer.write_and_wait(
            lambda connection: connection.executemany("INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?)", rows)
        )

    def count_set_aside(self) -> int:
        """How many entries were set aside."""
        return int(self._writer.write_and_wait(lambda c: c.execute("SELECT count(*) FROM set_aside").fetchone()[0]))

    def empty_write_ahead_log(self) -> None:
        """Leave nothing of what was forgotten in the side file. Raises LedgerError."""
        empty_write_ahead_log(self._path)

    def close(self) -> None:
        """Write what was handed over, then close. Calling it again does nothing."""
        self._writer.close()


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])


def _id_of(connection: sqlite3.Connection) -> str:
    """The name under which the database knows how far this journal was taken over."""
    connection.execute("INSERT OR IGNORE INTO journal (one, id) VALUES (1, ?)", (str(uuid.uuid4()),))
    return str(connection.execute("SELECT id FROM journal").fetchone()[0])
