"""Where a server may send us: never off its own scheme, host, port and path, however a link is written."""

import ipaddress
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.fhir.client.search import Origin

BASE = "http://127.0.0.1:8080/fhir"
HERE = Origin(BASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Read(NamedTuple):
    """What a client that reads URLs as the WHATWG does makes of one: where it connects, and the path after dots."""

    scheme: str
    host: str
    port: int
    user_info: str
    segments: tuple[str, ...]


def read(url: str) -> Read:
    """An absolute http or https URL, read strictly: https://url.spec.whatwg.org/#concept-basic-url-parser."""
    text = "".join(one for one in url.strip("".join(map(chr, range(0x21)))) if one not in "\t\n\r")
    scheme, colon, rest = text.partition(":")
    assert colon
    assert scheme.lower() in _DEFAULT_PORTS, f"no web address: {url!r}"
    rest = rest.partition("#")[0].partition("?")[0].replace("\\", "/").lstrip("/")
    authority, _, path = rest.partition("/")
    user_info, _, host_and_port = authority.rpartition("@")
    if host_and_port.startswith("["):
        host, bracket, port = host_and_port[1:].partition("]")
        host = str(ipaddress.IPv6Address(host))
        assert bracket
        assert port == "" or port.startswith(":")
        port = port[1:]
    else:
        host, _, port = host_and_port.partition(":")
    assert host
    assert not set(host) & set("[]%<>^|")
    number = int(port) if port else _DEFAULT_PORTS[scheme.lower()]
    return Read(scheme.lower(), host.lower(), number, user_info, tuple(_without_dots(path.split("/"))))


def _without_dots(segments: list[str]) -> list[str]:
    kept: list[str] = []
    for segment in segments:
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            kept = kept[:-1]
        elif plain != ".":
            kept.append(segment)
    return kept


def is_below(found: Read, base: Read) -> bool:
    """Whether a path lies at or under the base's, segment by segment, whatever its case and its needless escapes."""
    own = [one for one in base.segments if one]
    return [_spelt(one) for one in found.segments[: len(own)]] == [_spelt(one) for one in own]


def _spelt(segment: str) -> bytes:
    return unquote_to_bytes(segment).lower()


def goes_to(origin: Origin, link: str) -> str | None:
    """The URL that is really asked where a link is followed: what `inside` gives is path and query on this origin."""
    found = origin.inside(link)
    return None if found is None else f"{origin.scheme}://{origin.host}{found}"


# ---- links that are followed


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (f"{BASE}/Condition?_page=2", "/fhir/Condition?_page=2"),
        (f"{BASE}?_getpages=9f0c&_getpagesoffset=20", "/fhir?_getpages=9f0c&_getpagesoffset=20"),
        (f"{BASE}/?_getpages=9f0c", "/fhir/?_getpages=9f0c"),
        (BASE, "/fhir"),
        ("HTTP://127.0.0.1:8080/fhir/Condition", "/fhir/Condition"),
        ("http://127.0.0.1:8080/FHIR/Condition?a=B", "/FHIR/Condition?a=B"),
        ("http://127.0.0.1:08080/fhir/Condition", "/fhir/Condition"),
        (f"  {BASE}/Condition\n", "/fhir/Condition"),
        (f"{BASE}/Condition#part", "/fhir/Condition"),
        (f"{BASE}/Condition?_page=2#part?x=1", "/fhir/Condition?_page=2"),
        (f"{BASE}/Condition;jsessionid=a1?_page=2", "/fhir/Condition;jsessionid=a1?_page=2"),
        (
            f"{BASE}/Condition?q=a%20b%2Fc%2E%2E%5C&next=http://evil/",
            "/fhir/Condition?q=a%20b%2Fc%2E%2E%5C&next=http://evil/",
        ),
        (f"{BASE}/Condition?q=../../x", "/fhir/Condition?q=../../x"),
        (f"{BASE}/Condition?user=a@evil", "/fhir/Condition?user=a@evil"),
        (f"{BASE}/Condition?a=1?b=2", "/fhir/Condition?a=1?b=2"),
    ],
)
def test_a_link_is_followed_as_written_when_it_stays_below_the_base(link, found):
    assert HERE.inside(link) == found


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("?_page=2", "/fhir/?_page=2"),
        ("Condition?_page=2", "/fhir/Condition?_page=2"),
        ("./Condition?_page=2", "/fhir/Condition?_page=2"),
        ("/fhir/Condition?_page=2", "/fhir/Condition?_page=2"),
        ("//127.0.0.1:8080/fhir/Condition", "/fhir/Condition"),
        ("Patient/../Condition", "/fhir/Condition"),
    ],
)
def test_a_link_is_read_from_the_base_when_it_is_relative(link, found):
    assert HERE.inside(link) == found


