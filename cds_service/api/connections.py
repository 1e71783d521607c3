"""One connection: how much a request's head may be, and how long a request may take to arrive.

uvicorn has a limit for neither, and waits for ever for a client that begins a request and does not end it. So its
protocol is given a clock, which runs while the client is to send something, and stands while we are to answer.

Not limited here: the TLS handshake, which asyncio gives up after 60 seconds; and how many of the connections one
machine takes, which is for a proxy or a firewall to say.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cds_service.api.errors import refuse
from cds_service.api.middleware import ALWAYS
from cds_service.errors import HeadersTooLargeError, NotHTTPError, OverloadedError, RequestError, TooSlowError

_GRACE: Final = 2.0
"""Seconds more than the answer to a slow body needs, which is given by whoever reads the body."""
_LINGER: Final = 10.0
_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The most connections, and of each request the most headers, their bytes, and the seconds for head and body."""

    connections: int
    headers: int
    header_bytes: int
    header_seconds: float
    body_seconds: float


class _HeadError(Exception):
    """Ends the parsing of a head; the parser makes an error of its own of it."""


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's protocol with limits. What it refuses gets an OperationOutcome, and the connection is closed."""

    limits: ClassVar[ConnectionLimits]
    tell: ClassVar[Callable[[RequestError], None]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock: asyncio.TimerHandle | None = None
        self._in_message = False
        self._in_head = False
        self._read_bytes = 0
        self._parsed_bytes = 0
        self._fault: RequestError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(OverloadedError())
            return
        self._start(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that is still not complete must not grow for ever."""
        was_in_head = self._in_head
        super().data_received(data if self._in_message else _without_upgrade(data))
        if self.transport.is_closing():
            return
        if was_in_head and self._in_head:
            self._read_bytes += len(data)
            if self._read_bytes > self.limits.header_bytes:
                self._refuse(HeadersTooLargeError())
                return
        if self._clock is None and not self._is_answering:  # a byte here and there that begins no request
            self._start(self.limits.header_seconds)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._read_bytes = self._parsed_bytes = 0
        if not self._is_answering:
            self._start(self.limits.header_seconds)

    def on_url(self, url: bytes) -> None:
        """Measure the address with the headers."""
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Measure a header."""
        self._measure(len(name) + len(value))
        super().on_header(name, value)
        self._measure(0)

    def on_headers_complete(self) -> None:
        """The head is there: the body may take its time, and whoever reads it answers if it takes longer."""
        self._in_head = False
        super().on_headers_complete()
        self._start(self.limits.body_seconds + _GRACE)

    def on_message_complete(self) -> None:
        """All of the request is there: it is for us to answer."""
        self._in_message = False
        self._stop()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's own words are not repeated
        """Refuse what cannot be parsed, or what is too much to parse."""
        self._refuse(self._fault or NotHTTPError())

    def pause_writing(self) -> None:
        """The client does not take what is sent: it is not waited for for ever."""
        super().pause_writing()
        self._start(_LINGER)

    def resume_writing(self) -> None:
        """The client takes it again; what is closing has its own time to end in."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop()

    def on_response_complete(self) -> None:
        """An answer is written; where the connection closes with it, the client has to take it soon."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        self._close()

    @property
    def _is_answering(self) -> bool:
        return not getattr(self.cycle, "response_complete", True)  # before the first request there is no cycle

    def _measure(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > self.limits.header_bytes or len(self.headers) > self.limits.headers:
            self._fault = HeadersTooLargeError()
            raise _HeadError

    def _start(self, seconds: float) -> None:
        self._stop()
        self._clock = self.loop.call_later(seconds, self._late)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self) -> None:
        self._clock = None
        if self._in_head and not self._is_answering:
            self._refuse(TooSlowError("head", self.limits.header_seconds))
        else:
            self._close()

    def _refuse(self, error: RequestError) -> None:
        """Answer and close. Nothing else may be on its way to the client: it would run into this answer.

        Where a request of before is still being answered, the connection closes with that answer instead.
        """
        type(self).tell(error)
        if self._is_answering and not self._is_of_this_request:
            self.cycle.keep_alive = False
            self.pipeline.clear()
            self._start(self.limits.body_seconds + _GRACE)
            return
        if not self.transport.is_closing():
            self.transport.write(_bytes_of(refuse(error)))
        self._close()

    @property
    def _is_of_this_request(self) -> bool:
        """Whether what is answered is the request of which a part is still to come, and nothing was said to it yet."""
        is_first = self._in_message and not self._in_head and not self.pipeline
        return is_first and not self.cycle.response_started

    def _close(self) -> None:
        """Close when all is sent, and soon even if the client does not take it."""
        self._stop()
        self.transport.close()
        self._clock = self.loop.call_later(_LINGER, self.transport.abort)


def connection_type(limits: ConnectionLimits, refused: Callable[[RequestError], None]) -> type[LimitedConnection]:
    """The protocol for uvicorn, with these limits. ``refused`` is told of each request that is refused here."""

    class Connection(LimitedConnection):
        pass

    Connection.limits, Connection.tell = limits, staticmethod(refused)
    return Connection


def _without_upgrade(data: bytes) -> bytes:
    """A request without its wish to speak another protocol: the parser would take its body for that protocol's.

    Java's HTTP client wishes for HTTP/2 with its first request where there is no TLS.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + end + rest


def _bytes_of(response: Response) -> bytes:
    """An answer as it goes over the wire, outside of any request."""
    status = HTTPStatus(response.status_code)
    headers = {**dict(response.raw_headers), **dict(ALWAYS), b"connection": b"close"}
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *(b": ".join(pair) for pair in headers.items())]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
