"""What was agreed about pace, and what the audit says of those who were let in and those who were not."""

import json

import pytest

from tests.api.world import call, foot_drop, path_of, wait_until
from tests.trust.registered import Secured
from tests.trust.token_maker import MAIN, PINNED, KeyServer

VIEW = path_of("patient-view")
FOOT_DROP = call("patient-view", foot_drop())


@pytest.fixture
def secured(tmp_path):
    server = KeyServer()
    made = Secured(tmp_path, server.base, {"pinned": {"calls a minute": 12}}, audit_file=tmp_path / "audit.jsonl")
    yield made
    made.close()
    server.close()


def audited(secured, count):
    file = secured.file.parent / "audit.jsonl"

    def entries():
        return [json.loads(line) for line in file.read_text().splitlines()]

    wait_until(lambda: sum(one["event"] == "call" for one in entries()) >= count, "the audit")
    return [one for one in entries() if one["event"] == "call"]


def test_a_client_that_calls_faster_than_agreed_is_told_to_wait_and_others_are_not(secured):
    answers = [secured.fire(FOOT_DROP, PINNED) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert secured.fire(FOOT_DROP, MAIN).status_code == 200


def test_the_audit_says_who_called_what_was_returned_and_why_not(secured):
    good = secured.token(VIEW, MAIN, tenant="north")
    cards = secured.send(good, VIEW, FOOT_DROP).json()["cards"]
    secured.send(good, VIEW, FOOT_DROP)
    secured.send([], VIEW, FOOT_DROP)
    answered, replayed, nobody = audited(secured, 3)
    assert (answered["client"], answered["tenant"], answered["status"]) == ("ehr", "north", 200)
    assert [one["card"] for one in answered["cards"] if one["state"] == "returned"] == [one["uuid"] for one in cards]
    assert (replayed["client"], replayed["status"], replayed["reason"]) == ("ehr", 401, "replayed")
    assert (nobody["client"], nobody["status"], nobody["reason"]) == ("unknown", 401, "no_token")


def test_the_audit_has_nothing_of_the_patient_or_the_token(secured):
    token = secured.token(VIEW, MAIN)
    assert secured.send(token, VIEW, FOOT_DROP).status_code == 200
    audited(secured, 1)
    text = (secured.file.parent / "audit.jsonl").read_text()
    planted = [FOOT_DROP["context"]["patientId"], FOOT_DROP["context"]["userId"], *token[0].decode().split(".")]
    assert not [one for one in planted if one in text]


def test_the_ledger_knows_cards_by_the_client_they_were_shown_to(secured):
    secured.fire(FOOT_DROP, MAIN)
    secured.fire(FOOT_DROP, PINNED)

    def clients():
        return {group["name"] for group in secured.look("/insight.json?by=client").json()["groups"]}

    wait_until(lambda: clients() == {"ehr", "pinned"}, "the ledger")
