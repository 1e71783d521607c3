"""Client tokens: each bad one is refused for its own reason, the good ones tell who calls."""

import asyncio
import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.decision.callers import Caller
from cds_service.errors import OverloadedError, RefusalReason, UnauthorizedError
from cds_service.fhir.client.documents import Documents
from cds_service.fhir.client.network import OPEN_MODE
from cds_service.trust.jwk import ALGORITHMS, DEFAULT_ALGORITHMS, read_key_set
from cds_service.trust.keys import KeySets
from cds_service.trust.replay import MemoryReplayStore
from cds_service.trust.tokens import Issuer, TokenAuthenticator
from tests.conftest import NOON
from tests.trust.bad_tokens import BAD_TOKENS
from tests.trust.token_maker import (
    EVERY,
    LENIENT,
    MAIN,
    NAME_OF_THE_SERVICE,
    PINNED,
    TENANTS,
    KeyServer,
    TokenMaker,
    bearer,
    encoded,
    issuers,
    key_set,
    published,
)

ENDPOINT = "https://cds.example.org/cds-services/foot-drop-patient-view"
SANDBOX = Path(__file__).parents[3] / "shared" / "fixtures" / "sandbox"


class World:
    """Some registered clients, their keys on a server, and an authenticator that has seen no token yet."""

    def __init__(self, registered, documents=None, **options):
        self.runner = asyncio.Runner()
        self.registered = {issuer.issuer: issuer for issuer in registered}
        self.at = NOON
        self.keys = KeySets(documents or Documents(lambda _: OPEN_MODE))
        memory = MemoryReplayStore(clock=lambda: self.at)
        self.authenticator = TokenAuthenticator(lambda: self.registered, self.keys, memory, **options)

    def caller(self, headers, endpoint=ENDPOINT):
        return self.runner.run(self.authenticator.caller(headers, endpoint, self.at))

    def refused(self, headers, endpoint=ENDPOINT):
        with pytest.raises(UnauthorizedError) as refused:
            self.caller(headers, endpoint)
        return refused.value

    def maker(self, keys_at="https://nowhere.example.org"):
        return TokenMaker(ENDPOINT, keys_at, self.now, self.caller)

    def now(self):
        return self.at.timestamp()

    def close(self):
        self.runner.run(self.keys.close())
        self.runner.close()


@pytest.fixture(scope="module")
def key_server():
    server = KeyServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(key_server):
    made = World(issuers(key_server.base))
    yield made
    made.close()


