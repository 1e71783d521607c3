"""The ledger as callers, operators and readers of its files meet it: over HTTP, on both databases."""

import json
from functools import cache
from uuid import uuid4

import pytest

from cds_service.knowledge.loader import load_knowledge
from cds_service.ledger import open_pseudonyms
from tests.api.world import call, foot_drop, path_of, problem, wait_until, with_context
from tests.ledger.stores import TABLES

VIEW = path_of("patient-view")
WHO = {
    "patient": "ZZMARK-patient-77",
    "user": "Practitioner/ZZMARK-doc",
    "encounter": "ZZMARK-enc-1",
}


@pytest.fixture(scope="module")
def _knowledge():
    return cache(load_knowledge)


@pytest.fixture
def serve(client_with, store, monkeypatch, _knowledge):
    """The service on this test's database. It reads the knowledge once for all tests."""
    monkeypatch.setattr("cds_service.app.load_knowledge", _knowledge)

    def start(**settings):
        files = {"journal_file": store.folder / "journal.sqlite3", "ledger_key_file": store.folder / "ledger.key"}
        return client_with(database_url=store.url, **files, **settings)

    return start


def view(**context):
    return with_context(call("patient-view", foot_drop()), **context)


def state(client):
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    return answer.json()["ledger"]


def delivered(client):
    wait_until(lambda: state(client)["journal"]["waiting"] == 0, "the journal to drain")


def entry(card, **members):
    overridden = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-11-22T12:00:00Z"}
    return overridden | members


def statuses(client, *entries):
    answer = client.post(f"{VIEW}/feedback", json={"feedback": entries})
    assert answer.status_code == 200, answer.text
    return [one["status"] for one in answer.json()["feedback"]]


def test_a_call_its_cards_and_its_feedback_are_in_the_database(serve, store):
    served = serve()
    cards = served.fire(view()).json()["cards"]
    reason = {"reason": {name: cards[0]["overrideReasons"][0][name] for name in ("system", "code")}}
    assert statuses(served, entry(cards[0], overrideReason=reason)) == ["kept"]
    delivered(served)
    assert store.rows("call", "client", "hook", "outcome") == [("open", "patient-view", "complete with cards")]
    assert {uuid for (uuid,) in store.rows("card", "uuid")} == {card["uuid"] for card in cards}
    standing = {uuid: found for (uuid, _), found in store.standing().items()}
    assert standing[cards[0]["uuid"]][0] == "overridden"
    assert standing[cards[0]["uuid"]][3] == cards[0]["overrideReasons"][0]["code"]
    (timings,) = store.rows("call", "parse_ms", "fetch_ms", "decide_ms")
    assert all(0 <= one < 10_000 for one in timings)


def test_what_is_acknowledged_can_be_kept_whatever_a_client_puts_into_a_report(serve, store):
    served = serve()
    (card, *_) = served.fire(view()).json()["cards"]
    long = {"system": "urn:" + "x" * 199, "code": "c"}
    longer = {"system": "s" * 300 + ":" + "x" * 100, "code": "c" * 64}
    many = [{"id": str(uuid4())} for _ in range(3000)]
    entries = [
        entry(card, outcomeTimestamp="2026-11-22T12:00:01Z", overrideReason={"reason": long}),
        entry(card, outcomeTimestamp="2026-11-22T12:00:02Z", overrideReason={"reason": longer}),
        entry(card, outcomeTimestamp="2026-11-22T12:00:03Z", outcome="accepted", acceptedSuggestions=many),
        entry(card, outcomeTimestamp="0001-01-01T00:00:00Z"),
        entry(card, outcomeTimestamp="9999-12-31T23:59:59.999999Z"),
        entry(card, outcomeTimestamp="2026-11-22T12:00:04+23:59"),
    ]
    assert statuses(served, *entries) == ["kept"] * len(entries)
    delivered(served)
    assert len(store.rows("feedback")) == len(entries)


