"""Client tokens: who is registered under which issuer, and whether a request was sent by one of them.

The order is that of best practice (JWT-20): what costs nothing first, then the signature, and only then what the token
claims. Before the signature is verified its `iss` chooses whose keys are asked, `kid` and `alg` choose among them, and
`jku` is compared; nothing else of it has any effect, and none of it goes into a log or an error. Whether the token is
new is asked last, so that only tokens that are good in every other way are remembered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cds_service.decision.callers import Caller
from cds_service.errors import RefusalReason, UnauthorizedError
from cds_service.trust.claims import check_audience, check_times, tenant_of, token_id_of
from cds_service.trust.jwk import ALGORITHMS, DEFAULT_ALGORITHMS, Key, KeySet
from cds_service.trust.keys import KeySets, is_keys_url
from cds_service.trust.replay import ReplayStore
from cds_service.trust.token_form import UnverifiedToken, read_token

_MOST_BYTES: Final = 8 * 1024
_LEEWAY: Final = 60.0
_LONGEST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Issuer:
    """What was agreed about the tokens of one issuer. Its keys are given here, at an address, or both.

    ``audiences`` are accepted besides the endpoint's own URL; ``tenants`` None means any, and none.
    """

    client: str
    issuer: str
    algorithms: frozenset[str] = DEFAULT_ALGORITHMS
    keys: KeySet | None = None
    keys_url: str | None = None
    audiences: frozenset[str] = field(default_factory=frozenset)
    tenants: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if not self.algorithms or not self.algorithms <= ALGORITHMS:
            raise ValueError(f"algorithms are some of {', '.join(sorted(ALGORITHMS))}")
        if self.keys is None and self.keys_url is None:
            raise ValueError("an issuer has keys, or an address where they are")
        if self.keys_url is not None and not is_keys_url(self.keys_url):
            raise ValueError("the address of the keys is https, or http on loopback")


class TokenAuthenticator:
    """Tells by its token who sends a request. Every doubt refuses it, with a reason that the sender does not learn."""

    def __init__(
        self,
        issuers: Callable[[], Mapping[str, Issuer]],
        keys: KeySets,
        replay: ReplayStore,
        *,
        leeway: float = _LEEWAY,
        longest: float = _LONGEST,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        """``issuers`` gives those that are registered now, by `iss`.

        ``leeway`` is how many seconds clocks may be apart, ``longest`` how many seconds a token may live.
        """
        self._issuers = issuers
        self._keys = keys
        self._replay = replay
        self._leeway = leeway
        self._longest = longest
        self._most_bytes = most_bytes

    async def caller(self, authorization: Sequence[bytes], endpoint: str, at: dt.datetime) -> Caller:
        """Who sent a request with these headers to this URL. Raises UnauthorizedError, OverloadedError."""
        token = read_token(authorization, self._most_bytes)
        issuer = self._issuers().get(token.issuer)
        if issuer is None:
            raise UnauthorizedError(reason=RefusalReason.UNKNOWN_ISSUER)
        if token.algorithm not in issuer.algorithms:
            raise UnauthorizedError(reason=RefusalReason.ALGORITHM_NOT_ALLOWED)
        if token.jku is not None and token.jku != issuer.keys_url:
            raise UnauthorizedError(reason=RefusalReason.JKU_NOT_ALLOWED)
        key = await self._key(issuer, token)
        if token.algorithm not in key.verifiers:
            raise UnauthorizedError(reason=RefusalReason.UNFIT_KEY)
        if not key.verifies(token.text, token.algorithm):
            raise UnauthorizedError(reason=RefusalReason.BAD_SIGNATURE)
        try:
            return await self._claimed(issuer, token, endpoint, at)
        except UnauthorizedError as refused:
            refused.client = issuer.client  # it is the client's own token, and the client's mistake
            raise

    async def _key(self, issuer: Issuer, token: UnverifiedToken) -> Key:
        found = issuer.keys.keys.get(token.kid) if issuer.keys else None
        if found is not None:
            return found
        if issuer.keys_url is None:
            raise UnauthorizedError(reason=RefusalReason.UNKNOWN_KEY)
        return await self._keys.find(issuer.keys_url, token.kid)

    async def _claimed(self, issuer: Issuer, token: UnverifiedToken, endpoint: str, at: dt.datetime) -> Caller:
        """What the token claims, now that it is the client's own."""
        check_audience(token.claims, {endpoint, *issuer.audiences})
        end = check_times(token.claims, at.timestamp(), self._leeway, self._longest)
        tenant = tenant_of(token.claims, issuer.tenants)
        token_id = token_id_of(token.claims)
        # kept twice the leeway longer: the clock of another process that shares the memory may be behind as well
        until = dt.datetime.fromtimestamp(end + 2 * self._leeway, dt.UTC)
        if not await self._replay.remember(issuer.client, token_id, until):
            raise UnauthorizedError(reason=RefusalReason.REPLAYED)
        return Caller(issuer.client, tenant)