@pytest.fixture
def world_of():
    """Makes a world of some issuers, taken down after the test."""
    made = []

    def make(registered, documents=None, **options):
        made.append(World(registered, documents, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def maker(world, key_server):
    world.at = NOON
    return world.maker(key_server.base)


# ---- the bad ones


@pytest.mark.norm("JWT-3", "JWT-4", "JWT-5", "JWT-6", "JWT-8", "JWT-9", "JWT-10", "JWT-11", "JWT-12", "JWT-13")
@pytest.mark.norm("JWT-14", "JWT-15", "JWT-16", "JWT-18")
@pytest.mark.parametrize("bad", BAD_TOKENS, ids=lambda bad: bad.name)
def test_a_bad_token_is_refused_for_its_own_reason(world, maker, bad):
    assert world.refused(bad.make(maker)).reason == bad.reason


def test_the_table_has_a_token_for_every_reason_and_no_name_twice():
    assert {bad.reason for bad in BAD_TOKENS} == set(RefusalReason)
    assert len({bad.name for bad in BAD_TOKENS}) == len(BAD_TOKENS)


@pytest.mark.norm("JWT-14")
def test_no_address_but_the_registered_ones_was_asked_for_keys(world, maker, key_server):
    for bad in BAD_TOKENS:
        world.refused(bad.make(maker))
    assert set(key_server.asked) == {"/jwks.json", "/redirect", "/empty.json", "/gone"}


@pytest.mark.norm("JWT-21")
@pytest.mark.parametrize("bad", BAD_TOKENS, ids=lambda bad: bad.name)
def test_a_refusal_repeats_nothing_of_the_token(world, maker, bad, caplog):
    caplog.set_level("DEBUG")
    headers = bad.make(maker)
    refused = world.refused(headers)
    assert str(refused) == "unauthorized"
    assert refused.args == ("unauthorized",)
    assert refused.__cause__ is None
    parts = [part for header in headers for part in header.decode("latin-1").split(" ")[-1].split(".") if len(part) > 8]
    assert not any(part in caplog.text for part in parts)


@pytest.mark.norm("JWT-21")
def test_a_refusal_names_the_client_only_when_the_token_is_its_own(world, maker):
    assert world.refused(maker.good(exp=0)).client == "ehr"
    assert world.refused(maker.without("jti")).client == "ehr"
    stranger = bearer(maker.token(header=maker.header(), key="stranger", claims=maker.claims(exp=0)))
    assert world.refused(stranger).client == ""
    assert world.refused(maker.headed(kid="unknown")).client == ""


@pytest.mark.norm("JWT-20")
def test_a_token_is_judged_in_the_order_of_best_practice(world, maker):
    """Each of these tokens has every later fault as well."""
    claims = maker.claims(aud="x", exp=0, iat=10**12, nbf=10**12, tenant=7, jti=7)
    unknown = bearer(maker.token(header=maker.header(alg="none"), claims=claims | {"iss": "x"}, key="stranger"))
    not_agreed = bearer(maker.token(header=maker.header(alg="none", jku="x"), claims=claims, key="stranger"))
    jku = bearer(maker.token(header=maker.header(kid="x", jku="x"), claims=claims, key="stranger"))
    key = bearer(maker.token(header=maker.header(kid="x"), claims=claims, key="stranger"))
    forged = bearer(maker.token(header=maker.header(), claims=claims, key="stranger"))
    reasons = [world.refused(headers).reason for headers in (unknown, not_agreed, jku, key, forged)]
    reasons += [
        world.refused(maker.good(**(claims | mended))).reason
        for mended in (
            {},
            {"aud": ENDPOINT},
            {"aud": ENDPOINT, "exp": 10**13},
            {"aud": ENDPOINT, "exp": 10**13, "iat": 0},
            {"aud": ENDPOINT, "exp": 10**13, "iat": 0, "nbf": 0},
            {"aud": ENDPOINT, "exp": NOON.timestamp() + 300, "iat": NOON.timestamp(), "nbf": 0},
            {"aud": ENDPOINT, "exp": NOON.timestamp() + 300, "iat": NOON.timestamp(), "nbf": 0, "tenant": "north"},
        )
    ]
    assert [str(reason) for reason in reasons] == [
        "unknown_issuer",
        "algorithm_not_allowed",
        "jku_not_allowed",
        "unknown_key",
        "bad_signature",
        "wrong_audience",
        "expired",
        "issued_in_future",
        "not_yet_valid",
        "too_old",
        "bad_claim",
        "bad_claim",
    ]


def test_a_token_that_is_refused_is_not_used_up(world, maker):
    claims = maker.claims(tenant="north", iss=TENANTS)
    assert world.refused(bearer(maker.token(claims=claims)), ENDPOINT + "/feedback").reason == "wrong_audience"
    assert world.refused(bearer(maker.token(claims=claims | {"tenant": "west"}))).reason == "tenant_not_allowed"
    assert world.caller(bearer(maker.token(claims=claims))).tenant == "north"


@pytest.fixture(scope="module")
def valid(world, key_server):
    """Two tokens that would be good."""
    world.at = NOON
    maker = world.maker(key_server.base)
    return [maker.token(claims=maker.claims(iss=EVERY), key=key) for key in ("es384", "rsa")]


@given(which=st.integers(0, 1), place=st.integers(0), byte=st.integers(0, 255))
def test_a_token_with_one_byte_changed_is_nobodys(world, valid, which, place, byte):
    token = bytearray(valid[which].encode())
    place %= len(token)
    if token[place] == byte:
        byte ^= 1
    token[place] = byte
    world.refused(bearer(bytes(token)))


def test_no_byte_of_a_token_can_be_another(world, valid):
    for token in valid:
        for place in range(len(token)):
            changed = bytearray(token.encode())
            changed[place] ^= 1
            world.refused(bearer(bytes(changed)))


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_no_header_breaks_it(world, headers):
    world.refused(headers)


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=100))
def test_no_bytes_in_the_form_of_a_token_break_it(world, header, payload, signed):
    world.refused(bearer(f"{encoded(header)}.{encoded(payload)}.{encoded(signed)}"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "jti", "tenant", "sub"])


