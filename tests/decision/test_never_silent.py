"""Nothing to recommend, could not check, checked on partial data: three answers that are never mixed up."""

import copy
import itertools

import pytest

from cds_service.domain.facts import NeedState
from cds_service.errors import PreconditionError
from tests.decision.world import (
    answer,
    answered_cases,
    evaluation,
    fire,
    knowledge,
    read,
    recommendation,
    request_of,
    runner,
)

GAPS = "org.example.foot-drop-cds.data-gaps"
FOOT_DROP = "given: [{condition: foot drop, side: right, onset: 29 days ago}]\n"
COVERED = """
given:
  - {condition: foot drop, side: right, onset: 29 days ago}
  - {condition: stroke with lasting weakness, side: right, onset: 300 days ago}
  - {in use: ankle-foot orthosis, side: right, when: 9 days ago}
  - {order: physical therapy, when: 9 days ago}
  - {in use: functional electrical stimulator, side: right, when: 9 days ago}
"""
SECOND_ORTHOSIS = """
hook: order-sign
given: [{condition: foot drop, side: right, onset: 29 days ago}, {order: neurology referral, when: 9 days ago}]
drafted: [{order: ankle-foot orthosis, side: right}]
"""
MANY = """
given:
  - {condition: foot drop, side: right, onset: 120 days ago}
  - {condition: diabetes mellitus, onset: 5000 days ago}
  - {condition: foot deformity, side: right, onset: 900 days ago}
"""


def gap_cards(answered):
    return [card for card in answered.cards if card["source"]["topic"]["code"] == "data-gap"]


def not_asked(request, *needs, max_cards=0):
    """The decision when the client's registration says that it has no such data."""
    context, situation = read(request, max_cards)
    situation.facts.needs = {
        name: NeedState.NOT_ASKED if name in needs else state for name, state in situation.facts.needs.items()
    }
    return runner(max_cards).attempt.decider.decide(context, situation)


# ---- settled


@pytest.mark.norm("RSP-2", "RSP-3", "JSN-3")
def test_there_is_no_card_and_no_gap_when_nothing_is_recommended():
    answered = fire("given: [{condition: low back pain, onset: 9 days ago}]")
    assert answered.wire == {"cards": []}
    assert answered.decision.outcome == "complete without cards"


def test_there_is_no_gap_when_the_missing_data_would_change_nothing():
    answered = fire(
        "given: [{condition: low back pain}]\nnot read: [service requests, device use, procedures, reports]"
    )
    assert answered.wire == {"cards": []}


def test_there_is_no_gap_when_the_patient_has_died_whatever_was_not_read():
    answered = fire(
        FOOT_DROP + "deceased: yes\nnot read: [findings, procedures, reports, service requests, device use]"
    )
    assert answered.wire == {"cards": []}


def test_a_recommendation_that_is_settled_by_what_is_known_leaves_no_gap():
    answered = fire(COVERED + "not read: [device requests]")
    assert "device requests" not in {gap.need for gap in answered.decision.gaps}
    assert gap_cards(answered) == []


def test_a_side_left_open_is_settled_when_an_exclusion_holds_on_it():
    """Whether the left foot is weak too was not read, but physical therapy is ordered for the patient."""
    answered = fire(
        """
given:
  - {condition: foot drop, side: right, onset: 29 days ago}
  - {order: physical therapy, when: 9 days ago}
not read: [findings]
"""
    )
    found = evaluation(answered, "FD-PT-01")
    assert (found.standing.value, found.missing) == ("does not stand", frozenset())


# ---- unknown, and it concerns us


def test_one_gap_card_names_what_no_card_names_when_the_call_concerns_us():
    answered = fire(SECOND_ORTHOSIS + "not read: [device use]")
    (gap,) = gap_cards(answered)
    assert "devices in use" in gap["detail"]
    assert gap["indicator"] == "info"
    assert "suggestions" not in gap
    assert answered.codes[-1] == "data-gap"
    assert answered.decision.outcome.startswith("partial")
    assert answered.wire["extension"][GAPS] == [{"key": "deviceUse", "state": "absent", "reason": "not sent"}]


def test_there_is_no_gap_card_when_a_card_names_what_was_not_read():
    answered = fire(FOOT_DROP + "not read: [device use, device requests]")
    (offer,) = (card for card in answered.cards if card["source"]["topic"]["code"] == "FD-AFO-01")
    assert "device orders, devices in use" in offer["detail"]
    assert gap_cards(answered) == []


def test_a_gap_that_only_a_folded_card_names_is_named_by_the_gap_card():
    """The caveat of a folded card is not seen by anybody."""
    text = FOOT_DROP + "not read: [reports]"
    assert gap_cards(fire(text)) == [], "unfolded, the cards say it themselves"
    folded = fire(text, max_cards=1)
    assert "test reports" not in folded.cards[0]["detail"]
    (gap,) = gap_cards(folded)
    assert "test reports" in gap["detail"]


