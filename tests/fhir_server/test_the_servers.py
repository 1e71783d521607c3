"""The two FHIR servers of the tests do what they say."""

import concurrent.futures
import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from tests.fhir_server import real
from tests.fhir_server.fault import FAULTS, HARMLESS, ONLY_SEARCHES, SOMEBODY_ELSE, FaultServer
from tests.fhir_server.real import NotLoadedError, RealServer

LOINC = "http://loinc.org"
SEARCH = "/Condition?patient=pat-1"
HALF_HEARD = {  # what a client says to those who do not finish an answer
    "slow first byte": httpx.ReadTimeout,
    "reset": httpx.ReadError,
    "reset in the body": httpx.ReadError,
    "closed at once": httpx.RemoteProtocolError,
    "chunked garbage": httpx.RemoteProtocolError,
    "not HTTP": httpx.RemoteProtocolError,
    "huge header": httpx.RemoteProtocolError,
    "broken gzip": httpx.DecodingError,
}
STATUS = {
    **{one: int(one) for one in ("401", "403", "404", "410", "429", "500")},
    "204": 204,
    "429 with Retry-After": 429,
    "503 with Retry-After": 503,
    "500 HTML": 500,
    **dict.fromkeys((one for one in FAULTS if one.startswith("redirect")), 302),
}
NO_JSON = {"truncated JSON", "HTML error page", "500 HTML", "gzip bomb", "unknown encoding", "empty body"}


def resource(kind, name, patient="pat-1", code="a", **members):
    coded = {"code": {"coding": [{"system": LOINC, "code": code}]}}
    return {
        "resourceType": kind,
        "id": name,
        **coded,
        "subject": {"reference": f"Patient/{patient}"},
        **members,
    }


def records(patient="pat-1"):
    def named(name):
        return f"{name}-{patient}"

    return [
        {"resourceType": "Patient", "id": patient, "birthDate": "1971-05-04"},
        *[resource("Condition", named(f"c-{number}"), patient) for number in range(3)],
        resource("Observation", named("o-a"), patient, status="final"),
        resource("Observation", named("o-b"), patient, code="b", status="final"),
        resource("Observation", named("o-c"), patient, code="c", status="final"),
        {
            "resourceType": "DeviceRequest",
            "id": named("d-1"),
            "intent": "order",
            "codeCodeableConcept": {"coding": [{"system": LOINC, "code": "a"}]},
            "subject": {"reference": f"Patient/{patient}"},
        },
    ]


@pytest.fixture
def server():
    with FaultServer(records() + records("pat-2")) as made:
        yield made


@pytest.fixture
def http():
    with httpx.Client(timeout=5) as made:
        yield made


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["resource"]["id"] for one in answer.json().get("entry", [])]


def link(answer, relation):
    return next((one["url"] for one in answer.json()["link"] if one["relation"] == relation), None)


# --- the good answers of our own server


def test_a_read_is_answered_with_the_resource_or_a_404(server, http):
    assert http.get(f"{server.base}/Patient/pat-1").json()["birthDate"] == "1971-05-04"
    unknown = http.get(f"{server.base}/Patient/nobody")
    assert (unknown.status_code, unknown.json()["resourceType"]) == (404, "OperationOutcome")
    assert unknown.headers["content-type"] == "application/fhir+json"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("patient=pat-1", ["o-a", "o-b", "o-c"]),
        ("subject=Patient/pat-1", ["o-a", "o-b", "o-c"]),
        ("patient=pat-1&code=a,b", ["o-a", "o-b"]),
        ("patient=pat-1&code=http://loinc.org|b", ["o-b"]),
        ("patient=pat-1&code=http://snomed.info/sct|b", []),
        ("_id=o-a-pat-1", ["o-a"]),
        ("patient=nobody", []),
        ("patient=pat-1&category=laboratory", []),
    ],
)
def test_a_search_by_get_or_by_post_finds_what_fits(server, http, query, found):
    by_get = http.get(f"{server.base}/Observation?{query}")
    by_post = http.post(f"{server.base}/Observation/_search", data=dict(one.split("=", 1) for one in query.split("&")))
    assert ids(by_get) == ids(by_post) == [f"{one}-pat-1" for one in found]
    assert link(by_get, "self") == link(by_post, "self") == f"{server.base}/Observation?{query.replace(':', '%3A')}"
    assert by_get.json()["total"] == len(found)