@given(changes=st.dictionaries(CLAIMS, JSON, max_size=3))
def test_no_claims_of_a_client_itself_break_it(world, key_server, changes):
    world.at = NOON
    try:
        caller = world.caller(world.maker(key_server.base).good(**changes))
    except UnauthorizedError:
        return
    assert caller.client == "ehr"
    assert caller.tenant == changes.get("tenant", "")


# ---- the good ones


@pytest.mark.norm("JWT-3", "JWT-17", "JWT-19")
@pytest.mark.parametrize("key", ["es384", "rsa"])
def test_a_token_of_a_registered_client_tells_who_calls(world, maker, key):
    assert world.caller(maker.good(key)) == Caller("ehr")


@pytest.mark.norm("JWT-18")
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        ("es384", "ES384"),
        ("p256", "ES256"),
        ("rsa", "RS384"),
        ("rsa", "PS256"),
        ("rsa", "PS384"),
        ("rsa", "PS512"),
        ("only-ps256", "PS256"),
        ("ed25519", "EdDSA"),
    ],
)
def test_every_algorithm_that_can_be_agreed_is_verified(world, maker, key, algorithm):
    header = maker.header(key, alg=algorithm)
    token = maker.token(header=header, claims=maker.claims(iss=EVERY), key=key, algorithm=algorithm)
    assert world.caller(bearer(token)) == Caller("every")


def test_that_is_all_algorithms_there_are():
    assert frozenset(("ES256", "ES384", "RS384", "PS256", "PS384", "PS512", "EdDSA")) == ALGORITHMS
    assert frozenset(("ES384", "RS384")) == DEFAULT_ALGORITHMS


@pytest.mark.norm("JWT-7", "JWT-14")
def test_the_registered_address_of_keys_may_be_named(world, maker):
    assert world.caller(maker.headed(jku=maker.keys_url)).client == "ehr"


@pytest.mark.norm("JWT-7", "JWT-19")
def test_keys_can_be_given_by_hand(world, maker):
    assert world.caller(maker.good(iss=PINNED)).client == "pinned"


@pytest.mark.norm("JWT-9")
@pytest.mark.parametrize("audience", [ENDPOINT, [ENDPOINT], ["https://x.example.org", ENDPOINT]])
def test_a_token_for_this_endpoint_is_good(world, maker, audience):
    assert world.caller(maker.good(aud=audience)).client == "ehr"


@pytest.mark.norm("JWT-9")
@pytest.mark.parametrize("path", ["", "/foot-drop-order-sign", "/foot-drop-order-sign/feedback"])
def test_each_endpoint_has_tokens_of_its_own(world, maker, path):
    endpoint = f"https://cds.example.org/cds-services{path}"
    assert world.caller(maker.good(aud=endpoint), endpoint).client == "ehr"
    assert world.refused(maker.good(), endpoint).reason == "wrong_audience"


