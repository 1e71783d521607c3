"""Foreign data is read tolerantly: a bad resource costs itself, and nothing that is sent is a fault of ours."""

import contextlib
import copy
import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.domain.facts import NeedState
from cds_service.errors import RequestError
from cds_service.fhir.reader import RecordReader
from cds_service.hooks.contexts import parse_context
from cds_service.hooks.request import CDSRequest
from tests.fhir.world import (
    KEYS,
    ME,
    NOW,
    ZONE,
    bundle,
    call,
    chart,
    condition,
    device,
    device_request,
    device_use,
    dose,
    medication_request,
    observation,
    patient,
    procedure,
    queries,
    report,
    service_request,
    vocabulary,
)

SHARED = Path(__file__).parents[3] / "shared" / "fixtures"

GOOD = [
    condition(
        bodySite=[{"coding": [{"system": "http://example.org/plain", "code": "right"}]}],
        extension=[{"url": "http://hl7.org/fhir/StructureDefinition/condition-dueTo", "valueReference": ME}],
        abatementPeriod={"start": "2026-01-01"},
    ),
    observation(component=[{"code": {"coding": [{"system": "http://example.org/plain", "code": "pulse"}]}}]),
    procedure(performedPeriod={"start": "2026-01-01"}),
    report(issued="2026-01-01T00:00:00Z"),
    service_request(
        reasonReference=[{"reference": "Condition/c"}],
        identifier=[{"system": "a", "value": "b"}],
        occurrenceTiming={"event": ["2026-01-01"]},
    ),
    device_request(
        parameter=[{"code": {"text": "x"}, "valueCodeableConcept": {"text": "y"}}],
        modifierExtension=[{"url": "http://x", "valueBoolean": True}],
        codeCodeableConcept=None,
        codeReference={"reference": "Device/dev"},
    ),
    medication_request(priorPrescription={"reference": "MedicationRequest/x"}),
    dose(),
    device_use(timingPeriod={"end": "2026-01-01"}),
    device(patient=ME),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    sorted({"resourceType", "entry", "resource", "total", "link", "search", "fullUrl", "contained"}.union(*GOOD))
)
FHIRLIKE = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["Bundle", *KEYS, "OperationOutcome", "Other", "active", "2026-01-01", "", "Patient/me"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=15,
)


# ---- one bad resource


@pytest.mark.parametrize(
    "broken",
    [
        condition(code=7),
        condition(clinicalStatus=[7]),
        condition(subject="Patient/me"),
        condition(subject=ME, onsetDateTime=2020),
        condition(id={"a": "dict"}),
        condition(bodySite=[None]),
    ],
)
def test_a_resource_that_does_not_fit_is_counted_and_the_others_are_read(broken):
    facts = call({"patient": patient(), "conditions": bundle(broken, condition(id="good"))})
    assert [fact.reference for fact in facts.facts] == ["Condition/good"]
    assert facts.reading.invalid == {"Condition": 1}
    assert facts.needs["problems"] is NeedState.PARTIAL


@pytest.mark.parametrize(
    "stranger",
    [
        {"resourceType": "Provenance", "id": "x"},
        {"resourceType": "AllergyIntolerance", "patient": ME},
        {"resourceType": "FamilyMemberHistory", "patient": ME, "condition": [condition()]},
        {"resourceType": "Immunization", "id": 7, "patient": {"reference": 5}},
    ],
)
def test_a_resource_of_a_type_we_do_not_read_is_skipped_and_not_counted(stranger):
    facts = call({"patient": patient(), "conditions": bundle(stranger, condition())})
    assert len(facts.facts) == 1
    assert facts.reading.invalid == {}


@pytest.mark.parametrize("link", [7, [{"relation": 1}], [{"relation": "next", "url": 3}]])
def test_a_bundle_whose_links_cannot_be_read_may_have_had_a_next_one(link):
    facts = call({"patient": patient(), "conditions": bundle(condition(), link=link)})
    assert len(facts.facts) == 1
    assert facts.needs["problems"] is NeedState.TRUNCATED


@pytest.mark.parametrize("member", [{"total": "many"}, {"type": []}])
def test_a_bundle_with_a_broken_member_is_still_read(member):
    facts = call({"patient": patient(), "conditions": bundle(condition(), **member)})
    assert len(facts.facts) == 1
    assert facts.needs["problems"] is NeedState.PRESENT


def test_a_next_link_counts_in_a_bundle_that_is_read_part_by_part():
    found = bundle(condition(), condition(code=5, id="bad"), link=[{"relation": "next"}])
    assert call({"patient": patient(), "conditions": found}).needs["problems"] is NeedState.TRUNCATED


def test_entries_that_do_not_fit_are_counted():
    found = bundle(condition())
    found["entry"] += [7, {"resource": []}, {"resource": {"no": "type"}}, {"fullUrl": 7, "search": 7, "resource": None}]
    facts = call({"patient": patient(), "conditions": found})
    assert len(facts.facts) == 1
    assert facts.reading.invalid == {"Bundle": 3}


@pytest.mark.parametrize("entry", [None, {}, [], {"resource": None}, [{}], {"resource": condition()}])
def test_entries_may_be_missing_empty_or_one_object(entry):
    found = {"resourceType": "Bundle", "entry": entry}
    assert len(call({"patient": patient(), "conditions": found}).facts) == ("condition" in str(entry).lower())


