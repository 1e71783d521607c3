"""What came of asking for each kind of data: only an answer that is whole proves that something is not there."""

import msgspec
import pytest

from cds_service.domain.facts import NeedState
from cds_service.domain.truth import MET, NOT_MET
from cds_service.errors import TooLargeError
from tests.fhir.world import (
    bundle,
    call,
    chart,
    condition,
    device,
    observation,
    patient,
    procedure,
    read_with,
    vocabulary,
)


def outcome(severity="error", code="exception"):
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


def state_of(value, need="problems"):
    key = {"problems": "conditions", "patient": "patient"}[need]
    return call({"patient": patient(), key: value}).needs[need]


def test_every_need_is_absent_when_there_is_no_prefetch():
    facts = call(None)
    assert set(facts.needs.values()) == {NeedState.ABSENT}
    assert facts.subject is None


def test_a_need_is_absent_when_its_key_is():
    assert call({"patient": patient()}).needs["problems"] is NeedState.ABSENT


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, NeedState.EMPTY),
        (bundle(), NeedState.EMPTY),
        ({"resourceType": "Bundle"}, NeedState.EMPTY),
        ({"resourceType": "Bundle", "total": 0, "entry": []}, NeedState.EMPTY),
        (bundle(condition()), NeedState.PRESENT),
        (bundle(condition(), type="collection"), NeedState.PRESENT),
        (bundle(condition(), type=None), NeedState.PRESENT),
        (condition(), NeedState.PRESENT),
        (bundle(condition(), link=[{"relation": "self", "url": "x"}]), NeedState.PRESENT),
        (bundle(condition(), link=[{"relation": "next", "url": "opaque-session"}]), NeedState.TRUNCATED),
        (bundle(condition(), link={"relation": "next"}), NeedState.TRUNCATED),
        (bundle(condition(), total=1), NeedState.PRESENT),
        (bundle(condition(), total=2), NeedState.TRUNCATED),
        (bundle(total=7), NeedState.TRUNCATED),
        (bundle(condition(), condition(), total=2), NeedState.TRUNCATED),
        (outcome(), NeedState.FAILED),
        (outcome("information", "informational"), NeedState.FAILED),
        (outcome(code="forbidden"), NeedState.DENIED),
        (outcome(code="security"), NeedState.DENIED),
        (outcome(code="login"), NeedState.DENIED),
        (bundle(condition(), outcome("fatal")), NeedState.FAILED),
        (bundle(outcome(code="forbidden")), NeedState.DENIED),
        (bundle(condition(), outcome("warning", "forbidden")), NeedState.PRESENT),
        (bundle(outcome("information")), NeedState.EMPTY),
        (observation(), NeedState.FAILED),
        (bundle(observation()), NeedState.FAILED),
        (bundle(condition(), type="history"), NeedState.FAILED),
        ("a string", NeedState.FAILED),
        (["a list"], NeedState.FAILED),
        (7, NeedState.FAILED),
        ({"no": "resourceType"}, NeedState.FAILED),
        ({"resourceType": 5}, NeedState.FAILED),
        ({"resourceType": "Parameters"}, NeedState.FAILED),
    ],
)
def test_the_state_of_a_search_follows_from_its_value(value, state):
    assert state_of(value) is state


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (patient(), NeedState.PRESENT),
        (bundle(patient()), NeedState.PRESENT),
        (None, NeedState.FAILED),
        (bundle(), NeedState.FAILED),
        (outcome(), NeedState.FAILED),
        (outcome(code="forbidden"), NeedState.DENIED),
        (condition(), NeedState.FAILED),
    ],
)
def test_the_patient_is_there_or_could_not_be_had_but_is_never_empty(value, state):
    facts = call({"patient": value})
    assert facts.needs["patient"] is state
    assert (facts.subject is not None) is (state is NeedState.PRESENT)


def test_the_answers_of_a_batch_of_searches_are_read_through():
    batch = {"resourceType": "Bundle", "type": "batch-response"}
    nested = bundle(condition(), link=[{"relation": "next"}])
    batch["entry"] = [{"response": {"status": "200 OK"}, "resource": nested}]
    facts = call({"patient": patient(), "conditions": batch})
    assert facts.needs["problems"] is NeedState.TRUNCATED
    assert len(facts.facts) == 1


def test_the_facts_of_a_truncated_answer_are_used():
    facts = call({"patient": patient(), "conditions": bundle(condition(), total=9)})
    assert len(facts.facts) == 1


