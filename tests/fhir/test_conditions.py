"""Problems: active or not, how certain, since when, from what cause."""

import pytest

from cds_service.domain.facts import Certainty
from cds_service.domain.sides import Side
from cds_service.domain.truth import MET, NOT_MET, UNKNOWN
from tests.fhir.world import bundle, call, chart, concept, condition, only, patient, status

ENCOUNTER_DIAGNOSIS = {"coding": [{"code": "encounter-diagnosis"}]}
PROBLEM = {"coding": [{"code": "problem-list-item"}]}


@pytest.mark.parametrize(
    ("more", "active"),
    [
        ({"clinicalStatus": status("active")}, MET),
        ({"clinicalStatus": status("recurrence")}, MET),
        ({"clinicalStatus": status("relapse")}, MET),
        ({"clinicalStatus": status("inactive")}, NOT_MET),
        ({"clinicalStatus": status("remission")}, NOT_MET),
        ({"clinicalStatus": status("resolved")}, NOT_MET),
        ({"clinicalStatus": status("something")}, UNKNOWN),
        ({"clinicalStatus": {"text": "Active"}}, MET),
        ({"clinicalStatus": {"text": "resolved "}}, NOT_MET),
        ({"clinicalStatus": {"text": "as it was"}}, UNKNOWN),
        ({"clinicalStatus": None}, MET),
        ({"clinicalStatus": "active"}, MET),
        ({"clinicalStatus": "resolved"}, NOT_MET),
        ({"clinicalStatus": None, "abatementDateTime": "2026-01-01"}, NOT_MET),
        ({"abatementDateTime": "2026-06-15"}, NOT_MET),
        ({"abatementDateTime": "2026-06-16"}, MET),
        ({"abatementDateTime": "2026-06-15T12:00:01Z"}, MET),
        ({"abatementDateTime": "2026-06-15T11:59:59Z"}, NOT_MET),
        ({"abatementDateTime": "2026"}, NOT_MET),
        ({"abatementDateTime": "2027"}, MET),
        ({"abatementDateTime": "some day"}, NOT_MET),
        ({"abatementString": "in spring"}, NOT_MET),
        ({"abatementAge": {"value": 60}}, NOT_MET),
        ({"abatementRange": {}}, NOT_MET),
        ({"abatementPeriod": {"start": "2025-01-01", "end": "2025-02-01"}}, NOT_MET),
        ({"abatementPeriod": {"start": "2025-01-01"}}, NOT_MET),
        ({"abatementPeriod": {"start": "2025-01-01", "end": "2030-01-01"}}, MET),
        ({"abatementString": None}, MET),
        ({"clinicalStatus": status("resolved"), "abatementDateTime": "2030-01-01"}, NOT_MET),
        ({"clinicalStatus": status("something"), "abatementDateTime": "2020-01-01"}, NOT_MET),
    ],
)
def test_a_problem_is_active_by_its_status_unless_it_has_abated(more, active):
    assert only(chart(condition(**more))).active is active


@pytest.mark.parametrize(
    ("more", "ended"),
    [
        ({"abatementDateTime": "2026-01-05"}, "2026-01-05"),
        ({"abatementPeriod": {"end": "2026-02"}}, "2026-02"),
        ({"abatementPeriod": {"start": "2026-02"}}, None),
        ({"abatementString": "in spring"}, None),
        ({"abatementDateTime": "2030-01-01"}, None),
    ],
)
def test_the_end_of_a_problem_is_its_abatement_where_that_has_a_date(more, ended):
    end = only(chart(condition(**more))).ended
    assert (end and end.text) == ended


@pytest.mark.parametrize(
    ("code", "certainty"),
    [
        (None, Certainty.CONFIRMED),
        ("confirmed", Certainty.CONFIRMED),
        ("unconfirmed", Certainty.SUSPECTED),
        ("provisional", Certainty.SUSPECTED),
        ("differential", Certainty.SUSPECTED),
        ("something", Certainty.SUSPECTED),
    ],
)
def test_a_problem_is_confirmed_when_it_says_so_or_says_nothing(code, certainty):
    verification = status(code) if code else None
    assert only(chart(condition(verificationStatus=verification))).certainty is certainty


@pytest.mark.parametrize("code", ["refuted", "entered-in-error"])
def test_a_problem_that_was_an_error_is_no_fact(code):
    assert not chart(condition(verificationStatus=status(code), clinicalStatus=None)).facts


@pytest.mark.parametrize(
    ("more", "onset"),
    [
        ({"onsetDateTime": "2026-05-03"}, "2026-05-03"),
        ({"onsetDateTime": "2026-05"}, "2026-05"),
        ({"onsetPeriod": {"start": "2026-05-04"}}, "2026-05-04"),
        ({"onsetAge": {"value": 60}}, None),
        ({"onsetString": "in May"}, None),
        ({"onsetDateTime": "in May"}, None),
    ],
)
def test_the_onset_is_a_date_or_not_known(more, onset):
    when = only(chart(condition(**more))).when
    assert (when and when.text) == onset


