"""Orders and refusals of the record."""

import pytest

from cds_service.domain.facts import Kind, Order, Priority, Refusal, Stage
from cds_service.domain.sides import Side
from cds_service.domain.truth import UNKNOWN
from tests.fhir.world import (
    bundle,
    call,
    chart,
    concept,
    condition,
    device_request,
    medication_request,
    observation,
    only,
    patient,
    service_request,
)

ANY_ORDER = [service_request, device_request, medication_request]
NOT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform"


@pytest.mark.parametrize("build", ANY_ORDER)
@pytest.mark.parametrize("status", ["active", "on-hold"])
def test_an_active_or_held_order_is_open(build, status):
    fact = only(chart(build(status=status)))
    assert isinstance(fact, Order)
    assert fact.stage is Stage.OPEN
    assert (fact.doubtful, fact.in_call, fact.judged) == (False, False, False)


@pytest.mark.parametrize("build", ANY_ORDER)
def test_a_draft_of_the_record_is_a_draft_that_the_call_is_not_about(build):
    fact = only(chart(build(status="draft")))
    assert fact.stage is Stage.DRAFT
    assert (fact.in_call, fact.judged) == (False, False)


@pytest.mark.parametrize("build", ANY_ORDER)
@pytest.mark.parametrize("status", ["revoked", "cancelled", "stopped", "entered-in-error"])
def test_an_order_that_was_withdrawn_is_none(build, status):
    assert not chart(build(status=status)).facts


@pytest.mark.parametrize("build", ANY_ORDER)
@pytest.mark.parametrize("status", ["unknown", None, "something"])
def test_an_order_is_open_to_doubt_when_its_status_is_not_known(build, status):
    fact = only(chart(build(status=status)))
    assert fact.stage is Stage.OPEN
    assert fact.doubtful


@pytest.mark.parametrize(
    ("more", "planned"),
    [
        ({"occurrenceDateTime": "2026-07-01"}, "2026-07-01"),
        ({"occurrencePeriod": {"start": "2026-07-02", "end": "2026-08-01"}}, "2026-07-02"),
        ({"occurrenceTiming": {"event": ["2026-07-03", "2026-07-09"]}}, "2026-07-03"),
        ({"occurrenceTiming": {"event": [None, "2026-07-09"]}}, "2026-07-09"),
        ({"occurrenceTiming": {"event": "2026-07-03"}}, "2026-07-03"),
        ({"occurrenceTiming": {"repeat": {}}}, None),
        ({}, None),
    ],
)
def test_the_planned_day_is_the_start_of_the_occurrence(more, planned):
    fact = only(chart(service_request(authoredOn="2026-06-01", **more)))
    assert (fact.planned and fact.planned.text) == planned
    assert fact.when.text == "2026-06-01"


@pytest.mark.parametrize(
    ("sent", "priority"),
    [("stat", Priority.STAT), ("urgent", Priority.URGENT), (None, Priority.ROUTINE), ("?", Priority.ROUTINE)],
)
def test_the_priority_is_read_and_routine_without_one(sent, priority):
    assert only(chart(service_request(priority=sent))).priority is priority


def test_a_body_site_counts_for_an_order():
    order = service_request(bodySite=[concept("arm"), concept("left")])
    fact = only(chart(order))
    assert (fact.concepts, fact.side) == ({"any study"}, Side.LEFT)


# ---- reasons


@pytest.mark.parametrize(
    ("more", "states_reason", "reasons"),
    [
        ({}, False, set()),
        ({"reasonCode": []}, False, set()),
        ({"reasonCode": [{"coding": [{}]}]}, False, set()),
        ({"reasonReference": [{}]}, False, set()),
        ({"reasonCode": [{"text": "tripping"}]}, True, set()),
        ({"reasonCode": [concept("limp")]}, True, {"limp"}),
        ({"reasonCode": concept("limp")}, True, {"limp"}),
        ({"reasonCode": [concept("unheard of")]}, True, set()),
        ({"reasonReference": [{"reference": "Condition/elsewhere"}]}, True, set()),
        ({"reasonReference": {"display": "the limp"}}, True, set()),
        ({"reasonReference": [{"reference": "Condition/c"}]}, True, {"limp"}),
        ({"reasonReference": [{"reference": "https://ehr.example.org/fhir/Condition/c/_history/3"}]}, True, {"limp"}),
        ({"reasonReference": [{"reference": "https://elsewhere.example.org/fhir/Condition/c"}]}, True, set()),
        (
            {"reasonReference": [{"reference": "Observation/o"}], "reasonCode": [concept("sign")]},
            True,
            {"strength", "sign"},
        ),
        ({"reasonReference": [{"reference": "Patient/me"}]}, True, set()),
        ({"reasonReference": [{"reference": "#in"}]}, True, {"pulse"}),
        ({"reasonReference": [{"reference": "#out"}]}, True, set()),
    ],
)
def test_the_reasons_are_what_codes_and_references_mean(more, states_reason, reasons):
    inside = {"resourceType": "Observation", "id": "in", "code": concept("pulse")}
    practitioner = {"resourceType": "Practitioner", "id": "out", "name": [{"text": "x"}]}
    order = service_request(contained=[practitioner, inside], **more)
    facts = chart(order, condition(), observation(valueInteger=3))
    fact = only(facts, Kind.ORDER)
    assert (fact.states_reason, fact.reasons) == (states_reason, reasons)