@pytest.mark.parametrize("query", ["colour=red", "patient=pat-1&_count=many", "_page=0"])
def test_an_unknown_search_parameter_is_refused(server, http, query):
    assert http.get(f"{server.base}/Observation?{query}").status_code == 400


def test_pages_follow_each_other_to_the_end(server, http):
    server.page_size = 2
    first = http.get(server.base + SEARCH)
    second = http.get(link(first, "next"))
    assert (ids(first), ids(second)) == (["c-0-pat-1", "c-1-pat-1"], ["c-2-pat-1"])
    assert link(second, "next") is None
    assert first.json()["total"] == second.json()["total"] == 3


def test_a_long_answer_is_compressed_for_those_who_ask(server, http):
    server.resources = [resource("Condition", f"c-{number}") for number in range(20)]
    packed = http.get(server.base + SEARCH, headers={"Accept-Encoding": "gzip"})
    plain = http.get(server.base + SEARCH, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()


def test_what_was_asked_is_remembered_in_order(server, http):
    http.get(f"{server.base}/Patient/pat-1", headers={"Authorization": "Bearer made-up"})
    http.post(f"{server.base}/Observation/_search", data={"patient": "pat-1", "code": "a,b"})
    read, search = server.asked
    assert (read.method, read.resource_type, read.path) == ("GET", "Patient", "/fhir/Patient/pat-1")
    assert read.headers["authorization"] == "Bearer made-up"
    assert (search.method, search.resource_type, search.path) == ("POST", "Observation", "/fhir/Observation/_search")
    assert search.parameters == (("patient", "pat-1"), ("code", "a,b"))
    server.reset()
    assert server.asked == []


def test_requests_at_the_same_time_are_counted_and_connections_kept(server, http):
    server.latency = 0.2
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: http.get(server.base + SEARCH), range(4)))
    assert server.most_at_once == server.open_connections == 4
    http.get(server.base + SEARCH)
    assert server.open_connections == 4


def test_a_client_that_hangs_up_is_forgotten(server):
    server.faults = {"*": "slow first byte"}
    server.slowness = 10
    with socket.create_connection(urlsplit(server.base).netloc.split(":"), 1) as plug:
        plug.sendall(b"GET /fhir/Patient/pat-1 HTTP/1.1\r\nHost: here\r\n\r\n")
        until(lambda: server.at_work == 1)
    until(lambda: server.open_connections == server.at_work == 0)


def test_the_server_stops_at_once_amid_its_work():
    with FaultServer(records(), faults={"*": "slow first byte"}) as server:
        plug = socket.create_connection(urlsplit(server.base).netloc.split(":"), 1)
        plug.sendall(b"GET /fhir/Patient/pat-1 HTTP/1.1\r\nHost: here\r\n\r\n")
        until(lambda: server.at_work == 1)
        start = time.monotonic()
    assert time.monotonic() - start < 1
    plug.close()


def until(statement):
    deadline = time.monotonic() + 2
    while not statement():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- the faults


def heard(http, url, **options):
    """The answer, or the error that the client makes of it."""
    try:
        return http.get(url, **options)
    except httpx.HTTPError as error:
        return type(error)


@pytest.mark.parametrize("path", [SEARCH, "/Patient/pat-1"], ids=["search", "read"])
@pytest.mark.parametrize("name", [one for one in FAULTS if one != "slow body"])
def test_a_fault_is_heard_and_the_server_lives_on(server, http, name, path):
    good = http.get(server.base + path)
    server.faults = {path.lstrip("/").replace("?", "/").split("/")[0]: name}
    server.reset()
    bad = heard(http, server.base + path, timeout=0.1 if name == "slow first byte" else 5)
    assert is_as_told(name, bad, good, is_read=path != SEARCH), (name, bad)
    server.faults = {}
    assert http.get(server.base + path).json() == good.json()


def is_as_told(name, bad, good, *, is_read):
    """Whether an answer is what the name of the fault lets expect."""
    if name in HALF_HEARD:
        return bad is HALF_HEARD[name]
    if bad.status_code != STATUS.get(name, 200):
        return False
    if name in NO_JSON or bad.status_code in (204, 302):
        return not is_json(bad)
    is_good = bad.json() == good.json()
    well = {"gzip bomb in JSON", "huge page", "wrong content type"} | (ONLY_SEARCHES if is_read else set())
    return is_good == (name in well)


