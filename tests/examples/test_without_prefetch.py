"""Golden answers without prefetch: by our small FHIR server, by one that others have written, and half and half."""

import pytest

from cds_service.cli import main
from cds_service.examples import read_examples
from fhir_examples.golden import golden_calls
from tests.conftest import BASE_URL, NOON
from tests.examples.servers import example_server
from tests.fhir_server import real
from tests.fhir_server.real import RealServer

CALLS = golden_calls()
PLAYED = [call for call in CALLS if call.is_all_read]
UNHURRIED = 20_000  # a busy machine changes no answer


@pytest.fixture(scope="module")
def base():
    with example_server(NOON) as made:
        yield made


def wrong(client, calls, *asked):
    """What is not golden in the answers to calls that name a FHIR server: by their files."""
    found = {}
    for call in calls:
        answer = client.post(call.path, json=call.request_by_server(NOON, *asked))
        found[call.file.stem] = call.difference(answer.status_code, answer.json(), NOON, NOON, BASE_URL)
    return {name: difference for name, difference in found.items() if difference}


def test_the_answers_are_the_same_when_everything_is_asked_of_the_example_server(client_with, base):
    assert len(PLAYED) > 20
    assert wrong(client_with(deadline_ms=UNHURRIED), PLAYED, base) == {}


@pytest.mark.skipif(real.python() is None, reason="sekmet-fhir is not installed, and SEKMET_PYTHON names no Python")
def test_the_answers_are_the_same_when_a_server_of_others_is_asked(client_with):
    client = client_with(deadline_ms=UNHURRIED)
    with RealServer() as server:
        server.load([example.bundle(NOON) for example in read_examples()])
        # which it cannot search by patient: see RealServer
        assert wrong(client, PLAYED, server.base, "deviceRequests", "deviceUse") == {}
        assert "01-patient-view-peroneal-palsy" in wrong(client, PLAYED[:1], server.base)


def test_what_the_prefetch_left_out_is_asked_of_the_server_and_the_answer_is_the_whole_one(client_with, base):
    client = client_with(deadline_ms=UNHURRIED)
    whole = {call.data["patient"]: call for call in PLAYED if call.data["hook"] == "patient-view"}
    partial = [call for call in CALLS if not call.is_all_read]
    assert partial
    for call in partial:
        answer = client.post(call.path, json=call.request(NOON) | {"fhirServer": base})
        golden = whole[call.data["patient"]]
        assert golden.difference(answer.status_code, answer.json(), NOON, NOON, BASE_URL) == "", call.file.name


def test_a_hook_can_be_tried_at_the_example_server_by_the_name_of_a_patient(base, capsys):
    when = ["--at", NOON.isoformat()]
    assert main(["try", "--fhir-server", base, "--patient", "treated-cidp", *when]) == 0
    captured = capsys.readouterr()
    assert "FD-CIDP-03" in captured.out
    assert "FD-CIDP-01" not in captured.out
    assert "1 found  read            MedicationRequest" in captured.err
