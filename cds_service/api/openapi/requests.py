"""What the service reads: hook calls with the context of their hook, and feedback. As strict as the service is.

What a schema here calls invalid is refused with 400, and what it calls valid is not refused for its shape. What no
schema can say (whose data a resource is, what a client may use) is said in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cds_service.api.openapi.schemas import Described, Schema, components, ref, says
from cds_service.domain.queries import Query
from cds_service.hooks.contexts import (
    CONTEXTS,
    EncounterDischargeContext,
    HookContext,
    OrderSelectContext,
    OrderSignContext,
    PatientViewContext,
    ProblemListItemCreateContext,
)
from cds_service.hooks.feedback import AcceptedSuggestion, Feedback, FeedbackRequest, UserOverrideReason
from cds_service.hooks.reading import VISIBLE, WHITE, id_pattern, reference_pattern
from cds_service.hooks.request import CDSRequest, FHIRAuthorization
from cds_service.hooks.response import Coding


def _ip_v6() -> str:
    """An IPv6 address in brackets (RFC 4291), as a pattern."""
    group, v4 = "[0-9A-Fa-f]{1,4}", r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\])|(?=\]))){4}"
    whole = [f"(?:{group}:){{7}}{group}", f"(?:{group}:){{6}}{v4}"]
    short = []
    for before in range(8):
        first = f"{group}(?::{group}){{{before - 1}}}" if before else ""
        after = 7 - before
        short.append(f"{first}::(?:{group}(?::{group}){{0,{after - 1}}})?" if after else f"{first}::")
        if after >= 2:
            short.append(f"{first}::(?:{group}:){{0,{after - 2}}}{v4}")
    return rf"\[(?:{'|'.join((*whole, *short))})\]"


_PORT: Final = r"0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_NAME: Final = r"[!-\"$-.0-9;-=A-Z\\^-~]+"
_FHIR_BASE: Final = rf"^[Hh][Tt][Tt][Pp][Ss]?://(?:{_NAME}|{_ip_v6()})(?::(?:{_PORT})?)?(?:/[!-\"$->@-~]*)?\??#?$"
_TIMESTAMP: Final = "^.{10}[Tt].{6}[0-5]"
"""What the service asks beyond RFC 3339: no leap second, and no space before the time."""
_DRAFTS: Final = says(
    "The orders that are not signed yet, as a FHIR Bundle. A call without it, or with null, has no drafts. Resources "
    "of another patient refuse the call; resources that cannot be read are counted in the answer.",
    type=["object", "null"],
)


def calls(hook: str, prefetch: Iterable[Query]) -> dict[str, Schema]:
    """The schemas of the calls of one hook: the request, its context and its prefetch, with the service's own keys."""
    name = _words(hook)
    context = CONTEXTS[hook]
    sent = {
        "hook": says("The hook. It is that of the service.", const=hook),
        "context": ref(f"{name}Context") | says("What the hook sends of the moment in which it fires."),
        "prefetch": {
            "anyOf": [ref(f"{name}Prefetch"), {"type": "null"}],
            "description": "FHIR data that the client sends with the call. Without it, or with null, nothing was sent.",
        },
    }
    request = Described(
        CDSRequest,
        f"A call of the hook {hook}. Members that are not named here are ignored. A name that stands twice in the "
        "request, in its context, its prefetch or its fhirAuthorization refuses the call.",
        _REQUEST | sent,
        rules=_SERVER_WITH_TOKEN,
        name=f"{name}Request",
    )
    about = f"The context of the hook {hook}. {_ABOUT[context]}"
    described = Described(context, about, _context(context), name=f"{name}Context")
    return components((request, described), is_sent=False) | {f"{name}Prefetch": _prefetch(prefetch)}


def shared() -> dict[str, Schema]:
    """The schemas that do not depend on the hook."""
    return components((_AUTHORIZATION, *_FEEDBACK), is_sent=False) | {
        "Outcome": {
            "type": "string",
            "enum": ["accepted", "overridden"],
            "description": "Whether a suggestion was taken or the card was dismissed.",
        },
        "FHIRBase": {
            "type": "string",
            "pattern": _FHIR_BASE,
            "description": "An absolute http or https URL of ASCII characters, without credentials, query or fragment.",
            "examples": ["https://ehr.example.org/fhir/r4"],
        },
    }


def request_name(hook: str) -> str:
    """The name of the schema of a hook's calls."""
    return f"{_words(hook)}Request"


def _words(hook: str) -> str:
    """``patient-view`` → ``PatientView``."""
    return "".join(word.capitalize() for word in hook.split("-"))


# ---- hook calls

_REQUEST: Final = {
    "hookInstance": says(
        "The client's name for this call: a UUID in the standard. Any text is taken, and kept only where it is a UUID.",
        pattern=VISIBLE,
    ),
    "fhirServer": says(
        "The base URL of the client's FHIR server: absolute, http or https, without credentials, query or fragment. It "
        "is required with fhirAuthorization. A registered client may name its own servers only; any other is answered "
        "with 403. In open mode only a server on this machine is asked.",
        anyOf=[ref("FHIRBase"), {"type": "null"}],
    ),
    "fhirAuthorization": says(
        "The access token for the FHIR server, with which the service reads what prefetch did not bring. It is used "
        "for this call only and kept nowhere."
    ),
    "extension": says("Anything. The service does not look at it."),
}
_SERVER_WITH_TOKEN: Final[Schema] = {
    "if": {"required": ["fhirAuthorization"], "properties": {"fhirAuthorization": {"type": "object"}}},
    "then": {"required": ["fhirServer"], "properties": {"fhirServer": {"type": "string"}}},
}
_AUTHORIZATION: Final = Described(
    FHIRAuthorization,
    "What the client gives the service to read its FHIR server with.",
    {
        "access_token": says("The bearer token: visible ASCII characters only.", pattern="^[!-~]+$"),
        "token_type": says("Bearer, in any case.", pattern="^[Bb][Ee][Aa][Rr][Ee][Rr]$", examples=["Bearer"]),
        "expires_in": says("The lifetime of the token in seconds, written without a decimal point.", examples=[300]),
        "scope": says("The scopes that were granted, separated by spaces.", pattern=VISIBLE),
        "subject": says(
            "The OAuth 2.0 client id of this service at the client's authorization server.", pattern=VISIBLE
        ),
        "patient": says(
            "The patient that the token is restricted to, as id or reference. It has to be that of context.patientId.",
            pattern=f"^$|{id_pattern('Patient')}",
        ),
    },
)


