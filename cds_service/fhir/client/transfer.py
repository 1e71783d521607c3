"""One HTTP exchange with a FHIR server: the bytes of its answer within limits, or the reason why there are none."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import httpcore

from cds_service.domain.facts import GapReason
from cds_service.errors import FetchError
from cds_service.fhir.client.network import ForbiddenAddressError

_FHIR_JSON: Final = frozenset(("application/fhir+json", "application/json", "application/json+fhir", "text/json"))
_GZIP_OR_ZLIB: Final = 47
_STEP: Final = 256 * 1024
_SMALL: Final = 64 * 1024
_MOST_DIGITS: Final = 16
_FAILURES: Final[Mapping[int, GapReason]] = {
    400: GapReason.NOT_OFFERED,
    401: GapReason.DENIED,
    403: GapReason.DENIED,
    404: GapReason.NOT_OFFERED,
    405: GapReason.NOT_OFFERED,
    410: GapReason.NOT_OFFERED,
    422: GapReason.NOT_OFFERED,
    501: GapReason.NOT_OFFERED,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status, the headers that matter, and the body of a success, decompressed."""

    status: int
    body: bytes = b""
    location: str | None = None
    retry_after: str | None = None

    @property
    def failure(self) -> GapReason | None:
        """Why this is no answer; None for a success."""
        return None if self.status == 200 else _FAILURES.get(self.status, GapReason.SERVER_ERROR)


async def exchange(
    pool: httpcore.AsyncConnectionPool,
    request: httpcore.Request,
    max_bytes: int,
    media_types: Collection[str] = _FHIR_JSON,
) -> Reply:
    """Send one request and read its answer. Raises FetchError; time is the caller's to limit.

    Nothing of what a server sends goes into an error.
    """
    try:
        response = await pool.handle_async_request(request)
        try:
            return await _read(response, max_bytes, media_types)
        finally:
            await response.aclose()
    except ForbiddenAddressError:
        raise FetchError(GapReason.UNSAFE) from None
    except (httpcore.TimeoutException, TimeoutError):
        raise FetchError(GapReason.LATE) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, ssl.SSLError, OSError):
        raise FetchError(GapReason.SERVER_ERROR) from None


async def _read(response: httpcore.Response, max_bytes: int, media_types: Collection[str]) -> Reply:
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    reply = Reply(response.status, b"", headers.get(b"location"), headers.get(b"retry-after"))
    announced = headers.get(b"content-length", "")
    size = int(announced) if announced.isdecimal() and len(announced) < _MOST_DIGITS else None
    if reply.status != 200:
        if size is not None and size <= _SMALL:  # read to its end, so that the connection can be used again
            await _join(response.aiter_stream(), _SMALL)
        return reply
    media_type = headers.get(b"content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise FetchError(GapReason.UNREADABLE)
    encoding = headers.get(b"content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise FetchError(GapReason.UNREADABLE)
    if size is not None and size > max_bytes:
        raise FetchError(GapReason.TOO_MUCH)
    raw = response.aiter_stream()
    body = await _join(raw if encoding == "identity" else _decompress(raw, max_bytes), max_bytes)
    return Reply(reply.status, body)


async def _join(chunks: AsyncIterator[bytes], max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise FetchError(GapReason.TOO_MUCH)
        parts.append(chunk)
    return b"".join(parts)


async def _decompress(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    """Decompress in small steps, so that a bomb is noticed before it has gone off."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    taken = 0
    async for chunk in chunks:
        taken += len(chunk)
        if taken > max_bytes:
            raise FetchError(GapReason.TOO_MUCH)
        pending = chunk
        while pending and not inflater.eof:
            try:
                yield inflater.decompress(pending, _STEP)
            except zlib.error:
                raise FetchError(GapReason.UNREADABLE) from None
            pending = inflater.unconsumed_tail
    if not inflater.eof:
        raise FetchError(GapReason.UNREADABLE)
