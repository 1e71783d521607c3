"""`POST /cds-services/{id}/feedback`: what users did with the cards."""

import json
import sqlite3
import uuid
from contextlib import closing

import pytest

from tests.api.world import call, every_hook, foot_drop, path_of, problem

PATH = f"{path_of('patient-view')}/feedback"
COMMENT = "Frau Mustermann will keine Schiene"


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


@pytest.mark.norm("FBK-1", "FBK-2", "FBK-3", "FBK-4", "FBK-5", "FBK-6", "FBK-7", "FBK-8", "FBK-11")
def test_an_acceptance_and_a_dismissal_are_stored(client, card):
    answer = report(client, accepted(card), overridden(card))
    assert (answer.status_code, answer.json()) == (200, {"stored": 2, "repeated": 0, "unknown": 0})


@pytest.mark.norm("FBK-9")
def test_the_same_report_again_changes_nothing(client, card):
    report(client, accepted(card))
    assert report(client, accepted(card), accepted(card)).json() == {"stored": 0, "repeated": 2, "unknown": 0}


@pytest.mark.norm("FBK-10")
def test_a_dismissal_needs_no_reason(client, card):
    bare = overridden(card)
    del bare["overrideReason"]
    assert report(client, bare).json()["stored"] == 1


def test_a_card_that_nobody_was_shown_is_counted_and_not_refused(client, card):
    stranger = accepted(card, card=str(uuid.uuid4()))
    assert report(client, stranger).json() == {"stored": 1, "repeated": 0, "unknown": 1}
    assert report(client, accepted(card, card="no uuid at all")).json() == {"stored": 0, "repeated": 0, "unknown": 1}


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
    assert report(client, overridden(card)).json()["stored"] == 1  # nothing of the refused report was kept


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
    with closing(sqlite3.connect(file)) as ledger:
        stored = json.dumps(ledger.execute("SELECT * FROM feedback").fetchall())
    assert card["uuid"] in stored
    assert "Mustermann" not in stored


def test_what_was_returned_is_in_the_ledger_with_what_became_of_it(client_with, tmp_path):
    file = tmp_path / "ledger.sqlite3"
    served = client_with(database_url=f"sqlite:///{file}")
    answer = served.fire(call("patient-view", foot_drop()))
    report(served, accepted(answer.json()["cards"][0]))
    with closing(sqlite3.connect(file)) as ledger:
        cards = {row[0] for row in ledger.execute("SELECT uuid FROM card")}
        (feedback,) = ledger.execute("SELECT card_uuid, outcome FROM feedback").fetchall()
        everything = json.dumps([ledger.execute(f"SELECT * FROM {name}").fetchall() for name in ("decision", "card")])
    assert cards == {card["uuid"] for card in answer.json()["cards"]}
    assert feedback == (answer.json()["cards"][0]["uuid"], "accepted")
    assert "pat-77" not in everything
    assert "doc-1" not in everything


def test_more_reports_than_a_thousand_at_once_are_refused(client, card):
    answer = report(client, *[accepted(card)] * 1001)
    assert answer.status_code == 413
    assert report(client, *[accepted(card)] * 1000).json() == {"stored": 1, "repeated": 999, "unknown": 0}


def test_a_body_of_reports_above_a_mebibyte_is_refused(client, card):
    assert report(client, accepted(card, padding="x" * 1024 * 1024)).status_code == 413
