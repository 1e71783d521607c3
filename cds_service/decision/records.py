"""What is kept of a call, and of what became of its cards.

Nothing here can hold a patient, a user or free text: no patient id, no user id, no words of a card; a user's comment
only encrypted, and only where a site asks for it.
Standard library only, so that the decision, the ledger and the API share these types without importing each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple

RECORD_CORRECTION: Final = "record-correction"
"""Stands in the place of a recommendation's id for the card that offers to correct the record."""

CardState = Literal["returned", "folded", "snoozed", "shadow"]


class DataGap(NamedTuple):
    """A need that could not be had, or not fully, on which an answer hangs: how far it was met, and why not further."""

    need: str
    key: str
    state: str
    reason: str | None = None


class Asked(NamedTuple):
    """What one query to a FHIR server came to: for the metrics and `cds-service try`. Holds nothing of the patient."""

    need: str
    template: str
    seconds: float
    resources: int
    reason: str | None


class Timings(NamedTuple):
    """Milliseconds of one call: reading the request, asking the FHIR server, deciding and writing the answer."""

    parse: float = 0.0
    fetch: float = 0.0
    decide: float = 0.0


class Pseudonyms(NamedTuple):
    """Whom a call was about, as keyed hashes that only this deployment can make; empty where there is nobody.

    `episode` is the patient's spell of foot drop: the same hash from its first onset until none is active.
    """

    patient: str = ""
    user: str = ""
    encounter: str = ""
    episode: str = ""


@dataclass(frozen=True, slots=True)
class CardRecord:
    """One recommendation that stood in a call: returned alone, folded with others into one card, quiet or in shadow.

    The card that offers to correct the record has one too, under the id RECORD_CORRECTION.

    `uuid` is the uuid of the card on the wire: the folded recommendations of a call share one, and what was not
    returned has none. `sides` are those that it speaks of: 1 right, 2 left, 3 both, 0 where it judges none.
    """

    uuid: str
    recommendation_id: str
    version: str
    indicator: str
    suggestion_uuids: tuple[str, ...] = ()
    state: CardState = "returned"
    sides: int = 0


class ShadowRun(NamedTuple):
    """One version in shadow, and whether it stood; and whether the live version of the same recommendation did."""

    recommendation_id: str
    version: str
    stood: bool
    live_stood: bool


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
    gaps: tuple[DataGap, ...]
    cards: tuple[CardRecord, ...]
    tenant: str = ""
    timings: Timings = field(default_factory=Timings)
    whom: Pseudonyms = field(default_factory=Pseudonyms)
    shadows: tuple[ShadowRun, ...] = ()


class SealedComment(NamedTuple):
    """What a user wrote, encrypted, and for how many days from the arrival of its report it is kept."""

    secret: str
    keep_days: int


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
    comment: SealedComment | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """Entries of one feedback call, as they wait in the journal. `received_at` has a time zone."""

    client: str
    service_id: str
    received_at: datetime
    entries: tuple[FeedbackEntry, ...]


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """What became of the entries of one feedback call: all are kept.

    `unknown` has the cards of which nothing is known yet: their record may still be on its way, in another replica for
    instance, and is joined when it comes. None where that could not be looked up.
    """

    unknown: frozenset[str] | None = frozenset()
