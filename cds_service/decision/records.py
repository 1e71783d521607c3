"""What is kept of a call, and of what became of its cards.

Nothing here can hold a patient, a user or free text: no patient id, no user id, no words of a card, no user's comment.
Standard library only, so that the decision, the ledger and the API share these types without importing each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class CardRecord:
    """One recommendation that a call returned, in a card of its own or folded with others into one.

    `uuid` is the uuid of the card on the wire: the folded recommendations of a call share one.
    """

    uuid: str
    recommendation_id: str
    version: str
    indicator: str
    suggestion_uuids: tuple[str, ...] = ()
    state: Literal["returned", "folded"] = "returned"


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One call and its answer. `call_id` is ours and unique for a client; `at` has a time zone."""

    call_id: str
    at: datetime
    client: str
    service_id: str
    hook: str
    hook_instance: str
    knowledge_fingerprint: str
    outcome: str
    gaps: tuple[str, ...]
    duration_ms: float
    cards: tuple[CardRecord, ...]


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """What one user did with one card. `card` is the card's uuid; `outcome_timestamp` has a time zone.

    The order of `accepted_suggestions` means nothing; the ledger gives them back sorted.
    """

    card: str
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: datetime
    accepted_suggestions: tuple[str, ...] = ()
    reason_system: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """What the ledger did with the entries of one feedback call.

    Each entry is either `stored` or `repeated` (known already, nothing changed). `unknown` counts, among both, the
    entries whose card this client has not been shown so far.
    """

    stored: int = 0
    repeated: int = 0
    unknown: int = 0
