"""Every answer that is not a success: what it means and what to do, with the answer itself as its example.

The examples are made by the code that refuses, so that they cannot differ from what a client gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.responses import Response

from cds_service.api.errors import fault_of, refuse, unreadable_ledger
from cds_service.api.openapi.schemas import Schema, ref
from cds_service.domain.facts import GapReason
from cds_service.errors import (
    ForbiddenError,
    ForeignPatientError,
    HeadersTooLargeError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotJSONError,
    OverloadedError,
    PreconditionError,
    TooLargeError,
    TooManyCallsError,
    TooSlowError,
    UnauthorizedError,
    UnknownServiceError,
    UnsupportedMediaTypeError,
    WrongHookError,
)

_CALL_ID: Final = "1b4e28ba-2fa1-4bd2-883f-0016d3cca427"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status with its meaning, the answers that have it, and the headers that come with it."""

    status: int
    means: str
    answers: Mapping[str, Callable[[], Response]]
    headers: tuple[str, ...] = ()


REFUSALS: Final[Mapping[str, Refusal]] = {
    "BadCall": Refusal(
        400,
        "The body is not JSON; a required member is missing or has the wrong form; `hook` is not that of the "
        "service; a name stands twice; or the request holds a resource of another patient. The issue names the "
        "member. Mend the request: sent again as it is, it will be refused again.",
        {
            "member missing": lambda: refuse(InvalidRequestError("context.patientId", "is required")),
            "another patient": lambda: refuse(ForeignPatientError("prefetch.conditions", "Condition")),
            "another hook": lambda: refuse(WrongHookError(("patient-view",))),
            "not JSON": lambda: refuse(NotJSONError()),
        },
    ),
    "BadFeedback": Refusal(
        400,
        "The body is not JSON, a name stands twice, or a member of an entry is missing or has the wrong form. The "
        "issue names it. Nothing of the body was kept.",
        {
            "member missing": lambda: refuse(InvalidRequestError("feedback[0].outcome", "is required")),
            "not JSON": lambda: refuse(NotJSONError()),
        },
    ),
    "BadQuery": Refusal(
        400,
        "A parameter of the address is not known, stands there twice, or has a value that cannot be meant.",
        {"unknown grouping": lambda: refuse(InvalidRequestError("by", "is none of recommendation, version"))},
    ),
    "NoClientToken": Refusal(
        401,
        "No client token, or a bad one. It is not said why; the audit log of the service says it. In open mode no "
        "token is asked for.",
        {"unauthorized": lambda: refuse(UnauthorizedError())},
        ("WWW-Authenticate",),
    ),
    "NoAdminToken": Refusal(
        401,
        "Neither the admin token, nor a user whom the trusted proxy has logged in, nor, in open mode, a connection "
        "from the machine itself.",
        {"unauthorized": lambda: refuse(UnauthorizedError())},
        ("WWW-Authenticate",),
    ),
    "Forbidden": Refusal(
        403,
        "The client is known and may not use this service, this FHIR server, or be called from this web page. In open "
        "mode: the request comes from another machine.",
        {
            "service": lambda: refuse(ForbiddenError("service")),
            "FHIR server": lambda: refuse(ForbiddenError("FHIR server")),
        },
    ),
    "ForbiddenFeedback": Refusal(
        403,
        "The client is known and may not use this service, may not be called from this web page, or reports on a card "
        "that was shown to another client. In open mode: the request comes from another machine.",
        {"card of another client": lambda: refuse(ForbiddenError("card"))},
    ),
    "ForbiddenMachine": Refusal(
        403,
        "In open mode: the request comes from another machine.",
        {"open mode": lambda: refuse(ForbiddenError("service from another machine: it runs in open mode"))},
    ),
    "ForbiddenPage": Refusal(
        403,
        "The request comes from another machine, and the service has no admin token that would open its pages.",
        {"another machine": lambda: refuse(ForbiddenError("page from another machine"))},
    ),
    "NotFound": Refusal(
        404,
        "There is no service with this id, no such page, or nothing at this path.",
        {"service": lambda: refuse(UnknownServiceError())},
    ),
    "OtherMethod": Refusal(
        405,
        "Another method was used. The header Allow names those of the path; OPTIONS is answered with it too.",
        {"another method": lambda: refuse(MethodNotAllowedError(("POST",)))},
        ("Allow",),
    ),
    "TooSlow": Refusal(
        408,
        "The request did not arrive in time. The connection is closed.",
        {"slow body": lambda: refuse(TooSlowError("body", 30))},
    ),
    "CouldNotCheck": Refusal(
        412,
        "The service could not check: the Patient, or the Conditions, could be had neither by prefetch nor from the "
        "FHIR server. The issue names the prefetch keys, each with the reason. It does not mean that nothing is to be "
        "done.",
        {"not sent": lambda: refuse(PreconditionError({"conditions": GapReason.NOT_SENT.value}))},
    ),
    "TooLarge": Refusal(
        413,
        "The body has too many bytes, elements, resources or levels of nesting. The limits are settings of the site.",
        {"bytes": lambda: refuse(TooLargeError("bytes", 33_554_432))},
    ),
    "NotDeclaredAsJSON": Refusal(
        415,
        "The body is not declared as application/json or application/fhir+json, or it is compressed.",
        {"not declared": lambda: refuse(UnsupportedMediaTypeError())},
    ),
    "TooManyCalls": Refusal(
        429,
        "This client sends more calls than agreed. Come back after the seconds in Retry-After.",
        {"too many": lambda: refuse(TooManyCallsError(2))},
        ("Retry-After",),
    ),
    "HeadersTooLarge": Refusal(
        431,
        "The headers are too many or too long. The connection is closed.",
        {"headers": lambda: refuse(HeadersTooLargeError())},
    ),
    "Fault": Refusal(
        500,
        "A fault of this service. Tell whoever runs it the id of the call, under which its log has more.",
        {"fault": lambda: fault_of(_CALL_ID)},
    ),
    "Overloaded": Refusal(
        503,
        "Too many requests at once; or the call or the feedback cannot be kept now and has to be. Come back after the "
        "seconds in Retry-After.",
        {"overloaded": lambda: refuse(OverloadedError())},
        ("Retry-After",),
    ),
    "NoFigures": Refusal(
        503,
        "The ledger cannot be read at the moment, or there are too many requests at once. Come back after the "
        "seconds in Retry-After.",
        {"no ledger": unreadable_ledger},
        ("Retry-After",),
    ),
}
"""Every refusal by its name in the document."""

