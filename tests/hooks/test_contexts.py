"""What each hook sends, as the hook library has it and as clients send it."""

import json

import pytest

from cds_service.errors import InvalidRequestError, NotJSONError, TooLargeError, WrongHookError
from cds_service.hooks.contexts import (
    CONTEXTS,
    EncounterDischargeContext,
    OrderSelectContext,
    OrderSignContext,
    PatientViewContext,
    ProblemListItemCreateContext,
    parse_context,
)

IDS = {"userId": "Practitioner/dr-1", "patientId": "pat-1", "encounterId": "enc-1"}
BUNDLE = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "DeviceRequest", "id": "d"}}]}
FULL = {
    "patient-view": IDS,
    "order-select": {**IDS, "selections": ["DeviceRequest/d"], "draftOrders": BUNDLE},
    "order-sign": {**IDS, "draftOrders": BUNDLE},
    "encounter-discharge": IDS,
    "problem-list-item-create": {**IDS, "conditions": BUNDLE},
}
every_hook = pytest.mark.parametrize("hook", sorted(FULL))


def read(hook, drop=(), **members):
    context = {name: value for name, value in (FULL[hook] | members).items() if name not in drop}
    return parse_context(hook, json.dumps(context).encode())


def refusal(hook, drop=(), **members):
    with pytest.raises(InvalidRequestError) as caught:
        read(hook, drop, **members)
    return caught.value.member, caught.value.problem


def test_the_table_has_the_five_hooks_we_serve():
    assert dict(CONTEXTS) == {
        "patient-view": PatientViewContext,
        "order-select": OrderSelectContext,
        "order-sign": OrderSignContext,
        "encounter-discharge": EncounterDischargeContext,
        "problem-list-item-create": ProblemListItemCreateContext,
    }


@every_hook
@pytest.mark.norm("REQ-6")
def test_a_full_context_is_read(hook):
    context = read(hook)
    assert type(context) is CONTEXTS[hook]
    assert (context.user_id, context.patient_id, context.encounter_id) == ("Practitioner/dr-1", "pat-1", "enc-1")
    assert context.user_type == "Practitioner"
    assert not context.is_patient_facing


def test_a_hook_we_do_not_serve_is_the_wrong_hook():
    with pytest.raises(WrongHookError) as caught:
        parse_context("appointment-book", b"{}")
    assert caught.value.member == "hook"


@every_hook
@pytest.mark.norm("REQ-6")
@pytest.mark.parametrize("member", ["userId", "patientId"])
def test_a_missing_required_member_is_named(hook, member):
    assert refusal(hook, drop=[member]) == (f"context.{member}", "is required")


@every_hook
@pytest.mark.norm("HOK-3")
def test_members_added_by_a_later_minor_version_are_ignored(hook):
    assert read(hook, services=None, something={"new": 1}) == read(hook)


