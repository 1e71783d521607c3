"""A card that was dismissed stays quiet for this patient, as long as its reason and its indicator say (gate G6)."""

import datetime as dt
import json
import time

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.world import (
    CLINICAL,
    PATIENT,
    call,
    call_lines,
    codes,
    condition,
    foot_drop,
    orthosis,
    path_of,
    with_context,
)
from tests.conftest import Client, Clock

AFO, CAUSE = "FD-AFO-01", "FD-ETIO-01"
REASONS = "https://foot-drop-cds.example.org/fhir/CodeSystem/override-reasons"
RESOLVED = {"coding": [{"system": CLINICAL, "code": "resolved"}]}
PATIENTS_OWN, MOMENTARY, SHORT = "declines-orthosis", "red-flag-present", "recovery-expected-within-days"


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr("cds_service.decision.quieting._PATIENCE", 10)  # a busy machine is no ledger that is down
    clock = Clock()
    client = Client(create_app(Settings(database_url="sqlite://", max_cards=0), clock))
    client.clock = clock
    yield client
    client.close()


def shown(service, made=None):
    return codes(service.fire(made or call("patient-view", foot_drop())))


def move(service, **period):
    service.clock.at += dt.timedelta(**period)


def dismiss(service, recommendation, reason=PATIENTS_OWN, made=None, outcome="overridden", **entry):
    """Dismiss the card of a recommendation; wait until the ledger has it, as people take longer than that."""
    made = made or call("patient-view", foot_drop())
    cards = service.fire(made).json()["cards"]
    card = next(one for one in cards if one["source"]["topic"]["code"] == recommendation)
    told = {"card": card["uuid"], "outcome": outcome, "outcomeTimestamp": service.clock.at.isoformat(), **entry}
    if outcome == "overridden" and reason:
        told["overrideReason"] = {"reason": {"system": REASONS, "code": reason, "display": "said"}}
    if outcome == "accepted":
        told["acceptedSuggestions"] = [{"id": card["suggestions"][0]["uuid"]}]
    answer = service.post(f"{path_of(made['hook'])}/feedback", json={"feedback": [told]})
    assert answer.status_code == 200, answer.text
    wait(service)


def wait(service):
    end = time.monotonic() + 5
    while service.get("/health/ready").json()["ledger"]["journal"]["waiting"]:
        assert time.monotonic() < end
        time.sleep(0.01)


def by(user, made=None):
    return with_context(made or call("patient-view", foot_drop()), userId=f"Practitioner/{user}")


def test_a_card_is_not_quiet_because_it_was_shown(service):
    assert AFO in shown(service)
    wait(service)
    assert AFO in shown(service)


def test_a_dismissed_card_is_quiet_and_the_others_are_not(service):
    before = shown(service)
    dismiss(service, AFO)
    assert shown(service) == [code for code in before if code != AFO]


def test_an_accepted_card_is_not_quiet(service):
    dismiss(service, AFO, outcome="accepted")
    assert AFO in shown(service)


