"""What the service sends: discovery, cards, feedback's answer, health. Closed: it sends no member that is not here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cds_service.api.openapi.schemas import UUID, Described, Schema, components, ref, says
from cds_service.decision.decide import EXTENSION
from cds_service.domain.facts import GapReason, NeedState
from cds_service.domain.recommendations import Indicator
from cds_service.hooks.discovery import Service, ServicesResponse
from cds_service.hooks.operation_outcome import Issue, OperationOutcome
from cds_service.hooks.response import (
    SUMMARY_LIMIT,
    Action,
    ActionType,
    Card,
    CDSResponse,
    Coding,
    Link,
    OverrideReason,
    SelectionBehavior,
    Source,
    Suggestion,
)

URL: Final = "^https?://"
_SETTLED: Final = (NeedState.PRESENT, NeedState.EMPTY, NeedState.NOT_ASKED)
_GAP_STATES: Final = ("unclear", *(state.value for state in NeedState if state not in _SETTLED))
FEEDBACK_STATUSES: Final = (
    "kept",
    "kept, no such card yet",
    "kept, its card was not looked up",
    "no card of this service",
)


def schemas(keys: Sequence[str]) -> dict[str, Schema]:
    """All of them by name. ``keys`` are the prefetch keys of the knowledge, which name the gaps."""
    made = components((*_DISCOVERY, *_CARDS, *_OUTCOME), is_sent=True)
    return made | _ENUMS | {"ResponseExtension": _extension(keys), "FeedbackAnswer": _FEEDBACK_ANSWER} | _HEALTH


def closed(about: str, properties: dict[str, Any], optional: Iterable[str] = ()) -> Schema:
    """An object that always has these members and no other, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    made = {"type": "object", "description": about, "properties": properties, "additionalProperties": False}
    return made | ({"required": required} if required else {})


def _enum(about: str, values: Iterable[Any]) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values], "description": about}


_TEXT: Final = {"minLength": 1}
_DISCOVERY: Final = (
    Described(
        ServicesResponse,
        "The CDS services. A registered client sees those that it may use.",
        {"services": says("One for each hook.")},
    ),
    Described(
        Service,
        "A CDS service: what it is for, on which hook, and the data it would like with the call.",
        {
            "id": says("The last part of its URL: {base}/cds-services/{id}.", **_TEXT),
            "hook": says("The hook that it is for.", **_TEXT),
            "title": says("Its name for people.", **_TEXT),
            "description": says("What it does.", **_TEXT),
            "usageRequirements": says("What it needs to be of use.", **_TEXT),
            "prefetch": says("Query templates by prefetch key, the most wanted first.", minProperties=1),
            "version": says("The version of the CDS Hooks standard.", **_TEXT),
            "hookVersion": says("The version of the hook.", **_TEXT),
        },
        never_sent=frozenset(("extension",)),
    ),
)
_CARDS: Final = (
    Described(
        CDSResponse,
        "The advice. No card means that everything was checked and there is nothing to recommend, or that nothing "
        "known of the patient concerns this service: the extension then says what could not be read.",
        {
            "cards": says("The cards, most urgent first."),
            "extension": ref("ResponseExtension") | says("What a program may want to know of the data."),
        },
        never_sent=frozenset(("systemActions",)),
    ),
    Described(
        Card,
        "One piece of guidance. It names its recommendation in source.topic.",
        {
            "uuid": says(
                "The name of this card, which feedback refers to. It is new in each answer.",
                format="uuid",
                pattern=UUID,
            ),
            "summary": says(
                "One sentence of plain text on one line.",
                minLength=1,
                maxLength=SUMMARY_LIMIT - 1,
                pattern="^[^\\r\\n]+$",
            ),
            "detail": says("The reasons, in GitHub Flavored Markdown without HTML.", **_TEXT),
            "indicator": says("How urgent it is."),
            "source": says("Who stands behind it."),
            "suggestions": says("What the user may choose to do. Patients and relatives get none.", minItems=1),
            "selectionBehavior": says("How many of the suggestions may be taken."),
            "overrideReasons": says("The reasons for a dismissal that the user may choose from.", minItems=1),
            "links": says("Pages to open.", minItems=1),
        },
        never_sent=frozenset(("extension",)),
        rules={"dependentRequired": {"suggestions": ["selectionBehavior"], "selectionBehavior": ["suggestions"]}},
    ),
    Described(
        Source,
        "Who stands behind a card.",
        {
            "label": says("The name of the knowledge. It says that it is a draft.", **_TEXT),
            "url": says("The page of the recommendation at this service.", format="uri", pattern=URL),
            "topic": says(
                "The recommendation: its id is the code. Other cards have data-gap, more-recommendations or "
                "record-correction."
            ),
        },
        never_sent=frozenset(("icon",)),
        always=frozenset(("topic",)),
    ),
    Described(
        Suggestion,
        "A choice offered to the user. Taking it means all of its actions.",
        {
            "label": says("What it does, in words.", **_TEXT),
            "uuid": says("The name of this suggestion, which feedback refers to.", format="uuid", pattern=UUID),
            "isRecommended": says("Left out where it is not recommended above the others.", const=True),
            "actions": says("What happens in the record.", minItems=1),
        },
    ),
    Described(
        Action,
        "One change in the record.",
        {
            "type": says("What it does."),
            "description": says("What it does, in words.", **_TEXT),
            "resource": ref("Resource") | says("The whole resource to create or to replace the draft with."),
            "resourceId": says("The draft to delete, as Type/id.", pattern="^[A-Z][A-Za-z]+/[A-Za-z0-9_.-]+$"),
        },
        never_sent=frozenset(("extension",)),
        rules={
            "if": {"properties": {"type": {"const": "delete"}}},
            "then": {"required": ["resourceId"], "properties": {"resource": False}},
            "else": {"required": ["resource"], "properties": {"resourceId": False}},
        },
    ),
    Described(
        Link,
        "A page to open.",
        {
            "label": says("Its name.", **_TEXT),
            "url": says("Its address.", format="uri", pattern=URL),
            "type": says("A plain address. This service launches no SMART app.", const="absolute"),
        },
        never_sent=frozenset(("appContext",)),
    ),
    Described(
        Coding,
        "A code of a code system.",
        {
            "system": says("The code system.", **_TEXT),
            "code": says("The code.", **_TEXT),
            "display": says("The code in words.", **_TEXT),
        },
    ),
    Described(
        OverrideReason,
        "A reason for dismissing the card.",
        {
            "system": says("The code system.", **_TEXT),
            "code": says("The code, which feedback gives back.", **_TEXT),
            "display": says("The words that the user chooses.", **_TEXT),
        },
    ),
)
_OUTCOME: Final = (
    Described(
        OperationOutcome,
        "Why a request was not answered as asked, as a FHIR resource. It holds no value that was sent.",
        {"issue": says("What went wrong: one issue.", minItems=1, maxItems=1)},
    ),
    Described(
        Issue,
        "What went wrong.",
        {
            "severity": says("Always error.", const="error"),
            "code": says("The kind of problem (http://hl7.org/fhir/issue-type)."),
            "diagnostics": says("What to mend, for the engineers of the client and not for its users.", **_TEXT),
            "expression": says("The member of the request that is to be mended.", minItems=1, maxItems=1),
        },
        always=frozenset(("diagnostics",)),
    ),
)
_ENUMS: Final[dict[str, Schema]] = {
    "Indicator": _enum("How urgent a card is, in rising order.", Indicator),
    "SelectionBehavior": _enum("How many suggestions of a card may be taken.", SelectionBehavior),
    "ActionType": _enum("What an action does to the record.", ActionType),
    "Resource": {
        "type": "object",
        "description": "A FHIR R4 resource.",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string", "minLength": 1, "description": "The type of the resource."}},
    },
}


