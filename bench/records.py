"""Synthetic records: a usual one, one about foot drop, a large one in which the same facts hide among others."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

_PATIENT = "bench-patient"
_ICD, _LOINC = "http://hl7.org/fhir/sid/icd-10-cm", "http://loinc.org"
_FINDINGS = "https://foot-drop-cds.example.org/fhir/CodeSystem/bedside-findings"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_LABS = ("718-7", "2160-0", "2345-7", "4548-4", "2823-3", "2951-2")
_PADDING = "Narrative as an EHR writes it: every value once more, in a table, for people. " * 8

Resource = dict[str, Any]


def usual() -> bytes:
    """As most calls are: 12 resources, about 16 KB, nothing of ours, no card."""
    shares = {"conditions": 5, "observations": 3, "procedures": 1, "diagnosticReports": 1, "serviceRequests": 1}
    return _call({key: [_other(key, number) for number in range(share)] for key, share in shares.items()})


def small() -> bytes:
    """12 resources, about 16 KB, foot drop among them: as many cards as a call can have."""
    return _call(_foot_drop())


def large(resources: int = 2_000) -> bytes:
    """The small record among many others: 2,000 resources are about 2.5 MB."""
    record = _foot_drop()
    shares = {"conditions": 0.1, "observations": 0.6, "procedures": 0.1, "diagnosticReports": 0.1}
    missing = resources - 12
    for key, share in shares.items():
        record[key] += [_other(key, number) for number in range(int(missing * share))]
    left = resources - 1 - sum(map(len, record.values()))
    record["serviceRequests"] += [_other("serviceRequests", number) for number in range(left)]
    return _call(record)


def _call(record: dict[str, list[Resource]]) -> bytes:
    prefetch: dict[str, Any] = {
        "patient": _named({"resourceType": "Patient", "id": _PATIENT, "gender": "male", "birthDate": "1979-03-02"})
    }
    for key in ("deviceRequests", "deviceUse", "devices", "medicationRequests", "medicationAdministrations"):
        record.setdefault(key, [])
    for key, found in record.items():
        entries = [{"fullUrl": f"https://ehr.example/fhir/{r['resourceType']}/{r['id']}", "resource": r} for r in found]
        prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries}
    context = {"userId": "Practitioner/bench", "patientId": _PATIENT, "encounterId": "bench-encounter"}
    call = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": "https://ehr.example/fhir",
        "context": context,
        "prefetch": prefetch,
    }
    return json.dumps(call).encode()


def _foot_drop() -> dict[str, list[Resource]]:
    onset = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=35)).isoformat()
    conditions = [
        _condition("c-1", "M21.371", "Foot drop, right foot", onset),
        _condition("c-2", "G57.31", "Lesion of lateral popliteal nerve, right lower limb", onset),
        _condition("c-3", "E11.9", "Type 2 diabetes mellitus", "2015-01-01"),
        _condition("c-4", "I10", "Essential hypertension", "2012-01-01"),
    ]
    strength = _coded("Observation", "o-1", _FINDINGS, "ankle-dorsiflexion-mrc-grade", "Ankle dorsiflexion")
    strength |= {"status": "final", "effectiveDateTime": onset, "valueInteger": 2}
    strength["bodySite"] = {"coding": [{"system": "http://snomed.info/sct", "code": "24028007", "display": "Right"}]}
    return {
        "conditions": conditions,
        "observations": [strength, *(_other("observations", n) for n in range(90_000, 90_003))],
        "procedures": [_other("procedures", 90_000)],
        "diagnosticReports": [_other("diagnosticReports", 90_000)],
        "serviceRequests": [_other("serviceRequests", 90_000)],
    }


def _condition(name: str, code: str, display: str, onset: str) -> Resource:
    resource = _coded("Condition", name, _ICD, code, display)
    resource["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": "active"}]}
    resource["onsetDateTime"] = onset
    return resource


def _other(key: str, number: int) -> Resource:
    """A resource that has nothing to do with foot drop."""
    day = (dt.date(2020, 1, 1) + dt.timedelta(days=number % 2000)).isoformat()
    if key == "conditions":
        return _condition(f"x-{number}", f"J{number % 99:02}.{number % 9}", "Some other problem", day)
    kind = {"observations": "Observation", "procedures": "Procedure", "diagnosticReports": "DiagnosticReport"}
    resource = _coded(kind.get(key, "ServiceRequest"), f"x-{number}", _LOINC, _LABS[number % 6], "Something measured")
    if key == "observations":
        resource |= {"status": "final", "effectiveDateTime": day}
        resource["valueQuantity"] = {"value": number / 7, "unit": "mg/dL"}
    elif key == "procedures":
        resource |= {"status": "completed", "performedDateTime": day}
    elif key == "diagnosticReports":
        resource |= {"status": "final", "effectiveDateTime": day}
    else:
        resource |= {"status": "completed", "intent": "order", "authoredOn": day}
    return resource


def _coded(kind: str, name: str, system: str, code: str, display: str) -> Resource:
    coding = {"system": system, "code": code, "display": display}
    return _named(
        {
            "resourceType": kind,
            "id": name,
            "code": {"coding": [coding], "text": display},
            "subject": {"reference": f"Patient/{_PATIENT}", "display": "Bench, Patient"},
        }
    )


def _named(resource: Resource) -> Resource:
    """As servers send it: with meta and narrative."""
    resource["meta"] = {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00.000Z"}
    resource["text"] = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{_PADDING}</div>'}
    return resource