def test_an_included_resource_of_another_type_is_read_but_is_no_match():
    found = bundle()
    found["entry"] = [{"search": {"mode": "include"}, "resource": condition()}]
    facts = call({"patient": patient(), "observations": found})
    assert facts.needs["findings"] is NeedState.EMPTY
    assert [fact.reference for fact in facts.facts] == ["Condition/c"]


def test_an_included_resource_does_not_make_up_for_a_missing_match():
    found = bundle(condition(id="one"), total=2)
    found["entry"].append({"search": {"mode": "include"}, "resource": condition(id="two")})
    assert state_of(found) is NeedState.TRUNCATED


def test_a_resource_that_comes_twice_counts_once():
    twice = bundle(condition(), condition())
    assert len(call({"patient": patient(), "conditions": twice}).facts) == 1


def test_a_resource_that_two_answers_bring_counts_once():
    facts = call(
        {"patient": patient(), "conditions": bundle(condition()), "procedures": bundle(procedure(), condition())}
    )
    assert [fact.reference for fact in facts.facts] == ["Condition/c", "Procedure/p"]


def test_resources_without_an_id_are_different_resources():
    facts = call({"patient": patient(), "conditions": bundle(condition(id=None), condition(id=None), total=2)})
    assert [fact.reference for fact in facts.facts] == ["", ""]
    assert facts.needs["problems"] is NeedState.PRESENT


def test_an_unasked_key_gives_no_facts():
    assert not call({"patient": patient(), "mine": bundle(condition())}).facts


def test_a_medication_statement_counts_only_where_a_need_asks_for_it():
    statement = {
        "resourceType": "MedicationStatement",
        "id": "x",
        "status": "active",
        "subject": {"reference": "Patient/me"},
        "medicationCodeableConcept": {"coding": [{"system": "http://example.org/plain", "code": "drug"}]},
    }
    prefetch = {"patient": patient(), "statements": bundle(statement)}
    assert not call(prefetch).facts
    assert len(read_with(vocabulary(taken=("statements", "MedicationStatement")), prefetch).facts) == 1


def test_a_need_of_a_type_we_do_not_read_still_has_a_state():
    words = vocabulary(visits=("visits", "Encounter"))
    visit = {"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/me"}}
    assert read_with(words, {"visits": bundle(visit)}).needs["visits"] is NeedState.PRESENT
    assert read_with(words, {"visits": visit}).needs["visits"] is NeedState.PRESENT
    assert read_with(words, {"visits": bundle()}).needs["visits"] is NeedState.EMPTY


def test_too_many_resources_are_refused():
    many = bundle(*(condition(id=f"c{number}") for number in range(11)))
    assert read_with(vocabulary(), {"conditions": many}, max_resources=11).reading.resources == 11
    with pytest.raises(TooLargeError, match="resources"):
        read_with(vocabulary(), {"conditions": many}, max_resources=10)


def test_bundles_within_bundles_without_end_are_refused():
    nested = bundle(condition())
    for _ in range(6):
        nested = bundle(nested)
    with pytest.raises(TooLargeError, match="nesting"):
        call({"conditions": nested})


def test_absurd_nesting_is_refused():
    deep = msgspec.Raw(b'{"resourceType":"Condition","code":' + b"[" * 99_999 + b"]" * 99_999 + b"}")
    with pytest.raises(TooLargeError, match="nesting"):
        call({"conditions": deep})


# ---- the patient


@pytest.mark.parametrize(
    ("more", "deceased"),
    [
        ({}, NOT_MET),
        ({"deceasedBoolean": False}, NOT_MET),
        ({"deceasedBoolean": True}, MET),
        ({"deceasedDateTime": "2026-01"}, MET),
        ({"deceasedDateTime": "sometime"}, MET),
        ({"deceasedDateTime": ""}, NOT_MET),
    ],
)
def test_a_patient_is_dead_when_the_record_says_so(more, deceased):
    assert call({"patient": patient(**more)}).subject.deceased is deceased


def test_the_birth_date_may_be_missing_or_a_year():
    assert call({"patient": patient(birthDate="1960")}).subject.birth.text == "1960"
    assert call({"patient": patient(birthDate="secret")}).subject.birth is None


def test_the_counts_of_a_reading_are_kept():
    facts = chart(condition(), device(), observation(code={"text": "a limp"}))
    assert facts.reading.resources == 4
    assert facts.reading.text_only == 1
    assert facts.reading.invalid == {"Device": 1}
