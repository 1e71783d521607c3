"""What a token whose signature is good has to say: for whom it is made, when, on whose behalf, and its own name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cds_service.errors import RefusalReason, UnauthorizedError

Claims = Mapping[str, object]
_LATEST: Final = 2.0**53  # beyond that JSON's numbers are not exact
_LONGEST_ID: Final = 256
_LONGEST_TENANT: Final = 64


def check_audience(claims: Claims, accepted: Collection[str]) -> None:
    """The token is made for one of these (JWT-9). Raises UnauthorizedError, as all of these do."""
    named = _claim(claims, "aud")
    audiences = named if isinstance(named, list) else [named]
    if not audiences or not all(isinstance(one, str) and one for one in audiences):
        raise UnauthorizedError(reason=RefusalReason.BAD_CLAIM)
    if not any(one in accepted for one in audiences):
        raise UnauthorizedError(reason=RefusalReason.WRONG_AUDIENCE)


def check_times(claims: Claims, now: float, leeway: float, longest: float) -> float:
    """The token's end, if it is valid now (JWT-10, JWT-11): all in seconds since the epoch.

    ``leeway`` is how far clocks may be apart; ``longest`` how long a token may live, and so how old it can be.
    """
    end, issued = _moment(claims, "exp"), _moment(claims, "iat")
    begin = _moment(claims, "nbf") if "nbf" in claims else issued
    wrong = {
        RefusalReason.EXPIRED: now >= end + leeway,
        RefusalReason.ISSUED_IN_FUTURE: issued > now + leeway,
        RefusalReason.NOT_YET_VALID: begin > now + leeway,
        RefusalReason.TOO_OLD: now - issued > longest + leeway,
        RefusalReason.LIVES_TOO_LONG: end - issued > longest,
    }
    for reason, holds in wrong.items():
        if holds:
            raise UnauthorizedError(reason=reason)
    return end


def tenant_of(claims: Claims, allowed: Collection[str] | None) -> str:
    """On whose behalf the client calls (JWT-13); empty where nobody is named. ``allowed`` None: anybody's."""
    tenant = _text(claims, "tenant", _LONGEST_TENANT) if "tenant" in claims else ""
    if allowed is not None and tenant not in allowed:
        raise UnauthorizedError(reason=RefusalReason.TENANT_NOT_ALLOWED)
    return tenant


def token_id_of(claims: Claims) -> str:
    """The token's own name, which no other token of this client has (JWT-12)."""
    return _text(claims, "jti", _LONGEST_ID)


def _claim(claims: Claims, name: str) -> object:
    if name not in claims:
        raise UnauthorizedError(reason=RefusalReason.MISSING_CLAIM)
    return claims[name]


def _moment(claims: Claims, name: str) -> float:
    value = _claim(claims, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LATEST:  # nor NaN
        raise UnauthorizedError(reason=RefusalReason.BAD_CLAIM)
    return float(value)


def _text(claims: Claims, name: str, longest: int) -> str:
    """A text that every database and log can take: no control characters and no half of a pair of surrogates."""
    value = _claim(claims, name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise UnauthorizedError(reason=RefusalReason.BAD_CLAIM)
    return value
