"""Hook calls about one made-up patient, and a real server on loopback."""

import contextlib
import copy
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ("patient-view", "order-select", "order-sign", "encounter-discharge", "problem-list-item-create")
PATIENT = "pat-77"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LATERALITY = {"coding": [{"system": "http://snomed.info/sct", "code": "272741003"}]}
RIGHT = {"coding": [{"system": "http://snomed.info/sct", "code": "24028007", "display": "Right"}]}
SEARCHES = (
    "conditions",
    "observations",
    "procedures",
    "diagnosticReports",
    "serviceRequests",
    "deviceRequests",
    "deviceUse",
    "devices",
    "medicationRequests",
    "medicationAdministrations",
)
SUBJECT = {"reference": f"Patient/{PATIENT}"}


def path_of(hook):
    return f"/cds-services/foot-drop-{hook}"


def patient(**members):
    return {"resourceType": "Patient", "id": PATIENT, "gender": "male", "birthDate": "1971-05-04", **members}


def condition(code, display="a problem", name="c-1", **members):
    return {
        "resourceType": "Condition",
        "id": name,
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "confirmed"}]},
        "code": {"coding": [{"system": ICD, "code": code, "display": display}], "text": display},
        "subject": SUBJECT,
        **members,
    }


def foot_drop(**members):
    return condition("M21.371", "Foot drop, right foot") | {"onsetDateTime": "2026-10-18"} | members


def orthosis(name="draft-1", status="draft", **members):
    return {
        "resourceType": "DeviceRequest",
        "id": name,
        "status": status,
        "intent": "order",
        "codeCodeableConcept": {"coding": [{"system": HCPCS, "code": "L1960", "display": "Ankle-foot orthosis"}]},
        "parameter": [{"code": LATERALITY, "valueCodeableConcept": RIGHT}],
        "subject": SUBJECT,
        "authoredOn": "2026-11-22T11:00:00Z",
        **members,
    }


def bundle(*resources, kind="searchset"):
    made = {"resourceType": "Bundle", "type": kind}
    return made | ({"entry": [{"resource": copy.deepcopy(one)} for one in resources]} if resources else {})


def prefetch(*resources, **replaced):
    """A complete prefetch: the patient, the given records under their keys, nothing found under the others."""
    keys = {
        "Condition": "conditions",
        "Observation": "observations",
        "DeviceRequest": "deviceRequests",
        "ServiceRequest": "serviceRequests",
        "Procedure": "procedures",
    }
    found = {key: [one for one in resources if keys[one["resourceType"]] == key] for key in SEARCHES}
    return {"patient": patient(), **{key: bundle(*ones) for key, ones in found.items()}, **replaced}


def call(hook="patient-view", *resources, drafts=(), **members):
    """A whole hook call; `None` as a member's value leaves it out."""
    context = {"userId": "Practitioner/doc-1", "patientId": PATIENT, "encounterId": "enc-1"}
    if hook.startswith("order-"):
        context["draftOrders"] = bundle(*drafts, kind="collection")
    if hook == "order-select":
        context["selections"] = [f"{one['resourceType']}/{one['id']}" for one in drafts]
    if hook == "problem-list-item-create":
        context["conditions"] = bundle(*resources, kind="collection")
    made = {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
        "prefetch": prefetch(*resources),
    }
    return {name: value for name, value in (made | members).items() if value is not None}


def with_context(made, **members):
    """The call with other context members; `None` leaves one out."""
    context = {name: value for name, value in (made["context"] | members).items() if value is not None}
    return made | {"context": context}


def every_hook():
    """A valid call for each hook, each with something to say."""
    return {
        "patient-view": call("patient-view", foot_drop()),
        "order-select": call("order-select", foot_drop(), orthosis("order-1", "active"), drafts=[orthosis()]),
        "order-sign": call("order-sign", foot_drop(), orthosis("order-1", "active"), drafts=[orthosis()]),
        "encounter-discharge": call("encounter-discharge", foot_drop()),
        "problem-list-item-create": call("problem-list-item-create", foot_drop()),
    }


def problem(answer, status):
    """The one issue of the OperationOutcome that an answer with this status carries."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    (issue,) = outcome["issue"]
    assert issue["severity"] == "error"
    return issue


def wait_until(holds, what="it", seconds=10):
    """Look again and again until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.005)


def ledger_rows(file, query):
    """What a SQLite ledger answers to a query, once its journal has been delivered."""

    def asked(path, statement):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute(statement).fetchall()

    journal = file.with_suffix(f".journal{file.suffix}")
    wait_until(lambda: asked(journal, "SELECT count(*) FROM entry") == [(0,)], "the journal to be delivered")
    return asked(file, query)


def call_lines(caplog):
    """What the log says of each call, as a machine reads it."""
    return [
        record.fields for record in caplog.records if record.name == "cds_service.calls" and hasattr(record, "fields")
    ]


def codes(answer):
    """The recommendations and other topics that the cards of an answer name."""
    assert answer.status_code == 200, answer.text
    return [card["source"]["topic"]["code"] for card in answer.json()["cards"]]


def empty_parts(value, path="$"):
    """Every null and every empty string, array or object in a JSON value, by its place."""
    if value is None or value in ("", [], {}):
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from empty_parts(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from empty_parts(inner, f"{path}[{number}]")


class Server:
    """The real service in a process of its own, on a free port of loopback."""

    def __init__(self, command=("cds_service", "serve"), **environment):
        """``command``: a module and what follows it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # no pipe: it would fill up, for nobody reads meanwhile
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**clean, "CDS_DATABASE_URL": "sqlite://", "CDS_PORT": str(self.port), **environment},
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        self.output = b""

    def __enter__(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(self.stop())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return self
            time.sleep(0.02)
        raise AssertionError("the service did not start")

    def __exit__(self, *_):
        self.stop()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask_to_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Stop the process if it runs; all that it wrote."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        if not self._said.closed:
            self._said.seek(0)
            self.output = self._said.read()
            self._said.close()
        return self.output.decode()


def send(connection, method, path, made=None):
    """One request over a connection: status, headers, body."""
    data = None if made is None else json.dumps(made).encode()
    connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()
