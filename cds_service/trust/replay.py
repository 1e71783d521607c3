"""Which tokens were seen: each is good for one request (JWT-12), as long as it lives.

Where several processes serve, they share what they have seen in the ledger's database. While that cannot be had, each
goes by what it has seen itself: a token is never good twice in one process, whatever fails.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Final, Protocol

from cds_service.errors import LedgerError, OverloadedError

_MOST_PER_CLIENT: Final = 200_000
_PATIENCE: Final = 0.25
_PAUSE: Final = 1.0
_LOG = logging.getLogger("cds_service.tokens")


class ReplayStore(Protocol):
    """Remembers tokens by client and `jti`, the latter only as a hash. Does not judge whether they are valid."""

    async def remember(self, client: str, jti: str, until: dt.datetime) -> bool:
        """Note a token until it has lapsed; True the first time, False ever after.

        Raises OverloadedError where it can take no more, LedgerError where it cannot be had.
        """
        ...


@dataclass(slots=True)
class _Seen:
    """The tokens of one client, and the order in which they lapse."""

    tokens: set[bytes] = field(default_factory=set)
    lapsing: list[tuple[float, bytes]] = field(default_factory=list)

    def prune(self, now: float) -> None:
        while self.lapsing and self.lapsing[0][0] <= now:
            self.tokens.discard(heapq.heappop(self.lapsing)[1])


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class MemoryReplayStore:
    """What this process has seen. Safe to use from any thread.

    A client that has sent more tokens than are kept is refused more, rather than one of them forgotten; the others
    notice nothing.
    """

    def __init__(self, most_per_client: int = _MOST_PER_CLIENT, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """``clock`` is the one by which tokens were judged."""
        self._most = most_per_client
        self._clock = clock
        self._lock = Lock()
        self._seen: defaultdict[str, _Seen] = defaultdict(_Seen)

    async def remember(self, client: str, jti: str, until: dt.datetime) -> bool:
        """Note a token; True the first time. Raises OverloadedError."""
        token, now = sha256(jti.encode()).digest(), self._clock().timestamp()
        with self._lock:
            seen = self._seen[client]
            seen.prune(now)
            if token in seen.tokens:
                return False
            if len(seen.tokens) >= self._most:
                raise OverloadedError
            seen.tokens.add(token)
            heapq.heappush(seen.lapsing, (until.timestamp(), token))
            return True

    @property
    def size(self) -> int:
        """How many tokens are remembered."""
        with self._lock:
            return sum(len(seen.tokens) for seen in self._seen.values())


class SharedOrLocal:
    """What all processes have seen; or, while the shared store cannot be had in time, what this one has.

    Every token is noted here first and there as well. So one that was seen while the shared store was away, or before,
    is refused by this process in any case.
    """

    def __init__(
        self,
        shared: ReplayStore,
        local: MemoryReplayStore,
        patience: float = _PATIENCE,
        pause: float = _PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``patience``: seconds to wait for the shared store; ``pause``: seconds until it is asked again after that."""
        self._shared = shared
        self._local = local
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._ask_at = clock()
        self._is_shared = True

    @property
    def is_shared(self) -> bool:
        """Whether the last token was looked up in the shared store, so that other processes know it."""
        return self._is_shared

    async def remember(self, client: str, jti: str, until: dt.datetime) -> bool:
        """Note a token in both; True the first time. Raises OverloadedError."""
        if not await self._local.remember(client, jti, until):
            return False
        if self._clock() < self._ask_at:
            return True
        try:
            async with asyncio.timeout(self._patience):
                is_new = await self._shared.remember(client, jti, until)
        except (LedgerError, TimeoutError):
            self._ask_at = self._clock() + self._pause
            self._note(is_shared=False)
            return True
        self._note(is_shared=True)
        return is_new

    def _note(self, *, is_shared: bool) -> None:
        if self._is_shared and not is_shared:
            _LOG.warning("which tokens were used is not shared: the database cannot be had in time")
        if is_shared and not self._is_shared:
            _LOG.warning("which tokens were used is shared again")
        self._is_shared = is_shared