def _context(context: type[HookContext]) -> dict[str, Schema]:
    """The words of a context's members, with the types of user that the hook allows."""
    members = {
        "userId": says(
            f"The current user, as Type/id: {' or '.join(context.USER_TYPES)}.",
            pattern=reference_pattern(*context.USER_TYPES),
            examples=["Practitioner/example"],
        ),
        "patientId": says(
            "The id of the patient. A reference such as Patient/example is read too.", pattern=id_pattern("Patient")
        ),
        "encounterId": says(
            "The id of the encounter. An empty one, or null, is none.",
            pattern=rf"^[{WHITE}]*$|{id_pattern('Encounter')}",
        ),
        "draftOrders": _DRAFTS,
        "selections": says("The orders that were chosen just now, as Type/id of the drafts. Null is none."),
        "conditions": says(
            "The conditions that were added, as a FHIR Bundle. Resources of another patient refuse the call.",
            type="object",
        ),
    }
    if context is EncounterDischargeContext:
        members["encounterId"] = says("The id of the encounter that ends.", pattern=id_pattern("Encounter"))
    return {one.encode_name: members[one.encode_name] for one in msgspec.structs.fields(context)}


_ABOUT: Final[dict[type[HookContext], str]] = {
    PatientViewContext: "A patient's record was opened.",
    OrderSelectContext: "Orders were chosen, and are not signed yet.",
    OrderSignContext: "Orders are ready to be signed.",
    EncounterDischargeContext: "A patient is being discharged.",
    ProblemListItemCreateContext: "Problems were added to the problem list.",
}


def _prefetch(queries: Iterable[Query]) -> Schema:
    """The keys of a service. Whatever stands under a key is read, so no value is invalid."""
    return {
        "type": "object",
        "description": "The answers of the client's FHIR server to the prefetch templates of the service, by key. Null "
        "and an empty Bundle say that there is no such data. A missing key and an OperationOutcome say that it could "
        "not be had, as does what cannot be read: that never counts as nothing on record. Other keys are read as "
        "well. The templates named here are those of open mode; discovery has those of each client.",
        "properties": {query.key: _answer_to(query) for query in queries},
    }


def _answer_to(query: Query) -> dict[str, Any]:
    what = "The resource" if query.is_read else "The searchset Bundle"
    return {"description": f"{what} of `{query.template}`, or null where there is none."}


# ---- feedback

_FEEDBACK: Final = (
    Described(
        FeedbackRequest,
        "What users did with cards. At most 1000 entries and 1 MiB at a time. One bad entry refuses the whole, so that "
        "nothing is kept twice when it is sent again.",
        {"feedback": says("An entry for each card.", minItems=1)},
    ),
    Described(
        Feedback,
        "What became of one card. The same entry may be sent again: it changes nothing.",
        {
            "card": says(
                "The uuid of the card. An entry on anything that is no UUID is answered and not kept.", pattern=VISIBLE
            ),
            "outcome": says("What the user did."),
            "acceptedSuggestions": says("The suggestions that were taken. Required, and not empty, for accepted."),
            "overrideReason": says("Why the card was dismissed."),
            "outcomeTimestamp": says(
                "When it happened, with an offset (RFC 3339). A space in the place of T, and an offset without colon, "
                "are read too.",
                pattern=_TIMESTAMP,
            ),
        },
        rules={
            "if": {"required": ["outcome"], "properties": {"outcome": {"const": "accepted"}}},
            "then": {
                "required": ["acceptedSuggestions"],
                "properties": {"acceptedSuggestions": {"type": "array", "minItems": 1}},
            },
        },
    ),
    Described(
        AcceptedSuggestion,
        "A suggestion that was taken.",
        {"id": says("The uuid of the suggestion. Only UUIDs are kept.", pattern=VISIBLE)},
    ),
    Described(
        UserOverrideReason,
        "Why a card was dismissed: a coded reason, the user's words, or both.",
        {
            "reason": says("The coded reason: one of the card's override reasons, or another."),
            "userComment": says(
                "The user's words. They are not kept, unless the site has chosen to keep them encrypted."
            ),
        },
        rules={
            "anyOf": [
                {"required": ["reason"], "properties": {"reason": {"type": "object"}}},
                {"required": ["userComment"], "properties": {"userComment": {"type": "string", "pattern": VISIBLE}}},
            ]
        },
    ),
    Described(
        Coding,
        "A code of a code system, as the client sends it.",
        {
            "system": says("The code system.", pattern=VISIBLE),
            "code": says("The code.", pattern=VISIBLE),
            "display": says("The words that were shown."),
        },
        name="ReportedReason",
    ),
)
