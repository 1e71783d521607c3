"""Development mode: a file of cards/ is edited, and the next call is answered by what it says then."""

import logging
import shutil

import pytest
from pydantic import ValidationError

from cds_service.settings import Settings
from tests.api.world import every_hook
from tests.docs.pages import ROOT

SAYS, SAYS_NOW = "consider an ankle-foot orthosis and a fitting.", "think of an orthosis."


@pytest.fixture
def cards(tmp_path):
    return shutil.copytree(ROOT / "cards", tmp_path / "cards")


@pytest.fixture
def edit(cards):
    """Changes words in a file of the copy."""
    (file,) = (path for path in cards.glob("recommendations/*/*.yaml") if SAYS in path.read_text(encoding="utf-8"))

    def change(old=SAYS, new=SAYS_NOW):
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        return file

    return change


def summaries(client):
    answer = client.fire(every_hook()["patient-view"])
    assert answer.status_code == 200
    return " ".join(card["summary"] for card in answer.json()["cards"])


def test_the_next_call_is_answered_by_an_edited_recommendation(client_with, cards, edit):
    client = client_with(cards_dir=cards, development=True)
    before = client.get("/health/ready").json()
    assert SAYS in summaries(client)
    edit()
    assert SAYS_NOW in summaries(client)
    assert SAYS_NOW in client.get("/cards/FD-AFO-01").text
    after = client.get("/health/ready").json()
    assert after["knowledge"] != before["knowledge"]
    assert before["cards"] == after["cards"] == "read"
    edit(SAYS_NOW, SAYS)
    assert client.get("/health/ready").json() == before


def test_a_card_from_before_the_edit_still_takes_its_feedback(client_with, cards, edit):
    client = client_with(cards_dir=cards, development=True)
    card = client.fire(every_hook()["patient-view"]).json()["cards"][0]["uuid"]
    edit()
    entry = {"card": card, "outcome": "accepted", "acceptedSuggestions": [{"id": card}]}
    reported = {"feedback": [entry | {"outcomeTimestamp": "2026-11-22T12:00:00Z"}]}
    answer = client.post("/cds-services/foot-drop-patient-view/feedback", json=reported)
    assert (answer.status_code, answer.json()["feedback"][0]["status"]) == (200, "kept")


def test_what_was_read_before_stands_and_every_problem_is_told_when_an_edited_file_cannot_be_used(
    client_with, cards, edit, caplog
):
    client = client_with(cards_dir=cards, development=True)
    with caplog.at_level(logging.ERROR, "cds_service.cards"):
        file = edit("indicator:", "indikator:")
        assert SAYS in summaries(client)
    assert file.relative_to(cards).as_posix() in caplog.text
    assert "indikator" in caplog.text
    assert client.get("/health/ready").json()["cards"] == "cannot be used: what was read before stands"
    edit("indikator:", "indicator:")
    edit()
    assert SAYS_NOW in summaries(client)
    assert client.get("/health/ready").json()["cards"] == "read"


def test_an_edited_file_changes_nothing_outside_development_mode(client_with, cards, edit):
    client = client_with(cards_dir=cards)
    edit()
    assert SAYS in summaries(client)
    assert "cards" not in client.get("/health/ready").json()


@pytest.mark.parametrize("beside", [{"host": "0.0.0.0", "allow_open": True}, {"clients_file": "clients.yaml"}])
def test_it_is_refused_where_others_than_this_machine_can_call(beside):
    with pytest.raises(ValidationError, match="CDS_DEVELOPMENT is for open mode on this machine"):
        Settings(development=True, **beside)
