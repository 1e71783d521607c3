"""The keys of clients: read from a JWK Set, fetched from a server on loopback, kept, renewed, rotated."""

import asyncio
import contextlib
import functools
import gzip
import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import FetchError, RefusalReason, UnauthorizedError
from cds_service.fhir.client.documents import Documents
from cds_service.fhir.client.network import OPEN_MODE, AddressRules
from cds_service.trust.jwk import UnusableKeysError, read_key_set
from cds_service.trust.keys import KeySets, Periods, is_keys_url
from tests.fhir_client.test_tls import HERE, Authority
from tests.fhir_client.world import Script, gzipped, reply
from tests.trust.token_maker import ALGORITHM, jwk, key_set, published

PERIODS = Periods(fresh=600, usable=86_400, cool_down=15, fetch=0.6, wait=5.0)
JSON = "application/json"
OLD, NEW = key_set("es384"), key_set("es384", "rotated-away")
UNKNOWN, UNAVAILABLE = RefusalReason.UNKNOWN_KEY, RefusalReason.KEYS_UNAVAILABLE


def served(document=None, status=200, **headers):
    return reply(document, status, **({"content_type": JSON} | headers))


class Fetched:
    """The keys at one address of a server that answers by a script; the time passes when a test says so."""

    def __init__(self, script, documents, periods):
        self.script = script
        self.time = 1_000.0
        self.url = f"{script.base}/jwks.json"
        self.sets = KeySets(documents, periods, lambda: self.time)

    async def found(self, kid):
        """The reason why a key is not found; None if it is."""
        try:
            assert (await self.sets.find(self.url, kid)).kid == kid
        except UnauthorizedError as error:
            return error.reason
        return None

    async def settled(self):
        """Let what runs in the background come to its end."""
        running = [address.fetch for address in self.sets._addresses.values() if address.fetch]
        await asyncio.gather(*running)

    @property
    def asked(self):
        return len(self.script.seen)


@contextlib.asynccontextmanager
async def fetched(*answers, rules=OPEN_MODE, ssl=None, ca_file=None, periods=PERIODS):
    async with Script(*answers, ssl=ssl) as script:
        here = Fetched(script, Documents(lambda _: rules, ca_file=ca_file), periods)
        yield here
        await here.sets.close()


def in_a_loop(story):
    """Run a test that is a coroutine."""

    @functools.wraps(story)
    def test(*arguments, **options):
        asyncio.run(story(*arguments, **options))

    return test


async def slow(_):
    await asyncio.sleep(30)


async def a_little_slow(_):
    await asyncio.sleep(0.02)
    return served(OLD)


# ---- fetched and kept


@pytest.mark.norm("JWT-7", "JWT-19")
@in_a_loop
async def test_keys_are_fetched_once_and_kept():
    async with fetched(served(OLD), served(NEW)) as here:
        for _ in range(3):
            assert await here.found("es384") is None
        here.time += PERIODS.fresh - 1
        assert await here.found("es384") is None
        assert here.asked == 1
        (seen,) = here.script.seen
        assert (seen.method, seen.target) == ("GET", "/fhir/jwks.json")
        assert seen.header("host") == here.url.split("/")[2]
        assert seen.header("authorization") is None


@in_a_loop
async def test_many_who_come_at_once_wait_for_one_fetch():
    async with fetched(a_little_slow) as here:
        assert await asyncio.gather(*(here.found("es384") for _ in range(50))) == [None] * 50
        assert here.asked == 1


@in_a_loop
async def test_one_who_gives_up_leaves_the_fetch_to_the_others():
    async with fetched(a_little_slow) as here:
        first = asyncio.create_task(here.found("es384"))
        second = asyncio.create_task(here.found("es384"))
        await asyncio.sleep(0.005)
        first.cancel()
        assert await second is None
        assert here.asked == 1


@pytest.mark.norm("JWT-21")
@in_a_loop
async def test_old_keys_serve_while_one_fetch_in_the_background_renews_them():
    async with fetched(served(OLD), a_little_slow) as here:
        assert await here.found("es384") is None
        here.time += PERIODS.fresh
        assert await asyncio.gather(*(here.found("es384") for _ in range(20))) == [None] * 20
        assert here.asked == 1  # nobody has waited
        await here.settled()
        assert here.asked == 2
        here.time += PERIODS.fresh - 1
        assert await here.found("es384") is None
        await here.settled()
        assert here.asked == 2


