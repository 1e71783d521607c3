"""The unsigned orders of the order hooks."""

import json

import msgspec
import pytest

from cds_service.domain.facts import Kind, Order, Refusal, Stage
from cds_service.fhir.reader import RecordReader
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.request import CDSRequest
from tests.fhir.world import (
    NOW,
    SERVER,
    ZONE,
    bundle,
    call,
    concept,
    condition,
    device_request,
    medication_request,
    only,
    patient,
    queries,
    service_request,
    vocabulary,
)


def sign(drafts, **prefetch):
    return call({"patient": patient(), **prefetch}, hook="order-sign", draftOrders=drafts)


def select(drafts, *selections, **prefetch):
    context = {"draftOrders": drafts, "selections": list(selections)}
    return call({"patient": patient(), **prefetch}, hook="order-select", **context)


@pytest.mark.parametrize("build", [service_request, device_request, medication_request])
@pytest.mark.parametrize("status", ["draft", "active", "on-hold", "unknown", None])
def test_every_draft_is_a_draft_and_judged_when_orders_are_signed(build, status):
    fact = only(sign(bundle(build(status=status))))
    assert isinstance(fact, Order)
    assert (fact.stage, fact.in_call, fact.judged, fact.doubtful) == (Stage.DRAFT, True, True, False)


@pytest.mark.parametrize("status", ["revoked", "cancelled", "stopped", "entered-in-error", "completed"])
def test_a_draft_that_withdraws_an_order_is_none_and_hides_the_records_own(status):
    record = bundle(service_request())
    assert not sign(bundle(service_request(status=status)), serviceRequests=record).facts


def test_a_draft_keeps_its_resource_exactly_as_it_came():
    draft = service_request(unheardOf={"of": [1, 2.5, None, {"x": "y"}]}, coding=[{}])
    assert only(sign(bundle(draft))).resource == draft


@pytest.mark.parametrize("drafts", [{}, None, bundle(), {"resourceType": "Bundle"}, {"entry": []}, bundle(None)])
def test_there_may_be_no_drafts(drafts):
    facts = sign(drafts)
    assert not facts.facts
    assert facts.reading.ignored_selections == 0


def test_a_bundle_of_drafts_may_lack_its_types():
    assert len(sign({"entry": [{"resource": service_request()}]}).facts) == 1
    assert len(sign(bundle(service_request(), type=None)).facts) == 1
    assert len(sign(service_request()).facts) == 1


# ---- selections


@pytest.mark.parametrize(
    "selection",
    ["ServiceRequest/s", f"{SERVER}/ServiceRequest/s", "ServiceRequest/s/_history/1"],
)
def test_only_the_selected_drafts_are_judged_when_orders_are_selected(selection):
    facts = select(bundle(service_request(), device_request()), selection)
    assert [(fact.reference, fact.judged) for fact in facts.facts] == [
        ("ServiceRequest/s", True),
        ("DeviceRequest/d", False),
    ]
    assert all(fact.in_call for fact in facts.facts)
    assert facts.reading.ignored_selections == 0


def test_a_selection_may_be_the_address_of_the_entry():
    drafts = {"entry": [{"fullUrl": "urn:uuid:1", "resource": service_request(id=None)}]}
    assert only(select(drafts, "urn:uuid:1")).judged


def test_selections_that_point_nowhere_are_counted():
    facts = select(bundle(service_request()), "ServiceRequest/other", "nonsense", "DeviceRequest/s", "ServiceRequest/s")
    assert facts.reading.ignored_selections == 3


def test_a_selection_of_a_draft_that_we_do_not_read_points_somewhere():
    diet = {"resourceType": "NutritionOrder", "id": "n"}
    facts = select(bundle(diet), "NutritionOrder/n")
    assert not facts.facts
    assert facts.reading.ignored_selections == 0
    assert facts.reading.invalid == {}


def test_nothing_is_judged_when_nothing_is_selected():
    assert not only(select(bundle(service_request()))).judged


# ---- drafts and the record


def test_an_order_of_the_record_with_the_id_of_a_draft_is_that_draft():
    facts = sign(bundle(service_request()), serviceRequests=bundle(service_request(), service_request(id="other")))
    assert [(fact.reference, fact.in_call) for fact in facts.facts] == [
        ("ServiceRequest/s", True),
        ("ServiceRequest/other", False),
    ]


