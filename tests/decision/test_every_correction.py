"""Every reason that says what the record lacks leads to an order that an EHR can file, in words that can be read."""

import json

import pytest

from cds_service.decision.snooze import Override, Quiet
from cds_service.hooks.response import SUMMARY_LIMIT, encode
from tests.decision.world import cases, knowledge, read, request_of, runner
from tests.fhir.validation import complaints

RULES = knowledge().corrections
OFFERED = [
    (recommendation.id, reason)
    for recommendation in knowledge().recommendations
    if recommendation.hooks & RULES.hooks
    for reason in recommendation.override_reasons
    if (reason.system, reason.code) in RULES.to_record
]


def offer(recommendation_id, reason):
    """The offer that a patient's next call has, after the card of one of the cases was dismissed for this reason."""
    case = next(case for case in cases() if recommendation_id in case.entry.expect and case.entry.hook in RULES.hooks)
    context, situation = read(request_of(case))
    decider, at = runner().attempt.decider, situation.now.at
    override = Override(recommendation_id, "critical", 3, at, at, reason.system, reason.code, "", "", "")
    quiet = Quiet(frozenset((recommendation_id,)), (override,))
    decision = decider.answer(context, decider.judge(situation), quiet)
    cards = json.loads(encode(decision.response))["cards"]
    return context, next(card for card in cards if card["source"]["topic"]["code"] == "record-correction")


@pytest.mark.parametrize(("recommendation_id", "reason"), OFFERED, ids=lambda one: getattr(one, "code", one))
def test_the_offer_is_a_complete_order_when_a_card_was_dismissed_for_this_reason(recommendation_id, reason):
    context, card = offer(recommendation_id, reason)
    assert reason.display in card["summary"]
    assert len(card["summary"]) < SUMMARY_LIMIT
    (suggestion,) = card["suggestions"]
    assert suggestion["label"].removeprefix("Record ") in card["detail"]
    (action,) = suggestion["actions"]
    order = action["resource"]
    assert complaints(order) == []
    assert order["subject"] == {"reference": f"Patient/{context.patient_id}"}
    assert order.get("reasonReference") or order.get("reasonCode")
    assert order["category"]
    assert order["note"] == [{"text": action["description"]}]
    assert not {"{", "}"} & set(f"{card['summary']}{card['detail']}{suggestion['label']}{action['description']}")


def test_every_reason_that_says_what_the_record_lacks_is_given_by_some_card():
    given = {(r.system, r.code) for one in knowledge().recommendations for r in one.override_reasons}
    assert set(RULES.to_record) <= given
