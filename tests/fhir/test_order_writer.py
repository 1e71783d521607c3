"""From an orderable to a resource an EHR can file, and back into facts."""

import copy
import datetime as dt

import pytest

from cds_service.decision.orders import OrderContext
from cds_service.domain.codes import Coding
from cds_service.domain.facts import Priority
from cds_service.domain.recommendations import Orderable
from cds_service.domain.sides import Side
from cds_service.fhir.order_writer import OrderWriter
from tests.fhir.validation import complaints
from tests.fhir.world import (
    NOW,
    PLAIN,
    bundle,
    call,
    concept,
    device_request,
    medication_request,
    only,
    patient,
    service_request,
    vocabulary,
)

BRACE = Orderable(
    name="brace",
    resource="DeviceRequest",
    text="Leg brace",
    codings=(Coding(PLAIN, "brace", "Brace"),),
    category=Coding(PLAIN, "things", "Things"),
)
STUDY = Orderable(
    name="study",
    resource="ServiceRequest",
    text="Nerve study",
    codings=(Coding(PLAIN, "study"),),
    category=Coding(PLAIN, "tests", "Tests"),
    body_site=Coding(PLAIN, "leg", "Leg"),
)
REFERRAL = Orderable(name="referral", resource="ServiceRequest", text="Referral", codings=STUDY.codings, sided=False)


def order(**more):
    members = {
        "patient_id": "me",
        "encounter_id": "e",
        "requester": "Practitioner/p",
        "side": Side.RIGHT,
        "authored": NOW.at,
        "reasons": ("Condition/c",),
        "description": "Order a brace for the right leg.",
    }
    return OrderContext(**members | more)


def writer(orthoses_as="DeviceRequest"):
    return OrderWriter(vocabulary(), orthoses_as=orthoses_as)


def read_back(resource):
    return only(call({"patient": patient()}, hook="order-sign", draftOrders=bundle(resource)))


# ---- create


@pytest.mark.parametrize("orderable", [BRACE, STUDY, REFERRAL])
@pytest.mark.parametrize("orthoses_as", ["DeviceRequest", "ServiceRequest"])
@pytest.mark.parametrize("side", [Side.UNSPECIFIED, Side.RIGHT, Side.LEFT, Side.BOTH])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"encounter_id": None, "reasons": (), "description": ""},
        {"planned": dt.date(2026, 7, 1), "priority": Priority.STAT, "intent": "order"},
        {"reasons": (), "reason_codings": (Coding(PLAIN, "limp", "Limp"), Coding(PLAIN, "fall"))},
    ],
)
def test_every_new_order_is_valid_r4(orderable, orthoses_as, side, more):
    assert complaints(writer(orthoses_as).create(orderable, order(side=side, **more))) == []


@pytest.mark.parametrize("orthoses_as", ["DeviceRequest", "ServiceRequest"])
@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT, Side.BOTH])
def test_the_side_we_write_is_the_side_we_read(orthoses_as, side):
    resource = writer(orthoses_as).create(BRACE, order(side=side))
    assert resource["resourceType"] == orthoses_as
    assert read_back(resource).side is side
    code = resource.get("codeCodeableConcept") or resource["code"]
    assert code["text"] == f"Leg brace, {side.words}"


def test_a_device_order_is_complete():
    assert writer().create(BRACE, order(planned=dt.date(2026, 7, 1))) == {
        "resourceType": "DeviceRequest",
        "status": "draft",
        "intent": "proposal",
        "priority": "routine",
        "codeCodeableConcept": {
            "coding": [{"system": PLAIN, "code": "brace", "display": "Brace"}],
            "text": "Leg brace, right",
        },
        "parameter": [
            {
                "code": {"coding": [{"system": PLAIN, "code": "laterality", "display": "Laterality"}]},
                "valueCodeableConcept": {"coding": [{"system": PLAIN, "code": "right", "display": "Right"}]},
            }
        ],
        "subject": {"reference": "Patient/me"},
        "encounter": {"reference": "Encounter/e"},
        "occurrenceDateTime": "2026-07-01",
        "authoredOn": "2026-06-15T12:00:00+00:00",
        "requester": {"reference": "Practitioner/p"},
        "reasonReference": [{"reference": "Condition/c"}],
        "note": [{"text": "Order a brace for the right leg."}],
    }


def test_a_service_order_has_a_category_and_its_sites():
    resource = writer().create(STUDY, order())
    assert resource["category"] == [{"coding": [{"system": PLAIN, "code": "tests", "display": "Tests"}]}]
    assert [site["coding"][0]["code"] for site in resource["bodySite"]] == ["leg", "right"]


def test_an_order_without_sides_has_none():
    resource = writer().create(REFERRAL, order(side=Side.RIGHT))
    assert "bodySite" not in resource
    assert resource["code"]["text"] == "Referral"


