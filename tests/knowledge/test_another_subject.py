"""Nothing in the program knows of feet: the knowledge of another subject, written as files alone, is served."""

import datetime as dt

import pytest

from tests.fhir.validation import complaints
from tests.knowledge.carpal_tunnel import write

SIDE = {"system": "http://snomed.info/sct", "code": "24028007"}


def resource(kind, number, **members):
    return {"resourceType": kind, "id": number, "subject": {"reference": "Patient/w"}} | members


def carpal_tunnel(began):
    code = {
        "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "G5601", "display": "Carpal tunnel, right"}]
    }
    return resource("Condition", "cts", code=code, onsetDateTime=began)


def splint(**members):
    code = {"coding": [{"system": "https://wrist.example.org/orders", "code": "night-splint"}]}
    return resource("DeviceRequest", "s", status="active", intent="order", codeCodeableConcept=code) | members


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def call(problems, splints=()):
    return {
        "hook": "patient-view",
        "hookInstance": "3a9c1a1e-0000-4000-8000-000000000001",
        "context": {"userId": "Practitioner/p", "patientId": "w", "encounterId": "e"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "w"},
            "problems": bundle(*problems),
            "splints": bundle(*splints),
        },
    }


@pytest.fixture
def wrists(client_with, tmp_path):
    return client_with(cards_dir=write(tmp_path))


def ask(wrists, *arguments):
    answer = wrists.post("/cds-services/wrist-view", json=call(*arguments))
    assert answer.status_code == 200, answer.text
    return answer.json()["cards"]


@pytest.mark.norm("DIS-2", "DIS-7", "DIS-8")
def test_the_other_services_are_discovered_with_their_own_prefetch(wrists):
    (service,) = wrists.get("/cds-services").json()["services"]
    assert (service["id"], service["hook"]) == ("wrist-view", "patient-view")
    assert service["prefetch"] == {
        "patient": "Patient/{{context.patientId}}",
        "problems": "Condition?patient={{context.patientId}}",
        "splints": "DeviceRequest?patient={{context.patientId}}",
    }


def test_the_other_card_is_returned_with_a_complete_order(wrists):
    (card,) = ask(wrists, [carpal_tunnel("2026-10-01")])
    assert card["summary"] == "Carpal tunnel syndrome (right) since 2026-10-01: consider a night splint."
    assert card["source"]["topic"] == {
        "system": "https://wrist.example.org/topics",
        "code": "CTS-1",
        "display": "Offer a night splint",
    }
    assert card["overrideReasons"] == [
        {"system": "https://wrist.example.org/reasons", "code": "splint-at-home", "display": "Has a splint at home"}
    ]
    assert "Carpal tunnel, right, since 2026-10-01" in card["detail"]
    (suggestion,) = card["suggestions"]
    (action,) = suggestion["actions"]
    order = action["resource"]
    assert complaints(order) == []
    assert order["codeCodeableConcept"]["text"] == "Night splint for the wrist, right"
    assert order["parameter"][0]["valueCodeableConcept"]["coding"] == [SIDE]
    assert order["reasonReference"] == [{"reference": "Condition/cts"}]
    assert order["subject"] == {"reference": "Patient/w"}
    assert order["encounter"] == {"reference": "Encounter/e"}


def test_the_other_card_is_not_returned_when_its_own_threshold_or_exclusion_says_so(wrists):
    yesterday = (dt.date(2026, 11, 22) - dt.timedelta(days=13)).isoformat()
    assert ask(wrists, [carpal_tunnel("2026-11-08")]) != []
    assert ask(wrists, [carpal_tunnel(yesterday)]) == []
    assert ask(wrists, [carpal_tunnel("2026-10-01")], [splint()]) == []


def test_an_accepted_splint_settles_the_other_card(wrists):
    (card,) = ask(wrists, [carpal_tunnel("2026-10-01")])
    order = card["suggestions"][0]["actions"][0]["resource"] | {"id": "new"}
    assert ask(wrists, [carpal_tunnel("2026-10-01")], [order]) == []


def test_the_page_behind_the_other_card_is_served(wrists):
    page = wrists.get("/cards/CTS-1")
    assert page.status_code == 200
    assert "Offer a night splint" in page.text


def test_the_fingerprint_changes_when_a_threshold_changes(client_with, tmp_path):
    one = client_with(cards_dir=write(tmp_path / "one")).get("/health/ready").json()["knowledge"]
    folder = write(tmp_path / "two")
    parameters = folder / "parameters.yaml"
    parameters.write_text(parameters.read_text().replace("value: 14", "value: 15"))
    assert client_with(cards_dir=folder).get("/health/ready").json()["knowledge"] != one
