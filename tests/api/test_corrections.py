"""Where a dismissed card said that the record lacks something, later calls offer to correct the record (gate G6)."""

import json
import textwrap

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.test_snooze import by, dismiss, move, red_flag, shown, wait
from tests.api.world import (
    HCPCS,
    LATERALITY,
    PATIENT,
    RIGHT,
    SUBJECT,
    bundle,
    call,
    call_lines,
    condition,
    foot_drop,
    ledger_rows,
    orthosis,
    path_of,
    with_context,
)
from tests.conftest import Client, Clock
from tests.fhir.validation import complaints
from tests.knowledge.carpal_tunnel import FILES, write
from tests.knowledge.test_another_subject import call as wrist_call
from tests.knowledge.test_another_subject import carpal_tunnel

AFO, CAUSE, TESTS, KNEE = "FD-AFO-01", "FD-ETIO-01", "FD-EDX-01", "FD-RF-02"
OFFER, SYSTEM = "record-correction", "https://foot-drop-cds.example.org/fhir/CodeSystem/"
HAS_ONE, NOT_CODED, ELSEWHERE, IMAGED = (
    "has-an-orthosis-not-recorded-here",
    "cause-known-not-coded",
    "done-elsewhere",
    "ct-angiography-done-elsewhere",
)
VIEW, DISCHARGE = "patient-view", "encounter-discharge"


@pytest.fixture
def start(monkeypatch):
    monkeypatch.setattr("cds_service.decision.quieting._PATIENCE", 10)  # a busy machine is no ledger that is down
    started = []

    def make(**settings):
        clock = Clock()
        settings = {"database_url": "sqlite://", "max_cards": 0} | settings
        client = Client(create_app(Settings(**settings), clock))
        client.clock = clock
        started.append(client)
        return client

    yield make
    for client in started:
        client.close()


@pytest.fixture
def service(start):
    return start()


def view(**members):
    return call(VIEW, foot_drop(), **members)


def said(service, recommendation=AFO, reason=HAS_ONE, made=None):
    """Dismiss a card; the next call is another one, a little later."""
    dismiss(service, recommendation, reason, made)
    move(service, minutes=1)


def offered(service, made=None):
    """The offer on the next call, if there is one."""
    answer = service.fire(made or view())
    assert answer.status_code == 200, answer.text
    cards = [card for card in answer.json()["cards"] if card["source"]["topic"]["code"] == OFFER]
    assert len(cards) <= 1
    return cards[0] if cards else None


def cards_of(service, made=None):
    """The cards of a call by what they are about."""
    return {card["source"]["topic"]["code"]: card for card in service.fire(made or view()).json()["cards"]}


