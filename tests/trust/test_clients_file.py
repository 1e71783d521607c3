"""The clients file: what is switched off or in shadow for a client, without a restart; over HTTP."""

import re
import shutil
import sqlite3
import time

import pytest

from cds_service.app import create_app
from cds_service.decision import decide
from cds_service.errors import SettingsError
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from tests.api.world import call, codes, condition, foot_drop
from tests.conftest import Client, Clock

CARDS = Settings().cards_dir
AFO, CAUSE, EMG = "FD-AFO-01", "FD-ETIO-01", "FD-EDX-01"
VIEW = call("patient-view", foot_drop())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "clients.yaml"


@pytest.fixture
def service(file, tmp_path, monkeypatch):
    """Starts the service with a clients file, which it looks at with every call."""
    monkeypatch.setattr("cds_service.trust.clients_file._LOOK_EVERY", 0.0)
    made = []

    def start(text, cards=CARDS):
        write(file, text)
        ledger = tmp_path / f"ledger-{len(made)}.sqlite3"
        settings = Settings(database_url=f"sqlite:///{ledger}", clients_file=file, cards_dir=cards, max_cards=0)
        made.append(Client(create_app(settings, Clock())))
        made[-1].ledger = ledger
        return made[-1]

    yield start
    for one in made:
        one.close()


def write(file, text):
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)  # another file: seen also within the grain of the clock


def shown(client, made=VIEW):
    return codes(client.fire(made))


def kept(client):
    """(recommendation, version, state, card uuid) of every card in the ledger."""
    end = time.monotonic() + 5
    while client.get("/health/ready").json()["ledger"]["journal"]["waiting"]:
        assert time.monotonic() < end
        time.sleep(0.01)
    with sqlite3.connect(client.ledger) as ledger:
        return set(ledger.execute("SELECT recommendation_id, version, state, uuid FROM card"))


def open_client(**lists):
    lines = "".join(f"    {key.replace('_', ' ')}: [{', '.join(names)}]\n" for key, names in lists.items())
    return "clients:\n  open:\n" + (lines or "    {}\n")


def test_everything_is_live_when_the_file_says_nothing(service, client_with):
    assert shown(service("clients: {}\n")) == shown(client_with(max_cards=0))


def test_a_recommendation_that_is_switched_off_is_not_shown_and_the_others_are(service):
    off = service(open_client(switched_off=[AFO]))
    assert AFO not in shown(off)
    assert CAUSE in shown(off)


def test_it_is_switched_off_and_on_again_without_a_restart(service, file):
    running = service(open_client())
    assert AFO in shown(running)
    write(file, open_client(switched_off=[AFO]))
    assert AFO not in shown(running)
    write(file, open_client())
    assert AFO in shown(running)


def test_what_is_switched_off_leaves_no_gap(service):
    made = call("patient-view", foot_drop())
    del made["prefetch"]["deviceUse"]
    assert "data-gaps" in service(open_client()).fire(made).text
    every = [recommendation.id for recommendation in load_knowledge(CARDS).recommendations]
    assert service(open_client(switched_off=every)).fire(made).json() == {"cards": []}


def test_a_recommendation_in_shadow_is_recorded_and_not_returned(service):
    running = service(open_client(in_shadow=[AFO]))
    answer = running.fire(VIEW)
    assert AFO not in answer.text
    assert codes(answer)
    of_afo = {(state, uuid) for name, _, state, uuid in kept(running) if name == AFO}
    assert of_afo == {("shadow", "")}


def test_a_shadow_that_does_not_stand_is_not_recorded(service):
    running = service(open_client(in_shadow=[AFO]))
    running.fire(call("patient-view", condition("I10", "Hypertension")))
    assert kept(running) == set()


def test_a_critical_red_flag_in_shadow_silences_nothing(service, file):
    knee = condition("S83.104A", "Dislocation of the right knee", name="c-knee") | {"onsetDateTime": "2026-11-21"}
    made = call("patient-view", foot_drop(onsetDateTime="2026-11-21"), knee)
    running = service(open_client())
    flags = [code for code in shown(running, made) if code.startswith("FD-RF")]
    assert flags
    assert AFO not in shown(running, made)
    write(file, open_client(in_shadow=flags))
    assert AFO in shown(running, made)