@pytest.mark.parametrize("base", [BASE, f"{BASE}/", f"{BASE}//"])
def test_a_slash_at_the_end_of_the_base_changes_nothing_when_links_are_judged(base):
    origin = Origin(base)
    assert origin.base == BASE
    assert origin.inside("Condition?_page=2") == "/fhir/Condition?_page=2"
    assert origin.inside(f"{BASE}?_page=2") == "/fhir?_page=2"
    assert origin.inside("/fhir-evil/Condition") is None


@pytest.mark.parametrize(
    ("base", "link", "is_inside"),
    [
        ("http://ehr.example/fhir", "http://ehr.example:80/fhir/Condition", True),
        ("http://ehr.example:80/fhir", "http://ehr.example/fhir/Condition", True),
        ("https://ehr.example/fhir", "https://ehr.example:443/fhir/Condition", True),
        ("https://EHR.example/fhir", "https://ehr.EXAMPLE/fhir/Condition", True),
        ("http://ehr.example/fhir", "http://ehr.example:443/fhir/Condition", False),
        ("http://ehr.example:443/fhir", "https://ehr.example/fhir/Condition", False),
        ("https://ehr.example:80/fhir", "http://ehr.example/fhir/Condition", False),
        ("http://ehr.example/fhir", "http://ehr.example:0/fhir/Condition", False),
        ("http://[::1]:80/fhir", "http://[::1]/fhir/Condition", True),
        ("http://[2001:DB8::1]/fhir", "http://[2001:db8::1]:80/fhir/Condition", True),
        ("http://[::1]/fhir", "http://[::2]/fhir/Condition", False),
        ("http://[::1]/fhir", "http://127.0.0.1/fhir/Condition", False),
        ("http://[::1]/fhir", "http://[::1/fhir/Condition", False),
        ("http://[::1]/fhir", "http://[v1.x]/fhir/Condition", False),
    ],
)
def test_a_host_is_the_same_when_only_case_or_the_default_port_differs(base, link, is_inside):
    assert (Origin(base).inside(link) is not None) is is_inside


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("/", "/"),
        ("Condition", "/Condition"),
        ("/a/b/c", "/a/b/c"),
        ("http://127.0.0.1:8080", "/"),
        ("http://127.0.0.1:8080?_getpages=9f0c", "/?_getpages=9f0c"),
        ("?_getpages=9f0c", "/?_getpages=9f0c"),
        ("/a/%2e%2e/b", None),
    ],
)
def test_every_path_is_inside_when_the_base_has_none(link, found):
    assert Origin("http://127.0.0.1:8080").inside(link) == found