def tell(service, card, reason=None, at=None):
    """Report that a card was dismissed for a reason; or, without one, that its first suggestion was taken."""
    told = {"card": card["uuid"], "outcomeTimestamp": at or service.clock.at.isoformat()}
    if reason:
        coding = {"system": f"{SYSTEM}override-reasons", "code": reason}
        told |= {"outcome": "overridden", "overrideReason": {"reason": coding}}
    else:
        told |= {"outcome": "accepted", "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
    answer = service.post(f"{path_of(VIEW)}/feedback", json={"feedback": [told]})
    assert answer.json() == {"feedback": [{"status": "kept"}]}
    wait(service)
    move(service, minutes=1)


def orders(card):
    return [action["resource"] for suggestion in card["suggestions"] for action in suggestion["actions"]]


def labels(card):
    return [suggestion["label"] for suggestion in card["suggestions"]]


def in_use():
    """The orthosis, recorded at last."""
    made = view()
    made["prefetch"]["deviceUse"] = bundle(
        {
            "resourceType": "DeviceUseStatement",
            "id": "use-1",
            "status": "active",
            "subject": SUBJECT,
            "bodySite": RIGHT,
            "contained": [
                {
                    "resourceType": "Device",
                    "id": "d",
                    "type": {"coding": [{"system": HCPCS, "code": "L1960", "display": "Ankle-foot orthosis"}]},
                }
            ],
            "device": {"reference": "#d"},
        }
    )
    return made


# ---- the offer


def test_it_is_offered_next_time_and_not_in_the_call_in_which_the_card_was_dismissed(service):
    assert OFFER not in shown(service)
    before = shown(service)
    said(service)
    assert shown(service) == [code for code in before if code != AFO] + [OFFER]


def test_the_card_says_what_to_record_and_why(service):
    said(service)
    card = offered(service)
    reason, then = "Has an orthosis that is not recorded here", "the advice will take it into account."
    assert card["summary"] == f"Dismissed as “{reason}”: correct the record, and {then}"
    assert "the orthosis that the patient already has" in card["detail"]
    assert "Offer an ankle-foot orthosis when foot drop is untreated, right" in card["detail"]
    assert card["indicator"] == "info"
    assert card["selectionBehavior"] == "any"
    assert labels(card) == ["Record the orthosis that the patient already has"]
    assert card["source"]["topic"] == {
        "system": f"{SYSTEM}recommendations",
        "code": OFFER,
        "display": "Correction of the record",
    }
    assert {reason["code"] for reason in card["overrideReasons"]} == {
        "record-is-right",
        "somebody-else-records-it",
        "nothing-to-record-it-from",
    }
    for reason in card["overrideReasons"]:
        assert reason["system"] == f"{SYSTEM}override-reasons"
        assert reason["display"]


@pytest.mark.norm("ACT-1", "ACT-2", "ACT-3", "SUG-1", "SUG-2")
def test_its_order_is_complete_and_can_be_filed(service):
    said(service)
    answer = service.fire(view()).json()
    assert "systemActions" not in answer
    (suggestion,) = answer["cards"][-1]["suggestions"]
    (action,) = suggestion["actions"]
    assert action["type"] == "create"
    order = action["resource"]
    assert complaints(order) == []
    assert order["resourceType"] == "ServiceRequest"
    assert order["status"] == "draft"
    assert order["intent"] == "proposal"
    assert order["priority"] == "routine"
    assert order["subject"] == {"reference": f"Patient/{PATIENT}"}
    assert order["encounter"] == {"reference": "Encounter/enc-1"}
    assert order["requester"] == {"reference": "Practitioner/doc-1"}
    assert order["reasonReference"] == [{"reference": "Condition/c-1"}]
    assert order["category"]
    assert order["authoredOn"].startswith("2026-11-22T12:01")
    (coding,) = order["code"]["coding"]
    assert (coding["system"], coding["code"]) == (f"{SYSTEM}orderables", OFFER)
    assert order["note"] == [{"text": action["description"]}]
    assert action["description"].startswith("Record the orthosis that the patient already has.")
    assert "id" not in order


def test_two_things_to_record_stand_on_one_card_with_an_order_each(service):
    said(service)
    said(service, CAUSE, NOT_CODED)
    card = offered(service)
    assert card["summary"].startswith("By dismissed cards, this record lacks or misstates 2 things")
    assert len(card["summary"]) < 140
    assert sorted(labels(card)) == [
        "Record the cause of the foot drop, as a coded problem",
        "Record the orthosis that the patient already has",
    ]
    assert card["selectionBehavior"] == "any"
    assert len({one["uuid"] for one in card["suggestions"]}) == 2
    for order, label in zip(orders(card), labels(card), strict=True):
        assert complaints(order) == []
        assert order["note"][0]["text"].startswith(label)
    said_of = {label: order["note"][0]["text"] for order, label in zip(orders(card), labels(card), strict=True)}
    assert ["Offer an ankle-foot orthosis" in note for _, note in sorted(said_of.items())] == [False, True]
    assert ["Foot drop without an established cause" in note for _, note in sorted(said_of.items())] == [True, False]


def test_only_what_the_record_lacks_is_offered_when_another_card_is_quiet_for_another_reason(service):
    said(service)
    said(service, CAUSE, "goals-of-care-exclude-work-up")
    assert CAUSE not in shown(service)
    card = offered(service)
    assert len(card["suggestions"]) == 1
    assert "established cause" not in card["detail"]


def test_one_reason_on_two_cards_says_of_each_what_it_was_said_of(service):
    diabetic = call(VIEW, foot_drop(), condition("E11.9", "Type 2 diabetes", name="c-2"))
    feet = "FD-DM-01"
    said(service, TESTS, ELSEWHERE, diabetic)
    said(service, feet, ELSEWHERE, diabetic)
    first, second = sorted(labels(offered(service, diabetic)))
    assert "Diabetic foot examination" in first
    assert "Nerve conduction study" in second


def test_a_thing_that_two_users_have_named_is_offered_once(service):
    for card in [cards_of(service, by(user))[AFO] for user in ("one", "two")]:  # both see it before either dismisses it
        tell(service, card, HAS_ONE)
    assert len(offered(service)["suggestions"]) == 1


@pytest.mark.parametrize("hook", [VIEW, DISCHARGE])
def test_it_is_offered_when_a_record_is_opened_and_on_discharge(service, hook):
    said(service, CAUSE, NOT_CODED, call(DISCHARGE, foot_drop()))
    assert labels(offered(service, call(hook, foot_drop())))


def test_it_follows_the_recommendations_which_alone_are_counted_and_goes_before_the_gap_card(start):
    service = start(max_cards=1)
    made = view()
    made["prefetch"]["diagnosticReports"] = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "timeout"}],
    }
    assert shown(service, made)[0] == CAUSE
    said(service, CAUSE, NOT_CODED, made)
    assert shown(service, made) == [AFO, "more-recommendations", OFFER, "data-gap"]