def test_at_most_one_gap_card_is_returned_and_it_is_the_last():
    for case, answered in answered_cases():
        places = [place for place, code in enumerate(answered.codes) if code == "data-gap"]
        assert places in ([], [len(answered.codes) - 1]), case.name


def test_every_card_shown_on_partial_data_names_what_it_did_not_see():
    seen = 0
    for case, answered in answered_cases():
        for found, card in zip(_shown(answered), answered.cards, strict=False):
            if found.shown_gaps:
                seen += 1
                words = runner().attempt.decider.composer.needs_in_words(found.shown_gaps)
                assert words in card["detail"], case.name
    assert seen


def _shown(answered):
    by_id = {evaluation.recommendation.id: evaluation for evaluation in answered.decision.evaluations}
    return [by_id[code] for code in answered.codes if code in by_id]


# ---- unknown, and nothing known concerns us


def test_the_gap_is_for_machines_only_when_nothing_known_concerns_us():
    answered = fire("given: [{condition: diabetes mellitus, onset: 900 days ago}]\nnot read: [findings]")
    assert answered.cards == []
    assert {"key": "observations", "state": "absent", "reason": "not sent"} in answered.wire["extension"][GAPS]
    assert "findings" in {gap.need for gap in answered.decision.gaps}, "the ledger keeps it"


@pytest.mark.parametrize("known", ["diabetes mellitus", "stroke with lasting weakness"])
def test_neither_diabetes_nor_an_old_stroke_concerns_us(known):
    answered = fire(f"given: [{{condition: {known}, onset: 900 days ago}}]\nnot read: [findings]")
    assert answered.cards == []


@pytest.mark.norm("PFD-8", "RSP-5")
@pytest.mark.parametrize("missing", ["patient", "conditions"])
def test_the_call_is_refused_naming_the_key_when_vital_data_is_missing_and_nothing_concerns_us(missing):
    with pytest.raises(PreconditionError) as caught:
        fire(f"given: [{{condition: foot drop, side: right}}]\nnot read: [{missing}]")
    assert missing in caught.value.keys


def test_the_call_is_answered_when_the_problems_are_missing_but_a_draft_concerns_us():
    answered = fire(SECOND_ORTHOSIS + "not read: [conditions]")
    (gap,) = gap_cards(answered)
    assert "problems and diagnoses" in gap["detail"]


@pytest.mark.norm("PFD-2", "PFD-3")
def test_an_empty_answer_is_an_answer():
    request = request_of("given: []")
    for key in request["prefetch"]:
        if key != "patient":
            request["prefetch"][key] = None
    assert answer(request).wire == {"cards": []}


# ---- not asked


def test_there_is_no_gap_card_when_the_client_is_known_to_have_no_such_data():
    request = request_of(SECOND_ORTHOSIS)
    del request["prefetch"]["deviceUse"]
    assert gap_cards(answer(request)) != []
    decision = not_asked(request, "device use")
    assert [card.source.topic.code for card in decision.response.cards if card.source.topic.code == "data-gap"] == []
    assert decision.response.extension is None


def test_the_card_itself_says_what_was_not_asked():
    request = request_of(FOOT_DROP)
    del request["prefetch"]["deviceUse"]
    card = next(c for c in not_asked(request, "device use").response.cards if c.source.topic.code == "FD-AFO-01")
    assert "devices in use" in card.detail


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (NeedState.FAILED, "server error"),
        (NeedState.DENIED, "denied"),
        (NeedState.TRUNCATED, "incomplete"),
        (NeedState.ABSENT, "not sent"),
    ],
)
def test_any_other_missing_state_is_a_gap(state, reason):
    context, situation = read(request_of(SECOND_ORTHOSIS))
    situation.facts.needs = dict(situation.facts.needs) | {"device use": state}
    decision = runner().attempt.decider.decide(context, situation)
    assert decision.response.extension[GAPS] == [{"key": "deviceUse", "state": state.value, "reason": reason}]


# ---- folding


@pytest.mark.norm("CARD-8", "SUG-4")
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_what_exceeds_the_limit_is_folded_into_one_card(limit):
    whole, folded = fire(MANY), fire(MANY, limit)
    assert folded.codes == [*whole.codes[:limit], "more-recommendations"]
    rest, card = whole.cards[limit:], folded.cards[-1]
    assert str(len(rest)) in card["summary"]
    assert card["indicator"] == max((one["indicator"] for one in rest), key=["info", "warning", "critical"].index)
    assert [s["label"] for s in card["suggestions"]] == [s["label"] for one in rest for s in one["suggestions"]]
    assert card["selectionBehavior"] == "any"
    for one in rest:
        assert one["summary"].split("(")[0].replace("*", "\\*") in card["detail"]


def test_nothing_is_folded_when_the_limit_is_just_enough_or_off():
    count = len(fire(MANY).cards)
    assert fire(MANY, count).codes == fire(MANY, 0).codes
    assert "more-recommendations" in fire(MANY, count - 1).codes


