"""`POST /cds-services/{id}/feedback`: what users did with the cards."""

import json
import uuid

import pytest

from tests.api.world import call, every_hook, foot_drop, ledger_rows, path_of, problem

PATH = f"{path_of('patient-view')}/feedback"
COMMENT = "Frau Mustermann will keine Schiene"


@pytest.fixture
def client(client_with):
    """A service of its own: what is dismissed here is quiet nowhere else."""
    return client_with()


@pytest.fixture
def card(client):
    return client.fire(every_hook()["patient-view"]).json()["cards"][0]


def accepted(shown, **members):
    return {
        "card": shown["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": shown["suggestions"][0]["uuid"]}],
        "outcomeTimestamp": "2026-11-22T12:00:01.5Z",
    } | members


def overridden(shown, **members):
    reason = {name: shown["overrideReasons"][0][name] for name in ("system", "code")}
    return {
        "card": shown["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": reason},
        "outcomeTimestamp": "2026-11-22T12:00:02Z",
    } | members


def report(client, *entries, path=PATH):
    return client.post(path, json={"feedback": list(entries)})


def said(answer):
    """What an answer says of each entry."""
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["feedback"]
    assert all(list(one) == ["status"] for one in answer.json()["feedback"])
    return [one["status"] for one in answer.json()["feedback"]]


@pytest.mark.norm("FBK-1", "FBK-2", "FBK-3", "FBK-4", "FBK-5", "FBK-6", "FBK-7", "FBK-8", "FBK-11")
def test_an_acceptance_and_a_dismissal_are_kept(client, card):
    assert said(report(client, accepted(card), overridden(card))) == ["kept", "kept"]


@pytest.mark.norm("FBK-9")
def test_the_same_report_again_changes_nothing(client_with, tmp_path):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    shown = served.fire(every_hook()["patient-view"]).json()["cards"][0]
    assert said(report(served, accepted(shown))) == ["kept"]
    assert said(report(served, accepted(shown), accepted(shown))) == ["kept", "kept"]
    assert ledger_rows(tmp_path / "ledger.sqlite3", "SELECT count(*) FROM feedback") == [(1,)]


@pytest.mark.norm("FBK-10")
def test_a_dismissal_needs_no_reason(client, card):
    bare = overridden(card)
    del bare["overrideReason"]
    assert said(report(client, bare)) == ["kept"]


def test_each_entry_is_answered_in_its_place_when_some_name_no_card_of_ours(client, card):
    stranger = accepted(card, card=str(uuid.uuid4()))
    nothing = accepted(card, card="no uuid at all")
    answer = report(client, nothing, stranger, accepted(card), stranger, overridden(card), nothing)
    assert said(answer) == [
        "no card of this service",
        "kept, no such card yet",
        "kept",
        "kept, no such card yet",
        "kept",
        "no card of this service",
    ]


def test_a_report_of_nothing_but_foreign_cards_is_answered_and_nothing_is_kept(client_with, card, tmp_path):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3")
    assert said(report(served, accepted(card, card="no uuid at all"))) == ["no card of this service"]
    served.fire(every_hook()["patient-view"])  # so that there are tables
    assert ledger_rows(tmp_path / "ledger.sqlite3", "SELECT count(*) FROM feedback") == [(0,)]


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"card": ""}, "feedback[0].card"),
        ({"outcome": "ignored"}, "feedback[0].outcome"),
        ({"acceptedSuggestions": []}, "feedback[0].acceptedSuggestions"),
        ({"acceptedSuggestions": [{"id": 7}]}, "feedback[0].acceptedSuggestions[0].id"),
        ({"outcomeTimestamp": "yesterday"}, "feedback[0].outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-11-22T12:00:00"}, "feedback[0].outcomeTimestamp"),
        ({"overrideReason": {}}, "feedback[0].overrideReason"),
    ],
)
def test_a_bad_entry_refuses_the_whole_report_and_is_named(client, card, change, member):
    (expression,) = problem(report(client, accepted(card, **change), overridden(card)), 400)["expression"]
    assert expression.replace("[...]", "[0]").startswith(member)
    assert said(report(client, overridden(card))) == ["kept"]


@pytest.mark.parametrize("body", [{}, {"feedback": []}, {"feedback": None}, {"feedback": {}}])
def test_a_report_of_nothing_is_refused(client, body):
    assert problem(client.post(PATH, json=body), 400)["expression"] == ["feedback"]


def test_text_that_a_user_or_a_client_wrote_is_never_stored(client_with, tmp_path):
    file = tmp_path / "ledger.sqlite3"
    served = client_with(database_url=f"sqlite:///{file}")
    card = served.fire(call("patient-view", foot_drop())).json()["cards"][0]
    free = {"system": COMMENT, "code": "x", "display": COMMENT}
    entries = [
        overridden(card, overrideReason={"userComment": COMMENT}),
        overridden(card, overrideReason={"reason": free, "userComment": COMMENT}),
        overridden(card, overrideReason={"reason": {"system": "urn:x", "code": COMMENT}}),
        accepted(card, acceptedSuggestions=[{"id": COMMENT}]),
    ]
    assert report(served, *entries).status_code == 200
    stored = json.dumps(ledger_rows(file, "SELECT * FROM feedback"))
    assert card["uuid"] in stored
    assert "Mustermann" not in stored


def test_what_was_returned_is_in_the_ledger_with_what_became_of_it(client_with, tmp_path):
    file = tmp_path / "ledger.sqlite3"
    served = client_with(database_url=f"sqlite:///{file}")
    answer = served.fire(call("patient-view", foot_drop()))
    report(served, accepted(answer.json()["cards"][0]))
    cards = {shown for (shown,) in ledger_rows(file, "SELECT uuid FROM card")}
    (feedback,) = ledger_rows(file, "SELECT card_uuid, outcome FROM feedback")
    everything = json.dumps([ledger_rows(file, f"SELECT * FROM {name}") for name in ("call", "card", "feedback")])
    assert cards == {card["uuid"] for card in answer.json()["cards"]}
    assert feedback == (answer.json()["cards"][0]["uuid"], "accepted")
    assert "pat-77" not in everything
    assert "doc-1" not in everything


def test_more_reports_than_a_thousand_at_once_are_refused(client, card):
    answer = report(client, *[accepted(card)] * 1001)
    assert answer.status_code == 413
    assert said(report(client, *[accepted(card)] * 1000)) == ["kept"] * 1000


def test_a_body_of_reports_above_a_mebibyte_is_refused(client, card):
    assert report(client, accepted(card, padding="x" * 1024 * 1024)).status_code == 413


def test_a_uuid_is_the_same_in_capital_letters(client, card):
    shouted = accepted(card) | {"card": card["uuid"].upper()}
    assert said(report(client, shouted)) == ["kept"]
