"""What is pasted, or sent by something else than our script: escaped, refused, never a fault, never in the log."""

import json
import logging

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds_service.web.playground.changes import STATUSES
from tests.api.world import problem
from tests.web.playground_world import asked, bundle, fired, foot_drop, patient, shown
from tests.web.world import Page

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
JSON = {"content-type": "application/json"}
ONE = {"example": "peroneal-palsy", "hook": "patient-view"}


def pieces(parts):
    return Page("".join(parts[name] for name in ("cards", "why", "timeline", "differences")))


def is_harmless(page):
    """No element and no attribute that could run anything."""
    runs = [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "style", "srcdoc")]
    links = [link for link in page.links if not link.startswith(("http://", "https://", "#", "cards/"))]
    return not runs and not links and not {"script", "img", "iframe", "style", "object", "base"} & set(page.tags)


def test_markup_in_a_record_is_shown_as_text(client):
    coding = {"system": SCRIPT, "code": SCRIPT, "display": SCRIPT}
    drop = foot_drop(
        id="a-b", code={"coding": [foot_drop()["code"]["coding"][0] | {"display": SCRIPT}], "text": SCRIPT}
    )
    other = foot_drop(id=SCRIPT, code={"coding": [coding]}, onsetDateTime=SCRIPT, clinicalStatus={"coding": [coding]})
    own = bundle(patient(name=[{"family": SCRIPT}]), drop, other)
    one = fired(client, "", record=own)
    parts = shown(client, one)
    assert one.status == 200
    assert is_harmless(pieces(parts))
    assert is_harmless(Page(one.call["record"]))
    assert "alert(1)" in pieces(parts).text


