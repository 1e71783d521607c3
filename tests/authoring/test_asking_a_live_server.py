"""`cds-service try --fhir-server`: a decision on a patient of a live server, and what it cost."""

import json

import pytest

from cds_service.cli import main
from tests.api.world import PATIENT, foot_drop, orthosis, patient
from tests.fhir_server.fault import FaultServer


@pytest.fixture
def server():
    with FaultServer([patient(), foot_drop()]) as running:
        yield running


def try_at(server, *options):
    return main(["try", "--fhir-server", server.base, "--patient", PATIENT, *options])


def test_it_shows_the_cards_of_a_patient_on_a_server(server, capsys):
    assert try_at(server) == 0
    assert "FD-AFO-01" in capsys.readouterr().out


def test_it_shows_what_was_asked_how_long_it_took_and_what_came(server, capsys):
    try_at(server)
    said = capsys.readouterr().err
    assert f"Asked of the FHIR server: {len(server.asked)} queries" in said
    assert "1 found  read            Condition?patient={{context.patientId}}" in said


def test_it_shows_why_a_query_came_to_nothing(server, capsys):
    server.faults = {"DeviceRequest": "500"}
    assert try_at(server) == 0
    captured = capsys.readouterr()
    assert "server error    DeviceRequest" in captured.err
    assert "Not seen in this record:** device orders" in captured.out


def test_it_gives_the_answer_as_json_and_the_reasons_when_asked(server, capsys):
    assert try_at(server, "--json") == 0
    topics = [card["source"]["topic"]["code"] for card in json.loads(capsys.readouterr().out)["cards"]]
    assert "FD-AFO-01" in topics
    assert try_at(server, "--why") == 0
    assert "Condition/c-1" in capsys.readouterr().out


def test_drafts_come_from_a_file(server, tmp_path, capsys):
    server.resources = [patient(), foot_drop(), orthosis("order-1", "active")]
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps(orthosis()))
    assert try_at(server, "--hook", "order-sign", "--draft", str(draft)) == 0
    assert "This side already has an ankle-foot orthosis" in capsys.readouterr().out


def test_the_token_comes_from_a_file_or_from_the_environment_and_is_not_shown(server, tmp_path, monkeypatch, capsys):
    token = tmp_path / "token"
    token.write_text("from-a-file\n")
    try_at(server, "--token-file", str(token))
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer from-a-file"}
    server.reset()
    monkeypatch.setenv("FHIR_ACCESS_TOKEN", "from-outside")
    try_at(server)
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer from-outside"}
    captured = capsys.readouterr()
    assert "from-" not in captured.out + captured.err


def test_without_a_token_none_is_sent(server):
    try_at(server)
    assert all("authorization" not in asked.headers for asked in server.asked)


def test_it_says_so_when_the_data_cannot_be_had(server, capsys):
    server.faults = {"*": "403"}
    assert try_at(server) == 1
    assert "patient (denied)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [[], ["--fhir-server", "http://127.0.0.1:9/fhir"], ["--patient", "x"], ["a.json", "--patient", "x"]],
)
def test_it_says_what_to_name_when_there_is_nothing_or_too_much_to_try(options, capsys):
    assert main(["try", *options]) == 1
    assert "PATIENT.json, or --fhir-server URL with --patient ID" in capsys.readouterr().err


def test_a_token_that_is_no_text_is_told(server, tmp_path, capsys):
    token = tmp_path / "token"
    token.write_bytes(b"\xff\xfe")
    assert try_at(server, "--token-file", str(token)) == 1
    assert "holds no token" in capsys.readouterr().err
