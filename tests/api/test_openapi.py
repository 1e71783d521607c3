"""`/openapi.json` describes what the service really does.

Beside what stands here, every answer that any test gets from `client` is checked against it: see `tests/described.py`.
"""

import copy
import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest
import schemathesis

from cds_service.api.errors import STATUSES
from cds_service.api.openapi import openapi_of
from cds_service.api.openapi.examples import FILE
from cds_service.api.openapi.schemas import Described, components, says
from cds_service.app import create_app
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from fhir_examples.golden import golden_calls
from tests.api.openapi_examples import examples
from tests.api.world import HOOKS, every_hook, orthosis, path_of
from tests.described import Description, is_of_wrong_shape

SHARED = Path(__file__).parents[3] / "shared"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
JSON = {"content-type": "application/json"}
OTHERS = (
    None,
    True,
    7,
    -0.5,
    "",
    " ",
    "\x1f",
    "\ufeff",
    "x",
    "Patient/1",
    "Practitioner/../x",
    [],
    ["x"],
    [7],
    {},
    {"x": 1},
)
"""Values to put in a member's place: each type of JSON, and texts that come close to something."""


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge(Settings().cards_dir)


@pytest.fixture(scope="module")
def document(knowledge):
    return json.loads(json.dumps(openapi_of(knowledge)))


@pytest.fixture(scope="module")
def description(document):
    return Description(lambda: document)


@pytest.fixture(scope="module")
def takes(document, description):
    """Whether the document calls a body valid at a path."""

    def is_valid(path, body):
        kinds = document["paths"][path]["post"]["requestBody"]["content"]
        return description.validator(kinds["application/json"]["schema"]).is_valid(body)

    return is_valid


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


# ---- the document itself


def test_the_document_is_open_api_3_1(document):
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"] == "3.1.0"


def test_every_operation_has_a_name_of_its_own_and_full_sentences(document):
    found = [operation for _, operation in operations(document)]
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    for operation in found:
        assert operation["summary"]
        assert operation["description"].endswith(".")
        assert operation["tags"][0] in {tag["name"] for tag in document["tags"]}


def test_every_member_that_is_read_or_sent_is_described(document):
    """The schemas of the pages are derived from their types alone."""
    of_pages = [name for name in document["components"]["schemas"] if name.startswith("Page")]
    bare = [
        f"{name}.{member}"
        for name, schema in document["components"]["schemas"].items()
        if name not in of_pages
        for member, inner in schema.get("properties", {}).items()
        if not ("description" in inner or "$ref" in inner)
    ]
    assert bare == []


def test_it_says_that_the_knowledge_is_not_approved_and_under_which_licence_it_comes(document):
    assert "not clinically approved" in document["info"]["summary"]
    assert document["info"]["license"]["identifier"] == "Apache-2.0"


def test_it_names_the_address_of_the_service(client_with):
    served = client_with(public_url="https://cds.example.org/foot")
    document = served.get("/openapi.json").json()
    assert document["servers"][0]["url"] == "https://cds.example.org/foot"
    assert "{{service}}" not in json.dumps(document)


def test_it_is_served_as_it_is_made(client, document):
    assert client.get("/openapi.json").json() == document


def test_every_path_is_there_and_every_service_has_two(document, client):
    app = create_app(Settings(database_url="sqlite://"))
    services = [service["id"] for service in client.get("/cds-services").json()["services"]]
    hooks = {"/cds-services", *(f"/cds-services/{name}{end}" for name in services for end in ("", "/feedback"))}
    assert hooks <= set(document["paths"])
    assert set(document["paths"]) - hooks <= {route.path for route in app.routes}