def test_the_gap_card_follows_the_folded_one():
    codes = fire(FOOT_DROP + "not read: [reports]", max_cards=1).codes
    assert codes[1:] == ["more-recommendations", "data-gap"]


def test_the_ledger_keeps_each_recommendation_when_it_was_folded():
    folded = fire(MANY, 2)
    kept = {record.recommendation_id: record for record in folded.decision.cards}
    assert list(kept) == fire(MANY).codes
    assert {record.uuid for record in kept.values() if record.state == "folded"} == {folded.cards[-1]["uuid"]}


# ---- red flags first


RED_FLAG = """
given:
  - {condition: foot drop, side: right, onset: 6 days ago}
  - {finding: saddle sensory loss, value: finding present, when: today}
"""


def test_a_critical_red_flag_stands_alone_when_it_is_certain():
    answered = fire(RED_FLAG + "not read: [procedures]")
    assert {card["indicator"] for card in answered.cards} == {"critical"}
    assert all(recommendation(code).sort.value == "red flag" for code in answered.codes)


def test_a_red_flag_silences_nothing_when_its_trigger_is_not_certain():
    answered = fire(FOOT_DROP + "not read: [findings]")
    assert "FD-AFO-01" in answered.codes
    assert "FD-RF-01" not in answered.codes


# ---- order hooks


def test_a_critique_judges_only_what_was_chosen():
    two = """
hook: order-select
given:
  - {condition: foot drop, side: both, onset: 6 days ago}
  - {in use: ankle-foot orthosis, side: both, when: 9 days ago}
drafted:
  - {order: ankle-foot orthosis, side: right%s}
  - {order: lower limb electrodiagnostics, side: left%s}
"""
    off = ", not selected: yes"
    ours = {"FD-AFO-03", "FD-EDX-02"}
    assert set(fire(two % ("", "")).codes) & ours == ours
    assert set(fire(two % ("", off)).codes) & ours == {"FD-AFO-03"}
    assert set(fire(two % (off, "")).codes) & ours == {"FD-EDX-02"}
    assert set(fire(two % (off, off)).codes) & ours == set()


def test_each_chosen_draft_is_judged_by_itself():
    answered = fire("""
hook: order-sign
given:
  - {condition: foot drop, side: both, onset: 60 days ago}
  - {in use: ankle-foot orthosis, side: left, when: 9 days ago}
drafted:
  - {order: ankle-foot orthosis, side: right}
  - {order: ankle-foot orthosis, side: left}
""")
    card = next(card for card in answered.cards if card["source"]["topic"]["code"] == "FD-AFO-03")
    deleted = [a["resourceId"] for s in card["suggestions"][:1] for a in s["actions"]]
    assert len(deleted) == 1, "the order for the right is the first one there"
    assert "(left)" in card["detail"]


# ---- the order of cards


def test_cards_stand_by_urgency_then_by_their_place():
    for case, answered in answered_cases():
        places = [(-evaluation.indicator.rank, evaluation.recommendation.order) for evaluation in _shown(answered)]
        assert places == sorted(places), case.name


def test_the_answer_does_not_depend_on_the_order_of_the_record():
    def said(request):
        return [
            (c["summary"], c["indicator"], [s["label"] for s in c.get("suggestions", [])])
            for c in answer(request).cards
        ]

    request = request_of("""
given:
  - {condition: foot drop, side: left, onset: 120 days ago}
  - {condition: common peroneal nerve lesion, side: left, onset: 100 days ago}
  - {condition: diabetes mellitus, onset: 5000 days ago}
  - {finding: ankle dorsiflexion strength, side: left, value: 3, when: 9 days ago}
  - {finding: ankle dorsiflexion strength, side: left, value: 3, when: 2 days ago}
  - {finding: 10-g monofilament, side: both, value: finding absent, when: 2 days ago}
""")
    first = said(request)
    for order in itertools.permutations(range(3)):
        shuffled = copy.deepcopy(request)
        for key in ("conditions", "observations"):
            entries = request["prefetch"][key]["entry"]
            shuffled["prefetch"][key]["entry"] = [entries[place] for place in order]
        assert said(shuffled) == first


def test_two_answers_to_one_call_differ_in_their_uuids_only():
    first, second = fire(MANY).cards, fire(MANY).cards
    uuids = [card["uuid"] for card in first + second] + [
        s["uuid"] for card in first + second for s in card["suggestions"]
    ]
    assert len(set(uuids)) == len(uuids)
    for card in first + second:
        del card["uuid"]
        for suggestion in card["suggestions"]:
            del suggestion["uuid"]
    assert first == second


def test_every_service_of_the_knowledge_answers():
    for service in knowledge().services:
        answered = fire(f"hook: {service.hook}\ngiven: [{{condition: low back pain, onset: 9 days ago}}]")
        assert answered.cards == []
