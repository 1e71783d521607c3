"""References as real feeds write them, reduced to ``Type/id``, and whose patient they name."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from cds_service.fhir import elements, shapes
from cds_service.fhir.bundles import many
from cds_service.fhir.elements import text_of

_PATIENT: Final = re.compile(r"(?:(?P<base>.*)/)?Patient/(?P<id>[^/?#]+)(?:/_history/[^/]*)?/?", re.DOTALL)
_TARGET: Final = re.compile(
    r"(?:(?P<base>.*)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/?#]+)(?:/_history/[^/]*)?/?", re.DOTALL
)


class Owner(Enum):
    """Whose a resource is."""

    PATIENT = "the call's patient"
    FOREIGN = "another patient"
    NOBODY = "names no patient"


def record_id(record: shapes.Record) -> str:
    """The id as text; real ones are longer than 64 characters, or numbers."""
    return text_of(record.id)


def record_key(record: shapes.Record) -> str:
    """``Type/id``, or nothing without an id."""
    found = record_id(record)
    return f"{record.kind}/{found}" if found else ""


class Server:
    """The base of the client's FHIR server, under which an absolute reference is as good as a relative one."""

    __slots__ = ("_base",)

    def __init__(self, base: str | None) -> None:
        self._base = _normal(base) if base else None

    def is_base(self, base: str | None) -> bool:
        """Whether a reference with this in front of ``Type/id`` points into the server."""
        return not base or (self._base is not None and _normal(base) == self._base)

    def local(self, reference: str) -> str | None:
        """``Type/id`` of a relative reference, or an absolute one under the server, without its version."""
        found = _TARGET.fullmatch(reference.strip())
        return f"{found['type']}/{found['id']}" if found and self.is_base(found["base"]) else None


def _normal(base: str) -> str:
    """Scheme and host ignore case; a slash at the end says nothing."""
    base = base.strip().rstrip("/")
    scheme, mark, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower()}{slash}{path}" if mark else base


class Binder:
    """Tells the patient's own resources from those of others, for one call."""

    def __init__(self, patient_id: str, server: Server) -> None:
        self._server = server
        self._id = patient_id
        self._ids = {patient_id}
        self._known: dict[str, Owner] = {}

    def learn(self, patient: shapes.Patient) -> None:
        """Take the ids of the records that the patient's own record replaces."""
        if record_id(patient) != self._id:
            return
        for link in many(patient.link):
            if link.type == "replaces":
                for other in many(link.other):
                    found = self._server.local(other.reference or "")
                    if found and found.startswith("Patient/"):
                        self._ids.add(found.removeprefix("Patient/"))

    def owner(self, record: shapes.Record, urns: dict[str, Owner]) -> Owner:
        """Whose the record is; `urns` tells the owners of the urn: addresses of its own Bundle."""
        if record.kind == "Patient":
            found = record_id(record)
            return Owner.NOBODY if not found else Owner.PATIENT if found in self._ids else Owner.FOREIGN
        if record.patient is None and isinstance(record.subject, elements.Reference):
            return self._named(record.subject.reference, urns)
        references = (*many(record.subject), *many(record.patient))
        owners = {self._named(reference.reference, urns) for reference in references}
        for owner in (Owner.FOREIGN, Owner.PATIENT):
            if owner in owners:
                return owner
        return Owner.NOBODY

    def _named(self, reference: str | None, urns: dict[str, Owner]) -> Owner:
        if not reference:
            return Owner.NOBODY
        if reference.startswith("urn:"):  # an address that its Bundle does not have could be anybody
            return urns.get(reference, Owner.FOREIGN)
        known = self._known.get(reference)
        if known is None:
            known = self._known[reference] = self._judge(reference)
        return known

    def _judge(self, reference: str) -> Owner:
        """A reference that is not to a Patient names no patient."""
        found = _PATIENT.fullmatch(reference.strip())
        if found is None:
            return Owner.NOBODY
        ours = found["id"] in self._ids and self._server.is_base(found["base"])
        return Owner.PATIENT if ours else Owner.FOREIGN