@in_a_loop
async def test_a_key_that_was_taken_away_is_gone_when_the_keys_are_renewed():
    async with fetched(served(NEW), served(OLD)) as here:
        assert await here.found("rotated-away") is None
        here.time += PERIODS.fresh
        assert await here.found("es384") is None
        await here.settled()
        assert await here.found("rotated-away") is UNKNOWN


@in_a_loop
async def test_old_keys_serve_no_longer_than_the_hard_limit():
    async with fetched(served(OLD), served(None, 500)) as here:
        assert await here.found("es384") is None
        here.time += PERIODS.usable - 1
        assert await here.found("es384") is None
        await here.settled()
        here.time += 1
        assert await here.found("es384") is UNAVAILABLE
        assert here.asked == 2  # it had failed a second ago
        here.time += PERIODS.cool_down
        assert await here.found("es384") is UNAVAILABLE
        assert here.asked == 3


@in_a_loop
async def test_keys_that_were_left_for_longer_than_the_hard_limit_are_fetched_before_they_serve():
    async with fetched(served(NEW), served(OLD)) as here:
        assert await here.found("rotated-away") is None
        here.time += PERIODS.usable
        assert await here.found("rotated-away") is UNKNOWN
        assert await here.found("es384") is None
        assert here.asked == 2


# ---- rotation


@pytest.mark.norm("JWT-7", "JWT-21")
@in_a_loop
async def test_an_unknown_key_id_makes_the_keys_be_fetched_anew():
    async with fetched(served(OLD), served(NEW)) as here:
        assert await here.found("es384") is None
        assert await here.found("rotated-away") is None  # a moment after the first fetch
        assert here.asked == 2


@in_a_loop
async def test_a_flood_of_unknown_key_ids_asks_once_in_a_while():
    async with fetched(served(OLD)) as here:
        assert await here.found("es384") is None
        for number in range(100):
            assert await here.found(f"made-up-{number}") is UNKNOWN
        assert here.asked == 2
        here.time += PERIODS.cool_down - 1
        assert await here.found("made-up") is UNKNOWN
        assert here.asked == 2
        here.time += 1
        assert await asyncio.gather(*(here.found(f"made-up-{n}") for n in range(50))) == [UNKNOWN] * 50
        assert here.asked == 3
        assert await here.found("es384") is None


@in_a_loop
async def test_a_key_that_comes_late_is_found_after_the_cool_down():
    async with fetched(served(OLD), served(OLD), served(NEW)) as here:
        assert await here.found("es384") is None
        assert await here.found("rotated-away") is UNKNOWN
        here.time += PERIODS.cool_down
        assert await here.found("rotated-away") is None


@in_a_loop
async def test_an_unknown_key_id_as_the_first_of_all_is_asked_for_once():
    async with fetched(served(OLD)) as here:
        assert await here.found("made-up") is UNKNOWN
        assert await here.found("made-up") is UNKNOWN
        assert await here.found("es384") is None
        assert here.asked == 1


# ---- failures

