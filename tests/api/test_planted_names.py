"""A thousand varied requests, each full of names, ids, tokens and codes of its own; nothing of them is found anywhere.

Valid, invalid and crashing; looked for in the log, the audit, the metrics, the ledger with its journal, and what is
answered to a request that was refused.
"""

import copy
import io
import json
import logging
import random

import pytest

from cds_service.log_lines import ConsoleLines, JSONLines
from tests.api.test_hostile_json import HOSTILE, PLACE, sent_with
from tests.api.test_mutations import OBSERVATION, holder, places
from tests.api.world import (
    HOOKS,
    PATIENT,
    bundle,
    call,
    condition,
    foot_drop,
    orthosis,
    path_of,
    patient,
    prefetch,
    wait_until,
    with_context,
)
from tests.fhir_server.fault import FAULTS, FaultServer

MARK = "zzmark"
JSON = {"content-type": "application/json"}
SLOW = {"slow first byte", "slow body", "huge page", "gzip bomb", "gzip bomb in JSON", "10,000 entries", "hang"}


class CrashError(Exception):
    """Says what no log may say."""


CRASHES = {
    "reading": "cds_service.fhir.reader.RecordReader.open",
    "facts": "cds_service.fhir.reader.PatientRecord.facts",
    "judging": "cds_service.decision.decide.Decider.judge",
    "composing": "cds_service.decision.decide.Decider.answer",
    "keeping": "cds_service.ledger.ledger.Ledger.record",
    "looking up": "cds_service.ledger.ledger.Ledger.overrides",
    "taking a report": "cds_service.ledger.ledger.Ledger.record_feedback",
}


@pytest.fixture
def crash(monkeypatch):
    """Breaks one part of the service at a time, with an error that quotes the request."""
    state = {}

    def breaking(name, real):
        def wrapped(*arguments, **options):
            if state.get("where") == name:
                raise CrashError(state["quoting"])
            return real(*arguments, **options)

        return wrapped

    for name, place in CRASHES.items():
        module, kind, method = place.rsplit(".", 2)
        owner = getattr(__import__(module, fromlist=[kind]), kind)
        monkeypatch.setattr(owner, method, breaking(name, getattr(owner, method)))
    return state


@pytest.fixture
def written():
    """All that is logged meanwhile, in each of our forms, in Python's own, and raw."""
    stream = io.StringIO()
    forms = [JSONLines(), ConsoleLines(), logging.Formatter("%(name)s %(message)s")]

    class Everything(logging.Handler):
        def emit(self, record):
            if not record.name.startswith("httpx"):  # the test's own client
                stream.write("\n".join([*(form.format(record) for form in forms), str(record.__dict__), ""]))

    root, handler = logging.getLogger(), Everything()
    level, root.level = root.level, logging.DEBUG
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.level = level


def marked(value, mark):
    """A JSON value in which each text that no one has to understand bears the mark."""
    if isinstance(value, dict):
        return {
            key: f"{mark} {inner}" if key in ("display", "text", "family") else marked(inner, mark)
            for key, inner in value.items()
        }
    return [marked(inner, mark) for inner in value] if isinstance(value, list) else value


def a_call(dice, mark):
    """A valid call about a patient of its own, with a token and a server of its own."""
    hook = dice.choice(HOOKS)
    problems = [foot_drop(id=f"{mark}-c1", note=[{"text": mark}]), condition("E11.42", mark, f"{mark}-c2")]
    local = condition(f"{mark}-code", mark, f"{mark}-c3") | {"identifier": [{"system": f"urn:{mark}", "value": mark}]}
    records = [
        *problems,
        local,
        orthosis(f"{mark}-o1", "active"),
        OBSERVATION | {"id": f"{mark}-o", "valueString": mark},
    ]
    records = dice.sample(records, dice.randint(1, len(records)))
    if hook == "problem-list-item-create":
        records = [one for one in records if one["resourceType"] == "Condition"]
    person = patient(name=[{"family": mark}], identifier=[{"value": f"{mark}-mrn"}], telecom=[{"value": mark}])
    made = call(
        hook,
        *records,
        drafts=[orthosis(f"{mark}-draft", note=[{"text": mark}])],
        hookInstance=f"{mark}-instance",
        fhirServer=f"https://{mark}.example/fhir",
        fhirAuthorization={
            "access_token": f"{mark}-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": f"patient/{mark}.read",
            "subject": f"{mark}-subject",
        },
        extension={mark: mark},
    )
    if hook != "problem-list-item-create":
        made["prefetch"] = prefetch(*records, patient=person) | {f"{mark}-key": bundle()}
    made = with_context(made, userId=f"Practitioner/{mark}-doc", encounterId=f"{mark}-enc")
    text = json.dumps(marked(made, mark)).replace(PATIENT, f"{mark}-pat")
    return hook, json.loads(text)


def a_report(dice, mark):
    """Feedback with names in every text of it."""
    entry = {
        "card": dice.choice([f"{mark}-card", "4d1577c6-dfbe-44ad-ba6d-3e05e953b2ea"]),
        "outcome": dice.choice(["accepted", "overridden", mark]),
        "acceptedSuggestions": [{"id": f"{mark}-suggestion"}],
        "overrideReason": {
            "reason": {"system": f"https://{mark}.example/a b", "code": f"{mark} code", "display": mark},
            "userComment": f"{mark} wrote this",
        },
        "outcomeTimestamp": dice.choice(["2026-11-22T12:00:00Z", mark]),
    }
    return {"feedback": [entry], mark: mark}