@pytest.mark.parametrize("user_type", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_patient_view_is_for_clinicians_patients_and_relatives(user_type):
    context = read("patient-view", userId=f"{user_type}/1")
    assert context.user_type == user_type
    assert context.is_patient_facing is (user_type in {"Patient", "RelatedPerson"})


@pytest.mark.parametrize("hook", sorted(set(FULL) - {"patient-view"}))
@pytest.mark.parametrize("user_type", ["Patient", "RelatedPerson"])
def test_the_other_hooks_are_for_clinicians_only(hook, user_type):
    expected = ("context.userId", "must be Type/id of Practitioner or PractitionerRole")
    assert refusal(hook, userId=f"{user_type}/1") == expected


@pytest.mark.parametrize(
    "user",
    [
        "",
        "1",
        "Practitioner",
        "Practitioner/",
        "/1",
        "Organization/1",
        "practitioner/1",
        "医師/例",
        "doctor-001",
        "Practitioner/1/2",
        "Practitioner/..",
        "Practitioner/1?x=y",
        "Practitioner/a b",
        "urn:uuid:1",
        " Practitioner/1",
    ],
)
def test_a_user_that_is_no_reference_to_an_allowed_type_is_refused(user):
    assert refusal("patient-view", userId=user)[0] == "context.userId"


@pytest.mark.parametrize(
    "user",
    [
        "Practitioner/dr-1/_history/3",
        "https://ehr.example/fhir/Practitioner/dr-1",
        "http://127.0.0.1:8191/r4/Practitioner/dr-1/_history/3",
    ],
)
def test_an_absolute_or_versioned_user_is_reduced(user):
    assert read("patient-view", userId=user).user_id == "Practitioner/dr-1"


@every_hook
@pytest.mark.parametrize("patient", ["pat-1", "Patient/pat-1", "https://ehr.example/fhir/Patient/pat-1"])
def test_the_patient_is_a_bare_id_however_it_was_sent(hook, patient):
    assert read(hook, patientId=patient).patient_id == "pat-1"


@every_hook
@pytest.mark.parametrize("encounter", ["enc-1", "Encounter/enc-1", "Encounter/enc-1/_history/1"])
def test_the_encounter_is_a_bare_id_however_it_was_sent(hook, encounter):
    assert read(hook, encounterId=encounter).encounter_id == "enc-1"


@pytest.mark.parametrize("patient", ["", " ", "Group/1", "..", "1&_include=*", "1/2", "a?b", "a%2Fb", "ä", "1\n"])
def test_a_patient_id_that_could_change_a_query_is_refused(patient):
    assert refusal("patient-view", patientId=patient) == ("context.patientId", "must be an id of type Patient")


def test_ids_longer_than_fhir_allows_are_accepted():
    context = read("patient-view", patientId="p" * 200, userId="Practitioner/" + "u" * 200, encounterId="e" * 200)
    assert (len(context.patient_id), len(context.encounter_id)) == (200, 200)


@pytest.mark.parametrize("hook", sorted(set(FULL) - {"encounter-discharge"}))
@pytest.mark.norm("JSN-4")
def test_the_encounter_is_optional(hook):
    assert read(hook, drop=["encounterId"]).encounter_id is None
    assert read(hook, encounterId=None).encounter_id is None
    assert read(hook, encounterId="").encounter_id is None


def test_the_encounter_is_required_at_discharge():
    assert refusal("encounter-discharge", drop=["encounterId"]) == ("context.encounterId", "is required")
    assert refusal("encounter-discharge", encounterId=None) == ("context.encounterId", "must be of type string")
    assert refusal("encounter-discharge", encounterId="")[0] == "context.encounterId"


@pytest.mark.norm("REQ-10")
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_drafts_are_kept_undecoded(hook):
    assert json.loads(bytes(read(hook).draft_orders)) == BUNDLE


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_missing_drafts_are_no_drafts(hook):
    assert bytes(read(hook, drop=["draftOrders"]).draft_orders) == b"{}"
    assert bytes(read(hook, draftOrders=None).draft_orders) == b"{}"


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("drafts", [[], [BUNDLE], "x", 1, False])
def test_drafts_that_are_no_object_are_refused(hook, drafts):
    assert refusal(hook, draftOrders=drafts) == ("context.draftOrders", "must be of type object")


def test_selections_are_kept_in_order_as_sent():
    selections = ["DeviceRequest/d", "nowhere", "ServiceRequest/s"]
    assert read("order-select", selections=selections).selections == tuple(selections)


def test_missing_selections_are_no_selections():
    assert read("order-select", drop=["selections"]).selections == ()
    assert read("order-select", selections=None).selections == ()
    assert read("order-select", selections=[]).selections == ()


def test_selections_of_the_wrong_type_are_named():
    assert refusal("order-select", selections="DeviceRequest/d")[0] == "context.selections"
    assert refusal("order-select", selections=["a", 1]) == ("context.selections[1]", "must be of type string")


def test_the_new_problems_are_the_point_of_problem_list_item_create():
    hook = "problem-list-item-create"
    assert json.loads(bytes(read(hook).conditions)) == BUNDLE
    assert refusal(hook, drop=["conditions"]) == ("context.conditions", "is required")
    for wrong in (None, [], "x"):
        assert refusal(hook, conditions=wrong) == ("context.conditions", "must be of type object")


def test_what_exists_is_valid_however_it_was_made():
    assert PatientViewContext(user_id="Patient/1", patient_id="Patient/1").patient_id == "1"
    with pytest.raises(InvalidRequestError):
        OrderSignContext(user_id="Patient/1", patient_id="1")


@pytest.mark.norm("TOK-3", "TOK-5")
def test_the_token_values_are_the_ids_of_the_call():
    assert read("patient-view", userId="PractitionerRole/r").token_values == {
        "context.userId": "PractitionerRole/r",
        "context.patientId": "pat-1",
        "context.encounterId": "enc-1",
        "userPractitionerRoleId": "r",
    }
    assert "context.encounterId" not in read("patient-view", encounterId=None).token_values


def test_a_broken_context_is_told_apart():
    with pytest.raises(NotJSONError):
        parse_context("patient-view", b"{")
    with pytest.raises(TooLargeError):
        parse_context("patient-view", b'{"a":' * 100_000)
    with pytest.raises(InvalidRequestError, match=r"^context must be of type object$"):
        parse_context("patient-view", b"[]")