@pytest.mark.parametrize("scheme", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", " javascript:x"])
def test_a_link_that_would_run_something_is_no_link(client, scheme):
    one = fired(client)
    card = one.json["cards"][0]
    card["detail"] = f"[here]({scheme}) {SCRIPT} **bold**"
    one.answered["response"] = json.dumps({"cards": [card]})
    page = pieces(shown(client, one))
    assert "bold" in page.text
    assert is_harmless(page)
    for hostile in (
        {"links": [{"label": "x", "url": scheme, "type": "absolute"}]},
        {"source": {"label": "x", "url": scheme}},
    ):
        one.answered["response"] = json.dumps({"cards": [card | hostile]})
        parts = shown(client, one)
        assert is_harmless(pieces(parts))
        assert parts["said"].startswith("What came back is no answer")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"record": "{"}, "the record is not JSON"),
        ({"record": "[]"}, "no resourceType"),
        ({"record": '{"a": NaN}'}, "the record is not JSON"),
        ({"record": '{"resourceType": 1}'}, "no resourceType"),
        ({"record": '{"resourceType": "Bundle"}'}, "the record has no Patient"),
        ({"record": '{"resourceType": "Bundle", "entry": [1, {"resource": 2}]}'}, "the record has no Patient"),
        ({"example": "nobody"}, "example is none of ours"),
        ({"hook": "appointment-book"}, "hook is none of"),
        ({"alias": "a/../b"}, "letters and digits"),
        ({"user": "Device"}, "user is none of"),
        ({"hook": "order-sign", "drafts": [{"orderable": "poison"}]}, "none of orderables.yaml"),
        ({"hook": "order-sign", "drafts": [{"orderable": "brain MRI"}] * 21}, "more than 20"),
        ({"changes": [{"at": 99, "to": "active"}]}, "the record has not"),
        ({"changes": [{"at": -1, "to": "active"}]}, "the record has not"),
        ({"changes": [{"at": 0, "to": "active"}]}, "cannot have"),
        ({"changes": [{"at": 1, "to": "<b>"}]}, "cannot have"),
        ({"unsent": "all"}, "unsent must be of type array"),
        ({"hook": None}, "hook must be of type string"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_what_is_wrong(client, wrong, says):
    assert says in problem(client.post("/playground/request", json=ONE | wrong), 400)["diagnostics"]


@pytest.mark.parametrize("path", ["/playground/request", "/playground/answer"])
def test_what_is_no_json_is_refused(client, path):
    assert problem(client.post(path, content=b"{", headers=JSON), 400)
    assert problem(client.post(path, content=b'{"hook": "\xff"}', headers=JSON), 400)
    assert problem(client.post(path, json=[]), 400)
    assert problem(client.post(path, content=b"{}"), 415)
    assert client.get(path).status_code == 405


def test_what_is_too_large_or_too_deep_is_refused(client, client_with):
    deep = '{"resourceType": "Bundle", "x": ' + "[" * 200 + "]" * 200 + "}"
    assert problem(asked(client, "", record=deep), 413)
    assert problem(client.post("/playground/request", content=b"[" * 5000, headers=JSON), 413)
    answered = {"request": deep, "status": 200, "response": deep}
    assert "too many levels" in client.post("/playground/answer", json=answered).json()["why"]
    small = client_with(max_body_bytes=2000)
    assert problem(asked(small, "", record=bundle(patient(), *[foot_drop()] * 50)), 413)


@pytest.mark.parametrize("status", [-1, 200, 204, 302, 400])
def test_any_answer_can_be_shown(client, status):
    odd = ("", "\x00", "{", '{"issue": 1}', '{"issue": [{"diagnostics": "<b>"}]}', "[" * 100_000)
    for response in odd:
        answer = client.post("/playground/answer", json={"request": "{}", "status": status, "response": response})
        assert answer.status_code == 200
        assert "<b>" not in answer.json()["cards"]


def test_an_odd_request_is_shown_with_why_nothing_was_judged(client):
    for request in ("", "{", "{}", '{"hook": "x", "hookInstance": "1", "context": {}}'):
        answer = client.post("/playground/answer", json={"request": request, "status": 200, "response": '{"cards":[]}'})
        assert answer.status_code == 200
        assert "Nothing was judged" in answer.json()["why"]


def test_odd_resources_are_listed_without_a_fault(client):
    odd = [
        {"resourceType": "Condition", "code": [], "clinicalStatus": {"coding": [1]}, "onsetDateTime": 3},
        {"resourceType": "Condition", "id": 5, "code": {"coding": "x", "text": 7}, "contained": [1]},
        {"resourceType": "Observation", "status": ["final"], "effectivePeriod": {"start": 4}},
        {"resourceType": "Device", "contained": {}, "type": None},
        {"resourceType": ["Device"]},
        {},
    ]
    one = asked(client, "", record=bundle(patient(), *odd))
    assert one.status_code == 200
    assert one.json()["record"].count("<select") == 4


def test_half_of_a_surrogate_pair_is_sent_as_the_record_has_it(client):
    made = asked(client, "", record='{"resourceType": "Patient", "id": "p", "name": [{"family": "\\ud800"}]}')
    assert json.loads(made.json()["request"])["prefetch"]["patient"]["name"][0]["family"] == "\ud800"


def test_a_large_record_is_shown_in_part_and_says_so(client):
    many = [foot_drop(id=f"c{at}") for at in range(500)]
    one = fired(client, "", record=bundle(patient(), *many))
    parts = shown(client, one)
    assert "300 more resources cannot be changed here." in Page(one.call["record"]).text
    assert "The newest 300 are shown; 200 are not." in Page(parts["timeline"]).text


def test_no_word_of_the_record_is_in_the_log(client, caplog):
    caplog.set_level(logging.DEBUG)
    mark = "zzmark"
    own = bundle(
        patient(id=mark, name=[{"family": mark}]), foot_drop(id=mark, subject={"reference": f"Patient/{mark}"})
    )
    one = fired(client, "", record=own)
    shown(client, one)
    asked(client, "", record=own + mark)
    asked(client, mark, hook=mark)
    client.post("/playground/answer", json={"request": mark, "status": 200, "response": mark})
    assert mark in one.call["request"]
    assert mark not in caplog.text


def test_a_page_of_another_origin_cannot_ask(client):
    for origin in ("https://sandbox.cds-hooks.org", "http://localhost:8080", "http://127.0.0.1:3000", "null"):
        assert problem(client.post("/playground/request", json=ONE, headers={"origin": origin}), 403)
    assert client.post("/playground/request", json=ONE, headers={"origin": "http://127.0.0.1:8080"}).status_code == 200


def test_a_name_that_foreign_dns_turns_into_this_machine_is_not_our_own_page(client_with):
    rebound = client_with("http://evil.example:8080", allow_open=True)
    headers = {"origin": "http://evil.example:8080"}
    assert problem(rebound.post("/playground/request", json=ONE, headers=headers), 403)


@pytest.mark.parametrize("kind", sorted(set(STATUSES) - {"Condition"}))
def test_the_statuses_offered_are_those_of_fhir(kind):
    known = get_fhir_model_class(kind).model_fields["status"].json_schema_extra["enum_values"]
    assert set(known) - {"+"} <= set(STATUSES[kind])