def test_a_change_of_mind_brings_the_card_back(service):
    made = call("patient-view", foot_drop())
    card = next(c for c in service.fire(made).json()["cards"] if c["source"]["topic"]["code"] == AFO)
    for minutes, outcome in ((0, "overridden"), (5, "accepted")):
        told = {
            "card": card["uuid"],
            "outcome": outcome,
            "outcomeTimestamp": (service.clock.at + dt.timedelta(minutes=minutes)).isoformat(),
        }
        more = {"acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]} if outcome == "accepted" else {}
        service.post(f"{path_of('patient-view')}/feedback", json={"feedback": [told | more]})
    wait(service)
    assert AFO in shown(service)


@pytest.mark.parametrize(("recommendation", "days"), [(AFO, 90), (CAUSE, 30)])
def test_it_comes_back_when_the_period_of_its_indicator_is_over(service, recommendation, days):
    dismiss(service, recommendation, "patient-declines")
    move(service, days=days, seconds=-1)
    assert recommendation not in shown(service)
    move(service, seconds=1)
    assert recommendation in shown(service)


def test_a_reason_that_soon_passes_has_a_period_of_its_own(service):
    dismiss(service, AFO, SHORT)
    move(service, days=7, seconds=-1)
    assert AFO not in shown(service)
    move(service, seconds=1)
    assert AFO in shown(service)


def test_a_reason_about_the_patient_quiets_it_for_everybody_and_one_about_the_moment_for_that_user(service):
    dismiss(service, AFO, PATIENTS_OWN, by("one"))
    assert AFO not in shown(service, by("two"))
    dismiss(service, CAUSE, MOMENTARY, by("one"))
    assert CAUSE not in shown(service, by("one"))
    assert CAUSE in shown(service, by("two"))


@pytest.mark.parametrize("reason", [None, "a-code-of-somebody-else"])
def test_without_a_reason_that_we_know_it_is_quiet_for_that_user_only(service, reason):
    dismiss(service, AFO, reason, by("one"))
    assert AFO not in shown(service, by("one"))
    assert AFO in shown(service, by("two"))


def test_it_is_quiet_for_that_patient_only(service):
    dismiss(service, AFO)
    assert AFO not in shown(service)
    made = call("patient-view", foot_drop())
    assert AFO in shown(service, json.loads(json.dumps(made).replace(PATIENT, "pat-other")))


def test_it_comes_back_when_its_indicator_rises(service):
    dismiss(service, AFO)
    assert AFO not in shown(service)
    assert AFO in shown(service, call("encounter-discharge", foot_drop()))  # there it is a warning


def test_it_comes_back_for_a_side_that_was_not_dismissed(service):
    dismiss(service, AFO)
    assert AFO not in shown(service)
    other = condition("M21.372", "Foot drop, left foot", name="c-2") | {"onsetDateTime": "2026-10-20"}
    assert AFO in shown(service, call("patient-view", foot_drop(), other))


def test_it_comes_back_in_a_new_spell_of_foot_drop(service):
    dismiss(service, AFO)
    assert AFO not in shown(service)
    ended = foot_drop(
        clinicalStatus=RESOLVED,
        abatementDateTime="2026-11-23",
    )
    again = foot_drop(id="c-9", onsetDateTime="2026-11-25")
    move(service, days=5)
    assert AFO in shown(service, call("patient-view", ended, again))


def test_a_second_side_in_the_same_spell_does_not_begin_a_new_one(service):
    both = call(
        "patient-view",
        foot_drop(),
        condition("M21.372", "Foot drop, left foot", name="c-2") | {"onsetDateTime": "2026-11-01"},
    )
    dismiss(service, AFO, made=both)
    resolved = foot_drop(
        clinicalStatus=RESOLVED,
        abatementDateTime="2026-11-24",
    )
    move(service, days=5)
    left = condition("M21.372", "Foot drop, left foot", name="c-2") | {"onsetDateTime": "2026-11-01"}
    assert AFO not in shown(service, call("patient-view", resolved, left))


def test_a_time_far_ahead_of_the_clock_quiets_nothing_and_one_a_little_ahead_does(service):
    ahead = dt.timedelta(hours=3)
    dismiss(service, AFO, outcomeTimestamp=(service.clock.at + ahead).isoformat())
    assert AFO not in shown(service)
    dismiss(service, CAUSE, "patient-declines", outcomeTimestamp="2099-01-01T00:00:00Z")
    assert CAUSE in shown(service)


def test_what_only_a_quiet_card_hangs_on_is_no_gap(service):
    made = call("patient-view", foot_drop())
    made["prefetch"]["deviceRequests"] = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "timeout"}],
    }
    dismiss(service, AFO, made=made)
    answer = service.fire(made)
    assert AFO not in codes(answer)
    assert "data-gap" not in codes(answer)
    assert "extension" not in answer.json()


def red_flag():
    """A dislocated knee with foot drop: a red flag."""
    knee = condition("S83.104A", "Dislocation of the right knee", name="c-knee") | {"onsetDateTime": "2026-11-21"}
    return call("patient-view", foot_drop(onsetDateTime="2026-11-21"), knee)


def test_a_red_flag_is_quiet_within_the_encounter_only(service):
    flags = [code for code in shown(service, red_flag()) if code.startswith("FD-RF")]
    assert flags
    dismiss(service, flags[0], "surgeon-at-bedside", red_flag())
    assert flags[0] not in shown(service, red_flag())
    assert flags[0] in shown(service, with_context(red_flag(), encounterId="enc-2"))
    assert flags[0] in shown(service, with_context(red_flag(), encounterId=None))


def test_nothing_is_quiet_when_the_conditions_may_hold_another_spell(service):
    flag = next(code for code in shown(service, red_flag()) if code.startswith("FD-RF"))
    dismiss(service, flag, "surgeon-at-bedside", red_flag())
    cut = red_flag()
    assert flag not in shown(service, cut)
    cut["prefetch"]["conditions"]["link"] = [{"relation": "next", "url": "more"}]
    assert flag in shown(service, cut)


def test_the_card_shows_when_the_ledger_cannot_be_read(service, monkeypatch):
    dismiss(service, AFO)
    assert AFO not in shown(service)

    def fail(*_):
        raise TimeoutError

    monkeypatch.setattr("cds_service.ledger.database.Database.overrides", fail)
    assert AFO in shown(service)


def test_nothing_is_looked_up_when_there_is_no_card_to_quiet(service, monkeypatch):
    def fail(*_):
        raise AssertionError("looked up")

    monkeypatch.setattr("cds_service.ledger.ledger.Ledger.overrides", fail)
    assert shown(service, call("patient-view", condition("I10", "Hypertension"))) == []


def test_a_quiet_card_is_named_in_the_log_and_kept_in_the_ledger(service, caplog):
    caplog.set_level("INFO")
    dismiss(service, AFO)
    caplog.clear()
    shown(service)
    (line,) = call_lines(caplog)
    assert line["snoozed"] == [AFO]


def test_a_critique_of_a_draft_is_quiet_after_it_was_dismissed(service):
    made = call("order-sign", foot_drop(), orthosis("order-1", "active"), drafts=[orthosis()])
    code = next(one for one in shown(service, made) if one.startswith("FD-AFO"))
    dismiss(service, code, "second-pair-or-other-footwear", made)
    assert code not in shown(service, made)
