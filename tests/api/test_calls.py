"""A hook call and its cards, as they go over the wire."""

import re

import pytest

from cds_service.decision.decide import EXTENSION
from tests.api.world import (
    CLINICAL,
    HOOKS,
    PATIENT,
    SUBJECT,
    bundle,
    call,
    codes,
    condition,
    empty_parts,
    every_hook,
    foot_drop,
    orthosis,
    patient,
    prefetch,
    with_context,
)

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CALLS = every_hook()


@pytest.fixture(params=HOOKS)
def answer(request, client):
    return client.fire(CALLS[request.param])


def cards(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json()["cards"]
    return answer.json()["cards"]


def suggestions(answer):
    return [suggestion for card in cards(answer) for suggestion in card.get("suggestions", [])]


def actions(answer):
    return [action for suggestion in suggestions(answer) for action in suggestion["actions"]]


@pytest.mark.norm("REQ-1", "REQ-2", "REQ-6", "REQ-7", "REQ-13", "RSP-1", "RSP-2", "RSP-4", "RSP-5", "JSN-1", "SYS-2")
def test_a_call_of_each_hook_gets_cards_and_no_system_actions(answer):
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert cards(answer)
    assert set(answer.json()) <= {"cards", "extension"}


@pytest.mark.norm("JSN-2", "JSN-3", "JSN-4", "JSN-6")
def test_nothing_in_an_answer_is_null_or_empty(answer):
    assert list(empty_parts(answer.json())) == []


@pytest.mark.norm("CARD-1", "CARD-2", "CARD-3", "CARD-4", "FBK-10")
def test_a_card_has_a_uuid_a_short_summary_a_detail_and_an_indicator(answer):
    for card in cards(answer):
        assert UUID.fullmatch(card["uuid"])
        assert 0 < len(card["summary"]) < 140
        assert card["detail"]
        assert "<" not in card["detail"]
        assert card["indicator"] in ("info", "warning", "critical")
    assert len({card["uuid"] for card in cards(answer)}) == len(cards(answer))


@pytest.mark.norm("CARD-5", "SRC-1", "SRC-2", "SRC-3", "SRC-4", "SRC-5", "COD-1", "COD-2", "DVC-7")
def test_a_card_names_its_recommendation_and_links_to_its_page(answer, client):
    for card in cards(answer):
        source = card["source"]
        assert source["label"]
        assert set(source["topic"]) == {"system", "code", "display"}
        assert source["topic"]["system"].endswith("/CodeSystem/recommendations")
        assert source["url"] == f"http://127.0.0.1:8080/cards/{source['topic']['code']}"
        assert client.get(source["url"]).status_code == 200
        assert "icon" not in source


@pytest.mark.norm("CARD-6", "CARD-7", "CARD-8", "SUG-1", "SUG-2", "SUG-3", "SUG-4", "SUG-5", "SUG-7", "SUG-8")
def test_suggestions_come_with_the_way_to_choose_among_them(answer):
    assert suggestions(answer)
    for card in cards(answer):
        offered = card.get("suggestions", [])
        assert bool(offered) == ("selectionBehavior" in card)
        assert sum(one.get("isRecommended", False) for one in offered) <= 1 or card["selectionBehavior"] == "any"
    for suggestion in suggestions(answer):
        assert suggestion["label"]
        assert UUID.fullmatch(suggestion["uuid"])
        assert suggestion["actions"]
        assert "actionSelectionBehavior" not in suggestion


@pytest.mark.norm("ACT-1", "ACT-2", "ACT-3", "SUG-6")
def test_a_created_order_is_a_draft_for_this_patient_by_this_user(answer):
    for action in actions(answer):
        assert action["description"]
        if action["type"] == "create":
            resource = action["resource"]
            assert resource["status"] == "draft"
            assert resource["subject"]["reference"] == f"Patient/{PATIENT}"
            assert resource["requester"]["reference"] == "Practitioner/doc-1"
            assert resource["encounter"]["reference"] == "Encounter/enc-1"


@pytest.mark.norm("ACT-4", "ACT-5", "ACT-6", "STL-1", "REQ-11")
def test_a_draft_is_deleted_by_reference_or_updated_as_a_whole(client):
    offered = actions(client.fire(CALLS["order-sign"]))
    deletions = [action for action in offered if action["type"] == "delete"]
    assert deletions
    for deletion in deletions:
        assert deletion["resourceId"] == "DeviceRequest/draft-1"
        assert "resource" not in deletion
    updates = [action["resource"] for action in offered if action["type"] == "update"]
    assert updates
    for resource in updates:
        assert {name: resource[name] for name in orthosis()} == orthosis()
        assert "resourceId" not in resource


@pytest.mark.norm("CARD-9", "OVR-1", "OVR-2", "COD-1", "COD-2")
def test_an_override_reason_has_system_code_and_words(answer):
    reasons = [reason for card in cards(answer) for reason in card.get("overrideReasons", [])]
    assert reasons
    for reason in reasons:
        assert set(reason) == {"system", "code", "display"}


@pytest.mark.norm("CARD-10", "LNK-1", "LNK-2", "LNK-3", "LNK-4", "LNK-5", "LNK-6", "LNK-7")
def test_a_link_is_absolute_and_launches_nothing(answer):
    for card in cards(answer):
        for link in card.get("links", []):
            assert set(link) == {"label", "url", "type"}
            assert link["type"] == "absolute"


@pytest.mark.norm("RSP-3", "RSP-7")
@pytest.mark.parametrize("hook", HOOKS)
def test_the_list_is_empty_when_there_is_nothing_to_recommend(client, hook):
    answer = client.fire(call(hook, condition("I10", "Essential hypertension")))
    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.norm("PFD-2", "PFD-3", "JSN-2")
def test_null_and_an_empty_bundle_are_the_same_answer(client):
    nothing = dict.fromkeys(prefetch())
    full = call("patient-view", foot_drop())
    with_nulls = full | {"prefetch": nothing | {k: full["prefetch"][k] for k in ("patient", "conditions")}}
    assert codes(client.fire(with_nulls)) == codes(client.fire(full))
    assert "data-gap" not in codes(client.fire(with_nulls))


ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
FORBIDDEN = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
PAGED = bundle() | {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}
BROKEN_USE = {"resourceType": "DeviceUseStatement", "id": "du-1", "subject": SUBJECT, "device": 7}


@pytest.mark.norm("PFD-1", "PFD-4", "PFD-5", "PFD-6", "PFD-7", "PRE-2")
@pytest.mark.parametrize(
    ("value", "state", "reason", "words"),
    [
        pytest.param(..., "absent", "not sent", "did not send it", id="absent"),
        pytest.param(ERROR, "failed", "server error", "reported an error", id="an error"),
        pytest.param(bundle(ERROR), "failed", "server error", "reported an error", id="an error inside a bundle"),
        pytest.param(FORBIDDEN, "denied", "denied", "does not allow", id="no right"),
        pytest.param(PAGED, "truncated", "incomplete", "only a part of it came", id="a page with more behind it"),
        pytest.param(bundle(BROKEN_USE), "partial", "unreadable", "not be understood", id="one not understood"),
    ],
)
def test_a_gap_card_names_what_could_not_be_read_when_the_call_concerns_us(client, value, state, reason, words):
    made = call("order-sign", foot_drop(), drafts=[orthosis()])
    made["prefetch"] = {k: v for k, v in (made["prefetch"] | {"deviceUse": value}).items() if v is not ...}
    answer = client.fire(made)
    assert codes(answer)[-1] == "data-gap"
    assert re.search(rf"- \*\*devices in use\*\*: .*{words}", cards(answer)[-1]["detail"])
    gaps = answer.json()["extension"][f"{EXTENSION}.data-gaps"]
    assert gaps == [{"key": "deviceUse", "state": state, "reason": reason}]


def test_a_problem_that_may_be_a_foot_drop_is_named_as_unclear_and_not_refused(client):
    unclear = foot_drop(clinicalStatus={"coding": [{"system": CLINICAL, "code": "who-knows"}]})
    answer = client.fire(call("patient-view", unclear))
    assert (answer.status_code, answer.json()["cards"]) == (200, [])
    assert {"key": "conditions", "state": "unclear"} in answer.json()["extension"][f"{EXTENSION}.data-gaps"]


def test_a_problem_that_cannot_be_understood_leaves_the_answer_open_and_is_not_refused(client):
    broken = condition("E11.9", name="c-2") | {"code": 7}
    answer = client.fire(call("patient-view", condition("E11.9", "Type 2 diabetes mellitus"), broken))
    assert (answer.status_code, answer.json()["cards"]) == (200, [])
    assert {"key": "conditions", "state": "partial", "reason": "unreadable"} in answer.json()["extension"][
        f"{EXTENSION}.data-gaps"
    ]


def test_a_refusal_names_what_could_not_be_had_and_not_what_came_unclear(client):
    made = call("patient-view")
    del made["prefetch"]["conditions"]
    made["prefetch"]["deviceUse"] = bundle(BROKEN_USE)
    answer = client.fire(made)
    assert answer.status_code == 412
    assert "conditions" in answer.text
    assert "deviceUse" not in answer.text


def test_a_draft_without_id_is_not_offered_back_changed(client):
    draft = orthosis()
    del draft["id"]
    offered = actions(client.fire(call("order-sign", foot_drop(), drafts=[draft])))
    assert offered
    assert {action["type"] for action in offered} == {"create"}


@pytest.mark.norm("EXT-1", "EXT-2", "EXT-3")
def test_gaps_that_concern_no_clinician_are_told_to_the_machine_only(client):
    made = call("patient-view", condition("E11.9", "Type 2 diabetes mellitus"))
    del made["prefetch"]["observations"], made["prefetch"]["procedures"]
    answer = client.fire(made)
    assert answer.json()["cards"] == []
    assert isinstance(answer.json()["extension"], dict)
    assert all(name.startswith("org.example.") for name in answer.json()["extension"])


@pytest.mark.norm("REQ-8", "EXT-4", "HOK-3", "DVC-6", "PRE-4")
def test_unknown_members_are_ignored_wherever_they_stand(client):
    made = every_hook()["order-sign"]
    strange = with_context(made, somethingNew={"a": [1]}) | {"extension": {"com.example": 1}, "newMember": None}
    strange["prefetch"] |= {"user": {"resourceType": "Practitioner", "id": "doc-1"}, "odd": None}
    assert codes(client.fire(strange)) == codes(client.fire(made))


@pytest.mark.norm("REQ-4", "REQ-5", "FHA-3", "FHA-4", "FHA-5", "FHA-6", "FHA-7", "FHA-8")
def test_a_token_for_the_record_is_accepted_with_old_and_new_scopes(client):
    for scope in ("user/Patient.read patient/*.*", "patient/Patient.rs user/Observation.rs?category=exam"):
        granted = {
            "access_token": "token-1",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": scope,
            "subject": "foot-drop",
            "patient": PATIENT,
        }
        made = call(fhirServer="https://ehr.example/fhir", fhirAuthorization=granted)
        assert client.fire(made).status_code == 200


@pytest.mark.norm("REQ-3")
def test_a_hook_instance_that_is_no_uuid_is_accepted(client):
    assert client.fire(call(hookInstance="call number 7")).status_code == 200


@pytest.mark.norm("REQ-9", "REQ-10")
def test_drafts_may_come_in_a_bundle_without_type_or_not_at_all(client):
    made = every_hook()["order-sign"]
    untyped = {name: value for name, value in made["context"]["draftOrders"].items() if name != "type"}
    assert codes(client.fire(with_context(made, draftOrders=untyped))) == codes(client.fire(made))
    assert codes(client.fire(with_context(made, draftOrders=None))) == []


def test_a_patient_as_user_is_offered_no_orders(client):
    answer = client.fire(with_context(call("patient-view", foot_drop()), userId=f"Patient/{PATIENT}"))
    assert cards(answer)
    assert suggestions(answer) == []


def test_ids_may_be_references_with_a_version_and_longer_than_fhir_allows(client):
    long = "x" * 90
    made = call("patient-view", foot_drop(subject={"reference": f"Patient/{long}/_history/2"}))
    made["prefetch"]["patient"] = patient(id=long)
    assert "FD-AFO-01" in codes(client.fire(with_context(made, patientId=f"Patient/{long}/_history/3")))


def test_the_calls_time_is_the_servers_clock(client, clock):
    old = call("patient-view", foot_drop())
    assert "FD-AFO-01" in codes(client.fire(old))
    clock.at = clock.at.replace(year=2017)  # before the onset
    assert client.fire(old).status_code == 200


@pytest.mark.norm("REQ-12")
def test_a_usual_call_is_answered_far_below_half_a_second(client):
    made = every_hook()["patient-view"]
    assert min(client.fire(made).elapsed.total_seconds() for _ in range(3)) < 0.25


def test_more_recommendations_than_allowed_are_folded_into_one_card(client_with):
    answer = client_with(max_cards=2).fire(CALLS["patient-view"])
    assert codes(answer)[2:] == ["more-recommendations"]
    assert len(codes(client_with(max_cards=0).fire(CALLS["patient-view"]))) > 3


def test_a_path_with_a_slash_too_many_reaches_the_service(client):
    assert cards(client.post("/cds-services//foot-drop-patient-view/", json=CALLS["patient-view"]))
