"""The orders that cards suggest, as types: what can be built is valid R4.

Statuses, intents and priorities are enumerations, references know which resource types they may point at, and a
rendered resource has no empty member.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from cds_service.domain.codes import Coding

_ID: Final = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")


class RequestStatus(StrEnum):
    """FHIR's request-status."""

    DRAFT = "draft"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    REVOKED = "revoked"
    COMPLETED = "completed"
    ENTERED_IN_ERROR = "entered-in-error"
    UNKNOWN = "unknown"


class RequestIntent(StrEnum):
    """FHIR's request-intent."""

    PROPOSAL = "proposal"
    PLAN = "plan"
    DIRECTIVE = "directive"
    ORDER = "order"
    ORIGINAL_ORDER = "original-order"
    REFLEX_ORDER = "reflex-order"
    FILLER_ORDER = "filler-order"
    INSTANCE_ORDER = "instance-order"
    OPTION = "option"


class RequestPriority(StrEnum):
    """FHIR's request-priority."""

    ROUTINE = "routine"
    URGENT = "urgent"
    ASAP = "asap"
    STAT = "stat"


@dataclass(frozen=True, slots=True)
class _TypedReference:
    """A literal reference, ``Type/id``. Ids longer than FHIR's 64 characters are real and pass."""

    TYPES: ClassVar[tuple[str, ...]] = ()
    reference: str

    def __post_init__(self) -> None:
        """Refuse another type than the element allows, and what is no id."""
        if not self.accepts(self.reference):
            raise ValueError(f"must be Type/id of {', '.join(self.TYPES)}")

    @classmethod
    def accepts(cls, reference: str) -> bool:
        """Whether a reference of this kind can be made of the text."""
        kind, _, found = reference.partition("/")
        return kind in cls.TYPES and _ID.fullmatch(found) is not None

    def element(self) -> dict[str, Any]:
        """The Reference."""
        return {"reference": self.reference}


class PatientReference(_TypedReference):
    """For whom."""

    __slots__ = ()
    TYPES = ("Patient",)


class EncounterReference(_TypedReference):
    """In which encounter."""

    __slots__ = ()
    TYPES = ("Encounter",)


class RequesterReference(_TypedReference):
    """By whom: clinicians and their organisation only; a patient or a relative orders nothing here."""

    __slots__ = ()
    TYPES = ("Practitioner", "PractitionerRole", "Organization")


class ReasonReference(_TypedReference):
    """Why: what R4 allows as the reason of a request."""

    __slots__ = ()
    TYPES = ("Condition", "Observation", "DiagnosticReport", "DocumentReference")


@dataclass(frozen=True, slots=True)
class Concept:
    """A CodeableConcept with something in it."""

    codings: tuple[Coding, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse a concept that says nothing, and codings without system or code."""
        if not self.text and not self.codings:
            raise ValueError("a concept has codings or text")
        if any(not coding.system or not coding.code for coding in self.codings):
            raise ValueError("a coding has a system and a code")

    def element(self) -> dict[str, Any]:
        """The CodeableConcept."""
        codings = [_filled(system=one.system, code=one.code, display=one.display) for one in self.codings]
        return _filled(coding=codings, text=self.text)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A detail of a device order."""

    code: Concept
    value: Concept

    def element(self) -> dict[str, Any]:
        """The backbone element."""
        return {"code": self.code.element(), "valueCodeableConcept": self.value.element()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _RequestDraft:
    """What orders for services and for devices have in common."""

    status: RequestStatus
    intent: RequestIntent
    priority: RequestPriority
    code: Concept
    subject: PatientReference
    requester: RequesterReference
    authored: dt.datetime
    encounter: EncounterReference | None = None
    planned: dt.date | None = None
    reasons: tuple[ReasonReference, ...] = ()
    reason_codes: tuple[Concept, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse anything that is not of its declared type: a plain string is not a status."""
        self._check("status", RequestStatus)
        self._check("intent", RequestIntent)
        self._check("priority", RequestPriority)
        self._check("code", Concept)
        self._check("subject", PatientReference)
        self._check("requester", RequesterReference)
        if self.encounter is not None:
            self._check("encounter", EncounterReference)
        self._check_each("reasons", ReasonReference)
        self._check_each("reason_codes", Concept)
        if self.authored.tzinfo is None:
            raise ValueError("authored has no time zone")

    def _check(self, name: str, wanted: type) -> None:
        if not isinstance(getattr(self, name), wanted):
            raise TypeError(f"{name} must be a {wanted.__name__}")

    def _check_each(self, name: str, wanted: type) -> None:
        if not all(isinstance(one, wanted) for one in getattr(self, name)):
            raise TypeError(f"each of {name} must be a {wanted.__name__}")

    def _common(self) -> dict[str, Any]:
        return {
            "status": self.status.value,
            "intent": self.intent.value,
            "priority": self.priority.value,
            "subject": self.subject.element(),
            "encounter": self.encounter.element() if self.encounter else None,
            "occurrenceDateTime": self.planned.isoformat() if self.planned else None,
            "authoredOn": self.authored.isoformat(timespec="seconds"),
            "requester": self.requester.element(),
            "reasonCode": [code.element() for code in self.reason_codes],
            "reasonReference": [reason.element() for reason in self.reasons],
            "note": [{"text": self.note}] if self.note else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequestDraft(_RequestDraft):
    """An order for a test, a referral, a procedure."""

    category: Concept | None = None
    body_sites: tuple[Concept, ...] = ()

    def __post_init__(self) -> None:
        """Check its own members too."""
        _RequestDraft.__post_init__(self)
        if self.category is not None:
            self._check("category", Concept)
        self._check_each("body_sites", Concept)

    def resource(self) -> dict[str, Any]:
        """The ServiceRequest in R4."""
        return _filled(
            resourceType="ServiceRequest",
            category=[self.category.element()] if self.category else None,
            code=self.code.element(),
            bodySite=[site.element() for site in self.body_sites],
            **self._common(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequestDraft(_RequestDraft):
    """An order for a device. R4 gives it neither a category nor a body site: the side is a parameter."""

    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        """Check its own members too."""
        _RequestDraft.__post_init__(self)
        self._check_each("parameters", Parameter)

    def resource(self) -> dict[str, Any]:
        """The DeviceRequest in R4."""
        return _filled(
            resourceType="DeviceRequest",
            codeCodeableConcept=self.code.element(),
            parameter=[parameter.element() for parameter in self.parameters],
            **self._common(),
        )


def _filled(**members: Any) -> dict[str, Any]:
    """The members that hold something: FHIR knows no null, no empty text, array or object."""
    return {name: value for name, value in members.items() if value}