def test_several_hooks_of_one_service_are_one_path_that_takes_each_of_their_calls(knowledge):
    services = [service.model_copy(update={"id": "foot-drop"}) for service in knowledge.services]
    document = openapi_of(replace(knowledge, services=tuple(services)))
    schemathesis.openapi.from_dict(document).validate()
    body = document["paths"]["/cds-services/foot-drop"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Description(lambda: document).validator(body)
    assert [hook for hook, call in every_hook().items() if not validator.is_valid(call)] == []
    assert not validator.is_valid(every_hook()["order-sign"] | {"hook": "order-dispatch"})


def test_every_status_of_a_refusal_is_described(document):
    described = {int(status) for _, operation in operations(document) for status in operation["responses"]}
    assert set(STATUSES) <= described


# ---- examples


def test_the_examples_are_what_the_service_answers():
    """If the new answers are right: python -m tests.api.openapi_examples, then review the difference."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == examples()


def contents(document):
    """Every media type with its schema and examples, by its place."""
    for where, operation in operations(document):
        yield f"{where} request", operation.get("requestBody", {}).get("content", {})
        for status, answer in operation["responses"].items():
            yield f"{where} {status}", answer.get("content", {})
    for name, answer in document["components"]["responses"].items():
        yield name, answer["content"]


def test_every_example_is_valid_and_every_kind_of_body_has_one_but_figures_and_pages(document, description):
    without = set()
    for where, kinds in contents(document):
        if kinds and not any("example" in kind or "examples" in kind for kind in kinds.values()):
            without.add(where)
        for kind in kinds.values():
            for name, example in kind.get("examples", {}).items():
                wrong = next(description.validator(kind["schema"]).iter_errors(example["value"]), None)
                assert wrong is None, (where, name, wrong)
    pages = {"get / 200", *(f"get /insight {status}" for status in (200, 400, 503))}
    assert without == pages | {"get /insight.json 200", "get /openapi.json 200"}


# ---- what clients send


def test_the_golden_calls_are_valid(takes):
    for call in golden_calls():
        assert takes(call.path, call.request(NOW)), call.file.name


def sent_by_others():
    """What clients really sent and others published: path and body."""
    for file in sorted((SHARED / "fixtures" / "sandbox").glob("*.json")):
        exchange = json.loads(file.read_text())
        if "body" in exchange and not exchange["path"].endswith("/feedback"):
            yield path_of(exchange["body"]["hook"]), exchange["body"]
        elif "body" in exchange:
            yield path_of("patient-view") + "/feedback", exchange["body"]
    for file in sorted((SHARED / "fixtures" / "calls").glob("*/*.json")):
        yield path_of(file.parent.name), json.loads(file.read_text())
    for file in sorted((SHARED / "spec" / "examples").rglob("*.json")):
        body = json.loads(file.read_text(), strict=False)
        if isinstance(body, dict) and body.get("hook") in HOOKS and "context" in body:
            yield path_of(body["hook"]), body
        elif isinstance(body, dict) and "feedback" in body:
            yield path_of("patient-view") + "/feedback", body


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded traffic is not on this machine")
def test_what_others_send_is_refused_where_the_document_says_so_and_nowhere_else(client, takes):
    found = list(sent_by_others())
    refused = 0
    for path, body in found:
        answer = client.post(path, json=body)
        assert is_of_wrong_shape(answer) == (not takes(path, body)), (path, answer.text[:300])
        refused += is_of_wrong_shape(answer)
    assert len(found) > 100
    assert 0 < refused < len(found) / 2


# ---- what is broken


def with_everything(hook):
    """A call of a hook that uses every member there is."""
    made = every_hook()[hook]
    granted = {"access_token": "t", "token_type": "Bearer", "expires_in": 1, "scope": "s", "subject": "u"}
    granted["patient"] = made["context"]["patientId"]
    if "draftOrders" in made["context"]:
        made["context"]["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": orthosis()}]}
    return made | {"fhirServer": "https://ehr.example/fhir", "fhirAuthorization": granted, "extension": {"x": 1}}


def reports():
    at = "2026-11-22T12:00:00Z"
    reason = {"system": "https://example.org/reasons", "code": "other", "display": "Other"}
    card = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    taken = [{"id": card}]
    return {
        "feedback": [
            {"card": card, "outcome": "accepted", "acceptedSuggestions": taken, "outcomeTimestamp": at},
            {
                "card": card,
                "outcome": "overridden",
                "outcomeTimestamp": at,
                "overrideReason": {"reason": reason, "userComment": "no"},
            },
        ]
    }


def places(value, at=()):
    """Every member and item of a body, but for what is inside FHIR resources."""
    if isinstance(value, dict | list) and "resourceType" not in value:
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*at, name)
            yield from places(inner, (*at, name))


def broken(body, place, value=...):
    """The body with another value at a place, or without it."""
    made = copy.deepcopy(body)
    holder = made
    for name in place[:-1]:
        holder = holder[name]
    if value is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return made


def all_broken(body, values):
    for place in places(body):
        if place[:1] != ("prefetch",) or len(place) == 1:
            yield from (broken(body, place, value) for value in (..., *values))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_member_that_is_removed_or_of_another_type_is_refused_where_the_document_says_so_and_nowhere_else(
    client, takes, hook
):
    path, whole = path_of(hook), with_everything(hook)
    assert takes(path, whole)
    values = OTHERS if hook == "encounter-discharge" else OTHERS[::3]  # the members are the same at most hooks
    for body in all_broken(whole, values):
        answer = client.post(path, content=json.dumps(body), headers=JSON)
        assert is_of_wrong_shape(answer) == (not takes(path, body)), (answer.text[:300], str(body)[:300])


def test_a_report_that_is_broken_is_refused_where_the_document_says_so_and_nowhere_else(client, takes):
    path = path_of("patient-view") + "/feedback"
    assert takes(path, reports())
    for body in all_broken(reports(), OTHERS):
        answer = client.post(path, content=json.dumps(body), headers=JSON)
        assert is_of_wrong_shape(answer) == (not takes(path, body)), (answer.text[:300], str(body)[:300])


# ---- the checks that all this rests on


def answered(method="GET", path="/health/live", status=200, body=None, **headers):
    """An answer as the service might have given it."""
    request = httpx.Request(method, f"http://127.0.0.1:8080{path}")
    usual = {"cache-control": "no-store", "content-type": "application/json"}
    return httpx.Response(status, headers=usual | headers, content=json.dumps(body), request=request)


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login", "diagnostics": "x"}]}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (answered(body={"status": "live", "more": 1}), "more"),
        (answered(body={"status": None}), "status"),
        (answered(body={}), "status"),
        (answered(status=302), "no such status"),
        (answered(method="DELETE", body={"status": "live"}), "no such method"),
        (answered(path="/nothing", body={"status": "live"}), "no such path"),
        (answered(body={"status": "live"}, **{"content-type": "text/html"}), "media type"),
        (answered(body={"status": "live"}, **{"cache-control": "public"}), "Cache-Control"),
        (
            answered(path="/cds-services", status=401, body=OUTCOME, **{"content-type": "application/fhir+json"}),
            "WWW-Authenticate",
        ),
        (answered(path="/cards/FD-AFO-01.json", body={"id": "FD-AFO-01", "score": 7}), "FD-AFO-01"),
    ],
)
def test_an_answer_that_is_not_described_is_found(description, answer, problem):
    assert problem in description.problem(answer)


def test_a_type_that_is_described_as_it_is_not_is_an_error():
    class Changed(msgspec.Struct):
        old: str
        new: str = ""

    with pytest.raises(TypeError, match="new"):
        components([Described(Changed, "It changed.", {"old": says("The old member.")})], is_sent=True)