BROKEN = {
    "an error": (served(None, 500), "server error"),
    "nothing there": (served(None, 404), "not offered"),
    "a redirect": (served(None, 302, location="/fhir/other.json"), "unsafe"),
    "a permanent redirect with keys in it": (served(OLD, 308, location="/fhir/other.json"), "unsafe"),
    "no keys": (served({"keys": []}), "holds no key that can be used"),
    "only keys that cannot be used": (served(key_set("for-encryption", "weak")), "holds no key that can be used"),
    "no key set": (served(["keys"]), "is no JWK Set"),
    "no list": (served({"keys": {"es384": jwk("es384")}}), "is no JWK Set"),
    "no JSON": (served(b"keys"), "is no JSON"),
    "keys twice": (served(b'{"keys": [], "keys": %s}' % json.dumps(OLD["keys"]).encode()), "is no JSON"),
    "a page": (served(b"<html>", content_type="text/html"), "unreadable"),
    "too many keys": (served({"keys": OLD["keys"] * 101}), "is no JWK Set"),
    "too many bytes": (served(OLD | {"padding": "x" * 300_000}), "too much"),
    "too many bytes, not announced": (
        served(OLD | {"padding": "x" * 300_000}, content_length=None, connection="close"),
        None,
    ),
    "a bomb": (gzipped(b" " * 50_000_000 + json.dumps(OLD).encode(), content_type=JSON), "too much"),
    "half an answer": (served(OLD)[:-20], None),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "server error"),
    "no answer in time": (slow, "late"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_keys_that_cannot_be_had_are_not_asked_for_again_at_once(name, caplog):
    async def story():
        async with fetched(BROKEN[name][0], served(OLD)) as here:
            assert await here.found("es384") is UNAVAILABLE
            await here.settled()
            assert here.sets.failing == {here.url}
            for _ in range(20):
                assert await here.found("es384") is UNAVAILABLE
            assert here.asked == 1
            here.time += PERIODS.cool_down
            assert await here.found("es384") is None
            assert here.sets.failing == frozenset()

    asyncio.run(story())
    said = [record.getMessage() for record in caplog.records if record.name == "cds_service.keys"]
    assert len(said) == 2
    assert (BROKEN[name][1] or "cannot be had") in said[0]
    assert "are back" in said[1]


@pytest.mark.norm("JWT-21")
@pytest.mark.parametrize("name", BROKEN)
@in_a_loop
async def test_what_cannot_be_used_never_takes_the_place_of_good_keys(name):
    async with fetched(served(OLD), BROKEN[name][0], served(NEW)) as here:
        assert await here.found("es384") is None
        here.time += PERIODS.fresh
        assert await here.found("es384") is None
        await here.settled()
        for _ in range(20):
            assert await here.found("es384") is None
            assert await here.found("rotated-away") is UNKNOWN
        assert here.asked == 2
        here.time += PERIODS.cool_down
        assert await here.found("rotated-away") is None


@in_a_loop
async def test_a_server_that_is_not_there_is_not_asked_again_at_once():
    async with fetched(served(OLD)) as here:
        here.script.server.close()
        await here.script.server.wait_closed()
        assert await here.found("es384") is UNAVAILABLE
        assert await here.found("es384") is UNAVAILABLE


@in_a_loop
async def test_a_slow_server_keeps_nobody_waiting_and_its_keys_serve_the_next():
    is_time = asyncio.Event()

    async def late(_):
        await is_time.wait()
        return served(OLD)

    async with fetched(late, periods=Periods(fetch=30, wait=0.05)) as here:
        assert await here.found("es384") is UNAVAILABLE
        assert await here.found("es384") is UNAVAILABLE
        is_time.set()
        await here.settled()
        assert await here.found("es384") is None
        assert here.asked == 1


@in_a_loop
async def test_a_server_that_sends_byte_by_byte_is_given_up():
    is_over = asyncio.Event()

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        is_over.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
        with pytest.raises(FetchError, match="late"):
            await Documents(lambda _: OPEN_MODE).get(url, 0.1, 10_000)
        await is_over.wait()


@in_a_loop
async def test_an_address_that_goes_on_failing_is_told_of_once(caplog):
    async with fetched(served(None, 500)) as here:
        for _ in range(3):
            assert await here.found("es384") is UNAVAILABLE
            here.time += PERIODS.cool_down
        assert here.asked == 3
    assert len([record for record in caplog.records if record.name == "cds_service.keys"]) == 1


@in_a_loop
async def test_one_address_that_fails_says_nothing_about_another():
    async with fetched(lambda seen: served(OLD) if "jwks" in seen.path else served(None, 500)) as here:
        good, here.url = here.url, f"{here.script.base}/other.json"
        assert await here.found("es384") is UNAVAILABLE
        here.url = good
        assert await here.found("es384") is None


# ---- the same guards as FHIR

PRIVATE = AddressRules((ipaddress.ip_network("10.0.0.0/8"),))


@pytest.fixture(scope="module")
def hospital():
    return Authority("The hospital's own")


@pytest.mark.norm("JWT-14")
@pytest.mark.parametrize("rules", [AddressRules(), PRIVATE, None], ids=["public", "another network", "none"])
@in_a_loop
async def test_an_address_that_may_not_be_connected_to_is_not(rules, hospital, tmp_path):
    async with fetched(
        served(OLD),
        rules=rules,
        ssl=hospital.server(tmp_path, HERE),
        ca_file=hospital.write(tmp_path / "ca.pem"),
    ) as here:
        assert await here.found("es384") is UNAVAILABLE
        assert here.asked == 0
        assert here.script.connections == 0


@in_a_loop
async def test_keys_come_over_tls_from_a_server_of_the_hospitals_own_authority(hospital, tmp_path):
    ca_file = hospital.write(tmp_path / "ca.pem")

    async with fetched(served(OLD), ssl=hospital.server(tmp_path, HERE), ca_file=ca_file) as here:
        assert here.url.startswith("https://")
        assert await here.found("es384") is None


@in_a_loop
async def test_a_server_whose_certificate_nobody_has_signed_is_not_believed(hospital, tmp_path):
    async with fetched(served(OLD), ssl=hospital.server(tmp_path, HERE)) as here:
        assert await here.found("es384") is UNAVAILABLE
        assert here.asked == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://10.1.2.3/jwks.json",
        "file:///etc/passwd",
        "ftp://127.0.0.1/jwks.json",
        "https://user:password@127.0.0.1/jwks.json",
        "127.0.0.1/jwks.json",
        "",
    ],
)
def test_no_other_scheme_is_used_and_plain_http_on_this_machine_only(url):
    everything = AddressRules((ipaddress.ip_network("0.0.0.0/0"),))
    with pytest.raises(FetchError):
        asyncio.run(Documents(lambda _: everything).get(url, 0.3, 10_000))