def is_json(answer):
    try:
        json.loads(answer.content)
    except ValueError:
        return False
    return True


def test_a_slow_body_comes_byte_by_byte(server, http):
    server.faults = {"*": "slow body"}
    start = time.monotonic()
    with http.stream("GET", server.base + SEARCH) as answer:
        parts = answer.iter_raw()
        got = [next(parts) for _ in range(3)]
    assert [len(one) for one in got] == [1, 1, 1]
    assert 0.1 < time.monotonic() - start < 0.5
    until(lambda: server.at_work == 0)


def test_the_bombs_and_the_huge_page_are_huge(server, http):
    server.faults = {"Condition": "gzip bomb", "Observation": "gzip bomb in JSON", "Patient": "huge page"}
    for path in (SEARCH, "/Observation?patient=pat-1", "/Patient/pat-1"):
        assert len(http.get(server.base + path).content) > 40_000_000


@pytest.mark.parametrize(
    ("name", "strayed"),
    [
        ("next to another host", "/fhir/Condition"),
        ("next out of the path", "/admin"),
        ("redirect to another host", "/fhir/Condition"),
    ],
)
def test_a_client_that_is_led_astray_is_seen(server, http, name, strayed):
    server.faults = {"Condition": name}
    answer = http.get(server.base + SEARCH)
    assert server.strayed == []
    http.get(answer.headers.get("location") or link(answer, "next"))
    assert [one.path for one in server.strayed] == [strayed]


def test_pages_without_end_have_no_end_and_a_circle_is_one(server, http):
    server.faults = {"Condition": "endless next", "Observation": "next to itself"}
    url = server.base + SEARCH
    seen = []
    for _ in range(5):
        answer = http.get(url)
        seen += ids(answer)
        url = link(answer, "next")
    assert len(seen) == len(set(seen)) == 7
    circle = http.get(f"{server.base}/Observation?patient=pat-1")
    assert link(circle, "next") == link(circle, "self")


def test_redirects_lead_inside_or_in_circles_or_to_a_private_address(server):
    with httpx.Client(follow_redirects=True) as http:
        good = http.get(server.base + SEARCH).json()
        server.faults = {"*": "redirect inside"}
        assert http.get(server.base + SEARCH).json() == good
        assert http.post(f"{server.base}/Condition/_search", data={"patient": "pat-1"}).json() == good
        assert http.get(f"{server.base}/Patient/pat-1").json()["id"] == "pat-1"
        server.faults = {"*": "redirect in circles"}
        with pytest.raises(httpx.TooManyRedirects):
            http.get(server.base + SEARCH)
        server.faults = {"*": "redirect to a private address"}
        far = http.get(server.base + SEARCH, follow_redirects=False).headers["location"]
    assert far == "http://10.0.0.1/fhir/Condition?patient=pat-1"


@pytest.mark.parametrize(
    ("name", "patients", "path"),
    [
        ("another patient's data", {"pat-1", SOMEBODY_ELSE}, SEARCH),
        ("only another patient's data", {SOMEBODY_ELSE}, SEARCH),
        ("only another patient's data", {SOMEBODY_ELSE}, "/Procedure?patient=pat-1"),
        ("patient parameter ignored", {"pat-1"}, SEARCH),
    ],
)
def test_the_data_is_of_those_whom_the_fault_names(server, http, name, patients, path):
    server.faults = {"*": name}
    entries = http.get(server.base + path).json()["entry"]
    assert {one["resource"]["subject"]["reference"] for one in entries} == {f"Patient/{one}" for one in patients}


def test_ten_thousand_records_are_distinct_and_the_patients_own(server, http):
    server.faults = {"*": "10,000 entries"}
    answer = http.get(f"{server.base}/MedicationRequest?patient=pat-1&code={LOINC}|a")
    assert len(set(ids(answer))) == 10_000
    assert answer.json()["entry"][0]["resource"]["subject"] == {"reference": "Patient/pat-1"}