def broken(dice, made, mark):
    """The call with some of its parts dropped, replaced, or made hostile, as bytes."""
    made = copy.deepcopy(made)
    for _ in range(dice.randint(1, 3)):
        there = list(places(made))
        if not there:
            break
        path = dice.choice(there)
        inside, key = holder(made, path), path[-1]
        change = dice.choice(["drop", "text", "number", "list", "hostile"])
        if change == "drop":
            del inside[key]
        else:
            inside[key] = {"text": f"{mark} text", "number": 7, "list": [mark], "hostile": PLACE.strip('"')}[change]
    body = sent_with(
        made, HOSTILE[dice.choice(["huge integer", "deep arrays", "lone low surrogate", "escaped NUL", "NaN"])]
    )
    return dice.choice(
        [body, body, body, body[: dice.randrange(len(body))], body.replace(b'"', b"'", 1), body + mark.encode()]
    )


def a_request(dice, mark):
    """Method, path, body and headers of one request."""
    hook, made = a_call(dice, mark)
    kind = dice.choice(["valid", "valid", "broken", "broken", "broken", "report", "report", "elsewhere", "strange"])
    path, method = path_of(hook), "POST"
    body = json.dumps(made).encode()
    headers = JSON | {"authorization": f"Bearer {mark}.client.token", "user-agent": mark, "cookie": f"a={mark}"}
    if kind == "broken":
        body = broken(dice, made, mark)
    elif kind == "report":
        body = dice.choice([json.dumps(a_report(dice, mark)).encode(), broken(dice, a_report(dice, mark), mark)])
        path += "/feedback"
    elif kind == "elsewhere":
        path = dice.choice(
            [f"/cds-services/{mark}", f"/{mark}", f"/cards/{mark}", f"/cds-services/{mark}/feedback", f"{path}/{mark}"]
        )
        method = dice.choice(["POST", "GET"])
    elif kind == "strange":
        method = dice.choice(["PUT", "OPTIONS", "GET", "POST", "POST"])
        headers |= dice.choice(
            [{"origin": f"https://{mark}.example"}, {"host": f"{mark}.example"}, {"content-type": mark}, {}]
        )
        headers |= {"x-forwarded-for": mark} if dice.random() < 0.3 else {}
    return method, f"{path}?patient={mark}", body, headers


def play(served, crash, number, seed):
    """Send them; what was answered to those that were refused, and how often each status came."""
    dice = random.Random(seed)
    refused, statuses = io.StringIO(), {}
    for turn in range(number):
        mark = f"{MARK}{turn:05d}"
        method, path, body, headers = a_request(dice, mark)
        crash.update(where=dice.choice([*CRASHES, *[None] * 20]), quoting=f"{mark} {body[:2000]!r}")
        answer = served.request(method, path, content=body, headers=headers)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        if answer.status_code != 200:
            refused.write(f"{answer.text}{dict(answer.headers)}\n")
    crash.clear()
    return refused.getvalue(), statuses


def fetch_some(served, number, seed):
    """Calls about marked patients whose records are fetched from a server that misbehaves; what was refused."""
    dice = random.Random(seed)
    refused = io.StringIO()
    names = sorted(FAULTS.keys() - SLOW)
    for turn in range(number):
        mark = f"{MARK}f{turn:04d}"
        _, made = a_call(dice, mark)
        made = made | {
            "hook": "patient-view",
            "context": {key: made["context"][key] for key in ("userId", "patientId")},
        }
        records = [patient(id=f"{mark}-pat", name=[{"family": mark}])]
        with FaultServer(records, faults={dice.choice(["Condition", "Patient"]): dice.choice(names)}) as server:
            answer = served.fire(made | {"fhirServer": server.base, "prefetch": {}})
            assert server.asked
        if answer.status_code != 200:
            refused.write(answer.text)
    return refused.getvalue()


def check(client_with, crash, written, tmp_path, capfd, number, seed=11):
    served = client_with(database_url=f"sqlite:///{tmp_path}/ledger.sqlite3", audit_file=tmp_path / "audit.jsonl")
    refused, statuses = play(served, crash, number, seed)
    refused += fetch_some(served, 8, seed)
    wait_until(
        lambda: served.get("/health/ready").json()["ledger"]["journal"]["waiting"] == 0, "the journal to be empty"
    )
    metrics = served.get("/metrics").text
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    places_looked_at = {
        "log": written.getvalue(),
        "output": "".join(capfd.readouterr()),
        "metrics": metrics,
        "answers": refused,
        **{name: content.decode("latin-1") for name, content in kept.items()},
    }
    found = {
        name: text[max(0, at - 200) : at + 60]
        for name, text in places_looked_at.items()
        if (at := text.lower().find(MARK)) >= 0
    }
    assert found == {}
    return places_looked_at, statuses


def test_nothing_of_a_thousand_requests_is_found_anywhere(client_with, crash, written, tmp_path, capfd):
    looked_at, statuses = check(client_with, crash, written, tmp_path, capfd, 1000)
    assert {200, 400, 403, 404, 405, 412, 413, 415, 500} <= set(statuses), statuses
    assert statuses[200] > 100
    assert {"ledger.sqlite3", "ledger.journal.sqlite3", "audit.jsonl"} <= set(looked_at)
    assert all(len(looked_at[name]) > 10_000 for name in ("log", "metrics", "answers", "ledger.sqlite3", "audit.jsonl"))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_nothing_of_many_thousand_requests_is_found_anywhere(client_with, crash, written, tmp_path, capfd, seed):
    check(client_with, crash, written, tmp_path, capfd, 1000, seed)
