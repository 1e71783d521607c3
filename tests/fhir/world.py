"""A small invented vocabulary, a patient, and short ways to write FHIR: these tests do not depend on cards/."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec

from cds_service.domain.codes import CodeSystem, CodeTable, Coding, Meaning
from cds_service.domain.facts import Fact, Kind, PatientFacts
from cds_service.domain.queries import Queries, Query
from cds_service.domain.sides import Side
from cds_service.domain.times import Now, Window
from cds_service.domain.vocabulary import Need, Plausible, Vocabulary
from cds_service.fhir.reader import RecordReader
from cds_service.hooks.contexts import CONTEXTS, parse_context
from cds_service.hooks.request import CDSRequest

DOTTED = "http://example.org/dotted"
DOTTED_OID = "urn:oid:1.2.3"
PLAIN = "http://example.org/plain"
SERVER = "https://ehr.example.org/fhir"
ZONE = dt.UTC
NOW = Now.of(dt.datetime(2026, 6, 15, 12, 0, tzinfo=ZONE), ZONE)
ME = {"reference": "Patient/me"}

NEEDS = {
    "patient": ("patient", "Patient"),
    "problems": ("conditions", "Condition"),
    "findings": ("observations", "Observation"),
    "procedures": ("procedures", "Procedure"),
    "reports": ("reports", "DiagnosticReport"),
    "services": ("serviceRequests", "ServiceRequest"),
    "device orders": ("deviceRequests", "DeviceRequest"),
    "medicines": ("medicationRequests", "MedicationRequest"),
    "doses": ("doses", "MedicationAdministration"),
    "use": ("deviceUse", "DeviceUseStatement"),
    "devices": ("devices", "Device"),
}
KEYS = {resource: key for key, resource in NEEDS.values()}

_DOTTED_CODES = {
    "L101": (Meaning("limp", Side.RIGHT),),
    "L102": (Meaning("limp", Side.LEFT),),
    "L109": (Meaning("limp"),),
    "S01": (Meaning("sore knee", words=("kneecap", "K5")),),
    "C50": (Meaning("fall"),),
}
_PLAIN_CODES = {
    "limp": (Meaning("limp"),),
    "grade": (Meaning("strength"),),
    "pulse": (Meaning("pulse"),),
    "index": (Meaning("index"),),
    "flow": (Meaning("flow"),),
    "sign": (Meaning("sign"),),
    "study": (Meaning("study"), Meaning("any study")),
    "scan": (Meaning("study"),),
    "brace": (Meaning("brace"),),
    "stim": (Meaning("stimulator"),),
    "drug": (Meaning("drug"),),
    "present": (Meaning("present"),),
    "absent": (Meaning("absent"),),
    "severe": (Meaning("severe"),),
    "right": (Meaning("right side", Side.RIGHT),),
    "left": (Meaning("left side", Side.LEFT),),
    "both": (Meaning("both sides", Side.BOTH),),
    "laterality": (Meaning("which side"),),
    "arm": (Meaning("arm"),),
    "leg": (Meaning("leg"),),
    "42": (Meaning("numbered"),),
}


def vocabulary(**needs: tuple[str, str]) -> Vocabulary:
    """The invented vocabulary; more needs on request, as name=(key, resource type)."""
    meanings = {(DOTTED, code): found for code, found in _DOTTED_CODES.items()}
    meanings |= {(PLAIN, code): found for code, found in _PLAIN_CODES.items()}
    systems = [CodeSystem("dotted", DOTTED, (DOTTED_OID,), ignores_dots=True), CodeSystem("plain", PLAIN)]
    return Vocabulary(
        table=CodeTable(systems, meanings),
        needs={
            name: Need(name=name, key=key, resource=resource, shows=frozenset(), words=name)
            for name, (key, resource) in (NEEDS | needs).items()
        },
        yes_means="present",
        no_means="absent",
        laterality_parameter="which side",
        laterality_parameter_coding=Coding(PLAIN, "laterality", "Laterality"),
        encounter_diagnosis_window=Window(90),
        scales={"strength": (0, 5)},
        not_at={"study": frozenset(("arm",)), "any study": frozenset()},
        plausible={"flow": Plausible(0, 3, frozenset(("1", "ratio")))},
        side_codings={one: Coding(PLAIN, one, one.title()) for one in ("right", "left", "both")},
    )


def queries(words: Vocabulary) -> Queries:
    """A query for each need of a vocabulary, the same at every hook."""
    asked = tuple(
        Query(name, need.key, need.resource, f"{need.resource}?patient={{{{context.patientId}}}}")
        for name, need in words.needs.items()
    )
    return Queries(dict.fromkeys(CONTEXTS, asked))


# ---- FHIR in few words


def concept(code: object, system: str = PLAIN, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **more}


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "me", "birthDate": "1960-02-03", **more}


def status(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code}]}


def condition(code: object = "limp", **more: Any) -> dict[str, Any]:
    return _of_me("Condition", "c", more, clinicalStatus=status("active"), code=_as_concept(code))


def observation(code: object = "grade", **more: Any) -> dict[str, Any]:
    return _of_me("Observation", "o", more, status="final", code=_as_concept(code), effectiveDateTime="2026-06-01")


def procedure(code: object = "study", **more: Any) -> dict[str, Any]:
    return _of_me("Procedure", "p", more, status="completed", code=_as_concept(code), performedDateTime="2026-06-02")


def report(code: object = "study", **more: Any) -> dict[str, Any]:
    return _of_me("DiagnosticReport", "r", more, status="final", code=_as_concept(code))


def service_request(code: object = "study", **more: Any) -> dict[str, Any]:
    return _of_me("ServiceRequest", "s", more, status="active", intent="order", code=_as_concept(code))


def device_request(code: object = "brace", **more: Any) -> dict[str, Any]:
    return _of_me("DeviceRequest", "d", more, status="active", intent="order", codeCodeableConcept=_as_concept(code))


def medication_request(code: object = "drug", **more: Any) -> dict[str, Any]:
    code = _as_concept(code)
    return _of_me("MedicationRequest", "m", more, status="active", intent="order", medicationCodeableConcept=code)


def dose(code: object = "drug", **more: Any) -> dict[str, Any]:
    code = _as_concept(code)
    return _of_me("MedicationAdministration", "a", more, status="completed", medicationCodeableConcept=code)


def device_use(code: object = "brace", **more: Any) -> dict[str, Any]:
    contained = [{"resourceType": "Device", "id": "x", "type": _as_concept(code)}]
    return _of_me("DeviceUseStatement", "u", more, status="active", contained=contained, device={"reference": "#x"})


def device(code: object = "stim", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Device", "id": "dev", "type": _as_concept(code)} | more


def _as_concept(code: object) -> object:
    return concept(code) if isinstance(code, str) else code


def _of_me(kind: str, resource_id: str, more: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """A resource of the patient; a member given as None is left out."""
    whole = {"resourceType": kind, "id": resource_id, "subject": ME, **usual, **more}
    return {name: value for name, value in whole.items() if value is not None}


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | more


# ---- reading


def call(
    prefetch: dict[str, Any] | None = None, hook: str = "patient-view", server: str | None = SERVER, **context: Any
) -> PatientFacts:
    """The facts of a call with these prefetch values and context members."""
    return read_with(vocabulary(), prefetch, hook, server, **context)


def read_with(
    words: Vocabulary,
    prefetch: dict[str, Any] | None = None,
    hook: str = "patient-view",
    server: str | None = SERVER,
    max_resources: int = 1000,
    **context: Any,
) -> PatientFacts:
    raw = None if prefetch is None else {key: as_raw(value) for key, value in prefetch.items()}
    members = {"userId": "Practitioner/p", "patientId": "me"} | context
    request = CDSRequest(hook=hook, hook_instance="i", context=as_raw(members), prefetch=raw, fhir_server=server)
    reader = RecordReader(words, queries(words), ZONE, max_resources)
    return reader.read(request, parse_context(hook, request.context), NOW)


def as_raw(value: Any) -> msgspec.Raw:
    return value if isinstance(value, msgspec.Raw) else msgspec.Raw(json.dumps(value).encode())


def chart(*resources: dict[str, Any], **more: Any) -> PatientFacts:
    """The facts of a record in which each resource stands under the key of its type."""
    prefetch: dict[str, Any] = {"patient": patient()}
    for resource in resources:
        key = KEYS[resource["resourceType"]]
        prefetch.setdefault(key, bundle())["entry"].append({"resource": resource})
    return call(prefetch, **more)


def only(facts: PatientFacts, kind: Kind | None = None) -> Any:
    """The one fact (of a kind)."""
    found = [fact for fact in facts.facts if kind is None or _kind(fact) is kind]
    assert len(found) == 1, found
    return found[0]


def _kind(fact: Fact) -> Kind:
    return Kind(type(fact).__name__.lower())