def test_no_file_of_the_ledger_holds_a_patient_a_user_an_encounter_or_a_comment(serve, store):
    served = serve()
    made = view(patientId=WHO["patient"], userId=WHO["user"], encounterId=WHO["encounter"])
    made["prefetch"] = json.loads(json.dumps(made["prefetch"]).replace("pat-77", WHO["patient"]))
    store.go_down() if "postgresql" in store.url else None  # what waits in the journal is looked at too
    (card, *_) = served.fire(made).json()["cards"]
    comment = {"userComment": "ZZMARK wants no brace"}
    assert statuses(served, entry(card, overrideReason=comment)) == ["kept"]
    written = b"".join(file.read_bytes() for file in store.folder.iterdir())
    store.come_back()
    delivered(served)
    written += b"".join(file.read_bytes() for file in store.folder.iterdir())
    rows = json.dumps([store.rows(name) for name in TABLES], default=str)
    assert b"ZZMARK" not in written
    assert b"Foot drop, right" not in written
    assert "ZZMARK" not in rows
    hashes = open_pseudonyms(store.url, store.folder / "ledger.key")
    assert store.rows("call", *WHO) == [tuple(hashes.of("open", kind, WHO[kind]) for kind in WHO)]
    assert all(hashes.of("open", kind, WHO[kind]).encode() in written for kind in WHO)


def test_the_same_patient_is_found_under_one_hash_and_another_under_another(serve, store):
    served = serve()
    for user in ("Practitioner/a", "Practitioner/b"):
        served.fire(view(userId=user))
    delivered(served)
    assert len(set(store.rows("call", "patient"))) == 1
    assert len(set(store.rows("call", "user"))) == 2


def test_health_tells_how_the_ledger_is(serve, store, impatient):  # noqa: ARG001  # the courier looks again soon
    served = serve(journal_limit=50)
    served.fire(view())
    delivered(served)
    well = {"database": "up", "journal": {"waiting": 0, "limit": 50}}
    assert well.items() <= state(served).items()
    store.go_down()
    for _ in range(3):
        served.fire(view())
    wait_until(lambda: state(served)["database"] == "cannot be had", "health to say so")
    assert state(served)["journal"] == {"waiting": 3, "limit": 50}
    store.come_back()
    delivered(served)
    wait_until(lambda: state(served)["database"] == "up", "health to say so")
    assert len(store.rows("call")) == 4


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # the journal is the same before both
def test_advice_is_given_and_its_loss_is_logged_when_the_journal_is_full(serve, store, impatient, caplog):  # noqa: ARG001
    served = serve(journal_limit=2, when_journal_is_full="advise")
    store.go_down()
    for _ in range(4):
        assert served.fire(view()).json()["cards"]
    assert caplog.text.count("is not in the ledger: ") == 2
    store.come_back()
    delivered(served)
    assert served.fire(view()).json()["cards"]
    delivered(served)
    assert len(store.rows("call")) == 3


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # the journal is the same before both
def test_a_call_is_refused_with_when_to_come_back_when_the_journal_is_full(serve, store, impatient):  # noqa: ARG001
    served = serve(journal_limit=2, when_journal_is_full="refuse")
    store.go_down()
    for _ in range(2):
        assert served.fire(view()).json()["cards"]
    refused = served.fire(view())
    assert problem(refused, 503)["code"] == "throttled"
    assert int(refused.headers["retry-after"]) >= 1
    assert "cards" not in refused.json()
    store.come_back()
    delivered(served)
    assert served.fire(view()).status_code == 200
    delivered(served)
    assert len(store.rows("call")) == 3


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # the journal is the same before both
@pytest.mark.parametrize("policy", ["advise", "refuse"])
def test_feedback_is_never_acknowledged_when_the_journal_is_full(serve, store, impatient, policy):  # noqa: ARG001
    served = serve(journal_limit=1, when_journal_is_full=policy)
    store.go_down()
    (card, *_) = served.fire(view()).json()["cards"]
    refused = served.post(f"{VIEW}/feedback", json={"feedback": [entry(card)]})
    assert problem(refused, 503)["code"] == "throttled"
    assert int(refused.headers["retry-after"]) >= 1
    store.come_back()
    delivered(served)
    assert store.rows("feedback") == []
    assert statuses(served, entry(card)) == ["kept"]
