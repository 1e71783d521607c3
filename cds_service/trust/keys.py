"""The keys of clients at the addresses that were agreed with them: fetched, kept for a while, renewed.

No address comes from a token. At each, one fetch runs at a time, and neither a flood of unknown key ids nor an address
that fails is a reason to ask it more than once in a while.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from cds_service.errors import FetchError, RefusalReason, UnauthorizedError
from cds_service.hooks.reading import is_loopback
from cds_service.trust.jwk import Key, KeySet, UnusableKeysError, read_key_set
from cds_service.trust.strict_json import read_json

_MOST_BYTES: Final = 256 * 1024
_LOG = logging.getLogger("cds_service.keys")


class Documents(Protocol):
    """Fetches what stands at an address. Follows no redirect, and connects only to where it is allowed to."""

    async def get(self, url: str, seconds: float, most_bytes: int) -> bytes:
        """The body of a success. Raises FetchError: for everything else, for too much, and when the time is over."""
        ...


@dataclass(frozen=True, slots=True)
class Periods:
    """How long keys are `fresh`, and `usable` while they cannot be renewed, in seconds.

    An address is left alone for the `cool_down` after it failed or did not know a key id. `fetch` is what a fetch may
    take, `wait` how long a caller waits for it.
    """

    fresh: float = 600.0
    usable: float = 86_400.0
    cool_down: float = 15.0
    fetch: float = 4.0
    wait: float = 1.5


class _Address:
    """What is known of the keys at one address."""

    def __init__(self) -> None:
        self.keys: KeySet | None = None
        self.fetched_at = -math.inf
        self.failed_at = -math.inf
        self.missed_at = -math.inf
        self.fetch: asyncio.Task[None] | None = None


class KeySets:
    """The keys at the addresses of all clients. Used by one event loop."""

    def __init__(
        self, documents: Documents, periods: Periods | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``clock`` counts seconds from anywhere."""
        self._documents = documents
        self._periods = periods or Periods()
        self._clock = clock
        self._addresses: dict[str, _Address] = {}

    async def find(self, url: str, kid: str) -> Key:
        """The key with this id. Raises UnauthorizedError: there is none, or the keys cannot be had."""
        address = self._addresses.setdefault(url, _Address())
        known = self._usable(address)
        if known is not None and kid in known.keys:
            if self._age(address) >= self._periods.fresh and self._may_ask(address.failed_at):
                self._start(url, address)
            return known.keys[kid]
        if not self._may_ask(max(address.failed_at, address.missed_at)):
            raise UnauthorizedError(reason=RefusalReason.UNKNOWN_KEY if known else RefusalReason.KEYS_UNAVAILABLE)
        await asyncio.wait([self._start(url, address)], timeout=self._periods.wait)
        known = self._usable(address)
        if known is None:
            raise UnauthorizedError(reason=RefusalReason.KEYS_UNAVAILABLE)
        if kid not in known.keys:
            address.missed_at = self._clock()
            raise UnauthorizedError(reason=RefusalReason.UNKNOWN_KEY)
        return known.keys[kid]

    @property
    def failing(self) -> frozenset[str]:
        """The addresses whose keys could not be had when they were asked for last."""
        return frozenset(url for url, one in self._addresses.items() if one.failed_at > one.fetched_at)

    async def close(self) -> None:
        """Give up what is still being fetched."""
        running = [address.fetch for address in self._addresses.values() if address.fetch is not None]
        for fetch in running:
            fetch.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _age(self, address: _Address) -> float:
        return self._clock() - address.fetched_at

    def _usable(self, address: _Address) -> KeySet | None:
        return address.keys if self._age(address) < self._periods.usable else None

    def _may_ask(self, asked_at: float) -> bool:
        return self._clock() >= asked_at + self._periods.cool_down

    def _start(self, url: str, address: _Address) -> asyncio.Task[None]:
        """The fetch that runs, started if there is none."""
        if address.fetch is None:
            address.fetch = asyncio.create_task(self._fetch(url, address))
        return address.fetch

    async def _fetch(self, url: str, address: _Address) -> None:
        """Renew the keys. What cannot be used never takes the place of what can."""
        was_failing, begun = address.failed_at > address.fetched_at, self._clock()
        try:
            keys = _read(await self._documents.get(url, self._periods.fetch, _MOST_BYTES))
        except (FetchError, UnusableKeysError) as error:
            address.failed_at = self._clock()
            if not was_failing:
                _LOG.warning("the keys at %s cannot be had: %s", url, error)
            return
        finally:
            address.fetch = None
        address.keys, address.fetched_at = keys, begun
        for said in keys.left_out:
            _LOG.info("the keys at %s: %s", url, said)
        if was_failing:
            _LOG.warning("the keys at %s are back", url)


def is_keys_url(url: str) -> bool:
    """Whether keys may be fetched from an address: absolute and https, on loopback also http."""
    if not url.isascii() or not url.isprintable() or not {" ", "\\", "#"}.isdisjoint(url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return False
    host = parts.hostname or ""
    if not host or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _read(body: bytes) -> KeySet:
    try:
        document = read_json(body)
    except ValueError:
        raise UnusableKeysError("is no JSON") from None
    return read_key_set(document)
