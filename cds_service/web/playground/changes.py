"""What may be changed in a record, to see what changes then: leave a resource out, or give it another status."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from cds_service.decision.words import plain
from cds_service.errors import InvalidRequestError
from cds_service.web.html import Markup, join, tag
from cds_service.web.playground.words import LABELS

REMOVED: Final = "(removed)"
_MOST: Final = 200
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ORDER: Final = ("draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown")
_REPORTED: Final = ("final", "amended", "corrected", "cancelled", "entered-in-error", "unknown")
STATUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "Condition": ("active", "recurrence", "relapse", "inactive", "remission", "resolved"),
    "Observation": ("registered", "preliminary", *_REPORTED),
    "Procedure": (
        "preparation",
        "in-progress",
        "not-done",
        "on-hold",
        "stopped",
        "completed",
        "entered-in-error",
        "unknown",
    ),
    "DiagnosticReport": ("registered", "partial", "preliminary", "appended", *_REPORTED),
    "ServiceRequest": _ORDER,
    "DeviceRequest": _ORDER,
    "DeviceUseStatement": ("active", "completed", "entered-in-error", "intended", "stopped", "on-hold"),
    "Device": ("active", "inactive", "entered-in-error", "unknown"),
    "MedicationRequest": (
        "active",
        "on-hold",
        "cancelled",
        "completed",
        "entered-in-error",
        "stopped",
        "draft",
        "unknown",
    ),
    "MedicationAdministration": (
        "in-progress",
        "not-done",
        "on-hold",
        "completed",
        "entered-in-error",
        "stopped",
        "unknown",
    ),
}
"""The statuses of each type that is read, as FHIR R4 has them; a Condition's is its clinicalStatus."""
_STILL_GOES_ON: Final = ("active", "recurrence", "relapse")
_NAMED_BY: Final = ("code", "codeCodeableConcept", "medicationCodeableConcept", "type")
_DATED_BY: Final = (
    "onsetDateTime",
    "recordedDate",
    "effectiveDateTime",
    "performedDateTime",
    "authoredOn",
    "timingDateTime",
    "date",
)


class Change(msgspec.Struct, frozen=True):
    """One resource, by its place in the record from 0, and the status it gets, or REMOVED."""

    at: int
    to: str


def changed(record: Sequence[dict[str, Any]], changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The record with its changes made. Raises InvalidRequestError for one that cannot be made."""
    made: list[dict[str, Any] | None] = list(record)
    for change in changes:
        if not 0 <= change.at < len(record):
            raise InvalidRequestError("changes", "names a resource that the record has not")
        made[change.at] = _with_status(record[change.at], change.to)
    return [resource for resource in made if resource is not None]


def _with_status(resource: dict[str, Any], status: str) -> dict[str, Any] | None:
    if status == REMOVED:
        return None
    kind = str(resource.get("resourceType"))
    if status not in STATUSES.get(kind, ()):
        raise InvalidRequestError("changes", "has a status that its resource cannot have")
    made = copy.deepcopy(resource)
    if kind != "Condition":
        return made | {"status": status}
    if status in _STILL_GOES_ON:  # FHIR's con-4: what goes on has not abated
        made = {name: value for name, value in made.items() if not name.lstrip("_").startswith("abatement")}
    return made | {"clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]}}


def status_of(resource: Mapping[str, Any]) -> str:
    """The status that a resource states, empty where it states none."""
    status = resource.get("status")
    if resource.get("resourceType") == "Condition":
        status = next(iter(_codings(resource.get("clinicalStatus"))), {}).get("code")
    return status if isinstance(status, str) else ""


def record_form(record: Sequence[dict[str, Any]], changes: Sequence[Change]) -> Markup:
    """A line for each resource of the record as it came, with what was changed of it chosen."""
    chosen = {change.at: change.to for change in changes}
    there = [at for at, resource in enumerate(record) if str(resource.get("resourceType")) in STATUSES]
    rest = len(there) - _MOST
    return join(
        [
            tag("ul", *(_line(at, record[at], chosen.get(at, "")) for at in there[:_MOST]), class_="record"),
            tag("p", LABELS["too many"].format(count=rest), class_="quiet") if rest > 0 else None,
            tag("p", LABELS["nothing to change"], class_="quiet") if not there else None,
        ]
    )


def _line(at: int, resource: Mapping[str, Any], chosen: str) -> Markup:
    kind, status = str(resource.get("resourceType")), status_of(resource)
    identifier = resource.get("id")
    reference = f"{kind}/{identifier}" if isinstance(identifier, str) else kind
    date = f", {plain(when)}" if (when := _date_of(resource)) else ""
    name = f"change-{at}"
    options = (
        tag(
            "option",
            LABELS["as recorded"].format(status=plain(status) or LABELS["no status"]),
            value="",
            selected=not chosen,
        ),
        *(tag("option", one, value=one, selected=one == chosen) for one in STATUSES[kind] if one != status),
        tag("option", LABELS["not on record"], value=REMOVED, selected=chosen == REMOVED),
    )
    words = tag("label", tag("b", _name_of(resource)), date, for_=name)
    choice = tag("select", *options, id=name, data_change=str(at), class_="changed" if chosen else None)
    return tag("li", tag("span", words, " ", tag("code", plain(reference))), choice)


def _name_of(resource: Mapping[str, Any]) -> str:
    return next(_names(resource), LABELS["nameless"])


def _names(resource: Mapping[str, Any]) -> Iterator[str]:
    """The words by which a record calls something; a device in use is called by the Device it contains."""
    contained = resource.get("contained")
    inside = [one for one in contained if isinstance(one, dict)] if isinstance(contained, list) else []
    for each in (resource, *inside):
        for concept in (each.get(member) for member in _NAMED_BY):
            found = [concept.get("text")] if isinstance(concept, dict) else []
            found += [coding.get(part) for coding in _codings(concept) for part in ("display", "code")]
            yield from (plain(text) for text in found if isinstance(text, str) and text.strip())


def _codings(concept: object) -> list[dict[str, Any]]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []


def _date_of(resource: Mapping[str, Any]) -> str:
    for member in _DATED_BY:
        if isinstance(date := resource.get(member), str):
            return date[:10]
    for member in ("timingPeriod", "performedPeriod", "effectivePeriod", "onsetPeriod"):
        period = resource.get(member)
        if isinstance(period, dict) and isinstance(start := period.get("start"), str):
            return start[:10]
    return ""
