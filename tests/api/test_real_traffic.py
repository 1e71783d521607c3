"""What clients really send: the public Sandbox, and calls that others published."""

import json
from pathlib import Path

import pytest

from tests.api.world import HOOKS, bundle, call, empty_parts, path_of, prefetch, problem, with_context

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
recordings = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recorded traffic is not on this machine")


def recorded(kind):
    for file in sorted((FIXTURES / "sandbox").glob("*.json")):
        exchange = json.loads(file.read_text())
        if "body" in exchange and exchange["path"].endswith("/feedback") == (kind == "feedback"):
            yield pytest.param(exchange["body"], id=file.stem)


def published():
    for file in sorted((FIXTURES / "calls").glob("*/*.json")):
        yield pytest.param(file.parent.name, file.read_bytes(), id=file.stem[:60])


@recordings
@pytest.mark.norm("REQ-1", "RSP-1", "RSP-3")
@pytest.mark.parametrize("body", list(recorded("call")))
def test_the_sandbox_gets_an_answer_without_a_card_as_none_of_its_orders_concerns_us(client, body):
    answer = client.fire(body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["cards"] == []
    assert list(empty_parts(answer.json())) == ["$.cards"]


@recordings
@pytest.mark.norm("FBK-3")
@pytest.mark.parametrize("body", list(recorded("feedback")))
def test_the_sandbox_can_report(client, body):
    answer = client.post(f"{path_of('patient-view')}/feedback", json=body)
    assert answer.status_code == 200
    statuses = {one["status"] for one in answer.json()["feedback"]}
    assert statuses <= {"kept, no such card yet", "no card of this service"}
    assert len(answer.json()["feedback"]) == len(body["feedback"])


def is_broken(hook, call):
    """Whether a required member is missing, by a reading of the standard that shares no code with the service."""
    context = call.get("context") or {}
    required = [call.get("hook") == hook, call.get("hookInstance"), context.get("patientId"), context.get("userId")]
    return not all(required) or "/" not in str(context["userId"])


@recordings
@pytest.mark.norm("REQ-1", "RSP-5", "RSP-6")
@pytest.mark.parametrize(("hook", "body"), list(published()))
def test_a_published_call_is_answered_or_refused_with_words_that_help(client, hook, body):
    answer = client.post(path_of(hook), content=body, headers={"content-type": "application/json"})
    if answer.status_code == 200:
        assert not is_broken(hook, json.loads(body))
        cards = answer.json()["cards"]
        assert [card["source"]["topic"]["code"] for card in cards] in ([], ["data-gap"])
        return
    assert answer.status_code in (400, 412)
    issue = problem(answer, answer.status_code)
    if answer.status_code == 400:
        assert issue["expression"][0] in issue["diagnostics"]
    else:
        assert "patient" in issue["diagnostics"] or "conditions" in issue["diagnostics"]


# ---- the same habits in our own words, for where the recordings are not

ASPIRIN = {  # a draft as the Sandbox makes it: category as object, no intent known to R4's order of members
    "resourceType": "MedicationRequest",
    "id": "request-1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/pat-77"},
    "authoredOn": "2026-11-22",
    "category": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/medicationrequest-category"}]},
    "medicationCodeableConcept": {"text": "Aspirin 81 MG Chewable Tablet"},
}
STUDY = {  # an imaging order before anything was chosen in it
    "resourceType": "ServiceRequest",
    "id": "request-2",
    "status": "draft",
    "intent": "plan",
    "code": {"coding": [{}]},
    "subject": {"reference": "Patient/pat-77"},
    "reasonCode": [],
}
OLD_ORDER = {  # DSTU2 on an R4 call
    "resourceType": "MedicationOrder",
    "id": "request-3",
    "status": "draft",
    "patient": {"reference": "Patient/pat-77"},
    "dateWritten": "2026-11-22",
}


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("draft", [ASPIRIN, STUDY, OLD_ORDER], ids=lambda draft: draft["id"])
def test_a_draft_that_does_not_concern_us_brings_no_card_however_it_looks(client, hook, draft):
    made = with_context(call(hook), draftOrders={"resourceType": "Bundle", "entry": [{"resource": draft}]})
    made["prefetch"] = {name: made["prefetch"][name] for name in ("patient", "conditions")}
    made["prefetch"] |= {"hba1c": bundle(), "user": {"resourceType": "Practitioner", "id": "doc-1"}}
    answer = client.fire(made)
    assert (answer.status_code, answer.json()["cards"]) == (200, [])


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_order_hook_without_drafts_or_selections_is_answered(client, hook):
    made = with_context(call(hook), draftOrders=None, selections=None)
    assert client.fire(made).json() == {"cards": []}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_call_without_any_prefetch_says_which_keys_it_needs(client, hook):
    for nothing in (None, {}):
        assert "conditions" in problem(client.fire(call(hook, prefetch=nothing)), 412)["diagnostics"]


def test_ids_of_ninety_characters_and_outcomes_in_every_bundle_are_read(client):
    remark = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    long = "eXyZ" * 25
    context = call()["context"] | {"patientId": long}
    found = prefetch(patient={"resourceType": "Patient", "id": long})
    for key in found:
        if key != "patient":
            found[key] = {"resourceType": "Bundle", "entry": [{"resource": remark, "search": {"mode": "outcome"}}]}
    assert client.fire(call(context=context, prefetch=found)).json() == {"cards": []}
