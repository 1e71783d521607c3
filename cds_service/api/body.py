"""Reading a request's body: JSON by its declaration, never more bytes than allowed, never longer than allowed."""

from __future__ import annotations

import asyncio
import re
from typing import Final, NamedTuple

from starlette.requests import Request

from cds_service.errors import TooLargeError, TooSlowError, UnsupportedMediaTypeError

_JSON: Final = ("application/json", "application/fhir+json")
_DIGITS: Final = re.compile(r"[0-9]+")
_LONGEST: Final = 18  # digits; Python refuses to read thousands of them


class BodyLimits(NamedTuple):
    """How much may come, and in how many seconds."""

    most_bytes: int
    seconds: float


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """The whole body. Raises UnsupportedMediaTypeError, TooLargeError before reading too much, or TooSlowError."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in _JSON or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError
    length = request.headers.get("content-length", "")
    if _DIGITS.fullmatch(length) and (len(length) > _LONGEST or int(length) > limits.most_bytes):
        raise TooLargeError("bytes", limits.most_bytes)
    try:
        async with asyncio.timeout(limits.seconds):
            return await _read(request, limits.most_bytes)
    except TimeoutError:
        raise TooSlowError("body", limits.seconds) from None


async def _read(request: Request, most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise TooLargeError("bytes", most_bytes)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
