"""Logs name the call, never the patient: whatever is in a request, no log line repeats it."""

import json
import logging

import pytest

from tests.api.world import (
    ICD,
    PATIENT,
    bundle,
    call,
    call_lines,
    every_hook,
    foot_drop,
    path_of,
    patient,
    prefetch,
    with_context,
)
from tests.fhir_server.fault import FaultServer

MARK = "ZZMARK"
TOKEN = f"{MARK}-access-token"
ADDRESS = f"https://{MARK}.example/fhir".lower()


def logged(caplog):
    """Every line with all that any formatter could make of it, but for those of the test's own HTTP client."""
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    plain = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(f"{plain.format(record)} {record.__dict__}" for record in ours)


def marked():
    """A call in which every string that a client can choose carries a marker."""
    owner = {"reference": f"Patient/{MARK}-pat", "display": f"{MARK} Erika"}
    record = foot_drop(
        id=f"{MARK}-condition",
        subject=owner,
        note=[{"text": f"{MARK} note"}],
        code={"coding": [{"system": ICD, "code": "M21.371", "display": f"{MARK} drop"}], "text": f"{MARK} text"},
    )
    person = patient(id=f"{MARK}-pat", name=[{"family": f"{MARK} Mustermann"}], identifier=[{"value": f"{MARK}-mrn"}])
    made = call(
        "patient-view",
        hookInstance=f"{MARK}-instance",
        fhirServer=ADDRESS,
        fhirAuthorization={
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": f"{MARK}/scope",
            "subject": f"{MARK}-subject",
        },
        extension={MARK: MARK},
        prefetch=prefetch(patient=person, conditions=bundle(record)) | {f"{MARK}-key": None},
    )
    return with_context(made, userId=f"Practitioner/{MARK}-doc", patientId=f"{MARK}-pat", encounterId=f"{MARK}-enc")


def replaced(**members):
    return marked() | members


BROKEN = {
    "answered": marked(),
    "wrong hook": replaced(hook=f"{MARK}-hook"),
    "no context": replaced(context=MARK),
    "no user": with_context(marked(), userId=MARK),
    "foreign patient": with_context(marked(), patientId=f"{MARK}-other"),
    "no patient": replaced(prefetch={}),
    "bad token": replaced(fhirAuthorization={"access_token": f"{MARK} {MARK}"}),
    "odd record": replaced(prefetch={"patient": MARK, "conditions": [MARK], MARK: MARK}),
}


@pytest.mark.norm("FHA-9", "JWT-21")
@pytest.mark.parametrize("name", BROKEN)
def test_no_log_line_and_no_refusal_repeats_what_was_sent(client, caplog, capfd, name):
    caplog.set_level("DEBUG")
    headers = {"authorization": f"Bearer {MARK}-client-token"}
    answer = client.post(f"{path_of('patient-view')}?{MARK}=1", json=BROKEN[name], headers=headers)
    written = logged(caplog) + "".join(capfd.readouterr())
    assert MARK.lower() not in written.lower()
    if answer.status_code != 200:
        assert MARK.lower() not in answer.text.lower()
    if name == "answered":
        assert call_lines(caplog)[0]["outcome"] == "complete with cards"


@pytest.mark.norm("FHA-9")
@pytest.mark.parametrize(
    "fault",
    [None, "403", "500 HTML", "redirect to another host", "next to another host", "another patient's data", "reset"],
)
def test_no_log_line_repeats_what_was_fetched_or_the_token(client, caplog, capfd, fault):
    caplog.set_level("DEBUG")
    made = marked()
    person, record = made["prefetch"]["patient"], made["prefetch"]["conditions"]["entry"][0]["resource"]
    with FaultServer([person, record], faults={"Condition": fault} if fault else {}) as server:
        answer = client.fire(made | {"fhirServer": server.base, "prefetch": {}})
        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {TOKEN}"}
    assert answer.status_code in (200, 412)
    assert MARK.lower() not in (logged(caplog) + "".join(capfd.readouterr())).lower()
    assert fault is None or MARK not in answer.text


def test_no_log_line_repeats_a_path(client, caplog):
    caplog.set_level("DEBUG")
    answers = [client.get(f"/{MARK}"), client.post(f"/cds-services/{MARK}", json=call())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert MARK not in logged(caplog) + "".join(answer.text for answer in answers)


def test_no_log_line_repeats_a_report(client, caplog):
    caplog.set_level("DEBUG")
    entry = {
        "card": MARK,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T12:00:00Z",
        "overrideReason": {"reason": {"system": MARK, "code": MARK}, "userComment": MARK},
    }
    for body in ({"feedback": [entry]}, {"feedback": [entry | {"outcome": MARK}]}, {"feedback": MARK}):
        client.post(f"{path_of('patient-view')}/feedback", json=body)
    assert "feedback" in logged(caplog)
    assert MARK not in logged(caplog)


def test_an_answer_holds_nothing_of_another_patient_who_was_asked_about_before(client):
    client.fire(marked())
    answers = [client.fire(made) for made in every_hook().values()]
    text = json.dumps([answer.json() for answer in answers])
    assert MARK not in text
    assert PATIENT in text


def test_text_from_the_record_is_harmless_in_a_card(client):
    evil = "<img src=x onerror=alert(1)> [click](javascript:alert(1)) **bold**"
    record = foot_drop(code={"coding": [{"system": ICD, "code": "M21.371", "display": evil}], "text": evil})
    cards = client.fire(call("patient-view", record)).json()["cards"]
    assert cards
    for card in cards:
        assert "<img" not in card["detail"] + card["summary"]
        assert "](javascript:" not in card["detail"]
