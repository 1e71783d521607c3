"""Tokens that are refused, each for one reason: the same table for the authenticator and for the running service.

`make` takes a `TokenMaker` and gives the values of the request's `Authorization` headers. What `token_maker.issuers`
lists has to be registered.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA384

from cds_service.errors import RefusalReason
from tests.trust.token_maker import (
    EMPTY,
    EVERY,
    GONE,
    LENIENT,
    MAIN,
    NAME_OF_THE_SERVICE,
    PINNED,
    REDIRECTED,
    TENANTS,
    TokenMaker,
    as_json,
    bearer,
    compact,
    decoded,
    encoded,
    jwk,
    pem,
    private_key,
    signature,
)

R = RefusalReason


@dataclass(frozen=True)
class BadToken:
    """What a token is like, how it is made, why it is refused."""

    name: str
    make: Callable[[TokenMaker], list[bytes]]
    reason: RefusalReason

    @property
    def travels(self) -> bool:
        """Whether HTTP brings it to a service at all: neither a line break nor what is larger than servers read."""
        return self.name not in ("a line break", "a header that is far too long")


def _parts(maker, **options):
    return maker.token(**options).split(".")


def _with_part(number, text):
    """A good token with another part in the place of one."""

    def make(maker):
        parts = _parts(maker)
        parts[number] = text(parts[number]) if callable(text) else text
        return bearer(".".join(parts))

    return make


def _json_serialization(maker, *, general):
    header, payload, signed = _parts(maker)
    one = {"protected": header, "signature": signed}
    made = {"payload": payload} | ({"signatures": [one, one]} if general else one)
    return bearer(json.dumps(made, separators=(",", ":")))


def _not_canonical(part):
    """Another last character that decodes to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def _longer_by_one_byte(maker):
    """A header whose length leaves bits over in base64url, so that the last character can be written in two ways."""
    for padding in range(3):
        header = json.dumps(maker.header()).encode() + b" " * padding
        if len(encoded(header)) % 4:
            return header
    raise AssertionError


def _with_loose_bits(maker):
    parts = maker.token(header=_longer_by_one_byte(maker)).split(".")
    return bearer(".".join([_not_canonical(parts[0]), *parts[1:]]))


def _with_loose_bits_in_the_signature(maker):
    parts = maker.token(key="rsa").split(".")
    return bearer(".".join([*parts[:2], _not_canonical(parts[2])]))


def _of(header=None, claims=None):
    """A token of which the header or the claims are these very bytes."""
    return lambda maker: bearer(maker.token(header=header, claims=claims))


def _twice(name, where):
    """A token in which a member stands twice; only its last value, which most readers take, would be good."""

    def make(maker):
        made = {"header": maker.header(), "claims": maker.claims()}
        text = json.dumps(made[where]).encode()
        made[where] = b'{"' + name.encode() + b'": "another", ' + text[1:]
        return bearer(maker.token(**made))

    return make


def _hmac(secret, algorithm="HS256", kid="es384"):
    """A token that is signed with what everybody can know, as if it were a shared secret."""
    names = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}

    def make(maker):
        header = maker.header(alg=algorithm, kid=kid)
        return bearer(compact(header, maker.claims(), lambda signed: hmac.digest(secret(), signed, names[algorithm])))

    return make


def _unsigned(algorithm):
    return lambda maker: bearer(compact(maker.header(alg=algorithm), maker.claims(), lambda _: b""))


def _embedded(**members):
    """A token of a stranger, whose header brings the stranger's key along."""
    return lambda maker: bearer(maker.token(header=maker.header(**members), key="stranger"))


def _signed(header_kid, key, algorithm):
    """A token whose header names one key and algorithm of a client that uses all, signed by another."""

    def make(maker):
        header = maker.header(header_kid, alg=algorithm)
        return bearer(maker.token(header=header, claims=maker.claims(iss=EVERY), key=key))

    return make