@in_a_loop
async def test_no_password_is_sent_along():
    async with Script(served(OLD)) as script:
        with pytest.raises(FetchError, match="unsafe"):
            await Documents(lambda _: OPEN_MODE).get(script.base.replace("//", "//user:password@"), 0.3, 10_000)
        assert script.connections == 0


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://ehr.example.org/jwks.json", True),
        ("https://ehr.example.org:8443/jwks.json?tenant=1", True),
        ("http://127.0.0.1:8080/jwks.json", True),
        ("http://localhost/jwks.json", True),
        ("http://[::1]:8080/jwks.json", True),
        ("http://ehr.example.org/jwks.json", False),
        ("http://localhost.example.org/jwks.json", False),
        ("http://127.0.0.1.example.org/jwks.json", False),
        ("https://user@ehr.example.org/jwks.json", False),
        ("https://ehr.example.org/jwks.json#keys", False),
        ("https://ehr.example.org/a b", False),
        ("https://ehr.example.org\\@other.example.org/", False),
        ("https://ehr.example.org:port/jwks.json", False),
        ("https://", False),
        ("https:///jwks.json", False),
        ("https://[::1/jwks.json", False),
        ("https://ehr.example.org/jwks.json\n", False),
        ("https://ëhr.example.org/jwks.json", False),
        ("file:///etc/passwd", False),
        ("//ehr.example.org/jwks.json", False),
        ("jwks.json", False),
        ("", False),
    ],
)
def test_an_address_of_keys_is_https_or_loopback(url, good):
    assert is_keys_url(url) is good


# ---- what a key set holds


def test_every_key_verifies_only_for_what_it_is():
    found = read_key_set(published())
    assert {kid: set(key.verifiers) for kid, key in found.keys.items()} == {
        "es384": {"ES384"},
        "rsa": {"RS384", "PS256", "PS384", "PS512"},
        "p256": {"ES256"},
        "ed25519": {"EdDSA"},
        "only-ps256": {"PS256"},
    }
    assert [said.split(":")[0] for said in found.left_out] == ["key 6", "key 7", "key 8", "key 9"]


