"""Everything that can go wrong, as one tree.

::

    FootDropError
    ├── KnowledgeError               something in cards/ is wrong: file, line, key, remedy
    │   └── InvalidKnowledgeError    everything that is wrong with cards/, at once
    ├── SettingsError                a CDS_ variable cannot be used
    ├── LedgerError                  the store cannot be opened, read or written
    │   └── JournalFullError         no more can wait for the database
    ├── ExportError                  the knowledge cannot be written as FHIR resources
    ├── FetchError                   a query to the client's FHIR server came to nothing
    └── RequestError                 this call is refused or cannot be answered
        ├── NotHTTPError             what came is no HTTP request
        ├── NotJSONError             the body is not JSON (RFC 8259)
        ├── InvalidRequestError      a member is missing, empty or of the wrong type
        ├── WrongHookError           `hook` is not a hook of this service
        ├── ForeignPatientError      a resource in the request belongs to another patient
        ├── UnknownServiceError      no service has this id
        ├── MethodNotAllowedError    this path answers other methods
        ├── UnsupportedMediaTypeError  the body is not declared as JSON
        ├── TooLargeError            too many bytes, elements or resources, or nested too deep
        ├── HeadersTooLargeError     too many headers, or too long
        ├── TooSlowError             the request did not arrive within its time
        ├── UnauthorizedError        no client token, or a bad one: never says why
        ├── ForbiddenError           this client may not use this service or FHIR server
        ├── PreconditionError        needed patient data cannot be had
        ├── TooManyCallsError        this client calls more often than agreed
        └── OverloadedError          too many calls at once: come back later

Messages go over the wire and into logs, so they hold member names, prefetch keys and resource types,
never a value that somebody sent. The HTTP status of each error stands in one table of the api package.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Final

_FRAMES: Final = 6


class FootDropError(Exception):
    """The root: catch this to catch everything this project raises on purpose."""


class KnowledgeError(FootDropError):
    """A file in `cards/` cannot be used; says where, which key, and what would have been right."""

    def __init__(
        self,
        problem: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.key = key
        self.remedy = remedy
        place = ":".join(str(part) for part in (file, line) if part is not None)
        parts = (place, key, problem)
        message = ": ".join(str(part) for part in parts if part)
        super().__init__(f"{message} ({remedy})" if remedy else message)


class InvalidKnowledgeError(KnowledgeError):
    """Everything that is wrong with `cards/`, at once, in the order of the files."""

    def __init__(self, problems: Iterable[KnowledgeError]) -> None:
        self.problems = sorted(problems, key=lambda problem: (str(problem.file), problem.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsError(FootDropError):
    """The environment holds settings that cannot be used; each line says which and what would be right."""


class LedgerError(FootDropError):
    """The ledger cannot be opened, read or written. The message names no patient, no value and no password."""


class JournalFullError(LedgerError):
    """The journal holds as much as it may: nothing more can wait for the database."""

    def __init__(self) -> None:
        super().__init__("the journal is full")


class ExportError(FootDropError):
    """The knowledge cannot be exported as asked; nothing was written."""


class FetchError(FootDropError):
    """A query to the client's FHIR server came to nothing; ``reason`` is a code, never what the server said."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RequestError(FootDropError):
    """This call is refused or cannot be answered; `member` names the culprit where there is one.

    `reason` is a code for the audit where it says more than the class does; the answer never says it.
    """

    member: str | None = None
    reason: str | None = None


class NotHTTPError(RequestError):
    """What came over the connection is no HTTP/1.1 request."""

    def __init__(self) -> None:
        super().__init__("this is no HTTP/1.1 request")


class NotJSONError(RequestError):
    """The body is not JSON in UTF-8 (JSN-1); nothing in it was looked at."""

    def __init__(self) -> None:
        super().__init__("the body is not JSON (RFC 8259, UTF-8)")


class InvalidRequestError(RequestError, ValueError):
    """A member of the request is missing, empty or of the wrong type.

    It is a ValueError too, so that a type raising it at construction is heard by msgspec, which adds the
    path of the object to the member's own name (see `hooks.reading`).
    """

    member: str

    def __init__(self, member: str, problem: str) -> None:
        self.member = member
        self.problem = problem
        super().__init__(f"{member} {problem}")