def test_a_reason_may_be_named_by_its_address_in_the_bundle():
    urn = "urn:uuid:5"
    found = bundle(service_request(reasonReference=[{"reference": urn}]))
    found["entry"].append({"fullUrl": urn, "resource": condition(id=None)})
    facts = call({"patient": patient(), "serviceRequests": found})
    assert only(facts, Kind.ORDER).reasons == {"limp"}


@pytest.mark.parametrize(
    ("build", "more", "replaces"),
    [
        (device_request, {"priorRequest": [{"display": "the old one"}]}, True),
        (device_request, {"priorRequest": [{}]}, False),
        (device_request, {"priorRequest": []}, False),
        (service_request, {"replaces": [{"reference": "ServiceRequest/x"}]}, True),
        (medication_request, {"priorPrescription": {"reference": "MedicationRequest/x"}}, True),
        (medication_request, {"priorRequest": {"reference": "MedicationRequest/x"}}, True),
        (service_request, {}, False),
    ],
)
def test_an_order_may_replace_another(build, more, replaces):
    assert only(chart(build(**more))).replaces is replaces


# ---- the product


def test_the_device_of_an_order_may_be_contained_or_stand_elsewhere():
    inside = [{"resourceType": "Device", "id": "x", "type": concept("brace")}]
    order = device_request(codeCodeableConcept=None, codeReference={"reference": "#x"}, contained=inside)
    assert only(chart(order)).concepts == {"brace"}
    order = device_request(codeCodeableConcept=None, codeReference={"reference": "Device/x"})
    facts = call({"patient": patient(), "deviceRequests": bundle(order), "devices": bundle(*inside)})
    assert only(facts).concepts == {"brace"}


def test_a_product_with_an_unknown_modifier_makes_its_order_doubtful():
    inside = [{"resourceType": "Device", "id": "x", "type": concept("brace"), "implicitRules": "http://x"}]
    order = device_request(codeCodeableConcept=None, codeReference={"reference": "#x"}, contained=inside)
    assert only(chart(order)).doubtful


# ---- refusals and other modifiers


@pytest.mark.parametrize("build", ANY_ORDER)
def test_an_order_not_to_do_it_is_a_refusal(build):
    fact = only(chart(build(doNotPerform=True, authoredOn="2026-06-01")))
    assert isinstance(fact, Refusal)
    assert (fact.when.text, fact.doubtful) == ("2026-06-01", False)


def test_the_modifier_of_r5_makes_a_refusal_of_a_device_order():
    fact = only(chart(device_request(modifierExtension=[{"url": NOT, "valueBoolean": True}])))
    assert isinstance(fact, Refusal)
    assert not fact.doubtful


@pytest.mark.parametrize(
    "more", [{"doNotPerform": False}, {"modifierExtension": [{"url": NOT, "valueBoolean": False}]}]
)
def test_a_prohibition_that_is_denied_says_nothing(more):
    fact = only(chart(device_request(**more)))
    assert isinstance(fact, Order)
    assert not fact.doubtful


@pytest.mark.parametrize("status", ["revoked", "entered-in-error"])
def test_a_refusal_that_was_withdrawn_is_none(status):
    assert not chart(service_request(doNotPerform=True, status=status)).facts


def test_a_refusal_is_doubtful_when_its_status_is_not_known():
    assert only(chart(service_request(doNotPerform=True, status="unknown"))).doubtful


@pytest.mark.parametrize(
    "more",
    [
        {"modifierExtension": [{"url": "http://example.org/unheard-of", "valueBoolean": False}]},
        {"modifierExtension": {"url": "http://example.org/unheard-of"}},
        {"modifierExtension": [{"url": NOT, "valueCode": "perhaps"}]},
        {"modifierExtension": [{}]},
        {"implicitRules": "http://example.org/rules"},
        {"parameter": [{"modifierExtension": [{"url": "http://example.org/unheard-of"}]}]},
    ],
)
def test_what_we_do_not_know_may_change_the_meaning_and_makes_it_doubtful(more):
    facts = chart(device_request(**more))
    assert only(facts).doubtful
    assert facts.reading.doubtful == 1


@pytest.mark.parametrize("build", [condition, observation, service_request, medication_request, device_request])
def test_an_unknown_modifier_makes_any_kind_of_fact_doubtful(build):
    assert only(chart(build(modifierExtension=[{"url": "http://example.org/unheard-of"}]))).doubtful


def test_the_prohibition_is_not_known_on_anything_but_an_order():
    assert only(chart(condition(modifierExtension=[{"url": NOT, "valueBoolean": True}]))).doubtful


def test_nothing_is_known_of_a_patient_with_an_unknown_modifier():
    subject = call({"patient": patient(implicitRules="http://example.org/rules")}).subject
    assert (subject.birth, subject.deceased) == (None, UNKNOWN)