def _edited(part, edit):
    """A good token of which somebody has changed what it says."""

    def make(maker):
        parts = _parts(maker)
        said = json.loads(decoded(parts[part]))
        said.update(edit(maker))
        parts[part] = encoded(as_json(said))
        return bearer(".".join(parts))

    return make


def _signature(change):
    def make(maker):
        parts = _parts(maker)
        return bearer(".".join([*parts[:2], encoded(change(decoded(parts[2])))]))

    return make


def _der(maker):
    """ECDSA as most of the world writes it, and JOSE does not."""
    header, payload, _ = _parts(maker)
    made = private_key("es384").sign(f"{header}.{payload}".encode(), ECDSA(SHA384()))
    return bearer(f"{header}.{payload}.{encoded(made)}")


def _of_another_token(maker):
    ours, other = _parts(maker), _parts(maker)
    return bearer(".".join([*ours[:2], other[2]]))


def _replayed(maker):
    headers = maker.good()
    maker.send(headers)
    return headers


def _replayed_with_a_new_signature(maker):
    """The same token once more, signed anew: its name is what counts."""
    claims = maker.claims()
    maker.send(bearer(maker.token(claims=claims)))
    return bearer(maker.token(claims=claims | {"iat": claims["iat"] + 1}))


def _at(**offsets):
    """A token with times that lie this many seconds from now."""
    return lambda maker: maker.good(**{name: int(maker.now()) + seconds for name, seconds in offsets.items()})


def _claim(**members):
    return lambda maker: maker.good(**members)


def _literal(name, text):
    """A claim whose JSON no library would write."""

    def make(maker):
        claims = json.dumps(maker.claims(**{name: "PLACE"})).encode().replace(b'"PLACE"', text)
        return bearer(maker.token(claims=claims))

    return make


def _audience(of):
    return lambda maker: maker.good(aud=of(maker))


def _key(kid, algorithm=None, **options):
    return lambda maker: bearer(maker.token(key=kid, algorithm=algorithm, **options))


