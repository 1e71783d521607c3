"""The FHIR server of the example patients: reads, searches, what the Sandbox asks, and what is refused."""

import datetime as dt
import json
import subprocess
import sys

import httpx
import pytest

from cds_service.settings import SANDBOX
from fhir_examples.search import SEARCHES
from fhir_examples.server import create_server
from tests.api.world import ROOT, wait_until
from tests.conftest import NOON, Client
from tests.fhir.validation import complaints

CONDITIONS = "/fhir/Condition?patient=untreated-cidp"
MRC = "ankle-dorsiflexion-mrc-grade"
FINDINGS = "https://foot-drop-cds.example.org/fhir/CodeSystem/bedside-findings"


@pytest.fixture(scope="module")
def server():
    made = Client(create_server(NOON), "http://127.0.0.1:8090")
    yield made
    made.close()


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", [])]


def link(answer, relation):
    return next((one["url"] for one in answer.json()["link"] if one["relation"] == relation), None)


def refused(answer, status):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/fhir+json"
    assert complaints(answer.json()) == []
    (issue,) = answer.json()["issue"]
    return issue["diagnostics"]


def test_a_read_is_answered_with_the_resource_its_dates_filled_in(server):
    answer = server.get("/fhir/Condition/untreated-cidp-cidp")
    assert answer.json()["onsetDateTime"] == (NOON.date() - dt.timedelta(days=420)).isoformat()
    assert server.get("/fhir/Practitioner/example").json()["resourceType"] == "Practitioner"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("patient=untreated-cidp", ["strength-right", "strength-left"]),
        ("subject=Patient/untreated-cidp", ["strength-right", "strength-left"]),
        ("patient=http://127.0.0.1:8090/fhir/Patient/untreated-cidp", ["strength-right", "strength-left"]),
        (f"patient=untreated-cidp&code={MRC}", ["strength-right", "strength-left"]),
        (f"patient=untreated-cidp&code=another,{FINDINGS}|{MRC}", ["strength-right", "strength-left"]),
        (f"patient=untreated-cidp&code={FINDINGS}|", ["strength-right", "strength-left"]),
        (f"patient=untreated-cidp&code=http://loinc.org|{MRC}", []),
        (f"patient=untreated-cidp&code=|{MRC}", []),
        ("patient=untreated-cidp&category=exam", ["strength-right", "strength-left"]),
        ("patient=untreated-cidp&category=laboratory", []),
        ("_id=untreated-cidp-strength-left,nothing", ["strength-left"]),
        ("patient=untreated-cidp&patient=treated-cidp", []),
        ("patient=nobody", []),
    ],
)
def test_a_search_by_get_or_by_post_finds_what_fits(server, query, found):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    by_get = server.get(f"/fhir/Observation?{query}")
    by_post = server.post("/fhir/Observation/_search", content=query, headers=form)
    assert ids(by_get) == ids(by_post) == [f"untreated-cidp-{one}" for one in found]
    assert by_get.json() == by_post.json()
    assert link(by_get, "self") == f"http://127.0.0.1:8090/fhir/Observation?{query}"
    assert complaints(by_get.json()) == []


@pytest.mark.parametrize("resource_type", SEARCHES)
def test_a_type_is_searched_by_each_parameter_that_it_offers_and_says_so(server, resource_type):
    statement = server.get("/fhir/metadata").json()
    (offered,) = (one for one in statement["rest"][0]["resource"] if one["type"] == resource_type)
    names = [one["name"] for one in offered["searchParam"]]
    assert names == ["_id", *SEARCHES[resource_type]]
    everybody = ids(server.get(f"/fhir/{resource_type}"))
    for name in names:
        assert ids(server.get(f"/fhir/{resource_type}?{name}=no-such")) == []
    assert ids(server.get(f"/fhir/{resource_type}?_id={','.join(everybody)}")) == everybody


def test_the_capability_statement_is_valid(server):
    assert complaints(server.get("/fhir/metadata").json()) == []