def test_the_same_id_of_another_type_is_another_order():
    assert len(sign(bundle(service_request(id="x")), deviceRequests=bundle(device_request(id="x"))).facts) == 2


@pytest.mark.parametrize(
    ("draft", "record", "count"),
    [
        ([{"system": "a", "value": "1"}], [{"system": "a", "value": "1"}], 1),
        ([{"system": "a", "value": "1"}], {"system": "a", "value": "1"}, 1),
        ([{"system": "a", "value": 1}], [{"system": "b"}, {"system": "a", "value": "1"}], 1),
        ([{"system": "a", "value": "1"}], [{"system": "b", "value": "1"}], 2),
        ([{"value": "1"}], [{"value": "1"}], 2),
        ([{"system": "a"}], [{"system": "a"}], 2),
        (None, None, 2),
    ],
)
def test_an_order_of_the_record_that_shares_an_identifier_with_a_draft_is_that_draft(draft, record, count):
    drafts = bundle(service_request(id=None, identifier=draft))
    facts = sign(drafts, serviceRequests=bundle(service_request(id="r", identifier=record)))
    assert len(facts.facts) == count


def test_a_draft_may_refer_to_what_stands_beside_it_or_in_the_prefetch():
    device = {"resourceType": "Device", "id": "x", "type": concept("brace")}
    draft = device_request(
        codeCodeableConcept=None,
        codeReference={"reference": "Device/x"},
        reasonReference=[{"reference": "Condition/c"}],
    )
    fact = only(sign(bundle(draft, device), conditions=bundle(condition())), Kind.ORDER)
    assert (fact.concepts, fact.reasons) == ({"brace"}, {"limp"})


def test_what_stands_beside_the_drafts_does_not_hide_the_record():
    facts = sign(bundle(service_request(), condition()), conditions=bundle(condition()))
    assert [fact.reference for fact in facts.facts] == ["ServiceRequest/s", "Condition/c"]


def test_what_stands_beside_the_drafts_is_no_fact_by_itself():
    assert not sign(bundle(condition())).facts


def test_a_drafted_prohibition_is_a_refusal():
    assert isinstance(only(sign(bundle(service_request(doNotPerform=True)))), Refusal)


def test_a_draft_with_an_unknown_modifier_is_doubtful():
    assert only(sign(bundle(service_request(modifierExtension=[{"url": "http://x"}])))).doubtful


# ---- broken drafts


@pytest.mark.parametrize(
    "broken",
    [
        service_request(code=7),
        service_request(status=[]),
        service_request(subject="me"),
    ],
)
def test_a_malformed_draft_is_counted_and_costs_only_itself(broken):
    facts = sign(bundle(broken, device_request()))
    assert [fact.reference for fact in facts.facts] == ["DeviceRequest/d"]
    assert facts.reading.invalid == {"ServiceRequest": 1}


def test_entries_that_are_no_resources_are_counted():
    drafts = {
        "resourceType": "Bundle",
        "entry": [5, {"resource": 7}, {"resource": {}}, {}, {"resource": service_request()}],
    }
    facts = sign(drafts)
    assert len(facts.facts) == 1
    assert facts.reading.invalid == {"Bundle": 3}


def test_a_draft_that_could_not_be_given_back_as_it_came_is_counted():
    context = {"userId": "Practitioner/p", "patientId": "me", "draftOrders": bundle(service_request(x="HUGE"))}
    raw = msgspec.Raw(json.dumps(context).replace('"HUGE"', "9" * 5000).encode())
    request = CDSRequest(hook="order-sign", hook_instance="i", context=raw)
    facts = RecordReader(vocabulary(), queries(vocabulary()), ZONE, 10).read(
        request, parse_context("order-sign", raw), NOW
    )
    assert not facts.facts
    assert facts.reading.invalid == {"ServiceRequest": 1}


def test_a_draft_keeps_its_decimals_as_they_were_written():
    context = {"userId": "Practitioner/p", "patientId": "me", "draftOrders": bundle(service_request(x="DECIMAL"))}
    raw = msgspec.Raw(json.dumps(context).replace('"DECIMAL"', "[1.10, 1e999]").encode())
    request = CDSRequest(hook="order-sign", hook_instance="i", context=raw)
    draft = only(
        RecordReader(vocabulary(), queries(vocabulary()), ZONE, 10).read(request, parse_context("order-sign", raw), NOW)
    )
    assert [str(number) for number in draft.resource["x"]] == ["1.10", "1E+999"]
