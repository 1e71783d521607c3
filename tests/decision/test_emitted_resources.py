"""What a card carries: orders an EHR can file as they are, and texts that no record can turn against the reader."""

import copy
import json
import re
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.hooks.response import SUMMARY_LIMIT
from tests.decision.world import (
    FILES,
    a_case,
    answer,
    answered_cases,
    cases,
    evaluation,
    fire,
    knowledge,
    request_of,
)
from tests.fhir.validation import complaints

DATE = re.compile(r"\d{4}-\d\d-\d\d[^\"]*")


def actions(file=None):
    for case, answered in answered_cases(file):
        for card in answered.cards:
            code = card["source"]["topic"]["code"]
            if case.about and code not in case.about:
                continue
            for suggestion in card.get("suggestions", []):
                for action in suggestion["actions"]:
                    yield case, answered, card, action


@lru_cache(maxsize=1)
def orderables():
    return {
        (coding.system, coding.code): one for one in knowledge().names.orderables.values() for coding in one.codings[:1]
    }


def orderable_of(resource):
    code = resource.get("code") or resource["codeCodeableConcept"]
    return orderables()[code["coding"][0]["system"], code["coding"][0]["code"]], code["text"]


@pytest.mark.norm("ACT-1", "ACT-2", "ACT-3", "ACT-4", "ACT-5", "JSN-6")
@pytest.mark.parametrize("file", FILES)
def test_every_resource_is_valid_r4(file):
    judged, wrong = set(), []
    for case, _, _, action in actions(file):
        if action["type"] == "delete":
            assert re.fullmatch(r"[A-Z][A-Za-z]+/[\w.-]+", action["resourceId"])
            assert "resource" not in action
            continue
        # the date does not make another resource of it
        text = DATE.sub("D", json.dumps(action["resource"], sort_keys=True))
        if text not in judged:
            judged.add(text)
            wrong += [f"{case.name}: {one}" for one in complaints(action["resource"])]
    assert wrong == []


@pytest.mark.parametrize("file", FILES)
def test_every_new_order_is_complete(file):
    lacking = []
    for case, answered, _, action in actions(file):
        if action["type"] != "create":
            continue
        order, context = action["resource"], answered.context
        wanted = {
            "subject": {"reference": f"Patient/{context.patient_id}"},
            "encounter": {"reference": f"Encounter/{context.encounter_id}"} if context.encounter_id else None,
            "requester": {"reference": context.user_id},
            "status": "draft",
        }
        lacking += [
            f"{case.name}: {name} is {order.get(name)}" for name, one in wanted.items() if order.get(name) != one
        ]
        if order["intent"] not in ("proposal", "order"):
            lacking.append(f"{case.name}: intent is {order['intent']}")
        if not order.get("priority"):
            lacking.append(f"{case.name}: no priority")
        if not (order.get("reasonReference") or order.get("reasonCode")):
            lacking.append(f"{case.name}: no reason on {orderable_of(order)[0].name}")
        if order["resourceType"] == "ServiceRequest" and not order.get("category"):
            lacking.append(f"{case.name}: no category on {orderable_of(order)[0].name}")
        if "id" in order:
            lacking.append(f"{case.name}: the EHR gives the id")
    assert lacking == []


@pytest.mark.parametrize("file", FILES)
def test_a_reason_points_at_a_record_of_the_patient(file):
    for case, _, _, action in actions(file):
        if action["type"] != "create":
            continue
        sent = {
            f"{one['resource']['resourceType']}/{one['resource'].get('id')}"
            for bundle in request_of(case)["prefetch"].values()
            for one in bundle.get("entry", [])
        }
        for reason in action["resource"].get("reasonReference", []):
            assert reason["reference"] in sent, case.name


@pytest.mark.parametrize("file", FILES)
def test_the_side_stands_in_the_words_and_in_the_codes_of_a_new_order(file):
    wrong = []
    names = {coding.code: name for name, coding in knowledge().vocabulary.side_codings.items()}
    words = {"right": "right", "left": "left", "both": "right and left"}
    for case, answered, card, action in actions(file):
        if action["type"] != "create":
            continue
        order = action["resource"]
        orderable, text = orderable_of(order)
        places = [*order.get("bodySite", []), *(p["valueCodeableConcept"] for p in order.get("parameter", []))]
        coded = [names[c["code"]] for place in places for c in place["coding"] if c["code"] in names]
        said = [side for side, word in words.items() if text.endswith(f", {word}")]
        sides = evaluation(answered, card["source"]["topic"]["code"]).sides
        is_right = bool(coded) is orderable.sided if sides else orderable.sided or not coded
        if coded != said or not is_right:
            wrong.append(f"{case.name}: {text!r} is coded as {coded}, the card is about {sides.words}")
    assert wrong == []


