"""The words of the playground: every English sentence that its pages and its script show, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TITLE: Final = "Foot drop CDS"
LEAD: Final = (
    "Decision support for foot drop, in the record where clinicians work. Choose a patient, fire a hook as an "
    "electronic health record (EHR) would, read the cards, and see why each recommendation speaks or is silent."
)
NOTES: Final = (
    "The example patients are invented. What you paste stays between this browser and this service: it is not kept. "
    "The ledger keeps that a call was made, by hashes, as for any call."
)
NO_SCRIPT: Final = "The playground needs JavaScript. The recommendations and all other pages can be read without it."
CLOSED: Final = (
    "The playground is on in open mode only. Clients are registered with this service, and the playground could not "
    "sign a token for them."
)
TOP_LINKS: Final = (
    ("cards/index", "Recommendations"),
    ("cards/coverage", "Value sets"),
    ("insight", "Insight"),
    ("cds-services", "Discovery"),
    ("openapi.json", "OpenAPI"),
)

LABELS: Final[Mapping[str, str]] = {
    "pages": "Pages",
    "fingerprint": "Knowledge fingerprint ",
    "call": "The call",
    "fire": "Fire the hook",
    "resources": "The resources of this record",
    "fire again": "Fire again with these changes",
    "restore": "Restore the record",
    "change": "Change a fact",
    "patient": "Patient",
    "hook": "Hook: what happens in the record",
    "drafts": "Draft orders",
    "order": "Order",
    "side": "Side",
    "add": "Add draft",
    "selected": " selected",
    "take away": "Take away",
    "user": "Who is logged in",
    "about": "Whom it is about",
    "unsent": "The EHR does not send",
    "more": "Who asks, about whom, and what the EHR does not send",
    "changed": "What changed",
    "answer": "The answer",
    "why": "Why and why not",
    "timeline": "What is on record",
    "sent": "The request, as the EHR sends it",
    "request": "The request",
    "came": "The response, as it came",
    "response": "The response",
    "wire": "Over the wire",
    "copy": "Take it along",
    "curl": "As curl",
    "python": "As Python",
    "sandbox": "As a link to the CDS Hooks Sandbox",
    "copy it": "Copy",
    "why this": "Why this card",
    "accept": "Accept",
    "recommended": "Recommended: ",
    "resource": "The resource",
    "links": "Links",
    "dismiss this": "Dismiss this card",
    "reason": "Reason",
    "comment": "Comment",
    "optional": " (optional)",
    "dismiss": "Dismiss",
    "no reason": "none of these",
    "smart": " (a SMART app, which an EHR launches)",
    "files": "What it files",
    "search": "Search by id or words ",
    "filter": "Show recommendations that are",
    "whole": "The whole recommendation, with its evidence",
    "thresholds": "Thresholds and where they come from",
    "no facts": "Nothing on record that this knowledge speaks of.",
    "caption": "Facts by date, newest first, and by side of the body",
    "time-line": "Time-line",
    "unreadable": "value not readable",
    "doubtful": "stated in a way that may not be trusted",
    "over": "no longer active",
    "not in use": "not in use",
    "undated": "date not recorded",
    "nothing to change": "The record has nothing but the patient.",
    "not on record": "not on record",
    "nameless": "without words",
    "not read": "Not read: ",
    "title": "{name}: playground",
    "suggestions": "Suggestions",
    "any suggestions": "Suggestions, any of them",
    "one suggestion": "Suggestions, at most one",
    "files many": "What it files: {count} actions",
    "thresholds of": "Thresholds of {id}",
    "read": "{resources} read, {facts} that criteria ask for.",
    "newest": "The newest {count} are shown; {rest} are not.",
    "too many": "{count} more resources cannot be changed here.",
    "as recorded": "as recorded: {status}",
    "no status": "no status",
    "and more": "and {count} more",
    "in": " in ",
    "record without id": "record without id",
    "whole patient": "the patient as a whole",
    "draft": "draft",
}
"""Headings, labels and buttons; braces are filled."""
FILTERS: Final[Mapping[str, str]] = {"": "All", "shown": "Shown", "silent": "Silent", "unknown": "Unknown"}
THRESHOLD_HEADS: Final = ("Threshold", "Value", "Meaning", "Citation")
TIMELINE_HEADS: Final = ("When", "Right", "Left")

SHOWS: Final[Mapping[str, str]] = {
    "cause": "Foot drop and its causes",
    "near miss": "Near misses",
    "red flag": "Red flags",
    "treated": "Treated already",
    "nothing": "Nothing of ours",
}
HOOKS: Final[Mapping[str, str]] = {
    "patient-view": "The record is opened",
    "order-select": "Orders are chosen",
    "order-sign": "Orders are signed",
    "encounter-discharge": "The patient is discharged",
    "problem-list-item-create": "A problem is added",
}
USERS: Final[Mapping[str, str]] = {
    "Practitioner": "Practitioner, a clinician",
    "PractitionerRole": "PractitionerRole, a clinician in a role",
    "Patient": "Patient, to whom no order is suggested",
    "RelatedPerson": "RelatedPerson, to whom no order is suggested",
}
SIDES: Final[Mapping[str, str]] = {"": "no side", "right": "right", "left": "left", "both": "both sides"}

OWN: Final = "Yours"
OWN_RECORD: Final = "A record that you paste or drop"
PASTE: Final = "A FHIR R4 Bundle with a Patient and the record"
FILE: Final = "or a file of it"
DROP: Final = "You can also drop the file anywhere on this page."
DRAFTS: Final = "Unsigned orders of this call. On choosing, the service judges those that are marked as selected."
NEW_PATIENT: Final = "A patient whom this service has not met: another id, for which nothing was dismissed before"
UNSENT: Final = "The service is told nothing of what is ticked: that is not the same as telling it that there is none."
CHANGING: Final = (
    "Give a resource another status, or leave it out, fire again, and see what changes. Only this page's copy changes."
)
BEFORE: Final = "Nothing was asked yet. Press “Fire the hook” for the first cards."
STEPS: Final = (
    "The page makes the request that an EHR would send about this patient, and sends it to this service.",
    "The answer stands here as an EHR would show it. Accept or dismiss a card: the service takes note.",
    "Below it stands why: each criterion, met or not met or unknown, with the record behind it.",
)
WAYS: Final[Mapping[str, str]] = {
    "cards": "Answer",
    "why": "Why and why not",
    "timeline": "On record",
    "wire": "Over the wire",
    "copy": "Take it along",
}

TRUTHS: Final[Mapping[str, str]] = {"met": "met", "not met": "not met", "unknown": "unknown"}
SECTIONS: Final[Mapping[str, str]] = {
    "for each": "Looked for; without it there is nothing to judge",
    "when": "It applies when all of this holds",
    "unless": "It is silent when any of this holds",
    "gate": "Gates that silence it",
    "info": "Raised to info when this holds",
    "warning": "Raised to warning when this holds",
    "critical": "Raised to critical when this holds",
}
BECAUSE: Final[Mapping[str, str]] = {
    "not met": "Not met: {words}.",
    "met": "Silenced by: {words}.",
    "unknown": "Not known: {words}.",
    "no draft": "No order that it speaks of is being made.",
}
"""What decided, in one line."""
JUDGED: Final = "Judged for "
LEFT_OPEN: Final = "Not known whether it is about "
STATES: Final[Mapping[str, tuple[str, str, str]]] = {
    "shown": ("shown", "Shown", "it has a card"),
    "folded": ("shown", "Shown, folded", "it stands on the card that lists the rest"),
    "silenced": ("silent", "Silent", "it would stand, and a critical red flag silences it"),
    "quiet": (
        "silent",
        "Silent",
        "it would stand, and is quiet for this patient because it was dismissed not long ago (“Who asks” can make "
        "it another patient)",
    ),
    "unanswered": ("silent", "Silent", "it would stand, and the answer is a refusal"),
    "withheld": ("unknown", "Unknown", "withheld: it would stand, and what could silence it is not known"),
    "unknown": ("unknown", "Unknown", "whether it applies is not known"),
    "silent": ("silent", "Silent", "it does not apply"),
}
"""How a recommendation came out: the filter it falls under, its badge, and what that means."""

LANES: Final[Mapping[str, str]] = {"both": "both sides", "none": "side not stated"}
KINDS: Final[Mapping[str, str]] = {
    "condition": "diagnosis",
    "finding": "finding",
    "done": "done",
    "order": "order",
    "refusal": "declined",
    "device": "device",
}
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "nothing": ("Nothing to recommend.", "All that mattered was read. This is an answer, not a failure."),
    "partial": (
        "No card, on partial data.",
        "Nothing known concerns this service, and something could not be read. An EHR shows nothing; the gaps stand in "
        "the answer for machines:",
    ),
    "refused": ("The call was refused. This is not “nothing to recommend”.", "The service says why:"),
    "unreadable": ("What came back is no answer that the standard knows.", "It is shown below as it came."),
}
GAPS: Final = "Not read, and an answer hangs on it:"
NOT_UNDERSTOOD: Final = "Resources that could not be understood:"
ANEW: Final = (
    "The service's answer does not carry its reasons. They are worked out anew, a moment later, from the same request "
    "by the same reader and the same criteria. Only what was dismissed before is not looked up again."
)
DIFFERS: Final = (
    "This differs from the answer above: the knowledge or the day may have changed in between. Fire again to see both."
)
NO_REASONS: Final = "Nothing was judged, for the request cannot be read:"
BROKEN: Final = (
    "The knowledge on disk has mistakes. The service goes on answering with the knowledge from before them. To mend:"
)
SINCE_BEFORE: Final[Mapping[str, str]] = {
    "cards": "Cards",
    "same cards": "The same cards, in the same words.",
    "criteria": "Criteria that answer differently",
    "same criteria": "No criterion changed its answer.",
    "more": "{count} more changed.",
    "how many": "{count} criteria answer differently",
    "come": "new",
    "gone": "gone",
    "changed": "changed",
    "urgency": "Indicator",
    "summary": "Summary",
    "detail": "Detail",
    "suggestions": "Suggestions",
    "in": "In {places}.",
    "judged": "is judged now for {scope}.",
    "no longer judged": "is no longer judged for {scope}.",
}
SANDBOX: Final = (
    "The link tells the CDS Hooks Sandbox where this service is. An example patient comes along if the examples' own "
    "FHIR server runs on this machine (make patients). It carries no record of your own, no drafts, no changed fact: "
    "the Sandbox reads patients from a FHIR server, and drafts its own orders."
)

SCRIPT: Final[Mapping[str, str]] = {
    "firing": "Asking the service …",
    "failed": "The service could not be reached. Is it still running?",
    "fault": "No call was made: {diagnostics}.",
    "no-show": "The service answered, and this page cannot show how: {diagnostics}.",
    "came": "{status}. Here with line breaks.",
    "status": "HTTP {status} in {milliseconds} ms",
    "copied": "Copied.",
    "not-copied": "The browser does not let this page copy. Select the text and copy it.",
    "sending": "Sending …",
    "accepted": "Accepted. The service says of the feedback: {answer}.",
    "overridden": "Dismissed. The service says of the feedback: {answer}.",
    "not-taken": "The feedback was not taken (HTTP {status}): {diagnostics}",
    "no-record": "Paste a Bundle first, or choose an example.",
    "pasted": "Your own record: {name}",
    "too-large-to-show": "… {count} more characters, not shown. Copying takes all.",
    "removed": "Draft taken away.",
    "added": "Draft added.",
    "none-match": "No recommendation matches.",
    "matches": "{count} recommendations shown.",
}
"""What the script says; braces are filled by it."""


def counted(count: int, one: str, many: str = "") -> str:
    """``1 card``, ``2 cards``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
