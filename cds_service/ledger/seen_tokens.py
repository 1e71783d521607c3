"""Which client tokens were seen, in the ledger's database: the memory that all processes share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.errors import LedgerError
from cds_service.ledger.database import Database
from cds_service.ledger.tables import seen_token

_AT_ONCE: Final = 4
_PRUNE_EVERY: Final = 60.0
_LOG = logging.getLogger("cds_service.ledger")


class SeenTokens:
    """Remembers tokens by client and a hash of their `jti`; of several that note the same one, one is the first.

    In threads of its own, so that a database that hangs holds up nothing else.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """``clock`` says when a token has lapsed and may be forgotten."""
        self._database = database
        self._clock = clock
        self._insert = postgresql.insert if database.engine.dialect.name == "postgresql" else sqlite.insert
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="seen-tokens")
        self._prune_at = time.monotonic() + _PRUNE_EVERY

    async def remember(self, client: str, jti: str, until: datetime) -> bool:
        """Note a token until it has lapsed; True the first time. Raises LedgerError while the database cannot be had.

        A caller that does not wait for the end gets no answer, and the token may have been noted all the same.
        """
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + _PRUNE_EVERY
            self._threads.submit(self._prune)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._remember, client, jti, until)

    def _remember(self, client: str, jti: str, until: datetime) -> bool:
        row = {"client": client, "token": sha256(jti.encode()).hexdigest(), "until": until}
        try:
            self._database.migrate()
            with self._database.engine.begin() as connection:
                noted = connection.execute(self._insert(seen_token).values(row).on_conflict_do_nothing())
                return noted.rowcount == 1
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"A token could not be looked up: {type(error).__name__}") from error

    def prune(self) -> int:
        """Forget the tokens that have lapsed; how many. Raises LedgerError."""
        try:
            self._database.migrate()
            with self._database.engine.begin() as connection:
                lapsed = sa.delete(seen_token).where(seen_token.c.until < self._clock())
                return int(connection.execute(lapsed).rowcount)
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"Lapsed tokens could not be forgotten: {type(error).__name__}") from error

    def _prune(self) -> None:
        try:
            self.prune()
        except LedgerError as error:
            _LOG.warning("%s", error)

    def close(self) -> None:
        """Let the threads end; the database is its owner's to close."""
        self._threads.shutdown(wait=False, cancel_futures=True)