def test_whoever_opens_the_record_is_offered_what_is_quiet_for_everybody(service):
    said(service)
    (order,) = orders(offered(service, by("somebody-else")))
    assert order["requester"] == {"reference": "Practitioner/somebody-else"}


# ---- no offer


@pytest.mark.parametrize("reason", ["declines-orthosis", "a-code-of-somebody-else", None])
def test_nothing_is_offered_when_the_reason_says_nothing_of_the_record(service, reason):
    said(service, AFO, reason)
    assert AFO not in shown(service)
    assert not offered(service)


def test_nothing_is_offered_while_orders_are_made(service):
    said(service, KNEE, IMAGED, red_flag())
    drafting = red_flag()
    made = call("order-select", drafts=[orthosis()]) | {"prefetch": drafting["prefetch"]}
    assert KNEE not in shown(service, made)
    assert not offered(service, made)
    assert offered(service, red_flag())


@pytest.mark.parametrize("user", [f"Patient/{PATIENT}", "RelatedPerson/a-daughter"])
def test_a_patient_or_a_relative_is_offered_nothing(service, user):
    said(service)
    made = with_context(view(), userId=user)
    assert AFO not in shown(service, made)
    assert not offered(service, made)
    assert offered(service)


def test_nothing_is_offered_for_another_patient(service):
    said(service)
    other = json.loads(json.dumps(view()).replace(PATIENT, "pat-other"))
    assert not offered(service, other)
    assert offered(service)


def test_nothing_is_offered_when_the_ledger_cannot_be_read(service, monkeypatch):
    said(service)
    assert offered(service)

    def fail(*_):
        raise TimeoutError

    monkeypatch.setattr("cds_service.ledger.database.Database.overrides", fail)
    assert AFO in shown(service)
    assert not offered(service)


def test_nothing_is_offered_beside_a_critical_red_flag(service):
    said(service)
    knee = condition("S83.104A", "Dislocation of the right knee", name="c-knee") | {"onsetDateTime": "2026-11-21"}
    assert shown(service, call(VIEW, foot_drop(), knee)) == [KNEE]
    assert offered(service)


# ---- how long


def test_it_is_offered_again_and_again_until_it_is_answered(service):
    said(service)
    for _ in range(3):
        assert offered(service)
        wait(service)
        move(service, minutes=1)


@pytest.mark.parametrize("reason", [None, "record-is-right"], ids=["accepted", "dismissed"])
def test_it_is_gone_for_everybody_once_it_was_answered(service, reason):
    said(service)
    tell(service, offered(service), reason)
    assert AFO not in shown(service)
    assert not offered(service)
    assert not offered(service, by("somebody-else"))


def test_what_is_dismissed_later_is_offered_again(service):
    said(service)
    tell(service, offered(service))
    said(service, CAUSE, NOT_CODED)
    assert labels(offered(service)) == ["Record the cause of the foot drop, as a coded problem"]


def test_what_is_dismissed_beside_an_offer_is_not_answered_with_it(service):
    said(service)
    cards = cards_of(service)
    tell(service, cards[CAUSE], NOT_CODED)
    tell(service, cards[OFFER])
    assert labels(offered(service)) == ["Record the cause of the foot drop, as a coded problem"]


def test_what_was_left_open_on_a_screen_and_is_dismissed_after_an_answer_is_offered(service):
    left_open = cards_of(service)
    move(service, minutes=1)
    said(service)
    tell(service, offered(service))
    tell(service, left_open[CAUSE], NOT_CODED)
    assert labels(offered(service)) == ["Record the cause of the foot drop, as a coded problem"]


def test_an_answer_far_ahead_of_the_clock_is_none(service):
    said(service)
    tell(service, offered(service), at="2099-01-01T00:00:00Z")
    assert offered(service)