@pytest.fixture
def next_cards(tmp_path):
    """The knowledge with a next version of FD-AFO-01, the same but for its number."""
    cards = tmp_path / "cards"
    shutil.copytree(CARDS, cards, ignore=shutil.ignore_patterns("cases"))
    text = (cards / "recommendations/orthosis/offer-an-orthosis.yaml").read_text()
    assert "version: " in text
    target = cards / "next/orthosis/offer-an-orthosis.yaml"
    target.parent.mkdir(parents=True)
    target.write_text(re.sub(r'version: "?[\d.]+"?', 'version: "99.0.0"', text))
    return cards


def test_the_next_version_runs_in_shadow_beside_the_live_one(service, next_cards):
    running = service(open_client(next_version_in_shadow=[AFO]), next_cards)
    assert AFO in shown(running)
    of_afo = {(version == "99.0.0", state) for name, version, state, _ in kept(running) if name == AFO}
    assert of_afo == {(False, "returned"), (True, "shadow")}


def test_a_new_recommendation_runs_in_shadow_and_is_counted(service, next_cards):
    file = next_cards / "next/orthosis/offer-an-orthosis.yaml"
    file.write_text(file.read_text().replace("FD-AFO-01", "FD-AFO-99"))
    running = service(open_client(next_version_in_shadow=["FD-AFO-99"]), next_cards)
    assert "FD-AFO-99" not in shown(running)
    counted = running.get("/metrics").text
    assert 'cds_recommendations_total{recommendation="FD-AFO-99",state="shadow",version="99.0.0"} 1.0' in counted


def test_a_next_version_speaks_to_nobody_when_no_client_runs_it(service, next_cards):
    running = service(open_client(), next_cards)
    assert shown(running) == shown(service(open_client()))
    assert "99.0.0" not in {version for _, version, _, _ in kept(running)}


def test_a_shadow_that_breaks_costs_nobody_an_answer(service, next_cards, monkeypatch, caplog):
    original = decide.evaluate

    def evaluate(recommendation, situation):
        if recommendation.stewardship.version == "99.0.0":
            raise RuntimeError("Erika Mustermann")
        return original(recommendation, situation)

    monkeypatch.setattr(decide, "evaluate", evaluate)
    running = service(open_client(next_version_in_shadow=[AFO]), next_cards)
    assert AFO in shown(running)
    assert f"{AFO} in shadow could not be evaluated: RuntimeError" in caplog.text
    assert "Mustermann" not in caplog.text


def test_a_file_that_breaks_while_running_changes_nothing_and_health_says_so(service, file, caplog):
    running = service(open_client(switched_off=[AFO]))
    assert running.get("/health/ready").json()["clients"] == "read"
    write(file, "clients:\n  open:\n    switched of: [FD-AFO-01]\n")
    assert AFO not in shown(running)
    assert running.get("/health/ready").json()["clients"] == "cannot be used: what was read before stands"
    assert "clients.yaml:3" in caplog.text
    file.unlink()
    assert AFO not in shown(running)
    write(file, open_client())
    assert AFO in shown(running)
    assert running.get("/health/ready").json()["clients"] == "read"


def test_the_log_says_at_start_what_does_not_simply_speak(service, caplog):
    service(open_client(switched_off=[AFO], in_shadow=[CAUSE]))
    assert f"client open: switched off: {AFO}" in caplog.text
    assert f"client open: in shadow: {CAUSE}" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clients:\n  open:\n    switched off: [FD-AFO-1]\n", "clients.yaml:3: clients.open.switched off.1: no recom"),
        ("clients:\n  open:\n    switched off: [FD-AFO-1]\n", "did you mean 'FD-AFO-01'"),
        ("clients:\n  open:\n    next version in shadow: [FD-AFO-01]\n", "no next version in cards/next is called"),
        ("clients:\n  open:\n    switch off: []\n", "clients.yaml:3"),
        ("clients:\n  Open: {}\n", "clients.yaml:2"),
        ("clients:\n  open: {switched off: [FD-AFO-01], in shadow: [FD-AFO-01]}\n", "is switched off as well"),
        ("open: {}\n", "this key is missing: 'clients'"),
        ("", "clients.yaml"),
        ("clients: [", "clients.yaml:2"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start_and_says_where(service, text, said):
    with pytest.raises(SettingsError, match=r".") as refused:
        service(text)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        create_app(Settings(database_url="sqlite://", clients_file=tmp_path / "none.yaml"), Clock())
