"""The public keys of clients (JWK, RFC 7517), and the one thing that is done with them: to verify a signature.

A key verifies for the algorithms that its type, its curve and its own `alg`, `use` and `key_ops` leave, which is fixed
when the key is read. So a token can name one of them and never turn a key into something else, such as a shared secret.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import jwt
from cryptography.exceptions import UnsupportedAlgorithm

Algorithm = Literal["ES256", "ES384", "RS384", "PS256", "PS384", "PS512", "EdDSA"]
"""What may be agreed with a client. Neither `none` nor HMAC stands here, so that no registration can ask for them."""
ALGORITHMS: Final[frozenset[Algorithm]] = frozenset(get_args(Algorithm))
DEFAULT_ALGORITHMS: Final[frozenset[Algorithm]] = frozenset(("ES384", "RS384"))

_RSA: Final = ("RS384", "PS256", "PS384", "PS512")
_FITTING: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("RSA", ""): _RSA,
}
_MEMBERS: Final = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e")}
_SECRET: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_LONGEST_MEMBER: Final = 1366  # 8192 bits in base64url: a longer modulus only costs time
_LONGEST_EXPONENT: Final = 6
_LEAST_RSA_BITS: Final = 2048
_MOST_KEYS: Final = 100
_LONGEST_KID: Final = 256
_READERS: Final[Mapping[str, jwt.PyJWS]] = {
    name: jwt.PyJWS([name], {"enforce_minimum_key_length": True}) for name in ALGORITHMS
}


class UnusableKeysError(ValueError):
    """What should be a JWK Set holds no key that could verify a client token."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, once for each algorithm that it may be used with."""

    kid: str
    verifiers: Mapping[str, jwt.PyJWK]

    def verifies(self, token: str, algorithm: str) -> bool:
        """Whether the signature of a token in compact form is one of this key, made with this very algorithm."""
        verifier = self.verifiers.get(algorithm)
        if verifier is None:
            return False
        try:
            _READERS[algorithm].decode_complete(token, verifier, algorithms=[algorithm])
        except jwt.PyJWTError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a client by `kid`; ``left_out`` says in words which others there were, and why."""

    keys: Mapping[str, Key]
    left_out: tuple[str, ...] = ()


def read_key_set(document: object) -> KeySet:
    """The keys of a JWK Set. Raises UnusableKeysError where none can be used.

    A key that cannot be used is left out, as RFC 7517 wants it: a set may hold others for other purposes.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise UnusableKeysError(f"is no JWK Set: an object with the list 'keys' of at most {_MOST_KEYS}")
    keys: dict[str, Key] = {}
    left_out = []
    for number, entry in enumerate(entries, 1):
        try:
            key = _read_key(entry, keys)
            keys[key.kid] = key
        except UnusableKeysError as error:
            left_out.append(f"key {number}: {error}")
    if not keys:
        raise UnusableKeysError("; ".join(("holds no key that can be used", *left_out)))
    return KeySet(keys, tuple(left_out))


def _read_key(jwk: object, taken: Collection[str]) -> Key:
    if not isinstance(jwk, dict):
        raise UnusableKeysError("is no object")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_KID:
        raise UnusableKeysError(f"has no kid, a text of at most {_LONGEST_KID} characters")
    if kid in taken:
        raise UnusableKeysError("another key has this kid")
    if not _SECRET.isdisjoint(jwk):
        raise UnusableKeysError(
            "holds the key itself, not its public half only: make a new pair, and publish the public one"
        )
    fitting = _fitting(jwk)
    public = _public_members(jwk)
    try:
        verifiers = {algorithm: jwt.PyJWK(public, algorithm) for algorithm in fitting}
    except (jwt.PyJWTError, ValueError, UnsupportedAlgorithm):
        raise UnusableKeysError("its numbers are no such key") from None
    if jwk["kty"] == "RSA" and any(one.key.key_size < _LEAST_RSA_BITS for one in verifiers.values()):
        raise UnusableKeysError(f"an RSA key has at least {_LEAST_RSA_BITS} bits")
    return Key(kid, verifiers)


def _fitting(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    """The algorithms that a key may be used with."""
    kty, crv, alg = jwk.get("kty"), jwk.get("crv", ""), jwk.get("alg")
    named = _FITTING.get((kty, crv), ()) if isinstance(kty, str) and isinstance(crv, str) else ()
    fitting = tuple(algorithm for algorithm in named if alg in (None, algorithm))
    if not fitting:
        raise UnusableKeysError(f"its kty, crv and alg are those of none of {', '.join(sorted(ALGORITHMS))}")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeysError("its use or key_ops is not to verify signatures")
    return fitting


def _public_members(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the key, and nothing else of what stands beside it."""
    public = {name: jwk.get(name) for name in ("kty", *_MEMBERS[jwk["kty"]])}
    if not all(isinstance(value, str) and len(value) <= _LONGEST_MEMBER for value in public.values()):
        raise UnusableKeysError("a member is missing, no text, or too long")
    if len(public.get("e") or "") > _LONGEST_EXPONENT:
        raise UnusableKeysError("its exponent is too large")
    return public