@pytest.mark.norm("JWT-9")
def test_an_audience_that_was_agreed_is_as_good_as_the_endpoint(world, maker):
    assert world.caller(maker.good(iss=LENIENT, aud=NAME_OF_THE_SERVICE)).client == "lenient"
    assert world.caller(maker.good(iss=LENIENT)).client == "lenient"


@pytest.mark.norm("JWT-10", "JWT-11", "JWT-22")
@pytest.mark.parametrize(
    "times",
    [
        {"iat": 0, "exp": 0.5},
        {"iat": 0, "exp": 3600},
        {"iat": -359, "exp": -59},
        {"iat": -3600, "exp": 0},
        {"iat": -3659, "exp": -59},
        {"iat": 60, "exp": 300},
        {"iat": 0, "exp": 300, "nbf": 60},
        {"iat": 0, "exp": 300, "nbf": -10_000},
        {"iat": -481, "exp": 300},
    ],
    ids=str,
)
def test_a_token_is_good_up_to_its_bounds(world, maker, times):
    now = NOON.timestamp()
    assert world.caller(maker.good(**{name: now + seconds for name, seconds in times.items()})).client == "ehr"


@pytest.mark.norm("JWT-13")
def test_a_tenant_is_told(world, maker):
    assert world.caller(maker.good(tenant="west")) == Caller("ehr", "west")
    assert world.caller(maker.good(iss=TENANTS, tenant="south")) == Caller("tenants", "south")
    assert world.caller(maker.good(tenant="Straße 東")) == Caller("ehr", "Straße 東")


@pytest.mark.norm("JWT-12")
def test_two_clients_may_use_the_same_name_for_a_token(world, maker):
    assert world.caller(maker.good(jti="1")).client == "ehr"
    assert world.caller(maker.good(jti="1", iss=PINNED)).client == "pinned"
    assert world.refused(maker.good(jti="1")).reason == "replayed"


