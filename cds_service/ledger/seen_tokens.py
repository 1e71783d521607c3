"""Which client tokens were seen, in the ledger's database: the memory that all processes share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.errors import LedgerError
from cds_service.ledger.database import Database
from cds_service.ledger.tables import seen_token

_AT_ONCE: Final = 256
_MOST_WAITING: Final = 10_000
_PRUNE_EVERY: Final = 60.0
_LOG = logging.getLogger("cds_service.ledger")
_Row = dict[str, Any]


class SeenTokens:
    """Remembers tokens by client and a hash of their `jti`; of all who note the same one, one is the first.

    What waits together is noted in one transaction, in a thread of its own: a database that hangs holds up nothing
    else. Used by one event loop.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """``clock`` says when a token has lapsed and may be forgotten."""
        self._database = database
        self._clock = clock
        self._insert = postgresql.insert if database.engine.dialect.name == "postgresql" else sqlite.insert
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="seen-tokens")
        self._waiting: list[tuple[_Row, asyncio.Future[bool]]] = []
        self._rounds: asyncio.Task[None] | None = None
        self._prune_at = time.monotonic() + _PRUNE_EVERY

    async def remember(self, client: str, jti: str, until: datetime) -> bool:
        """Note a token until it has lapsed; True the first time. Raises LedgerError while the database cannot be had.

        It is noted even if the caller does not wait for the answer.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise LedgerError("Too many tokens wait for the database.")
        row = {"client": client, "token": sha256(jti.encode()).hexdigest(), "until": until}
        is_new: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, is_new))
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._note_all())
        return await is_new

    async def _note_all(self) -> None:
        """Note what waits, round after round, until nothing does."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                try:
                    answers = await loop.run_in_executor(self._thread, self._note, [row for row, _ in group])
                except LedgerError as error:
                    for _, is_new in group:
                        if not is_new.done():
                            is_new.set_exception(error)
                    continue
                for (_, is_new), answer in zip(group, answers, strict=True):
                    if not is_new.done():
                        is_new.set_result(answer)
        finally:
            self._rounds = None

    def _note(self, rows: Sequence[_Row]) -> list[bool]:
        """Note tokens; for each whether it is new. In one order in every process, so that none waits for the other."""
        ordered = sorted(rows, key=_key)
        insert = self._insert(seen_token).on_conflict_do_nothing().returning(seen_token.c.client, seen_token.c.token)
        try:
            self._database.migrate()
            with self._database.engine.begin() as connection:
                noted = {(row.client, row.token) for row in connection.execute(insert, ordered)}
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"Tokens could not be looked up: {type(error).__name__}") from error
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + _PRUNE_EVERY
            self._prune()
        return [_take(noted, _key(row)) for row in rows]

    def _prune(self) -> None:
        try:
            self.prune()
        except LedgerError as error:
            _LOG.warning("%s", error)

    def prune(self) -> int:
        """Forget the tokens that have lapsed; how many. Raises LedgerError."""
        try:
            self._database.migrate()
            with self._database.engine.begin() as connection:
                lapsed = sa.delete(seen_token).where(seen_token.c.until < self._clock())
                return int(connection.execute(lapsed).rowcount)
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(f"Lapsed tokens could not be forgotten: {type(error).__name__}") from error

    def close(self) -> None:
        """Let the thread come to its end; the database is its owner's to close, after this."""
        self._thread.shutdown(cancel_futures=True)


def _key(row: _Row) -> tuple[str, str]:
    return row["client"], row["token"]


def _take(noted: set[tuple[str, str]], key: tuple[str, str]) -> bool:
    """Whether a token was noted just now; of several in one round, for the first that asks."""
    if key not in noted:
        return False
    noted.discard(key)
    return True
