"""Reads and searches over a few FHIR R4 resources in memory: what the example server answers, and what prefetch holds.

It knows the parameters of ``SEARCHES`` and nothing else, and refuses what it does not know: an answer that passed over
a parameter would be the answer to another question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

Resource: TypeAlias = dict[str, Any]
Parameters: TypeAlias = Sequence[tuple[str, str]]

_OF_PATIENT: Final = {"patient": "subject", "subject": "subject"}
_CODED: Final = _OF_PATIENT | {"encounter": "encounter", "code": "code"}
SEARCHES: Final[Mapping[str, Mapping[str, str]]] = {
    "Patient": {},
    "Practitioner": {},
    "Encounter": _OF_PATIENT,
    "Condition": _CODED | {"category": "category"},
    "Observation": _CODED | {"category": "category"},
    "Procedure": _CODED,
    "DiagnosticReport": _CODED | {"category": "category"},
    "ServiceRequest": _CODED | {"category": "category"},
    "DeviceRequest": _CODED | {"code": "codeCodeableConcept"},
    "DeviceUseStatement": _OF_PATIENT,
    "Device": {"patient": "patient", "type": "type"},
    "MedicationRequest": _OF_PATIENT | {"code": "medicationCodeableConcept"},
    "MedicationAdministration": _OF_PATIENT | {"code": "medicationCodeableConcept"},
}
"""Resource type → search parameter → the element that it looks at; ``_id`` is known of each type."""
REFERENCES: Final = frozenset(("patient", "subject", "encounter"))


class UnknownTypeError(LookupError):
    """A resource type that is not kept here."""


class NotOfferedError(ValueError):
    """A search parameter that is not known here."""


def read(resources: Iterable[Resource], resource_type: str, id_: str) -> Resource | None:
    """The resource with this id, if there is one."""
    _known(resource_type)
    found = (one for one in resources if one["resourceType"] == resource_type and one["id"] == id_)
    return next(found, None)


def search(resources: Iterable[Resource], resource_type: str, parameters: Parameters) -> list[Resource]:
    """The resources of a type that fit every parameter; a comma in a value means "or"."""
    known = {"_id": "id", **_known(resource_type)}
    for name, _ in parameters:
        if name not in known:
            raise NotOfferedError(f"{resource_type} cannot be searched by {name}, but by {', '.join(known)}")
    ones = (one for one in resources if one["resourceType"] == resource_type)
    return [one for one in ones if all(_fits(one.get(known[name]), name, value) for name, value in parameters)]


def answer(resources: Iterable[Resource], query: str) -> Resource:
    """What a FHIR server gives for a prefetch query such as ``Patient/77`` or ``Condition?patient=77``."""
    path, is_search, parameters = query.partition("?")
    if is_search:
        return searchset(search(resources, path, parse_qsl(parameters, keep_blank_values=True)))
    resource_type, _, id_ = path.partition("/")
    found = read(resources, resource_type, id_)
    if found is None:
        raise LookupError(f"there is no {path}")
    return found


def searchset(resources: Sequence[Resource]) -> Resource:
    """The matches of a search as a Bundle; FHIR has no empty lists."""
    entries = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    made: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    return made | ({"entry": entries} if entries else {})


def _known(resource_type: str) -> Mapping[str, str]:
    if resource_type not in SEARCHES:
        raise UnknownTypeError(f"{resource_type} is not kept here; {', '.join(SEARCHES)} are")
    return SEARCHES[resource_type]


def _fits(element: Any, name: str, value: str) -> bool:
    wanted = value.split(",")
    if name == "_id":
        return element in wanted
    if name in REFERENCES:
        return _id((element or {}).get("reference", "")) in {_id(one) for one in wanted}
    concepts = element if isinstance(element, list) else [element or {}]
    codings = [coding for concept in concepts for coding in concept.get("coding", [])]
    return any(_is(coding, one) for coding in codings for one in wanted)


def _id(reference: str) -> str:
    """``77`` of ``77``, of ``Patient/77`` and of the same with an address before it: nobody else's data is here."""
    return reference.rpartition("/")[2]


def _is(coding: Mapping[str, str], token: str) -> bool:
    """Whether a coding is meant by ``code``, ``system|code``, ``system|`` or ``|code`` (a code without a system)."""
    system, bar, code = token.rpartition("|")
    return (not bar or coding.get("system", "") == system) and (coding.get("code") == code or bool(bar and not code))