# ---- links that are not


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/fhir/Condition",
        "http://localhost:8080/fhir/Condition",
        "http://127.0.0.1.evil.example:8080/fhir/Condition",
        "http://127.0.0.1./fhir/Condition",
        "http://2130706433:8080/fhir/Condition",
        "http://127.1:8080/fhir/Condition",
        "http://0x7f.1:8080/fhir/Condition",
        "http://127.0.0.%31:8080/fhir/Condition",
        "http://[::ffff:127.0.0.1]:8080/fhir/Condition",
        "http://127.0.0.1/fhir/Condition",
        "http://127.0.0.1:8081/fhir/Condition",
        "http://127.0.0.1:80800/fhir/Condition",
        "http://127.0.0.1:-8080/fhir/Condition",
        "http://127.0.0.1:8080x/fhir/Condition",
        "http://127.0.0.1:٨٠٨٠/fhir/Condition",
        "https://127.0.0.1:8080/fhir/Condition",
        "ftp://127.0.0.1:8080/fhir/Condition",
        "file:///fhir/Condition",
        "javascript:alert(1)",
        "data:application/json,{}",
        "//evil.example/fhir/Condition",
        "///evil.example/fhir/Condition",
        "\\\\evil.example\\fhir\\Condition",
        "/\\evil.example/fhir/Condition",
        "http:\\\\evil.example\\fhir",
        "http:///evil.example/fhir/Condition",
        "http://127.0.0.1:8080@evil.example/fhir/Condition",
        "http://127.0.0.1:8080%40evil.example/fhir/Condition",
        "http://evil.example\\@127.0.0.1:8080/fhir/Condition",
        "http://127.0.0.1:8080\\@evil.example/fhir/Condition",
        "http://evil.example#@127.0.0.1:8080/fhir/Condition",
        "http://evil.example?@127.0.0.1:8080/fhir/Condition",
        "http://user@127.0.0.1:8080/fhir/Condition",
        "http://user:secret@127.0.0.1:8080/fhir/Condition",
        "http://@127.0.0.1:8080/fhir/Condition",
        "http://[broken/fhir?_page=2",
        "http://:8080/fhir/Condition",
    ],
)
def test_a_link_is_not_followed_when_it_names_another_server(link):
    assert HERE.inside(link) is None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/admin",
        "/fhi",
        "/fhir-evil",
        "/fhir-evil/Condition",
        "/fhirCondition",
        "/fhir.evil/Condition",
        "/fhir;evil/Condition",
        "/fhir%3Fevil/Condition",
        "/other/fhir/Condition",
        "//fhir/Condition",
        "/fhir/..",
        "/fhir/../admin",
        "/fhir/Condition/../../admin",
        "/fhir/%2e%2e/admin",
        "/fhir/%2E%2e/admin",
        "/fhir/.%2e/admin",
        "/fhir/%2e./admin",
        "/fhir/%252e%252e/admin",
        "/fhir/%2e%2e%2fadmin",
        "/fhir/..%2fadmin",
        "/fhir/..%252fadmin",
        "/fhir/..%5cadmin",
        "/fhir/%5c..%5cadmin",
        "/fhir/..\\admin",
        "/fhir\\..\\admin",
        "/fhir/Condition\\x",
        "/fhir/%5c/x",
        "/fhir/%255c/x",
        "/fhir/Condition?q=a\\b",
    ],
)
def test_a_link_is_not_followed_when_it_leaves_the_path_of_the_base(path):
    assert HERE.inside(f"http://127.0.0.1:8080{path}") is None
    assert HERE.inside(path) is None


@pytest.mark.parametrize("path", ["../admin", "../../fhir-evil", "Condition/../../admin", "..", "%2e%2e/admin"])
def test_a_link_is_not_followed_when_it_climbs_out_of_the_base(path):
    assert HERE.inside(path) is None


@pytest.mark.parametrize(
    "path", ["/fhir/..;", "/fhir/..;/admin", "/fhir/%2e%2e;x=1/admin", "/fhir/Condition/..;a/..;b/x"]
)
def test_a_link_is_not_followed_when_parameters_hide_the_dots_of_a_path(path):
    assert HERE.inside(path) is None


@pytest.mark.parametrize("path", ["/fhir%2fadmin", "/fhir%252fadmin", "/fhir%2f"])
def test_a_link_is_not_followed_when_an_encoded_slash_ends_the_base(path):
    assert HERE.inside(path) is None