@pytest.mark.norm("JWT-12")
def test_of_the_same_token_sent_many_times_at_once_one_is_accepted(world, maker):
    headers = maker.good()

    async def all_at_once():
        asked = (world.authenticator.caller(headers, ENDPOINT, NOON) for _ in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = world.runner.run(all_at_once())
    assert [answer for answer in answers if isinstance(answer, Caller)] == [Caller("ehr")]
    assert {answer.reason for answer in answers if isinstance(answer, UnauthorizedError)} == {RefusalReason.REPLAYED}


@pytest.mark.norm("JWT-12")
def test_a_token_is_remembered_for_as_long_as_it_would_be_accepted(world, maker):
    headers = maker.good()
    assert world.caller(headers)
    for seconds in (299, 330, 359):
        world.at = NOON + dt.timedelta(seconds=seconds)
        assert world.refused(headers).reason == "replayed"
    world.at = NOON + dt.timedelta(seconds=360)
    assert world.refused(headers).reason == "expired"


def test_the_scheme_may_be_written_in_any_case_as_http_has_it(world, maker):
    (header,) = maker.good()
    assert world.caller([header.replace(b"Bearer", b"bearer")]).client == "ehr"


def test_members_that_nobody_has_asked_for_do_no_harm(world, maker):
    assert world.caller(maker.headed(cty="JSON", nonce="x")).client == "ehr"
    assert world.caller(maker.good(sub="somebody", azp=7, roles=["a", {"b": None}])).client == "ehr"


def test_the_leeway_and_the_longest_life_are_those_of_the_deployment(world_of, key_server):
    strict = world_of(issuers(key_server.base), leeway=0, longest=60)
    maker, now = strict.maker(key_server.base), NOON.timestamp()
    assert strict.caller(maker.good(iat=now - 10, exp=now + 50)).client == "ehr"
    assert strict.refused(maker.good(iat=now - 10, exp=now + 51)).reason == "lives_too_long"
    assert strict.refused(maker.good(iat=now - 50, exp=now)).reason == "expired"
    assert strict.refused(maker.good(iat=now + 1, exp=now + 50)).reason == "issued_in_future"


def test_a_client_that_is_taken_out_of_the_register_is_unknown_with_its_next_call(world_of, key_server):
    world = world_of(issuers(key_server.base))
    maker = world.maker(key_server.base)
    assert world.caller(maker.good()).client == "ehr"
    del world.registered[MAIN]
    assert world.refused(maker.good()).reason == "unknown_issuer"


def test_a_client_that_floods_the_memory_is_told_to_wait_and_nothing_is_forgotten(world_of, key_server):
    world = world_of(issuers(key_server.base))
    world.authenticator._replay = MemoryReplayStore(2, clock=lambda: world.at)
    maker = world.maker(key_server.base)
    first = maker.good()
    assert world.caller(first)
    assert world.caller(maker.good())
    with pytest.raises(OverloadedError):
        world.caller(maker.good())
    assert world.refused(first).reason == "replayed"
    assert world.caller(maker.good(iss=PINNED)).client == "pinned"


# ---- what can be registered


@pytest.mark.norm("JWT-15", "JWT-16")
@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384", "HS512", "RS256", "ES512", "ES256K", "es384", ""])
def test_no_registration_can_ask_for_another_algorithm(algorithm):
    with pytest.raises(ValueError, match="algorithms are some of"):
        Issuer("ehr", MAIN, frozenset(("ES384", algorithm)), keys_url="https://ehr.example.org/jwks.json")


def test_a_registration_has_an_algorithm_and_keys():
    with pytest.raises(ValueError, match="algorithms"):
        Issuer("ehr", MAIN, frozenset(), keys_url="https://ehr.example.org/jwks.json")
    with pytest.raises(ValueError, match="keys"):
        Issuer("ehr", MAIN)
    with pytest.raises(ValueError, match="https"):
        Issuer("ehr", MAIN, keys_url="http://ehr.example.org/jwks.json")


def test_a_registration_may_have_keys_and_an_address_for_more(world_of, key_server):
    both = Issuer("ehr", MAIN, keys=read_key_set(key_set("never-published")), keys_url=f"{key_server.base}/jwks.json")
    world = world_of([both])
    maker = world.maker(key_server.base)
    assert world.caller(maker.good("never-published")).client == "ehr"
    assert world.caller(maker.good("es384")).client == "ehr"


# ---- what the public Sandbox really sent


class SandboxKeys:
    """The address of the Sandbox's keys, with a key of ours there."""

    address = "https://sandbox.cds-hooks.org/.well-known/jwks.json"

    def __init__(self, kid):
        self.body = json.dumps({"keys": [published()["keys"][0] | {"kid": kid}]}).encode()

    async def get(self, url, seconds, most_bytes):
        assert url == self.address
        assert seconds > 0
        assert len(self.body) <= most_bytes
        return self.body


@pytest.mark.skipif(not SANDBOX.is_dir(), reason="the recorded traffic is not on this machine")
@pytest.mark.norm("JWT-3", "JWT-7", "JWT-9", "JWT-14", "JWT-17")
def test_the_tokens_of_the_sandbox_are_accepted_when_it_is_registered(world_of):
    captured = [json.loads(path.read_text()).get("jwt") for path in sorted(SANDBOX.glob("cds-*.json"))]
    tokens = [one for one in captured if one]
    assert len(tokens) == 25
    (kid,) = {one["header"]["kid"] for one in tokens}
    sandbox = Issuer("sandbox", "https://sandbox.cds-hooks.org", keys_url=SandboxKeys.address)
    world = world_of([sandbox], SandboxKeys(kid))
    maker = world.maker()
    for one in tokens:
        headers = bearer(maker.token(header=one["header"], claims=one["payload"]))
        world.at = dt.datetime.fromtimestamp(one["payload"]["iat"] + 1, dt.UTC)
        assert world.caller(headers, one["payload"]["aud"]) == Caller("sandbox")
        assert world.refused(headers, one["payload"]["aud"]).reason == "replayed"
