"""FHIR's data types, reduced to the members that facts need.

Tolerant where real feeds are sloppy and nothing is lost by it: numeric codes, one object where FHIR wants an array
and the other way round, a plain string for a concept. Everything is optional, unknown members are skipped unread.
"""

from __future__ import annotations

import msgspec

Code = str | int | float | None
NO_RAW = msgspec.Raw(b"")
_LONGEST_NUMBER = 10**18


def text_of(value: Code) -> str:
    """A code or an id as text, also where a feed sends a number."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool) or abs(value) >= _LONGEST_NUMBER:
        return ""
    return str(value) if isinstance(value, int) else f"{value:g}"


class Shape(msgspec.Struct, gc=False, rename="camel", kw_only=True):
    """A piece of FHIR JSON."""


class Coding(Shape):
    """System, code and display."""

    system: str | None = None
    code: Code = None
    display: str | None = None


class CodeableConcept(Shape):
    """Codings and the clinician's words."""

    coding: list[Coding] | Coding | None = None
    text: str | None = None


Concepts = CodeableConcept | list[CodeableConcept] | str | None


class Identifier(Shape):
    """A business identifier, shared by a draft and the order it became."""

    system: str | None = None
    value: Code = None


Identifiers = list[Identifier] | Identifier | None


class Reference(Shape):
    """A reference; without `reference` it is a logical one or only words."""

    reference: str | None = None
    display: str | None = None
    identifier: Identifiers = None


References = Reference | list[Reference] | None


class Period(Shape):
    """Start and end, as text."""

    start: str | None = None
    end: str | None = None


class Quantity(Shape):
    """A number with a unit; a comparator makes it a bound."""

    value: Code = None
    unit: str | None = None
    code: Code = None
    comparator: str | None = None


class Timing(Shape):
    """Only the events of a timing."""

    event: list[str | None] | str | None = None


class Extension(Shape):
    """An extension with the values we know how to read."""

    url: str | None = None
    value_codeable_concept: Concepts = None
    value_reference: References = None
    value_boolean: bool | None = None


Extensions = list[Extension] | Extension | None
