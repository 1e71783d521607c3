"""The form of a client token, read strictly. Nothing of its content is believed here: that takes the signature."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.errors import RefusalReason, UnauthorizedError
from cds_service.trust.strict_json import read_json

_BEARER: Final = "bearer"
_PART: Final = r"[A-Za-z0-9_-]"
_COMPACT: Final = re.compile(rf"{_PART}+\.{_PART}+\.{_PART}*", re.ASCII)
_NEVER: Final = ("crit", "b64", "jwk", "x5u", "x5c", "x5t", "x5t#S256")
"""Members of a header that would bring a key along, or change what the rest means: such a token is not read further."""


@dataclass(frozen=True, slots=True, repr=False)
class UnverifiedToken:
    """What a token says of itself."""

    text: str
    algorithm: str
    kid: str
    jku: str | None
    issuer: str
    claims: Mapping[str, object]


def read_token(authorization: Sequence[bytes], most_bytes: int) -> UnverifiedToken:
    """The one token in the ``Authorization`` headers of a request. Raises UnauthorizedError."""
    text = _bearer_token(authorization, most_bytes)
    if not _COMPACT.fullmatch(text):
        raise UnauthorizedError(reason=RefusalReason.MALFORMED)
    header, claims = (_object(part) for part in text.split(".")[:2])
    _decode(text.split(".")[2])
    algorithm, kid, jku = _read_header(header)
    if "iss" not in claims:
        raise UnauthorizedError(reason=RefusalReason.MISSING_CLAIM)
    issuer = claims["iss"]
    if not isinstance(issuer, str):
        raise UnauthorizedError(reason=RefusalReason.BAD_CLAIM)
    return UnverifiedToken(text, algorithm, kid, jku, issuer, claims)


def _bearer_token(authorization: Sequence[bytes], most_bytes: int) -> str:
    if len(authorization) > 1:
        raise UnauthorizedError(reason=RefusalReason.SEVERAL_TOKENS)
    header = authorization[0] if authorization else b""
    if len(header) > len(_BEARER) + 1 + most_bytes:
        raise UnauthorizedError(reason=RefusalReason.TOO_LONG)
    scheme, _, token = header.decode("latin-1").partition(" ")
    if not header:
        raise UnauthorizedError(reason=RefusalReason.NO_TOKEN)
    if scheme.lower() != _BEARER:  # the name of a scheme has no case (RFC 9110)
        raise UnauthorizedError(reason=RefusalReason.NOT_BEARER)
    if not token:
        raise UnauthorizedError(reason=RefusalReason.NO_TOKEN)
    return token


def _object(part: str) -> dict[str, object]:
    try:
        value = read_json(_decode(part))
    except ValueError:
        raise UnauthorizedError(reason=RefusalReason.MALFORMED) from None
    if not isinstance(value, dict):
        raise UnauthorizedError(reason=RefusalReason.MALFORMED)
    return value


def _decode(part: str) -> bytes:
    """The bytes of base64url without padding, written in the one way there is to write them."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise UnauthorizedError(reason=RefusalReason.MALFORMED) from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise UnauthorizedError(reason=RefusalReason.MALFORMED)
    return data


def _read_header(header: Mapping[str, object]) -> tuple[str, str, str | None]:
    """Algorithm, kid and jku of a header of the right shape (JWT-4 to JWT-7)."""
    algorithm, kid, jku = header.get("alg"), header.get("kid"), header.get("jku")
    if not isinstance(algorithm, str) or not isinstance(kid, str) or not kid:
        raise UnauthorizedError(reason=RefusalReason.BAD_HEADER)
    if "jku" in header and not isinstance(jku, str):
        raise UnauthorizedError(reason=RefusalReason.BAD_HEADER)
    if not header.keys().isdisjoint(_NEVER):
        raise UnauthorizedError(reason=RefusalReason.BAD_HEADER)
    if header.get("typ") != "JWT":  # the standard fixes the value
        raise UnauthorizedError(reason=RefusalReason.WRONG_TYPE)
    return algorithm, kid, jku if isinstance(jku, str) else None