def test_an_answer_for_one_patient_is_none_for_another(service):
    other = json.loads(json.dumps(view()).replace(PATIENT, "pat-other"))
    said(service)
    said(service, made=other)
    tell(service, offered(service))
    assert not offered(service)
    assert offered(service, other)


def test_it_is_gone_by_itself_when_the_record_was_corrected(service):
    said(service)
    assert offered(service)
    assert AFO not in shown(service, in_use())
    assert not offered(service, in_use())


def test_it_is_gone_when_the_card_is_no_longer_quiet(service):
    said(service, CAUSE, NOT_CODED)  # a warning: quiet for 30 days
    move(service, days=29)
    assert offered(service)
    move(service, days=1)
    assert CAUSE in shown(service)
    assert not offered(service)


def test_a_change_of_mind_takes_the_offer_back(service):
    card = cards_of(service)[AFO]
    tell(service, card, HAS_ONE)
    assert offered(service)
    tell(service, card)
    assert not offered(service)


# ---- in the ledger and in the log


def test_it_is_in_the_ledger_as_a_card_of_its_own_with_what_became_of_it(start, tmp_path):
    file = tmp_path / "ledger.sqlite3"
    service = start(database_url=f"sqlite:///{file}")
    said(service)
    card = offered(service)
    tell(service, card, "somebody-else-records-it")
    query = f"""SELECT uuid, state, indicator, suggestion_uuids, version, outcome, reason_code
        FROM card WHERE recommendation_id = '{OFFER}'"""
    (row,) = ledger_rows(file, query)
    fingerprint = service.get("/health/ready").json()["knowledge"]
    uuids = json.dumps([card["suggestions"][0]["uuid"]])
    assert row == (card["uuid"], "returned", "info", uuids, fingerprint, "overridden", "somebody-else-records-it")


def test_it_is_named_in_the_log(service, caplog):
    caplog.set_level("INFO")
    said(service)
    caplog.clear()
    offered(service)
    (line,) = call_lines(caplog)
    assert OFFER in line["returned"]
    assert line["snoozed"] == [AFO]


def test_the_metrics_do_not_take_it_for_a_recommendation(service):
    said(service)
    assert offered(service)
    assert OFFER not in service.get("/metrics").text


# ---- with other knowledge


@pytest.fixture
def wrists(start, tmp_path):
    """Knowledge of wrists, in which a reason can be about the moment; asked by one user or another."""

    def make(about):
        reasons = textwrap.dedent(FILES["override_reasons.yaml"]).replace("to record:", f"about: {about}, to record:")
        service = start(cards_dir=write(tmp_path, override_reasons=reasons))

        def topics(user):
            made = with_context(wrist_call([carpal_tunnel("2026-10-01")]), userId=f"Practitioner/{user}")
            answer = service.post("/cds-services/wrist-view", json=made)
            return {card["source"]["topic"]["code"]: card for card in answer.json()["cards"]}

        def dismiss_it(user):
            told = {
                "card": topics(user)["CTS-1"]["uuid"],
                "outcome": "overridden",
                "outcomeTimestamp": service.clock.at.isoformat(),
                "overrideReason": {"reason": {"system": "https://wrist.example.org/reasons", "code": "splint-at-home"}},
            }
            service.post("/cds-services/wrist-view/feedback", json={"feedback": [told]})
            wait(service)
            move(service, minutes=1)

        return topics, dismiss_it

    return make


def test_a_reason_about_the_patient_is_offered_to_every_user_and_one_about_the_moment_to_its_own(wrists):
    topics, dismiss_it = wrists("moment")
    dismiss_it("one")
    assert list(topics("one")) == [OFFER]
    assert list(topics("two")) == ["CTS-1"]


def test_another_subject_offers_its_own_order_in_its_own_words(wrists):
    topics, dismiss_it = wrists("patient")
    dismiss_it("one")
    card = topics("two")[OFFER]
    assert card["summary"] == "You said: Has a splint at home. Write it down?"
    assert labels(card) == ["Write down the splint at home"]
    (order,) = orders(card)
    assert complaints(order) == []
    assert order["code"]["coding"][0]["code"] == "chart-note"


def test_an_orthosis_for_the_other_side_does_not_correct_the_record(service):
    said(service)
    left = in_use()
    statement = left["prefetch"]["deviceUse"]["entry"][0]["resource"]
    statement["bodySite"] = {"coding": [{"system": LATERALITY["coding"][0]["system"], "code": "7771000"}]}
    assert offered(service, left)
