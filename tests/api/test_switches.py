"""What a site can switch: red flags as a group, the form of orthosis orders; and what the start-up log says."""

import datetime as dt
import logging
import shutil
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.conftest import Client, Clock

CARDS = Path(__file__).parents[2] / "cards"
ME = {"reference": "Patient/me"}


def call(*findings):
    """A patient with foot drop on the right, and what was found at the bedside."""
    problem = {
        "resourceType": "Condition",
        "id": "drop",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M21.371"}]},
        "subject": ME,
        "onsetDateTime": "2026-11-20",
    }
    empty = {"resourceType": "Bundle", "type": "searchset"}
    keys = "procedures diagnosticReports serviceRequests deviceRequests deviceUse devices"
    keys += " medicationRequests medicationAdministrations"
    return {
        "hook": "patient-view",
        "hookInstance": "6f2b0b3e-8f1a-4b5e-9a3c-0e0c6a3a7a11",
        "context": {"userId": "Practitioner/p", "patientId": "me"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "me", "birthDate": "1970-01-01"},
            "conditions": {**empty, "entry": [{"resource": problem}]},
            "observations": {**empty, "entry": [{"resource": finding} for finding in findings]} if findings else empty,
        }
        | dict.fromkeys(keys.split(), empty),
    }


def sign(code):
    return {
        "resourceType": "Observation",
        "id": code,
        "status": "final",
        "code": {
            "coding": [{"system": "https://foot-drop-cds.example.org/fhir/CodeSystem/bedside-findings", "code": code}]
        },
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "52101004"}]},
        "subject": ME,
        "effectiveDateTime": "2026-11-22",
    }


def topics(answer):
    return [card["source"]["topic"]["code"] for card in answer.json()["cards"]]


def test_a_red_flag_silences_the_rest(client):
    assert topics(client.fire(call(sign("saddle-sensory-loss")))) == ["FD-RF-01"]


def test_with_red_flags_off_the_rest_speaks_and_the_log_says_so(client_with, caplog):
    with caplog.at_level(logging.WARNING):
        client = client_with(red_flags=False)
    assert "red flags are switched off (CDS_RED_FLAGS)" in caplog.text
    shown = topics(client.fire(call(sign("saddle-sensory-loss"))))
    assert "FD-RF-01" not in shown
    assert "FD-AFO-01" in shown


@pytest.mark.parametrize("form", ["DeviceRequest", "ServiceRequest"])
def test_an_orthosis_is_ordered_in_the_resource_that_the_site_uses(client_with, form):
    card = client_with(orthoses_as=form).fire(call()).json()["cards"][0]
    assert card["suggestions"][0]["actions"][0]["resource"]["resourceType"] == form


def started(tmp_path, caplog, old, new, day):
    """The log of a start on some day, with one recommendation changed."""
    cards = tmp_path / "cards"
    shutil.copytree(CARDS, cards, ignore=shutil.ignore_patterns("cases"))
    path = cards / "recommendations/orthosis/offer-an-orthosis.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    clock = Clock()
    clock.at = dt.datetime.fromisoformat(day)
    with caplog.at_level(logging.WARNING):
        client = Client(create_app(Settings(database_url="sqlite://", cards_dir=cards), clock))
    try:
        return topics(client.fire(call()))
    finally:
        client.close()


def test_an_overdue_review_is_logged_at_the_start_and_stops_nothing(tmp_path, caplog):
    shown = started(tmp_path, caplog, "next review: 2027-11-22", "next review: 2026-11-21", "2026-11-22T12:00Z")
    assert "FD-AFO-01: review was due on 2026-11-21" in caplog.text
    assert "FD-AFO-01" in shown


@pytest.mark.parametrize(("until", "speaks"), [("2026-11-22", True), ("2026-11-21", False)])
def test_past_its_effective_period_a_recommendation_is_silent_and_the_log_says_so(tmp_path, caplog, until, speaks):
    new = f"next review: 2027-11-22\n  effective to: {until}"
    shown = started(tmp_path, caplog, "next review: 2027-11-22", new, "2026-11-22T12:00Z")
    assert ("FD-AFO-01" in shown) is speaks
    assert ("FD-AFO-01 is silent" in caplog.text) is not speaks


def test_people_pages_answer_this_machine_only_where_open_mode_is_on_a_network(client_with):
    client = client_with(allow_open=True, host="0.0.0.0")
    assert client.get("/cards/FD-AFO-01").status_code == 200  # from loopback
    client.http._transport.client = ("192.0.2.7", 4711)
    assert client.get("/cards/FD-AFO-01").status_code == 403
    assert client.get("/").status_code == 403
    assert client.get("/health/live").status_code == 200
    assert client.get("/cds-services").status_code == 200
