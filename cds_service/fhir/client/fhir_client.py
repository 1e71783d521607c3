"""The service's HTTP client for FHIR servers: connections kept per server, servers that may not be asked refused."""

from __future__ import annotations

import copy
import logging
import ssl
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

import httpcore

from cds_service.fhir.client.network import AddressRules, GuardedNetwork
from cds_service.fhir.client.scopes import Scopes
from cds_service.fhir.client.search import Connection, Limits, Origin
from cds_service.fhir.client.session import Session
from cds_service.hooks.request import CDSRequest

_CONNECTIONS_PER_SERVER: Final = 32
_KEPT_PER_SERVER: Final = 16
_KEEP_SECONDS: Final = 20.0
_SERVERS: Final = 32
logging.getLogger("httpcore").setLevel(logging.WARNING)  # below that it writes addresses and headers

Registration = Callable[[str], AddressRules | None]
"""Base URL of a FHIR server → the addresses under which it may be asked; None where it may not be asked at all."""


class FHIRClient:
    """Opens a session for each call that names a FHIR server. Keeps connections, and nothing else, between calls."""

    def __init__(
        self, registration: Registration, large: Executor, *, ca_file: Path | None = None, limits: Limits | None = None
    ) -> None:
        """``ca_file`` adds the hospital's own certificate authority to those of the machine."""
        self._registration = registration
        self._large = large
        self._limits = limits or Limits()
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(cafile=ca_file)
        self._pools: OrderedDict[tuple[str, str, int, AddressRules], httpcore.AsyncConnectionPool] = OrderedDict()

    def under(self, registration: Registration) -> FHIRClient:
        """The same client, with the same connections, for whom other servers are registered."""
        other = copy.copy(self)
        other._registration = registration  # noqa: SLF001  # of the same class
        return other

    async def session(self, request: CDSRequest, patient_id: str, until: float) -> Session:
        """The server of one call, to be asked until a time of the loop's clock."""
        granted = request.fhir_authorization
        scopes = Scopes(granted.scope) if granted else None
        rules = self._registration(request.fhir_server) if request.fhir_server else None
        if rules is None or request.fhir_server is None:
            return Session(None, scopes)
        origin = Origin(request.fhir_server)
        pool = await self._pool(origin, rules)
        token = granted.access_token if granted else None
        return Session(Connection(origin, pool, token, patient_id, until, self._limits, self._large), scopes)

    async def _pool(self, origin: Origin, rules: AddressRules) -> httpcore.AsyncConnectionPool:
        """The connections to one server. Servers beyond the limit lose theirs, the longest unused first."""
        key = (origin.scheme, origin.server, origin.port, rules)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=_CONNECTIONS_PER_SERVER,
                max_keepalive_connections=_KEPT_PER_SERVER,
                keepalive_expiry=_KEEP_SECONDS,
                network_backend=GuardedNetwork(rules),
            )
        self._pools.move_to_end(key)
        if len(self._pools) > _SERVERS:
            await self._let_go(key)
        return pool

    async def _let_go(self, but: object) -> None:
        """Close the connections to the idle servers beyond the limit."""
        for key in [k for k, pool in self._pools.items() if k != but and all(c.is_idle() for c in pool.connections)]:
            if len(self._pools) <= _SERVERS:
                break
            await self._pools.pop(key).aclose()

    @property
    def open_connections(self) -> int:
        """How many connections are open, in use or kept."""
        return sum(len(pool.connections) for pool in self._pools.values())

    async def close(self) -> None:
        """Close every connection."""
        while self._pools:
            await self._pools.popitem()[1].aclose()
