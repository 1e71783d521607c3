"""Clients that are registered, their keys, and tokens of every kind: theirs, and those of whoever pretends to be one.

Works against an authenticator and against a running service alike: `issuers` is what has to be registered, `KeyServer`
is where their keys are, and `TokenMaker` makes the `Authorization` headers.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

from cds_service.trust.jwk import ALGORITHMS, read_key_set
from cds_service.trust.tokens import Issuer

MAIN = "https://ehr.example.org"
EVERY = "https://every-algorithm.example.org"
PINNED = "https://keys-in-the-file.example.org"
TENANTS = "https://tenants.example.org"
LENIENT = "https://fixed-audience.example.org"
REDIRECTED = "https://redirected.example.org"
EMPTY = "https://no-keys.example.org"
GONE = "https://gone.example.org"
NAME_OF_THE_SERVICE = "urn:example:foot-drop"

ALGORITHM = {
    "es384": "ES384",
    "rsa": "RS384",
    "p256": "ES256",
    "ed25519": "EdDSA",
    "only-ps256": "PS256",
    "weak": "RS384",
    "for-encryption": "ES384",
    "for-signing": "ES384",
    "rotated-away": "ES384",
    "never-published": "ES384",
    "stranger": "ES384",
}
"""Every key of these tests by its kid, and the algorithm that it signs with unless something else is asked for."""
PUBLISHED = ("es384", "rsa", "p256", "ed25519", "only-ps256", "weak", "for-encryption", "for-signing")
_BESIDE = {
    "only-ps256": {"alg": "PS256"},
    "for-encryption": {"use": "enc"},
    "for-signing": {"key_ops": ["sign"]},
    "es384": {"use": "sig", "alg": "ES384", "key_ops": ["verify"]},
}
_SHARED_SECRET = b"a secret that both sides know, as HMAC wants it."


@cache
def private_key(kid):
    algorithm = ALGORITHM[kid]
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
    return rsa.generate_private_key(65537, 1024 if kid == "weak" else 2048)


def jwk(kid, /, **members):
    """The public half of a key."""
    algorithm, public = ALGORITHM[kid], private_key(kid).public_key()
    kind = OKPAlgorithm if algorithm == "EdDSA" else ECAlgorithm if algorithm.startswith("ES") else RSAAlgorithm
    made = kind.to_jwk(public, as_dict=True)
    made.pop("key_ops", None)
    return made | _BESIDE.get(kid, {}) | {"kid": kid} | members


def pem(kid):
    return private_key(kid).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_set(*kids):
    return {"keys": [jwk(kid) for kid in kids]}


def published():
    """The client's JWK Set: good keys, and others that no token may be verified with."""
    shared = {"kty": "oct", "kid": "shared", "alg": "HS256", "k": encoded(_SHARED_SECRET)}
    return {"keys": [*(jwk(kid) for kid in PUBLISHED), shared]}


def issuers(keys_at):
    """What has to be registered for the table of bad tokens; ``keys_at`` is the base of the `KeyServer`."""
    at = f"{keys_at}/jwks.json"
    return [
        Issuer("ehr", MAIN, keys_url=at),
        Issuer("every", EVERY, ALGORITHMS, keys_url=at),
        Issuer("pinned", PINNED, keys=read_key_set(key_set("es384"))),
        Issuer("tenants", TENANTS, keys_url=at, tenants=frozenset(("north", "south"))),
        Issuer("lenient", LENIENT, keys_url=at, audiences=frozenset((NAME_OF_THE_SERVICE,))),
        Issuer("redirected", REDIRECTED, keys_url=f"{keys_at}/redirect"),
        Issuer("empty", EMPTY, keys_url=f"{keys_at}/empty.json"),
        Issuer("gone", GONE, keys_url=f"{keys_at}/gone"),
    ]


class KeyServer:
    """Serves key sets on loopback: the client's own, those of others, and a redirect to the client's own."""

    def __init__(self):
        self.asked = []
        self.documents = {
            "/jwks.json": published(),
            "/empty.json": {"keys": []},
            "/foreign.json": {"keys": [jwk("stranger", kid="es384")]},
        }
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                document = server.documents.get(self.path)
                body = b"" if document is None else json.dumps(document).encode()
                self.send_response(302 if self.path == "/redirect" else 404 if document is None else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                if self.path == "/redirect":
                    self.send_header("location", "/jwks.json")
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def as_json(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def signature(signed, kid, algorithm=None):
    """The signature of a key, or of the shared secret, over some bytes."""
    if kid == "shared":
        return hmac.digest(_SHARED_SECRET, signed, hashlib.sha256)
    algorithms = get_default_algorithms()
    return algorithms[algorithm or ALGORITHM[kid]].sign(signed, private_key(kid))


def compact(header, claims, sign):
    """A token in compact form; bytes stand as they are, everything else as JSON."""
    signed = f"{encoded(as_json(header))}.{encoded(as_json(claims))}"
    return f"{signed}.{encoded(sign(signed.encode()))}"


def bearer(token):
    """The headers of a request with a token."""
    return [b"Bearer " + (token if isinstance(token, bytes) else token.encode())]


class TokenMaker:
    """Makes tokens for one endpoint, as the registered clients make them unless something else is asked for."""

    def __init__(self, endpoint, keys_at, now, send):
        """``now`` tells the service's time in seconds; ``send`` sends headers in a request that is accepted."""
        self.endpoint = endpoint
        self.keys_at = keys_at
        self.keys_url = f"{keys_at}/jwks.json"
        self.now = now
        self.send = send

    def header(self, kid="es384", /, *, without=(), **members):
        made = {"alg": ALGORITHM[kid], "typ": "JWT", "kid": kid} | members
        return {name: value for name, value in made.items() if name not in without}

    def claims(self, *, without=(), **members):
        now = int(self.now())
        made = {"iss": MAIN, "aud": self.endpoint, "iat": now, "exp": now + 300, "jti": str(uuid4())} | members
        return {name: value for name, value in made.items() if name not in without}

    def token(self, *, header=None, claims=None, key="es384", algorithm=None):
        """A token with a good signature of ``key``, whatever its header says."""
        header = self.header(key) if header is None else header
        claims = self.claims() if claims is None else claims
        return compact(header, claims, lambda signed: signature(signed, key, algorithm))

    def good(self, key="es384", /, **claims):
        """The headers of a request with a good token but for these claims."""
        return bearer(self.token(claims=self.claims(**claims), key=key))

    def without(self, *names):
        """The headers of a request with a token that lacks some claims."""
        return bearer(self.token(claims=self.claims(without=names)))

    def headed(self, key="es384", /, **members):
        """The headers of a request with a token with a good signature, and these members in its header."""
        return bearer(self.token(header=self.header(key, **members), key=key))
