"""Who may see people's pages and ``/metrics``: this machine, the bearer of a token, whom a proxy has logged in."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from cds_service.api.errors import refuse
from cds_service.api.middleware import FORWARDED, App, Receive, Refused, Scope, Send, name_in
from cds_service.errors import ForbiddenError, UnauthorizedError

_NO_PAGES = ("cds-services", "health")
_BEARER = b"bearer "

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """The proxy that logs people in: known by the address it connects from, which nobody else can have.

    ``header`` is where it names the user who is logged in; from any other peer that header counts for nothing. Without
    networks there is no such proxy.
    """

    networks: Sequence[Network]
    header: str

    def is_peer_of(self, scope: Scope) -> bool:
        """Whether a request was sent by the proxy itself."""
        peer = scope.get("client")
        try:
            address = ipaddress.ip_address(peer[0] if peer else "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped  # how a socket for both kinds of addresses names IPv4
        return any(address in network for network in self.networks)

    def names_user(self, headers: Headers) -> bool:
        """Whether somebody is logged in: the header is there once, and not empty."""
        name = self.header.lower().encode()
        users = [value.strip() for key, value in headers if key == name]
        return len(users) == 1 and users[0] != b""

    def may_forward(self, scope: Scope) -> bool:
        """Whether a request may say for whom it was forwarded: the proxy's own, for a page."""
        first = next((part for part in scope["path"].split("/") if part), "")
        return first not in _NO_PAGES and self.is_peer_of(scope)


class PageAccess:
    """Refuses the pages to whoever may not see them. Health answers everybody, hook calls do not come here."""

    def __init__(
        self,
        app: App,
        is_local: Callable[[str], bool],
        token: SecretStr | None,
        proxy: TrustedProxy,
        refused: Refused = lambda _: None,
    ) -> None:
        """``is_local`` says whether a peer may look without being asked who it is: in open mode, this machine.

        ``refused`` is told of each refusal.
        """
        self.app = app
        self.refused = refused
        self.is_local = is_local
        self.proxy = proxy
        self._token = token.get_secret_value().encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401 where a token would have helped, else 403."""
        if scope["type"] != "http" or scope["path"].startswith("/health/") or self._allows(scope):
            await self.app(scope, receive, send)
            return
        error = ForbiddenError("page from another machine") if self._token is None else UnauthorizedError()
        self.refused(error)
        await refuse(error)(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        headers = scope["headers"]
        if self._has_token(headers):
            return True
        if self.proxy.is_peer_of(scope):  # also on this machine: others stand behind it
            return self.proxy.names_user(headers)
        peer = scope.get("client")
        forwarded = any(name.startswith(FORWARDED) for name, _ in headers)
        return peer is not None and not forwarded and self.is_local(peer[0]) and self._is_own_page(scope)

    def _is_own_page(self, scope: Scope) -> bool:
        """Whether no page of another origin asks, which runs in a browser on this machine; our own page may.

        A name that somebody else's DNS turns into this machine is not our origin, whatever the Host says.
        """
        origins, hosts = ([v for name, v in scope["headers"] if name == key] for key in (b"origin", b"host"))
        if not origins:
            return True
        if len(origins) != 1 or len(hosts) != 1:
            return False
        own = b"%s://%s" % (str(scope.get("scheme", "http")).encode(), hosts[0])
        return origins[0] == own and self.is_local(name_in(hosts[0]))

    def _has_token(self, headers: Headers) -> bool:
        sent = [value for name, value in headers if name == b"authorization"]
        if self._token is None or len(sent) != 1 or sent[0][: len(_BEARER)].lower() != _BEARER:
            return False
        return hmac.compare_digest(sent[0][len(_BEARER) :].strip(), self._token)
