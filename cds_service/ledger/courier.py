"""The thread that takes entries from the journal to the database: in order, each once, for as long as it takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Final

from cds_service.ledger.database import Database, UndeliverableError
from cds_service.ledger.journal import Entry, Journal
from cds_service.ledger.upkeep import expire, purge

_AT_ONCE: Final = 200
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_HANGS_AFTER: Final = 15.0
_LINGER: Final = 0.02  # many at once cost less than one by one
_A_DAY: Final = 86_400.0
_LOG = logging.getLogger("cds_service.ledger")


class Courier:
    """Delivers while there is something to deliver."""

    def __init__(self, journal: Journal, database: Database, keep: timedelta | None = None) -> None:
        """Starts with ``start``. Once a day, comments whose time is over go, and all that is older than ``keep``."""
        self._keep = keep
        self._looked_after_at = -_A_DAY
        self._journal = journal
        self._database = database
        self._called = Event()
        self._end = False
        self._asking_since: float | None = None
        self._cannot = False
        self._thread = Thread(target=self._run, name="ledger-courier", daemon=True)

    @property
    def is_stuck(self) -> bool:
        """Whether the database cannot be had: it fails, or an attempt hangs."""
        since = self._asking_since
        hangs = since is not None and time.monotonic() - since > _HANGS_AFTER
        return self._cannot or (hangs and self._journal.depth > 0)  # a long purge alone holds up nobody

    def start(self) -> None:
        """Begin, with what an earlier process left in the journal."""
        self._called.set()
        self._thread.start()

    def call(self) -> None:
        """There is something to deliver."""
        self._called.set()

    def stop(self, timeout: float) -> None:
        """Deliver what can be delivered at once, and end. What stays waits in the journal."""
        self._end = True
        self._called.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        """An entry or not, the first round makes the tables."""
        pause = 0.0
        while True:
            self._called.wait(pause or self._seconds_to_looking_after)
            if not self._end:
                time.sleep(_LINGER)
            self._called.clear()
            try:
                with self._asking():
                    self._database.migrate()
                while self._deliver_some():
                    pass
                self._look_after()
                pause = 0.0
                self._note(stuck=False)
            except Exception as error:  # noqa: BLE001  # the thread must live on: what it does not deliver only waits
                pause = min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
                self._note(stuck=True, error=error)
            if self._end:
                return

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """The database is being asked: whoever looks sees for how long."""
        self._asking_since = time.monotonic()
        try:
            yield
        finally:
            self._asking_since = None

    def _deliver_some(self) -> bool:
        """Deliver the entries that have waited longest; False if there are none."""
        entries = self._journal.take(_AT_ONCE)
        if not entries:
            return False
        with self._asking():
            try:
                self._database.deliver(self._journal.id, entries)
            except UndeliverableError:
                self._deliver_one_by_one(entries)
        self._journal.forget(entries[-1].seq)
        return True

    def _deliver_one_by_one(self, entries: list[Entry]) -> None:
        """One entry cannot be taken: the others can, and it is set aside."""
        for entry in entries:
            try:
                self._database.deliver(self._journal.id, [entry])
            except UndeliverableError as error:
                _LOG.error("an entry of the journal was set aside: %s", error)
                self._journal.set_aside([entry])
                self._database.skip(self._journal.id, entry.seq)

    @property
    def _seconds_to_looking_after(self) -> float:
        return max(self._looked_after_at + _A_DAY - time.monotonic(), 0.0)

    def _look_after(self) -> None:
        """Once a day, and again soon where it fails: let go of what has been kept long enough."""
        if self._seconds_to_looking_after > 0:
            return
        now = datetime.now(UTC)
        with self._asking():
            if expired := expire(self._database, now):
                _LOG.info("comments deleted from the ledger, their time being over: %d", expired)
            if self._keep is not None:
                _LOG.info("purged from the ledger: %s", purge(self._database, now - self._keep))
        self._journal.empty_write_ahead_log()
        self._looked_after_at = time.monotonic()

    def _note(self, *, stuck: bool, error: Exception | None = None) -> None:
        if stuck and not self._cannot:
            _LOG.error("the ledger's database cannot be had: %s; the journal keeps what comes", type(error).__name__)
        if not stuck and self._cannot:
            _LOG.warning("the ledger's database is back")
        self._cannot = stuck
