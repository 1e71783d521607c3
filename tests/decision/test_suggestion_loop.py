"""An accepted suggestion settles its card: the same hook, fired again, is silent about it, or the file says why not."""

import re

import pytest

from cds_service.domain.evaluation import Standing, evaluate
from cds_service.domain.sides import SIDES_BY_NAME, Side
from tests.decision.world import (
    FILES,
    Chart,
    answered_cases,
    evaluation,
    knowledge,
    read,
    recommendation,
    request_of,
)


def offered(card, suggestion):
    """What the recommendation's file says of a suggestion of a card."""
    for one in recommendation(card["source"]["topic"]["code"]).suggestions:
        pattern = "".join(
            ".*" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{.*?\})", one.label)
        )
        if re.fullmatch(pattern, suggestion["label"]):
            return one
    raise AssertionError(f"no suggestion of the file reads {suggestion['label']!r}")


def own_cards(case, answered):
    """The cards this file of cases is about; for a file about many, all."""
    return [card for card in answered.cards if not case.about or card["source"]["topic"]["code"] in case.about]


def suggestions(file):
    for case, answered in answered_cases(file):
        for card in own_cards(case, answered):
            for suggestion in card.get("suggestions", []):
                yield case, answered, card, suggestion


def sides_of(suggestion):
    """The sides that its new orders name; a suggestion may be for one of the card's two."""
    sides = Side.UNSPECIFIED
    codes = {coding.code: SIDES_BY_NAME[name] for name, coding in knowledge().vocabulary.side_codings.items()}
    for order in (action["resource"] for action in suggestion["actions"] if action["type"] == "create"):
        places = [*order.get("bodySite", []), *(one["valueCodeableConcept"] for one in order.get("parameter", []))]
        for coding in (coding for place in places for coding in place["coding"]):
            sides |= codes.get(coding["code"], Side.UNSPECIFIED)
    return sides


def still_stands(card, request):
    _, situation = read(request)
    found = evaluate(recommendation(card["source"]["topic"]["code"]), situation)
    return found if found.standing is Standing.STANDS else None


@pytest.mark.norm("SUG-5", "SUG-6", "ACT-3", "ACT-4", "ACT-5")
@pytest.mark.parametrize("file", FILES)
def test_an_accepted_suggestion_settles_its_card_drafted_and_signed(file):
    unsettled = []
    for case, answered, card, suggestion in suggestions(file):
        if offered(card, suggestion).unsettled_because:
            continue
        code = card["source"]["topic"]["code"]
        if "accepting does not settle" in recommendation(code).notes:
            continue
        chart = Chart(request_of(case))
        if not chart.shows(chart.take(suggestion)[1]):
            continue
        before = sides_of(suggestion) or evaluation(answered, code).sides
        for state, request in (("drafted", chart.kept(suggestion)), ("signed", chart.signed(suggestion))):
            after = still_stands(card, request)
            if after is not None and (not before or after.sides & before):
                unsettled.append(f"{case.name}: {code} after {suggestion['label']!r}, {state}")
    assert unsettled == []


def test_a_recommendation_with_suggestions_that_do_not_settle_is_seen_to_stand_after_one():
    """The sentence `does not settle` would be wrong if they settled the card in every case."""
    seen, stands = set(), set()
    for file in FILES:
        for case, _, card, suggestion in suggestions(file):
            code = card["source"]["topic"]["code"]
            if case.about and code not in stands and offered(card, suggestion).unsettled_because:
                seen.add(code)
                if still_stands(card, Chart(request_of(case)).kept(suggestion)):
                    stands.add(code)
    assert seen - stands == set()


def test_every_suggestion_of_the_knowledge_is_offered_by_some_case():
    shown = {
        (card["source"]["topic"]["code"], offered(card, suggestion).label)
        for file in FILES
        for _, _, card, suggestion in suggestions(file)
    }
    written = {code for code, _ in shown}
    missing = {
        (code, one.label)
        for code in written
        for one in recommendation(code).suggestions
        if (code, one.label) not in shown
    }
    assert missing == set()