def test_a_label_names_the_sides_that_its_order_is_for():
    """A card for both sides may offer one order for the right and another for the left."""
    for case, answered in answered_cases():
        for suggestion in (one for card in answered.cards for one in card.get("suggestions", [])):
            named = re.search(r"\((right and left|right|left)\)$", suggestion["label"])
            orders = [action["resource"] for action in suggestion["actions"] if action["type"] == "create"]
            texts = [text for orderable, text in map(orderable_of, orders) if orderable.sided]
            if named and texts:
                assert all(text.endswith(f", {named[1]}") for text in texts), f"{case.name}: {suggestion['label']}"


def test_an_update_keeps_the_draft_and_its_id():
    seen = 0
    for case, _, _, action in actions():
        if action["type"] != "update":
            continue
        seen += 1
        drafts = {d["resource"]["id"]: d["resource"] for d in request_of(case)["context"]["draftOrders"]["entry"]}
        before, after = drafts[action["resource"]["id"]], action["resource"]
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed, case.name
        assert changed <= {"occurrenceDateTime", "status", "reasonCode", "priority", "code", "codeCodeableConcept"}
    assert seen


@pytest.mark.parametrize("user", ["Patient/case-patient", "RelatedPerson/a-daughter"])
def test_a_patient_or_a_relative_gets_cards_without_orders(user):
    shown = 0
    for case in cases():
        if case.entry.hook != "patient-view" or case.entry.refused or not case.entry.expect:
            continue
        request = request_of(case)
        request["context"]["userId"] = user
        for card in answer(request).cards:
            shown += 1
            assert "suggestions" not in card
            assert "selectionBehavior" not in card
    assert shown


# ---- hostile records

HOSTILE = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "](https://evil.example.org) [click",
            "![x](https://evil.example.org/p.png)",
            "<https://evil.example.org>",
            "# Heading\n\n- list\n\n| a | b |\n|---|---|\n| 1 | 2 |",
            "**bold** _it_ `code` ~~gone~~",
            "{found} {0} {side!r} {__class__}",
            "\x00\x07\x1b[31mred\x7f\u2028\u2029\u202e",
            "&lt;script&gt; &#60;b&#62;",
            "javascript:alert(1)",
            "x" * 5000,
            "<" * 5000,
            "\u0301" * 300,
        ]
    ),
    st.text(max_size=80),
)
WITH_CARDS = [case for case in cases() if case.entry.expect and not case.entry.refused]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u2029]")


def poisoned(value, text):
    """The same record with the text behind everything that a person wrote."""
    if isinstance(value, list):
        return [poisoned(one, text) for one in value]
    if not isinstance(value, dict):
        return value
    written = {"display", "text", "valueString"}
    return {
        name: f"{one} {text}" if name in written and isinstance(one, str) else poisoned(one, text)
        for name, one in value.items()
    }


@pytest.mark.norm("CARD-2", "CARD-3", "JSN-2", "JSN-3", "JSN-4", "SUG-1", "ACT-2")
@settings(max_examples=250, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.sampled_from(WITH_CARDS), HOSTILE)
def test_no_card_is_turned_against_its_reader_when_a_record_is_hostile(case, text):
    request = poisoned(request_of(case), text.encode("utf-8", "ignore").decode())
    for card in answer(request).cards:
        assert 0 < len(card["summary"]) < SUMMARY_LIMIT
        assert "\n" not in card["summary"]
        spoken = [card["summary"], card["detail"], *(s["label"] for s in card.get("suggestions", []))]
        spoken += [a["description"] for s in card.get("suggestions", []) for a in s["actions"]]
        for said in spoken:
            assert said.strip()
            assert not CONTROL.search(said)
            assert "<" not in said
        assert not re.search(r"(?<!\\)\]\(https://evil", card["detail"])
        assert "x" * 200 not in card["detail"], "a text from the record is cut to a length a card can bear"


def test_the_plain_text_of_a_record_is_shown_as_it_was_written():
    (card,) = (
        card
        for card in fire(a_case("given: [{condition: foot drop, side: right, onset: 30 days ago}]")).cards
        if card["source"]["topic"]["code"] == "FD-AFO-01"
    )
    assert "**Found:** foot drop, right, since 2026-05-16." in card["detail"]


def test_a_hostile_draft_is_updated_as_it_came():
    text = "<script>alert(1)</script>"
    case = a_case(
        """
hook: order-sign
given: [{condition: foot drop, side: left, onset: 6 days ago}]
drafted: [{order: lower limb electrodiagnostics, side: left}]
"""
    )
    request = request_of(case)
    request["context"]["draftOrders"]["entry"][0]["resource"]["note"] = [{"text": text}]
    original = copy.deepcopy(request["context"]["draftOrders"]["entry"][0]["resource"])
    card = next(c for c in answer(request).cards if c["source"]["topic"]["code"] == "FD-EDX-02")
    update = card["suggestions"][0]["actions"][0]
    assert update["type"] == "update"
    assert update["resource"]["note"] == [{"text": text}], "the draft is the clinician's: nothing in it is rewritten"
    assert update["resource"] == original | {"occurrenceDateTime": update["resource"]["occurrenceDateTime"]}
    assert text not in json.dumps({name: card[name] for name in ("summary", "detail")})
