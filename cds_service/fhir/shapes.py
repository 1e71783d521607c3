"""The members of FHIR resources that facts need, one shape per resource type, for one typed decode.

A member that is only looked at for being there, or seldom, stays undecoded (`Raw`).
"""

from __future__ import annotations

import msgspec

from cds_service.fhir.elements import (
    NO_RAW,
    Code,
    Coding,
    Concepts,
    Extensions,
    Identifiers,
    Period,
    Quantity,
    Reference,
    References,
    Shape,
    Timing,
)


class Parameter(Shape):
    """A parameter of an order."""

    code: Concepts = None
    value_codeable_concept: Concepts = None
    modifier_extension: Extensions = None


class Record(Shape):
    """What every resource may have: whose it is, and what may change its meaning."""

    id: str | int | None = None
    implicit_rules: str | None = None
    modifier_extension: Extensions = None
    contained: msgspec.Raw = NO_RAW
    subject: References = None
    patient: References = None

    @property
    def kind(self) -> str:
        """The resource type."""
        return type(self).__name__


class PatientLink(Shape):
    """Another Patient resource about the same person."""

    type: str | None = None
    other: References = None


class Patient(Record, tag_field="resourceType", tag=True):
    """The subject."""

    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    link: list[PatientLink] | PatientLink | None = None


class Condition(Record, tag_field="resourceType", tag=True):
    """A problem or diagnosis."""

    clinical_status: Concepts = None
    verification_status: Concepts = None
    category: Concepts = None
    severity: Concepts = None
    code: Concepts = None
    body_site: Concepts = None
    encounter: References = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    recorded_date: str | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_age: msgspec.Raw = NO_RAW
    abatement_range: msgspec.Raw = NO_RAW
    abatement_string: msgspec.Raw = NO_RAW
    extension: Extensions = None


class Valued(Record):
    """A code with a value[x]; of the values we cannot read we only see that there is one."""

    code: Concepts = None
    value_integer: Code = None
    value_decimal: Code = None
    value_quantity: Quantity | None = None
    value_codeable_concept: Concepts = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_range: msgspec.Raw = NO_RAW
    value_ratio: msgspec.Raw = NO_RAW
    value_sampled_data: msgspec.Raw = NO_RAW
    value_time: msgspec.Raw = NO_RAW
    value_date_time: msgspec.Raw = NO_RAW
    value_period: msgspec.Raw = NO_RAW
    data_absent_reason: Concepts = None


class Component(Valued):
    """One part of an Observation."""


class Observation(Valued, tag_field="resourceType", tag=True):
    """An examination or a measurement."""

    status: str | None = None
    body_site: Concepts = None
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    issued: str | None = None
    component: list[Component] | Component | None = None
    has_member: References = None


class Event(Record):
    """Something that was done or is under way."""

    status: str | None = None


class Procedure(Event, tag_field="resourceType", tag=True):
    """A procedure."""

    code: Concepts = None
    body_site: Concepts = None
    performed_date_time: str | None = None
    performed_period: Period | None = None


class DiagnosticReport(Event, tag_field="resourceType", tag=True):
    """A report of a study."""

    code: Concepts = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    issued: str | None = None


class MedicationAdministration(Event, tag_field="resourceType", tag=True):
    """A dose given."""

    medication_codeable_concept: Concepts = None
    medication_reference: References = None
    effective_date_time: str | None = None
    effective_period: Period | None = None


class MedicationStatement(Event, tag_field="resourceType", tag=True):
    """A medicine said to be taken."""

    medication_codeable_concept: Concepts = None
    medication_reference: References = None
    effective_date_time: str | None = None
    effective_period: Period | None = None


class Request(Record):
    """What orders of all types have in common, and a few members they borrow from each other."""

    identifier: Identifiers = None
    status: str | None = None
    priority: str | None = None
    do_not_perform: bool | None = None
    body_site: Concepts = None
    parameter: list[Parameter] | Parameter | None = None
    authored_on: str | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Timing | None = None
    reason_code: Concepts = None
    reason_reference: References = None
    replaces: References = None
    prior_request: References = None
    prior_prescription: References = None


class ServiceRequest(Request, tag_field="resourceType", tag=True):
    """An order for a test, a referral, a procedure."""

    code: Concepts = None


class DeviceRequest(Request, tag_field="resourceType", tag=True):
    """An order for a device."""

    code_codeable_concept: Concepts = None
    code_reference: References = None


class MedicationRequest(Request, tag_field="resourceType", tag=True):
    """An order for a medicine."""

    medication_codeable_concept: Concepts = None
    medication_reference: References = None


class DeviceReference(Shape):
    """`DeviceUseStatement.device`: a reference, or a concept where a feed sends one instead."""

    reference: str | Reference | None = None
    display: str | None = None
    concept: Concepts = None
    coding: list[Coding] | Coding | None = None
    text: str | None = None


class DeviceUseStatement(Record, tag_field="resourceType", tag=True):
    """That a device is or was used."""

    status: str | None = None
    device: DeviceReference | None = None
    body_site: Concepts = None
    timing_period: Period | None = None
    timing_date_time: str | None = None
    recorded_on: str | None = None


class Device(Record, tag_field="resourceType", tag=True):
    """A device, with `patient` if it is linked to one."""

    status: str | None = None
    type: Concepts = None


class Medication(Record, tag_field="resourceType", tag=True):
    """A medicine that an order points at."""

    code: Concepts = None


class Issue(Shape):
    """One issue of an OperationOutcome."""

    severity: str | None = None
    code: Code = None


class OperationOutcome(Record, tag_field="resourceType", tag=True):
    """What a server says instead of, or beside, the data."""

    issue: list[Issue] | Issue | None = None


class Other(Record):
    """A resource of a type without a shape, or one that does not fit its shape: only whose it is counts."""

    resource_type: str | None = None
    fits: bool = True

    @property
    def kind(self) -> str:
        """The resource type as sent; "resource" where that is no name of a type."""
        name = self.resource_type or ""
        return name if name.isascii() and name.isalpha() and name[0].isupper() and len(name) < 50 else "resource"


Known = (
    Patient
    | Condition
    | Observation
    | Procedure
    | DiagnosticReport
    | MedicationAdministration
    | MedicationStatement
    | ServiceRequest
    | DeviceRequest
    | MedicationRequest
    | DeviceUseStatement
    | Device
    | Medication
    | OperationOutcome
)
KNOWN_TYPES = frozenset(known.__name__ for known in Known.__args__)
