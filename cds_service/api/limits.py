"""How many calls are answered at the same time, and how many a client may send: told at once, never waited for.

Nothing queues here, so that a call that is one too many costs next to nothing. Used by the event loop only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from cds_service.errors import OverloadedError, TooManyCallsError

_BURSTS_A_MINUTE: Final = 6
_MOST_REMEMBERED: Final = 1000


class ClientLimits(NamedTuple):
    """What was agreed with one client: calls a minute, and calls at the same time. 0: no limit."""

    calls_a_minute: int = 0
    calls_at_once: int = 0


NO_LIMITS: Final = ClientLimits()


@dataclass(slots=True)
class _Use:
    """What a client makes of its limits. ``paid_until``: when the calls it has sent are all paid for by its pace."""

    running: int = 0
    paid_until: float = 0.0


class CallLimits:
    """Admits calls, or refuses them at once.

    A client's pace is a token bucket: tokens come evenly, and ten seconds' worth of them may be spent at once. Two
    numbers are remembered of each client; where there are many clients, the idle ones are forgotten.
    """

    def __init__(self, calls_at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``calls_at_once`` is for all clients together; 0: no limit. ``clock`` counts seconds and never goes back."""
        self._calls_at_once = calls_at_once
        self._clock = clock
        self._clients: dict[str, _Use] = {}
        self.running = 0

    @contextmanager
    def admit(self, client: str, limits: ClientLimits = NO_LIMITS) -> Iterator[None]:
        """Hold a place while a call of this client is answered.

        Raises OverloadedError where all places are taken, TooManyCallsError where the client has taken its own or
        spent its tokens. A refused call costs no token.
        """
        if self._calls_at_once and self.running >= self._calls_at_once:
            raise OverloadedError
        use = self._use_of(client)
        if limits.calls_at_once and use.running >= limits.calls_at_once:
            raise TooManyCallsError
        if limits.calls_a_minute:
            self._pay(use, limits.calls_a_minute)
        self.running += 1
        use.running += 1
        try:
            yield
        finally:
            self.running -= 1
            use.running -= 1

    @property
    def remembered(self) -> int:
        """Of how many clients something is remembered."""
        return len(self._clients)

    def _pay(self, use: _Use, calls_a_minute: int) -> None:
        now, price = self._clock(), 60 / calls_a_minute
        ahead = price * (max(1, calls_a_minute // _BURSTS_A_MINUTE) - 1)
        wait = use.paid_until - ahead - now
        if wait > 0:
            raise TooManyCallsError(math.ceil(wait))
        use.paid_until = max(use.paid_until, now) + price

    def _use_of(self, client: str) -> _Use:
        if client not in self._clients and len(self._clients) >= _MOST_REMEMBERED:
            now = self._clock()
            idle = [name for name, use in self._clients.items() if not use.running and use.paid_until <= now]
            for name in idle:
                del self._clients[name]
        return self._clients.setdefault(client, _Use())
