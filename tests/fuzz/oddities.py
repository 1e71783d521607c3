"""Requests as no honest client sends them, yet close enough to honest ones to come far inside."""

import copy
import datetime as dt
import functools
import json
import re

from hypothesis import strategies as st

from fhir_examples.golden import golden_calls
from tests.api.world import PATIENT, bundle, foot_drop, path_of, patient
from tests.fuzz.exchange import JSON, MARK, Asked

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
CLOSED = "http://127.0.0.1:9/fhir"  # nobody listens: asking there comes to nothing at once
CARD = "0f8fad5b-d9cb-469f-a165-70867728950e"
_VERBATIM = re.compile(r'"@@(.*?)@@"')

# ---- values


def verbatim(text):
    """Stands for JSON text that no JSON library would write."""
    return f"@@{text}@@"


def written(value):
    """JSON as bytes, with what stands for verbatim text replaced by it."""
    return _VERBATIM.sub(lambda found: found[1], json.dumps(value)).encode()


NUMBERS = [
    *(0, -1, 2**31, 2**53 + 1, 2**63, 2**64, 10**40, -(10**400), 1e308, 5e-324, 0.1, -0.0),
    *map(verbatim, ("1e999", "-1E+99999", "1e-99999", "9" * 3000, "0." + "3" * 3000, "NaN", "Infinity", "01", "+1")),
]
TEXTS = [
    *("", " ", "\x00", "\ud800", "\udc00\ud800", "\ufeff", "\u202e" + MARK, "\u0000" + MARK, "e\u0301" * 200),
    *("😀" * 60, "A" * 5000, "<script>", "{side}", "{{context.patientId}}", "%00", "../../etc", "\r\nX-Injected: 1"),
    *("' OR 1=1 --", "\x1b[31m", "\u2028", "İ", "ß", "٣", "null", "true", "[]", MARK),
    *map(verbatim, ('"\\u12"', '"\\x"', "'x'", '"\\ud83d"', "nul", '"\t"')),
]
DATES = [
    *("0000-00-00", "0001-01-01", "9999-12-31", "2026-02-30", "2026-11", "2026", "-0044-03-15", "12026-01-01"),
    *("2026-11-22T12:00:00", "2026-11-22T24:00:00Z", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59-14:00"),
    *("0001-01-01T00:00:00+14:00", "2026-11-22T12:00:00+99:99", "2026-11-22T12:00:00.123456789123Z", "today"),
    *(
        "\uff12\uff10\uff12\uff16-\uff11\uff11-\uff12\uff12",
        "2026-11-22T12:00Z",
        "2026-W47-7",
        "20261122",
        "2026-11-22 12:00:00Z",
        f"2026-11-22{MARK}",
    ),
]
REFERENCES = [
    *(
        "Patient/",
        "/",
        "#",
        "#self",
        "Patient/../x",
        "Patient/a/_history/",
        f"Patient/{PATIENT}/_history/1",
        "patient/x",
    ),
    *(f"Patient/{MARK}", f"{CLOSED}/Patient/{PATIENT}", f"https://{MARK}.example/Patient/{PATIENT}", "urn:uuid:x"),
    *("Condition/c-1", "http://[::1", "http://a:b@c/Patient/x", f"Patient?identifier={MARK}", "Patient/" + "x" * 3000),
]
KINDS = ["Patient", "Bundle", "Condition", "Observation", "OperationOutcome", "DeviceRequest", "Binary", MARK, "", " "]
ADDRESSES = [
    CLOSED,
    f"{CLOSED}/",
    "http://127.0.0.1:9",
    "http://[::1]:9/x",
    f"http://{MARK}.example/",
    "ftp://x",
    "//x",
]
ADDRESSES += ["http://127.0.0.1:99999/", "http://2130706433:9/", "http://0x7f.1:9/", "http://localhost:9/\u0130"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    *map(st.sampled_from, (NUMBERS, TEXTS, DATES, REFERENCES, KINDS)),
)
MEMBERS = ["resourceType", "id", "code", "coding", "value", "extension", "entry", "resource", "contained", "", MARK]
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3),
    max_leaves=6,
)