BAD_TOKENS = [
    BadToken(*row)
    for row in (
        # ---- no token, or not one
        ("no Authorization header", lambda _: [], R.NO_TOKEN),
        ("an empty header", lambda _: [b""], R.NO_TOKEN),
        ("the scheme alone", lambda _: [b"Bearer"], R.NO_TOKEN),
        ("the scheme and a space", lambda _: [b"Bearer "], R.NO_TOKEN),
        ("a user and a password", lambda _: [b"Basic dXNlcjpwYXNzd29yZA=="], R.NOT_BEARER),
        ("a token without a scheme", lambda m: [m.token().encode()], R.NOT_BEARER),
        ("a token of another scheme", lambda m: [b"JWT " + m.token().encode()], R.NOT_BEARER),
        ("two headers, both good", lambda m: [*m.good(), *m.good()], R.SEVERAL_TOKENS),
        ("the same header twice", lambda m: m.good() * 2, R.SEVERAL_TOKENS),
        ("two tokens in one header", lambda m: [b", ".join([*m.good(), *m.good()])], R.MALFORMED),
        ("a token and one thing more", lambda m: [m.good()[0] + b" more"], R.MALFORMED),
        ("two spaces", lambda m: [m.good()[0].replace(b" ", b"  ")], R.MALFORMED),
        ("a token that is too long", _claim(padding="x" * 8192), R.TOO_LONG),
        ("a header that is far too long", lambda _: [b"Bearer " + b"A" * 60_000], R.TOO_LONG),
        # ---- its form
        ("one part", lambda m: bearer(_parts(m)[0]), R.MALFORMED),
        ("two parts", lambda m: bearer(".".join(_parts(m)[:2])), R.MALFORMED),
        ("four parts", lambda m: bearer(".".join([*_parts(m), "AAAA"])), R.MALFORMED),
        ("two signatures", lambda m: bearer(".".join([*_parts(m), _parts(m)[2]])), R.MALFORMED),
        ("five parts, as an encrypted one has", lambda m: bearer(".".join([*_parts(m), "AA", "AA"])), R.MALFORMED),
        ("the general JSON serialization", lambda m: _json_serialization(m, general=True), R.MALFORMED),
        ("the flattened JSON serialization", lambda m: _json_serialization(m, general=False), R.MALFORMED),
        ("no header", _with_part(0, ""), R.MALFORMED),
        ("no payload", _with_part(1, ""), R.MALFORMED),
        ("padding", _with_part(1, lambda part: part + "=" * (-len(part) % 4 or 1)), R.MALFORMED),
        ("a character outside base64url", _with_part(1, lambda part: "!" + part[1:]), R.MALFORMED),
        ("the alphabet of plain base64", _with_part(2, lambda part: "+/" + part[2:]), R.MALFORMED),
        ("a length that no bytes have", _with_part(1, "AAAAA"), R.MALFORMED),
        ("loose bits in the last character", _with_loose_bits, R.MALFORMED),
        ("loose bits in the signature", _with_loose_bits_in_the_signature, R.MALFORMED),
        ("a signature of a length that no bytes have", _with_part(2, "AAAAA"), R.MALFORMED),
        ("a line break", _with_part(2, lambda part: part + "\n"), R.MALFORMED),
        ("a letter that is not ASCII", _with_part(2, lambda part: "é" + part[1:]), R.MALFORMED),
        ("a header that is no JSON", _of(header=b"header"), R.MALFORMED),
        ("a header that is no object", _of(header=["JWT"]), R.MALFORMED),
        ("a payload that is no JSON", _of(claims=b"payload"), R.MALFORMED),
        ("a payload that is no object", _of(claims=["exp"]), R.MALFORMED),
        ("a payload that is a number", _of(claims=b"7"), R.MALFORMED),
        ("a payload in UTF-16", lambda m: bearer(m.token(claims=json.dumps(m.claims()).encode("utf-16"))), R.MALFORMED),
        ("a payload that is no UTF-8", _of(claims=b'{"iss": "\xff"}'), R.MALFORMED),
        ("a byte order mark", lambda m: bearer(m.token(claims=b"\xef\xbb\xbf" + as_json(m.claims()))), R.MALFORMED),
        ("two payloads", lambda m: bearer(m.token(claims=as_json(m.claims()) * 2)), R.MALFORMED),
        ("NaN as a time", _literal("exp", b"NaN"), R.MALFORMED),
        ("the infinite as a time", _literal("exp", b"Infinity"), R.MALFORMED),
        ("a number of thousands of digits", _literal("exp", b"9" * 5000), R.MALFORMED),
        ("lists in lists in lists", _of(claims=b'{"iss": ' + b"[" * 5000), R.MALFORMED),
        ("the issuer twice", _twice("iss", "claims"), R.MALFORMED),
        ("the audience twice", _twice("aud", "claims"), R.MALFORMED),
        ("a claim twice that nobody reads", lambda m: bearer(m.token(claims=b'{"a": 1, "a": 1}')), R.MALFORMED),
        ("the algorithm twice", _twice("alg", "header"), R.MALFORMED),
        ("the key id twice", _twice("kid", "header"), R.MALFORMED),
        # ---- its header
        ("no algorithm", lambda m: m.headed(without=["alg"]), R.BAD_HEADER),
        ("an algorithm that is a number", lambda m: m.headed(alg=384), R.BAD_HEADER),
        ("an algorithm that is null", lambda m: m.headed(alg=None), R.BAD_HEADER),
        ("a list of algorithms", lambda m: m.headed(alg=["ES384"]), R.BAD_HEADER),
        ("no key id", lambda m: m.headed(without=["kid"]), R.BAD_HEADER),
        ("a key id that is a number", lambda m: m.headed(kid=1), R.BAD_HEADER),
        ("an empty key id", lambda m: m.headed(kid=""), R.BAD_HEADER),
        ("no type", lambda m: m.headed(without=["typ"]), R.WRONG_TYPE),
        ("the type of an access token", lambda m: m.headed(typ="at+jwt"), R.WRONG_TYPE),
        ("the type in small letters", lambda m: m.headed(typ="jwt"), R.WRONG_TYPE),
        ("a type that is a list", lambda m: m.headed(typ=["JWT"]), R.WRONG_TYPE),
        ("a critical extension", lambda m: m.headed(crit=["exp"], exp=1), R.BAD_HEADER),
        ("an empty list of critical extensions", lambda m: m.headed(crit=[]), R.BAD_HEADER),
        ("a payload that is not encoded", lambda m: m.headed(b64=False, crit=["b64"]), R.BAD_HEADER),
        ("b64 alone", lambda m: m.headed(b64=True), R.BAD_HEADER),
        ("a stranger's key inside", _embedded(jwk=jwk("stranger")), R.BAD_HEADER),
        ("our own key inside", lambda m: m.headed(jwk=jwk("es384")), R.BAD_HEADER),
        ("an address of certificates", lambda m: _embedded(x5u=f"{m.keys_at}/foreign.json")(m), R.BAD_HEADER),
        ("certificates inside", _embedded(x5c=[base64.b64encode(b"a certificate").decode()]), R.BAD_HEADER),
        ("a certificate's thumbprint", lambda m: m.headed(x5t="dGh1bWI"), R.BAD_HEADER),
        ("a certificate's longer thumbprint", lambda m: m.headed(**{"x5t#S256": "dGh1bWI"}), R.BAD_HEADER),
        ("an address of keys that is a number", lambda m: m.headed(jku=7), R.BAD_HEADER),
        ("an address of keys that is null", lambda m: m.headed(jku=None), R.BAD_HEADER),
        # ---- its issuer
        ("no issuer", lambda m: m.without("iss"), R.MISSING_CLAIM),
        ("an issuer that is null", _claim(iss=None), R.BAD_CLAIM),
        ("an issuer that is a list", _claim(iss=[MAIN]), R.BAD_CLAIM),
        ("an issuer that nobody knows", _claim(iss="https://other.example.org"), R.UNKNOWN_ISSUER),
        ("an empty issuer", _claim(iss=""), R.UNKNOWN_ISSUER),
        ("an issuer with a slash more", _claim(iss=MAIN + "/"), R.UNKNOWN_ISSUER),
        ("an issuer in capitals", _claim(iss=MAIN.upper()), R.UNKNOWN_ISSUER),
        # ---- its algorithm
        ("no signature, and it says so", _unsigned("none"), R.ALGORITHM_NOT_ALLOWED),
        ("no signature, said in capitals", _unsigned("NONE"), R.ALGORITHM_NOT_ALLOWED),
        ("none, with a good signature", lambda m: m.headed(alg="none"), R.ALGORITHM_NOT_ALLOWED),
        ("the public key as a secret, as PEM", _hmac(lambda: pem("es384")), R.ALGORITHM_NOT_ALLOWED),
        ("the RSA key as a secret, as PEM", _hmac(lambda: pem("rsa"), kid="rsa"), R.ALGORITHM_NOT_ALLOWED),
        ("the public key as a secret, as JWK", _hmac(lambda: as_json(jwk("es384"))), R.ALGORITHM_NOT_ALLOWED),
        ("HMAC with SHA-384", _hmac(lambda: pem("rsa"), "HS384", "rsa"), R.ALGORITHM_NOT_ALLOWED),
        ("HMAC with SHA-512", _hmac(lambda: pem("rsa"), "HS512", "rsa"), R.ALGORITHM_NOT_ALLOWED),
        (
            "a shared secret that the client has published",
            lambda m: bearer(
                compact(m.header(alg="HS256", kid="shared"), m.claims(), lambda signed: signature(signed, "shared"))
            ),
            R.ALGORITHM_NOT_ALLOWED,
        ),
        (
            "HMAC of a client that may use every algorithm",
            lambda m: bearer(
                compact(
                    m.header(alg="HS256"),
                    m.claims(iss=EVERY),
                    lambda signed: hmac.digest(pem("es384"), signed, hashlib.sha256),
                )
            ),
            R.ALGORITHM_NOT_ALLOWED,
        ),
        ("an algorithm in small letters", lambda m: m.headed(alg="es384"), R.ALGORITHM_NOT_ALLOWED),
        ("ES256 where it was not agreed", _key("p256"), R.ALGORITHM_NOT_ALLOWED),
        ("PS256 where it was not agreed", _key("only-ps256"), R.ALGORITHM_NOT_ALLOWED),
        ("EdDSA where it was not agreed", _key("ed25519"), R.ALGORITHM_NOT_ALLOWED),
        ("RS256", lambda m: bearer(m.token(header=m.header("rsa", alg="RS256"), key="rsa", algorithm="RS256")),
         R.ALGORITHM_NOT_ALLOWED),
        ("RS256 of a client that may use every algorithm", _signed("rsa", "rsa", "RS256"), R.ALGORITHM_NOT_ALLOWED),
        # ---- the address of its keys
        ("a stranger's address of keys", lambda m: _embedded(jku=f"{m.keys_at}/foreign.json")(m), R.JKU_NOT_ALLOWED),
        ("an address inside the machine", _embedded(jku="http://169.254.169.254/keys"), R.JKU_NOT_ALLOWED),
        ("a file as address of keys", _embedded(jku="file:///etc/passwd"), R.JKU_NOT_ALLOWED),
        ("our address with something behind it", lambda m: m.headed(jku=m.keys_url + "?v=2"), R.JKU_NOT_ALLOWED),
        ("our address with a fragment", lambda m: m.headed(jku=m.keys_url + "#other"), R.JKU_NOT_ALLOWED),
        ("our address in other letters", lambda m: m.headed(jku=m.keys_url.upper()), R.JKU_NOT_ALLOWED),
        ("an empty address of keys", lambda m: m.headed(jku=""), R.JKU_NOT_ALLOWED),
        (
            "an address where the keys were given by hand",
            lambda m: bearer(m.token(header=m.header(jku=m.keys_url), claims=m.claims(iss=PINNED))),
            R.JKU_NOT_ALLOWED,
        ),
        # ---- its key
        ("a key that was never published", _key("never-published"), R.UNKNOWN_KEY),
        ("a key that was rotated away", _key("rotated-away"), R.UNKNOWN_KEY),
        ("a key id that is a path", lambda m: m.headed(kid="../../../dev/null"), R.UNKNOWN_KEY),
        ("a key id for a database", lambda m: m.headed(kid="' OR 1=1 --"), R.UNKNOWN_KEY),
        ("a key for encryption", _key("for-encryption"), R.UNKNOWN_KEY),
        ("a key that is not to verify with", _key("for-signing"), R.UNKNOWN_KEY),
        ("an RSA key that is too short", _key("weak"), R.UNKNOWN_KEY),
        ("a shared secret in place of a key", lambda m: m.headed(kid="shared"), R.UNKNOWN_KEY),
        ("another client's key", lambda m: bearer(m.token(key="rsa", claims=m.claims(iss=PINNED))), R.UNKNOWN_KEY),
        ("an RSA key for an EC algorithm", _signed("rsa", "es384", "ES384"), R.UNFIT_KEY),
        ("an EC key for an RSA algorithm", _signed("es384", "rsa", "RS384"), R.UNFIT_KEY),
        ("a key of another curve", _signed("p256", "es384", "ES384"), R.UNFIT_KEY),
        ("an EC key for EdDSA", _signed("es384", "ed25519", "EdDSA"), R.UNFIT_KEY),
        ("a key for PS256, used for RS384", _signed("only-ps256", "rsa", "RS384"), R.UNFIT_KEY),
        ("keys behind a redirect", _claim(iss=REDIRECTED), R.KEYS_UNAVAILABLE),
        ("a key set without keys", _claim(iss=EMPTY), R.KEYS_UNAVAILABLE),
        ("keys that are not there", _claim(iss=GONE), R.KEYS_UNAVAILABLE),
        # ---- its signature
        ("a stranger's signature", lambda m: bearer(m.token(header=m.header(), key="stranger")), R.BAD_SIGNATURE),
        ("no signature", _signature(lambda _: b""), R.BAD_SIGNATURE),
        ("half a signature", _signature(lambda made: made[:48]), R.BAD_SIGNATURE),
        ("a signature and a half", _signature(lambda made: made + made[:48]), R.BAD_SIGNATURE),
        ("a signature of zeros", _signature(lambda made: bytes(len(made))), R.BAD_SIGNATURE),
        ("a signature of ones", _signature(lambda made: b"\xff" * len(made)), R.BAD_SIGNATURE),
        ("the halves the other way round", _signature(lambda made: made[48:] + made[:48]), R.BAD_SIGNATURE),
        ("a signature as DER", _der, R.BAD_SIGNATURE),
        ("the signature of another token", _of_another_token, R.BAD_SIGNATURE),
        ("RS384 that was made as PS384", _key("rsa", "PS384"), R.BAD_SIGNATURE),
        ("RS384 that was made as RS256", _key("rsa", "RS256"), R.BAD_SIGNATURE),
        ("another endpoint, written in later", _edited(1, lambda _: {"aud": "https://x.example.org"}), R.BAD_SIGNATURE),
        ("a later end, written in", _edited(1, lambda m: {"exp": int(m.now()) + 3000}), R.BAD_SIGNATURE),
        ("another client, written in", _edited(1, lambda _: {"iss": EVERY}), R.BAD_SIGNATURE),
        ("another member of the header", _edited(0, lambda _: {"cty": "JWT"}), R.BAD_SIGNATURE),
        ("another key id, written in", _edited(0, lambda _: {"kid": "rsa", "alg": "RS384"}), R.BAD_SIGNATURE),
        # ---- for whom it is
        ("no audience", lambda m: m.without("aud"), R.MISSING_CLAIM),
        ("an audience that is null", _claim(aud=None), R.BAD_CLAIM),
        ("an audience that is a number", _claim(aud=1), R.BAD_CLAIM),
        ("an audience that is an object", lambda m: m.good(aud={m.endpoint: True}), R.BAD_CLAIM),
        ("an empty audience", _claim(aud=""), R.BAD_CLAIM),
        ("an empty list of audiences", _claim(aud=[]), R.BAD_CLAIM),
        ("a list with a number in it", lambda m: m.good(aud=[m.endpoint, 1]), R.BAD_CLAIM),
        ("a list in a list", lambda m: m.good(aud=[[m.endpoint]]), R.BAD_CLAIM),
        ("another endpoint", _audience(lambda m: m.endpoint + "/feedback"), R.WRONG_AUDIENCE),
        ("a part of the endpoint", _audience(lambda m: m.endpoint.rpartition("/")[0]), R.WRONG_AUDIENCE),
        ("the endpoint with a slash more", _audience(lambda m: m.endpoint + "/"), R.WRONG_AUDIENCE),
        ("the endpoint with a query", _audience(lambda m: m.endpoint + "?a=b"), R.WRONG_AUDIENCE),
        ("the endpoint in capitals", _audience(lambda m: m.endpoint.upper()), R.WRONG_AUDIENCE),
        ("the endpoint at another host", _audience(lambda _: "https://x.example.org/cds-services"), R.WRONG_AUDIENCE),
        ("a list of others", _claim(aud=["https://a.example.org", "https://b.example.org"]), R.WRONG_AUDIENCE),
        ("what only another client may send", _claim(aud=NAME_OF_THE_SERVICE), R.WRONG_AUDIENCE),
        (
            "a part of what the client may send",
            lambda m: m.good(iss=LENIENT, aud=NAME_OF_THE_SERVICE[:-1]),
            R.WRONG_AUDIENCE,
        ),
        # ---- when
        ("no end", lambda m: m.without("exp"), R.MISSING_CLAIM),
        ("an end that is a text", lambda m: m.good(exp=str(int(m.now()) + 300)), R.BAD_CLAIM),
        ("an end that is true", _claim(exp=True), R.BAD_CLAIM),
        ("an end that is null", _claim(exp=None), R.BAD_CLAIM),
        ("an end that is a list", lambda m: m.good(exp=[int(m.now()) + 300]), R.BAD_CLAIM),
        ("an end beyond all numbers", _literal("exp", b"1e999"), R.BAD_CLAIM),
        ("an end of four thousand digits", _literal("exp", b"9" * 4000), R.BAD_CLAIM),
        ("an end in milliseconds", lambda m: m.good(exp=int(m.now() + 300) * 1000), R.LIVES_TOO_LONG),
        ("an end in the past", _at(iat=-400, exp=-100), R.EXPIRED),
        ("an end in the past by the leeway", _at(iat=-360, exp=-60), R.EXPIRED),
        ("an end before all time", _claim(exp=-1), R.EXPIRED),
        ("no time of issue", lambda m: m.without("iat"), R.MISSING_CLAIM),
        ("a time of issue that is a text", lambda m: m.good(iat=str(int(m.now()))), R.BAD_CLAIM),
        ("a time of issue that is false", _claim(iat=False), R.BAD_CLAIM),
        ("a time of issue in the future", _at(iat=90, exp=300), R.ISSUED_IN_FUTURE),
        ("a token that is too old", _at(iat=-3700, exp=300), R.TOO_OLD),
        ("a token that lives too long", _at(iat=-10, exp=3600), R.LIVES_TOO_LONG),
        ("a token that lives for ever", _at(iat=0, exp=10**9), R.LIVES_TOO_LONG),
        ("a token that is not valid yet", _at(nbf=90), R.NOT_YET_VALID),
        ("a beginning that is a text", _claim(nbf="now"), R.BAD_CLAIM),
        ("a beginning that is null", _claim(nbf=None), R.BAD_CLAIM),
        # ---- its own name
        ("no name", lambda m: m.without("jti"), R.MISSING_CLAIM),
        ("a name that is a number", _claim(jti=1), R.BAD_CLAIM),
        ("a name that is null", _claim(jti=None), R.BAD_CLAIM),
        ("an empty name", _claim(jti=""), R.BAD_CLAIM),
        ("a name that is too long", _claim(jti="x" * 257), R.BAD_CLAIM),
        ("a name with a zero byte", _claim(jti="a\0b"), R.BAD_CLAIM),
        ("a name with half a character", _literal("jti", b'"\\ud800"'), R.BAD_CLAIM),
        ("a token that was used", _replayed, R.REPLAYED),
        ("a token that was used, signed anew", _replayed_with_a_new_signature, R.REPLAYED),
        # ---- on whose behalf
        ("a tenant that is a number", _claim(tenant=1), R.BAD_CLAIM),
        ("a tenant that is null", _claim(tenant=None), R.BAD_CLAIM),
        ("an empty tenant", _claim(tenant=""), R.BAD_CLAIM),
        ("a tenant that is too long", _claim(tenant="x" * 65), R.BAD_CLAIM),
        ("a tenant with a line break", _claim(tenant="north\nsouth"), R.BAD_CLAIM),
        ("a tenant that was not agreed", _claim(iss=TENANTS, tenant="west"), R.TENANT_NOT_ALLOWED),
        ("a tenant in capitals", _claim(iss=TENANTS, tenant="North"), R.TENANT_NOT_ALLOWED),
        ("no tenant where some were agreed", _claim(iss=TENANTS), R.TENANT_NOT_ALLOWED),
    )
]  # fmt: skip
