"""Which addresses may be connected to, judged after DNS and on the very address that the connection goes to."""

from __future__ import annotations

import asyncio
import ipaddress
import select
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Where clouds answer with a machine's own credentials; all but the first are no link-local addresses."""
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_GLOBAL_IPV6: Final = ipaddress.ip_network("2000::/3")


class ForbiddenAddressError(Exception):
    """A name stands for no address that may be connected to."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What a client's registration allows: its ``networks``, and ``public`` addresses or not.

    Link-local, metadata, multicast and unspecified addresses are refused whatever it says.
    """

    networks: tuple[Network, ...] = ()
    public: bool = True

    def allow(self, address: Address) -> bool:
        """Whether a connection to this address may be opened."""
        address, is_translated = _inner(address)
        if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        if not is_translated and any(
            address.version == network.version and address in network for network in self.networks
        ):
            return True
        return self.public and address.is_global and (address.version == 4 or address in _GLOBAL_IPV6)


OPEN_MODE: Final = AddressRules(LOOPBACK, public=False)


def _inner(address: Address) -> tuple[Address, bool]:
    """The IPv4 address that an IPv6 one stands for, if it does; and whether a gateway elsewhere makes it that."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped, False
        if address.sixtofour is not None:
            return address.sixtofour, True
        if any(address in network for network in _NAT64):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF), True
    return address, False


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to allowed addresses only: resolves the name once and connects to what it judged."""

    def __init__(self, rules: AddressRules) -> None:
        """``rules`` are those of the server's client."""
        self._rules = rules
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first allowed address that answers. Raises ForbiddenAddressError where none is allowed."""
        allowed = [address for address in await _resolve(host, port) if self._rules.allow(address)]
        if not allowed:
            raise ForbiddenAddressError
        failure: Exception = httpcore.ConnectError("no address")
        for address in allowed:
            try:
                return _Stream(
                    await self._sockets.connect_tcp(str(address), port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that keeps its socket at hand: the pool looks at every one of them at each of its steps."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket: socket.socket | None = stream.get_extra_info("socket")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore's
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._socket is not None:
            return _is_readable(self._socket)
        return self._stream.get_extra_info(info)


def _is_readable(connected: socket.socket) -> bool:
    """Whether something, or the end, waits to be read: then an idle connection is not usable any more."""
    if connected.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


async def _resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name, each once. Raises httpcore.ConnectError where it has none."""
    try:
        return [ipaddress.ip_address(host.strip("[]"))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("the name has no address") from error
    return [ipaddress.ip_address(text) for text in dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)]