# ---- changes, each of one place inside an object or array


def drop(draw, inside, key):  # noqa: ARG001  # changes have one signature
    del inside[key]


def replace(draw, inside, key):
    inside[key] = draw(values)


def wrap(draw, inside, key):
    inside[key] = draw(st.sampled_from([[inside[key]], {"value": inside[key]}, [[inside[key]], None]]))


def mark(draw, inside, key):
    if isinstance(inside[key], str):
        inside[key] = draw(st.sampled_from([MARK, f"{MARK} {inside[key]}", f"{inside[key]}{MARK}"]))


def join(draw, inside, key):  # noqa: ARG001
    """A stranger beside it."""
    if isinstance(inside, dict):
        inside[draw(st.sampled_from(MEMBERS))] = draw(values)


def repeat(draw, inside, key):
    """Up to thousands where one was, in bodies that are still read: how many bytes may come is tested elsewhere."""
    copies = max(2, min(draw(st.sampled_from([2, 2, 50, 50, 3000])), 300_000 // (len(written(inside[key])) + 1)))
    inside[key] = inside[key] * copies if isinstance(inside[key], list) else [inside[key]] * copies


def deepen(draw, inside, key):
    levels = draw(st.sampled_from([3, 30, 90, 400]))
    inside[key] = functools.reduce(
        lambda inner, level: [inner] if level % 2 else {"extension": inner}, range(levels), 1
    )


def name_twice(draw, inside, key):
    """The same member a second time, with another value: JSON text that no dictionary can hold."""
    if isinstance(inside, dict) and isinstance(key, str):
        again = f'"{MARK}":1,{json.dumps(key)}:{written(draw(scalars)).decode()},{json.dumps(key)}:{_text(inside[key])}'
        del inside[key]
        inside[verbatim(again)] = verbatim("")


def nest_bundles(draw, inside, key):
    """Bundles in Bundles, around what was there."""
    levels = draw(st.sampled_from([1, 2, 20]))
    inside[key] = functools.reduce(
        lambda inner, _: bundle({"resourceType": "Bundle", **_as_dict(inner)}), range(levels), inside[key]
    )


def contain(draw, inside, key):
    """Contained resources that name each other and themselves in a circle."""
    if isinstance(inside[key], dict):
        first = {**foot_drop(id="a"), "subject": {"reference": "#b"}, "evidence": [{"detail": [{"reference": "#a"}]}]}
        second = patient(id="b", generalPractitioner=[{"reference": "#a"}], contained=[{"id": "b"}, 7, None])
        inside[key]["contained"] = draw(st.sampled_from([[first, second], [second, first, MARK], first, [[first]]]))
        inside[key]["subject"] = {"reference": draw(st.sampled_from(["#a", "#b", "#", "#c"]))}


def of_its_kind(oddities):
    """A change to another value of one kind: an odd date for a date, an odd reference for a reference."""

    def change(draw, inside, key):
        inside[key] = draw(st.sampled_from(oddities))

    return change


odd_date, odd_reference, odd_number, odd_text, odd_kind = map(of_its_kind, (DATES, REFERENCES, NUMBERS, TEXTS, KINDS))
CHANGES = (drop, replace, wrap, mark, join, repeat, deepen, name_twice, nest_bundles, contain, odd_text, odd_number)
NAMED = (
    (re.compile(r"date|time|period|start|end|birthDate|issued|authoredOn", re.IGNORECASE), odd_date),
    (re.compile(r"reference|Id$|^id$|subject|patient", re.IGNORECASE), odd_reference),
    (re.compile(r"^value|expires_in|quantity", re.IGNORECASE), odd_number),
    (re.compile(r"resourceType|^type$"), odd_kind),
)


def fitting(key):
    """Changes for a member of this name; those of its own kind most often."""
    own = [change for name, change in NAMED if isinstance(key, str) and name.search(key)]
    return [*CHANGES, *(own * len(CHANGES))]


def _text(value):
    return written(value).decode()


def _as_dict(value):
    return value if isinstance(value, dict) else {"entry": value}


def places(value, path=()):
    """Every place in a JSON value but its root."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield (*path, key)
        yield from places(inner, (*path, key))


@st.composite
def changed(draw, originals, most=5):
    """The JSON text of one of some values with a few changes."""
    made = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, most))):
        there = list(places(made))
        if not there or len(there) > 20_000:
            break
        path = draw(st.sampled_from(there))
        inside = functools.reduce(lambda value, key: value[key], path[:-1], made)
        draw(st.sampled_from(fitting(path[-1])))(draw, inside, path[-1])
    return _rejoined(written(made))


def _rejoined(data):
    """Members that are named twice were written as a name without a value."""
    return data.replace(b": ,", b",").replace(b": }", b"}")


# ---- bodies


def marked_call(made):
    """A call with a token and an address of its FHIR server, and names in its record."""
    token = {"access_token": f"{MARK}-token", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
    extra = {"fhirServer": CLOSED, "fhirAuthorization": {**token, "subject": f"{MARK}-subject"}}
    person = made.get("prefetch", {}).get("patient")
    if isinstance(person, dict):
        person["name"] = [{"family": MARK, "given": [MARK]}]
    return {**made, **extra}


def originals():
    """The calls of fhir_examples as they are, and again with a token: by the path they are sent to."""
    found = {}
    for one in golden_calls():
        ones = found.setdefault(one.path, [])
        ones += [one.request(NOW), marked_call(one.request(NOW))]
    return found


CALLS = originals()
REPORT = {
    "card": CARD,
    "outcome": "overridden",
    "outcomeTimestamp": "2026-11-22T12:00:00Z",
    "overrideReason": {"reason": {"system": "https://cds.example.org", "code": "done"}, "userComment": MARK},
}
ACCEPTED = {**REPORT, "outcome": "accepted", "acceptedSuggestions": [{"id": CARD}]}
REPORTS = [{"feedback": [REPORT]}, {"feedback": [ACCEPTED, REPORT]}]


@st.composite
def spoiled(draw, texts):
    """A text as it is, cut off, with bytes flipped in, in another encoding, or doubled."""
    text = draw(texts)
    where = draw(st.integers(0, len(text)))
    ways = [
        *[text] * 8,
        text[:where],
        text[:where] + draw(st.binary(max_size=4)) + text[where + 1 :],
        b"\xef\xbb\xbf" + text,
        text.decode(errors="replace").encode("utf-16"),
        text + text,
        b" " * 2000 + text + b"\n" * 2000,
    ]
    return draw(st.sampled_from(ways))


# ---- whole requests

FIELDS = (
    b"authorization origin referer cookie forwarded x-forwarded-for x-forwarded-host x-request-id accept range".split()
)
FIELDS += b"if-none-match expect upgrade content-encoding content-language traceparent accept-encoding host".split()
FIELDS += b"access-control-request-method access-control-request-headers access-control-request-private-network".split()
field_values = st.sampled_from(
    [b"", b"*", b"null", b"Bearer " + MARK.encode(), b"identity", b"gzip", b"127.0.0.1", b"bytes=0-", b"POST", b"true"]
) | st.binary(min_size=1, max_size=30).map(lambda raw: bytes(byte for byte in raw if byte >= 32 and byte != 127))
odd_headers = st.lists(st.tuples(st.sampled_from(FIELDS), field_values), max_size=3).map(tuple)
few_headers = st.one_of(*[st.just(())] * 4, odd_headers)
declared = st.sampled_from(
    [
        *[(JSON,)] * 12,
        ((b"content-type", b"application/fhir+json; charset=utf-8"),),
        ((b"content-type", b"application/json;" + b"x" * 500),),
        ((b"content-type", b"text/plain"),),
        ((b"content-type", b"\xff\xfe"),),
        (),
        (JSON, JSON),
        (JSON, (b"content-length", b"99999999999999999999")),
    ]
)
METHODS = ["GET"] * 20 + ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", MARK]


@st.composite
def sent(draw, path, bodies):
    """A POST of some body, mostly declared as it should be, in one part or in several, mostly whole."""
    body = draw(spoiled(bodies))
    cut = draw(st.integers(0, len(body)) | st.just(0))
    headers = draw(declared) + draw(few_headers)
    leaves = draw(st.integers(0, 19)) == 19
    return Asked("POST", path.encode(), headers, (body[:cut], body[cut:]), leaves)


hook_calls = st.sampled_from(sorted(CALLS)).flatmap(lambda path: sent(path, changed(CALLS[path])))
crossed_calls = st.tuples(*[st.sampled_from(sorted(CALLS))] * 2).flatmap(
    lambda two: sent(two[0], changed(CALLS[two[1]]))
)
reports = st.sampled_from(sorted(CALLS)).flatmap(lambda path: sent(f"{path}/feedback", changed(REPORTS)))

PAGES = ["", "cards", "cards/index", "cards/coverage.json", *["insight", "insight.json", "insight.csv"] * 3]
PAGES += [
    "metrics",
    "health/live",
    "health/ready",
    "openapi.json",
    "cds-services",
    path_of("patient-view")[1:],
    "docs",
    "redoc",
]
ODD_PARTS = ["/", "//", "..", ".", "%2e%2e", "%00", "%2f", "%", "%zz", "%ff", "%C3%28", ";x=1", "\\", "*", "~", MARK]
ODD_PARTS += [".html", ".json", ".exe", "x" * 3000, "%F0%9F%98%80", "%0d%0aX-Injected:1", "feedback", "FD-1", "Å"]
paths = st.builds(
    lambda page, more, slash: (slash + page + "".join(more)).encode("latin-1"),
    st.sampled_from(PAGES),
    st.one_of(*[st.just([])] * 4, st.lists(st.sampled_from(["/", *ODD_PARTS]), min_size=1, max_size=3)),
    st.sampled_from(["/"] * 8 + ["//", "", "http://elsewhere.example/"]),
)
ASKABLE = ["client", "hook", "recommendation", "version", "indicator", "from", "to", "by", "table", MARK, ""]
ANSWERS = ["", "week", "open", "patient-view", "2026-11-01", "2099-12-31", "2100-01-01", "0000-00-00", "feedback", MARK]
ANSWERS += ["%00", "%", "%ff", "%ED%A0%80", "%F0%9F%98%80", "x" * 300, "'", "*", "%0a", "+", "reasons", "gaps"]
SHEETS = ["table=groups", "table=weeks", "table=x", "table=gaps&by=week", "from=2026-11-01&to=2026-11-22", "by=hook"]
questions = st.lists(
    st.one_of(
        *[st.tuples(st.sampled_from(ASKABLE), st.sampled_from(ANSWERS)).map("=".join)] * 2, st.sampled_from(SHEETS)
    ),
    max_size=4,
).map("&".join) | st.sampled_from(["&&&", "=", "?", "a=" * 2000, MARK, "from", "%ff=%ff"])


@st.composite
def looks(draw):
    """A page or a document is asked for, by any method, at an odd address."""
    query = draw(questions)
    target = draw(paths) + (b"?" + query.encode("latin-1") if query else b"")
    body = draw(st.just(b"") | st.binary(max_size=20))
    return Asked(draw(st.sampled_from(METHODS)), target, draw(few_headers), (body,) if body else ())


requests = st.one_of(hook_calls, hook_calls, crossed_calls, reports, looks(), looks())