def test_whitespace_around_a_value_says_nothing():
    raw = msgspec.Raw(json.dumps(bundle(condition()), indent=2).encode())
    assert len(call({"patient": patient(), "conditions": raw}).facts) == 1


def test_ids_may_be_numbers():
    assert chart(condition(id=17)).facts[0].reference == "Condition/17"


# ---- anything at all


def read_without_harm(prefetch, hook="patient-view", **context):
    with contextlib.suppress(RequestError):
        call(prefetch, hook=hook, **context)


def test_the_good_ones_are_good():
    facts = chart(*GOOD)
    assert {type(fact).__name__ for fact in facts.facts} >= {"Condition", "Finding", "Done", "Order", "Device"}
    assert facts.reading.invalid == {}


@given(value=JSON | FHIRLIKE, key=st.sampled_from(sorted({*KEYS.values(), "unasked"})))
def test_any_json_as_a_prefetch_value_is_read_without_harm(value, key):
    read_without_harm({"patient": patient(), key: value})


@given(value=FHIRLIKE)
def test_any_json_as_an_entry_is_read_without_harm(value):
    read_without_harm({"patient": patient(), "conditions": {"resourceType": "Bundle", "entry": value}})


@given(value=FHIRLIKE)
def test_any_json_in_the_context_is_read_without_harm(value):
    read_without_harm({}, "order-select", draftOrders=value, selections=["ServiceRequest/s"])
    read_without_harm({}, "problem-list-item-create", conditions=value)


def paths(value, path=()):
    """The path of every part of a JSON value."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from paths(part, (*path, name))


def changed(value, path, replacement):
    whole = {"whole": copy.deepcopy(value)}
    place = whole
    for name in ("whole", *path)[:-1]:
        place = place[name]
    place[("whole", *path)[-1]] = replacement
    return whole["whole"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_to_good_data_is_read_without_harm(data):
    good = bundle(*GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(paths(good))))
        good = changed(good, path, data.draw(JSON | FHIRLIKE))
        if not isinstance(good, dict):
            break
    read_without_harm({"patient": patient(), "conditions": good})
    read_without_harm({}, "order-sign", draftOrders=good)


@given(data=st.data())
def test_any_change_to_the_patient_is_read_without_harm(data):
    good = patient(link=[{"type": "replaces", "other": {"reference": "Patient/old"}}], deceasedBoolean=False)
    path = data.draw(st.sampled_from(list(paths(good))))
    read_without_harm({"patient": changed(good, path, data.draw(JSON | FHIRLIKE))})


def test_whatever_is_wrong_with_one_resource_the_problem_beside_it_is_found():
    for good in GOOD:
        for path in paths(good):
            if not path or path[0] in ("subject", "patient", "resourceType"):
                continue
            for wrong in (None, 7, "x", [], {}, [7], True):
                broken = changed(good, path, wrong)
                facts = chart(broken, condition(id="beside"))
                assert any(fact.reference == "Condition/beside" for fact in facts.facts), (path, wrong)


# ---- what others really send


def real_records():
    folder = SHARED / "patients"
    return [path for path in sorted(folder.rglob("*.json")) if path.name != "MANIFEST.json"] if folder.is_dir() else []


def real_calls():
    folder = SHARED / "calls"
    return [path for path in sorted(folder.rglob("*.json")) if path.name != "MANIFEST.json"] if folder.is_dir() else []


def patient_ids(text):
    """Patients that a record speaks of, so that some of it is read."""
    found = re.findall(r'"resourceType"\s*:\s*"Patient"\s*,\s*"id"\s*:\s*"([A-Za-z0-9.-]+)"', text)
    return {*found, *re.findall(r'"Patient/([A-Za-z0-9.-]+)"', text)} or {"me"}


@pytest.mark.skipif(not real_records(), reason="the shared fixtures are not here")
def test_real_records_are_read_without_harm():
    reader = RecordReader(vocabulary(), queries(vocabulary()), ZONE, 100_000)
    read = 0
    for path in real_records():
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        try:
            msgspec.json.decode(raw)
        except msgspec.DecodeError:
            continue
        for patient_id in sorted(patient_ids(raw.decode(errors="replace")))[:3]:
            members = msgspec.Raw(json.dumps({"userId": "Practitioner/p", "patientId": patient_id}).encode())
            context = parse_context("patient-view", members)
            for key in sorted(KEYS.values()):
                prefetch = {key: msgspec.Raw(raw)}
                request = CDSRequest(hook="patient-view", hook_instance="i", context=members, prefetch=prefetch)
                try:
                    facts = reader.read(request, context, NOW)
                except RequestError:
                    continue
                read += facts.reading.resources
    assert read > 1000


@pytest.mark.skipif(not real_calls(), reason="the shared fixtures are not here")
def test_real_calls_are_read_without_harm():
    reader = RecordReader(vocabulary(), queries(vocabulary()), ZONE, 100_000)
    for path in real_calls():
        try:
            request = msgspec.json.decode(path.read_bytes(), type=CDSRequest)
            context = parse_context(request.hook, request.context)
            reader.read(request, context, NOW)
        except (RequestError, msgspec.DecodeError):
            continue
