"""What a decision needs from outside: a reader of records, a writer of orders, a ledger.

The real ones live in ``fhir`` and ``ledger``; a fake that passes the same tests will do as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cds_service.decision.orders import OrderContext
from cds_service.decision.records import Asked, DecisionRecord, FeedbackEntry, FeedbackReport, SealedComment
from cds_service.decision.snooze import Override
from cds_service.domain.codes import Coding
from cds_service.domain.facts import PatientFacts, Priority
from cds_service.domain.recommendations import Offer, Orderable
from cds_service.domain.times import Now
from cds_service.hooks.contexts import HookContext
from cds_service.hooks.request import CDSRequest


class PatientRecord(Protocol):
    """What is had of one patient's record in one call. Never answers for another patient."""

    @property
    def size(self) -> int:
        """How many bytes it was read from."""
        ...

    @property
    def is_blank(self) -> bool:
        """Whether the call brought nothing of it."""
        ...

    def facts(self) -> PatientFacts:
        """The facts of what is there so far. Raises RequestError: a foreign patient in the request."""
        ...

    @property
    def asked(self) -> Sequence[Asked]:
        """What was asked of the record's server, and what came of it."""
        ...

    @property
    def seconds_fetching(self) -> float:
        """How long this call has waited for the record's server."""
        ...

    async def fetch(self, needs: frozenset[str]) -> bool:
        """Ask for what of these needs was not asked yet, within the call's time; False if nothing is left to ask.

        Need not wait for every answer. Never raises for what the other side does: a query that fails leaves its need
        open, with the reason.
        """
        ...

    async def wait(self) -> bool:
        """Wait for the answers that are still to come; False if there are none."""
        ...

    def stop(self) -> None:
        """Wait for no answer any more."""
        ...


class Records(Protocol):
    """Opens what a call brings of its patient's record."""

    def open(self, request: CDSRequest, context: HookContext, now: Now, until: float = 0.0) -> PatientRecord:
        """The record, which can be asked for more until a time of the event loop's clock. Raises RequestError."""
        ...


class OrderWriter(Protocol):
    """Builds the resources that suggestions carry. Does not send them anywhere."""

    def takes(self, offer: Offer, orderable: Orderable | None) -> bool:
        """Whether the EHR can do this with a suggestion."""
        ...

    def create(self, orderable: Orderable, order: OrderContext) -> dict[str, Any]:
        """A complete draft order."""
        ...

    def update(
        self,
        draft: Mapping[str, object],
        *,
        planned: dt.date | None,
        on_hold: bool,
        add_reason: Coding | None,
        new_code: Orderable | None,
        priority: Priority | None,
    ) -> dict[str, Any]:
        """The draft as it came with only these members changed."""
        ...


class Hashes(Protocol):
    """Stands keyed hashes in the place of ids."""

    def all_of(self, client: str, kind: str, name: str) -> Sequence[str]:
        """The hashes of an id, under the current key and older ones."""
        ...

    def of(self, client: str, kind: str, name: str | None) -> str:
        """The hash of an id; empty for nobody."""
        ...


class Comments(Protocol):
    """Encrypts what users write about cards, for a site that keeps it. Keeps nothing itself."""

    def seal(self, client: str, card: str, at: dt.datetime, comment: str) -> SealedComment:
        """A comment as it may be kept: for this card and the time of this outcome, and to be read as no other's."""
        ...


class Ledger(Protocol):
    """Keeps what was returned and what became of it. Holds nothing of the patient or the user but keyed hashes.

    A comment comes to it encrypted, and without the key.
    """

    async def record(self, record: DecisionRecord) -> None:
        """Keep a call; returns when it is safe from a crash of this process. Raises LedgerError, JournalFullError."""
        ...

    async def record_feedback(
        self, client: str, service_id: str, entries: Sequence[FeedbackEntry], received_at: dt.datetime
    ) -> FeedbackReport:
        """Keep what users did with cards; the same report twice is one.

        Raises ForbiddenError where a card was shown to another client, LedgerError, JournalFullError.
        """
        ...

    async def overrides(
        self, client: str, patients: Sequence[str], recommendations: Sequence[str], since: dt.datetime
    ) -> Sequence[Override]:
        """The cards of these recommendations that were dismissed for a patient, known by any of these hashes.

        An offer to correct the record, asked for as RECORD_CORRECTION, is among them whether dismissed or accepted.
        Raises LedgerError where the ledger cannot be read.
        """
        ...

    def close(self) -> None:
        """Write what is pending and let go."""
        ...
