"""Which addresses are connected to: judged after DNS, on the very address that the connection goes to."""

import asyncio
import contextlib
import ipaddress
import socket

import httpcore
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cds_service.agreements import open_mode
from cds_service.fhir.client.network import LOOPBACK, OPEN_MODE, AddressRules, ForbiddenAddressError, GuardedNetwork

METADATA = ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
NEVER = (
    *METADATA,
    "169.254.0.1",
    "169.254.255.255",
    "fe80::1",
    "febf::1",
    "224.0.0.1",
    "ff02::1",
    "ff0e::1",
    "0.0.0.0",
    "::",
)
PRIVATE = ("10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "fd12:3456::1", "fc00::1", "100.64.0.1")
NOWHERE = ("0.1.2.3", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "2001:db8::1", "100::1", "2001:10::1")
PUBLIC = ("1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1")
EVERYTHING = AddressRules((ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
NOTHING = AddressRules(public=False)
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


def ip(text):
    return ipaddress.ip_address(text)


def mapped(address):
    """The IPv6 addresses that stand for an IPv4 one, by the name of the form."""
    low = int(address)
    return {
        "mapped": ipaddress.IPv6Address((0xFFFF << 32) | low),
        "NAT64": ipaddress.IPv6Address((0x64FF9B << 96) | low),
        "6to4": ipaddress.IPv6Address((0x2002 << 112) | (low << 80)),
        "6to4 with the rest filled": ipaddress.IPv6Address((0x2002 << 112) | (low << 80) | 0xBEEF_0000_0000_0000_0001),
    }


def embedded(address):
    """Further forms, old or local, that a router somewhere may take for the IPv4 address."""
    low = int(address)
    return {
        "compatible": ipaddress.IPv6Address(low),
        "translated": ipaddress.IPv6Address((0xFFFF << 48) | low),
        "local NAT64": ipaddress.IPv6Address((0x64FF9B0001 << 80) | low),
        "Teredo": ipaddress.IPv6Address((0x20010000 << 96) | (low << 64) | (low ^ 0xFFFFFFFF)),
    }


# ---- the rules


@pytest.mark.parametrize(
    "rules", [EVERYTHING, AddressRules(), NOTHING, OPEN_MODE], ids=["all", "public", "none", "open"]
)
@pytest.mark.parametrize("text", NEVER)
def test_an_address_is_refused_when_it_is_a_link_metadata_multicast_or_no_address_whatever_is_registered(text, rules):
    assert not rules.allow(ip(text))


@pytest.mark.parametrize("text", [text for text in NEVER if ":" not in text])
@pytest.mark.parametrize("form", ["mapped", "NAT64", "6to4", "6to4 with the rest filled"])
def test_an_address_is_refused_when_another_form_of_it_is_written(form, text):
    written = mapped(ip(text))[form]
    holding_it = AddressRules((ipaddress.ip_network(f"{written}/128"), ipaddress.ip_network(f"{text}/32")))
    for rules in (EVERYTHING, AddressRules(), OPEN_MODE, holding_it):
        assert not rules.allow(written)


@pytest.mark.parametrize("text", NEVER)
def test_an_address_is_refused_when_a_named_network_is_that_address(text):
    assert not AddressRules((ipaddress.ip_network(text),)).allow(ip(text))


@pytest.mark.parametrize("text", [*PRIVATE, "127.0.0.1", "127.8.9.10", "::1"])
def test_a_private_address_is_refused_when_no_named_network_holds_it(text):
    assert not AddressRules().allow(ip(text))
    assert not AddressRules((ipaddress.ip_network("10.99.0.0/16"), ipaddress.ip_network("fdaa::/16"))).allow(ip(text))


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("text", [*PRIVATE, "127.0.0.1", "::1"])
def test_a_private_address_is_allowed_when_a_named_network_holds_it(text, public):
    assert AddressRules((ipaddress.ip_network(text),), public=public).allow(ip(text))


@pytest.mark.parametrize("text", ["10.1.2.3", "127.0.0.1"])
def test_a_mapped_address_is_judged_as_what_it_stands_for_when_its_network_is_named(text):
    rules = AddressRules((ipaddress.ip_network(text),), public=False)
    allowed = {form for form, written in mapped(ip(text)).items() if rules.allow(written)}
    assert allowed == {"mapped"}  # the others are the same address of the gateway's network, not of ours
    other = ip("10.1.2.4")
    assert not any(rules.allow(written) for written in mapped(other).values())


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_allowed_only_when_public_ones_are(text):
    assert AddressRules().allow(ip(text))
    assert not NOTHING.allow(ip(text))
    assert not AddressRules(LOOPBACK, public=False).allow(ip(text))


@pytest.mark.parametrize("text", NOWHERE)
def test_an_address_is_refused_when_it_is_nobodys(text):
    assert not AddressRules().allow(ip(text))


@pytest.mark.parametrize("text", NEVER[:5] + PRIVATE + ("127.0.0.1",))
@pytest.mark.parametrize("form", ["compatible", "translated", "local NAT64", "Teredo"])
def test_an_address_is_not_public_when_an_old_or_local_form_embeds_ours(form, text):
    if ":" not in text:
        assert not AddressRules().allow(embedded(ip(text))[form])


@pytest.mark.parametrize("text", ["fec0::1", "100:0:0:1::1", "4000::1", "64:ff9b:1::1"])
def test_an_address_is_not_public_when_it_is_no_global_unicast(text):
    assert not AddressRules().allow(ip(text))


@given(st.ip_addresses(v=4))
def test_no_form_of_an_address_is_allowed_when_the_address_is_refused(address):
    for rules in (AddressRules(), OPEN_MODE, EVERYTHING, AddressRules((ipaddress.ip_network("10.0.0.0/8"),))):
        allowed = {form: rules.allow(written) for form, written in mapped(address).items()}
        assert allowed.pop("mapped") is rules.allow(address)
        assert rules.allow(address) or not any(allowed.values())


@given(
    st.ip_addresses()
    | st.ip_addresses(v=4, network="127.0.0.0/8").flatmap(lambda one: st.sampled_from(list(mapped(one).values())))
)
def test_only_loopback_is_allowed_in_open_mode(address):
    inner = address if address.version == 4 else address.ipv4_mapped or address
    assert OPEN_MODE.allow(address) is inner.is_loopback


@given(st.sampled_from(NEVER), st.integers(0, 128), st.booleans())
def test_no_network_however_wide_or_narrow_brings_back_what_is_always_refused(text, width, public):
    address = ip(text)
    network = ipaddress.ip_network(f"{text}/{width % (address.max_prefixlen + 1)}", strict=False)
    assert not AddressRules((network,), public=public).allow(address)


@given(st.ip_addresses(v=4), st.integers(1, 32), st.ip_addresses(v=4))
def test_a_network_allows_nothing_outside_of_itself_when_public_addresses_are_off(inside, width, address):
    network = ipaddress.ip_network(f"{inside}/{width}", strict=False)
    assume(address not in network)
    assert not AddressRules((network,), public=False).allow(address)


@pytest.mark.parametrize(
    ("server", "rules"),
    [
        ("http://127.0.0.1:8080/fhir", OPEN_MODE),
        ("https://localhost/fhir", OPEN_MODE),
        ("http://[::1]:8080/fhir", OPEN_MODE),
        ("http://LOCALHOST:8080/fhir", OPEN_MODE),
        ("https://ehr.example/fhir", None),
        ("http://10.0.0.1/fhir", None),
        ("http://169.254.169.254/fhir", None),
        ("http://localhost.evil.example/fhir", None),
        ("http://2130706433/fhir", None),
    ],
)
def test_a_server_may_be_asked_in_open_mode_only_when_it_is_this_machine(server, rules):
    assert open_mode(server) is rules


# ---- the connection


class Listener:
    """Counts who comes, at one address."""

    def __init__(self, host, port=0):
        self.came = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, port), family=family)
        self.port = self.socket.getsockname()[1]

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._greet, sock=self.socket)
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def _greet(self, _reader, writer):
        self.came.append(writer.get_extra_info("sockname")[0])
        writer.write(b"hello")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Names:
    """A resolver that gives each name its addresses, and other ones the next time if it is told so."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def getaddrinfo(self, _loop, host, port, **_options):
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]


@pytest.fixture
def names(monkeypatch):
    def use(*answers):
        made = Names(*answers)

        async def getaddrinfo(loop, host, port, **options):
            return await made.getaddrinfo(loop, host, port, **options)

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
        return made

    return use


async def greeting(stream):
    said = await stream.read(16, timeout=2)
    await stream.aclose()
    return said


def test_the_connection_goes_to_the_judged_address_when_a_name_is_resolved(names):
    resolver = names(["127.0.0.1"])

    async def connect():
        async with Listener("127.0.0.1") as listener:
            stream = await GuardedNetwork(OPEN_MODE).connect_tcp("ehr.test", listener.port, timeout=2)
            assert stream.get_extra_info("server_addr")[:2] == ("127.0.0.1", listener.port)
            assert await greeting(stream) == b"hello"
            return listener.came

    assert asyncio.run(connect()) == ["127.0.0.1"]
    assert resolver.asked == ["ehr.test"], "resolved once"


@pytest.mark.parametrize(
    "forbidden", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:127.0.0.1"]
)
def test_a_name_is_refused_when_it_stands_for_a_forbidden_address(names, forbidden):
    names([forbidden])

    async def connect():
        async with Listener("127.0.0.1") as listener:
            with pytest.raises(ForbiddenAddressError):
                await GuardedNetwork(AddressRules()).connect_tcp("ehr.test", listener.port, timeout=2)
            return listener.came

    assert asyncio.run(connect()) == []


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[fe80::1]", "::ffff:10.0.0.1", "[64:ff9b::a00:1]"])
def test_an_address_is_refused_when_it_is_written_out(host):
    with pytest.raises(ForbiddenAddressError):
        asyncio.run(GuardedNetwork(OPEN_MODE).connect_tcp(host, 80, timeout=2))


def test_a_name_cannot_slip_through_when_it_resolves_differently_the_second_time(names):
    """DNS rebinding: the judged answer says 127.0.0.1; whoever asked again would be sent to a forbidden address."""
    resolver = names(["127.0.0.1"], ["169.254.169.254"])
    one_address = AddressRules((ipaddress.ip_network("127.0.0.1/32"),), public=False)

    async def connect():
        async with Listener("127.0.0.1") as listener:
            network = GuardedNetwork(one_address)
            stream = await network.connect_tcp("rebinding.test", listener.port, timeout=2)
            assert await greeting(stream) == b"hello"
            with pytest.raises(ForbiddenAddressError):  # a new connection is a new judgement
                await network.connect_tcp("rebinding.test", listener.port, timeout=2)
            return listener.came

    assert asyncio.run(connect()) == ["127.0.0.1"]
    assert len(resolver.asked) == 2


@pytest.mark.parametrize("order", [["127.0.0.1", "::1"], ["::1", "127.0.0.1"], ["127.0.0.1", "10.0.0.1", "127.0.0.1"]])
def test_only_the_allowed_address_is_connected_to_when_a_name_has_both_kinds(names, order):
    names(order)
    only_four = AddressRules((ipaddress.ip_network("127.0.0.0/8"),), public=False)

    async def connect():
        async with contextlib.AsyncExitStack() as stack:
            allowed = await stack.enter_async_context(Listener("127.0.0.1"))
            others = []
            with contextlib.suppress(OSError):  # a machine without IPv6, or with that port in use
                others.append(await stack.enter_async_context(Listener("::1", allowed.port)))
            for _ in range(5):
                stream = await GuardedNetwork(only_four).connect_tcp("both.test", allowed.port, timeout=2)
                assert await greeting(stream) == b"hello"
            return allowed.came, [one.came for one in others]

    came, others = asyncio.run(connect())
    assert came == ["127.0.0.1"] * 5
    assert not any(others)


def test_the_next_allowed_address_is_tried_when_nobody_listens_at_the_first(names):
    names(["127.0.0.1", "::1"])

    async def connect():
        try:
            listener = Listener("::1")
        except OSError:
            pytest.skip("no IPv6 here")
        async with listener:
            stream = await GuardedNetwork(OPEN_MODE).connect_tcp("both.test", listener.port, timeout=2)
            assert await greeting(stream) == b"hello"
            return listener.came

    assert asyncio.run(connect()) == ["::1"]


@pytest.mark.parametrize("answer", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), []])
def test_a_name_without_an_address_is_no_connection_and_no_crash(names, answer):
    names(answer)
    with pytest.raises((httpcore.ConnectError, ForbiddenAddressError)):
        asyncio.run(GuardedNetwork(OPEN_MODE).connect_tcp("nobody.test", 80, timeout=2))


def test_the_failure_is_that_of_connecting_when_nobody_listens():
    with Listener("127.0.0.1").socket as closed:
        port = closed.getsockname()[1]
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(GuardedNetwork(OPEN_MODE).connect_tcp("127.0.0.1", port, timeout=2))


def test_the_host_header_still_names_the_server_when_its_address_was_judged(names):
    """The name is resolved, not replaced: certificates and virtual hosts are the name's."""
    names(["127.0.0.1"])
    heads = []

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def ask():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpcore.AsyncConnectionPool(network_backend=GuardedNetwork(OPEN_MODE)) as pool:
            response = await pool.request("GET", f"http://ehr.test:{port}/fhir")
            assert response.status == 200
        return port

    port = asyncio.run(ask())
    assert f"Host: ehr.test:{port}".encode() in heads[0]
