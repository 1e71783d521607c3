"""Devices in use."""

import pytest

from cds_service.domain.sides import Side
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN
from tests.fhir.world import ME, bundle, call, chart, concept, device, device_use, only, patient


@pytest.mark.parametrize(
    ("more", "in_use"),
    [
        ({"status": "active"}, MET),
        ({"status": "completed"}, NOT_MET),
        ({"status": "stopped"}, NOT_MET),
        ({"status": "on-hold"}, NOT_MET),
        ({"status": "intended"}, NOT_MET),
        ({"status": "unknown"}, UNKNOWN),
        ({"status": None}, UNKNOWN),
        ({"timingPeriod": {"end": "2026-06-14"}}, NOT_MET),
        ({"timingPeriod": {"end": "2026-06-15"}}, MET),
        ({"timingPeriod": {"end": "2026-06-15T11:00:00Z"}}, NOT_MET),
        ({"timingPeriod": {"end": "2026-06"}}, UNKNOWN),
        ({"timingPeriod": {"end": "2027"}}, MET),
        ({"timingPeriod": {"end": "2026-06-14"}, "status": None}, NOT_MET),
        ({"timingPeriod": {"start": "2026-01-01"}}, MET),
    ],
)
def test_a_device_is_in_use_by_its_statements_status_until_its_end(more, in_use):
    assert only(chart(device_use(**more))).in_use is in_use


def test_a_statement_entered_in_error_is_none():
    assert not chart(device_use(status="entered-in-error")).facts


@pytest.mark.parametrize(
    ("more", "since", "until"),
    [
        ({"timingPeriod": {"start": "2026-01-01", "end": "2027-01-01"}}, "2026-01-01", "2027-01-01"),
        ({"timingDateTime": "2026-01-02"}, "2026-01-02", None),
        ({"recordedOn": "2026-01-03"}, "2026-01-03", None),
        ({}, None, None),
    ],
)
def test_it_is_used_since_the_start_of_its_time(more, since, until):
    fact = only(chart(device_use(**more)))
    assert (fact.when and fact.when.text, fact.until and fact.until.text) == (since, until)


@pytest.mark.parametrize("site", [concept("left"), [concept("left")], {"text": "left leg"}])
def test_the_side_of_a_device_is_that_of_its_statements_site(site):
    assert only(chart(device_use(bodySite=site))).side is Side.LEFT


# ---- which device


@pytest.mark.parametrize(
    "said",
    [
        {"reference": "Device/dev"},
        {"reference": {"reference": "Device/dev"}},
        {"reference": "https://ehr.example.org/fhir/Device/dev"},
    ],
)
def test_a_statement_and_the_device_it_refers_to_are_one_fact(said):
    use = device_use(contained=None, device=said, status="stopped")
    facts = chart(use, device("brace", patient=ME, status="active"))
    assert [(fact.reference, fact.in_use) for fact in facts.facts] == [("DeviceUseStatement/u", NOT_MET)]


def test_the_device_may_stand_in_the_same_bundle():
    use = device_use(contained=None, device={"reference": "urn:uuid:d"})
    found = bundle(use)
    found["entry"].append({"fullUrl": "urn:uuid:d", "resource": device("brace", id=None)})
    facts = call({"patient": patient(), "deviceUse": found})
    assert only(facts).concepts == {"brace"}


@pytest.mark.parametrize("said", [concept("brace"), {"concept": concept("brace")}])
def test_a_feed_may_send_a_concept_in_place_of_the_reference(said):
    assert only(chart(device_use(contained=None, device=said))).concepts == {"brace"}


@pytest.mark.parametrize("said", [{"display": "a brace"}, {"text": "a brace"}, {"concept": {"text": "a brace"}}])
def test_a_device_known_by_its_words_alone_is_counted(said):
    facts = chart(device_use(contained=None, device=said))
    assert not facts.facts
    assert facts.reading.text_only == 1


@pytest.mark.parametrize("said", [None, {}, {"reference": "Device/elsewhere"}, {"reference": "#nowhere"}])
def test_a_statement_about_no_known_device_is_none(said):
    assert not chart(device_use(contained=None, device=said)).facts


def test_a_device_entered_in_error_is_none_though_a_statement_refers_to_it():
    use = device_use(contained=None, device={"reference": "Device/dev"})
    assert not chart(use, device("brace", status="entered-in-error")).facts


def test_a_contained_device_with_an_unknown_modifier_makes_the_fact_doubtful():
    inside = [
        {"resourceType": "Device", "id": "x", "type": concept("brace"), "modifierExtension": [{"url": "http://x"}]}
    ]
    assert only(chart(device_use(contained=inside))).doubtful


# ---- the device's own record


@pytest.mark.parametrize(
    ("status", "in_use"), [("active", MET), (None, MET), ("inactive", NOT_MET), ("unknown", UNKNOWN)]
)
def test_a_device_of_the_patient_is_in_use_by_its_status(status, in_use):
    fact = only(chart(device(patient=ME, status=status)))
    assert (fact.reference, fact.concepts, fact.in_use) == ("Device/dev", {"stimulator"}, in_use)


def test_a_device_entered_in_error_is_none():
    assert not chart(device(patient=ME, status="entered-in-error")).facts


def test_a_device_stands_for_itself_when_the_statement_about_it_was_an_error():
    use = device_use(contained=None, device={"reference": "Device/dev"}, status="entered-in-error")
    assert only(chart(use, device(patient=ME))).reference == "Device/dev"
