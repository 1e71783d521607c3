"""Reading a request's body: JSON by its declaration, never more bytes than allowed."""

from __future__ import annotations

from starlette.requests import Request

from cds_service.errors import TooLargeError, UnsupportedMediaTypeError

_JSON = ("application/json", "application/fhir+json")


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises UnsupportedMediaTypeError or TooLargeError, the latter before reading too much."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in _JSON or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise TooLargeError("bytes", limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLargeError("bytes", limit)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