@pytest.mark.parametrize(
    "odd", ["ä", "\u2028", "\u202e", "\x00", "\x1f", "\x7f", "\x80", "\ufeff", "\U0001f9b6", "a b"]
)
@pytest.mark.parametrize("place", ["http://127.0.0.1:8080/fhir/{}/x", "http://127.0.0.1:8080/fhir/x?q={}x", "x{}y"])
def test_a_link_is_not_followed_when_it_holds_what_no_url_holds(place, odd):
    assert HERE.inside(place.format(odd)) is None


@pytest.mark.parametrize("host", ["127。0。0。1", "１２７.0.0.1", "127.0.0.1\u2024", "evil.example\u2100x"])  # noqa: RUF001  # look-alikes on purpose
def test_a_link_is_not_followed_when_its_host_only_looks_like_the_server(host):
    assert HERE.inside(f"http://{host}:8080/fhir/Condition") is None


@pytest.mark.parametrize("blank", ["\t", "\n", "\r", "\r\n"])
def test_a_line_break_never_goes_out_when_a_link_holds_one(blank):
    for link in (f"/{blank}/evil.example/fhir", f"ht{blank}tp://evil.example/fhir", f"/fhir/.{blank}./admin"):
        assert HERE.inside(link) is None
    found = HERE.inside(f"/fhir/Condition{blank}?_page=2")
    assert found in (None, f"{BASE}/Condition?_page=2")


# ---- whatever a server writes

_PIECES = st.sampled_from(
    [
        *(
            "http:",
            "https:",
            "HTTP:",
            "//",
            "/",
            "\\",
            "..",
            ".",
            "%2e",
            "%2E%2e",
            "%252e",
            "%2f",
            "%5c",
            ";",
            "?",
            "#",
        ),
        *("@", ":", "8080", "80", "0", "127.0.0.1", "[::1]", "evil.example", "localhost", "fhir", "FHIR", "%66hir"),
        *("Condition", "_page=2", "&", " ", "\t", "\n", "\x00", "%00", "%0d%0a", "ä", "％", "user:secret", "[", "]"),  # noqa: RUF001  # a look-alike on purpose
    ]
)
_LINKS = st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=30)
_HEADS = st.sampled_from(
    ["", BASE, f"{BASE}/", "http://127.0.0.1:8080", "http://[::1]/fhir/", "//127.0.0.1:8080/fhir/"]
)
_BASES = st.sampled_from([BASE, "http://[::1]/fhir", "https://ehr.example/a/b/R4", "http://ehr.example:8080"])


@given(base=_BASES, head=_HEADS, tail=_LINKS)
@example(base=BASE, head=f"{BASE}/", tail="..;")
@example(base=BASE, head="http://127.0.0.1:8080", tail="/fhir%2fadmin")
@example(base=BASE, head="http://127.0.0.1:8080", tail="//fhir/Condition")
@example(base="http://[::1]/fhir", head="", tail="http://evil.example[::1]:80/fhir/")
@example(base="http://ehr.example:8080", head="", tail="http://ehr.example:8080?_page=2")
def test_a_link_stays_on_the_origin_and_below_the_base_whatever_a_server_writes(base, head, tail):
    origin = Origin(base)
    target = origin.inside(head + tail)
    if target is None:
        return
    assert target.startswith("/"), "it stands in the request line"
    assert target.isascii()
    assert target.isprintable()
    assert not set(target) & {" ", "#", "\\"}
    mine, own = read(goes_to(origin, head + tail)), read(base)
    assert mine[:4] == own[:4]
    assert is_below(mine, own)
    assert ".." not in [one.partition(";")[0] for one in mine.segments]


@given(
    base=_BASES,
    kind=st.sampled_from(["Condition", "Patient/p-1", ""]),
    query=st.text("abc=&%20_-./:|,", min_size=1, max_size=20),
)
def test_a_plain_next_link_is_always_followed_when_it_lies_below_the_base(base, kind, query):
    url = f"{base}/{kind}?{query}"
    assert goes_to(Origin(base), url) == url


@given(tail=_LINKS)
def test_a_link_that_was_followed_is_followed_again_when_it_is_judged_once_more(tail):
    url = goes_to(HERE, tail)
    assert url is None or goes_to(HERE, url) == url
