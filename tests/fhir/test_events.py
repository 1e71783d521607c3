"""What was done, and what has begun."""

import pytest

from cds_service.domain.facts import Done, Order, Stage
from cds_service.domain.sides import Side
from tests.fhir.world import (
    bundle,
    call,
    chart,
    concept,
    dose,
    medication_request,
    only,
    patient,
    procedure,
    report,
    service_request,
)


@pytest.mark.parametrize(
    ("build", "status"),
    [
        (procedure, "completed"),
        (report, "final"),
        (report, "amended"),
        (report, "corrected"),
        (report, "appended"),
        (dose, "completed"),
        (dose, "in-progress"),
        (service_request, "completed"),
        (medication_request, "completed"),
    ],
)
def test_it_is_done_when_its_status_says_so(build, status):
    fact = only(chart(build(status=status)))
    assert isinstance(fact, Done)
    assert not fact.doubtful


@pytest.mark.parametrize(
    ("build", "status"),
    [
        (procedure, "preparation"),
        (procedure, "in-progress"),
        (procedure, "on-hold"),
    ],
)
def test_what_has_begun_is_as_good_as_ordered(build, status):
    fact = only(chart(build(status=status)))
    assert isinstance(fact, Order)
    assert fact.stage is Stage.OPEN
    assert not fact.doubtful


@pytest.mark.parametrize(
    ("build", "status"),
    [
        (report, "registered"),
        (report, "partial"),
        (report, "preliminary"),
        (procedure, "not-done"),
        (procedure, "stopped"),
        (procedure, "entered-in-error"),
        (report, "cancelled"),
        (report, "entered-in-error"),
        (dose, "not-done"),
        (dose, "on-hold"),
        (dose, "stopped"),
        (dose, "entered-in-error"),
    ],
)
def test_what_was_not_done_is_no_fact(build, status):
    assert not chart(build(status=status)).facts


@pytest.mark.parametrize("build", [procedure, report, dose])
@pytest.mark.parametrize("status", ["unknown", None, "something"])
def test_it_is_doubtful_whether_it_was_done_when_the_status_is_not_known(build, status):
    fact = only(chart(build(status=status)))
    assert isinstance(fact, Done)
    assert fact.doubtful


@pytest.mark.parametrize(
    ("resource", "when"),
    [
        (procedure(performedDateTime="2026-06-03"), "2026-06-03"),
        (procedure(performedDateTime=None, performedPeriod={"start": "2026-06-03", "end": "2026-06-04"}), "2026-06-04"),
        (procedure(performedDateTime=None, performedPeriod={"start": "2026-06-03"}), "2026-06-03"),
        (procedure(performedDateTime=None, performedString="in June"), None),
        (report(effectiveDateTime="2026-06-03", issued="2026-06-09T10:00:00Z"), "2026-06-03"),
        (report(effectivePeriod={"end": "2026-06-04"}), "2026-06-04"),
        (report(issued="2026-06-09T10:00:00Z"), "2026-06-09"),
        (dose(effectiveDateTime="2026-06-03"), "2026-06-03"),
        (dose(effectivePeriod={"start": "2026-06-03"}), "2026-06-03"),
        (service_request(status="completed", occurrenceDateTime="2026-06-03", authoredOn="2026-05-01"), "2026-06-03"),
        (service_request(status="completed", authoredOn="2026-05-01"), "2026-05-01"),
    ],
)
def test_it_was_done_at_the_end_of_its_time(resource, when):
    found = only(chart(resource)).when
    assert (found and found.text) == when


def test_a_procedure_has_the_side_of_its_site():
    assert only(chart(procedure(bodySite=[concept("left")]))).side is Side.LEFT


def test_the_medicine_of_a_dose_may_be_contained():
    medicine = {"resourceType": "Medication", "id": "x", "code": concept("drug")}
    given = dose(medicationCodeableConcept=None, medicationReference={"reference": "#x"}, contained=[medicine])
    assert only(chart(given)).concepts == {"drug"}


def test_the_medicine_of_a_dose_may_stand_elsewhere_in_the_call():
    medicine = {"resourceType": "Medication", "id": "x", "code": concept("drug")}
    reference = {"reference": "https://ehr.example.org/fhir/Medication/x/_history/2"}
    given = dose(medicationCodeableConcept=None, medicationReference=reference)
    facts = call({"patient": patient(), "doses": bundle(given), "mine": None, "medicationRequests": bundle(medicine)})
    assert only(facts).concepts == {"drug"}


def test_a_medicine_known_by_its_words_alone_is_counted():
    given = dose(medicationCodeableConcept=None, medicationReference={"display": "Some drug"})
    assert chart(given).reading.text_only == 1


def test_an_event_without_a_code_is_no_fact():
    assert not chart(procedure(code=None), dose(medicationCodeableConcept=None), report(code={})).facts
