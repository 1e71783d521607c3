"""The FHIR OperationOutcome that goes with every answer that is not 2xx (RSP-6)."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Severity = Literal["fatal", "error", "warning", "information"]
IssueCode = Literal[
    "invalid",
    "structure",
    "required",
    "value",
    "security",
    "login",
    "forbidden",
    "processing",
    "not-supported",
    "not-found",
    "too-long",
    "too-costly",
    "business-rule",
    "transient",
    "exception",
    "timeout",
    "incomplete",
    "throttled",
]
"""The codes of http://hl7.org/fhir/issue-type (R4) that a CDS service has use for."""


class Issue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that went wrong; `expression` names the members of the request, such as `context.userId`.

    `diagnostics` is for the engineers of the EHR, not for its users, and never holds a value that was sent.
    """

    severity: Severity
    code: IssueCode
    diagnostics: str | None = None
    expression: tuple[str, ...] = ()


class OperationOutcome(msgspec.Struct, frozen=True, tag_field="resourceType", tag="OperationOutcome"):
    """What went wrong, in FHIR's words; FHIR wants at least one issue."""

    issue: tuple[Issue, ...]

    def __post_init__(self) -> None:
        """Refuse an outcome that says nothing."""
        if not self.issue:
            raise ValueError("an OperationOutcome has at least one issue")


_ENCODER: Final = msgspec.json.Encoder()


def encode(outcome: OperationOutcome) -> bytes:
    """The JSON of an outcome."""
    return _ENCODER.encode(outcome)
