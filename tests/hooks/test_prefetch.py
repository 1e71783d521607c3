"""Prefetch templates: what every client can honour passes, and the rest is told why."""

import pytest

from cds_service.errors import WrongHookError
from cds_service.hooks.prefetch import check_template, fill, tokens

PATIENT = "patient={{context.patientId}}"
VALUES = {"context.patientId": "p-1", "context.userId": "Practitioner/d-1", "userPractitionerId": "d-1"}


@pytest.mark.norm("PRE-1", "QRY-2", "QRY-3", "QRY-4", "QRY-5", "QRY-6", "TOK-1", "TOK-2", "TOK-3", "TOK-5")
@pytest.mark.parametrize(
    "template",
    [
        "Patient/{{context.patientId}}",
        "Encounter/{{context.encounterId}}",
        "{{context.userId}}",
        "Practitioner/{{userPractitionerId}}",
        f"Condition?{PATIENT}",
        f"Condition?{PATIENT}&clinical-status=active,recurrence",
        f"Observation?{PATIENT}&code=http://loinc.org|4548-4&_count=1&_sort=-date",
        f"Observation?{PATIENT}&code:in=http://valueset.example/vs",
        f"Observation?{PATIENT}&date=ge2024-01-01&date=lt2025",
        f"DeviceRequest?{PATIENT}&_maxresults=50&_sort=-authored-on,_id",
        "PractitionerRole?practitioner={{userPractitionerId}}",
    ],
)
def test_a_template_within_the_subset_passes(template):
    assert check_template("patient-view", template) == []


@pytest.mark.norm("TOK-2", "TOK-4")
@pytest.mark.parametrize(
    "token",
    [
        "context.medication.id",
        "context.draftOrders",
        "context.selections",
        "patientId",
        "context.patient",
        "userId",
        "today()",
        "%patient.id",
        " context.patientId ",
        "",
        "context.draftOrders.entry.resource.ofType(X).id",
    ],
)
def test_a_token_the_hook_does_not_offer_is_refused(token):
    problems = check_template("order-select", f"Condition?patient={{{{{token}}}}}")
    assert any("TOK-2, TOK-4" in problem and "context.patientId" in problem for problem in problems)


@pytest.mark.norm("TOK-4")
def test_the_tokens_are_the_members_the_hook_marks_and_the_user_ids():
    assert tokens("problem-list-item-create") == (
        "context.userId",
        "context.patientId",
        "context.encounterId",
        "userPractitionerId",
        "userPractitionerRoleId",
        "userPatientId",
        "userRelatedPersonId",
    )
    with pytest.raises(WrongHookError):
        tokens("appointment-book")


@pytest.mark.norm("TOK-1")
@pytest.mark.parametrize("broken", ["{context.patientId}", "{{context.patientId", "context.patientId}}", "{{{x}}}"])
def test_a_broken_delimiter_is_seen(broken):
    assert any("TOK-1" in problem for problem in check_template("patient-view", f"Condition?patient={broken}"))


@pytest.mark.norm("PRE-1", "QRY-2")
@pytest.mark.parametrize(
    "template",
    [
        "",
        "Patient",
        "patient/{{context.patientId}}",
        "/Patient/{{context.patientId}}",
        "https://ehr.example/Patient/{{context.patientId}}",
        "Patient/{{context.patientId}}/$everything",
        "Patient/{{context.patientId}}/_history",
        "Patient/{{context.patientId}}?_elements=name",
        "Condition?",
        "?patient={{context.patientId}}",
    ],
)
def test_what_is_neither_a_read_nor_a_search_is_refused(template):
    assert any("QRY-2" in problem for problem in check_template("patient-view", template))


@pytest.mark.parametrize(
    ("parameter", "row"),
    [
        pytest.param("subject.name=x", "QRY-3", marks=pytest.mark.norm("QRY-3")),
        pytest.param("code", "QRY-3", marks=pytest.mark.norm("QRY-3")),
        pytest.param("code=", "QRY-3", marks=pytest.mark.norm("QRY-3")),
        pytest.param("code=a b", "QRY-3", marks=pytest.mark.norm("QRY-3")),
        pytest.param("code:not=a", "QRY-4", marks=pytest.mark.norm("QRY-4")),
        pytest.param("code:missing=true", "QRY-4", marks=pytest.mark.norm("QRY-4")),
        pytest.param("_sort:desc=date", "QRY-4", marks=pytest.mark.norm("QRY-4")),
        pytest.param("date=ne2024-01-01", "QRY-5", marks=pytest.mark.norm("QRY-5")),
        pytest.param("date=sa2024", "QRY-5", marks=pytest.mark.norm("QRY-5")),
        pytest.param("date=eb2024", "QRY-5", marks=pytest.mark.norm("QRY-5")),
        pytest.param("date=ap2024", "QRY-5", marks=pytest.mark.norm("QRY-5")),
        pytest.param("_count=0", "QRY-6", marks=pytest.mark.norm("QRY-6")),
        pytest.param("_count=many", "QRY-6", marks=pytest.mark.norm("QRY-6")),
        pytest.param("_sort=date:desc", "QRY-6", marks=pytest.mark.norm("QRY-6")),
        pytest.param("_include=X:y", "QRY-6", marks=pytest.mark.norm("QRY-6")),
    ],
)
def test_a_query_outside_the_subset_is_told_why(parameter, row):
    (problem,) = check_template("patient-view", f"Observation?{PATIENT}&{parameter}")
    assert row in problem


@pytest.mark.norm("TOK-3", "TOK-5")
def test_a_template_is_filled_with_the_values_of_the_call():
    assert fill("{{context.userId}}", VALUES) == "Practitioner/d-1"
    assert (
        fill(f"Condition?{PATIENT}&asserter={{{{userPractitionerId}}}}", VALUES) == "Condition?patient=p-1&asserter=d-1"
    )


def test_a_value_cannot_break_out_of_its_place():
    assert fill("Condition?" + PATIENT, {"context.patientId": "1&_include=*"}) == "Condition?patient=1%26_include%3D%2A"


def test_a_template_whose_token_has_no_value_cannot_be_filled():
    with pytest.raises(KeyError, match=r"context\.encounterId"):
        fill("Encounter/{{context.encounterId}}", VALUES)