class WrongHookError(RequestError):
    """`hook` names a hook that this service is not for."""

    member = "hook"

    def __init__(self, expected: Iterable[str]) -> None:
        self.expected = tuple(expected)
        super().__init__(f"hook is not one of this service: {', '.join(self.expected)}")


class ForeignPatientError(RequestError):
    """A resource in the request is not about `context.patientId`; no part of the request is used."""

    member: str

    def __init__(self, member: str, resource_type: str) -> None:
        self.member = member
        self.resource_type = resource_type
        super().__init__(f"{member} holds data ({resource_type}) of another patient than context.patientId")


class UnknownServiceError(RequestError):
    """No service has the id in the path."""

    def __init__(self) -> None:
        super().__init__("there is no CDS service with this id; see /cds-services")


class MethodNotAllowedError(RequestError):
    """The path exists but answers other methods, listed in `allowed` for the Allow header."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(f"use {' or '.join(self.allowed)} here")


class UnsupportedMediaTypeError(RequestError):
    """The body is declared as something else than JSON (JSN-1)."""

    def __init__(self) -> None:
        super().__init__("send the body as Content-Type: application/json")


class TooLargeError(RequestError):
    """The body has more of `what` (bytes, resources, levels of nesting) than we read."""

    def __init__(self, what: str, limit: int | None = None) -> None:
        self.what = what
        self.limit = limit
        super().__init__(f"the body has too many {what}" + (f" (limit {limit})" if limit is not None else ""))


class HeadersTooLargeError(RequestError):
    """The headers of a request are more, or longer, than we read."""

    def __init__(self) -> None:
        super().__init__("the request has too many headers, or too long ones")


class TooSlowError(RequestError):
    """The head or the body of a request did not arrive within its time."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"the {what} of the request did not arrive within {seconds:g} s")


class RefusalReason(StrEnum):
    """Why a client token was refused: for the audit log and the metrics, never for the one who sent it (JWT-21)."""

    NO_TOKEN = "no_token"  # noqa: S105  # a code, as all of these
    NOT_BEARER = "not_bearer"
    SEVERAL_TOKENS = "several_tokens"
    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    BAD_HEADER = "bad_header"
    WRONG_TYPE = "wrong_type"
    MISSING_CLAIM = "missing_claim"
    BAD_CLAIM = "bad_claim"
    UNKNOWN_ISSUER = "unknown_issuer"
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    JKU_NOT_ALLOWED = "jku_not_allowed"
    KEYS_UNAVAILABLE = "keys_unavailable"
    UNKNOWN_KEY = "unknown_key"
    UNFIT_KEY = "unfit_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_AUDIENCE = "wrong_audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_IN_FUTURE = "issued_in_future"
    TOO_OLD = "too_old"
    LIVES_TOO_LONG = "lives_too_long"
    TENANT_NOT_ALLOWED = "tenant_not_allowed"
    REPLAYED = "replayed"


class UnauthorizedError(RequestError):
    """The client token is missing or bad. JWT-21 wants no detail, so the message has none."""

    reason: RefusalReason

    def __init__(self, *, reason: RefusalReason = RefusalReason.NO_TOKEN, client: str = "") -> None:
        """``client`` is the id of a registered one, and only where the token's signature is its own."""
        self.reason = reason
        self.client = client
        super().__init__("unauthorized")


class ForbiddenError(RequestError):
    """The client is known but may not use `what`: a service, a FHIR server."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"this client may not use this {what}")


class PreconditionError(RequestError):
    """Patient data that the answer needs came neither by prefetch nor by query (PFD-8)."""

    def __init__(self, missing: Mapping[str, str]) -> None:
        """``missing`` has the prefetch keys, each with the reason."""
        self.keys = tuple(missing)
        named = ", ".join(f"{key} ({reason})" for key, reason in missing.items())
        super().__init__(f"needed data could be had neither by prefetch nor by query: {named}")


class TooManyCallsError(RequestError):
    """This client calls more often, or more at once, than was agreed; `retry_after` is in seconds."""

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(f"this client sends too many calls, try again in {retry_after} s")


class OverloadedError(RequestError):
    """Too many calls at once; `retry_after` is in seconds."""

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many calls at once, try again in {retry_after} s")


def place_of(error: BaseException) -> str:
    """Where an error arose: the innermost lines of code that it came through, and nothing of what it says."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
