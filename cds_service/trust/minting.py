"""A CDS client's side, in small: a key pair, and tokens that it signs. To try the service with, before an EHR does."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from cds_service.errors import FootDropError
from cds_service.trust.jwk import ALGORITHMS

PRIVATE: Final = "private.jwk.json"
PUBLIC: Final = "jwks.json"
_RSA_BITS: Final = 3072


def make_keys(folder: Path, algorithm: str, kid: str | None = None) -> tuple[Path, Path]:
    """Write a private key, which only its owner can read, and the JWK Set to register. Raises FootDropError.

    Nothing is overwritten: a key that was lost cannot be had back.
    """
    if algorithm not in ALGORITHMS:
        raise FootDropError(f"there is no algorithm {algorithm} here: use one of {', '.join(sorted(ALGORITHMS))}")
    private, public = folder / PRIVATE, folder / PUBLIC
    for path in (private, public):
        if path.exists():
            raise FootDropError(f"{path} is there already, and a key is never overwritten")
    secret, shown = _generate(algorithm)
    names = {"kid": kid or str(uuid4()), "alg": algorithm, "use": "sig"}
    folder.mkdir(parents=True, exist_ok=True)
    _write(private, secret | names, 0o600)
    _write(public, {"keys": [shown | names]}, 0o644)
    return private, public


def mint(
    key_file: Path, issuer: str, endpoint: str, at: dt.datetime, lifetime: dt.timedelta, tenant: str | None = None
) -> str:
    """A token for one request to an endpoint, signed with a key of `make_keys`. Raises FootDropError."""
    if lifetime <= dt.timedelta():
        raise FootDropError("a token lives for a second at least")
    key, kid = _read(key_file)
    begin = int(at.timestamp())
    claims: dict[str, Any] = {"iss": issuer, "aud": endpoint, "iat": begin, "jti": str(uuid4())}
    claims["exp"] = begin + int(lifetime.total_seconds())
    if tenant is not None:
        claims["tenant"] = tenant
    return jwt.encode(claims, key, key.algorithm_name, {"kid": kid})


def _generate(algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new key as JWK: with the secret, and without."""
    if algorithm.startswith("ES"):
        on_curve = ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
        return ECAlgorithm.to_jwk(on_curve, as_dict=True), ECAlgorithm.to_jwk(on_curve.public_key(), as_dict=True)
    if algorithm == "EdDSA":
        edwards = ed25519.Ed25519PrivateKey.generate()
        return OKPAlgorithm.to_jwk(edwards, as_dict=True), OKPAlgorithm.to_jwk(edwards.public_key(), as_dict=True)
    made = rsa.generate_private_key(65537, _RSA_BITS)
    return RSAAlgorithm.to_jwk(made, as_dict=True), RSAAlgorithm.to_jwk(made.public_key(), as_dict=True)


def _write(path: Path, value: dict[str, Any], mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2) + "\n")


def _read(key_file: Path) -> tuple[jwt.PyJWK, str]:
    """A private key and its id. What stands in the file is in no message."""
    try:
        jwk = json.loads(key_file.read_text(encoding="utf-8"))
        if "d" in jwk and jwk["alg"] in ALGORITHMS and isinstance(jwk["kid"], str):
            return jwt.PyJWK(jwk, jwk["alg"]), jwk["kid"]
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        pass
    raise FootDropError(f"{key_file} holds no private key such as `cds-service keys` makes")
