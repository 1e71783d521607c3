"""The one table from error to HTTP status, and the OperationOutcome that says what to mend (RSP-6).

Nothing here carries a value that somebody sent: messages name members, keys and resource types.
"""

from __future__ import annotations

import logging
import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cds_service.errors import (
    ForbiddenError,
    ForeignPatientError,
    HeadersTooLargeError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotHTTPError,
    NotJSONError,
    OverloadedError,
    PreconditionError,
    RequestError,
    TooLargeError,
    TooManyCallsError,
    TooSlowError,
    UnauthorizedError,
    UnknownServiceError,
    UnsupportedMediaTypeError,
    WrongHookError,
    place_of,
)
from cds_service.hooks.operation_outcome import Issue, IssueCode, OperationOutcome, encode

STATUS: dict[type[RequestError], tuple[int, IssueCode]] = {
    NotHTTPError: (400, "structure"),
    NotJSONError: (400, "structure"),
    InvalidRequestError: (400, "invalid"),
    WrongHookError: (400, "invalid"),
    ForeignPatientError: (400, "invalid"),
    UnauthorizedError: (401, "login"),
    ForbiddenError: (403, "forbidden"),
    UnknownServiceError: (404, "not-found"),
    MethodNotAllowedError: (405, "not-supported"),
    TooSlowError: (408, "timeout"),
    PreconditionError: (412, "incomplete"),
    TooLargeError: (413, "too-long"),
    UnsupportedMediaTypeError: (415, "not-supported"),
    TooManyCallsError: (429, "throttled"),
    HeadersTooLargeError: (431, "too-long"),
    OverloadedError: (503, "throttled"),
}
STATUSES = tuple(sorted({500, *(status for status, _ in STATUS.values())}))
_CODES: dict[int, IssueCode] = {404: "not-found", 405: "not-supported"}
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LOG = logging.getLogger("cds_service")


def outcome(
    status: int, code: IssueCode, diagnostics: str, member: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An OperationOutcome with one issue."""
    expression = (member,) if member else ()
    issue = Issue(severity="error", code=code, diagnostics=diagnostics, expression=expression)
    body = encode(OperationOutcome(issue=(issue,)))
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, media_type="application/fhir+json")


def refuse(error: RequestError) -> Response:
    """The answer to a call that is refused."""
    status, code = STATUS[type(error)]
    headers: dict[str, str] = {}
    if isinstance(error, OverloadedError | TooManyCallsError):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, UnauthorizedError):
        headers["www-authenticate"] = "Bearer"  # RFC 9110 wants it, and JWT-21 no more than that
    if isinstance(error, TooSlowError):
        headers["connection"] = "close"  # the rest of the request is not waited for
    if isinstance(error, MethodNotAllowedError):
        headers["allow"] = ", ".join(error.allowed)
    return outcome(status, code, str(error), error.member, headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the router says: unknown path, wrong method. OPTIONS is answered with what a path allows."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == 405 and request.method == "OPTIONS":
        return Response(status_code=204, headers={"allow": f"{headers.get('Allow', 'GET')}, OPTIONS"})
    if error.status_code == 405:
        return outcome(405, "not-supported", f"use {headers.get('Allow', 'another method')} here", None, headers)
    return outcome(
        error.status_code, _CODES.get(error.status_code, "processing"), "there is nothing at this path", None, headers
    )


async def on_ledger_error(_: Request, error: Exception) -> Response:
    """What is asked of the ledger by a page or a program, and cannot be told now."""
    _LOG.error("the ledger cannot be read: %s", type(error).__name__)
    return unreadable_ledger()


def unreadable_ledger() -> Response:
    """What is told where the ledger cannot be read."""
    return outcome(503, "transient", "the ledger cannot be read at the moment", None, {"retry-after": "5"})


def fault(error: Exception, call_id: str) -> Response:
    """A fault of ours: 500 with the call id, nothing of the patient. The log says where, never what a message holds."""
    _LOG.error("fault in call %s: %s at %s", call_id, type(error).__name__, place_of(error))
    return fault_of(call_id)


def fault_of(call_id: str) -> Response:
    """What is told of a fault: under which call the log has more."""
    return outcome(500, "exception", f"a fault of this service; call {call_id}")


def reason_of(error: RequestError) -> str:
    """Why a call was refused, as a code for the log and the audit: ``foreign-patient``."""
    return error.reason or _WORD.sub("-", type(error).__name__.removesuffix("Error")).lower()
