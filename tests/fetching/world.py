"""A patient whose record stands on a FHIR server, and the calls that let the service ask there."""

import copy
import datetime as dt
import re
import time

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.api.world import PATIENT, call, condition, foot_drop, patient
from tests.conftest import Client
from tests.decision.world import knowledge

TOKEN = "made-up-token-7d1e"
GAPS = "org.example.foot-drop-cds.data-gaps"
NEEDS = knowledge().vocabulary.needs
KEYS = {need.resource: need.key for need in NEEDS.values()}
WORDS = {need.key: knowledge().words.needs[name].words for name, need in NEEDS.items()}
FIRST_ROUND = {"Patient", "Condition", "Observation"}
BEDSIDE = "https://foot-drop-cds.example.org/fhir/CodeSystem/bedside-findings"
FINAL = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "exam"}]}
_REASON = re.compile(r"(\w+) \(([a-z ]+)\)")


def weak_ankle(grade=2, name="o-1", side="right", **members):
    """The strength of one ankle, in the codes of ours."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [FINAL],
        "code": {"coding": [{"system": BEDSIDE, "code": f"ankle-dorsiflexion-mrc-grade-{side}"}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": "2026-11-20",
        "valueInteger": grade,
        **members,
    }


def a_record(*more):
    """A patient with foot drop and CIDP: an answer hangs on every need there is."""
    return [patient(), foot_drop(), condition("G61.81", "CIDP", "c-2") | {"onsetDateTime": "2026-08-01"}, *more]


def authorization(scope="patient/*.rs", token=TOKEN, **members):
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": scope,
        "subject": "cds-service",
        **members,
    }


def asking(base, hook="patient-view", *resources, scope="patient/*.rs", token=TOKEN, **members):
    """A hook call that brings no data, but the address of a FHIR server and a token for it."""
    granted = authorization(scope, token) if scope is not None else None
    return call(hook, *resources, **{"prefetch": None, "fhirServer": base, "fhirAuthorization": granted, **members})


def about(name, made):
    """A call made for another patient than the usual one."""
    return made | {"context": made["context"] | {"patientId": name}}


def service(clock=None, **settings):
    """A client of a service of its own; the caller closes it."""
    now = clock or (lambda: dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC))
    return Client(create_app(Settings(**{"database_url": "sqlite://", "max_cards": 0, **settings}), now))


def timed(client, made):
    """An answer, and the seconds it took."""
    start = time.perf_counter()
    answer = client.fire(made)
    return answer, time.perf_counter() - start


def cards(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["cards"]


def codes(answer):
    return [card["source"]["topic"]["code"] for card in cards(answer)]


def gaps(answer):
    """Prefetch key → state and reason, as the answer's extension or its refusal tells."""
    if answer.status_code == 412:
        return {key: (None, reason) for key, reason in _REASON.findall(answer.json()["issue"][0]["diagnostics"])}
    found = (answer.json().get("extension") or {}).get(GAPS, [])
    return {one["key"]: (one["state"], one.get("reason")) for one in found}


def said(answer):
    """An answer without what is new in each."""
    wire = copy.deepcopy(answer.json())
    for one in wire.get("cards", []):
        del one["uuid"]
        for suggestion in one.get("suggestions", []):
            del suggestion["uuid"]
    return wire


def types(server):
    """The resource types that a server was asked for, in order."""
    return [one.resource_type for one in server.asked]
