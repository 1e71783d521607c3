"""The orders we suggest: what can be built is valid, what is not cannot be built."""

import datetime as dt

import pytest

from cds_service.domain.codes import Coding
from cds_service.fhir.requests import (
    Concept,
    DeviceRequestDraft,
    EncounterReference,
    Parameter,
    PatientReference,
    ReasonReference,
    RequesterReference,
    RequestIntent,
    RequestPriority,
    RequestStatus,
    ServiceRequestDraft,
)
from tests.fhir.validation import complaints

CODE = Concept((Coding("http://example.org/plain", "study", "A study"),), "A study, right")
NEEDED = {
    "status": RequestStatus.DRAFT,
    "intent": RequestIntent.PROPOSAL,
    "priority": RequestPriority.ROUTINE,
    "code": CODE,
    "subject": PatientReference("Patient/me"),
    "requester": RequesterReference("Practitioner/p"),
    "authored": dt.datetime(2026, 6, 15, 12, 0, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
}
FULL = NEEDED | {
    "encounter": EncounterReference("Encounter/e"),
    "planned": dt.date(2026, 7, 1),
    "reasons": (ReasonReference("Condition/c"), ReasonReference("Observation/o")),
    "reason_codes": (Concept(text="tripping"),),
    "note": "Why this is suggested.",
}


def has_nothing_empty(value):
    if isinstance(value, dict):
        return bool(value) and all(has_nothing_empty(part) for part in value.values())
    if isinstance(value, list):
        return bool(value) and all(has_nothing_empty(part) for part in value)
    return value is not None and value != ""


@pytest.mark.parametrize("kind", [ServiceRequestDraft, DeviceRequestDraft])
@pytest.mark.parametrize("members", [NEEDED, FULL])
@pytest.mark.parametrize("status", RequestStatus)
def test_every_order_is_valid_r4(kind, members, status):
    resource = kind(**members | {"status": status}).resource()
    assert complaints(resource) == []
    assert has_nothing_empty(resource)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "nonsense"},
        {"status": None},
        {"subject": []},
        {"priority": {}},
        {"authoredOn": "2026-06-15T12:00:00"},
        {"requester": {"reference": "Condition/c"}},
        {"reasonReference": [{"reference": "Patient/me"}]},
        {"unheardOf": True},
    ],
)
def test_the_judges_of_these_tests_find_faults(wrong):
    assert complaints(ServiceRequestDraft(**FULL).resource() | wrong)


@pytest.mark.parametrize("intent", RequestIntent)
@pytest.mark.parametrize("priority", RequestPriority)
def test_every_intent_and_priority_is_valid_r4(intent, priority):
    for kind in (ServiceRequestDraft, DeviceRequestDraft):
        assert complaints(kind(**FULL | {"intent": intent, "priority": priority}).resource()) == []


def test_sites_categories_and_parameters_are_valid_r4():
    service = ServiceRequestDraft(**FULL, category=CODE, body_sites=(CODE, CODE)).resource()
    device = DeviceRequestDraft(**FULL, parameters=(Parameter(CODE, CODE),)).resource()
    assert complaints(service) == []
    assert complaints(device) == []
    assert service["bodySite"][0]["text"] == "A study, right"
    assert device["parameter"][0]["valueCodeableConcept"]["coding"][0]["code"] == "study"


def test_an_order_has_no_id():
    assert "id" not in ServiceRequestDraft(**FULL).resource()


def test_the_time_of_writing_has_its_zone_and_whole_seconds():
    assert ServiceRequestDraft(**NEEDED).resource()["authoredOn"] == "2026-06-15T12:00:00+05:30"


@pytest.mark.parametrize("kind", [ServiceRequestDraft, DeviceRequestDraft])
@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("status", "draft"),
        ("status", "nonsense"),
        ("status", RequestIntent.ORDER),
        ("intent", "order"),
        ("priority", "urgent"),
        ("priority", 2),
        ("code", "a study"),
        ("code", None),
        ("subject", "Patient/me"),
        ("subject", None),
        ("subject", RequesterReference("Practitioner/p")),
        ("requester", PatientReference("Patient/me")),
        ("encounter", "Encounter/e"),
        ("reasons", ("Condition/c",)),
        ("reasons", (PatientReference("Patient/me"),)),
        ("reason_codes", ("tripping",)),
    ],
)
def test_an_order_cannot_be_built_of_anything_but_its_types(kind, member, wrong):
    with pytest.raises(TypeError, match=member):
        kind(**FULL | {member: wrong})


def test_an_order_cannot_be_built_with_wrong_details():
    with pytest.raises(TypeError, match="category"):
        ServiceRequestDraft(**FULL, category="imaging")
    with pytest.raises(TypeError, match="body_sites"):
        ServiceRequestDraft(**FULL, body_sites=("leg",))
    with pytest.raises(TypeError, match="parameters"):
        DeviceRequestDraft(**FULL, parameters=(CODE,))
    with pytest.raises(ValueError, match="time zone"):
        ServiceRequestDraft(**FULL | {"authored": dt.datetime(2026, 6, 15)})  # noqa: DTZ001  # that is the point


@pytest.mark.parametrize("kind", [RequestStatus, RequestIntent, RequestPriority])
def test_a_status_intent_or_priority_that_fhir_does_not_know_cannot_be_built(kind):
    with pytest.raises(ValueError, match="nonsense"):
        kind("nonsense")


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        (PatientReference, "Patient/me"),
        (PatientReference, "Patient/" + "x" * 200),
        (EncounterReference, "Encounter/e.1-2_3"),
        (RequesterReference, "Practitioner/p"),
        (RequesterReference, "PractitionerRole/p"),
        (RequesterReference, "Organization/p"),
        (ReasonReference, "Condition/c"),
        (ReasonReference, "Observation/c"),
        (ReasonReference, "DiagnosticReport/c"),
        (ReasonReference, "DocumentReference/c"),
    ],
)
def test_a_reference_points_at_the_types_of_its_element(kind, reference):
    assert kind(reference).element() == {"reference": reference}


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        (PatientReference, "Group/me"),
        (PatientReference, "me"),
        (PatientReference, "Patient/"),
        (PatientReference, "Patient/a b"),
        (PatientReference, "Patient/me/_history/1"),
        (PatientReference, "Patient/.."),
        (PatientReference, "https://ehr.example.org/Patient/me"),
        (PatientReference, "Patient/me\n"),
        (PatientReference, ""),
        (EncounterReference, "Patient/me"),
        (RequesterReference, "Patient/me"),
        (RequesterReference, "RelatedPerson/r"),
        (RequesterReference, "Device/d"),
        (ReasonReference, "DeviceRequest/d"),
        (ReasonReference, "Procedure/p"),
    ],
)
def test_a_reference_to_another_type_or_without_an_id_cannot_be_built(kind, reference):
    assert not kind.accepts(reference)
    with pytest.raises(ValueError, match="must be Type/id"):
        kind(reference)


@pytest.mark.parametrize("members", [{}, {"codings": (Coding("", "x"),)}, {"codings": (Coding("x", ""),), "text": "x"}])
def test_a_concept_that_says_nothing_cannot_be_built(members):
    with pytest.raises(ValueError, match="has"):
        Concept(**members)