def test_reason_codes_stand_in_only_where_nothing_can_be_referred_to():
    codings = (Coding(PLAIN, "limp", "Limp"),)
    both = writer().create(STUDY, order(reason_codings=codings))
    assert "reasonCode" not in both
    coded = writer().create(STUDY, order(reasons=("", "DeviceRequest/x"), reason_codings=codings))
    assert "reasonReference" not in coded
    assert coded["reasonCode"] == [{"coding": [{"system": PLAIN, "code": "limp", "display": "Limp"}], "text": "Limp"}]
    assert "reasonCode" not in writer().create(STUDY, order(reasons=(), reason_codings=(Coding("", ""),)))


@pytest.mark.parametrize("requester", ["Patient/me", "RelatedPerson/r", "nobody"])
def test_nobody_but_a_clinician_orders(requester):
    with pytest.raises(ValueError, match="Practitioner"):
        writer().create(BRACE, order(requester=requester))


def test_only_services_and_devices_are_ordered():
    drug = Orderable(name="drug", resource="MedicationRequest", text="Drug", codings=BRACE.codings)
    with pytest.raises(ValueError, match="services and devices only"):
        writer().create(drug, order())


# ---- update


def test_an_update_without_changes_is_the_draft_as_it_came():
    draft = device_request(unheardOf=[1, {"a": None}], reasonCode=[{"text": "x"}])
    before = copy.deepcopy(draft)
    updated = writer().update(draft)
    assert updated == draft
    updated["reasonCode"][0]["text"] = "changed"
    assert draft == before


@pytest.mark.parametrize(
    "occurrence",
    [
        {},
        {"occurrenceDateTime": "2026-06-16", "_occurrenceDateTime": {"id": "x"}},
        {"occurrencePeriod": {"start": "2026-06-16"}},
        {"occurrenceTiming": {"event": ["2026-06-16"]}},
    ],
)
@pytest.mark.parametrize("build", [service_request, device_request])
def test_a_planned_day_takes_the_place_of_any_other(build, occurrence):
    updated = writer().update(build(status="draft", **occurrence), planned=dt.date(2026, 7, 1))
    assert updated == build(status="draft", occurrenceDateTime="2026-07-01")
    assert complaints(updated) == []


def test_a_medicine_has_no_planned_day():
    draft = medication_request(status="draft")
    assert writer().update(draft, planned=dt.date(2026, 7, 1)) == draft


def test_a_draft_is_put_on_hold():
    updated = writer().update(service_request(status="draft", _status={"id": "x"}), on_hold=True)
    assert updated == service_request(status="on-hold")
    assert complaints(updated) == []


@pytest.mark.parametrize("build", [service_request, device_request, medication_request])
def test_a_draft_is_given_another_urgency(build):
    updated = writer().update(build(status="draft", priority="routine"), priority=Priority.STAT)
    assert updated == build(status="draft", priority="stat")
    assert complaints(updated) == []


@pytest.mark.parametrize("before", [None, [], [{"text": "x"}], {"text": "x"}])
def test_a_reason_is_added_to_those_that_stand_there(before):
    updated = writer().update(service_request(reasonCode=before), add_reason=Coding(PLAIN, "limp", "Limp"))
    kept = [{"text": "x"}] if before else []
    assert updated["reasonCode"][:-1] == kept
    assert updated["reasonCode"][-1]["coding"] == [{"system": PLAIN, "code": "limp", "display": "Limp"}]
    assert complaints(updated) == []


def test_a_new_code_takes_the_place_of_the_product():
    draft = device_request(codeCodeableConcept=None, codeReference={"reference": "Device/x"}, status="draft")
    updated = writer().update(draft, new_code=BRACE)
    assert "codeReference" not in updated
    assert updated["codeCodeableConcept"]["text"] == "Leg brace"
    assert complaints(updated) == []


@pytest.mark.parametrize(
    "draft",
    [
        device_request("stim", parameter=[{"code": concept("laterality"), "valueCodeableConcept": concept("left")}]),
        service_request("stim", bodySite=[concept("left")]),
        service_request({"coding": concept("stim")["coding"] + concept("left")["coding"]}),
    ],
)
def test_a_new_code_keeps_the_side_in_its_words(draft):
    updated = writer().update(draft, new_code=BRACE)
    code = updated.get("codeCodeableConcept") or updated["code"]
    assert code["text"] == "Leg brace, left"
    assert complaints(updated) == []


def test_a_new_code_for_a_draft_that_does_not_fit_names_no_side():
    updated = writer().update(service_request(bodySite=7), new_code=STUDY)
    assert updated["code"]["text"] == "Nerve study"
    assert updated["bodySite"] == 7


def test_a_new_code_for_a_medicine_takes_the_place_of_its_reference():
    draft = medication_request(medicationCodeableConcept=None, medicationReference={"reference": "Medication/x"})
    updated = writer().update(draft, new_code=STUDY)
    assert "medicationReference" not in updated
    assert updated["medicationCodeableConcept"]["coding"] == [{"system": PLAIN, "code": "study"}]