def test_the_recorded_date_and_the_severity_are_kept():
    fact = only(chart(condition(recordedDate="2026-05-05", severity=concept("severe"))))
    assert fact.recorded.text == "2026-05-05"
    assert fact.severity == {"severe"}


# ---- the cause


@pytest.mark.parametrize(
    ("value", "has_cause", "causes"),
    [
        ({"valueCodeableConcept": {"text": "tight cast"}}, True, set()),
        ({"valueCodeableConcept": concept("C50", "http://example.org/dotted")}, True, {"fall"}),
        ({"valueReference": {"reference": "Condition/elsewhere"}}, True, set()),
        ({"valueReference": {"display": "the fall"}}, True, set()),
        ({"valueCodeableConcept": {}}, False, set()),
        ({}, False, set()),
    ],
)
def test_a_cause_is_stated_in_code_or_in_words(value, has_cause, causes):
    due_to = {"url": "http://hl7.org/fhir/StructureDefinition/condition-dueTo", **value}
    fact = only(chart(condition(extension=[{"url": "http://example.org/other", "valueBoolean": True}, due_to])))
    assert (fact.has_cause, fact.causes) == (has_cause, causes)


def test_a_cause_that_is_another_problem_means_what_that_problem_means():
    due_to = {
        "url": "http://hl7.org/fhir/StructureDefinition/condition-dueTo",
        "valueReference": {"reference": "Condition/fall"},
    }
    fall = condition(code=concept("C50", "http://example.org/dotted"), id="fall")
    facts = chart(condition(extension=[due_to]), fall)
    assert facts.facts[0].causes == {"fall"}


def test_no_cause_is_stated_without_the_extension():
    assert not only(chart(condition(extension=[{"url": "http://example.org/other"}]))).has_cause


# ---- diagnoses of one encounter


@pytest.mark.parametrize(
    ("more", "active"),
    [
        ({"encounter": {"reference": "Encounter/now"}}, MET),
        ({"encounter": {"reference": "https://ehr.example.org/fhir/Encounter/now"}}, MET),
        ({"encounter": {"reference": "Encounter/before"}}, UNKNOWN),
        ({"recordedDate": "2026-03-17"}, MET),
        ({"recordedDate": "2026-03-16"}, NOT_MET),
        ({"onsetDateTime": "2026-06-01"}, MET),
        ({"onsetDateTime": "2020-06-01", "recordedDate": "2026-06-01"}, MET),
        ({"recordedDate": "2026"}, UNKNOWN),
        ({}, UNKNOWN),
        ({"recordedDate": "2020-01-01", "encounter": {"reference": "Encounter/now"}}, MET),
        ({"recordedDate": "2026-06-01", "clinicalStatus": status("resolved")}, NOT_MET),
        ({"category": [ENCOUNTER_DIAGNOSIS, PROBLEM]}, MET),
        ({"category": [PROBLEM]}, MET),
        ({"category": [{"text": "encounter"}]}, MET),
        ({"category": None}, MET),
        ({"category": {"coding": ENCOUNTER_DIAGNOSIS["coding"] + [{"code": "local"}]}}, UNKNOWN),
    ],
)
def test_a_diagnosis_of_an_encounter_alone_counts_in_it_and_for_a_while(more, active):
    diagnosis = condition(**{"category": [ENCOUNTER_DIAGNOSIS], **more})
    facts = call({"patient": patient(), "conditions": bundle(diagnosis)}, encounterId="now")
    assert only(facts).active is active


def test_a_diagnosis_of_an_encounter_is_not_this_ones_when_the_call_names_none():
    diagnosis = condition(category=[ENCOUNTER_DIAGNOSIS], encounter={"reference": "Encounter/now"})
    assert only(chart(diagnosis)).active is UNKNOWN


# ---- the problems of the hook


def test_a_problem_of_the_context_is_a_fact_and_replaces_the_records_own():
    new = bundle(condition(code=concept("L10.1", "http://example.org/dotted"), clinicalStatus=status("resolved")))
    facts = call(
        {"patient": patient(), "conditions": bundle(condition(), condition(id="other"))},
        hook="problem-list-item-create",
        conditions=new,
    )
    assert [(fact.reference, fact.side) for fact in facts.facts] == [
        ("Condition/c", Side.RIGHT),
        ("Condition/other", Side.UNSPECIFIED),
    ]
    assert facts.needs["problems"].proves_absence


def test_a_bare_problem_or_an_untyped_bundle_in_the_context_will_do():
    for conditions in (condition(), {"entry": [{"resource": condition()}]}, {"entry": {"resource": condition()}}):
        assert len(call({}, hook="problem-list-item-create", conditions=conditions).facts) == 1
    assert not call({}, hook="problem-list-item-create", conditions={}).facts
