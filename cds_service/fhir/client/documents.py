"""One document at an address that was registered, such as the public keys of a client: fetched with the same guards."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
import httpcore

from cds_service import __version__
from cds_service.domain.facts import GapReason
from cds_service.errors import FetchError
from cds_service.fhir.client.network import OPEN_MODE, AddressRules, GuardedNetwork
from cds_service.fhir.client.transfer import exchange

_JSON: Final = frozenset(("application/json", "application/jwk-set+json", "text/json"))
_HEADERS: Final = (
    (b"Accept", b"application/jwk-set+json, application/json"),
    (b"Accept-Encoding", b"gzip"),
    (b"User-Agent", f"foot-drop-cds/{__version__}".encode()),
)

DocumentRules = Callable[[str], AddressRules | None]
"""URL of a document → the addresses from which it may be fetched; None where it may not be fetched at all."""


class Documents:
    """Fetches single documents over HTTPS, and over HTTP from this machine only. Keeps nothing, follows nothing."""

    def __init__(self, rules: DocumentRules, *, ca_file: Path | None = None) -> None:
        """``ca_file`` adds the hospital's own certificate authority to those of the machine."""
        self._rules = rules
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(cafile=ca_file)

    async def get(self, url: str, seconds: float, most_bytes: int) -> bytes:
        """The body of a document. Raises FetchError; a redirect is one, for nobody has registered where it leads."""
        parts, rules = urlsplit(url), self._rules(url)
        if rules is None or parts.scheme not in ("https", "http") or "@" in parts.netloc:
            raise FetchError(GapReason.UNSAFE)
        if parts.scheme == "http":
            rules = OPEN_MODE
        try:
            with anyio.fail_after(seconds):
                return await self._get(url, rules, seconds, most_bytes)
        except TimeoutError:
            raise FetchError(GapReason.LATE) from None

    async def _get(self, url: str, rules: AddressRules, seconds: float, most_bytes: int) -> bytes:
        waits = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        headers = [(b"Host", urlsplit(url).netloc.encode()), *_HEADERS]
        request = httpcore.Request("GET", url, headers=headers, extensions={"timeout": waits})
        async with httpcore.AsyncConnectionPool(self._tls, network_backend=GuardedNetwork(rules)) as pool:
            reply = await exchange(pool, request, most_bytes, _JSON)
        if reply.failure is not None:
            raise FetchError(GapReason.UNSAFE if reply.location else reply.failure)
        return reply.body