def changed(kid, /, **members):
    """A key with other members; None leaves one out."""
    return {name: value for name, value in jwk(kid, **members).items() if value is not None}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("es384", "no object"),
        (None, "no object"),
        (changed("es384", kid=None), "has no kid"),
        (changed("es384", kid=7), "has no kid"),
        (changed("es384", kid=""), "has no kid"),
        (changed("es384", kid="x" * 257), "has no kid"),
        (changed("es384", d="c2VjcmV0"), "the key itself"),
        (changed("rsa", p="c2VjcmV0"), "the key itself"),
        ({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}, "the key itself"),
        ({"kty": "oct", "kid": "a"}, "its kty, crv and alg"),
        (changed("es384", kty=None), "its kty, crv and alg"),
        (changed("es384", kty=["EC"]), "its kty, crv and alg"),
        (changed("es384", kty="RSA"), "its kty, crv and alg"),
        (changed("es384", crv="P-521"), "its kty, crv and alg"),
        (changed("p256", crv="secp256k1"), "its kty, crv and alg"),
        (changed("ed25519", crv="Ed448"), "its kty, crv and alg"),
        (changed("ed25519", crv="X25519"), "its kty, crv and alg"),
        (changed("es384", crv={"P-384": 1}), "its kty, crv and alg"),
        (changed("es384", alg="RS384"), "its kty, crv and alg"),
        (changed("es384", alg="HS256"), "its kty, crv and alg"),
        (changed("es384", alg="none"), "its kty, crv and alg"),
        (changed("rsa", alg="RS256"), "its kty, crv and alg"),
        (changed("rsa", alg=384), "its kty, crv and alg"),
        (changed("es384", use="enc"), "its use or key_ops"),
        (changed("es384", use=["sig"]), "its use or key_ops"),
        (changed("es384", key_ops=["sign"]), "its use or key_ops"),
        (changed("es384", key_ops="verify"), "its use or key_ops"),
        (changed("es384", x=None), "a member is missing"),
        (changed("es384", y=7), "a member is missing"),
        (changed("rsa", n="A" * 2000), "too long"),
        (changed("rsa", e="A" * 7), "its exponent is too large"),
        (changed("rsa", e=""), "no such key"),
        (changed("rsa", n="!!"), "no such key"),
        (changed("es384", x="AAAA"), "no such key"),
        (changed("es384", y=jwk("es384")["x"]), "no such key"),
        (changed("es384", crv="P-256", alg=None), "no such key"),
        (changed("ed25519", x="AAAA"), "no such key"),
        (changed("weak"), "at least 2048 bits"),
    ],
)
def test_a_key_that_cannot_be_used_is_left_out_and_the_others_serve(entry, said):
    found = read_key_set({"keys": [entry, jwk("rsa", kid="good")]})
    assert list(found.keys) == ["good"]
    (left_out,) = found.left_out
    assert left_out.startswith("key 1: ")
    assert said in left_out


def test_what_is_said_of_a_key_repeats_nothing_of_it():
    entries = [{"kty": "planted-kty", "kid": "planted-kid"}, jwk("rsa", n="planted-n"), jwk("es384", alg="planted-alg")]
    with pytest.raises(UnusableKeysError) as refused:
        read_key_set({"keys": entries})
    assert str(refused.value).count("key ") >= 3
    assert "planted" not in str(refused.value)


def test_of_two_keys_with_one_id_the_first_stands():
    found = read_key_set({"keys": [jwk("es384", kid="a"), jwk("rsa", kid="a")]})
    assert set(found.keys["a"].verifiers) == {"ES384"}
    assert found.left_out == ("key 2: another key has this kid",)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid", "ext", "x5c"])


@given(kid=st.sampled_from(sorted(ALGORITHM)), members=st.dictionaries(MEMBERS, ANYTHING, max_size=3))
def test_no_key_breaks_the_reader(kid, members):
    with contextlib.suppress(UnusableKeysError):
        read_key_set({"keys": [jwk(kid) | members]})


@given(ANYTHING)
def test_no_document_breaks_the_reader(document):
    with pytest.raises(UnusableKeysError):
        read_key_set(document)


@in_a_loop
async def test_a_compressed_answer_is_read():
    async with fetched(reply(gzip.compress(json.dumps(OLD).encode()), content_type=JSON, content_encoding="gzip")) as h:
        assert await h.found("es384") is None


@in_a_loop
async def test_a_key_set_may_come_as_what_it_is():
    async with fetched(served(OLD, content_type="application/jwk-set+json; charset=utf-8")) as here:
        assert await here.found("es384") is None
