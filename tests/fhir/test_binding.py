"""Whose data it is: nothing of another patient is ever used, and a request that holds any is refused."""

import pytest

from cds_service.errors import ForeignPatientError
from tests.fhir.world import (
    SERVER,
    bundle,
    call,
    chart,
    condition,
    device,
    device_use,
    medication_request,
    observation,
    patient,
    service_request,
)

URN = "urn:uuid:0b7b4b0e-0000-4000-8000-000000000001"


def reading(subject, **more):
    return call({"patient": patient(), "conditions": bundle(condition(subject=subject))}, **more)


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/me",
        "Patient/me/_history/7",
        "/Patient/me",
        f"{SERVER}/Patient/me",
        f"{SERVER}/Patient/me/_history/7",
        "https://EHR.example.org/fhir/Patient/me",
    ],
)
def test_a_reference_to_the_patient_binds_however_it_is_written(reference):
    assert len(reading({"reference": reference}).facts) == 1


def test_a_slash_behind_the_server_says_nothing():
    assert len(reading({"reference": f"{SERVER}/Patient/me"}, server=SERVER + "/").facts) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/you",
        "Patient/ME",
        "Patient/me2",
        "Patient/you/_history/1",
        f"{SERVER}/Patient/you",
        "https://other.example.org/fhir/Patient/me",
        "http://ehr.example.org/fhir/Patient/me",
        f"{SERVER}/tenant/Patient/me",
        "Patient/a b",
        "Patient/me/Patient/you",
        URN,
    ],
)
def test_a_reference_to_anybody_else_refuses_the_call(reference):
    with pytest.raises(ForeignPatientError) as refusal:
        reading({"reference": reference})
    assert refusal.value.member == "prefetch.conditions"
    assert refusal.value.resource_type == "Condition"


def test_an_absolute_reference_is_another_patient_when_no_server_is_named():
    with pytest.raises(ForeignPatientError):
        reading({"reference": f"{SERVER}/Patient/me"}, server=None)


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        {"display": "Me"},
        {"identifier": {"system": "mrn", "value": "1"}},
        {"reference": ""},
        {"reference": "me"},
        {"reference": "Group/1"},
        {"reference": "RelatedPerson/me"},
        {"reference": "https://other.example.org/fhir/Group/1"},
        {"reference": "Patient?identifier=1"},
        {"reference": "#p"},
    ],
)
def test_a_resource_that_names_no_patient_is_not_used_and_counted(subject):
    facts = reading(subject)
    assert not facts.facts
    assert facts.reading.invalid == {"Condition": 1}


def test_a_patient_with_another_id_refuses_the_call():
    with pytest.raises(ForeignPatientError) as refusal:
        call({"patient": patient(id="you")})
    assert (refusal.value.member, refusal.value.resource_type) == ("prefetch.patient", "Patient")


def test_a_patient_without_an_id_could_be_anybody():
    facts = call({"patient": patient(id=None)})
    assert facts.subject is None
    assert facts.reading.invalid == {"Patient": 1}


def test_an_id_that_the_patient_replaces_is_the_patient_too():
    merged = patient(link=[{"type": "replaces", "other": {"reference": "Patient/old"}}])
    old = condition(subject={"reference": "Patient/old"})
    facts = call({"conditions": bundle(old), "patient": merged})
    assert len(facts.facts) == 1


def test_the_record_that_was_replaced_says_nothing_against_the_one_that_replaces_it():
    merged = patient(link=[{"type": "replaces", "other": {"reference": f"{SERVER}/Patient/old"}}])
    facts = call({"patient": bundle(patient(id="old", birthDate="1900-01-01"), merged)})
    assert facts.subject.birth.text == "1960-02-03"


@pytest.mark.parametrize("kind", ["replaced-by", "refer", "seealso", None])
def test_no_other_link_makes_another_id_the_patient(kind):
    linked = patient(link=[{"type": kind, "other": {"reference": "Patient/old"}}])
    with pytest.raises(ForeignPatientError):
        call({"patient": linked, "conditions": bundle(condition(subject={"reference": "Patient/old"}))})


def test_somebody_elses_record_cannot_claim_to_replace_ids():
    stranger = patient(id="you", link=[{"type": "replaces", "other": {"reference": "Patient/me"}}])
    with pytest.raises(ForeignPatientError):
        call({"patient": patient(), "conditions": bundle(stranger)})


# ---- urn: addresses


def with_urns(*entries):
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": u, "resource": r} for u, r in entries],
    }


def test_a_urn_binds_to_the_patient_of_the_same_bundle():
    found = with_urns((URN, patient()), ("urn:uuid:2", condition(subject={"reference": URN})))
    assert len(call({"conditions": found}).facts) == 1


def test_a_urn_does_not_bind_across_bundles():
    patients = with_urns((URN, patient()))
    with pytest.raises(ForeignPatientError):
        call({"patient": patients, "conditions": bundle(condition(subject={"reference": URN}))})