def test_one_who_asks_again_is_answered_after_the_first_429(server, http):
    server.faults = {"*": "429 with Retry-After"}
    assert [http.get(server.base + SEARCH).status_code for _ in range(3)] == [429, 200, 200]


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_all_the_data_is_there_after_a_harmless_fault(server, name):
    server.faults = {"Condition": name}
    with httpx.Client(follow_redirects=True) as http:
        answer = http.get(server.base + SEARCH)
        answer = http.get(server.base + SEARCH) if answer.status_code == 429 else answer
    found = [one["resource"] for one in answer.json()["entry"] if one["search"]["mode"] == "match"]
    assert [one["id"] for one in found] == ["c-0-pat-1", "c-1-pat-1", "c-2-pat-1"]


def test_each_fault_is_one_sentence():
    assert all(one[0].isupper() and not one.endswith(".") and len(one) < 110 for one in FAULTS.values())


# --- the server that others have written

needs_sekmet = pytest.mark.skipif(
    real.python() is None, reason="sekmet-fhir is not installed, and SEKMET_PYTHON names no Python that has it"
)


@pytest.fixture(scope="module")
def sekmet():
    with RealServer() as made:
        made.load(records() + records("pat-2"))
        yield made


@needs_sekmet
def test_the_real_server_answers_reads_and_searches(sekmet, http):
    assert http.get(f"{sekmet.base}/Patient/pat-1").json()["birthDate"] == "1971-05-04"
    assert ids(http.get(sekmet.base + SEARCH)) == [f"c-{number}-pat-1" for number in range(3)]
    by_post = http.post(f"{sekmet.base}/Observation/_search", data={"patient": "pat-1", "code": "a,b"})
    assert ids(by_post) == ["o-a-pat-1", "o-b-pat-1"]


@needs_sekmet
def test_the_real_server_gives_everybodys_device_requests_and_says_so(sekmet, http):
    answer = http.get(f"{sekmet.base}/DeviceRequest?patient=pat-1")
    matches = [one["resource"]["id"] for one in answer.json()["entry"] if one["search"]["mode"] == "match"]
    assert matches == ["d-1-pat-1", "d-1-pat-2"]
    assert "patient" not in link(answer, "self")
    strict = http.get(f"{sekmet.base}/DeviceRequest?patient=pat-1", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400


@needs_sekmet
def test_the_real_server_gives_pages(sekmet, http):
    first = http.get(f"{sekmet.base}{SEARCH}&_count=2")
    assert ids(first) + ids(http.get(link(first, "next"))) == [f"c-{number}-pat-1" for number in range(3)]


@needs_sekmet
def test_the_real_server_says_what_it_does_not_take(sekmet):
    with pytest.raises(NotLoadedError, match="Subscription/s-1"):
        sekmet.load([{"resourceType": "Subscription", "id": "s-1"}])
    (refused,) = sekmet.load_what_fits([{"resourceType": "Nonsense", "id": "n-1"}])
    assert refused.status.startswith("404")


@needs_sekmet
def test_references_inside_a_bundle_lead_to_what_was_loaded(sekmet, http):
    patient = {"fullUrl": "urn:uuid:made-up", "resource": {"resourceType": "Patient", "id": "pat-3"}}
    problem = resource("Condition", "c-3") | {"subject": {"reference": "urn:uuid:made-up"}}
    sekmet.load([{"resourceType": "Bundle", "type": "transaction", "entry": [patient, {"resource": problem}]}])
    assert ids(http.get(f"{sekmet.base}/Condition?patient=pat-3")) == ["c-3"]


@needs_sekmet
def test_the_real_server_with_auth_asks_for_a_token_whose_scopes_suffice(http):
    with RealServer(auth=True) as server:
        server.load(records())
        narrow = {"Authorization": f"Bearer {server.token('patient/Patient.r patient/Condition.rs')}"}
        wide = {"Authorization": f"Bearer {server.token('patient/*.read')}"}
        urls = [f"{server.base}/Condition?patient=pat-1", f"{server.base}/Observation?patient=pat-1"]
        seen = [[http.get(url, headers=one).status_code for url in urls] for one in ({}, narrow, wide)]
    assert seen == [[401, 401], [200, 403], [200, 200]]


@needs_sekmet
def test_the_servers_listen_at_one_address_of_loopback(sekmet, server):
    for port in (urlsplit(one).port for one in (sekmet.base, server.base, server.elsewhere)):
        for address in ("127.0.0.2", "::1"):  # where one that listens everywhere would answer too
            with pytest.raises(OSError, match=r"."):
                socket.create_connection((address, port), 1)