@pytest.mark.parametrize("prefer", ["handling=strict", "handling=lenient"])
@pytest.mark.parametrize("query", ["colour=red", "code:not=M21.371", "_sort=code", "_include=*", "patient.name=x"])
def test_what_would_change_the_meaning_of_a_search_is_refused_never_passed_over(server, query, prefer):
    answer = server.get(f"{CONDITIONS}&{query}", headers={"Prefer": prefer})
    assert query.partition("=")[0] in refused(answer, 400)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/fhir/Patient/nobody", 404, "Patient/nobody"),
        ("/fhir/Organization?name=x", 404, "Organization is not kept here"),
        ("/fhir/Organization/x", 404, "Organization is not kept here"),
        ("/fhir", 404, "Not Found"),
        ("/fhir/Patient/recovered/_history", 404, "Not Found"),
        (f"{CONDITIONS}&_count=many", 400, "_count"),
        (f"{CONDITIONS}&_count={'9' * 5000}", 400, "_count"),
        (f"{CONDITIONS}&_offset=-1", 400, "_offset"),
        (f"{CONDITIONS}&_format=xml", 406, "JSON"),
    ],
)
def test_what_is_not_there_is_told_in_an_operation_outcome(server, path, status, words):
    assert words in refused(server.get(path), status)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/fhir/Patient/x"), ("POST", "/fhir/Patient"), ("DELETE", "/fhir/Patient/x")]
)
def test_nothing_can_be_written(server, method, path):
    refused(server.request(method, path, json={"resourceType": "Patient"}), 405)


@pytest.mark.parametrize("format_", ["json", "application/json", "application/fhir+json", "application/fhir%2Bjson"])
def test_json_may_be_asked_for_by_any_of_its_names(server, format_):
    assert len(ids(server.get(f"{CONDITIONS}&_format={format_}"))) == 3


def test_a_form_that_is_no_text_finds_nothing_and_breaks_nothing(server):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ids(server.post("/fhir/Condition/_search", content=b"patient=\xff\xfe", headers=form)) == []


def test_a_search_by_post_that_is_no_form_is_refused(server):
    refused(server.post("/fhir/Patient/_search", json={}), 415)


def test_pages_follow_each_other_to_the_end_and_each_knows_the_total(server):
    first = server.get(f"{CONDITIONS}&_count=2")
    second = server.get(link(first, "next"))
    assert ids(first) + ids(second) == ids(server.get(CONDITIONS))
    assert link(second, "next") is None
    assert first.json()["total"] == second.json()["total"] == 3
    none = server.get(f"{CONDITIONS}&_count=0")
    assert (ids(none), none.json()["total"], link(none, "next")) == ([], 3, None)


def test_the_sandbox_gets_what_it_asks_for_and_its_browser_may_read_it(server):
    headers = {"Origin": SANDBOX, "Accept": "application/json+fhir"}
    for path in ("/fhir/metadata", "/fhir/Patient", "/fhir/Patient/recovered", CONDITIONS):
        answer = server.get(path, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == SANDBOX
    people = server.get("/fhir/Patient", headers=headers).json()["entry"]
    assert len(people) == 12
    assert all(entry["resource"]["name"][0]["given"] for entry in people)  # the Sandbox shows it in its list


@pytest.mark.parametrize(
    ("origin", "status"), [(SANDBOX, 200), ("http://localhost:3000", 200), ("https://x.example.org", 400)]
)
def test_a_browser_asks_first_and_other_origins_are_refused(server, origin, status):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = server.request("OPTIONS", "/fhir/Condition/_search", headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["access-control-allow-private-network"] == "true"


def test_the_command_serves_the_patients_on_loopback_and_says_where(free_port):
    command = [sys.executable, "-m", "fhir_examples.server", "--port", str(free_port), "--at", "2026-11-22T12:00:00Z"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith(f"Synthetic patients at http://127.0.0.1:{free_port}/fhir")
            url = f"http://127.0.0.1:{free_port}/fhir/Condition/recovered-tendon"
            wait_until(lambda: _answers(url), "the server")
            assert json.loads(httpx.get(url).content)["onsetDateTime"] == "2026-11-10"
        finally:
            process.terminate()


def _answers(url):
    try:
        return httpx.get(url).status_code == 200
    except httpx.ConnectError:
        return False


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