def test_a_urn_of_something_else_in_the_bundle_names_no_patient():
    group = {"resourceType": "Group", "id": "g"}
    found = with_urns((URN, group), ("urn:uuid:2", condition(subject={"reference": URN})))
    facts = call({"patient": patient(), "conditions": found})
    assert not facts.facts
    assert facts.reading.invalid == {"Condition": 1}


# ---- wherever it stands


@pytest.mark.parametrize(
    "stranger",
    [
        {"resourceType": "AllergyIntolerance", "id": "x", "patient": {"reference": "Patient/you"}},
        {"resourceType": "Encounter", "id": "x", "subject": {"reference": "Patient/you"}},
        {"resourceType": "Encounter", "id": "x", "subject": "Patient/you"},
        {"resourceType": "Encounter", "id": "x", "subject": [{"reference": "Patient/you"}]},
        condition(code=5, subject={"reference": "Patient/you"}),
        observation(subject=[{"reference": "Patient/me"}, {"reference": "Patient/you"}]),
        device(patient={"reference": "Patient/you"}),
        {"resourceType": "Patient", "id": "you", "birthDate": 5},
    ],
)
def test_another_patients_resource_refuses_the_call_even_if_it_would_not_be_used(stranger):
    with pytest.raises(ForeignPatientError):
        call({"patient": patient(), "conditions": bundle(stranger)})


def test_another_patients_resource_refuses_the_call_under_a_key_that_nobody_asked_for():
    with pytest.raises(ForeignPatientError) as refusal:
        call({"patient": patient(), "secret-key": condition(subject={"reference": "Patient/you"})})
    assert refusal.value.member == "prefetch"


def test_the_refusal_does_not_repeat_a_type_that_is_no_name():
    with pytest.raises(ForeignPatientError) as refusal:
        call({"conditions": {"resourceType": "John Doe, 5", "subject": {"reference": "Patient/you"}}})
    assert refusal.value.resource_type == "resource"


def test_another_patients_resource_refuses_the_call_when_it_is_contained():
    inner = {"resourceType": "Observation", "id": "x", "subject": {"reference": "Patient/you"}}
    with pytest.raises(ForeignPatientError):
        chart(service_request(contained=[inner]))


def test_a_contained_patient_has_an_id_of_its_own_making():
    facts = chart(condition(contained=[{"resourceType": "Patient", "id": "p1"}]))
    assert len(facts.facts) == 1


def test_a_draft_of_another_patient_refuses_the_call():
    drafts = bundle(service_request(subject={"reference": "Patient/you"}))
    with pytest.raises(ForeignPatientError) as refusal:
        call({"patient": patient()}, hook="order-sign", draftOrders=drafts)
    assert refusal.value.member == "context.draftOrders"


def test_a_new_problem_of_another_patient_refuses_the_call():
    conditions = bundle(condition(subject={"reference": "Patient/you"}))
    with pytest.raises(ForeignPatientError) as refusal:
        call({"patient": patient()}, hook="problem-list-item-create", conditions=conditions)
    assert refusal.value.member == "context.conditions"


def test_what_stands_in_the_context_without_a_subject_is_the_patients():
    drafts = bundle(service_request(subject=None))
    assert len(call({}, hook="order-sign", draftOrders=drafts).facts) == 1
    conditions = bundle(condition(subject=None))
    assert len(call({}, hook="problem-list-item-create", conditions=conditions).facts) == 1


# ---- what names nobody


def test_a_device_without_a_patient_is_used_through_the_statement_that_refers_to_it():
    use = device_use(contained=None, device={"reference": "Device/dev"})
    facts = chart(use, device("brace"))
    assert [fact.reference for fact in facts.facts] == ["DeviceUseStatement/u"]
    assert facts.reading.invalid == {}


def test_a_medication_without_a_patient_is_used_through_the_order_that_refers_to_it():
    coded = {"coding": [{"system": "http://example.org/plain", "code": "drug"}]}
    order = medication_request(medicationCodeableConcept=None, medicationReference={"reference": "Medication/x"})
    found = bundle(order, {"resourceType": "Medication", "id": "x", "code": coded})
    facts = call({"patient": patient(), "medicationRequests": found})
    assert [fact.reference for fact in facts.facts] == ["MedicationRequest/m"]
    assert facts.reading.invalid == {}


def test_a_problem_without_a_patient_is_used_as_the_reason_that_refers_to_it_and_as_nothing_else():
    order = service_request(reasonReference=[{"reference": "Condition/c"}])
    facts = chart(order, condition(subject=None))
    assert [fact.reference for fact in facts.facts] == ["ServiceRequest/s"]
    assert facts.facts[0].reasons == {"limp"}
    assert facts.reading.invalid == {}


def test_ids_longer_than_fhir_allows_are_ids():
    long = "e" * 200
    facts = call(
        {
            "patient": patient(id=long),
            "conditions": bundle(condition(id=long, subject={"reference": f"Patient/{long}"})),
        },
        patientId=long,
    )
    assert facts.facts[0].reference == f"Condition/{long}"