HEADERS: Final[Mapping[str, Schema]] = {
    "WWW-Authenticate": {
        "required": True,
        "description": "How to say who one is.",
        "schema": {"const": "Bearer"},
        "example": "Bearer",
    },
    "Allow": {
        "required": True,
        "description": "The methods of this path.",
        "schema": {"type": "string", "pattern": "^[A-Z]+(, [A-Z]+)*$"},
        "example": "POST",
    },
    "Retry-After": {
        "required": True,
        "description": "After how many seconds to come back.",
        "schema": {"type": "string", "pattern": "^[1-9][0-9]*$"},
        "example": "1",
    },
    "Cache-Control": {
        "required": True,
        "description": "No answer of the service is kept anywhere.",
        "schema": {"const": "no-store"},
        "example": "no-store",
    },
}
"""The headers that mean something to a client, by name."""


def responses() -> dict[str, Schema]:
    """The refusals as the document has them."""
    return {name: _response(refusal) for name, refusal in REFUSALS.items()}


def refused(names: Iterable[str]) -> dict[str, Schema]:
    """The refusals of an operation, by status."""
    found = sorted(names, key=lambda name: REFUSALS[name].status)
    return {str(REFUSALS[name].status): {"$ref": f"#/components/responses/{name}"} for name in found}


def headers(*names: str) -> dict[str, Schema]:
    """Some of the headers, and the one that each answer has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "Cache-Control")}


def _response(refusal: Refusal) -> Schema:
    examples = {name.replace(" ", "-"): _example(name, make()) for name, make in refusal.answers.items()}
    return {
        "description": refusal.means,
        "headers": headers(*refusal.headers),
        "content": {"application/fhir+json": {"schema": ref("OperationOutcome"), "examples": examples}},
    }


def _example(name: str, answer: Response) -> dict[str, Any]:
    return {"summary": name.capitalize(), "value": msgspec.json.decode(answer.body)}