def _extension(keys: Sequence[str]) -> Schema:
    """What stands beside the cards."""
    gap = closed(
        "Data on which an answer hangs and which could not be had, or not fully.",
        {
            "key": _enum("The prefetch key under which it was wanted.", keys),
            "state": _enum("How far it was had. Unclear: it was read, and what it says does not decide.", _GAP_STATES),
            "reason": _enum("Why it was not had further.", GapReason),
        },
        optional=("reason",),
    )
    counts = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "integer", "minimum": 1}}
    names = (f"{EXTENSION}.data-gaps", f"{EXTENSION}.not-understood")
    about = (
        "What a program may want to know of the data that was read. A member is left out where there is nothing to say."
    )
    gaps = {"type": "array", "minItems": 1, "items": gap, "description": "What could not be read, and why."}
    unread = counts | says("How many resources could not be understood, by resource type.")
    return closed(about, {names[0]: gaps, names[1]: unread}, optional=names) | {"minProperties": 1}


_FEEDBACK_ANSWER: Final = closed(
    "What became of the entries, in their order.",
    {
        "feedback": {
            "type": "array",
            "minItems": 1,
            "description": "One for each entry that was sent.",
            "items": closed("What became of an entry.", {"status": _enum("In words.", FEEDBACK_STATUSES)}),
        }
    },
)
_OF_A_FILE: Final = ("read", "cannot be used: what was read before stands")
_COUNT: Final = {"type": "integer", "minimum": 0}
_HEALTH: Final[dict[str, Schema]] = {
    "Live": closed("The process lives.", {"status": says("Always live.", const="live")}),
    "Ready": closed(
        "The service answers, and how its parts are. It answers with 200 as long as it can advise: a part that fails "
        "is named here and in the metrics.",
        {
            "status": says("Always ready.", const="ready"),
            "knowledge": says("The fingerprint of the knowledge that runs.", type="string", minLength=1),
            "ledger": closed(
                "The ledger.",
                {
                    "database": _enum("Whether its database takes what waits.", ("up", "cannot be had")),
                    "journal": closed(
                        "The local journal in front of the database.",
                        {
                            "waiting": _COUNT | says("How many entries wait for the database."),
                            "limit": _COUNT | says("How many may wait."),
                        },
                    ),
                },
            ),
            "clients": _enum("The file of clients.", _OF_A_FILE),
            "cards": _enum("The knowledge on disk. Outside development mode there is no such member.", _OF_A_FILE),
            "audit": says(
                "Where the audit goes, and how many entries of it are lost.",
                type="string",
                pattern="^(in the log|written|cannot be written: [0-9]+ entries are lost)$",
            ),
            "tokens": closed(
                "How client tokens are judged. In open mode there is no such member.",
                {
                    "used tokens": _enum(
                        "Who knows which tokens were used.", ("known to all processes", "known to this process only")
                    ),
                    "addresses of keys that fail": _COUNT | says("How many addresses of keys give none."),
                },
            ),
        },
        optional=("tokens", "cards"),
    ),
}
